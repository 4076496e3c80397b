//! Moves a store to another folder.
//!
//! On one file system it is one rename. To another one everything is copied: with owners, modes, times, attributes, links
//! and holes, and without what is of no use there (`ingest/`, `trash/`, `locks/`). What makes a folder a store, `index.json`
//! and `meta.json`, comes last, so that half a copy is none. A file says that a copy is being made and of what: a later move
//! goes on with it, and takes over files that have the length and the time that they should have, for the time is set last.
//! Then the copy is verified, every byte of it, and only if nothing is wrong with it the old store goes; meanwhile another
//! file says so, and a later move has only that to do.
//!
//! All of it happens under the exclusive lock of the store.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Uid, XattrFlags, chmodat, chownat, fgetxattr, flistxattr,
    fsetxattr, linkat, mkdirat, mknodat, openat, readlinkat, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use crate::entry::{Mtime, join, shown, split};
use crate::error::{Error, Result, failed};
use crate::file;
use crate::folder::Folder;
use crate::layer::{attribute_names, attribute_value, names_in};
use crate::store::Store;
use crate::trash;
use crate::tree::{NewFile, times};
use crate::verify::{VerifyOptions, VerifyProgress};

/// Says that a copy is not complete, and of which store it is.
const MARK: &str = "moving-from";
/// Says that a copy is complete, and which store is being removed for it.
const MOVED: &str = "moved-from";
/// No path is longer.
const LONGEST: u64 = 64 * 1024;
/// Of no use in another place.
const LEFT: [&str; 4] = ["ingest", "trash", "locks", MOVED];
/// What makes a folder a store.
const LAST: [&str; 2] = ["index.json", "meta.json"];
const BUFFER: usize = 256 * 1024;

/// How a store was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// By one rename.
    Renamed,
    /// Copied, verified, and removed from where it was.
    Copied {
        /// The length of all files that were copied.
        bytes: u64,
    },
}

impl Store {
    /// Moves the store to `target`, which must not exist, or be empty, or hold what an interrupted move has left.
    ///
    /// Fails with [`Error::InUse`] when another process works in the store. When it fails, the store is where it was.
    pub fn relocate(&self, target: &Path, report: &(dyn Fn(VerifyProgress) + Sync)) -> Result<Moved> {
        let target = std::path::absolute(target).map_err(failed("find", target))?;
        // Where the store is a link, what it leads to is moved.
        let root = std::fs::canonicalize(self.root()).map_err(failed("find", self.root()))?;
        let there = std::fs::canonicalize(&target).unwrap_or_else(|_| target.clone());
        let is_inside = |path: &Path| path.starts_with(&root) || root.starts_with(path);
        if is_inside(&target) || is_inside(&there) {
            return Err(Error::MoveInside { path: target });
        }
        let moved = self.alone(|store| store.relocate_alone(&root, &target, report))?;
        moved.ok_or_else(|| Error::InUse { path: self.root().to_owned() })
    }

    fn relocate_alone(
        &self,
        root: &Path,
        target: &Path,
        report: &(dyn Fn(VerifyProgress) + Sync),
    ) -> Result<Moved> {
        if self.is_copied_to(target)? {
            return self.give_way_to(target, 0);
        }
        if !self.goes_on_in(target)? {
            if let Some(parent) = target.parent() {
                std::fs::create_dir_all(parent).map_err(failed("create", parent))?;
            }
            match std::fs::rename(root, target) {
                Ok(()) => return file::sync_folder_of(target).map(|()| Moved::Renamed),
                // Another file system, or the root of one.
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::CrossesDevices | io::ErrorKind::ResourceBusy
                    ) => {}
                Err(error) => return Err(failed("move the store to", target)(error)),
            }
        }
        let bytes = self.copy_to(target)?;
        let copy = Self::open_damaged(target, self.options())?;
        let verified = copy.verify(&VerifyOptions::default(), report)?;
        if verified.wrong() > 0 {
            return Err(Error::BadCopy { path: target.to_owned(), count: verified.wrong() });
        }
        drop(copy);
        std::fs::rename(target.join(MARK), target.join(MOVED))
            .map_err(failed("rename", target.join(MARK)))?;
        file::sync_folder_of(&target.join(MOVED))?;
        self.give_way_to(target, bytes)
    }

    /// Removes this store, of which a verified copy is in `target`.
    fn give_way_to(&self, target: &Path, bytes: u64) -> Result<Moved> {
        self.remove_all()?;
        trash::remove(&target.join(MOVED)).map_err(failed("remove", target.join(MOVED)))?;
        Ok(Moved::Copied { bytes })
    }

    /// Whether `target` is a whole copy of this store, and an interrupted move had only to remove this one. No image has
    /// come into this one since.
    fn is_copied_to(&self, target: &Path) -> Result<bool> {
        let names_us = match file::read_small(&target.join(MOVED), LONGEST) {
            Ok(mark) => mark.as_deref() == Some(self.root().as_os_str().as_bytes()),
            // A file is in its place, which is told later.
            Err(Error::Filesystem { source, .. }) if source.kind() == io::ErrorKind::NotADirectory => false,
            Err(error) => return Err(error),
        };
        if !names_us {
            return Ok(false);
        }
        let theirs = Self::open_damaged(target, self.options())?.roots()?;
        Ok(self.roots()?.iter().all(|ours| theirs.contains(ours)))
    }

    /// Whether `target` holds what an interrupted move of this store has left.
    fn goes_on_in(&self, target: &Path) -> Result<bool> {
        let mut names = match std::fs::read_dir(target) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(Error::FileInPlace { path: target.to_owned() });
            }
            Err(error) => return Err(failed("list", target)(error)),
        };
        let Some(first) = names.next() else { return Ok(false) };
        let found = first.map_err(failed("list", target))?.file_name();
        let ours = self.root().as_os_str().as_bytes();
        match file::read_small(&target.join(MARK), LONGEST)? {
            Some(mark) if mark == ours => return Ok(true),
            // Not even that was written to its end.
            Some(begun) if ours.starts_with(&begun) && names.next().is_none() => return Ok(true),
            _ => {}
        }
        Err(Error::NotAStore { path: target.to_owned(), found: found.to_string_lossy().into_owned() })
    }

    fn copy_to(&self, target: &Path) -> Result<u64> {
        DirBuilder::new().recursive(true).mode(0o700).create(target).map_err(failed("create", target))?;
        let (mark, text) = (target.join(MARK), self.root().as_os_str().as_bytes());
        // In its place, not by a rename: a file of another name would keep everybody out of the folder.
        if file::read_small(&mark, LONGEST)?.as_deref() != Some(text) {
            let made = File::create(&mark).map_err(failed("create", &mark))?;
            (&made).write_all(text).and_then(|()| made.sync_all()).map_err(failed("write", &mark))?;
            file::sync_folder_of(&mark)?;
        }
        let open = |path: &Path| Folder::open(path).map_err(failed("open", path));
        let mut copy = Copy {
            store: self,
            target,
            from: open(self.root())?,
            to: open(target)?,
            links: HashMap::new(),
            bytes: 0,
            buffer: vec![0; BUFFER],
        };
        let listed = copy.from.enter(b"").and_then(names_in).map_err(failed("list", self.root()))?;
        let is_one_of = |name: &[u8], known: &[&str]| known.iter().any(|known| known.as_bytes() == name);
        let (last, first): (Vec<_>, Vec<_>) = listed.into_iter().partition(|name| is_one_of(name, &LAST));
        for name in first.iter().chain(&last).filter(|name| !is_one_of(name, &LEFT)) {
            copy.tree(name)?;
        }
        let opened = File::open(target).map_err(failed("open", target))?;
        rustix::fs::syncfs(&opened).map_err(failed("sync", target))?;
        Ok(copy.bytes)
    }

    /// What makes it a store goes first; a process that is killed now leaves something for the trash of a new store.
    fn remove_all(&self) -> Result<()> {
        let kept = [OsStr::new("trash"), OsStr::new("locks")];
        let named = LAST.iter().map(|name| self.path(name)).collect::<Vec<PathBuf>>();
        for path in named.into_iter().chain(crate::garbage::names_in(self.root())?) {
            if !path.file_name().is_some_and(|name| kept.contains(&name)) {
                self.trash().bury(&path)?;
            }
        }
        self.trash().empty()?;
        for path in ["trash", "locks"].map(|name| self.path(name)) {
            trash::remove(&path).map_err(failed("remove", path))?;
        }
        match std::fs::remove_dir(self.root()) {
            // The root of a file system stays, empty.
            Err(error) if error.kind() != io::ErrorKind::ResourceBusy => {
                Err(failed("remove", self.root())(error))
            }
            _ => Ok(()),
        }
    }
}

/// A copy in the making. Paths are below both folders, and bytes.
struct Copy<'a> {
    store: &'a Store,
    target: &'a Path,
    from: Folder,
    to: Folder,
    /// Where the first name of a file with several was copied to.
    links: HashMap<(u64, u64), Vec<u8>>,
    bytes: u64,
    buffer: Vec<u8>,
}

impl Copy<'_> {
    /// Copies what is at `path`, with all that is in it.
    fn tree(&mut self, path: &[u8]) -> Result<()> {
        let mut pending = vec![path.to_vec()];
        let mut folders = Vec::new();
        while let Some(path) = pending.pop() {
            self.store.go_on()?;
            let target = self.target;
            let children = self.one(&path).map_err(failed("copy to", target.join(shown(&path))))?;
            if let Some((status, names)) = children {
                pending.extend(names.iter().map(|name| join(&path, name)));
                folders.push((path, status));
            }
        }
        // Nothing is put into them any more.
        for (path, status) in folders.iter().rev() {
            let target = self.target;
            self.finish_folder(path, status).map_err(failed("copy to", target.join(shown(path))))?;
        }
        Ok(())
    }

    /// Copies one thing. Of a folder, returns what is in it.
    fn one(&mut self, path: &[u8]) -> io::Result<Option<(Stat, Vec<Vec<u8>>)>> {
        let (directory, name) = split(path);
        let status = statat(self.from.enter(directory)?, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let there = match statat(self.to.enter(directory)?, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(there) => Some(there),
            Err(Errno::NOENT) => None,
            Err(error) => return Err(error.into()),
        };
        let kind = FileType::from_raw_mode(status.st_mode);
        if kind == FileType::Directory {
            if there.is_none() {
                mkdirat(self.to.enter(directory)?, name, Mode::from_raw_mode(0o700))?;
            }
            return Ok(Some((status, names_in(self.from.enter(path)?)?)));
        }
        let is_same = |there: &Stat| {
            FileType::from_raw_mode(there.st_mode) == kind
                && (there.st_size, there.st_mtime, there.st_mtime_nsec)
                    == (status.st_size, status.st_mtime, status.st_mtime_nsec)
        };
        let has_more_names = status.st_nlink > 1;
        let inode = (status.st_dev, status.st_ino);
        if let Some(first) = self.links.get(&inode).filter(|_| has_more_names) {
            let (first_directory, first_name) = split(first);
            let from = self.to.open_directory(first_directory)?;
            let to = self.to.enter(directory)?;
            if there.is_some() {
                unlinkat(to, name, AtFlags::empty())?;
            }
            linkat(&from, first_name, to, name, AtFlags::empty())?;
            return Ok(None);
        }
        if has_more_names {
            self.links.insert(inode, path.to_vec());
        }
        match there {
            Some(there) if is_same(&there) && kind == FileType::RegularFile => return Ok(None),
            Some(_) => unlinkat(self.to.enter(directory)?, name, AtFlags::empty())?,
            None => {}
        }
        match kind {
            FileType::RegularFile => self.file(directory, name, &status)?,
            FileType::Symlink => {
                let target = readlinkat(self.from.enter(directory)?, name, Vec::new())?;
                let to = self.to.enter(directory)?;
                symlinkat(target.as_c_str(), to, name)?;
                finish(to, name, &status)?;
            }
            FileType::Socket | FileType::Unknown => {}
            _ => {
                let to = self.to.enter(directory)?;
                mknodat(to, name, kind, Mode::from_raw_mode(0o600), status.st_rdev)?;
                finish(to, name, &status)?;
            }
        }
        Ok(None)
    }

    fn file(&mut self, directory: &[u8], name: &[u8], status: &Stat) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut from = File::from(openat(self.from.enter(directory)?, name, flags, Mode::empty())?);
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let to = self.to.enter(directory)?;
        let mut new = NewFile::new(File::from(openat(to, name, flags, Mode::from_raw_mode(0o600))?));
        loop {
            match from.read(&mut self.buffer) {
                Ok(0) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => {
                    let count = other?;
                    new.write(&self.buffer[..count])?;
                    self.bytes += count as u64;
                }
            }
        }
        let made = new.complete()?;
        // A change of owner would take capabilities away.
        give(to, name, status)?;
        copy_attributes(&from, &made)?;
        finish(to, name, status)
    }

    fn finish_folder(&mut self, path: &[u8], status: &Stat) -> io::Result<()> {
        let from = self.from.open_directory(path)?;
        let made = self.to.open_directory(path)?;
        copy_attributes(&from, &made)?;
        self.to.leave();
        let (directory, name) = split(path);
        finish(self.to.enter(directory)?, name, status)
    }
}

/// Owner, mode and time, the time last.
fn finish(to: BorrowedFd<'_>, name: &[u8], status: &Stat) -> io::Result<()> {
    let kind = FileType::from_raw_mode(status.st_mode);
    if kind != FileType::RegularFile {
        give(to, name, status)?;
    }
    if kind != FileType::Symlink {
        chmodat(to, name, Mode::from_raw_mode(status.st_mode & 0o7777), AtFlags::empty())?;
    }
    let mtime =
        Mtime { seconds: status.st_mtime, nanos: u32::try_from(status.st_mtime_nsec).unwrap_or_default() };
    Ok(utimensat(to, name, &times(mtime), AtFlags::SYMLINK_NOFOLLOW)?)
}

fn give(to: BorrowedFd<'_>, name: &[u8], status: &Stat) -> io::Result<()> {
    let there = statat(to, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if (there.st_uid, there.st_gid) == (status.st_uid, status.st_gid) {
        return Ok(());
    }
    let (uid, gid) = (Uid::from_raw(status.st_uid), Gid::from_raw(status.st_gid));
    Ok(chownat(to, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?)
}

/// All attributes but the labels of security modules, which belong to the machine and the place.
pub(crate) fn copy_attributes(from: &impl AsFd, to: &impl AsFd) -> io::Result<()> {
    for name in attribute_names(|buffer| flistxattr(from, buffer))? {
        let is_ours =
            name.starts_with(b"user.") || name.starts_with(b"trusted.") || name == crate::xattr::CAPABILITY;
        if !is_ours {
            continue;
        }
        match attribute_value(|buffer| fgetxattr(from, name.as_slice(), buffer)) {
            Ok(value) => fsetxattr(to, name.as_slice(), &value, XattrFlags::empty())?,
            Err(error) if error.raw_os_error() == Some(Errno::NODATA.raw_os_error()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
