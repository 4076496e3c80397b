//! Caches from an archive that [`Store::export_caches`] has written, or that somebody says it has.
//!
//! An archive is unpacked beside the caches, through directory descriptors, and refused as a whole when anything in it
//! is not what we write: a name outside of the listed caches, a path through a link, a device, a hard link into another
//! cache, something that comes twice. Only then it takes the place of what was there, or is merged into it.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, openat, renameat, statat, unlinkat};
use rustix::io::Errno;

use super::export::{LIST, List, VERSION};
use super::{CacheId, CacheSharing};
use crate::archive::ArchiveError;
use crate::compression::{Decompressed, DecompressionLimits};
use crate::entry::{NewEntry, NewEntryKind, shown};
use crate::error::{Error, Result, failed};
use crate::store::Store;
use crate::tar::{Limits, TarError, TarReader};
use crate::tree::{Attributes, TreeWriter};

const MOST_CACHES: usize = 10_000;
const LARGEST_LIST: u64 = 16 << 20;
const BUFFER: usize = 256 * 1024;

/// What becomes of what a cache holds already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// It stays where the archive has nothing.
    Into,
    /// It goes.
    Replace,
}

/// One cache of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedCache {
    /// Which one.
    pub id: CacheId,
    /// Whether it was left as it is, because a step uses it right now.
    pub in_use: bool,
}

impl Store {
    /// Takes the caches of an archive, plain or compressed. Nothing is changed when there is anything wrong with it.
    pub fn import_caches(&self, archive: &mut dyn Read, merge: Merge) -> Result<Vec<ImportedCache>> {
        let scratch = self.scratch("caches")?;
        let unpacked = self.unpack_caches(archive, scratch.path())?;
        let mut imported = Vec::new();
        for (id, made) in unpacked {
            let held = self.try_cache(&id, CacheSharing::Locked)?;
            let in_use = held.is_none();
            if let Some(mount) = held {
                let _maker = crate::lock::Lock::exclusive(&self.cache_lock(&id.name()))?;
                if merge == Merge::Replace {
                    self.trash().throw(mount.path())?;
                }
                match mount.path().exists() {
                    true => merge_into(&made, mount.path())?,
                    false => mount.adopt(&made)?,
                }
                mount.note_use();
            }
            imported.push(ImportedCache { id, in_use });
        }
        Ok(imported)
    }

    fn unpack_caches(&self, archive: &mut dyn Read, folder: &Path) -> Result<Vec<(CacheId, PathBuf)>> {
        let limits = DecompressionLimits::default();
        let plain = Decompressed::new(archive, limits).map_err(ArchiveError::Read)?;
        let mut tar = TarReader::new(plain, Limits::default());
        let list = list(&mut tar)?;
        let mut caches = Vec::new();
        for (number, id) in list.caches.into_iter().enumerate() {
            let path = folder.join(number.to_string());
            let tree = TreeWriter::new(&path, self.options())?;
            caches.push(Unpacking { id, path, tree, seen: BTreeMap::new() });
        }
        let mut buffer = vec![0; BUFFER];
        while let Some(entry) = tar.next_entry().map_err(in_tar)? {
            self.go_on()?;
            let (first, inside) = match entry.path.iter().position(|&byte| byte == b'/') {
                Some(slash) => (&entry.path[..slash], &entry.path[slash + 1..]),
                None => (&entry.path[..], &b""[..]),
            };
            let number = number_of(first).filter(|number| *number < caches.len());
            let Some(number) = number else {
                return Err(malformed(&entry.path, "it is in none of the caches that the archive lists"));
            };
            let inside = inside.to_vec();
            caches[number].add(number, inside, entry, &mut tar, &mut buffer)?;
        }
        tar.finish().map_err(in_tar)?;
        caches.into_iter().map(Unpacking::finish).collect()
    }
}

/// The first file of the archive.
fn list(tar: &mut TarReader<Decompressed<&mut dyn Read>>) -> Result<List> {
    let not_ours = || malformed(LIST.as_bytes(), "it does not come first, so these are no caches");
    let entry = tar.next_entry().map_err(in_tar)?.ok_or_else(not_ours)?;
    match entry.kind {
        NewEntryKind::File { size } if entry.path == LIST.as_bytes() && size <= LARGEST_LIST => {}
        _ => return Err(not_ours()),
    }
    let mut bytes = Vec::new();
    tar.read_to_end(&mut bytes).map_err(ArchiveError::Read)?;
    let list: List = serde_json::from_slice(&bytes)
        .map_err(|error| malformed(LIST.as_bytes(), &tug_oci::json_reason(&error)))?;
    if list.version != VERSION {
        let reason = format!("version {} needs a newer tug", list.version);
        return Err(malformed(LIST.as_bytes(), &reason));
    }
    if list.caches.len() > MOST_CACHES {
        return Err(Error::TooMany { what: "caches in an archive".to_owned(), limit: MOST_CACHES as u64 });
    }
    let mut ids: Vec<&CacheId> = list.caches.iter().collect();
    ids.sort_unstable();
    match ids.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(malformed(LIST.as_bytes(), &format!("it has the cache `{}` twice", pair[0].id))),
        None => Ok(list),
    }
}

/// One cache that is being unpacked.
struct Unpacking {
    id: CacheId,
    path: PathBuf,
    tree: TreeWriter,
    /// Every path so far; directories with what they are to become.
    seen: BTreeMap<Vec<u8>, Option<Attributes>>,
}

impl Unpacking {
    fn add(
        &mut self,
        number: usize,
        path: Vec<u8>,
        entry: NewEntry,
        content: &mut impl Read,
        buffer: &mut [u8],
    ) -> Result<()> {
        let NewEntry { path: shown_path, kind, mode, uid, gid, mtime, xattrs } = entry;
        let refused = |reason: &str| Err(malformed(&shown_path, reason));
        if self.seen.contains_key(&path) {
            return refused("it is there twice");
        }
        let parent = crate::entry::split(&path).0;
        if !path.is_empty() && !matches!(self.seen.get(parent), Some(Some(_))) {
            return refused("the directory that it is in does not come before it");
        }
        let xattrs = crate::xattr::kept(&xattrs).into_owned();
        let attributes = Attributes { mode, uid, gid, mtime, xattrs };
        match kind {
            NewEntryKind::Directory => {
                if !path.is_empty() {
                    self.tree.directory(&path)?;
                }
                self.seen.insert(path, Some(attributes));
                return Ok(());
            }
            _ if path.is_empty() => return refused("a cache is a directory"),
            NewEntryKind::File { .. } => {
                let mut file = self.tree.file(&path, mode)?;
                loop {
                    let count = content.read(buffer).map_err(ArchiveError::Read)?;
                    if count == 0 {
                        break;
                    }
                    file.write(&buffer[..count]).map_err(failed("write", self.tree.shown(&path)))?;
                }
                self.tree.finish_file(file, &path, &attributes)?;
            }
            NewEntryKind::Symlink { target } => self.tree.symlink(&path, &target, &attributes)?,
            NewEntryKind::HardLink { target } => {
                let inside = target.strip_prefix(format!("{number}/").as_bytes());
                match inside.filter(|inside| matches!(self.seen.get(*inside), Some(None))) {
                    Some(inside) => self.tree.hard_link(&path, inside)?,
                    None => return refused("it is a link to nothing in the same cache"),
                }
            }
            NewEntryKind::Fifo => self.tree.fifo(&path, &attributes)?,
            NewEntryKind::CharDevice { .. } | NewEntryKind::BlockDevice { .. } | NewEntryKind::Whiteout => {
                return refused("a cache holds no devices");
            }
        }
        self.seen.insert(path, None);
        Ok(())
    }

    /// Sets the metadata of all directories, from the inside out.
    fn finish(mut self) -> Result<(CacheId, PathBuf)> {
        if self.seen.is_empty() {
            return Err(malformed(self.id.id.as_bytes(), "the archive lists this cache, but has it not"));
        }
        for (path, attributes) in self.seen.iter().rev() {
            if let Some(attributes) = attributes {
                self.tree.finish_directory(path, attributes)?;
            }
        }
        Ok((self.id, self.path))
    }
}

/// Moves everything of the directory `from` into the directory `to`; what is there under the same name is replaced, but
/// directories are merged.
fn merge_into(from: &Path, to: &Path) -> Result<()> {
    let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let open =
        |path: &Path| openat(rustix::fs::CWD, path, flags, Mode::empty()).map_err(failed("open", path));
    let (from_folder, to_folder) = (open(from)?, open(to)?);
    let mut pending = vec![(from_folder, to_folder)];
    while let Some((from_folder, to_folder)) = pending.pop() {
        let merged = merge_one(from_folder.as_fd(), to_folder.as_fd(), &mut pending);
        merged.map_err(|error| failed("write", to)(std::io::Error::from(error)))?;
    }
    Ok(())
}

fn merge_one(
    from: BorrowedFd<'_>,
    to: BorrowedFd<'_>,
    pending: &mut Vec<(std::os::fd::OwnedFd, std::os::fd::OwnedFd)>,
) -> std::result::Result<(), Errno> {
    let is_directory =
        |folder: BorrowedFd<'_>, name: &std::ffi::CStr| match statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)
        {
            Ok(stat) => Ok(Some(FileType::from_raw_mode(stat.st_mode).is_dir())),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error),
        };
    for entry in Dir::read_from(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let is_ours = is_directory(from, name)?.unwrap_or(false);
        match is_directory(to, name)? {
            Some(true) if is_ours => {
                let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let open = |folder| openat(folder, name, flags, Mode::empty());
                pending.push((open(from)?, open(to)?));
                continue;
            }
            // A directory in the way of a file, or the other way round: swapped, and gone with the scratch folder.
            Some(_) => {
                use rustix::fs::{RenameFlags, renameat_with};
                match renameat_with(from, name, to, name, RenameFlags::EXCHANGE) {
                    Ok(()) => continue,
                    Err(Errno::INVAL) => unlinkat(to, name, AtFlags::empty())?,
                    Err(error) => return Err(error),
                }
            }
            None => {}
        }
        renameat(from, name, to, name)?;
    }
    Ok(())
}

fn number_of(text: &[u8]) -> Option<usize> {
    let number: usize = std::str::from_utf8(text).ok()?.parse().ok()?;
    (number.to_string().as_bytes() == text).then_some(number)
}

fn malformed(path: &[u8], reason: &str) -> Error {
    ArchiveError::Malformed { path: shown(path), reason: reason.to_owned() }.into()
}

fn in_tar(error: TarError) -> Error {
    match error {
        TarError::Read(source) => ArchiveError::Read(source).into(),
        other => other.into(),
    }
}

#[cfg(test)]
mod tests;
