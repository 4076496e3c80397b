//! Random tables: whatever a layer has, the index has it too.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::{entry, file};
use crate::entry::{Entry, EntryKind, Mtime, Xattrs, canonical_order, join, split};
use crate::erofs::compare::{self, round_trip};
use crate::erofs::{chain, write_chain};
use crate::tar::Segment;
use crate::toc::{RecordKind, Toc, TocWriter};
use crate::tree::Attributes;
use crate::view::{Found, Merged};

const TAR: u64 = 1 << 34;

fn name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        8 => select(vec!["a", "b", "-", "...", "a.b", "\u{e9}"]).prop_map(|name| name.as_bytes().to_vec()),
        1 => vec(1..=255_u8, 1..=255).prop_filter("a name", |name| !name.contains(&b'/') && name != b"." && name != b".."),
    ]
}

fn kind() -> impl Strategy<Value = EntryKind> {
    let size = prop_oneof![0..2000_u64, Just(TAR / 2), Just((1 << 32) - 1)];
    prop_oneof![
        4 => (size, 0..TAR / 1024).prop_map(|(size, block)| file(size, block * 512)),
        2 => Just(EntryKind::Directory),
        1 => vec(1..=255_u8, 1..=4095).prop_map(|target| EntryKind::Symlink { target }),
        1 => (1..4096_u32, 0..(1_u32 << 20)).prop_map(|(major, minor)| EntryKind::CharDevice { major, minor }),
        1 => (0..4096_u32, 0..(1_u32 << 20)).prop_map(|(major, minor)| EntryKind::BlockDevice { major, minor }),
        1 => Just(EntryKind::Fifo),
        1 => Just(EntryKind::Whiteout),
        1 => Just(EntryKind::HardLink { target: Vec::new() }),
    ]
}

fn attributes() -> impl Strategy<Value = Entry> {
    let id = || prop_oneof![Just(0_u32), Just(65_536), any::<u32>()];
    let names =
        select(vec!["user.a", "user.b", "security.capability", "trusted.overlay.opaque", "trusted.x"]);
    let xattrs = btree_map(names.prop_map(|name| name.as_bytes().to_vec()), vec(any::<u8>(), 0..40), 0..4);
    let seconds = prop_oneof![Just(0_i64), Just(1_700_000_000), any::<i64>()];
    let nanos = prop_oneof![Just(0_u32), 0..1_000_000_000_u32];
    (0..0o10000_u32, id(), id(), seconds, nanos, xattrs).prop_map(
        |(mode, uid, gid, seconds, nanos, xattrs)| {
            let mtime = Mtime { seconds, nanos };
            Entry { mode, uid, gid, mtime, xattrs, ..entry("", EntryKind::Fifo) }
        },
    )
}

/// Anything under any path, with which pieces of it the tar holds if it is sparse, and whether a directory is opaque.
type Thing = (Vec<Vec<u8>>, EntryKind, Entry, Option<Vec<(u64, u64)>>, bool);

fn things() -> impl Strategy<Value = Vec<Thing>> {
    let pieces = vec((0..8_u64, 0..8_u64), 0..4);
    let pieces = proptest::option::weighted(0.2, pieces);
    vec((vec(name(), 1..4), kind(), attributes(), pieces, any::<bool>()), 0..60)
}

/// Brings the things into a table that holds together: what is above is a directory, links lead to files.
fn table(things: Vec<Thing>) -> Toc {
    let mut slots: BTreeMap<Key, Slot> = BTreeMap::new();
    let is_directory = |entry: &Entry| entry.kind == EntryKind::Directory;
    for (names, kind, attributes, pieces, mark) in things {
        let path = names.iter().fold(Vec::new(), |path, name| join(&path, name));
        let above =
            |end: usize| slots.get(&Key(path[..end].to_vec())).is_none_or(|slot| is_directory(&slot.entry));
        let ends: Vec<usize> = (0..path.len()).filter(|&at| path[at] == b'/').collect();
        if slots.contains_key(&Key(path.clone())) || !ends.iter().all(|&end| above(end)) {
            continue;
        }
        for end in ends {
            let implied = entry(&path[..end], EntryKind::Directory);
            slots.entry(Key(path[..end].to_vec())).or_insert(Slot {
                entry: implied,
                segments: None,
                is_implied: true,
                mark,
            });
        }
        let (kind, segments) = match (kind, pieces) {
            (EntryKind::File { offset, .. }, Some(pieces)) => {
                let mut end = 0;
                let pieces = pieces.iter().map(|&(gap, length)| {
                    let offset = end + gap * 512;
                    end = offset + length * 512;
                    Segment { offset, length: length * 512 }
                });
                let pieces: Vec<_> = pieces.collect();
                (file(end + 4096, offset / 2 / 512 * 512), Some(pieces))
            }
            (EntryKind::HardLink { .. }, _) => {
                let before = slots.range(..Key(path.clone()));
                let is_file = |entry: &Entry| {
                    !matches!(
                        entry.kind,
                        EntryKind::Directory | EntryKind::HardLink { .. } | EntryKind::Whiteout
                    )
                };
                let target =
                    before.rev().find(|(_, slot)| is_file(&slot.entry)).map(|(key, _)| key.0.clone());
                (target.map_or(EntryKind::Fifo, |target| EntryKind::HardLink { target }), None)
            }
            (kind, _) => (kind, None),
        };
        let made = Entry { path: path.clone(), kind, ..attributes };
        slots.insert(Key(path), Slot { entry: made, segments, is_implied: false, mark });
    }
    let mut toc = TocWriter::new();
    for (Key(path), slot) in &slots {
        match slot.is_implied {
            true => toc.implied(path).unwrap(),
            false => toc.entry(&slot.entry, slot.segments.as_deref()).unwrap(),
        }
        if slot.mark && is_directory(&slot.entry) {
            toc.entry(&Entry { xattrs: Xattrs::new(), ..entry(path.clone(), EntryKind::Opaque) }, None)
                .unwrap();
        }
    }
    toc.finish()
}

struct Slot {
    entry: Entry,
    segments: Option<Vec<Segment>>,
    is_implied: bool,
    mark: bool,
}

#[derive(Clone, PartialEq, Eq)]
struct Key(Vec<u8>);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        canonical_order(&self.0, &other.0)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

proptest! {
    #[test]
    fn what_is_read_back_is_what_the_table_says(things in things()) {
        let toc = table(things);
        let mut bytes = Vec::new();
        prop_assert!(crate::erofs::write(&toc, TAR, &mut bytes).is_ok(), "it should have found room");
        prop_assert_eq!(compare::same(&toc, &bytes), Ok(()));
    }

    /// Layers over each other: every file that is left lies in the tar of its layer.
    #[test]
    fn chains_of_any_layers_are_held(layers in vec(things(), 1..4)) {
        let layers: Vec<_> = layers.into_iter().map(|things| Arc::new(table(things))).collect();
        let sizes = vec![TAR - 100; layers.len()];
        let merged = Merged::new(layers);
        let toc = chain::table(&merged, &sizes).unwrap();
        let mut bytes = Vec::new();
        prop_assert!(write_chain(&merged, &sizes, &mut bytes).is_ok());
        prop_assert_eq!(compare::same(&toc, &bytes), Ok(()));
        for entry in toc.entries() {
            let found = merged.find(&entry.path);
            let expected = match &found {
                Some(Found::Directory(place)) => merged.attributes(place),
                Some(Found::Other(position)) => {
                    let position = merged.follow_hard_link(*position);
                    let record = merged.record(position);
                    if let (EntryKind::File { offset, .. }, RecordKind::File(facts)) = (&entry.kind, record.kind) {
                        prop_assert_eq!(*offset, position.layer as u64 * TAR + facts.offset);
                    }
                    Attributes::of(&record)
                }
                None => return Err(TestCaseError::fail("it should not be there")),
            };
            prop_assert_eq!((entry.mode, entry.uid, entry.mtime, entry.xattrs), (expected.mode, expected.uid, expected.mtime, expected.xattrs));
        }
    }

    /// Tables that hold together no more: refused, or right.
    #[test]
    fn damaged_tables_are_refused_or_held(things in things(), left_out in vec(any::<prop::sample::Index>(), 1..3)) {
        let toc = table(things);
        let mut entries: Vec<Entry> = toc.entries().collect();
        for index in left_out {
            if !entries.is_empty() {
                entries.remove(index.index(entries.len()));
            }
        }
        let mut writer = TocWriter::new();
        entries.iter().for_each(|entry| writer.entry(entry, None).unwrap());
        prop_assert_eq!(round_trip(&writer.finish(), TAR), Ok(()));
    }
}

#[test]
fn a_directory_of_very_many_names_is_held() {
    let names: Vec<String> =
        (0..20_000).map(|number| format!("d/{number:06}{}", "x".repeat(number % 240))).collect();
    let mut writer = TocWriter::new();
    writer.entry(&entry("d", EntryKind::Directory), None).unwrap();
    for name in &names {
        assert_eq!(split(name.as_bytes()).0, b"d");
        writer.entry(&entry(name.as_str(), EntryKind::Fifo), None).unwrap();
    }
    assert_eq!(round_trip(&writer.finish(), TAR), Ok(()));
}
