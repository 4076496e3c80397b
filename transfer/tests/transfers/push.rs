//! Pushing.

use std::collections::BTreeMap;

use tug_layer_store::{Image, LayerCompression, LayerWriterOptions, NewEntry, Store};
use tug_oci::{Descriptor, Digest, ImageConfig, Index, Manifest, Raw, Reference, media_type};
use tug_testdata::registry_peer::{Answer, Behaviour, Peer, Rule, noise};
use tug_transfer::{Error, Event, Layers, PullOptions, PushOptions};

use crate::support::{World, add_image, layer, name, open, platform, remote, tag, world};

/// An image that was built here: its layers are plain tars.
pub(crate) fn built(store: &Store, files: &[(&str, usize)]) -> Image {
    let mut config = ImageConfig::empty(platform());
    for (number, (path, length)) in files.iter().enumerate() {
        let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
        let content = noise(*length, number as u64);
        let entry = NewEntry::file(*path, 0o644, content.len() as u64);
        writer.add(&entry, Some(&mut content.as_slice())).unwrap();
        config.rootfs.diff_ids.push(writer.finish().unwrap().diff_id().clone());
    }
    store.write_image(config, BTreeMap::new()).unwrap()
}

fn manifest_of(peer: &Peer, repository: &str, tag: &str) -> (String, Raw<Manifest>) {
    peer.contents(|contents| {
        let (_, media_type, bytes) = contents.repository(repository).manifest(tag).unwrap();
        (media_type, Raw::parse(bytes.to_vec()).unwrap())
    })
}

fn push(world: &World, target: &Descriptor, to: &[Reference], options: &PushOptions) -> Vec<Digest> {
    let pushed = world.remote.push(&world.store, "app", target, to, options).unwrap();
    pushed.into_iter().map(|pushed| pushed.target.digest).collect()
}

#[test]
fn what_was_built_here_is_compressed_on_its_way_and_can_be_pulled() {
    let world = world();
    let peer = Peer::start(Behaviour::default());
    let image = built(&world.store, &[("one", 2_500_000), ("two", 1000)]);
    let app = name(&peer, "app:1");
    world.store.tag(&app, &image.descriptor).unwrap();
    let pushed = push(&world, &image.descriptor, std::slice::from_ref(&app), &PushOptions::new(platform()));

    let (media_type, manifest) = manifest_of(&peer, "app", "1");
    assert_eq!(media_type, media_type::OCI_MANIFEST);
    assert_eq!(
        (pushed[0].clone(), manifest.config.digest.clone()),
        (manifest.digest().clone(), image.id().clone())
    );
    assert!(manifest.layers.iter().all(|layer| layer.media_type == media_type::OCI_LAYER_GZIP));
    let named = world.store.resolve(&app).unwrap().unwrap();
    assert_eq!(named.digest, pushed[0], "the name points to what was pushed");
    assert_eq!(world.store.image(&named, &platform()).unwrap().diff_ids(), image.diff_ids());

    let (other, (remote, _)) = (open(&world.folder.path().join("other")), remote());
    let pulled = remote.pull(&other, &app, &PullOptions::new(platform())).unwrap().image.unwrap();
    assert_eq!(pulled.diff_ids(), image.diff_ids());
    assert_eq!(other.lower(pulled.diff_ids()).unwrap().len(), 2);
}

#[test]
fn the_second_push_sends_nothing_but_the_name() {
    let world = world();
    let peer = Peer::start(Behaviour::default());
    let image = built(&world.store, &[("one", 300_000)]);
    let options = PushOptions::new(platform());
    push(&world, &image.descriptor, &[name(&peer, "app:1")], &options);
    let before = peer.exchanges().len();
    push(&world, &image.descriptor, &[name(&peer, "app:2")], &options);
    let after = &peer.exchanges()[before..];
    assert!(!after.iter().any(|exchange| exchange.is("POST", "/uploads/")), "{:?}", peer.lines());
    assert_eq!(after.iter().filter(|exchange| exchange.is("PUT", "/manifests/2")).count(), 1);
}

#[test]
fn other_repositories_of_the_registry_take_blobs_over() {
    let world = world();
    let peer = Peer::start(Behaviour::default());
    let image = built(&world.store, &[("one", 300_000)]);
    let to = [name(&peer, "first:1"), name(&peer, "second:1")];
    let pushed = push(&world, &image.descriptor, &to, &PushOptions::new(platform()));
    assert_eq!(pushed[0], pushed[1]);
    let (_, manifest) = manifest_of(&peer, "second", "1");
    let mounts = peer.asked("POST", "mount=");
    assert!(
        mounts.iter().any(|it| it.line().contains(manifest.layers[0].digest.hex())),
        "{:?}",
        peer.lines()
    );
    assert_eq!(world.seen.count(|event| matches!(event, Event::Mounted { .. })), 2, "layer and config");
    let sent: u64 =
        peer.exchanges().iter().filter(|it| it.is("*", "/v2/second/blobs/")).map(|it| it.received).sum();
    assert_eq!(sent, 0);
}

#[test]
fn what_was_pulled_is_pushed_byte_for_byte() {
    let world = world();
    let (from, to) = (Peer::start(Behaviour::default()), Peer::start(Behaviour::default()));
    let made = add_image(&from, "app", "linux/amd64", &[layer("one", 1000, 1)]);
    // Fields that nobody knows, and an odd way to write them.
    let odd = from.contents(|contents| {
        let repository = contents.repository("app");
        let (_, _, bytes) = repository.manifest(&made.manifest.digest.to_string()).unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap().replacen('{', "{\n\t\"x-new\" : [1 , 2],", 1);
        let digest = repository.add_manifest(media_type::OCI_MANIFEST, text.as_bytes());
        repository.tags.insert("1".to_owned(), digest.clone());
        digest
    });
    let pulled =
        world.remote.pull(&world.store, &name(&from, "app:1"), &PullOptions::new(platform())).unwrap();
    let pushed = push(&world, &pulled.target, &[name(&to, "copy:1")], &PushOptions::new(platform()));
    assert_eq!(pushed[0].to_string(), odd);
    assert!(to.contents(|contents| contents.repository("copy").manifest(&odd).is_some()));
}

#[test]
fn an_index_is_pushed_after_its_images_and_says_what_they_became() {
    let world = world();
    let peer = Peer::start(Behaviour::default());
    let images = [built(&world.store, &[("amd", 1000)]), built(&world.store, &[("amd", 1000), ("two", 10)])];
    let mut attestation = images[1].descriptor.clone();
    attestation
        .annotations
        .insert("vnd.docker.reference.digest".to_owned(), images[0].descriptor.digest.to_string());
    let mut index = Index::new(vec![images[0].descriptor.clone(), attestation]);
    index.annotations.insert("kept".to_owned(), "yes".to_owned());
    let index = Raw::encode(index);
    world.store.write_blob(index.bytes()).unwrap();
    let target = Descriptor::new(media_type::OCI_INDEX, index.digest().clone(), index.size());
    push(&world, &target, &[name(&peer, "app:1")], &PushOptions::new(platform()));

    let puts: Vec<String> =
        peer.lines().into_iter().filter(|line| line.starts_with("PUT /v2/app/manifests/")).collect();
    assert_eq!(puts.len(), 3, "{puts:?}");
    assert!(puts[2].contains("/manifests/1 "), "{puts:?}");
    let pushed: Raw<Index> = peer.contents(|contents| {
        Raw::parse(contents.repository("app").manifest("1").unwrap().2.to_vec()).unwrap()
    });
    assert_eq!(pushed.annotations["kept"], "yes");
    let first = pushed.manifests[0].digest.to_string();
    assert_eq!(pushed.manifests[1].annotations["vnd.docker.reference.digest"], first);
    assert_ne!(first, images[0].descriptor.digest.to_string());
}

#[test]
fn an_index_that_is_not_whole_is_pushed_as_the_image_that_is_here() {
    let world = world();
    let peer = Peer::start(Behaviour::default());
    let image = built(&world.store, &[("one", 1000)]);
    let mut elsewhere = Descriptor::new(media_type::OCI_MANIFEST, Digest::of(b"elsewhere"), 9);
    elsewhere.platform = Some("linux/arm64".parse().unwrap());
    let index = Raw::encode(Index::new(vec![elsewhere, image.descriptor.clone()]));
    world.store.write_blob(index.bytes()).unwrap();
    let target = Descriptor::new(media_type::OCI_INDEX, index.digest().clone(), index.size());
    let options = PushOptions { all: true, ..PushOptions::new(platform()) };
    let to = [name(&peer, "app:1")];
    let error = world.remote.push(&world.store, "app", &target, &to, &options).unwrap_err();
    assert!(matches!(error, Error::Incomplete { missing: 1, .. }), "{error}");
    assert!(peer.exchanges().is_empty(), "nothing was begun");

    push(&world, &target, &to, &PushOptions::new(platform()));
    assert_eq!(manifest_of(&peer, "app", "1").1.config.digest, *image.id());
    assert_eq!(world.seen.count(|event| matches!(event, Event::OnlyOne { of: 2, .. })), 1);
}

#[test]
fn a_lazily_pulled_image_is_pushed_without_its_layers_or_with_those_that_are_fetched() {
    let world = world();
    let (from, to) = (Peer::start(Behaviour::default()), Peer::start(Behaviour::default()));
    let made = add_image(&from, "app", "linux/amd64", &[layer("one", 400_000, 1)]);
    tag(&from, "app", "1", &made.manifest);
    let lazy = PullOptions { layers: Layers::Lazy, ..PullOptions::new(platform()) };
    let pulled = world.remote.pull(&world.store, &name(&from, "app:1"), &lazy).unwrap();
    push(&world, &pulled.target, &[name(&from, "other:1")], &PushOptions::new(platform()));
    let blob = made.layers[0].digest.to_string();
    assert!(from.asked("GET", &blob).is_empty(), "the registry took it over");

    push(&world, &pulled.target, &[name(&to, "app:1")], &PushOptions::new(platform()));
    assert!(to.contents(|contents| contents.repository("app").blobs.contains_key(&blob)));
    assert_eq!(from.sent("GET", &blob), made.layers[0].size);
}

#[test]
fn a_blob_that_was_taken_away_meanwhile_is_sent_again() {
    let world = world();
    let peer = Peer::start(Behaviour::default());
    let image = built(&world.store, &[("one", 1000)]);
    let plain = PushOptions { compression: LayerCompression::Plain, ..PushOptions::new(platform()) };
    peer.add(
        Rule::on("PUT", "/manifests/1")
            .once()
            .answer(Answer::error(404, "MANIFEST_BLOB_UNKNOWN", "gone"))
            .then(|contents| contents.repository("app").blobs.clear()),
    );
    push(&world, &image.descriptor, &[name(&peer, "app:1")], &plain);
    let there = peer.contents(|contents| contents.repository("app").blobs.len());
    assert_eq!(there, 2, "layer and config");
}

#[test]
fn a_destination_that_pins_a_digest_is_refused_before_anything_is_asked() {
    let world = world();
    let peer = Peer::start(Behaviour::default());
    let image = built(&world.store, &[]);
    let pinned = name(&peer, &format!("app@{}", image.descriptor.digest));
    let options = PushOptions::new(platform());
    let error = world.remote.push(&world.store, "app", &image.descriptor, &[pinned], &options).unwrap_err();
    assert!(matches!(error, Error::PinnedDestination(_)), "{error}");
    assert!(peer.exchanges().is_empty());
}
