//! Copying.

use tug_layer_store::{LoadOptions, Names};
use tug_oci::{Index, Raw};
use tug_testdata::registry_peer::{Behaviour, Peer, Referrers};
use tug_transfer::{CopyOptions, Error, Place};

use crate::support::{add_image, add_index, attach, layer, open, platform, tag, world};

fn place(peer: &Peer, name: &str) -> Place {
    format!("{}/{name}", peer.address()).parse().unwrap()
}

fn has(peer: &Peer, repository: &str, reference: &str) -> bool {
    peer.contents(|contents| contents.repository(repository).manifest(reference).is_some())
}

#[test]
fn between_registries_bytes_stay_and_the_store_keeps_nothing() {
    let world = world();
    let (from, to) = (Peer::start(Behaviour::default()), Peer::start(Behaviour::default()));
    let made = add_image(&from, "app", "linux/amd64", &[layer("one", 700_000, 1), layer("two", 10, 2)]);
    tag(&from, "app", "1", &made.manifest);
    let options = CopyOptions::new(platform());
    let copied = world.remote.copy(&world.store, &place(&from, "app:1"), &place(&to, "team/app:2"), &options);
    assert_eq!(copied.unwrap().target.digest, made.manifest.digest);
    assert!(has(&to, "team/app", "2"));
    for layer in &made.layers {
        assert_eq!(from.sent("GET", &layer.digest.to_string()), layer.size, "each byte once");
        assert!(!world.store.has_blob(&layer.digest).unwrap());
    }
    assert_eq!(std::fs::read_dir(world.store.root().join("ingest")).unwrap().count(), 0);
}

#[test]
fn within_a_registry_no_byte_is_sent() {
    let world = world();
    let peer = Peer::start(Behaviour::default());
    let made = add_image(&peer, "app", "linux/amd64", &[layer("one", 700_000, 1)]);
    tag(&peer, "app", "1", &made.manifest);
    let options = CopyOptions::new(platform());
    world.remote.copy(&world.store, &place(&peer, "app:1"), &place(&peer, "b/app:1"), &options).unwrap();
    assert!(has(&peer, "b/app", "1"));
    assert!(peer.asked("GET", "/blobs/").is_empty(), "{:?}", peer.lines());
    assert_eq!(peer.received("*", "/blobs/"), 0);
}

#[test]
fn an_index_goes_whole_or_as_the_image_for_a_platform() {
    let world = world();
    let (from, to) = (Peer::start(Behaviour::default()), Peer::start(Behaviour::default()));
    let amd = add_image(&from, "app", "linux/amd64", &[layer("amd", 1000, 1)]);
    let arm = add_image(&from, "app", "linux/arm64", &[layer("arm", 1000, 2)]);
    let index = add_index(&from, "app", vec![amd.manifest.clone(), arm.manifest.clone()]);
    tag(&from, "app", "1", &index);
    let one = CopyOptions { platform: "linux/arm64".parse().unwrap(), ..CopyOptions::new(platform()) };
    let copied = world.remote.copy(&world.store, &place(&from, "app:1"), &place(&to, "one:1"), &one).unwrap();
    assert_eq!(copied.target.digest, arm.manifest.digest);
    assert!(!has(&to, "one", &amd.manifest.digest.to_string()));
    let all = CopyOptions { all: true, ..CopyOptions::new(platform()) };
    let copied = world.remote.copy(&world.store, &place(&from, "app:1"), &place(&to, "all:1"), &all).unwrap();
    assert_eq!(copied.target.digest, index.digest);
    for child in [&amd, &arm] {
        assert!(has(&to, "all", &child.manifest.digest.to_string()));
    }
}

#[test]
fn what_belongs_to_an_image_goes_along_when_asked() {
    let world = world();
    let (from, to) = (Peer::start(Behaviour::default()), Peer::start(Behaviour::default()));
    let made = add_image(&from, "app", "linux/amd64", &[layer("one", 1000, 1)]);
    tag(&from, "app", "1", &made.manifest);
    let sbom = attach(&from, &made.manifest, "application/spdx+json");
    let about_sbom = attach(&from, &sbom, "application/vnd.example.signature");
    tag(&from, "app", &format!("sha256-{}.sig", made.manifest.digest.hex()), &made.manifest);
    let options = CopyOptions { referrers: true, signatures: true, ..CopyOptions::new(platform()) };
    let copied =
        world.remote.copy(&world.store, &place(&from, "app:1"), &place(&to, "app:1"), &options).unwrap();
    assert_eq!(copied.along, 3);
    for document in [&sbom, &about_sbom] {
        assert!(has(&to, "app", &document.digest.to_string()));
    }
    assert!(has(&to, "app", &format!("sha256-{}.sig", made.manifest.digest.hex())));

    // A registry that keeps no lists gets them under a tag.
    let old = Peer::start(Behaviour { referrers: Referrers::Missing, ..Behaviour::default() });
    world.remote.copy(&world.store, &place(&from, "app:1"), &place(&old, "app:1"), &options).unwrap();
    for (subject, listed) in [(&made.manifest, &sbom), (&sbom, &about_sbom)] {
        let tag = format!("sha256-{}", subject.digest.hex());
        let list: Raw<Index> = old.contents(|contents| {
            Raw::parse(contents.repository("app").manifest(&tag).unwrap().2.to_vec()).unwrap()
        });
        assert_eq!(list.manifests[0].digest, listed.digest);
    }
}

#[test]
fn an_image_goes_into_archives_and_back_into_a_registry() {
    let world = world();
    let (from, to) = (Peer::start(Behaviour::default()), Peer::start(Behaviour::default()));
    let made = add_image(&from, "app", "linux/amd64", &[layer("one", 100_000, 1)]);
    tag(&from, "app", "1", &made.manifest);
    let options = CopyOptions::new(platform());
    let folder = world.folder.path();
    for (number, kind) in ["oci", "oci-archive", "docker-archive"].into_iter().enumerate() {
        let archive: Place = format!("{kind}:{}:app:1", folder.join(kind).display()).parse().unwrap();
        world.remote.copy(&world.store, &place(&from, "app:1"), &archive, &options).unwrap();
        let other = open(&folder.join(format!("store-{number}")));
        let load = LoadOptions { names: Names::Give, ..LoadOptions::new(platform()) };
        let loaded = other.load_path(&folder.join(kind), &load).unwrap();
        assert_eq!(loaded[0].names[0].familiar(), "app:1", "{kind}");
        let back = place(&to, &format!("back-{number}:1"));
        let copied = world.remote.copy(&other, &archive, &back, &options).unwrap();
        assert_eq!(copied.target.digest, made.manifest.digest, "{kind}: what came compressed stays as it is");
    }
    let nowhere: Place = format!("oci-archive:{}", folder.join("no/such/folder").display()).parse().unwrap();
    let error = world.remote.copy(&world.store, &place(&from, "app:1"), &nowhere, &options).unwrap_err();
    assert!(matches!(error, Error::File { .. }), "{error}");
}
