//! Files that a build may copy from: a folder on disk, the merged tree of layers, a download, or a part of one of these.
//!
//! Both look the same from here: items below a root, named by paths of bytes without a leading slash. Nothing outside
//! the root can be named: `..` stops at the root and symbolic links are resolved inside it.

mod folder;
mod layered;
mod part;
mod single;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use tug_layer_store::{FileIdentity, Mtime};
use tug_oci::Digest;

use crate::cancel::Cancel;
use crate::error::Error;

pub(crate) use folder::{Folder, IgnoreFile};
pub(crate) use layered::Layered;
pub(crate) use part::PartOf;
pub(crate) use single::SingleFile;

/// How many symbolic links may be followed for one path: more than Linux does, as many as Go and so docker.
const MOST_LINKS: usize = 255;

/// What an item is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ItemKind {
    Directory,
    File {
        size: u64,
    },
    Symlink {
        target: Vec<u8>,
    },
    Fifo,
    CharDevice {
        major: u32,
        minor: u32,
    },
    BlockDevice {
        major: u32,
        minor: u32,
    },
    /// Sockets have no content; docker copies them as empty files.
    Socket,
}

/// One file, directory or other thing below the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// From the root, without leading slash; empty for the root itself.
    pub path: Vec<u8>,
    pub kind: ItemKind,
    /// Permission bits, 07777.
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    pub mtime: Mtime,
    pub xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Items with the same value are names of one file.
    pub link: Option<(u64, u64)>,
    /// What tells whether a file on disk changed; `None` elsewhere.
    pub identity: Option<FileIdentity>,
    /// The digest of a file's content, once somebody has asked for it.
    pub digest: OnceLock<Digest>,
}

impl Item {
    pub(crate) fn is_directory(&self) -> bool {
        self.kind == ItemKind::Directory
    }

    /// The length of a file; 0 for anything else.
    pub(crate) fn size(&self) -> u64 {
        match self.kind {
            ItemKind::File { size } => size,
            _ => 0,
        }
    }

    /// The last part of the path.
    pub(crate) fn name(&self) -> &[u8] {
        name_of(&self.path)
    }
}

/// A tree of items.
pub(crate) trait Files: Send + Sync {
    /// The item at `path`, not following a link at its end; `None` when there is nothing or it is ignored.
    fn item(&self, path: &[u8]) -> Result<Option<Item>, Error>;

    /// What is in the directory at `path`, sorted by the bytes of the names.
    fn children(&self, path: &[u8]) -> Result<Vec<Arc<Item>>, Error>;

    /// Whether asking for the same children again costs nothing.
    fn remembers(&self) -> bool {
        false
    }

    /// The digest of a file's content.
    fn digest(&self, item: &Item, cancel: &Cancel) -> Result<Digest, Error>;

    /// The content of a file, not more of it than the item says.
    fn open(&self, item: &Item) -> Result<Box<dyn Read + Send>, Error>;

    /// A path as messages show it.
    fn shown(&self, path: &[u8]) -> PathBuf {
        Path::new("/").join(OsStr::from_bytes(path))
    }

    /// Looks anew at what may have changed.
    fn refresh(&self) {}

    /// Why `path`, which is on disk, is not among the items: for example ``excluded by `.dockerignore:4` ``.
    fn hidden(&self, _path: &[u8]) -> Option<String> {
        None
    }
}

#[cfg(test)]
impl Item {
    /// An item with nothing special about it.
    pub(crate) fn plain(path: &str, kind: ItemKind) -> Self {
        Self {
            path: path.as_bytes().to_vec(),
            kind,
            mode: 0o644,
            uid: 0,
            gid: 0,
            mtime: Mtime::EPOCH,
            xattrs: BTreeMap::new(),
            link: None,
            identity: None,
            digest: OnceLock::new(),
        }
    }
}

/// What it means that the content of `item` is not what it was.
pub(crate) fn changed(files: &dyn Files, item: &Item) -> Error {
    let path = files.shown(&item.path);
    match item.identity {
        Some(_) => Error::Changed { path },
        None => Error::Context(format!("`{}` is damaged in the store", path.display())),
    }
}

/// Whether reading failed because there is no file any more where one was.
pub(crate) fn is_another_thing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::IsADirectory | io::ErrorKind::WouldBlock)
}

/// Follows the links in `path`, the last one too, inside the root. What does not exist is kept as it is written.
pub(crate) fn resolve(files: &dyn Files, path: &[u8]) -> Result<Vec<u8>, Error> {
    resolve_by(&|path| Ok(files.item(path)?.map(|item| item.kind)), path)
}

/// Tells what is at a path.
type KindOf<'a> = dyn Fn(&[u8]) -> Result<Option<ItemKind>, Error> + 'a;

/// As [`resolve`], with the kind of each path asked of `kind_of`.
pub(crate) fn resolve_by(kind_of: &KindOf<'_>, path: &[u8]) -> Result<Vec<u8>, Error> {
    let mut resolved: Vec<u8> = Vec::new();
    let mut left: Vec<Vec<u8>> = components(path).rev().map(<[u8]>::to_vec).collect();
    let mut links = 0;
    while let Some(part) = left.pop() {
        if part == b".." {
            resolved.truncate(parent_of(&resolved).len());
            continue;
        }
        let next = join(&resolved, &part);
        match kind_of(&next)? {
            Some(ItemKind::Symlink { target }) => {
                links += 1;
                if links > MOST_LINKS {
                    let shown = String::from_utf8_lossy(path).into_owned();
                    return Err(Error::Context(format!("`{shown}` leads through a loop of symbolic links")));
                }
                if target.starts_with(b"/") {
                    resolved.clear();
                }
                left.extend(components(&target).rev().map(<[u8]>::to_vec));
            }
            _ => resolved = next,
        }
    }
    Ok(resolved)
}

/// The parts of a path without empty ones and `.`; `..` is kept.
pub(crate) fn components(path: &[u8]) -> impl DoubleEndedIterator<Item = &[u8]> {
    path.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".")
}

/// A path without `.`, `..` and doubled slashes; `..` stops at the root.
pub(crate) fn clean(path: &[u8]) -> Vec<u8> {
    let mut cleaned: Vec<u8> = Vec::new();
    for part in components(path) {
        match part {
            b".." => cleaned.truncate(parent_of(&cleaned).len()),
            part => cleaned = join(&cleaned, part),
        }
    }
    cleaned
}

/// `directory/name`, or `name` in the root.
pub(crate) fn join(directory: &[u8], name: &[u8]) -> Vec<u8> {
    match (directory.is_empty(), name.is_empty()) {
        (true, _) => name.to_vec(),
        (_, true) => directory.to_vec(),
        _ => [directory, b"/", name].concat(),
    }
}

/// Everything before the last slash; empty in the root.
pub(crate) fn parent_of(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').map_or(&[], |slash| &path[..slash])
}

/// Everything behind the last slash.
pub(crate) fn name_of(path: &[u8]) -> &[u8] {
    path.iter().rposition(|byte| *byte == b'/').map_or(path, |slash| &path[slash + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_cleaned_away_and_stop_at_the_root() {
        for (path, expected) in
            [("/a//b/./c", "a/b/c"), ("a/../../b", "b"), ("../..", ""), ("./", ""), ("a/b/..", "a")]
        {
            assert_eq!(clean(path.as_bytes()), expected.as_bytes(), "{path}");
        }
    }

    #[test]
    fn a_path_is_its_parent_and_its_name() {
        assert_eq!((parent_of(b"a/b/c"), name_of(b"a/b/c")), (&b"a/b"[..], &b"c"[..]));
        assert_eq!((parent_of(b"a"), name_of(b"a")), (&b""[..], &b"a"[..]));
    }
}
