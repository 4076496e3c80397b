//! Stores in places that are not made for them: each is an error that says what is wrong, and nothing is lost.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use tug_layer_store::{
    Error, LayerWriterOptions, NewEntry, Owners, Result, Store, StoreOptions, VerifyOptions,
};
use tug_oci::{DiffId, Digest, ImageConfig, Platform, Reference};
use tug_testdata::loop_file_system::{Kind, LoopFileSystem};

const OPTIONS: StoreOptions =
    StoreOptions { owners: Owners::Recorded, in_user_namespace: true, indexed_layers: false };

fn open(path: &Path) -> Result<Store> {
    Store::open(path, &OPTIONS)
}

fn layer(store: &Store, size: u64) -> Result<DiffId> {
    let mut writer = store.layer_writer(&LayerWriterOptions::default())?;
    let mut entry = NewEntry::file("file", 0o644, size);
    (entry.uid, entry.gid) = (7, 8);
    writer.add(&entry, Some(&mut std::io::Read::take(std::io::repeat(7), size)))?;
    writer.add(&NewEntry::symlink("link", "file"), None)?;
    Ok(writer.finish()?.diff_id().clone())
}

fn image(store: &Store, name: &str) {
    let mut config = ImageConfig::empty(Platform::linux("amd64"));
    config.rootfs.diff_ids = vec![layer(store, 1000).unwrap()];
    let image = store.write_image(config, Default::default()).unwrap();
    store.tag(&name.parse::<Reference>().unwrap(), &image.descriptor).unwrap();
}

fn assert_whole(store: &Store) {
    let verified = store.verify(&VerifyOptions::default(), &|_| ()).unwrap();
    assert_eq!(verified.wrong(), 0, "{verified:?}");
}

fn mount(arguments: &[&str]) {
    assert!(Command::new("mount").args(arguments).status().unwrap().success(), "{arguments:?}");
}

#[test]
fn a_link_to_a_folder_may_be_a_store() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("real")).unwrap();
    symlink("real", folder.path().join("link")).unwrap();
    let store = open(&folder.path().join("link")).unwrap();
    image(&store, "app:1");
    assert!(folder.path().join("real/index.json").exists());
    assert_whole(&store);
    symlink("nowhere", folder.path().join("dangling")).unwrap();
    let error = open(&folder.path().join("dangling")).unwrap_err();
    assert!(matches!(error, Error::FileInPlace { .. }), "{error}");
}

#[test]
fn a_tree_that_cannot_tell_names_apart_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store")).unwrap();
    let made = layer(&store, 10).unwrap();
    // What another name for the same file would come to: somebody makes it between two lines of ours.
    let tree = store.root().join("layers").join(made.hex()).join("tree");
    store.lower(std::slice::from_ref(&made)).unwrap();
    assert!(tree.join("file").exists());
    let error = Error::Unfit { path: tree.join("FILE"), lacks: "does not tell upper case from lower" };
    assert!(error.to_string().ends_with("its file system does not tell upper case from lower"), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_clock_that_jumps_back_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store")).unwrap();
    image(&store, "app:1");
    store.put_cache_record(&Digest::of(b"key"), b"{}").unwrap();
    // All that was written is from the future now.
    let future = SystemTime::now() + Duration::from_secs(400 * 24 * 3600);
    let mut pending = vec![store.root().to_owned()];
    while let Some(path) = pending.pop() {
        if path.is_dir() {
            if !path.ends_with("tree") {
                pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            }
        } else {
            fs::File::options().append(true).open(&path).unwrap().set_modified(future).unwrap();
        }
    }
    fs::write(store.root().join("ingest/left"), "").unwrap();
    fs::File::options()
        .append(true)
        .open(store.root().join("ingest/left"))
        .unwrap()
        .set_modified(future)
        .unwrap();
    assert!(store.cache_record(&Digest::of(b"key")).unwrap().is_some());
    store.is_settling_due().unwrap();
    store.remove_left_behind().unwrap();
    store.remove_unreferenced().unwrap().unwrap();
    store.settle().unwrap();
    assert_eq!(store.images(&Platform::linux("amd64")).unwrap().len(), 1);
    assert_whole(&store);
}

#[test]
#[ignore = "needs loop devices"]
fn a_read_only_file_system_can_be_read_needs_root_needs_loopfs() {
    let disk = LoopFileSystem::new(Kind::Ext4, 64);
    let path = disk.path().join("store");
    image(&open(&path).unwrap(), "app:1");
    mount(&["-o", "remount,ro", disk.path().to_str().unwrap()]);
    let error = open(&path).unwrap_err();
    assert!(matches!(error, Error::ReadOnly { .. }), "{error}");
    let store = Store::open_read_only(&path, &OPTIONS).unwrap();
    assert_eq!(store.images(&Platform::linux("amd64")).unwrap().len(), 1);
    assert_whole(&store);
    let own = tempfile::tempdir().unwrap();
    let own = open(own.path()).unwrap().with_others(vec![store]);
    assert_eq!(own.images(&Platform::linux("amd64")).unwrap().len(), 1);
    let found = own.find_image("app:1", &Platform::linux("amd64")).unwrap().unwrap();
    own.lower(found.diff_ids()).unwrap();
    assert_whole(&own);
}

#[test]
#[ignore = "needs loop devices"]
fn a_full_disk_has_no_room_even_for_a_lock_needs_root_needs_loopfs() {
    let disk = LoopFileSystem::new(Kind::Ext4, 16);
    let path = disk.path().join("store");
    image(&open(&path).unwrap(), "app:1");
    let filler = disk.path().join("filler");
    let mut file = fs::File::create(&filler).unwrap();
    while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}
    while std::io::Write::write_all(&mut file, &[1]).is_ok() {}
    let store = open(&path).unwrap();
    let error = layer(&store, 1 << 20).unwrap_err();
    assert!(error.is_disk_full() && error.hint().is_some(), "{error}");
    assert_eq!(store.images(&Platform::linux("amd64")).unwrap().len(), 1);
    drop(store);
    let error = open(&disk.path().join("another")).unwrap_err();
    assert!(error.is_disk_full(), "{error}");
    drop(file);
    fs::remove_file(&filler).unwrap();
    assert_whole(&open(&path).unwrap());
    open(&disk.path().join("another")).unwrap();
}

/// What is mounted at a folder, for as long as this lives.
struct Mounted<'a>(&'a Path);

impl Drop for Mounted<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[test]
#[ignore = "needs root"]
fn without_attributes_owners_cannot_be_kept_and_that_is_said_needs_root() {
    let folder = tempfile::tempdir().unwrap();
    mount(&["-t", "ramfs", "ramfs", folder.path().to_str().unwrap()]);
    let _mounted = Mounted(folder.path());
    let store = open(&folder.path().join("store")).unwrap();
    image(&store, "app:1");
    let layer = layer(&store, 1000).unwrap();
    let error = store.lower(std::slice::from_ref(&layer)).unwrap_err();
    assert!(matches!(error, Error::Unfit { .. }), "{error}");
    assert!(error.to_string().contains("keeps no attributes"), "{error}");
    assert_whole(&store);
}

#[test]
#[ignore = "needs root"]
fn a_store_of_another_user_is_not_changed_by_root_needs_root() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    image(&open(&path).unwrap(), "app:1");
    chown(path.join("meta.json"), Some(1234), Some(1234)).unwrap();
    let error = open(&path).unwrap_err();
    assert!(matches!(error, Error::OtherOwner { owner: 1234, .. }), "{error}");
    let store = Store::open_read_only(&path, &OPTIONS).unwrap();
    assert_eq!(store.images(&Platform::linux("amd64")).unwrap().len(), 1);
}

#[test]
fn damaged_truncated_and_newer_stores_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    image(&open(&path).unwrap(), "app:1");
    let meta = fs::read(path.join("meta.json")).unwrap();
    let index = fs::read(path.join("index.json")).unwrap();
    let refused = |file: &str, bytes: &[u8]| {
        fs::write(path.join(file), bytes).unwrap();
        let opened = open(&path);
        let read = opened.and_then(|store| store.refs());
        let error = read.expect_err(file);
        fs::write(path.join("meta.json"), &meta).unwrap();
        fs::write(path.join("index.json"), &index).unwrap();
        error
    };
    assert!(matches!(refused("meta.json", b""), Error::Damaged { .. }));
    assert!(matches!(refused("meta.json", &meta[..5]), Error::Damaged { .. }));
    assert!(matches!(refused("meta.json", br#"{"format":9}"#), Error::UnknownFeature { .. }));
    let error = refused("index.json", &index[..index.len() / 2]);
    assert!(matches!(error, Error::Damaged { .. }) && error.hint().unwrap().contains("--repair"), "{error}");
    assert!(matches!(refused("index.json", b""), Error::Damaged { .. }));
    assert_whole(&open(&path).unwrap());
}

#[test]
fn a_folder_that_may_not_be_written_to_is_said_to_be_so() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o500)).unwrap();
    match open(&folder.path().join("store")) {
        Err(error) => assert!(matches!(error, Error::NotAllowed { .. }), "{error}"),
        Ok(_) => assert!(rustix::process::geteuid().is_root(), "only root may write anywhere"),
    }
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
}
