//! What stands in a list: both kinds have the words of stargz's.
//!
//! A file is an entry `reg` and one of kind `chunk` for each further piece. A piece ends at the latest where another one
//! begins. Everything comes from a stranger: a list that is odd in any way is none.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use tug_oci::{Algorithm, Digest};

use super::place::List;
use crate::entry::{EntryKind, Mtime, NewEntry, NewEntryKind};
use crate::layer::Inventory;
use crate::tar::{self, Limits};
use crate::toc::{Toc, sha256_of};
use crate::tree::Attributes;
use crate::xattr;

/// A piece is read into memory. Writers make them of 4 MiB at most.
const LONGEST_PIECE: u64 = 16 << 20;
/// Linux has no longer targets.
const LONGEST_SYMLINK: usize = 4095;

/// Where the content of the files is.
#[derive(Debug, Default)]
pub(super) struct Files {
    contents: Vec<Content>,
    pieces: Vec<Piece>,
    /// The list, if it is a file of the layer.
    text: Vec<u8>,
}

/// The content of one file.
#[derive(Clone, Debug)]
pub(super) enum Content {
    /// These pieces.
    Pieces(Range<usize>),
    /// The list itself.
    Text,
}

/// Some content of a file.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) size: u64,
    pub(super) source: Source,
}

#[derive(Debug)]
pub(super) enum Source {
    /// It is zeros.
    Zeros,
    /// It is in a gzip member or zstd frame of the layer, `inner` bytes behind its beginning.
    Frame { offset: u64, end: u64, inner: u64, sha256: [u8; 32] },
}

impl Files {
    pub(super) fn content(&self, number: usize) -> Option<Content> {
        self.contents.get(number).cloned()
    }

    pub(super) fn piece(&self, number: usize) -> &Piece {
        &self.pieces[number]
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text
    }
}

#[cfg(feature = "fuzzing")]
impl Files {
    /// How many files the table has, if each has pieces of its length that are within the first `end` bytes.
    pub(super) fn check(&self, toc: &Toc, end: u64) -> Result<usize, String> {
        let mut count = 0;
        for record in toc.records() {
            let crate::toc::RecordKind::File(facts) = record.kind else { continue };
            let path = String::from_utf8_lossy(record.path);
            let number = usize::try_from(facts.offset).ok().and_then(|number| self.content(number));
            let Some(Content::Pieces(pieces)) = number else { return Err(format!("{path} has no pieces")) };
            let mut size = 0_u64;
            for piece in &self.pieces[pieces] {
                size += piece.size;
                if let Source::Frame { offset, end: last, inner, .. } = piece.source
                    && (offset >= last || last > end || inner + piece.size > LONGEST_PIECE)
                {
                    return Err(format!("{path} has a piece at {offset} to {last} of {end}"));
                }
            }
            if size != facts.size {
                return Err(format!("{path} is {} bytes long, its pieces {size}", facts.size));
            }
            if path.split('/').any(|part| matches!(part, "" | "." | "..")) {
                return Err(format!("{path} leads elsewhere"));
            }
            count += 1;
        }
        Ok(count)
    }
}

/// Table of contents and places; `None` when something is odd.
pub(super) fn read(list: List) -> Option<(Toc, Files)> {
    let mut reader =
        Reader { inventory: Inventory::new(None), files: Files::default(), open: None, count: 0 };
    let mut json = serde_json::Deserializer::from_slice(&list.text);
    reader.list(&mut json).ok()?;
    json.end().ok()?;
    reader.close()?;
    if let Some(entry) = list.itself {
        reader.files.contents.push(Content::Text);
        reader.file(entry, Digest::of(&list.text))?;
        reader.files.text = list.text;
    }
    let Reader { inventory, mut files, .. } = reader;
    settle_ends(&mut files.pieces, list.end)?;
    let (toc, _) = inventory.finish().ok()?;
    Some((toc, files))
}

/// Lets each piece end where the next one begins, at the latest where content ends.
fn settle_ends(pieces: &mut [Piece], last: u64) -> Option<()> {
    let offset = |piece: &Piece| match piece.source {
        Source::Frame { offset, .. } => Some(offset),
        Source::Zeros => None,
    };
    let mut offsets: Vec<u64> = pieces.iter().filter_map(offset).collect();
    offsets.sort_unstable();
    offsets.dedup();
    for piece in pieces {
        if let Source::Frame { offset, end, .. } = &mut piece.source {
            let next = offsets.partition_point(|other| *other <= *offset);
            *end = (*end).min(offsets.get(next).copied().unwrap_or(last)).min(last);
            if *offset == 0 || *offset >= *end {
                return None;
            }
        }
    }
    Some(())
}

struct Reader {
    inventory: Inventory,
    files: Files,
    /// The file whose pieces come.
    open: Option<Open>,
    count: u64,
}

struct Open {
    entry: NewEntry,
    name: String,
    size: u64,
    digest: Option<Digest>,
    end: u64,
    first: usize,
    /// How much of it the pieces so far are.
    done: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
struct Line {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    link_name: String,
    mode: i64,
    size: u64,
    uid: u32,
    gid: u32,
    modtime: Option<String>,
    dev_major: u32,
    dev_minor: u32,
    xattrs: Option<BTreeMap<String, String>>,
    digest: String,
    offset: u64,
    end_offset: u64,
    inner_offset: u64,
    chunk_size: u64,
    chunk_offset: u64,
    chunk_digest: String,
    chunk_type: String,
}

impl Reader {
    fn list<'de, D: Deserializer<'de>>(&mut self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(Top(self))
    }

    fn line(&mut self, line: &Line) -> Option<()> {
        if line.kind == "chunk" {
            return self.piece(line);
        }
        self.close()?;
        self.count += 1;
        if self.count > Limits::default().entries {
            return None;
        }
        let entry = entry(line)?;
        if let NewEntryKind::File { size } = entry.kind {
            let digest = if line.digest.is_empty() { None } else { Some(sha256(&line.digest)?) };
            let (first, end) =
                (self.files.pieces.len(), if line.end_offset == 0 { u64::MAX } else { line.end_offset });
            self.open = Some(Open { entry, name: line.name.clone(), size, digest, end, first, done: 0 });
            return if size == 0 { Some(()) } else { self.piece(line) };
        }
        self.inventory.take(entry).ok()?.is_none().then_some(())
    }

    /// The next piece of the file that is open.
    fn piece(&mut self, line: &Line) -> Option<()> {
        let open = self.open.as_mut()?;
        let left = open.size.checked_sub(open.done)?;
        let size = if line.chunk_size == 0 { left } else { line.chunk_size };
        let is_next = line.chunk_offset == open.done
            && (line.kind == "reg" || line.name == open.name || line.name.is_empty());
        if size == 0 || size > left || !is_next {
            return None;
        }
        let source = match line.chunk_type.as_str() {
            "zeros" => Source::Zeros,
            "" if line.inner_offset.checked_add(size)? <= LONGEST_PIECE => {
                // A file in one piece need not say twice what is in it.
                let digest = match line.chunk_digest.as_str() {
                    "" if size == open.size => open.digest.clone()?,
                    digest => sha256(digest)?,
                };
                let (offset, inner) = (line.offset, line.inner_offset);
                Source::Frame { offset, end: open.end, inner, sha256: sha256_of(&digest) }
            }
            _ => return None,
        };
        open.done += size;
        self.files.pieces.push(Piece { size, source });
        Some(())
    }

    /// The file that is open has all its pieces.
    fn close(&mut self) -> Option<()> {
        let Some(open) = self.open.take() else { return Some(()) };
        if open.done != open.size {
            return None;
        }
        let digest = match open.digest {
            Some(digest) => digest,
            None if open.size == 0 => Digest::of(b""),
            None => return None,
        };
        self.files.contents.push(Content::Pieces(open.first..self.files.pieces.len()));
        self.file(open.entry, digest)
    }

    /// Takes in the file that the last content belongs to.
    fn file(&mut self, entry: NewEntry, digest: Digest) -> Option<()> {
        let NewEntryKind::File { size } = entry.kind else { return None };
        let Some(entry) = self.inventory.take(entry).ok()? else { return Some(()) };
        let offset = self.files.contents.len() as u64 - 1;
        let NewEntry { path, mode, uid, gid, mtime, xattrs, .. } = entry;
        let attributes = Attributes { mode, uid, gid, mtime, xattrs: xattr::kept(&xattrs).into_owned() };
        self.inventory.before_file(&path).ok()?;
        self.inventory.add_file(path, EntryKind::File { size, digest, offset }, None, attributes);
        Some(())
    }
}

/// By the rules for tars.
fn entry(line: &Line) -> Option<NewEntry> {
    let path = tar::clean(line.name.as_bytes(), &Limits::default()).ok()?;
    let kind = match line.kind.as_str() {
        "dir" => NewEntryKind::Directory,
        "reg" => NewEntryKind::File { size: line.size },
        "symlink" => {
            let target = line.link_name.clone().into_bytes();
            if target.is_empty() || target.len() > LONGEST_SYMLINK || target.contains(&0) {
                return None;
            }
            NewEntryKind::Symlink { target }
        }
        "hardlink" => {
            let target = tar::clean(line.link_name.as_bytes(), &Limits::default()).ok()?;
            if target.is_empty() || target == path {
                return None;
            }
            NewEntryKind::HardLink { target }
        }
        "char" => NewEntryKind::CharDevice { major: line.dev_major, minor: line.dev_minor },
        "block" => NewEntryKind::BlockDevice { major: line.dev_major, minor: line.dev_minor },
        "fifo" => NewEntryKind::Fifo,
        _ => return None,
    };
    let is_odd = path.is_empty() && kind != NewEntryKind::Directory
        || line.uid == u32::MAX
        || line.gid == u32::MAX
        || line.dev_major > 0xfff
        || line.dev_minor > 0xf_ffff;
    if is_odd {
        return None;
    }
    let mut entry = NewEntry::new(path, kind, (line.mode & 0o7777) as u32);
    (entry.uid, entry.gid) = (line.uid, line.gid);
    if let Some(time) = line.modtime.as_deref().filter(|time| !time.is_empty()) {
        entry.mtime = mtime(time)?;
    }
    for (name, value) in line.xattrs.iter().flatten() {
        entry.xattrs.insert(name.clone().into_bytes(), BASE64_STANDARD.decode(value).ok()?);
    }
    Some(entry)
}

/// From RFC 3339.
fn mtime(text: &str) -> Option<Mtime> {
    let time: Timestamp = text.parse().ok()?;
    // What is before 1970 counts backwards in both numbers.
    let nanos = time.subsec_nanosecond();
    let (seconds, nanos) = if nanos < 0 { (-1, nanos + 1_000_000_000) } else { (0, nanos) };
    Some(Mtime { seconds: time.as_second() + seconds, nanos: u32::try_from(nanos).ok()? })
}

fn sha256(text: &str) -> Option<Digest> {
    text.parse().ok().filter(|digest: &Digest| digest.algorithm() == Algorithm::Sha256)
}

/// The object that a list is. Entries are taken one by one, so that they are never all in memory.
struct Top<'a>(&'a mut Reader);

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of the contents of a layer")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let (mut version, mut is_listed) = (0, false);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "version" => version = map.next_value::<u64>()?,
                "entries" if is_listed => return Err(A::Error::custom("two lists of entries")),
                "entries" => {
                    is_listed = true;
                    map.next_value_seed(Lines(&mut *self.0))?;
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        match (version, is_listed) {
            (1, true) => Ok(()),
            _ => Err(A::Error::custom("another version")),
        }
    }
}

struct Lines<'a>(&'a mut Reader);

impl<'de> DeserializeSeed<'de> for Lines<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Lines<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a list of entries")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while let Some(line) = seq.next_element::<Line>()? {
            self.0.line(&line).ok_or_else(|| A::Error::custom("an odd entry"))?;
        }
        Ok(())
    }
}
