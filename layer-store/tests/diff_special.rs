//! Steps and chains that need more than a line in the matrix.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

#[allow(dead_code, reason = "the helpers are shared with other tests")]
mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Gid, Mode, StatxFlags, Timespec, Timestamps, Uid, XattrFlags};
use support::layers::{content, entries};
use support::{Ground, Ids, LowerDirs, Overlay, lines, tree_lines};
use tug_layer_store::tar::TarWriter;
use tug_layer_store::{
    CommitOptions, EntryKind, Error, ImportLayer, LayerError, LayerWriterOptions, Mtime, NewEntry,
    NewEntryKind,
};
use tug_oci::DiffId;
use tug_testdata::Listing;
use tug_testdata::place::Place;

fn ground() -> (tempfile::TempDir, Ground) {
    let folder = tempfile::tempdir().unwrap();
    let ground = Ground::new(folder.path(), Ids::here());
    (folder, ground)
}

fn layer(ground: &Ground, entries: &[(NewEntry, &str)]) -> DiffId {
    let mut writer = ground.store.layer_writer(&LayerWriterOptions::default()).unwrap();
    for (entry, content) in entries {
        writer.add(entry, Some(&mut content.as_bytes())).unwrap();
    }
    writer.finish().unwrap().diff_id().clone()
}

fn file(path: &str, content: &'static str) -> (NewEntry, &'static str) {
    (NewEntry::file(path, 0o644, content.len() as u64), content)
}

fn directory(path: &str) -> (NewEntry, &'static str) {
    (NewEntry::directory(path, 0o755), "")
}

/// The layers show what the step left, and the tree is what an import makes of the tar.
fn assert_faithful(ground: &Ground, stepped: &support::Stepped) {
    assert_eq!(lines(&stepped.left), lines(&ground.mounted(&stepped.layers)));
    let (ours, theirs) = ground.trees(stepped.layer.diff_id());
    assert_eq!(tree_lines(&ours), tree_lines(&theirs));
}

#[test]
#[ignore = "needs root"]
fn a_name_that_means_a_removal_is_refused_needs_root() {
    let (_folder, ground) = ground();
    let scratch = ground.store.scratch("step").unwrap();
    let upper = scratch.upper().unwrap();
    fs::create_dir(upper.join("d")).unwrap();
    fs::write(upper.join("d/.wh.x"), "").unwrap();
    let error = ground.store.commit_upper(&upper, &[], &CommitOptions::default()).unwrap_err();
    assert!(
        matches!(&error, Error::Layer(LayerError::WhiteoutName { path }) if path == "d/.wh.x"),
        "{error}"
    );
}

#[test]
#[ignore = "needs root"]
fn devices_and_the_highest_owner_come_into_layers_needs_root() {
    let (_folder, ground) = ground();
    let stepped = ground.step(&[], &CommitOptions::default(), &|root| {
        let node = |name: &str, kind, (major, minor)| {
            let device = rustix::fs::makedev(major, minor);
            rustix::fs::mknodat(CWD, root.join(name), kind, Mode::from_raw_mode(0o640), device)
        };
        node("block", FileType::BlockDevice, (8, 300_000)).unwrap();
        node("char", FileType::CharacterDevice, (0xfff, 0xf_ffff)).unwrap();
        assert!(
            node("removal", FileType::CharacterDevice, (0, 0)).is_err(),
            "the overlay does not let anybody make one"
        );
        let (uid, gid) = (Uid::from_raw(u32::MAX - 1), Gid::from_raw(3_000_000));
        rustix::fs::chownat(CWD, root.join("char"), Some(uid), Some(gid), AtFlags::empty()).unwrap();
    });
    assert_eq!(entries(&stepped.layer), ["block b 8:300000", "char c 4095:1048575"]);
    assert_faithful(&ground, &stepped);
}

#[test]
#[ignore = "needs root"]
fn paths_may_be_longer_than_the_kernel_takes_needs_root() {
    let (_folder, ground) = ground();
    let name = "d".repeat(200);
    let stepped = ground.step(&[], &CommitOptions::default(), &|root| {
        let mut current = fs::File::open(root).unwrap();
        for _ in 0..30 {
            rustix::fs::mkdirat(&current, name.as_str(), Mode::from_raw_mode(0o755)).unwrap();
            let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::RDONLY;
            current = rustix::fs::openat(&current, name.as_str(), flags, Mode::empty()).unwrap().into();
        }
        let flags = rustix::fs::OFlags::CREATE | rustix::fs::OFlags::WRONLY;
        let file = rustix::fs::openat(&current, "f", flags, Mode::from_raw_mode(0o644)).unwrap();
        fs::File::from(file).write_all(b"deep").unwrap();
    });
    let deep = format!("{}/f", vec![name; 30].join("/"));
    assert!(deep.len() > 6000);
    assert_eq!(content(&ground.store, &stepped.layers, &deep), b"deep");
    assert_faithful(&ground, &stepped);
}

#[test]
#[ignore = "needs root"]
fn a_thousand_directories_in_each_other_need_few_descriptors_needs_root() {
    let (_folder, ground) = ground();
    let scratch = ground.store.scratch("step").unwrap();
    let upper = scratch.upper().unwrap();
    let mut current = fs::File::open(&upper).unwrap();
    for _ in 0..1500 {
        rustix::fs::mkdirat(&current, "d", Mode::from_raw_mode(0o755)).unwrap();
        let flags = rustix::fs::OFlags::DIRECTORY | rustix::fs::OFlags::RDONLY;
        current = rustix::fs::openat(&current, "d", flags, Mode::empty()).unwrap().into();
    }
    drop(current);
    let layer = ground.store.commit_upper(&upper, &[], &CommitOptions::default()).unwrap();
    assert_eq!(layer.toc().unwrap().len(), 1500);
    assert_eq!(entries(&layer)[1499].len(), 3000);
}

#[test]
#[ignore = "needs root"]
fn access_lists_and_labels_of_this_machine_are_left_out_needs_root() {
    let (_folder, ground) = ground();
    let stepped = ground.step(&[], &CommitOptions::default(), &|root| {
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("f"), "x").unwrap();
        // user::rw- user:33:r-- group::r-- mask::r-- other::r--
        let list: Vec<u8> = [
            (1_u16, 6_u16, u32::MAX),
            (2, 4, 33),
            (4, 4, u32::MAX),
            (0x10, 4, u32::MAX),
            (0x20, 4, u32::MAX),
        ]
        .iter()
        .flat_map(|(tag, rights, id)| {
            [&tag.to_le_bytes()[..], &rights.to_le_bytes(), &id.to_le_bytes()].concat()
        })
        .collect();
        let list = [&2_u32.to_le_bytes()[..], &list].concat();
        let set = |path: &str, name: &str, value: &[u8]| {
            rustix::fs::setxattr(root.join(path), name, value, XattrFlags::empty()).unwrap();
        };
        set("f", "system.posix_acl_access", &list);
        set("d", "system.posix_acl_default", &list);
        set("d", "trusted.overlay.opaque", b"y");
        set("f", "trusted.mine", b"x");
        set("f", "user.mine", b"kept");
    });
    let toc = stepped.layer.toc().unwrap();
    assert_eq!(toc.lookup(b"f").unwrap().xattrs.keys().collect::<Vec<_>>(), [b"user.mine"]);
    assert!(toc.lookup(b"d").unwrap().xattrs.is_empty());
    let (ours, theirs) = ground.trees(stepped.layer.diff_id());
    assert_eq!(tree_lines(&ours), tree_lines(&theirs));
}

#[test]
#[ignore = "needs root"]
fn times_far_in_the_future_come_into_layers_as_the_file_system_holds_them_needs_root() {
    let (_folder, ground) = ground();
    let stepped = ground.step(&[], &CommitOptions::default(), &|root| {
        fs::write(root.join("f"), "").unwrap();
        let time = Timespec { tv_sec: 16_725_225_600, tv_nsec: 0 };
        let times = Timestamps { last_access: time, last_modification: time };
        rustix::fs::utimensat(CWD, root.join("f"), &times, AtFlags::empty()).unwrap();
    });
    assert!(stepped.layer.toc().unwrap().lookup(b"f").unwrap().mtime.seconds > 10_000_000_000);
    assert_faithful(&ground, &stepped);
}

#[test]
#[ignore = "needs root"]
fn a_large_sparse_file_costs_no_memory_needs_root() {
    let (_folder, ground) = ground();
    let stepped = ground.step(&[], &CommitOptions::default(), &|root| {
        let file = fs::File::create(root.join("lastlog")).unwrap();
        file.set_len(2 << 30).unwrap();
        file.write_all_at(b"end", (2 << 30) - 3).unwrap();
    });
    let entry = stepped.layer.toc().unwrap().lookup(b"lastlog").unwrap();
    assert!(matches!(entry.kind, EntryKind::File { size, .. } if size == 2 << 30));
    let tree = &ground.store.lower_dirs(&stepped.layers).unwrap()[0];
    assert!(fs::metadata(tree.join("lastlog")).unwrap().blocks() < 1000, "the tree has no holes");
}

#[test]
#[ignore = "needs root"]
fn the_same_step_gives_the_same_digest_when_times_are_clamped_needs_root() {
    let (_folder, ground) = ground();
    let base = layer(&ground, &[directory("d"), file("d/a", "a"), file("d/b", "b")]);
    let options = CommitOptions { clamp_mtime: Some(1_700_000_000), ..CommitOptions::default() };
    let step = |root: &Path| {
        fs::remove_dir_all(root.join("d")).unwrap();
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("d/b"), "new").unwrap();
        symlink("b", root.join("d/c")).unwrap();
        fs::hard_link(root.join("d/b"), root.join("e")).unwrap();
    };
    let first = ground.step(std::slice::from_ref(&base), &options, &step);
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let second = ground.step(std::slice::from_ref(&base), &options, &step);
    assert_eq!(first.layer.diff_id(), second.layer.diff_id());
    assert_eq!(entries(&first.layer), ["d/", "-d/a", "d/b", "d/c -> b", "e = d/b"]);
    // The times in the tree are those of the tar.
    let tree = &ground.store.lower_dirs(&first.layers).unwrap()[0];
    for path in ["d", "d/b", "d/c"] {
        assert_eq!(fs::symlink_metadata(tree.join(path)).unwrap().mtime(), 1_700_000_000, "{path}");
    }
}

#[test]
#[ignore = "needs root"]
fn three_hundred_layers_below_an_endless_path_needs_root() {
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("l".repeat(200)).join("o".repeat(200));
    fs::create_dir_all(&long).unwrap();
    let ground = Ground::new(&long, Ids::here());
    let mut layers = Vec::new();
    for number in 0..300 {
        let content: &'static str = Box::leak(number.to_string().into_boxed_str());
        let before = Box::leak(format!("d/{:03}", number - 1).into_boxed_str());
        let mut all = vec![directory("d")];
        if number % 3 == 2 {
            all.push((NewEntry::whiteout(before.as_bytes()), ""));
        }
        all.push(file(Box::leak(format!("d/{number:03}").into_boxed_str()), content));
        layers.push(layer(&ground, &all));
    }
    let stepped = ground.step(&layers, &CommitOptions::default(), &|root| {
        assert_eq!(fs::read_dir(root.join("d")).unwrap().count(), 200);
        fs::remove_file(root.join("d/000")).unwrap();
        fs::write(root.join("d/150"), "changed").unwrap();
    });
    assert_eq!(entries(&stepped.layer), ["d/", "-d/000", "d/150"]);
    assert_faithful(&ground, &stepped);
}

#[test]
#[ignore = "needs root"]
fn directories_that_a_tar_does_not_list_look_as_the_layers_below_say_needs_root() {
    let (_folder, ground) = ground();
    let mtime = Mtime::from_seconds(1_600_000_000);
    let listed =
        |path: &str, mode| (NewEntry { mtime, uid: 33, gid: 34, ..NewEntry::directory(path, mode) }, "");
    let base = layer(
        &ground,
        &[listed("a", 0o2750), listed("a/b", 0o700), file("a/b/f", "f"), file("x", "no directory")],
    );
    let mut writer = TarWriter::new(Vec::new());
    for path in ["a/b/g", "new/h", "x/y"] {
        writer.header(&NewEntry::file(path, 0o644, 0)).unwrap();
    }
    let tar = writer.finish().unwrap();
    let import = ImportLayer { materialise: true, ..ImportLayer::default() };
    let foreign = ground.store.import_layer(&mut tar.as_slice(), &import).unwrap().diff_id().clone();
    let top = layer(&ground, &[file("z", "z")]);
    for layers in [vec![base.clone(), foreign.clone()], vec![base.clone(), foreign.clone(), top.clone()]] {
        assert_eq!(ground.store.lower_dirs(&layers).unwrap().len(), layers.len() + 1);
        let overlay = Overlay::mount(&ground.store.lower_dirs(&layers).unwrap(), None, Ids::here());
        let look = |path: &str| {
            let found = fs::symlink_metadata(overlay.path().join(path)).unwrap();
            (found.mode() & 0o7777, found.uid(), found.gid(), found.mtime())
        };
        assert_eq!(look("a"), (0o2750, 33, 34, 1_600_000_000));
        assert_eq!(look("a/b"), (0o700, 33, 34, 1_600_000_000));
        assert_eq!(look("new"), (0o755, 0, 0, 0));
        assert_eq!(look("x"), (0o755, 0, 0, 0));
        assert!(overlay.path().join("a/b/f").exists() && overlay.path().join("a/b/g").exists());
    }
    // The same layer over nothing, and over one that lists the directories itself, needs no help.
    assert_eq!(ground.store.lower_dirs(std::slice::from_ref(&foreign)).unwrap().len(), 1);
    let above = layer(&ground, &[listed("a", 0o700), listed("a/b", 0o755)]);
    assert_eq!(ground.store.lower_dirs(&[base.clone(), foreign.clone(), above]).unwrap().len(), 3);
    let stepped = ground.step(&[base, foreign], &CommitOptions::default(), &|root| {
        fs::set_permissions(root.join("a/b"), fs::Permissions::from_mode(0o711)).unwrap();
        fs::set_permissions(root.join("a/b"), fs::Permissions::from_mode(0o700)).unwrap();
    });
    assert!(entries(&stepped.layer).is_empty(), "{:?}", entries(&stepped.layer));
}

#[test]
#[ignore = "needs the test users"]
fn owners_and_devices_are_kept_where_nothing_can_have_them_needs_users() {
    if Ids::here() == Ids::All {
        let name = "owners_and_devices_are_kept_where_nothing_can_have_them_needs_users";
        assert!(Place::NamespaceWithOneId.rerun_test(name).success());
        return;
    }
    let (_folder, ground) = ground();
    let owned =
        |(entry, content): (NewEntry, &'static str)| (NewEntry { uid: 33, gid: 34, ..entry }, content);
    let device = NewEntryKind::CharDevice { major: 1, minor: 3 };
    let mtime = Mtime::from_seconds(1_600_000_000);
    let link = NewEntry { mtime, ..NewEntry::symlink("l", "f") };
    let base = layer(
        &ground,
        &[
            owned(directory("d")),
            owned(file("f", "f")),
            owned((link, "")),
            owned((NewEntry { mtime, ..NewEntry::new(b"null".to_vec(), device, 0o666) }, "")),
        ],
    );
    let born = |path: &Path| {
        let status = rustix::fs::statx(
            CWD,
            path,
            AtFlags::SYMLINK_NOFOLLOW,
            StatxFlags::BASIC_STATS | StatxFlags::BTIME,
        )
        .unwrap();
        let born = i128::from(status.stx_btime.tv_sec) * 1_000_000_000 + i128::from(status.stx_btime.tv_nsec);
        (status.stx_ino, born)
    };
    let scratch = ground.store.scratch("step").unwrap();
    let upper = scratch.upper().unwrap();
    let lower = ground.lower(std::slice::from_ref(&base));
    let overlay = Overlay::mount(&lower, Some((&upper, &scratch.work().unwrap())), ground.ids);
    let root = overlay.path();
    fs::write(root.join("f"), "changed").unwrap();
    fs::set_permissions(root.join("null"), fs::Permissions::from_mode(0o600)).unwrap();
    fs::hard_link(root.join("l"), root.join("l2")).unwrap();
    symlink("x", root.join("mine")).unwrap();
    symlink("y", root.join("given")).unwrap();
    drop(overlay);
    let mut options = CommitOptions::default();
    options.owners.insert(born(&upper.join("given")), (55, 56));
    let layer = ground.store.commit_upper(&upper, std::slice::from_ref(&base), &options).unwrap();
    assert_eq!(entries(&layer), ["f", "given -> y", "l -> f", "l2 = l", "mine -> x", "null c 1:3"]);
    let owner = |path: &str| {
        let entry = layer.toc().unwrap().lookup(path.as_bytes()).unwrap();
        (entry.uid, entry.gid)
    };
    assert_eq!(
        ["f", "given", "l", "mine", "null"].map(owner),
        [(33, 34), (55, 56), (33, 34), (0, 0), (33, 34)]
    );
    let (ours, theirs) = ground.trees(layer.diff_id());
    assert_eq!(tree_lines(&ours), tree_lines(&theirs));
}

#[test]
#[ignore = "needs root"]
fn a_tree_for_others_is_made_again_for_us_needs_root() {
    let folder = tempfile::tempdir().unwrap();
    let ours = Ground::new(folder.path(), Ids::All);
    let base = layer(&ours, &[directory("d"), (NewEntry { uid: 33, ..file("d/f", "f").0 }, "f")]);
    let tree = ours.store.lower_dirs(std::slice::from_ref(&base)).unwrap().remove(0);
    assert_eq!(fs::metadata(tree.join("d/f")).unwrap().uid(), 33);
    let theirs = Ground::new(folder.path(), Ids::One);
    theirs.store.lower_dirs(std::slice::from_ref(&base)).unwrap();
    assert_eq!(fs::metadata(tree.join("d/f")).unwrap().uid(), 0);
    let mut value = [0; 20];
    let length = rustix::fs::getxattr(tree.join("d/f"), "user.tug.owner", &mut value).unwrap();
    assert_eq!(&value[..length], b"33:0");
    ours.store.lower_dirs(std::slice::from_ref(&base)).unwrap();
    assert_eq!(fs::metadata(tree.join("d/f")).unwrap().uid(), 33);
}

#[test]
#[ignore = "needs root"]
fn after_a_power_failure_nothing_doubtful_is_used_needs_root() {
    let (_folder, ground) = ground();
    let options = LayerWriterOptions { materialise: true };
    let make = |content: &'static str| {
        let mut writer = ground.store.layer_writer(&options).unwrap();
        writer.add(&NewEntry::file("f", 0o644, 5), Some(&mut content.as_bytes())).unwrap();
        writer.finish().unwrap().diff_id().clone()
    };
    let (whole, lost) = (make("whole"), make("empty"));
    let folder = |layer: &DiffId| ground.store.root().join("layers").join(layer.hex());
    for layer in [&whole, &lost] {
        let record = folder(layer).join("record.json");
        let text = fs::read_to_string(&record).unwrap();
        fs::write(&record, text.replace(ground.store.boot_id(), "another boot")).unwrap();
        fs::write(folder(layer).join("tree/f"), "").unwrap();
    }
    fs::write(ground.store.root().join("blobs/sha256").join(lost.hex()), [0; 1000]).unwrap();
    assert!(ground.store.layer(&lost).unwrap().is_none());
    assert!(!folder(&lost).exists() && !ground.store.has_blob(lost.digest()).unwrap());
    assert!(ground.store.layer(&whole).unwrap().is_some());
    let tree = ground.store.lower_dirs(std::slice::from_ref(&whole)).unwrap().remove(0);
    assert_eq!(fs::read_to_string(tree.join("f")).unwrap(), "whole");
}

#[test]
#[ignore = "needs root"]
fn a_layer_that_is_there_takes_over_the_tree_of_its_twin_needs_root() {
    let (_folder, ground) = ground();
    let first = layer(&ground, &[file("f", "f")]);
    let stepped =
        ground.step(&[], &CommitOptions { clamp_mtime: Some(0), ..CommitOptions::default() }, &|root| {
            fs::write(root.join("f"), "f").unwrap();
            fs::set_permissions(root.join("f"), fs::Permissions::from_mode(0o644)).unwrap();
        });
    assert_eq!(stepped.layer.diff_id(), &first);
    let tree = ground.store.root().join("layers").join(first.hex()).join("tree");
    assert_eq!(fs::read_to_string(tree.join("f")).unwrap(), "f");
    assert_eq!(lines(&Listing::of_folder(&tree)), "f file 644 0:0 1 \"f\" @0\n");
}

/// The kernel merges 500 layers, and one place among them is for directories that no tar lists.
fn many_layers_are_mounted(ground: &Ground, mounts: usize) {
    let mut layers = Vec::new();
    for number in 0..850 {
        let gone = format!("d/{:03}", number.max(1) - 1);
        let name = format!("d/{number:03}");
        let mut entries = vec![directory("d"), file(&name, "x")];
        // Every tenth file stays.
        if number % 10 == 5 {
            entries.insert(1, (NewEntry::whiteout(gone), ""));
        }
        layers.push(layer(ground, &entries));
    }
    let lower = ground.store.lower(&layers).unwrap();
    assert_eq!(lower.len(), mounts);
    assert_eq!(lines(&ground.mounted(&layers)), lines(&ground.laid_over(&layers)));
    // The same layers, made once.
    assert_eq!(ground.store.lower(&layers).unwrap(), lower);
    let stepped = ground.step(&layers, &CommitOptions::default(), &|root| {
        fs::remove_file(root.join("d/000")).unwrap();
        fs::write(root.join("new"), "new").unwrap();
    });
    assert_eq!(entries(&stepped.layer), ["d/", "-d/000", "new"]);
    assert_faithful(ground, &stepped);
}

#[test]
#[ignore = "needs root"]
fn more_layers_than_the_kernel_merges_are_mounted_needs_root() {
    let (_folder, ground) = ground();
    many_layers_are_mounted(&ground, 2 + 50);
}

#[test]
#[ignore = "needs root"]
fn more_layers_than_the_kernel_merges_are_mounted_over_indexes_needs_root() {
    let folder = tempfile::tempdir().unwrap();
    many_layers_are_mounted(&Ground::with_indexes(folder.path()), 1);
}
