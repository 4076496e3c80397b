//! One record of a table of contents, looked at in place.

use std::cmp::Ordering;

use tug_oci::Digest;

use super::numbers::{number, number_32, signed, text};
use crate::entry::{Entry, EntryKind, Mtime, Xattrs, canonical_order};
use crate::tar::Segment;

/// One record, looked at in place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) kind: RecordKind<'a>,
    pub(crate) path: &'a [u8],
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: Mtime,
    pub(super) xattr_count: u32,
    pub(super) xattrs: &'a [u8],
}

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKind<'a> {
    Directory,
    /// A directory that the tar does not list.
    Implied,
    File(FileFacts<'a>),
    Symlink(&'a [u8]),
    HardLink(&'a [u8]),
    CharDevice(u32, u32),
    BlockDevice(u32, u32),
    Fifo,
    Whiteout,
    Opaque,
}

/// What is known about a regular file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileFacts<'a> {
    pub(crate) size: u64,
    pub(crate) offset: u64,
    pub(crate) sha256: &'a [u8; 32],
    /// One more than there are, so that a file which is one hole differs from a plain one; 0 for a plain one.
    pub(super) segment_count: u32,
    pub(super) segments: &'a [u8],
}

impl<'a> Record<'a> {
    /// An owned copy; `None` for an implied directory, about which the layer says nothing.
    pub(crate) fn to_entry(self) -> Option<Entry> {
        Some(Entry {
            path: self.path.to_vec(),
            kind: self.kind.to_entry_kind()?,
            mode: self.mode,
            uid: self.uid,
            gid: self.gid,
            mtime: self.mtime,
            xattrs: self.xattrs(),
        })
    }

    pub(crate) fn xattrs(&self) -> Xattrs {
        self.xattr_pairs().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
    }

    /// Names and values of the attributes, where they are.
    pub(crate) fn xattr_pairs(&self) -> impl Iterator<Item = (&'a [u8], &'a [u8])> + use<'a> {
        let mut rest = self.xattrs;
        (0..self.xattr_count).map_while(move |_| Some((text(&mut rest)?, text(&mut rest)?)))
    }

    pub(crate) fn is_directory(&self) -> bool {
        matches!(self.kind, RecordKind::Directory | RecordKind::Implied)
    }

    /// Where it stands in a table compared with another record.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        let is_mark = |record: &Self| record.kind == RecordKind::Opaque;
        canonical_order(self.path, other.path).then_with(|| is_mark(self).cmp(&is_mark(other)))
    }

    pub(super) fn read(rest: &mut &'a [u8]) -> Option<Self> {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        let path = text(rest)?;
        let (mode, uid, gid) = (number_32(rest)?, number_32(rest)?, number_32(rest)?);
        let mtime = Mtime { seconds: signed(rest)?, nanos: number_32(rest)? };
        let kind = RecordKind::read(byte, rest)?;
        let xattr_count = number_32(rest)?;
        let begin = *rest;
        for _ in 0..xattr_count {
            text(rest)?;
            text(rest)?;
        }
        let xattrs = &begin[..begin.len() - rest.len()];
        Some(Self { kind, path, mode, uid, gid, mtime, xattr_count, xattrs })
    }
}

/// The byte that a record begins with.
pub(super) mod kind {
    pub(in crate::toc) const DIRECTORY: u8 = 1;
    pub(in crate::toc) const IMPLIED: u8 = 2;
    pub(in crate::toc) const FILE: u8 = 3;
    pub(in crate::toc) const SYMLINK: u8 = 4;
    pub(in crate::toc) const HARD_LINK: u8 = 5;
    pub(in crate::toc) const CHAR_DEVICE: u8 = 6;
    pub(in crate::toc) const BLOCK_DEVICE: u8 = 7;
    pub(in crate::toc) const FIFO: u8 = 8;
    pub(in crate::toc) const WHITEOUT: u8 = 9;
    pub(in crate::toc) const OPAQUE: u8 = 10;
}

impl<'a> RecordKind<'a> {
    pub(crate) fn to_entry_kind(self) -> Option<EntryKind> {
        Some(match self {
            Self::Implied => return None,
            Self::Directory => EntryKind::Directory,
            Self::File(facts) => EntryKind::File {
                size: facts.size,
                digest: Digest::from_sha256(facts.sha256),
                offset: facts.offset,
            },
            Self::Symlink(target) => EntryKind::Symlink { target: target.to_vec() },
            Self::HardLink(target) => EntryKind::HardLink { target: target.to_vec() },
            Self::CharDevice(major, minor) => EntryKind::CharDevice { major, minor },
            Self::BlockDevice(major, minor) => EntryKind::BlockDevice { major, minor },
            Self::Fifo => EntryKind::Fifo,
            Self::Whiteout => EntryKind::Whiteout,
            Self::Opaque => EntryKind::Opaque,
        })
    }

    fn read(byte: u8, rest: &mut &'a [u8]) -> Option<Self> {
        Some(match byte {
            kind::DIRECTORY => Self::Directory,
            kind::IMPLIED => Self::Implied,
            kind::FILE => {
                let (size, offset) = (number(rest)?, number(rest)?);
                let (sha256, after) = rest.split_first_chunk::<32>()?;
                *rest = after;
                let segment_count = number_32(rest)?;
                let begin = *rest;
                for _ in 0..segment_count.saturating_sub(1) {
                    number(rest)?;
                    number(rest)?;
                }
                let segments = &begin[..begin.len() - rest.len()];
                Self::File(FileFacts { size, offset, sha256, segment_count, segments })
            }
            kind::SYMLINK => Self::Symlink(text(rest)?),
            kind::HARD_LINK => Self::HardLink(text(rest)?),
            kind::CHAR_DEVICE => Self::CharDevice(number_32(rest)?, number_32(rest)?),
            kind::BLOCK_DEVICE => Self::BlockDevice(number_32(rest)?, number_32(rest)?),
            kind::FIFO => Self::Fifo,
            kind::WHITEOUT => Self::Whiteout,
            kind::OPAQUE => Self::Opaque,
            _ => return None,
        })
    }
}

impl FileFacts<'_> {
    /// The pieces of a sparse file that the tar holds; `None` when it holds all of it.
    pub(crate) fn segments(&self) -> Option<Vec<Segment>> {
        let mut rest = self.segments;
        let mut next = || Some(Segment { offset: number(&mut rest)?, length: number(&mut rest)? });
        let count = self.segment_count.checked_sub(1)?;
        Some((0..count).map_while(|_| next()).collect())
    }
}
