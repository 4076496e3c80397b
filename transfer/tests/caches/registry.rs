//! A cache in a registry.

use std::sync::Arc;

use serde_json::{Value, json};
use tug_layer_store::ExportedResult;
use tug_oci::{Descriptor, Digest, ImageConfig, Manifest, Platform, Raw, media_type};
use tug_registry_server::{Options, Running, Server};
use tug_testdata::registry_peer::{Answer, Behaviour, Peer, Rule};
use tug_transfer::cache::{ARTIFACT, CachePlace, INDEX, inline};

use crate::support::{Machine, NOW, options};

/// A registry of our own.
pub(crate) struct Registry {
    server: Running,
    _root: tempfile::TempDir,
}

impl Registry {
    pub(crate) fn place(&self, name: &str) -> CachePlace {
        CachePlace::Registry(format!("{}/{name}", self.server.address()).parse().unwrap())
    }
}

pub(crate) fn server() -> Registry {
    let root = tempfile::tempdir().unwrap();
    let server = Server::start(Options { sync: false, ..Options::new(root.path()) }).unwrap();
    Registry { server, _root: root }
}

fn at(peer: &Peer, name: &str) -> CachePlace {
    CachePlace::Registry(format!("{}/{name}", peer.address()).parse().unwrap())
}

fn posts(peer: &Peer) -> usize {
    peer.lines().iter().filter(|line| line.starts_with("POST")).count()
}

/// The manifest that a tag of the peer points to.
fn manifest(peer: &Peer, repository: &str, tag: &str) -> Value {
    peer.contents(|contents| {
        let repository = contents.repository(repository);
        let digest = repository.tags[tag].clone();
        serde_json::from_slice(&repository.manifests[&digest].1).unwrap()
    })
}

#[test]
fn it_is_a_manifest_that_any_tool_copies_and_whose_blobs_registries_keep() {
    let peer = Peer::start(Behaviour::default());
    let one = Machine::new();
    one.export(&at(&peer, "app:cache"), &[one.made("a", 1000), one.made("b", 2000)]);
    let manifest = manifest(&peer, "app", "cache");
    assert_eq!(manifest["mediaType"], media_type::OCI_MANIFEST);
    assert_eq!(
        (&manifest["artifactType"], &manifest["config"]["mediaType"]),
        (&json!(ARTIFACT), &json!(INDEX))
    );
    assert_eq!(manifest["layers"].as_array().unwrap().len(), 2);
    let puts = peer.lines();
    let puts: Vec<_> = puts.iter().filter(|line| line.contains("/manifests/")).collect();
    assert!(puts[puts.len() - 2].starts_with("PUT"), "the name comes last, and is looked at: {puts:?}");
}

#[test]
fn the_index_comes_at_the_first_question_and_once_and_no_blob_before_it_is_read() {
    let peer = Peer::start(Behaviour::default());
    let (one, two) = (Machine::new(), Machine::new());
    let place = at(&peer, "app:cache");
    one.export(&place, &[one.made("a", 100_000), one.made("b", 50_000)]);
    let before = peer.exchanges().len();
    let source = two.source(&place);
    assert_eq!(peer.exchanges().len(), before, "nothing is asked before a step misses");
    let found = ["a", "b", "c"].map(|key| source.look_up(&Digest::of(key.as_bytes())));
    let asked = peer.lines().split_off(before);
    let gets: Vec<_> = asked.iter().filter(|line| line.starts_with("GET /v2/app/")).collect();
    assert_eq!(gets.len(), 2, "manifest and index: {gets:?}");
    let (wanted, other) = (found[0].clone().unwrap(), found[1].clone().unwrap());
    two.read(&wanted).unwrap();
    assert_eq!(peer.sent("GET", &wanted.blob.digest.to_string()), wanted.blob.size);
    assert_eq!(peer.asked("GET", &other.blob.digest.to_string()).len(), 0);
}

#[test]
fn blobs_are_shared_with_images_of_the_registry() {
    let peer = Peer::start(Behaviour::default());
    let one = Machine::new();
    let result = one.made("a", 100_000);
    one.export(&at(&peer, "app:cache"), std::slice::from_ref(&result));
    // In the same repository it is there, and in another one it is taken over.
    for (name, is_asked) in [("app:other", false), ("elsewhere:cache", true)] {
        let before = (peer.exchanges().len(), peer.sent("GET", "/blobs/"));
        let exported = one.export(&at(&peer, name), std::slice::from_ref(&result));
        assert_eq!((exported.sent, exported.records), (0, 1), "{name}");
        assert!(exported.shared > 100_000);
        let mounts = peer.lines().split_off(before.0).iter().filter(|line| line.contains("mount=")).count();
        assert_eq!(mounts > 0, is_asked, "{name}");
    }
}

#[test]
fn a_build_that_found_everything_puts_nothing() {
    let peer = Peer::start(Behaviour::default());
    let one = Machine::new();
    let place = at(&peer, "app:cache");
    let results = [one.made("a", 1000)];
    one.export(&place, &results);
    let before = (posts(&peer), peer.exchanges().len());
    assert!(!one.export(&place, &results).is_written);
    assert_eq!(posts(&peer), before.0);
    assert!(peer.lines().split_off(before.1).iter().all(|line| !line.starts_with("PUT")));
    // Times of use are not worth a manifest, unless they are of another day.
    let later = tug_transfer::cache::ExportOptions { now: NOW + 100_000, ..options() };
    assert!(one.try_export(&place, &results, &later).unwrap().is_written);
}

#[test]
fn a_tag_that_others_move_meanwhile_is_read_again() {
    let peer = Peer::start(Behaviour::default());
    let (one, two) = (Machine::new(), Machine::new());
    let place = at(&peer, "app:cache");
    one.export(&place, &[one.made("a", 1000)]);
    // Somebody exports while our blob is on its way.
    std::thread::scope(|scope| {
        for (machine, key) in [(&one, "b"), (&two, "c")] {
            let place = &place;
            scope.spawn(move || machine.export(place, &[machine.made(key, 300_000)]));
        }
    });
    let has = ["a", "b", "c"].map(|key| Machine::new().find(&place, key).is_some());
    assert_eq!((has[0], has[1] || has[2]), (true, true));
    // Whatever the race has taken comes back with the next build.
    one.export(&place, &[one.made("b", 300_000)]);
    two.export(&place, &[two.made("c", 300_000)]);
    assert_eq!(["a", "b", "c"].map(|key| Machine::new().find(&place, key).is_some()), [true; 3]);
}

/// Every time the tag is put, somebody else puts it as well.
fn moves_each_time(peer: &Peer, rule: Rule) {
    let other = Machine::new();
    other.export(&at(peer, "app:other"), &[other.made("theirs", 10)]);
    let theirs = peer.contents(|contents| contents.repository("app").tags["other"].clone());
    peer.add(rule.then(move |contents| {
        contents.repository("app").tags.insert("cache".to_owned(), theirs.clone());
    }));
}

fn puts(peer: &Peer) -> usize {
    peer.lines().iter().filter(|line| line.starts_with("PUT /v2/app/manifests/cache")).count()
}

#[test]
fn a_tag_that_others_put_in_the_same_moment_is_merged_and_put_again() {
    let peer = Peer::start(Behaviour::default());
    let one = Machine::new();
    let place = at(&peer, "app:cache");
    moves_each_time(&peer, Rule::on("PUT", "/manifests/cache").once());
    let exported = one.export(&place, &[one.made("a", 1000)]);
    assert_eq!((exported.records, exported.new, puts(&peer)), (2, 1, 2));
    assert_eq!(["a", "theirs"].map(|key| one.find(&place, key).is_some()), [true; 2]);
}

#[test]
fn a_tag_that_is_always_another_ends_after_some_attempts() {
    let peer = Peer::start(Behaviour::default());
    let one = Machine::new();
    moves_each_time(&peer, Rule::on("PUT", "/manifests/cache"));
    let error = one.try_export(&at(&peer, "app:cache"), &[one.made("a", 1000)], &options()).unwrap_err();
    assert!(error.contains("written by others each time"), "{error}");
    assert_eq!(puts(&peer), 5);
}

#[test]
fn what_a_registry_has_lost_is_dropped_and_comes_back() {
    let peer = Peer::start(Behaviour::default());
    let (one, two) = (Machine::new(), Machine::new());
    let place = at(&peer, "app:cache");
    one.export(&place, &[one.made("a", 1000), one.made("b", 1000)]);
    let lost = two.find(&place, "a").unwrap().blob.digest;
    peer.contents(|contents| {
        assert!(contents.repository("app").blobs.remove(&lost.to_string()).is_some());
    });
    let unknown = Answer::error(404, "MANIFEST_BLOB_UNKNOWN", "a blob is not there");
    peer.add(Rule::on("PUT", "/manifests/cache").once().answer(unknown));
    let exported = two.export(&place, &[two.made("c", 1000)]);
    assert_eq!((exported.records, exported.is_written), (2, true));
    assert!(two.find(&place, "a").is_none() && two.find(&place, "b").is_some());
    one.export(&place, &[one.made("a", 1000)]);
    two.read(&two.find(&place, "a").unwrap()).unwrap();
}

#[test]
fn a_registry_that_fails_is_told_and_gives_nothing() {
    let machine = Machine::new();
    let place = {
        let peer = Peer::start(Behaviour::default());
        at(&peer, "app:cache")
    };
    assert!(machine.find(&place, "a").is_none());
    let notices = machine.notices();
    assert!(notices.len() == 1 && notices[0].starts_with("could not read the cache"), "{notices:?}");
    let error = machine.try_export(&place, &[machine.made("a", 10)], &options()).unwrap_err();
    assert!(error.starts_with("could not read the cache"), "{error}");

    let peer = Peer::start(Behaviour::default());
    machine.export(&at(&peer, "app:cache"), &[machine.made("a", 10)]);
    let config = manifest(&peer, "app", "cache")["config"]["digest"].as_str().unwrap().to_owned();
    peer.add(Rule::on("GET", &config).answer(Answer::body("[]")));
    assert!(machine.find(&at(&peer, "app:cache"), "a").is_none());
    let notices = machine.notices();
    assert!(notices.len() == 1 && notices[0].contains("is damaged"), "{notices:?}");
}

#[test]
fn an_image_is_never_overwritten() {
    let peer = Peer::start(Behaviour::default());
    peer.contents(|contents| drop(contents.repository("app").add_image("latest", &[vec![1, 2, 3]])));
    let before = manifest(&peer, "app", "latest");
    let machine = Machine::new();
    let error = machine.try_export(&at(&peer, "app"), &[machine.made("a", 10)], &options()).unwrap_err();
    assert!(error.ends_with("is an image"), "{error}");
    assert_eq!(manifest(&peer, "app", "latest"), before);
}

/// Puts an image of these layers, with a cache inside, into the registry.
fn put_image(machine: &Machine, peer: &Peer, results: &[ExportedResult], platform: &str) -> Descriptor {
    let mut config = ImageConfig::empty(platform.parse().unwrap());
    config.rootfs.diff_ids = results.iter().map(|result| result.layer.clone()).collect();
    inline::embed(&mut config, results);
    let config = Raw::encode(config);
    let about = Descriptor::new(media_type::OCI_CONFIG, config.digest().clone(), config.size());
    let layers = results.iter().map(|result| machine.store.layer(&result.layer).unwrap().unwrap().blob());
    let manifest = Raw::encode(Manifest::new(about, layers.collect()));
    peer.contents(|contents| {
        let repository = contents.repository("app");
        repository.add_blob(config.bytes());
        for layer in &manifest.layers {
            repository.add_blob(&machine.store.read_blob(&layer.digest, layer.size).unwrap());
        }
        repository.add_manifest(media_type::OCI_MANIFEST, manifest.bytes());
    });
    let mut target = Descriptor::new(media_type::OCI_MANIFEST, manifest.digest().clone(), manifest.size());
    target.platform = Some(platform.parse::<Platform>().unwrap());
    target
}

#[test]
fn an_image_may_have_a_cache_inside_also_in_an_index() {
    let peer = Peer::start(Behaviour::default());
    let (one, two) = (Machine::new(), Machine::new());
    let image = put_image(&one, &peer, &[one.made("a", 1000), one.made("b", 2000)], "linux/amd64");
    let other = put_image(&one, &peer, &[one.made("c", 1000)], "linux/s390x");
    peer.contents(|contents| {
        let index = Raw::encode(tug_oci::Index::new(vec![other, image.clone()]));
        let repository = contents.repository("app");
        repository.add_manifest(media_type::OCI_INDEX, index.bytes());
        repository.tags.insert("one".to_owned(), image.digest.to_string());
        repository.tags.insert("all".to_owned(), index.digest().to_string());
    });
    for tag in ["app:one", "app:all"] {
        let found = two.find(&at(&peer, tag), "b").unwrap();
        two.read(&found).unwrap();
        assert!(two.find(&at(&peer, tag), "c").is_none(), "that is for another machine");
    }
    assert_eq!(two.notices(), Vec::<String>::new());
}

#[test]
fn what_is_compressed_for_the_cache_is_not_compressed_again_for_a_folder() {
    let peer = Peer::start(Behaviour::default());
    let one = Arc::new(Machine::new());
    let results = [one.made("a", 100_000)];
    one.export(&at(&peer, "app:cache"), &results);
    let blobs = one.blobs();
    let place = tempfile::tempdir().unwrap();
    one.export(&crate::support::folder(place.path()), &results);
    assert_eq!(one.blobs(), blobs);
}
