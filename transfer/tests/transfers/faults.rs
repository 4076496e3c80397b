//! Indexes that have no end, what several put on one list, and documents that must stay as they are: entries 7, 8, 15,
//! 44 and 45 of the list of faults.

use tug_oci::{Descriptor, Digest, Index, Raw, media_type};
use tug_testdata::registry_peer::{Behaviour, Peer, Referrers, Rule, sha256};
use tug_transfer::{CopyOptions, Error, Place, PullOptions};

use crate::support::{Made, World, add_image, add_index, attach, layer, name, platform, tag, world};

fn pull(world: &World, peer: &Peer, reference: &str) -> Result<Digest, Error> {
    let pulled = world.remote.pull(&world.store, &name(peer, reference), &PullOptions::new(platform()))?;
    Ok(pulled.image.expect("it is an image").descriptor.digest)
}

fn child(made: &Made, platform: &str) -> Descriptor {
    let mut child = made.manifest.clone();
    child.platform = Some(platform.parse().unwrap());
    child
}

#[test]
fn indexes_that_lie_in_each_other_for_ever_are_given_up() {
    let (world, peer) = (world(), Peer::start(Behaviour::default()));
    let made = add_image(&peer, "app", "linux/amd64", &[layer("one", 1000, 1)]);
    let mut inner = made.manifest;
    for _ in 0..1000 {
        inner.platform = None;
        inner = add_index(&peer, "app", vec![inner]);
    }
    tag(&peer, "app", "deep", &inner);
    let error = pull(&world, &peer, "app:deep").unwrap_err();
    assert!(matches!(error, Error::TooMany { .. }), "{error}");
    assert!(peer.asked("GET", "/manifests/").len() <= 20, "{}", peer.asked("GET", "/manifests/").len());
    assert!(peer.asked("GET", "/blobs/").is_empty());
}

#[test]
fn an_index_that_calls_itself_its_child_is_read_once() {
    let (world, peer) = (world(), Peer::start(Behaviour::default()));
    // No bytes can have their own digest in them, so the child's digest is a lie.
    let own = Digest::of(b"itself");
    let index = Raw::encode(Index::new(vec![Descriptor::new(media_type::OCI_INDEX, own.clone(), 300)]));
    peer.contents(|contents| {
        let repository = contents.repository("app");
        let digest = repository.add_manifest(media_type::OCI_INDEX, index.bytes());
        let same = repository.manifests[&digest].clone();
        repository.manifests.insert(own.to_string(), same);
        repository.tags.insert("loop".to_owned(), digest);
    });
    let error = pull(&world, &peer, "app:loop").unwrap_err();
    assert!(error.to_string().contains("app") && !error.to_string().contains('\n'), "{error}");
    assert!(peer.asked("GET", "/manifests/").len() <= 3, "{:#?}", peer.lines());
}

#[test]
fn an_index_with_a_hundred_thousand_entries_is_not_walked() {
    let (world, peer) = (world(), Peer::start(Behaviour::default()));
    let entries: Vec<Descriptor> = (0..100_000u32)
        .map(|number| Descriptor::new(media_type::OCI_MANIFEST, Digest::of(&number.to_le_bytes()), 300))
        .collect();
    let index = add_index(&peer, "app", entries);
    tag(&peer, "app", "wide", &index);
    let error = pull(&world, &peer, "app:wide").unwrap_err();
    assert!(!error.to_string().contains('\n'), "{error}");
    assert!(peer.asked("GET", "/manifests/").len() < 10, "{}", peer.asked("GET", "/manifests/").len());
}

#[test]
fn of_two_images_for_one_platform_the_first_counts() {
    let (world, peer) = (world(), Peer::start(Behaviour::default()));
    let first = add_image(&peer, "app", "linux/amd64", &[layer("first", 1000, 1)]);
    let second = add_image(&peer, "app", "linux/amd64", &[layer("second", 1000, 2)]);
    let index = add_index(&peer, "app", vec![child(&first, "linux/amd64"), child(&second, "linux/amd64")]);
    tag(&peer, "app", "twice", &index);
    assert_eq!(pull(&world, &peer, "app:twice").unwrap(), first.manifest.digest);
}

#[test]
fn each_kind_of_processor_gets_the_image_for_it() {
    let (world, peer) = (world(), Peer::start(Behaviour::default()));
    let six = add_image(&peer, "app", "linux/arm/v6", &[layer("six", 1000, 1)]);
    let seven = add_image(&peer, "app", "linux/arm/v7", &[layer("seven", 1000, 2)]);
    let eight = add_image(&peer, "app", "linux/arm64/v8", &[layer("eight", 1000, 3)]);
    let children =
        vec![child(&six, "linux/arm/v6"), child(&eight, "linux/arm64/v8"), child(&seven, "linux/arm/v7")];
    let index = add_index(&peer, "app", children);
    tag(&peer, "app", "arm", &index);
    for (wanted, made) in [("linux/arm/v7", &seven), ("linux/arm/v6", &six), ("linux/arm64", &eight)] {
        let options = PullOptions::new(wanted.parse().unwrap());
        let pulled = world.remote.pull(&world.store, &name(&peer, "app:arm"), &options).unwrap();
        assert_eq!(pulled.image.unwrap().descriptor.digest, made.manifest.digest, "{wanted}");
    }
    let options = PullOptions::new("linux/arm/v5".parse().unwrap());
    let error = world.remote.pull(&world.store, &name(&peer, "app:arm"), &options).unwrap_err();
    assert!(matches!(error, Error::NoSuchPlatform { .. }), "{error}");
}

#[test]
fn a_layer_of_another_size_leaves_nothing_in_the_store() {
    for by in [-1, 1] {
        let (world, peer) = (world(), Peer::start(Behaviour::default()));
        let made = add_image(&peer, "app", "linux/amd64", &[layer("one", 100_000, 1)]);
        tag(&peer, "app", "1", &made.manifest);
        let blob = made.layers[0].digest.clone();
        peer.add(Rule::on("GET", &blob.to_string()).resize(by));
        let error = pull(&world, &peer, "app:1").unwrap_err();
        assert!(error.to_string().contains("app"), "{error}");
        assert!(!world.store.has_blob(&blob).unwrap());
        assert!(peer.asked("GET", &blob.to_string()).len() <= 2, "{:#?}", peer.lines());
    }
}

/// An image with an artifact attached, in a registry of its own.
fn source() -> (Peer, Made, Descriptor) {
    let from = Peer::start(Behaviour::default());
    let made = add_image(&from, "app", "linux/amd64", &[layer("one", 1000, 1)]);
    tag(&from, "app", "1", &made.manifest);
    let artifact = attach(&from, &made.manifest, "application/spdx+json");
    (from, made, artifact)
}

fn copy(world: &World, from: &Peer, to: &Peer) {
    let place = |peer: &Peer| -> Place { format!("{}/app:1", peer.address()).parse().unwrap() };
    let options = CopyOptions { referrers: true, ..CopyOptions::new(platform()) };
    world.remote.copy(&world.store, &place(from), &place(to), &options).unwrap();
}

/// What stands under the tag of the list, sorted.
fn listed(peer: &Peer, subject: &Digest) -> Option<Vec<String>> {
    let tag = subject.to_string().replace(':', "-");
    let (_, media_type, bytes) = peer.contents(|contents| contents.repository("app").manifest(&tag))?;
    assert_eq!(media_type, media_type::OCI_INDEX);
    let index: Index = serde_json::from_slice(&bytes).unwrap();
    let mut digests: Vec<String> = index.manifests.iter().map(|entry| entry.digest.to_string()).collect();
    digests.sort();
    Some(digests)
}

#[test]
fn a_registry_that_keeps_the_list_itself_gets_no_tag_for_it() {
    let (world, (from, made, artifact)) = (world(), source());
    let to = Peer::start(Behaviour::default());
    copy(&world, &from, &to);
    let is_there = to.contents(|contents| contents.repository("app").manifest(&artifact.digest.to_string()));
    assert!(is_there.is_some());
    assert_eq!(listed(&to, &made.manifest.digest), None);
}

#[test]
fn a_registry_that_keeps_no_list_gets_it_under_a_tag_and_each_entry_once() {
    let (world, (from, made, artifact)) = (world(), source());
    for referrers in [Referrers::Missing, Referrers::Html] {
        let to = Peer::start(Behaviour { referrers, ..Behaviour::default() });
        for _ in 0..2 {
            copy(&world, &from, &to);
            assert_eq!(listed(&to, &made.manifest.digest), Some(vec![artifact.digest.to_string()]));
        }
    }
}

#[test]
fn somebody_who_writes_the_list_in_the_same_moment_is_not_overwritten_for_good() {
    let (world, (from, made, artifact)) = (world(), source());
    let to = Peer::start(Behaviour { referrers: Referrers::Missing, ..Behaviour::default() });
    let list = made.manifest.digest.to_string().replace(':', "-");
    let theirs = sha256(b"theirs");
    let entry = Descriptor::new(media_type::OCI_MANIFEST, theirs.parse().unwrap(), 6);
    let tag = list.clone();
    // After ours was put, and before we look: theirs, made from the list as it was before.
    to.add(Rule::on("PUT", &format!("/manifests/{list}")).once().then(move |contents| {
        let index = Raw::encode(Index::new(vec![entry.clone()]));
        let repository = contents.repository("app");
        repository
            .manifests
            .insert(theirs.clone(), (media_type::OCI_MANIFEST.to_owned(), Default::default()));
        let digest = repository.add_manifest(media_type::OCI_INDEX, index.bytes());
        repository.tags.insert(tag.clone(), digest);
    }));
    copy(&world, &from, &to);
    let mut both = vec![sha256(b"theirs"), artifact.digest.to_string()];
    both.sort();
    assert_eq!(listed(&to, &made.manifest.digest), Some(both));
}

#[test]
fn a_manifest_goes_on_as_it_came_with_fields_and_blanks_that_nobody_knows() {
    let (world, from) = (world(), Peer::start(Behaviour::default()));
    let to = Peer::start(Behaviour::default());
    let made = add_image(&from, "app", "linux/amd64", &[layer("one", 1000, 1)]);
    let odd = from.contents(|contents| {
        let repository = contents.repository("app");
        let (_, _, bytes) = repository.manifest(&made.manifest.digest.to_string()).unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let odd = text.replacen('{', "{ \"x-unknown\" :\t[1, 2.50, \"\\u00e9\"] ,\n\n ", 1) + "\n";
        let digest = repository.add_manifest(media_type::OCI_MANIFEST, odd.as_bytes());
        repository.tags.insert("odd".to_owned(), digest);
        odd
    });
    let place = |peer: &Peer| -> Place { format!("{}/app:odd", peer.address()).parse().unwrap() };
    let options = CopyOptions::new(platform());
    world.remote.copy(&world.store, &place(&from), &place(&to), &options).unwrap();
    let (digest, _, bytes) = to.contents(|contents| contents.repository("app").manifest("odd")).unwrap();
    assert_eq!((digest, bytes.as_slice()), (sha256(odd.as_bytes()), odd.as_bytes()));
}
