//! Trees in folders, some of which have something in them.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use super::*;
use crate::entry::{Mtime, NewEntry, NewEntryKind};
use crate::layer::LayerWriterOptions;
use crate::store::tests::store;

fn view(store: &Store, entries: &[(NewEntry, &str)]) -> View {
    let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
    for (entry, content) in entries {
        writer.add(entry, Some(&mut content.as_bytes())).unwrap();
    }
    let layer = writer.finish().unwrap().diff_id().clone();
    store.view(&[layer]).unwrap()
}

fn directory(path: &str, mode: u32) -> (NewEntry, &'static str) {
    (NewEntry { mtime: Mtime::from_seconds(1_000), ..NewEntry::directory(path, mode) }, "")
}

fn file(path: &str, mode: u32, content: &'static str) -> (NewEntry, &'static str) {
    let entry = NewEntry::file(path, mode, content.len() as u64);
    (NewEntry { uid: 7, gid: 8, mtime: Mtime::from_seconds(2_000), ..entry }, content)
}

fn write(store: &Store, view: &View, path: &Path) -> WrittenFolder {
    store.write_folder(view, path, FolderOptions::default()).unwrap()
}

#[test]
fn files_have_modes_and_times_of_the_image_and_the_owner_who_asked() {
    let (folder, store) = store();
    let link = NewEntryKind::HardLink { target: b"bin/tool".to_vec() };
    let tree = view(
        &store,
        &[
            directory("bin", 0o555),
            (NewEntry::new(b"bin/other".to_vec(), link, 0o755), ""),
            file("bin/tool", 0o4755, "tool"),
            (NewEntry::symlink("etc", "/etc"), ""),
            (NewEntry::new(b"pipe".to_vec(), NewEntryKind::Fifo, 0o622), ""),
        ],
    );
    let out = folder.path().join("a/b");
    for _ in 0..2 {
        let written = write(&store, &tree, &out);
        assert_eq!((written.files, written.bytes, written.left_out.len()), (4, 4, 0));
        let of = |path: &str| std::fs::symlink_metadata(out.join(path)).unwrap();
        let (bin, tool) = (of("bin"), of("bin/tool"));
        assert_eq!((bin.mode() & 0o7777, bin.mtime()), (0o555, 1_000));
        assert_eq!((tool.mode() & 0o7777, tool.mtime(), tool.uid()), (0o4755, 2_000, of("pipe").uid()));
        assert_eq!((of("bin/other").ino(), of("bin/other").nlink()), (tool.ino(), 2));
        assert_eq!(of("pipe").mode() & 0o777, 0o622);
        assert_eq!(std::fs::read_link(out.join("etc")).unwrap(), Path::new("/etc"));
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 3);
    }
    std::fs::set_permissions(out.join("bin"), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn links_in_the_folder_lead_nowhere() {
    let (folder, store) = store();
    let outside = folder.path().join("outside");
    std::fs::create_dir_all(outside.join("sub")).unwrap();
    std::fs::write(outside.join("victim"), "untouched").unwrap();
    let out = folder.path().join("out");
    std::fs::create_dir_all(&out).unwrap();
    symlink(&outside, out.join("d")).unwrap();
    symlink(outside.join("victim"), out.join("f")).unwrap();
    std::fs::hard_link(outside.join("victim"), out.join("g")).unwrap();
    std::fs::create_dir_all(out.join("h")).unwrap();
    let tree = view(
        &store,
        &[
            directory("d", 0o755),
            directory("d/sub", 0o755),
            file("d/sub/new", 0o644, "new"),
            file("f", 0o644, "f"),
            file("g", 0o600, "g"),
            file("h", 0o644, "h"),
        ],
    );
    write(&store, &tree, &out);
    assert_eq!(std::fs::read_to_string(outside.join("victim")).unwrap(), "untouched");
    assert_eq!(std::fs::read_dir(outside.join("sub")).unwrap().count(), 0);
    assert_eq!(std::fs::read_to_string(out.join("d/sub/new")).unwrap(), "new");
    for name in ["f", "g", "h"] {
        assert_eq!(std::fs::read_to_string(out.join(name)).unwrap(), name);
        assert!(!out.join(name).is_symlink());
    }
}

#[test]
fn what_else_is_there_stays_unless_it_is_to_be_deleted() {
    let (folder, store) = store();
    let outside = folder.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("file"), "").unwrap();
    let out = folder.path().join("out");
    std::fs::create_dir_all(out.join("d/old/deep")).unwrap();
    std::fs::write(out.join("d/old/file"), "").unwrap();
    symlink(&outside, out.join("link")).unwrap();
    let tree = view(&store, &[directory("d", 0o755), file("d/a", 0o644, "a")]);
    write(&store, &tree, &out);
    assert!(out.join("d/old/file").exists() && out.join("link").is_symlink());
    store
        .write_folder(&tree, &out, FolderOptions { delete_others: true, ..FolderOptions::default() })
        .unwrap();
    assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1);
    assert_eq!(std::fs::read_dir(out.join("d")).unwrap().count(), 1);
    assert!(outside.join("file").exists());
}

#[test]
fn a_folder_with_something_in_it_makes_no_room_unless_others_are_to_be_deleted() {
    let (folder, store) = store();
    let out = folder.path().join("out");
    std::fs::create_dir_all(out.join("data/deep")).unwrap();
    std::fs::write(out.join("data/deep/precious"), "precious").unwrap();
    let pipe = NewEntry { kind: NewEntryKind::Fifo, ..NewEntry::directory("data", 0o644) };
    for entry in [file("data", 0o644, "x"), (pipe, "")] {
        let tree = view(&store, &[entry]);
        let error = store.write_folder(&tree, &out, FolderOptions::default()).unwrap_err();
        assert!(error.to_string().contains("out/data`"), "{error}");
        assert_eq!(std::fs::read_to_string(out.join("data/deep/precious")).unwrap(), "precious");
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 1, "nothing half made is left");
    }
    let tree = view(&store, &[file("data", 0o644, "x")]);
    store
        .write_folder(&tree, &out, FolderOptions { delete_others: true, ..FolderOptions::default() })
        .unwrap();
    assert_eq!(std::fs::read_to_string(out.join("data")).unwrap(), "x");
}

#[test]
fn a_file_in_the_place_of_the_folder_is_an_error_that_names_it() {
    let (folder, store) = store();
    let out = folder.path().join("out");
    std::fs::write(&out, "").unwrap();
    let error = store.write_folder(&view(&store, &[]), &out, FolderOptions::default()).unwrap_err();
    assert!(error.to_string().contains("out`"), "{error}");
}
