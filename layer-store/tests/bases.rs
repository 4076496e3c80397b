//! Whole root file systems in and out, and stores in trouble.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

#[allow(dead_code, reason = "the helpers are shared with other tests")]
mod support;

use std::fs::{self, File};
use std::io::Read;

use support::{Ground, Ids, for_one_id, lines, tree_lines};
use tug_layer_store::{Error, ImportLayer, LayerError, LayerWriterOptions, NewEntry};
use tug_testdata::loop_file_system::{Kind, LoopFileSystem};
use tug_testdata::place::Place;
use tug_testdata::{Listing, bases};

#[test]
#[ignore = "needs root and a Debian base"]
fn a_debian_root_is_unpacked_as_its_tar_says_needs_root_needs_debian() {
    let memory = LoopFileSystem::new(Kind::Tmpfs, 2000);
    let ground = Ground::new(&memory.path(), Ids::here());
    let mut tar = File::open(bases::debian()).unwrap();
    let layer = ground
        .store
        .import_layer(&mut tar, &ImportLayer { materialise: true, ..ImportLayer::default() })
        .unwrap();
    let expected = lines(&Listing::of_tar(File::open(bases::debian()).unwrap()));
    let (at_once, later) = ground.trees(layer.diff_id());
    assert!(lines(&at_once) == expected, "the tree differs from the tar");
    assert!(lines(&later) == expected, "the tree of the other store differs from the tar");
    let mut exported = Vec::new();
    ground.store.view(std::slice::from_ref(layer.diff_id())).unwrap().export(&mut exported).unwrap();
    assert!(lines(&Listing::of_tar(exported.as_slice())) == expected, "the export differs from the tar");
    let content: u64 = layer
        .toc()
        .unwrap()
        .entries()
        .filter_map(|entry| match entry.kind {
            tug_layer_store::EntryKind::File { size, .. } => Some(size),
            _ => None,
        })
        .sum();
    assert_eq!(layer.content_size(), content);
}

#[test]
#[ignore = "needs the test users and a Debian base"]
fn a_debian_root_keeps_its_owners_with_one_id_needs_users_needs_debian() {
    let name = "a_debian_root_keeps_its_owners_with_one_id_needs_users_needs_debian";
    let base = std::env::temp_dir().join("debian.tar");
    if Ids::here() == Ids::All {
        let home = Place::NamespaceWithOneId.home();
        let program = home.bring(&std::env::current_exe().unwrap());
        let mut command = Place::NamespaceWithOneId.command(&program);
        command.args(["--exact", name, "--include-ignored", "--nocapture"]).current_dir(home.path());
        fs::copy(bases::debian(), home.path().join("debian.tar")).unwrap();
        assert!(command.env("TMPDIR", home.path()).status().unwrap().success());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::new(folder.path(), Ids::here());
    let import = ImportLayer { materialise: true, ..ImportLayer::default() };
    let layer = ground.store.import_layer(&mut File::open(&base).unwrap(), &import).unwrap();
    let expected = Listing::of_tar(File::open(&base).unwrap());
    let (at_once, later) = ground.trees(layer.diff_id());
    assert!(tree_lines(&at_once) == tree_lines(&later));
    // Devices are files that stand for them.
    let comparable = |listing: Listing| lines(&for_one_id(listing).without_path("dev"));
    assert!(comparable(at_once) == comparable(expected));
    let shadow = layer.toc().unwrap().lookup(b"etc/shadow").unwrap();
    assert_eq!((shadow.uid, shadow.gid, shadow.mode), (0, 42, 0o640));
}

#[test]
#[ignore = "needs the test users"]
fn an_owner_beyond_the_map_is_refused_with_advice_needs_users() {
    let name = "an_owner_beyond_the_map_is_refused_with_advice_needs_users";
    if Ids::here() == Ids::All {
        assert!(Place::NamespaceWithManyIds.rerun_test(name).success());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::new(folder.path(), Ids::here());
    let mut writer = ground.store.layer_writer(&LayerWriterOptions { materialise: true }).unwrap();
    let entry = NewEntry { uid: 3_000_000, ..NewEntry::file("f", 0o644, 0) };
    let refused = writer.add(&entry, None).and_then(|_| writer.finish());
    let Err(error @ Error::Layer(LayerError::Owner { uid: 3_000_000, .. })) = refused else {
        panic!("{refused:?}")
    };
    assert!(error.hint().unwrap().contains("/etc/subuid"));
}

#[test]
#[ignore = "needs root"]
fn a_full_disk_is_reported_and_leaves_room_again_needs_root() {
    let small = LoopFileSystem::new(Kind::Tmpfs, 8);
    let ground = Ground::new(&small.path(), Ids::here());
    for materialise in [false, true] {
        let mut writer = ground.store.layer_writer(&LayerWriterOptions { materialise }).unwrap();
        let mut add = |number: u32| -> Result<(), Error> {
            let mut content = std::io::repeat(7).take(1 << 20);
            writer.add(&NewEntry::file(format!("{number:03}"), 0o644, 1 << 20), Some(&mut content)).map(drop)
        };
        let added = (0..30).try_for_each(&mut add);
        let refused = added.and_then(|()| writer.finish());
        let error = refused.unwrap_err();
        assert!(error.is_disk_full(), "{error}");
        assert!(error.hint().unwrap().contains("free some space"));
        // What was thrown away is unlinked in the background.
        let is_empty = |name: &str| fs::read_dir(ground.store.root().join(name)).unwrap().next().is_none();
        let emptied = (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            is_empty("ingest") && is_empty("trash") && is_empty("layers")
        });
        assert!(emptied, "something is left");
    }
}
