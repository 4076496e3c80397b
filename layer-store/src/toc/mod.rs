//! The table of contents of a layer: every entry with its metadata and digest, in canonical order, in one compact file.
//!
//! It answers "what does this layer have at this path" without the tar and without a tree, and it is read at the start
//! of most commands, so it must load fast: the file is read in one piece, checked once from front to back, and then
//! looked at in place. Nothing is copied until somebody asks for an [`Entry`].
//!
//! ```text
//! file    = magic, version byte, record*
//! record  = kind byte, path, mode, uid, gid, mtime seconds, mtime nanos, facts, xattr count, (name, value)*
//! facts   = file: size, offset, digest (32 bytes), segment count, (offset, length)*
//!           links: target;  devices: major, minor;  others: nothing
//! numbers = LEB128, signed ones zigzag;  texts = length and bytes
//! ```
//!
//! *Implied* directories stand in it too: those that a foreign tar does not list though it lists what is in them.
//! Their metadata come from the layers below, so they are settled for each chain, and no [`Entry`] is given for them.

mod cache;
mod numbers;
mod record;
mod writer;

use std::cmp::Ordering;
use std::ops::Range;

pub(crate) use cache::TocCache;
pub(crate) use record::{FileFacts, Record, RecordKind};
pub(crate) use writer::{TocTooLarge, TocWriter, sha256_of};

use crate::entry::{Entry, canonical_order, is_inside};
use record::kind;

const MAGIC: &[u8] = b"tug-toc\x01";

/// Why bytes are no table of contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no table of contents, or a damaged one")]
pub struct TocDamaged;

/// The table of contents of one layer.
#[derive(Debug)]
pub struct Toc {
    bytes: Vec<u8>,
    /// Where each record begins, and where the last one ends.
    starts: Vec<u32>,
    /// For each record, the first one behind it that is neither it nor inside of it.
    ends: Vec<u32>,
    /// The records of implied directories.
    implied: Vec<u32>,
}

impl Toc {
    /// Reads a table of contents from the bytes of its file.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, TocDamaged> {
        Self::index(bytes).ok_or(TocDamaged)
    }

    /// The bytes of its file.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The entries, in canonical order.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.records().filter_map(Record::to_entry)
    }

    /// What the layer says about `path`: an entry, or the removal of one.
    pub fn lookup(&self, path: &[u8]) -> Option<Entry> {
        self.record(self.find(path)?).to_entry()
    }

    /// How many bytes of memory it takes.
    pub(crate) fn memory(&self) -> usize {
        self.bytes.len() + 4 * (self.starts.len() + self.ends.len() + self.implied.len())
    }

    /// How many records there are, implied directories and opaque marks included.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether the layer says nothing at all.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The directories that the tar did not list, in canonical order.
    pub fn implied(&self) -> impl Iterator<Item = &[u8]> {
        self.implied.iter().map(|&index| self.path(index as usize))
    }

    pub(crate) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        (0..self.len()).map(|index| self.record(index))
    }

    pub(crate) fn record(&self, index: usize) -> Record<'_> {
        let mut rest = &self.bytes[self.starts[index] as usize..self.starts[index + 1] as usize];
        Record::read(&mut rest).expect("every record was read once when the table was loaded")
    }

    /// The first record with that path: the thing itself, not an opaque mark beside it if there is more.
    pub(crate) fn find(&self, path: &[u8]) -> Option<usize> {
        self.find_within(0..self.len(), 0, path)
    }

    /// As [`Self::find`], when it is known to be among the records of a range.
    pub(crate) fn find_within(&self, range: Range<usize>, common: usize, path: &[u8]) -> Option<usize> {
        let (name, rest) = (path.get(common..)?, |index| self.path(index).get(common..).unwrap_or_default());
        let (mut low, mut high) = (range.start, range.end);
        while low < high {
            let middle = low + (high - low) / 2;
            match canonical_order(rest(middle), name) {
                Ordering::Less => low = middle + 1,
                _ => high = middle,
            }
        }
        (low < range.end && rest(low) == name).then_some(low)
    }

    /// The records inside of the directory at `index`.
    pub(crate) fn inside(&self, index: usize) -> Range<usize> {
        index + 1..self.ends[index] as usize
    }

    /// The record behind `index` that is not inside of it.
    pub(crate) fn next_beside(&self, index: usize) -> usize {
        self.ends[index] as usize
    }

    /// Whether the directory at `index` hides what the layers below have in it.
    pub(crate) fn is_opaque(&self, index: usize) -> bool {
        let next = index + 1;
        next < self.len() && self.path(next) == self.path(index) && self.kind_byte(next) == kind::OPAQUE
    }

    /// Whether the layer hides everything below it.
    pub(crate) fn root_is_opaque(&self) -> bool {
        !self.is_empty() && self.path(0).is_empty() && self.kind_byte(0) == kind::OPAQUE
    }

    /// The path of a record, without reading the rest of it.
    pub(crate) fn path(&self, index: usize) -> &[u8] {
        let mut rest = &self.bytes[self.starts[index] as usize + 1..self.starts[index + 1] as usize];
        numbers::text(&mut rest).expect("every record was read once when the table was loaded")
    }

    fn kind_byte(&self, index: usize) -> u8 {
        self.bytes[self.starts[index] as usize]
    }

    fn index(bytes: Vec<u8>) -> Option<Self> {
        u32::try_from(bytes.len()).ok()?;
        let mut rest = bytes.strip_prefix(MAGIC)?;
        let (mut starts, mut ends, mut implied) = (Vec::new(), Vec::new(), Vec::new());
        // The directories that the next record may be inside of.
        let mut open: Vec<(u32, &[u8])> = Vec::new();
        let mut before: Option<Record<'_>> = None;
        while !rest.is_empty() {
            let start = (bytes.len() - rest.len()) as u32;
            let index = starts.len() as u32;
            let record = Record::read(&mut rest)?;
            if before.is_some_and(|before| before.order(&record) != Ordering::Less) {
                return None;
            }
            while let Some(&(directory, path)) = open.last() {
                let is_its_mark = record.kind == RecordKind::Opaque && record.path == path;
                if is_inside(record.path, path) || is_its_mark {
                    break;
                }
                ends[directory as usize] = index;
                open.pop();
            }
            starts.push(start);
            ends.push(index + 1);
            if matches!(record.kind, RecordKind::Directory | RecordKind::Implied) {
                open.push((index, record.path));
            }
            if record.kind == RecordKind::Implied {
                implied.push(index);
            }
            before = Some(record);
        }
        let count = starts.len() as u32;
        for (directory, _) in open {
            ends[directory as usize] = count;
        }
        starts.push(bytes.len() as u32);
        Some(Self { bytes, starts, ends, implied })
    }
}

#[cfg(test)]
mod tests {
    use tug_oci::Digest;

    use super::*;
    use crate::entry::{EntryKind, Mtime, Xattrs};
    use crate::tar::Segment;

    fn entry(path: &str, kind: EntryKind) -> Entry {
        let xattrs = Xattrs::from([(b"user.note".to_vec(), b"a\0\n".to_vec())]);
        let mtime = Mtime { seconds: -5, nanos: 7 };
        Entry { path: path.into(), kind, mode: 0o4755, uid: 1, gid: u32::MAX - 1, mtime, xattrs }
    }

    fn sample() -> (Vec<Entry>, Toc) {
        let digest = Digest::of(b"hello");
        let entries = vec![
            entry("", EntryKind::Opaque),
            entry("a", EntryKind::Directory),
            entry("a", EntryKind::Opaque),
            entry("a/b", EntryKind::File { size: 5, digest, offset: 1024 }),
            entry("a/c", EntryKind::Symlink { target: b"\xff".to_vec() }),
            entry("a.x", EntryKind::HardLink { target: b"a/b".to_vec() }),
            entry("b", EntryKind::CharDevice { major: 1, minor: 3 }),
            entry("c", EntryKind::BlockDevice { major: 8, minor: 0 }),
            entry("d", EntryKind::Fifo),
            entry("f/g", EntryKind::Whiteout),
        ];
        let mut writer = TocWriter::new();
        for entry in &entries[..9] {
            writer.entry(entry, None).unwrap();
        }
        writer.implied(b"f").unwrap();
        writer.entry(&entries[9], None).unwrap();
        (entries, writer.finish())
    }

    #[test]
    fn what_was_written_is_read_and_found() {
        let (entries, toc) = sample();
        assert_eq!(toc.entries().collect::<Vec<_>>(), entries);
        assert_eq!(toc.implied().collect::<Vec<_>>(), [b"f"]);
        assert_eq!(toc.lookup(b"a/c").unwrap(), entries[4]);
        assert_eq!(toc.lookup(b"f"), None, "the layer says nothing about an implied directory");
        assert_eq!(toc.lookup(b"a/bb"), None);
        assert!(toc.root_is_opaque() && toc.is_opaque(1) && !toc.is_opaque(9));
    }

    #[test]
    fn a_directory_knows_where_it_ends() {
        let (_, toc) = sample();
        assert_eq!(toc.inside(1), 2..5);
        assert_eq!(toc.next_beside(1), 5);
        assert_eq!(toc.inside(9), 10..11);
        assert_eq!(toc.inside(5), 6..6);
    }

    #[test]
    fn the_pieces_of_sparse_files_are_kept() {
        let digest = Digest::of(b"hello");
        let mut writer = TocWriter::new();
        let kind = EntryKind::File { size: 5, digest, offset: 0 };
        let pieces = [Segment { offset: 4, length: 1 }];
        writer.entry(&entry("a", kind.clone()), Some(&pieces)).unwrap();
        writer.entry(&entry("b", kind.clone()), Some(&[])).unwrap();
        writer.entry(&entry("c", kind), None).unwrap();
        let toc = writer.finish();
        let found = toc.records().map(|record| match record.kind {
            RecordKind::File(facts) => facts.segments(),
            other => panic!("{other:?}"),
        });
        assert_eq!(found.collect::<Vec<_>>(), [Some(pieces.to_vec()), Some(vec![]), None]);
    }

    #[test]
    fn damaged_tables_are_refused_wherever_they_end() {
        let (_, toc) = sample();
        for end in 0..toc.as_bytes().len() {
            if let Ok(shorter) = Toc::from_bytes(toc.as_bytes()[..end].to_vec()) {
                assert!(shorter.len() < toc.len(), "cut at {end}");
            }
        }
        let mut bytes = toc.as_bytes().to_vec();
        bytes.extend_from_slice(&toc.as_bytes()[MAGIC.len()..]);
        assert!(Toc::from_bytes(bytes).is_err(), "out of order");
    }
}
