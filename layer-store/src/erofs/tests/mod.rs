mod chain;
mod fsck;
mod mounted;
mod random;

use tug_oci::Digest;

use super::{IndexError, write};
use crate::entry::{Entry, EntryKind, Mtime, Xattrs};
use crate::tar::Segment;
use crate::toc::{Toc, TocWriter};

/// Enough for all offsets in tests.
const TAR: u64 = 1 << 30;

fn entry(path: impl Into<Vec<u8>>, kind: EntryKind) -> Entry {
    let mtime = Mtime { seconds: 1_700_000_000, nanos: 0 };
    Entry { path: path.into(), kind, mode: 0o644, uid: 0, gid: 0, mtime, xattrs: Xattrs::new() }
}

fn file(size: u64, offset: u64) -> EntryKind {
    EntryKind::File { size, offset, digest: Digest::of(b"") }
}

/// A table of entries, given in canonical order.
fn table<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Toc {
    let mut writer = TocWriter::new();
    entries.into_iter().for_each(|entry| writer.entry(entry, None).unwrap());
    writer.finish()
}

fn sparse(size: u64, segments: &[(u64, u64)]) -> Toc {
    let segments: Vec<_> = segments.iter().map(|&(offset, length)| Segment { offset, length }).collect();
    let mut writer = TocWriter::new();
    writer.entry(&entry("f", file(size, 1024)), Some(&segments)).unwrap();
    writer.finish()
}

/// The index over a large tar.
fn index(toc: &Toc) -> Vec<u8> {
    let mut bytes = Vec::new();
    let written = write(toc, TAR, &mut bytes).unwrap();
    assert_eq!(written, bytes.len() as u64);
    bytes
}

/// Why there is no index, and that nothing was written of it.
fn refusal(toc: &Toc) -> String {
    let mut bytes = Vec::new();
    match write(toc, TAR, &mut bytes) {
        Err(IndexError::CannotHold { path, reason }) => {
            assert!(bytes.is_empty(), "it was refused too late");
            format!("{}: {reason}", String::from_utf8_lossy(&path))
        }
        other => panic!("it was not refused: {other:?}"),
    }
}

#[test]
fn the_same_table_gives_the_same_bytes() {
    let a = entry("a", file(3, 512));
    let toc = table([&a, &entry("b", EntryKind::HardLink { target: b"a".to_vec() })]);
    assert_eq!(index(&toc), index(&toc));
    assert_ne!(index(&toc), index(&table([&a])));
}

#[test]
fn a_layer_of_nothing_is_an_empty_directory() {
    assert_eq!(index(&table([])).len(), 2048);
}

#[test]
fn what_has_no_place_in_an_index_is_refused_before_it_is_begun() {
    let link = |target: &[u8]| EntryKind::HardLink { target: target.to_vec() };
    let symlink = |target: Vec<u8>| EntryKind::Symlink { target };
    let long = "x".repeat(256);
    for (entries, expected) in [
        (vec![entry("a/b", EntryKind::Fifo)], "a/b: what it is in is no directory"),
        (
            vec![entry("a", EntryKind::Fifo), entry("a/b", EntryKind::Fifo)],
            "a/b: what it is in is no directory",
        ),
        (vec![entry("", EntryKind::Directory)], ": it has no name"),
        (vec![entry("..", EntryKind::Fifo)], "..: it has no name"),
        (vec![entry("a\0", EntryKind::Fifo)], "a\0: its name holds a zero"),
        (vec![entry(long.as_str(), EntryKind::Fifo)], &format!("{long}: its name is too long")),
        (
            vec![entry("a", EntryKind::Fifo), entry("a", EntryKind::Opaque)],
            "a: it marks what is no directory",
        ),
        (vec![entry("a", link(b"b"))], "a: what it is linked to is no file of the layer"),
        (vec![entry("a", link(b"a"))], "a: what it is linked to is no file of the layer"),
        (vec![entry("a", symlink(vec![]))], "a: its target is empty, too long, or holds a zero"),
        (vec![entry("a", symlink(vec![b'x'; 4096]))], "a: its target is empty, too long, or holds a zero"),
        (vec![entry("a", file(1, 513))], "a: its content begins at no block of the tar"),
        (vec![entry("a", file(TAR, 512))], "a: its content is beyond the end of the tar"),
        (vec![entry("a", file(u64::MAX, 512))], "a: its content is beyond the end of the tar"),
        (
            vec![entry("a", EntryKind::CharDevice { major: 0, minor: 0 })],
            "a: it would be taken for a removal",
        ),
        (
            vec![entry("a", EntryKind::BlockDevice { major: 4096, minor: 0 })],
            "a: the numbers of the device are too large",
        ),
    ] {
        assert_eq!(refusal(&table(&entries)), expected);
    }
}

#[test]
fn holes_that_lie_on_no_grid_are_refused() {
    assert_eq!(refusal(&sparse(10_000, &[(100, 512)])), "f: its holes are on no block");
    assert_eq!(refusal(&sparse(10_000, &[(0, 100)])), "f: its holes are on no block");
    assert_eq!(refusal(&sparse(1 << 40, &[(4096, 4096)])), "f: its holes are too fine for its length");
    assert_eq!(index(&sparse(10_000, &[(512, 512), (9728, 272)])).len(), 2048);
    assert_eq!(index(&sparse(1 << 50, &[])).len(), 2048 + 8 * 1024);
}

#[test]
fn few_bytes_of_a_table_do_not_become_a_large_index() {
    let pieces = [Segment { offset: 512, length: 512 }];
    let with = |count: u64| {
        let mut writer = TocWriter::new();
        for number in 0..count {
            let file = entry(format!("{number}"), file(1 << 29, 1024));
            writer.entry(&file, Some(&pieces)).unwrap();
        }
        writer.finish()
    };
    assert_eq!(index(&with(4)).len() >> 20, 32);
    assert_eq!(refusal(&with(5)), ": the holes of its files are too fine for their length");
}
