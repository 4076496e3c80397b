//! Entries: what a layer says about one path.
//!
//! Paths are bytes: Linux asks nothing more of names than that they hold no `/` and no NUL, and layers come with names
//! in any encoding. They have no leading and no trailing slash, no `.` and no `..`; the empty path is the root.
//!
//! Entries stand in *canonical order*: a directory before what is in it, names compared byte by byte inside each
//! directory. That is the order in which a walk meets them, and the order of our own tars.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use tug_oci::Digest;

/// Extended attributes: full name to value.
pub type Xattrs = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a layer says about one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The path, see the module. For a whiteout, what it removes; for an opaque mark, the directory.
    pub path: Vec<u8>,
    /// What is there.
    pub kind: EntryKind,
    /// Permissions: the lowest twelve bits (`07777`).
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// When the content changed.
    pub mtime: Mtime,
    /// Extended attributes that layers keep: `user.*` and `security.capability`.
    pub xattrs: Xattrs,
}

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum EntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// The length in bytes, holes included.
        size: u64,
        /// The digest of the content, holes included.
        digest: Digest,
        /// Where the data begin in the plain tar. A sparse file of a foreign tar lies there without its holes.
        offset: u64,
    },
    /// A symbolic link.
    Symlink {
        /// What it holds, any bytes.
        target: Vec<u8>,
    },
    /// One more name for a file that this layer has under another path.
    HardLink {
        /// The path of the file, see the module.
        target: Vec<u8>,
    },
    /// A character device.
    CharDevice {
        /// The major number.
        major: u32,
        /// The minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// The major number.
        major: u32,
        /// The minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
    /// The path is removed from the layers below.
    Whiteout,
    /// Everything that the layers below have in the directory is removed.
    Opaque,
}

impl Entry {
    /// The same as something to be written, of another kind maybe.
    pub(crate) fn to_new(&self, kind: NewEntryKind) -> NewEntry {
        let Self { path, mode, uid, gid, mtime, xattrs, .. } = self.clone();
        NewEntry { path, kind, mode, uid, gid, mtime, xattrs }
    }
}

impl EntryKind {
    /// The same as something to be written; `None` for what is never seen in a view, which has resolved it.
    pub(crate) fn to_new(&self) -> Option<NewEntryKind> {
        Some(match self {
            Self::Directory => NewEntryKind::Directory,
            Self::File { size, .. } => NewEntryKind::File { size: *size },
            Self::Symlink { target } => NewEntryKind::Symlink { target: target.clone() },
            Self::CharDevice { major, minor } => NewEntryKind::CharDevice { major: *major, minor: *minor },
            Self::BlockDevice { major, minor } => NewEntryKind::BlockDevice { major: *major, minor: *minor },
            Self::Fifo => NewEntryKind::Fifo,
            Self::HardLink { .. } | Self::Whiteout | Self::Opaque => return None,
        })
    }
}

/// An entry to be written, or just read from a tar: as [`Entry`], but the content has not been seen yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// The path, see the module.
    pub path: Vec<u8>,
    /// What is there.
    pub kind: NewEntryKind,
    /// Permissions: the lowest twelve bits (`07777`).
    pub mode: u32,
    /// The owner.
    pub uid: u32,
    /// The group.
    pub gid: u32,
    /// When the content changed. Layers that we write hold whole seconds; the rest is cut off.
    pub mtime: Mtime,
    /// Extended attributes.
    pub xattrs: Xattrs,
}

/// What is to be at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NewEntryKind {
    /// A directory.
    Directory,
    /// A regular file.
    File {
        /// The length in bytes.
        size: u64,
    },
    /// A symbolic link.
    Symlink {
        /// What it holds: any bytes but NUL, not empty.
        target: Vec<u8>,
    },
    /// One more name for a file that was written before.
    HardLink {
        /// The path of the file.
        target: Vec<u8>,
    },
    /// A character device.
    CharDevice {
        /// The major number.
        major: u32,
        /// The minor number.
        minor: u32,
    },
    /// A block device.
    BlockDevice {
        /// The major number.
        major: u32,
        /// The minor number.
        minor: u32,
    },
    /// A named pipe.
    Fifo,
    /// The path is removed from the layers below.
    Whiteout,
}

impl NewEntry {
    /// A directory of the root user, changed at the epoch, with no attributes.
    pub fn directory(path: impl Into<Vec<u8>>, mode: u32) -> Self {
        Self::new(path.into(), NewEntryKind::Directory, mode)
    }

    /// A regular file of the root user, changed at the epoch, with no attributes.
    pub fn file(path: impl Into<Vec<u8>>, mode: u32, size: u64) -> Self {
        Self::new(path.into(), NewEntryKind::File { size }, mode)
    }

    /// A symbolic link of the root user, changed at the epoch.
    pub fn symlink(path: impl Into<Vec<u8>>, target: impl Into<Vec<u8>>) -> Self {
        Self::new(path.into(), NewEntryKind::Symlink { target: target.into() }, 0o777)
    }

    /// The removal of a path of the layers below.
    pub fn whiteout(path: impl Into<Vec<u8>>) -> Self {
        Self::new(path.into(), NewEntryKind::Whiteout, 0)
    }

    /// Anything of the root user, changed at the epoch, with no attributes.
    pub fn new(path: Vec<u8>, kind: NewEntryKind, mode: u32) -> Self {
        Self { path, kind, mode, uid: 0, gid: 0, mtime: Mtime::EPOCH, xattrs: Xattrs::new() }
    }
}

impl NewEntryKind {
    /// The same, before the content of a file was seen: its digest is that of nothing, its place unknown.
    pub(crate) fn without_content(&self) -> EntryKind {
        match self {
            Self::Directory => EntryKind::Directory,
            Self::File { size } => EntryKind::File { size: *size, digest: Digest::of(b""), offset: 0 },
            Self::Symlink { target } => EntryKind::Symlink { target: target.clone() },
            Self::HardLink { target } => EntryKind::HardLink { target: target.clone() },
            Self::CharDevice { major, minor } => EntryKind::CharDevice { major: *major, minor: *minor },
            Self::BlockDevice { major, minor } => EntryKind::BlockDevice { major: *major, minor: *minor },
            Self::Fifo => EntryKind::Fifo,
            Self::Whiteout => EntryKind::Whiteout,
        }
    }
}

/// When a file was changed: seconds since 1970 and nanoseconds after them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mtime {
    /// Whole seconds since 1970, negative before.
    pub seconds: i64,
    /// Nanoseconds after that second, below 1 000 000 000.
    pub nanos: u32,
}

impl Mtime {
    /// The first second of 1970.
    pub const EPOCH: Self = Self { seconds: 0, nanos: 0 };

    /// A whole second.
    pub fn from_seconds(seconds: i64) -> Self {
        Self { seconds, nanos: 0 }
    }

    /// As layers that we write hold it: whole seconds, and not after `limit`.
    #[must_use]
    pub fn whole_seconds(self, limit: Option<i64>) -> Self {
        Self::from_seconds(limit.map_or(self.seconds, |limit| limit.min(self.seconds)))
    }
}

/// Compares two paths by canonical order, see the module.
pub fn canonical_order(left: &[u8], right: &[u8]) -> Ordering {
    let differ = left.iter().zip(right).position(|(left, right)| left != right);
    match differ {
        None => left.len().cmp(&right.len()),
        Some(at) => match (left[at], right[at]) {
            (b'/', _) => Ordering::Less,
            (_, b'/') => Ordering::Greater,
            (left, right) => left.cmp(&right),
        },
    }
}

/// The directory that `path` is in, and its name there. The root has no name.
pub(crate) fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|&byte| byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (b"", path),
    }
}

/// `directory/name`, or `name` in the root.
pub(crate) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(directory.len() + 1 + name.len());
    path.extend_from_slice(directory);
    if !directory.is_empty() {
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// Whether `path` is inside of `directory`, at whatever depth.
pub(crate) fn is_inside(path: &[u8], directory: &[u8]) -> bool {
    directory.is_empty() && !path.is_empty()
        || path.len() > directory.len() && path.starts_with(directory) && path[directory.len()] == b'/'
}

/// A path as people may read it: printable, and not endless.
pub(crate) fn shown(path: &[u8]) -> String {
    const LONGEST: usize = 200;
    let text = String::from_utf8_lossy(&path[..path.len().min(LONGEST)]);
    let mut shown: String =
        text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if path.len() > LONGEST {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_comes_before_what_is_in_it_and_that_before_its_neighbours() {
        let mut paths: Vec<&[u8]> = vec![b"a.b", b"a/b", b"a", b"b", b"a-", b"", b"a/b/c", b"a/b.c"];
        paths.sort_by(|left, right| canonical_order(left, right));
        assert_eq!(paths, [b"" as &[u8], b"a", b"a/b", b"a/b/c", b"a/b.c", b"a-", b"a.b", b"b"]);
    }

    #[test]
    fn being_inside_is_about_whole_names() {
        assert!(is_inside(b"a/b", b"a"));
        assert!(is_inside(b"a", b""));
        for (path, directory) in [(b"ab" as &[u8], b"a" as &[u8]), (b"a", b"a"), (b"", b""), (b"a", b"a/b")] {
            assert!(!is_inside(path, directory));
        }
    }

    #[test]
    fn times_are_cut_to_seconds_and_held_below_the_limit() {
        let time = Mtime { seconds: -2, nanos: 999_999_999 };
        assert_eq!(time.whole_seconds(None), Mtime::from_seconds(-2));
        assert_eq!(time.whole_seconds(Some(-9)), Mtime::from_seconds(-9));
    }

    #[test]
    fn names_that_would_move_the_cursor_are_shown_harmlessly() {
        assert_eq!(shown(b"a\x1b[2Jb\n\xff"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}");
        assert!(shown(&[b'x'; 5000]).len() < 210);
    }
}
