//! Several layers in one index: what they show together, and nothing of what they hide.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, openat};

use super::mounted::mount;
use super::{entry, file, table};
use crate::entry::{Entry, EntryKind};
use crate::erofs::{IndexError, chain, compare, write_chain};
use crate::toc::{Toc, TocWriter};
use crate::view::Merged;

fn layers() -> Vec<Arc<Toc>> {
    let link = |target: &str| EntryKind::HardLink { target: target.into() };
    let low = table(&[
        Entry { mode: 0o700, uid: 7, ..entry("d", EntryKind::Directory) },
        entry("d/gone", file(5, 512)),
        entry("d/kept", file(5, 512)),
        entry("d/link", link("d/kept")),
        entry("hidden", EntryKind::Directory),
        entry("hidden/f", file(1, 1024)),
        entry("old", file(1, 1024)),
    ]);
    let mut high = TocWriter::new();
    high.implied(b"d").unwrap();
    high.entry(&entry("d/gone", EntryKind::Whiteout), None).unwrap();
    high.entry(&entry("d/new", file(4, 1024)), None).unwrap();
    high.entry(&entry("hidden", EntryKind::Directory), None).unwrap();
    high.entry(&entry("hidden", EntryKind::Opaque), None).unwrap();
    high.entry(&entry("old", EntryKind::Symlink { target: b"d/new".to_vec() }), None).unwrap();
    vec![Arc::new(low), Arc::new(high.finish())]
}

#[test]
fn a_chain_is_one_table_without_marks() {
    let merged = Merged::new(layers());
    // The first tar does not end with a block: the second one begins with the next.
    let toc = chain::table(&merged, &[1600, 2048]).unwrap();
    let shown: Vec<String> = toc
        .entries()
        .map(|entry| {
            let kind = match entry.kind {
                EntryKind::File { offset, .. } => format!("at {offset}"),
                EntryKind::HardLink { target } => format!("= {}", String::from_utf8_lossy(&target)),
                EntryKind::Directory => format!("{:o} of {}", entry.mode, entry.uid),
                other => format!("{other:?}").split(' ').next().unwrap_or_default().to_owned(),
            };
            format!("{} {kind}", String::from_utf8_lossy(&entry.path))
        })
        .collect();
    let expected =
        ["d 700 of 7", "d/kept at 512", "d/link = d/kept", "d/new at 3072", "hidden 644 of 0", "old Symlink"];
    assert_eq!(shown, expected);
    let mut bytes = Vec::new();
    write_chain(&merged, &[1600, 2048], &mut bytes).unwrap();
    assert_eq!(compare::same(&toc, &bytes), Ok(()));
}

#[test]
fn a_file_does_not_reach_into_the_tar_of_another_layer() {
    let refused = write_chain(&Merged::new(layers()), &[1024 + 4, 1024 + 3], Vec::new());
    assert!(matches!(refused, Err(IndexError::CannotHold { path, .. }) if path == b"d/new"));
}

#[test]
#[ignore = "needs root and EROFS"]
fn a_chain_is_one_mount_over_several_tars_needs_root_needs_erofs() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str| folder.path().join(name);
    let tar = |name: &str, size: u64, pieces: &[(u64, &str)]| {
        let tar = File::create(place(name)).unwrap();
        tar.set_len(size).unwrap();
        pieces.iter().for_each(|(at, text)| tar.write_all_at(text.as_bytes(), *at).unwrap());
        place(name)
    };
    let low = tar("low", 1600, &[(512, "below"), (1024, "x")]);
    let high = tar("high", 2048, &[(1024, "over")]);
    let mut index = File::create(place("index")).unwrap();
    write_chain(&Merged::new(layers()), &[1600, 2048], &mut index).unwrap();
    index.flush().unwrap();
    let mounted = mount(&place("index"), &[&low, &high]);
    let open = |name: &str| openat(&mounted, name, OFlags::RDONLY, Mode::empty()).map(File::from);
    let read = |name: &str| std::io::read_to_string(open(name).unwrap()).unwrap();
    assert_eq!(
        [read("d/kept"), read("d/link"), read("d/new"), read("old")],
        ["below", "below", "over", "over"]
    );
    assert_eq!(open("d/kept").unwrap().metadata().unwrap().nlink(), 2);
    assert_eq!(open("d").unwrap().metadata().unwrap().mode() & 0o7777, 0o700);
    assert!(open("d/gone").is_err() && open("hidden/f").is_err());
}
