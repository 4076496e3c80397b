//! The manifest of `zstd:chunked`: what is in the tar, and where in the compressed stream.

use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use jiff::Timestamp;
use serde::Serialize;
use tug_oci::Digest;

use crate::entry::{Mtime, NewEntry, NewEntryKind};
use crate::tar::Raw;

const LEVEL: i32 = 3;

/// An entry of the tar in the words of the manifest.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Described {
    #[serde(rename = "type")]
    kind: &'static str,
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    link_name: String,
    #[serde(skip_serializing_if = "is_default")]
    mode: i64,
    #[serde(skip_serializing_if = "is_default")]
    size: u64,
    #[serde(skip_serializing_if = "is_default")]
    uid: u32,
    #[serde(skip_serializing_if = "is_default")]
    gid: u32,
    #[serde(skip_serializing_if = "Option::is_none", rename = "modtime")]
    mtime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "accesstime")]
    atime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", rename = "changetime")]
    ctime: Option<String>,
    #[serde(skip_serializing_if = "is_default")]
    dev_major: u32,
    #[serde(skip_serializing_if = "is_default")]
    dev_minor: u32,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    xattrs: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<Digest>,
    #[serde(skip_serializing_if = "is_default")]
    offset: u64,
    #[serde(skip_serializing_if = "is_default")]
    end_offset: u64,
    #[serde(skip_serializing_if = "is_default")]
    chunk_size: u64,
    #[serde(skip_serializing_if = "is_default")]
    chunk_offset: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    chunk_digest: Option<Digest>,
}

/// One frame with content of a file.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// Of what is in it.
    pub(super) digest: Digest,
    pub(super) size: u64,
    /// Where the frame is in the compressed stream.
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Described {
    /// `None` when the manifest has no words for it. Names and modes are as in the header, for readers compare them with
    /// tar-split, and refuse a layer where they differ.
    pub(super) fn of(entry: &NewEntry, raw: &Raw) -> Option<Self> {
        if !raw.is_common {
            return None;
        }
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        let mut made = Self { name: text(&raw.name)?, mode: raw.mode, ..Self::default() };
        (made.uid, made.gid) = (entry.uid, entry.gid);
        made.mtime = Some(time(entry.mtime)?);
        made.atime = raw.atime.map(time).map_or(Some(None), |time| time.map(Some))?;
        made.ctime = raw.ctime.map(time).map_or(Some(None), |time| time.map(Some))?;
        for (key, value) in &entry.xattrs {
            made.xattrs.insert(text(key)?, BASE64_STANDARD.encode(value));
        }
        made.kind = match &entry.kind {
            NewEntryKind::File { size } => {
                made.size = *size;
                "reg"
            }
            NewEntryKind::Directory => "dir",
            NewEntryKind::Symlink { .. } => {
                made.link_name = text(&raw.link)?;
                "symlink"
            }
            NewEntryKind::HardLink { .. } => {
                made.link_name = text(&raw.link)?;
                "hardlink"
            }
            NewEntryKind::CharDevice { major, minor } => {
                (made.dev_major, made.dev_minor) = (*major, *minor);
                "char"
            }
            NewEntryKind::BlockDevice { major, minor } => {
                (made.dev_major, made.dev_minor) = (*major, *minor);
                "block"
            }
            NewEntryKind::Fifo => "fifo",
            _ => return None,
        };
        Some(made)
    }
}

/// The manifest in the making, compressed as it grows.
pub(super) struct Toc {
    out: zstd::Encoder<'static, Vec<u8>>,
    length: u64,
    is_first: bool,
    /// Hashes of the names so far: readers take no list that has one twice.
    names: HashSet<u64>,
}

impl Toc {
    pub(super) fn new() -> io::Result<Self> {
        let out = zstd::Encoder::new(Vec::new(), LEVEL)?;
        let mut toc = Self { out, length: 0, is_first: true, names: HashSet::new() };
        toc.write(br#"{"version":1,"entries":["#)?;
        Ok(toc)
    }

    /// Adds an entry; `digest` is that of its whole content. `false` when it has one of that name.
    pub(super) fn add(
        &mut self,
        entry: Described,
        digest: Option<Digest>,
        pieces: &[Piece],
    ) -> io::Result<bool> {
        // The keys of this hasher are always the same, so the same tar gives the same bytes.
        let mut hasher = DefaultHasher::new();
        entry.name.hash(&mut hasher);
        if !self.names.insert(hasher.finish()) {
            return Ok(false);
        }
        let mut main = entry;
        main.digest = digest;
        if let [first, .., last] | [first @ last] = pieces {
            (main.offset, main.end_offset) = (first.start, last.end);
        }
        let mut chunk_offset = 0;
        let name = main.name.clone();
        for (number, piece) in pieces.iter().enumerate() {
            let mut described = match number {
                0 => std::mem::take(&mut main),
                _ => Described { kind: "chunk", name: name.clone(), chunk_offset, ..Described::default() },
            };
            if pieces.len() > 1 {
                (described.offset, described.chunk_size) = (piece.start, piece.size);
                described.chunk_digest = Some(piece.digest.clone());
            }
            chunk_offset += piece.size;
            self.entry(&described)?;
        }
        if pieces.is_empty() {
            self.entry(&main)?;
        }
        Ok(true)
    }

    /// The compressed manifest, and its length without compression.
    pub(super) fn finish(mut self, tar_split: &Digest) -> io::Result<(Vec<u8>, u64)> {
        self.write(format!(r#"],"tarSplitDigest":"{tar_split}"}}"#).as_bytes())?;
        Ok((self.out.finish()?, self.length))
    }

    fn entry(&mut self, entry: &Described) -> io::Result<()> {
        let text = serde_json::to_vec(entry)?;
        if !std::mem::take(&mut self.is_first) {
            self.write(b",")?;
        }
        self.write(&text)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.length += bytes.len() as u64;
        self.out.write_all(bytes)
    }
}

/// RFC 3339, within the years that it has.
fn time(time: Mtime) -> Option<String> {
    let text = Timestamp::new(time.seconds, i32::try_from(time.nanos).ok()?).ok()?.to_string();
    (!text.starts_with('-')).then_some(text)
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
