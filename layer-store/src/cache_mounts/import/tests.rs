//! Caches carried from one store to another, and archives that nobody should trust.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::super::{CacheId, CacheSharing};
use super::*;
use crate::store::tests::store;
use crate::tar::TarWriter;

fn id(id: &str) -> CacheId {
    CacheId { id: id.to_owned(), variant: String::new() }
}

/// Makes the cache, or finds it.
fn folder(store: &Store, name: &str) -> PathBuf {
    let mount = store.try_cache(&id(name), CacheSharing::Shared).unwrap().unwrap();
    let make = |path: &Path| fs::create_dir(path).map_err(failed("create", path));
    mount.directory(make).unwrap().to_owned()
}

fn exported(store: &Store, ids: &[&str], plain: bool) -> Vec<u8> {
    let ids: Vec<CacheId> = ids.iter().copied().map(id).collect();
    let mut archive = Vec::new();
    let report = store.export_caches(&ids, plain, &mut archive).unwrap();
    assert_eq!((report.caches, report.in_use), (ids, vec![]));
    archive
}

#[test]
fn caches_come_out_as_they_went_in() {
    let (_here, store_here) = store();
    let npm = folder(&store_here, "npm");
    fs::create_dir_all(npm.join("a/b")).unwrap();
    fs::write(npm.join("a/file"), vec![7; 300_000]).unwrap();
    fs::hard_link(npm.join("a/file"), npm.join("z")).unwrap();
    fs::write(npm.join(".wh.odd"), "a name like any other").unwrap();
    symlink("/etc/passwd", npm.join("a/link")).unwrap();
    fs::set_permissions(npm.join("a/b"), PermissionsExt::from_mode(0o1777)).unwrap();
    fs::set_permissions(&npm, PermissionsExt::from_mode(0o700)).unwrap();
    folder(&store_here, "../../etc");
    for plain in [true, false] {
        let archive = exported(&store_here, &["npm", "../../etc"], plain);
        assert_eq!(archive, exported(&store_here, &["npm", "../../etc"], plain));
        let (_there, store_there) = store();
        let imported = store_there.import_caches(&mut archive.as_slice(), Merge::Into).unwrap();
        let ids: Vec<&str> = imported.iter().map(|cache| cache.id.id.as_str()).collect();
        assert_eq!(ids, ["npm", "../../etc"]);
        let npm = folder(&store_there, "npm");
        assert_eq!(fs::read(npm.join("a/file")).unwrap(), vec![7; 300_000]);
        let inode = |path: &str| fs::metadata(npm.join(path)).unwrap().ino();
        assert_eq!(inode("a/file"), inode("z"));
        assert_eq!(fs::read_link(npm.join("a/link")).unwrap(), Path::new("/etc/passwd"));
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!((mode(&npm), mode(&npm.join("a/b"))), (0o700, 0o1777));
        assert!(npm.join(".wh.odd").exists());
        assert_eq!(exported(&store_there, &["npm", "../../etc"], plain), archive);
    }
}

#[test]
fn an_import_merges_or_replaces() {
    let (_here, from) = store();
    let cache = folder(&from, "x");
    fs::create_dir_all(cache.join("both/new")).unwrap();
    fs::write(cache.join("both/file"), "new").unwrap();
    fs::write(cache.join("was-a-folder"), "").unwrap();
    fs::create_dir(cache.join("was-a-link")).unwrap();
    let archive = exported(&from, &["x"], false);

    let (place, to) = store();
    let outside = place.path().join("outside");
    fs::create_dir(&outside).unwrap();
    let cache = folder(&to, "x");
    fs::create_dir_all(cache.join("both/old")).unwrap();
    fs::write(cache.join("both/file"), "old").unwrap();
    fs::create_dir_all(cache.join("was-a-folder/inside")).unwrap();
    symlink(&outside, cache.join("was-a-link")).unwrap();
    to.import_caches(&mut archive.as_slice(), Merge::Into).unwrap();
    assert_eq!(fs::read_to_string(cache.join("both/file")).unwrap(), "new");
    assert!(cache.join("both/old").is_dir() && cache.join("both/new").is_dir());
    assert!(cache.join("was-a-folder").is_file());
    assert!(fs::symlink_metadata(cache.join("was-a-link")).unwrap().is_dir());
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);

    to.import_caches(&mut archive.as_slice(), Merge::Replace).unwrap();
    assert!(!folder(&to, "x").join("both/old").exists());
}

#[test]
fn a_cache_that_a_step_uses_is_left_alone() {
    let (_here, store) = store();
    folder(&store, "x");
    let archive = exported(&store, &["x"], true);
    let held = store.try_cache(&id("x"), CacheSharing::Shared).unwrap().unwrap();
    assert!(store.import_caches(&mut archive.as_slice(), Merge::Replace).unwrap()[0].in_use);
    assert_eq!(store.export_caches(&[id("x")], true, &mut Vec::new()).unwrap().in_use, [id("x")]);
    drop(held);
    assert!(!store.import_caches(&mut archive.as_slice(), Merge::Replace).unwrap()[0].in_use);
}

fn archive(list: &str, entries: &[NewEntry]) -> Vec<u8> {
    let mut tar = TarWriter::new(Vec::new());
    tar.header(&NewEntry::file(LIST, 0o644, list.len() as u64)).unwrap();
    tar.content(list.as_bytes()).and_then(|()| tar.pad()).unwrap();
    for entry in entries {
        tar.header(entry).unwrap();
    }
    tar.finish().unwrap()
}

#[test]
fn nothing_of_a_hostile_archive_is_taken() {
    let list = r#"{"version":1,"caches":[{"id":"a"},{"id":"b"}]}"#;
    let root = || NewEntry::directory("0", 0o755);
    let file = |path: &str| NewEntry::file(path, 0o644, 0);
    let link = |path: &str, target: &str| {
        NewEntry::new(path.into(), NewEntryKind::HardLink { target: target.into() }, 0o644)
    };
    let device = NewEntry::new("0/sda".into(), NewEntryKind::BlockDevice { major: 8, minor: 0 }, 0o666);
    let both = || vec![root(), NewEntry::directory("1", 0o755)];
    let with = |more: Vec<NewEntry>| both().into_iter().chain(more).collect::<Vec<_>>();
    for (entries, reason) in [
        (with(vec![file("2/x")]), "none of the caches"),
        (with(vec![file("00/x")]), "none of the caches"),
        (with(vec![file("etc/passwd")]), "none of the caches"),
        (with(vec![NewEntry::symlink("0/l", "/etc"), file("0/l/passwd")]), "does not come before it"),
        (with(vec![NewEntry::symlink("0/l", "/etc"), NewEntry::directory("0/l", 0o755)]), "there twice"),
        (with(vec![file("0/a"), file("0/a")]), "there twice"),
        (with(vec![file("0/a/b")]), "does not come before it"),
        (with(vec![file("0/a"), link("1/b", "0/a")]), "link to nothing in the same cache"),
        (with(vec![link("0/b", "../../etc/passwd")]), ".."),
        (with(vec![device]), "no devices"),
        (vec![root()], "has it not"),
        (vec![NewEntry::symlink("0", "/etc"), NewEntry::directory("1", 0o755)], "a cache is a directory"),
    ] {
        let (place, store) = store();
        let error = store.import_caches(&mut archive(list, &entries).as_slice(), Merge::Into).unwrap_err();
        let causes = std::iter::successors(Some(&error as &dyn std::error::Error), |error| error.source());
        let text: Vec<String> = causes.map(ToString::to_string).collect();
        assert!(text.join(": ").contains(reason), "{text:?} has no `{reason}`");
        assert!(store.caches().unwrap().is_empty(), "{text:?}");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}

#[test]
fn what_is_no_archive_of_caches_is_refused() {
    let (_place, store) = store();
    let mut compressed = zstd::Encoder::new(Vec::new(), 1).unwrap();
    compressed.write_all(&archive(r#"{"version":1,"caches":[{"id":"a"}]}"#, &[])).unwrap();
    let cut = compressed.finish().unwrap();
    for bytes in [
        Vec::new(),
        b"text".to_vec(),
        archive(r#"{"version":2,"caches":[]}"#, &[]),
        archive(r#"{"version":1,"caches":[{"id":"a"},{"id":"a"}]}"#, &[]),
        archive("{", &[]),
        archive("[]", &[]),
        cut[..cut.len() - 5].to_vec(),
    ] {
        assert!(store.import_caches(&mut bytes.as_slice(), Merge::Into).is_err());
    }
}
