//! Layers over their index: what the kernel shows is what the table of contents says, to the last nanosecond and byte.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]
#![allow(dead_code, reason = "the helpers are shared with other tests")]

#[path = "support/indexed.rs"]
mod indexed;
#[path = "support/raw_tar.rs"]
mod raw_tar;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

use indexed::IndexedStore;
use raw_tar::{Raw, archive};
use rustix::fs::{CWD, FileType, Mode, XattrFlags, lgetxattr, llistxattr, makedev, mknodat, setxattr};
use tug_layer_store::{Entry, EntryKind, ImportLayer, Layer, Lower};
use tug_oci::Digest;
use tug_testdata::{Listing, bases};

#[test]
#[ignore = "needs root and EROFS"]
fn a_small_root_is_what_its_table_says_needs_root_needs_erofs() {
    let (_folder, store) = store();
    assert_exact(&store, &import(&store, File::open(bases::busybox()).unwrap()));
}

#[test]
#[ignore = "needs root, EROFS and a Debian base"]
fn a_large_root_is_what_its_table_says_needs_root_needs_erofs_needs_debian() {
    let (_folder, store) = store();
    let layer = import(&store, File::open(bases::debian()).unwrap());
    assert_exact(&store, &layer);
    let (index, _) = files(&store, &layer);
    let ratio = fs::metadata(&index).unwrap().len() as f64 / layer.tar_size() as f64;
    assert!(ratio < 0.02, "the index has {ratio} of the length of the tar");
}

#[test]
#[ignore = "needs root and EROFS"]
fn what_is_odd_is_what_its_table_says_needs_root_needs_erofs() {
    let (folder, store) = store();
    let odd = folder.path().join("odd");
    fs::create_dir(&odd).unwrap();
    make_odd(&odd);
    let tar = |arguments: &[&str]| {
        let mut command = Command::new("tar");
        command.args(["-c", "--format=pax", "--sparse", "--xattrs", "--xattrs-include=*", "--sort=name"]);
        let output = command.args(arguments).arg("-C").arg(&odd).arg(".").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    for arguments in [
        &[][..],
        &["--mtime=@-86400.25", "--owner=:4294967294", "--group=:65536"],
        &["--mtime=@99999999999", "--owner=:65535", "--group=:1"],
    ] {
        let layer = import(&store, tar(arguments).as_slice());
        let sparse = layer.toc().unwrap().lookup(b"sparse").unwrap();
        assert!(matches!(sparse.kind, EntryKind::File { size, .. } if size == SPARSE_SIZE));
        assert_exact(&store, &layer);
    }
}

#[test]
#[ignore = "needs root and EROFS"]
fn removals_and_marks_are_what_overlay_looks_for_needs_root_needs_erofs() {
    let (_folder, store) = store();
    let mut d = Raw::new(b'5', "d");
    d.mode = b"0000755\0".to_vec();
    let marks =
        [Raw::file(".wh..wh..opq", ""), d, Raw::file("d/.wh..wh..opq", ""), Raw::file("d/.wh.gone", "")];
    let layer = import(&store, archive(&marks).as_slice());
    let mounted = store.mount_one(layer.diff_id());
    assert_eq!(opaque(mounted.path()).as_deref(), Some(&b"y"[..]));
    assert_eq!(opaque(&mounted.path().join("d")).as_deref(), Some(&b"y"[..]));
    let gone = mounted.path().join("d/gone").symlink_metadata().unwrap();
    assert_eq!((gone.mode() & 0o170_000, gone.rdev()), (0o020_000, 0));
}

#[test]
#[ignore = "needs root and EROFS"]
fn what_an_index_cannot_hold_is_unpacked_needs_root_needs_erofs() {
    let (_folder, store) = store();
    let unaligned = Raw::file("f", "x".repeat(100));
    let records: [(&str, &[u8]); 2] = [("GNU.sparse.size", b"5000"), ("GNU.sparse.map", b"10,100")];
    let layer = import(&store, archive(&[Raw::pax(&records), unaligned]).as_slice());
    let [Lower::Tree(tree)] = &store.store.lower(std::slice::from_ref(layer.diff_id())).unwrap()[..] else {
        panic!("no index can hold it")
    };
    let content = fs::read(tree.join("f")).unwrap();
    assert_eq!((content.len(), &content[10..110]), (5000, "x".repeat(100).as_bytes()));
}

const SPARSE_SIZE: u64 = (8 << 20) + 123;

/// Fills a folder with what file systems like least.
fn make_odd(folder: &Path) {
    let long = "n".repeat(255);
    fs::create_dir(folder.join("many")).unwrap();
    for number in 0..3000 {
        File::create(folder.join(format!("many/{number}"))).unwrap();
    }
    for name in ["!", "-", "...", ".a", "a b", "\u{fc}", &long] {
        fs::create_dir(folder.join(name)).unwrap();
        fs::write(folder.join(name).join(name), name.repeat(3)).unwrap();
    }
    fs::write(folder.join(OsStr::from_bytes(b"\xff\n\x01")), "").unwrap();
    for length in [1, 400, 447, 448, 449, 511, 512, 513, 1024, 4094, 4095] {
        symlink("t".repeat(length), folder.join(format!("link-{length}"))).unwrap();
    }
    for (length, name) in [(0, "empty"), (1, "one"), (512, "block"), (4097, "page"), (300_000, "large")] {
        fs::write(folder.join(name), vec![b'c'; length]).unwrap();
    }
    fs::hard_link(folder.join("large"), folder.join("!/large")).unwrap();
    fs::hard_link(folder.join("link-1"), folder.join("link-1-too")).unwrap();
    fs::hard_link(folder.join("page"), folder.join("page-too")).unwrap();
    let mode = Mode::from_raw_mode(0o640);
    for (name, kind, device) in [
        ("null", FileType::CharacterDevice, makedev(1, 3)),
        ("far", FileType::CharacterDevice, makedev(4095, 0xf_ffff)),
        ("disk", FileType::BlockDevice, makedev(8, 300)),
        ("pipe", FileType::Fifo, 0),
    ] {
        mknodat(CWD, folder.join(name), kind, mode, device).unwrap();
    }
    let sparse = File::create(folder.join("sparse")).unwrap();
    sparse.write_all_at(&[b's'; 8192], 1 << 20).unwrap();
    sparse.write_all_at(&[b'e'; 4096 + 123], SPARSE_SIZE - 4096 - 123).unwrap();
    sparse.set_len(SPARSE_SIZE).unwrap();
    File::create(folder.join("hole")).unwrap().set_len(1 << 20).unwrap();
    let set = |name: &str, key: &str, value: &[u8]| {
        setxattr(folder.join(name), key, value, XattrFlags::empty()).unwrap();
    };
    // Version 2, two capabilities: what programs like `ping` have.
    let mut capability = [0; 20];
    (capability[3], capability[5]) = (2, 0x30);
    for name in ["one", "block", "page", "many"] {
        set(name, "user.same", b"for several");
        set(name, "user.\u{fc}", name.as_bytes());
    }
    set("one", "security.capability", &capability);
    set("large", "user.long", &[b'v'; 2000]);
    set("-", "user.empty", b"");
}

fn store() -> (tempfile::TempDir, IndexedStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = IndexedStore::new(folder.path());
    (folder, store)
}

fn import(store: &IndexedStore, mut tar: impl std::io::Read) -> Layer {
    let import = ImportLayer { materialise: true, ..ImportLayer::default() };
    store.store.import_layer(&mut tar, &import).unwrap()
}

fn files(store: &IndexedStore, layer: &Layer) -> (std::path::PathBuf, std::path::PathBuf) {
    match store.store.lower(std::slice::from_ref(layer.diff_id())).unwrap().pop() {
        Some(Lower::Indexed { index, mut data }) => (index, data.remove(0)),
        other => panic!("{other:?} is no index"),
    }
}

/// Mounts the layer, and holds everything that can be seen of it against its table of contents.
fn assert_exact(store: &IndexedStore, layer: &Layer) {
    let mounted = store.mount_one(layer.diff_id());
    let toc = layer.toc().unwrap();
    let mut inodes: BTreeMap<u64, Vec<Vec<u8>>> = BTreeMap::new();
    let mut names = toc.implied().count();
    for entry in toc.entries().filter(|entry| entry.kind != EntryKind::Opaque) {
        names += 1;
        let path = mounted.path().join(OsStr::from_bytes(&entry.path));
        let metadata = path.symlink_metadata().unwrap_or_else(|error| panic!("{path:?}: {error}"));
        match &entry.kind {
            EntryKind::HardLink { target } => {
                let target = mounted.path().join(OsStr::from_bytes(target)).symlink_metadata().unwrap();
                assert_eq!(metadata.ino(), target.ino(), "{path:?}");
            }
            _ => assert_entry(&entry, &path, &metadata),
        }
        match metadata.is_dir() {
            true => assert_eq!(metadata.nlink(), subdirectories(&path) + 2, "{path:?}"),
            false => inodes.entry(metadata.ino()).or_default().push(entry.path.clone()),
        }
    }
    for names in inodes.values() {
        let links = mounted.path().join(OsStr::from_bytes(&names[0])).symlink_metadata().unwrap().nlink();
        assert_eq!(links, names.len() as u64, "{names:?}");
    }
    // One more line is that of the root.
    assert_eq!(Listing::of_folder(mounted.path()).lines().lines().count(), names + 1);
}

fn assert_entry(entry: &Entry, path: &Path, metadata: &fs::Metadata) {
    let (kind, mode) = match entry.kind {
        EntryKind::Directory => (0o040_000, entry.mode),
        EntryKind::File { .. } => (0o100_000, entry.mode),
        EntryKind::Symlink { .. } => (0o120_000, 0o777),
        EntryKind::CharDevice { .. } => (0o020_000, entry.mode),
        EntryKind::BlockDevice { .. } => (0o060_000, entry.mode),
        _ => (0o010_000, entry.mode),
    };
    assert_eq!(metadata.mode(), kind | mode, "{path:?}");
    assert_eq!((metadata.uid(), metadata.gid()), (entry.uid, entry.gid), "{path:?}");
    let mtime = (metadata.mtime(), metadata.mtime_nsec());
    assert_eq!(mtime, (entry.mtime.seconds, i64::from(entry.mtime.nanos)), "{path:?}");
    match &entry.kind {
        EntryKind::File { size, digest, .. } => {
            assert_eq!(metadata.len(), *size, "{path:?}");
            assert_eq!(Digest::of(&fs::read(path).unwrap()), *digest, "{path:?}");
        }
        EntryKind::Symlink { target } => {
            assert_eq!(fs::read_link(path).unwrap().as_os_str().as_bytes(), target);
        }
        EntryKind::CharDevice { major, minor } | EntryKind::BlockDevice { major, minor } => {
            assert_eq!(metadata.rdev(), makedev(*major, *minor), "{path:?}");
        }
        _ => {}
    }
    if matches!(entry.kind, EntryKind::File { .. } | EntryKind::Directory) {
        assert_eq!(xattrs(path), entry.xattrs, "{path:?}");
    }
}

fn subdirectories(path: &Path) -> u64 {
    let entries = fs::read_dir(path).unwrap();
    entries.filter(|entry| entry.as_ref().unwrap().file_type().unwrap().is_dir()).count() as u64
}

fn xattrs(path: &Path) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut names = vec![0; 64 * 1024];
    let length = llistxattr(path, &mut names[..]).unwrap();
    let names = names[..length].split(|&byte| byte == 0).filter(|name| !name.is_empty());
    names.map(|name| (name.to_vec(), value(path, name).unwrap())).collect()
}

fn opaque(path: &Path) -> Option<Vec<u8>> {
    value(path, b"trusted.overlay.opaque")
}

fn value(path: &Path, name: &[u8]) -> Option<Vec<u8>> {
    let mut value = vec![0; 64 * 1024];
    let length = lgetxattr(path, name, &mut value[..]).ok()?;
    Some(value[..length].to_vec())
}
