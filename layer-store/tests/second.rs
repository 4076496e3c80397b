//! Stores that are only read, and a store that is moved.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

use std::fs;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use tug_layer_store::{
    ArchiveCompression, ArchiveFormat, Error, ImageSummary, LayerWriterOptions, Lower, Moved, NewEntry,
    NewEntryKind, Owners, SaveImage, SaveOptions, Store, StoreOptions, VerifyOptions,
};
use tug_oci::{DiffId, Digest, ImageConfig, Platform, Reference};

const OPTIONS: StoreOptions =
    StoreOptions { owners: Owners::Recorded, in_user_namespace: true, indexed_layers: false };

fn open(path: &Path) -> Store {
    Store::open(path, &OPTIONS).unwrap()
}

fn layer(store: &Store, path: &str, text: &str) -> DiffId {
    let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
    let entry = NewEntry::file(path, 0o644, text.len() as u64);
    writer.add(&entry, Some(&mut text.as_bytes())).unwrap();
    let link = NewEntryKind::HardLink { target: path.as_bytes().to_vec() };
    writer.add(&NewEntry::new(format!("{path}-link").into_bytes(), link, 0o644), None).unwrap();
    writer.finish().unwrap().diff_id().clone()
}

fn image(store: &Store, name: &str, layers: &[DiffId]) {
    let mut config = ImageConfig::empty(Platform::linux("amd64"));
    config.rootfs.diff_ids = layers.to_vec();
    config.config.env = vec![format!("NAME={name}")];
    let image = store.write_image(config, Default::default()).unwrap();
    store.tag(&name.parse::<Reference>().unwrap(), &image.descriptor).unwrap();
}

/// Every file of a folder with its length and when it was changed: what shows that nothing was written.
fn state(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(path) = pending.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        lines.push(format!(
            "{} {} {} {}",
            path.display(),
            metadata.len(),
            metadata.mtime(),
            metadata.ctime_nsec()
        ));
        if metadata.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    lines.sort();
    lines
}

/// A store with the image `base:1`, whose layer has a tree, and the store beside it that finds it there.
fn pair(folder: &Path) -> (DiffId, Store) {
    let base = open(&folder.join("base"));
    let lower = layer(&base, "etc", "base");
    image(&base, "base:1", std::slice::from_ref(&lower));
    base.lower(std::slice::from_ref(&lower)).unwrap();
    base.put_cache_record(&Digest::of(b"key"), format!(r#"{{"layer":"{}"}}"#, lower.digest()).as_bytes())
        .unwrap();
    drop(base);
    let other = Store::open_read_only(&folder.join("base"), &OPTIONS).unwrap();
    (lower, open(&folder.join("own")).with_others(vec![other]))
}

fn names(images: &[ImageSummary]) -> Vec<(String, bool)> {
    images
        .iter()
        .map(|image| (image.name.as_ref().unwrap().familiar(), image.other_store.is_some()))
        .collect()
}

#[test]
fn what_another_store_has_is_found_and_nothing_is_written_there() {
    let folder = tempfile::tempdir().unwrap();
    let (lower, store) = pair(folder.path());
    let before = state(&folder.path().join("base"));
    let host = Platform::linux("amd64");
    assert_eq!(names(&store.images(&host).unwrap()), [("base:1".to_owned(), true)]);
    let found = store.find_image("base:1", &host).unwrap().unwrap();
    assert_eq!(found.diff_ids(), std::slice::from_ref(&lower));
    assert!(store.cache_record(&Digest::of(b"key")).unwrap().is_some());
    // The tree is mounted over there.
    let Lower::Tree(tree) = store.lower(std::slice::from_ref(&lower)).unwrap().remove(0) else { panic!() };
    assert!(tree.starts_with(folder.path().join("base")), "{}", tree.display());
    let view = store.view(std::slice::from_ref(&lower)).unwrap();
    let mut text = String::new();
    view.open(&view.lookup(b"etc").unwrap()).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "base");
    // An image on top of it has its own documents, and leans on the base for the rest.
    let upper = layer(&store, "app", "app");
    image(&store, "app:1", &[lower.clone(), upper.clone()]);
    assert_eq!(store.lower(&[lower.clone(), upper]).unwrap().len(), 2);
    assert!(!folder.path().join("own/blobs/sha256").join(lower.hex()).exists(), "nothing was copied");
    assert_eq!(
        names(&store.images(&host).unwrap()),
        [("app:1".to_owned(), false), ("base:1".to_owned(), true)]
    );
    assert_eq!(store.verify(&VerifyOptions::default(), &|_| ()).unwrap().wrong(), 0);
    let mut saved = Vec::new();
    let target = store.resolve(&"app:1".parse().unwrap()).unwrap().unwrap();
    let images = [SaveImage { names: vec!["app:1".parse().unwrap()], target, written: None }];
    let options = SaveOptions {
        format: ArchiveFormat::Oci,
        compression: ArchiveCompression::Plain,
        platform: host.clone(),
    };
    store.save(&images, &options, &mut saved).unwrap();
    assert!(saved.len() > 4096);
    assert_eq!(state(&folder.path().join("base")), before, "something was written to the other store");
}

#[test]
fn a_layer_without_a_form_for_us_gets_one_in_our_own_store() {
    let folder = tempfile::tempdir().unwrap();
    let (lower, _) = pair(folder.path());
    fs::remove_dir_all(folder.path().join("base/layers").join(lower.hex()).join("tree")).unwrap();
    let record = folder.path().join("base/layers").join(lower.hex()).join("record.json");
    let text = fs::read_to_string(&record).unwrap();
    let start = text.find(r#""tree":{"#).unwrap();
    let end = start + text[start..].find('}').unwrap() + 1;
    fs::write(&record, format!("{}\"tree\":null{}", &text[..start], &text[end..])).unwrap();
    let before = state(&folder.path().join("base"));
    let other = Store::open_read_only(&folder.path().join("base"), &OPTIONS).unwrap();
    let store = open(&folder.path().join("own")).with_others(vec![other]);
    let Lower::Tree(tree) = store.lower(std::slice::from_ref(&lower)).unwrap().remove(0) else { panic!() };
    assert!(tree.starts_with(folder.path().join("own")), "{}", tree.display());
    assert_eq!(fs::read_to_string(tree.join("etc-link")).unwrap(), "base");
    assert_eq!(state(&folder.path().join("base")), before);
    assert_eq!(store.verify(&VerifyOptions::default(), &|_| ()).unwrap().wrong(), 0);
}

#[test]
fn a_store_that_is_only_read_refuses_to_be_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (lower, _) = pair(folder.path());
    let before = state(&folder.path().join("base"));
    let store = Store::open_read_only(&folder.path().join("base"), &OPTIONS).unwrap();
    let host = Platform::linux("amd64");
    assert_eq!(store.images(&host).unwrap().len(), 1);
    let target = store.resolve(&"base:1".parse().unwrap()).unwrap().unwrap();
    let error = store.tag(&"new:1".parse().unwrap(), &target).unwrap_err();
    assert!(matches!(error, Error::ReadOnly { .. }), "{error}");
    assert_eq!(store.remove_unreferenced().unwrap(), None);
    assert!(store.layer(&lower).unwrap().is_some());
    assert_eq!(store.verify(&VerifyOptions::default(), &|_| ()).unwrap().wrong(), 0);
    assert_eq!(state(&folder.path().join("base")), before);
}

#[test]
fn what_its_owner_removes_meanwhile_is_missing_and_nothing_else_breaks() {
    let folder = tempfile::tempdir().unwrap();
    let (lower, store) = pair(folder.path());
    // Its lock is held by us, so the owner cannot collect garbage now.
    let owner = open(&folder.path().join("base"));
    owner.untag(&"base:1".parse().unwrap()).unwrap();
    fs::remove_dir_all(folder.path().join("base/cache")).unwrap();
    assert_eq!(owner.remove_unreferenced().unwrap(), None);
    let tar = store.open_blob(lower.digest()).unwrap().unwrap();
    drop(store);
    assert!(owner.remove_unreferenced().unwrap().is_some());
    let other = Store::open_read_only(&folder.path().join("base"), &OPTIONS).unwrap();
    let store = open(&folder.path().join("own")).with_others(vec![other]);
    let error = store.lower(std::slice::from_ref(&lower)).unwrap_err();
    assert!(matches!(error, Error::MissingLayer(_)), "{error}");
    assert_eq!(std::io::copy(&mut &tar, &mut std::io::sink()).unwrap(), 2560, "what is open stays readable");
}

#[test]
fn a_folder_without_a_store_is_no_second_store() {
    let folder = tempfile::tempdir().unwrap();
    let error = |path: &Path| Store::open_read_only(path, &OPTIONS).unwrap_err();
    assert!(matches!(error(folder.path()), Error::NoStore { .. }));
    assert!(error(&folder.path().join("absent")).to_string().contains("absent"));
    fs::write(folder.path().join("file"), "").unwrap();
    assert!(matches!(error(&folder.path().join("file")), Error::FileInPlace { .. }));
    fs::write(folder.path().join("meta.json"), r#"{"format":1,"read_only_compatible":["new"]}"#).unwrap();
    Store::open_read_only(folder.path(), &OPTIONS).unwrap();
    fs::write(folder.path().join("meta.json"), r#"{"format":1,"incompatible":["new"]}"#).unwrap();
    assert!(matches!(error(folder.path()), Error::UnknownFeature { .. }));
}

/// A folder on another file system than temporary files, if there is one.
fn elsewhere(than: &Path) -> Option<tempfile::TempDir> {
    let device = |path: &Path| fs::metadata(path).map(|metadata| metadata.dev()).ok();
    let here = device(than);
    ["/dev/shm", "/var/tmp", "/run"].iter().find_map(|place| {
        let made = tempfile::tempdir_in(place).ok()?;
        (device(made.path()) != here).then_some(made)
    })
}

#[test]
fn a_store_moves_by_a_rename_or_as_a_copy_that_is_verified() {
    let folder = tempfile::tempdir().unwrap();
    let (lower, store) = pair(folder.path());
    drop(store);
    let store = open(&folder.path().join("base"));
    let renamed = folder.path().join("new/place");
    assert_eq!(store.relocate(&renamed, &|_| ()).unwrap(), Moved::Renamed);
    drop(store);
    assert!(!folder.path().join("base").exists());
    let Some(other) = elsewhere(folder.path()) else { return };
    let copied = other.path().join("store");
    let before = fs::metadata(renamed.join("layers").join(lower.hex()).join("tree/etc")).unwrap();
    let store = open(&renamed);
    assert!(matches!(store.relocate(&copied, &|_| ()).unwrap(), Moved::Copied { bytes } if bytes > 1000));
    drop(store);
    assert!(!renamed.exists() && !copied.join("moving-from").exists());
    let store = open(&copied);
    assert_eq!(store.refs().unwrap().len(), 1);
    assert_eq!(store.verify(&VerifyOptions::default(), &|_| ()).unwrap().wrong(), 0);
    let after = fs::metadata(copied.join("layers").join(lower.hex()).join("tree/etc")).unwrap();
    assert_eq!((before.mtime(), before.nlink(), before.mode()), (after.mtime(), after.nlink(), after.mode()));
}

#[test]
fn a_move_that_was_interrupted_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let Some(other) = elsewhere(folder.path()) else { return };
    let (lower, store) = pair(folder.path());
    drop(store);
    let target = other.path().join("store");
    // What a killed process leaves: the mark, and some files, one of them half.
    fs::create_dir_all(target.join("blobs/sha256")).unwrap();
    fs::set_permissions(&target, fs::Permissions::from_mode(0o700)).unwrap();
    let root = folder.path().join("base");
    fs::write(target.join("moving-from"), root.to_str().unwrap()).unwrap();
    fs::write(target.join("blobs/sha256").join(lower.hex()), "half").unwrap();
    assert!(Store::open(&target, &OPTIONS).is_err(), "half a copy is no store");
    let store = open(&root);
    assert!(matches!(store.relocate(&target, &|_| ()).unwrap(), Moved::Copied { .. }));
    drop(store);
    assert!(!root.exists());
    assert_eq!(open(&target).verify(&VerifyOptions::default(), &|_| ()).unwrap().wrong(), 0);
}

#[test]
fn a_move_that_was_interrupted_at_its_begin_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let Some(other) = elsewhere(folder.path()) else { return };
    drop(pair(folder.path()));
    let store = open(&folder.path().join("base"));
    let target = other.path().join("store");
    for begun in [0, 5] {
        fs::create_dir(&target).unwrap();
        fs::write(target.join("moving-from"), &store.root().to_str().unwrap()[..begun]).unwrap();
        fs::write(target.join("thesis.tex"), "").unwrap();
        let error = store.relocate(&target, &|_| ()).unwrap_err();
        assert!(matches!(error, Error::NotAStore { .. }), "{error}");
        fs::remove_file(target.join("thesis.tex")).unwrap();
        if begun == 0 {
            fs::remove_dir_all(&target).unwrap();
        }
    }
    assert!(matches!(store.relocate(&target, &|_| ()).unwrap(), Moved::Copied { .. }));
    drop(store);
    assert_eq!(open(&target).refs().unwrap().len(), 1);
}

#[test]
fn a_move_that_was_interrupted_at_its_end_is_ended() {
    // Before anything of the old store went, and in the middle of it.
    for half in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        drop(pair(folder.path()));
        let (root, target) = (folder.path().join("base"), folder.path().join("copy"));
        let copied = std::process::Command::new("cp").arg("-a").args([&root, &target]).status().unwrap();
        assert!(copied.success());
        fs::write(target.join("moved-from"), root.to_str().unwrap()).unwrap();
        if half {
            for name in ["index.json", "meta.json", "layers"] {
                fs::rename(root.join(name), root.join("trash").join(name)).unwrap();
            }
            fs::remove_dir_all(root.join("blobs")).unwrap();
        }
        let store = open(&root);
        assert!(matches!(store.relocate(&target, &|_| ()).unwrap(), Moved::Copied { bytes: 0 }));
        drop(store);
        assert!(!root.exists() && !target.join("moved-from").exists());
        let store = open(&target);
        assert_eq!(store.refs().unwrap().len(), 1);
        assert_eq!(store.verify(&VerifyOptions::default(), &|_| ()).unwrap().wrong(), 0);
    }
}

#[test]
fn a_store_that_has_become_another_one_does_not_go_for_an_old_copy() {
    let folder = tempfile::tempdir().unwrap();
    drop(pair(folder.path()));
    let store = open(&folder.path().join("base"));
    let target = folder.path().join("copy");
    let copied = std::process::Command::new("cp").arg("-a").args([store.root(), &target]).status().unwrap();
    assert!(copied.success());
    fs::write(target.join("moved-from"), store.root().to_str().unwrap()).unwrap();
    image(&store, "another", &[]);
    let error = store.relocate(&target, &|_| ()).unwrap_err();
    assert!(matches!(error, Error::NotAStore { .. }), "{error}");
    assert_eq!(store.refs().unwrap().len(), 2);
}

#[test]
fn a_store_that_is_in_use_or_would_overwrite_something_is_not_moved() {
    let folder = tempfile::tempdir().unwrap();
    let (_, store) = pair(folder.path());
    let root = folder.path().join("base");
    let owner = open(&root);
    let error = owner.relocate(&folder.path().join("new"), &|_| ()).unwrap_err();
    assert!(matches!(error, Error::InUse { .. }), "{error}");
    drop(store);
    for target in [root.join("inside"), folder.path().to_owned(), root.clone()] {
        let error = owner.relocate(&target, &|_| ()).unwrap_err();
        assert!(matches!(error, Error::MoveInside { .. }), "{error}");
    }
    fs::create_dir(folder.path().join("full")).unwrap();
    fs::write(folder.path().join("full/thesis.tex"), "").unwrap();
    let error = owner.relocate(&folder.path().join("full"), &|_| ()).unwrap_err();
    assert!(matches!(error, Error::NotAStore { .. }), "{error}");
    let error = owner.relocate(&folder.path().join("full/thesis.tex"), &|_| ()).unwrap_err();
    assert!(matches!(error, Error::FileInPlace { .. }), "{error}");
    assert_eq!(owner.refs().unwrap().len(), 1, "it is where it was");
}
