//! Equal files of several trees, which come to share their room.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tug_layer_store::{
    DedupOptions, Error, LayerWriterOptions, Lower, NewEntry, Owners, Store, StoreOptions, VerifyOptions,
};
use tug_oci::DiffId;
use tug_testdata::loop_file_system::{Kind, LoopFileSystem};

const OPTIONS: StoreOptions =
    StoreOptions { owners: Owners::Recorded, in_user_namespace: true, indexed_layers: false };
const SIZE: u64 = 1 << 20;

/// A layer with a tree: `large` with the same content in all, `mode` differs from layer to layer, `small` is too short.
fn tree(store: &Store, mode: u32) -> (DiffId, PathBuf) {
    let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
    let content: Vec<u8> = (0..SIZE).map(|at| ((at * at) >> 7) as u8).collect();
    writer.add(&NewEntry::file("large", 0o644, SIZE), Some(&mut &content[..])).unwrap();
    writer.add(&NewEntry::file("mode", mode, SIZE), Some(&mut &content[..])).unwrap();
    writer.add(&NewEntry::file("small", 0o644, 5), Some(&mut &b"hello"[..])).unwrap();
    let layer = writer.finish().unwrap().diff_id().clone();
    let Lower::Tree(path) = store.lower(std::slice::from_ref(&layer)).unwrap().remove(0) else { panic!() };
    (layer, path)
}

fn inode(path: &Path, name: &str) -> u64 {
    fs::metadata(path.join(name)).unwrap().ino()
}

#[test]
fn hard_links_join_files_of_which_nothing_differs() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store"), &OPTIONS).unwrap();
    let (_, one) = tree(&store, 0o600);
    let (_, other) = tree(&store, 0o640);
    let options = DedupOptions { hard_links: true, ..DedupOptions::default() };
    let dry = store.deduplicate(DedupOptions { dry_run: true, ..options }).unwrap();
    assert_eq!((dry.files, dry.bytes, store.shared_bytes().unwrap()), (1, SIZE, 0));
    assert_ne!(inode(&one, "large"), inode(&other, "large"), "it was a dry run");
    let done = store.deduplicate(options).unwrap();
    assert_eq!((done.files, done.bytes, done.trees, done.saved), (1, SIZE, 2, SIZE));
    assert_eq!(inode(&one, "large"), inode(&other, "large"));
    assert_ne!(inode(&one, "mode"), inode(&other, "mode"), "their modes differ");
    assert_ne!(inode(&one, "small"), inode(&other, "small"));
    assert_eq!(store.verify(&VerifyOptions::default(), &|_| ()).unwrap().findings, []);
    let again = store.deduplicate(options).unwrap();
    assert_eq!((again.files, again.saved), (0, SIZE));
    assert_eq!(store.shared_bytes().unwrap(), SIZE);
}

#[test]
fn files_that_are_not_what_their_layer_says_share_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("store"), &OPTIONS).unwrap();
    let (_, one) = tree(&store, 0o600);
    let (_, other) = tree(&store, 0o640);
    let time = fs::metadata(one.join("large")).unwrap().modified().unwrap();
    for path in [&one, &other] {
        let file = fs::File::options().write(true).open(path.join("large")).unwrap();
        std::os::unix::fs::FileExt::write_all_at(&file, path.to_str().unwrap().as_bytes(), 0).unwrap();
        file.set_modified(time).unwrap();
    }
    let options = DedupOptions { hard_links: true, ..DedupOptions::default() };
    assert_eq!(store.deduplicate(options).unwrap().files, 0);
    let elsewhere = Store::open(store.root(), &OPTIONS).unwrap();
    let error = store.deduplicate(options).unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    drop(elsewhere);
}

#[test]
#[ignore = "needs loop devices"]
fn reflinks_share_blocks_where_there_are_reflinks_needs_root_needs_loopfs() {
    for kind in [Kind::Xfs, Kind::Btrfs] {
        let disk = LoopFileSystem::new(kind, 600);
        let store = Store::open(&disk.path().join("store"), &OPTIONS).unwrap();
        let (_, one) = tree(&store, 0o600);
        let (_, other) = tree(&store, 0o640);
        let done = store.deduplicate(DedupOptions::default()).unwrap();
        // All four files have one content; the first is what the others share with.
        assert_eq!((done.files, done.bytes), (3, 3 * SIZE));
        assert_ne!(inode(&one, "large"), inode(&other, "large"));
        assert_eq!(store.verify(&VerifyOptions::default(), &|_| ()).unwrap().findings, []);
        fs::write(other.join("large"), "changed").unwrap();
        assert_eq!(fs::metadata(one.join("large")).unwrap().len(), SIZE, "they are still two files");
    }
    let disk = LoopFileSystem::new(Kind::Ext4, 100);
    let store = Store::open(&disk.path().join("store"), &OPTIONS).unwrap();
    tree(&store, 0o600);
    tree(&store, 0o640);
    let error = store.deduplicate(DedupOptions::default()).unwrap_err();
    assert!(matches!(error, Error::NoReflinks { .. }), "{error}");
}
