//! What differs between two layers that should be the same.
//!
//! The tables of contents tell nearly all of it; content is read only of the first file that differs, up to the first
//! byte that does.

use std::cmp::Ordering;
use std::io::Read;

use tug_oci::DiffId;

use crate::entry::{Entry, EntryKind, canonical_order, shown};
use crate::error::{Error, Result};
use crate::store::Store;
use crate::view::View;

/// How two layers differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerDifference {
    /// The first path that is not the same in both, as text.
    pub path: String,
    /// What is not the same about it.
    pub aspects: Vec<Aspect>,
    /// How many paths are not the same in both.
    pub count: usize,
}

/// One thing that is not the same about a path, as it is in the first layer and in the second.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Aspect {
    /// It is in the first layer only.
    OnlyInFirst,
    /// It is in the second layer only.
    OnlyInSecond,
    /// What it is: `a file`, `a directory`.
    Kind(&'static str, &'static str),
    /// Permissions: the lowest twelve bits.
    Mode(u32, u32),
    /// Owner and group.
    Owner((u32, u32), (u32, u32)),
    /// When it was changed, in seconds since 1970.
    Mtime(i64, i64),
    /// The length in bytes.
    Size(u64, u64),
    /// The content: where it begins to differ, and some bytes from there on.
    Content {
        /// The number of bytes before the first one that differs.
        offset: u64,
        /// Bytes around that place in the first layer, beginning at `start`.
        first: Vec<u8>,
        /// The same in the second layer.
        second: Vec<u8>,
        /// The number of bytes before those of `first` and `second`.
        start: u64,
    },
    /// What a link or device leads to.
    Target(String, String),
    /// An extended attribute, by its name.
    Attribute(String),
}

impl Store {
    /// What differs between two layers; `None` when their entries are the same.
    pub fn compare_layers(&self, first: &DiffId, second: &DiffId) -> Result<Option<LayerDifference>> {
        if first == second {
            return Ok(None);
        }
        let find =
            |diff_id: &DiffId| self.layer(diff_id)?.ok_or_else(|| Error::MissingLayer(diff_id.clone()));
        let tocs = (find(first)?.toc()?, find(second)?.toc()?);
        let (mut left, mut right) = (tocs.0.entries().peekable(), tocs.1.entries().peekable());
        let mut found: Option<(Option<Entry>, Option<Entry>)> = None;
        let mut count = 0;
        loop {
            let pair = match (left.peek(), right.peek()) {
                (None, None) => break,
                (Some(_), None) => (left.next(), None),
                (None, Some(_)) => (None, right.next()),
                (Some(one), Some(other)) => match canonical_order(&one.path, &other.path) {
                    Ordering::Less => (left.next(), None),
                    Ordering::Greater => (None, right.next()),
                    Ordering::Equal => (left.next(), right.next()),
                },
            };
            let is_same = matches!(&pair, (Some(one), Some(other)) if is_same(one, other));
            if !is_same {
                count += 1;
                found.get_or_insert(pair);
            }
        }
        let Some(pair) = found else { return Ok(None) };
        let path = pair.0.as_ref().or(pair.1.as_ref()).map_or_else(String::new, |entry| shown(&entry.path));
        let aspects = match pair {
            (Some(one), Some(other)) => {
                let views =
                    (self.view(std::slice::from_ref(first))?, self.view(std::slice::from_ref(second))?);
                aspects(&one, &other, &views)?
            }
            (Some(_), None) => vec![Aspect::OnlyInFirst],
            (None, _) => vec![Aspect::OnlyInSecond],
        };
        Ok(Some(LayerDifference { path, aspects, count }))
    }
}

/// Where the content lies in the tar does not matter.
fn is_same(one: &Entry, other: &Entry) -> bool {
    let kinds = match (&one.kind, &other.kind) {
        (EntryKind::File { size, digest, .. }, EntryKind::File { size: length, digest: sum, .. }) => {
            size == length && digest == sum
        }
        (one, other) => one == other,
    };
    kinds
        && (one.mode, one.uid, one.gid, one.mtime) == (other.mode, other.uid, other.gid, other.mtime)
        && one.xattrs == other.xattrs
}

fn aspects(one: &Entry, other: &Entry, views: &(View, View)) -> Result<Vec<Aspect>> {
    let mut aspects = Vec::new();
    match (&one.kind, &other.kind) {
        (
            EntryKind::File { size: first, digest: first_sum, .. },
            EntryKind::File { size: second, digest: second_sum, .. },
        ) => {
            if first != second {
                aspects.push(Aspect::Size(*first, *second));
            }
            if first_sum != second_sum {
                aspects.push(content(&one.path, views)?);
            }
        }
        (first, second) if kind(first) != kind(second) => {
            aspects.push(Aspect::Kind(kind(first), kind(second)));
        }
        (first, second) if first != second => aspects.push(Aspect::Target(target(first), target(second))),
        _ => {}
    }
    if one.mode != other.mode {
        aspects.push(Aspect::Mode(one.mode, other.mode));
    }
    if (one.uid, one.gid) != (other.uid, other.gid) {
        aspects.push(Aspect::Owner((one.uid, one.gid), (other.uid, other.gid)));
    }
    if one.mtime != other.mtime {
        aspects.push(Aspect::Mtime(one.mtime.seconds, other.mtime.seconds));
    }
    let names = one.xattrs.keys().chain(other.xattrs.keys());
    let mut names: Vec<_> = names.filter(|name| one.xattrs.get(*name) != other.xattrs.get(*name)).collect();
    names.sort();
    names.dedup();
    aspects.extend(names.into_iter().map(|name| Aspect::Attribute(shown(name))));
    Ok(aspects)
}

fn kind(kind: &EntryKind) -> &'static str {
    match kind {
        EntryKind::Directory => "a directory",
        EntryKind::File { .. } => "a file",
        EntryKind::Symlink { .. } => "a symbolic link",
        EntryKind::HardLink { .. } => "a hard link",
        EntryKind::CharDevice { .. } => "a character device",
        EntryKind::BlockDevice { .. } => "a block device",
        EntryKind::Fifo => "a named pipe",
        EntryKind::Whiteout => "a removal",
        EntryKind::Opaque => "a removal of all that is below",
    }
}

fn target(kind: &EntryKind) -> String {
    match kind {
        EntryKind::Symlink { target } | EntryKind::HardLink { target } => shown(target),
        EntryKind::CharDevice { major, minor } | EntryKind::BlockDevice { major, minor } => {
            format!("{major}:{minor}")
        }
        _ => String::new(),
    }
}

/// How many bytes are shown before the first one that differs, and in all.
const BEFORE: usize = 8;
const WINDOW: usize = 32;
const BUFFER: usize = 64 * 1024;

fn content(path: &[u8], views: &(View, View)) -> Result<Aspect> {
    let broken = |source| Error::Stream { action: "read a layer", source };
    let open = |view: &View| match view.lookup(path) {
        Some(node) => view.open(&node),
        None => Ok(Box::new(std::io::empty()) as Box<dyn Read + Send>),
    };
    let (mut left, mut right) = (open(&views.0)?, open(&views.1)?);
    let (mut one, mut other) = (Vec::new(), Vec::new());
    // What of the buffers was the same already, and how much went before them.
    let mut before: u64 = 0;
    loop {
        let keep = one.len().min(BEFORE);
        one.drain(..one.len() - keep);
        other.drain(..other.len() - keep);
        let (was, same) = (one.len(), before);
        left.by_ref().take(BUFFER as u64).read_to_end(&mut one).map_err(broken)?;
        right.by_ref().take(BUFFER as u64).read_to_end(&mut other).map_err(broken)?;
        let place = (0..one.len().max(other.len())).find(|&place| one.get(place) != other.get(place));
        let start = same - was as u64;
        if place.is_none() && one.len() > was {
            before += (one.len() - was) as u64;
            continue;
        }
        let place = place.unwrap_or(one.len());
        let from = place.saturating_sub(BEFORE);
        let more = WINDOW.saturating_sub(one.len().min(other.len()).saturating_sub(from)) as u64;
        left.by_ref().take(more).read_to_end(&mut one).map_err(broken)?;
        right.by_ref().take(more).read_to_end(&mut other).map_err(broken)?;
        let window = |bytes: &[u8]| bytes[from.min(bytes.len())..(from + WINDOW).min(bytes.len())].to_vec();
        return Ok(Aspect::Content {
            offset: start + place as u64,
            first: window(&one),
            second: window(&other),
            start: start + from as u64,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{Mtime, NewEntry};
    use crate::layer::LayerWriterOptions;
    use crate::store::tests::store;

    fn layer(store: &Store, entries: &[(NewEntry, &[u8])]) -> DiffId {
        let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
        for (entry, content) in entries {
            writer.add(entry, Some(&mut &**content)).unwrap();
        }
        writer.finish().unwrap().diff_id().clone()
    }

    fn file(path: &str, content: &[u8]) -> NewEntry {
        NewEntry::file(path, 0o644, content.len() as u64)
    }

    fn of_files(store: &Store, one: &[u8], other: &[u8]) -> Vec<Aspect> {
        let first = layer(store, &[(file("a", b""), b""), (file("f", one), one)]);
        let second = layer(store, &[(file("a", b""), b""), (file("f", other), other)]);
        let difference = store.compare_layers(&first, &second).unwrap().unwrap();
        assert_eq!((difference.path.as_str(), difference.count), ("f", 1));
        difference.aspects
    }

    #[test]
    fn the_first_byte_that_differs_is_shown_with_what_is_around_it() {
        let (_folder, store) = store();
        let content = |offset, start, first: &[u8], second: &[u8]| Aspect::Content {
            offset,
            first: first.to_vec(),
            second: second.to_vec(),
            start,
        };
        assert_eq!(of_files(&store, b"abc", b"abd"), [content(2, 0, b"abc", b"abd")]);
        assert_eq!(
            of_files(&store, b"0123456789built at 12:00", b"0123456789built at 12:01"),
            [content(23, 15, b" at 12:00", b" at 12:01")]
        );
        assert_eq!(of_files(&store, b"ab", b"abc"), [Aspect::Size(2, 3), content(2, 0, b"ab", b"abc")]);
    }

    #[test]
    fn differences_far_inside_are_found_at_every_place() {
        let (_folder, store) = store();
        for place in [0, 7, 8, BUFFER - 1, BUFFER, BUFFER + 1, 3 * BUFFER - 8, 3 * BUFFER + 16] {
            let one: Vec<u8> = (0..3 * BUFFER + 17).map(|place| (place % 251) as u8).collect();
            let mut other = one.clone();
            other[place] ^= 0xff;
            let aspects = of_files(&store, &one, &other);
            let [Aspect::Content { offset, first, second, start }] = aspects.as_slice() else {
                panic!("{aspects:?}");
            };
            assert_eq!(*offset, place as u64);
            let from = *start as usize;
            assert!(from <= place && place < from + first.len(), "{place}: {from} {}", first.len());
            assert_eq!(first, &one[from..from + first.len()]);
            assert_eq!(second, &other[from..from + second.len()]);
            assert!(first.len() <= WINDOW && (first.len() == WINDOW || from + first.len() == one.len()));
        }
    }

    #[test]
    fn metadata_and_what_is_missing_are_told() {
        let (_folder, store) = store();
        let mut other = file("f", b"x");
        (other.mode, other.uid, other.gid, other.mtime) = (0o600, 1, 2, Mtime::from_seconds(9));
        other.xattrs.insert(b"user.a".to_vec(), b"1".to_vec());
        let first = layer(&store, &[(file("f", b"x"), b"x"), (file("z", b""), b"")]);
        let second = layer(&store, &[(other, b"x")]);
        let difference = store.compare_layers(&first, &second).unwrap().unwrap();
        assert_eq!(difference.count, 2);
        assert_eq!(
            difference.aspects,
            [
                Aspect::Mode(0o644, 0o600),
                Aspect::Owner((0, 0), (1, 2)),
                Aspect::Mtime(0, 9),
                Aspect::Attribute("user.a".to_owned())
            ]
        );
        let empty = layer(&store, &[]);
        let only = |one: &DiffId, other: &DiffId| store.compare_layers(one, other).unwrap().unwrap().aspects;
        assert_eq!(only(&first, &empty), [Aspect::OnlyInFirst]);
        assert_eq!(only(&empty, &first), [Aspect::OnlyInSecond]);
        assert_eq!(store.compare_layers(&first, &first).unwrap(), None);
        let link = layer(&store, &[(NewEntry::symlink("f", "here"), b"")]);
        let there = layer(&store, &[(NewEntry::symlink("f", "there"), b"")]);
        assert_eq!(only(&link, &there), [Aspect::Target("here".to_owned(), "there".to_owned())]);
        assert_eq!(only(&link, &second)[0], Aspect::Kind("a symbolic link", "a file"));
    }
}
