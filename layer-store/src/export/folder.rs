//! Merged trees as files in a folder of the user.
//!
//! | in the tree          | in the folder                                                                   |
//! | -------------------- | ------------------------------------------------------------------------------- |
//! | owner                | whoever runs us, as with every other program that unpacks something for its user; if wanted, as in the image |
//! | mode, time           | as they are, to the second                                                      |
//! | attributes           | those that the file system and our rights allow                                 |
//! | device               | the device; left out and named where only root could make it                    |
//! | what is there        | a file is replaced by rename; a directory stays, and what else is in it stays too |
//! | … something else is to be where a directory is | only where that is empty, or where others are to be deleted |
//!
//! Everything is made in a directory that was reached beneath the folder without following links: neither a link in the
//! image nor one that lies in the folder leads out of it. A link in the place of a directory is replaced by the
//! directory.

use std::collections::{BTreeSet, HashMap};
use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, XattrFlags, chmodat, chownat, fchmod, fchown, fsetxattr,
    futimens, linkat, makedev, mkdirat, mknodat, openat, renameat, statat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use super::part::Part;
use crate::entry::{Entry, EntryKind, shown, split};
use crate::error::{Error, Result, failed};
use crate::file::unique_name;
use crate::folder::Folder;
use crate::layer::LayerError;
use crate::store::Store;
use crate::trash::remove_in;
use crate::tree::{owner, times};
use crate::view::{Node, View};
use crate::xattr::CAPABILITY;

const BUFFER: usize = 256 * 1024;

/// How a tree is written into a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FolderOptions {
    /// Remove what is in the folder and not in the tree.
    pub delete_others: bool,
    /// Give everything to the owner that it has in the image, which only root may do.
    pub owners: bool,
    /// Leave out what lets others act as the owner or with his rights (setuid, setgid, capabilities): right where the
    /// owner is another one than in the image.
    pub plain_modes: bool,
}

impl FolderOptions {
    fn mode(self, entry: &Entry) -> u32 {
        if self.plain_modes { entry.mode & 0o1777 } else { entry.mode }
    }
}

/// What was written into a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenFolder {
    /// The number of files, links and devices.
    pub files: u64,
    /// The bytes of all files.
    pub bytes: u64,
    /// The paths of devices that we may not make.
    pub left_out: Vec<String>,
}

impl Store {
    /// Writes a merged tree into the folder `path`, which is made when missing. Links on the way to it are followed,
    /// none in it is.
    pub fn write_folder(&self, view: &View, path: &Path, options: FolderOptions) -> Result<WrittenFolder> {
        std::fs::create_dir_all(path).map_err(refused("create", path))?;
        self.write_part(view, &Part::whole(), path, options)
    }

    /// Writes one file or directory of a merged tree, with all that is in it, into the folder `path`, which must exist.
    /// Links on the way to the folder are followed, none in it is.
    pub fn write_part(
        &self,
        view: &View,
        part: &Part,
        path: &Path,
        options: FolderOptions,
    ) -> Result<WrittenFolder> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::RDONLY;
        let root = openat(CWD, path, flags, Mode::empty()).map_err(refused("open", path))?;
        let mut writer = Writer {
            store: self,
            view,
            part,
            path: path.to_owned(),
            folder: Folder::new(root),
            options,
            names: HashMap::new(),
            directories: Vec::new(),
            written: WrittenFolder::default(),
            buffer: vec![0; BUFFER],
        };
        writer.write()?;
        Ok(writer.written)
    }
}

struct Writer<'a> {
    store: &'a Store,
    view: &'a View,
    part: &'a Part,
    path: PathBuf,
    folder: Folder,
    options: FolderOptions,
    /// The first name of each file that has several.
    names: HashMap<(u64, u64), Vec<u8>>,
    /// Their metadata come last, when nothing is put into them any more.
    directories: Vec<Entry>,
    written: WrittenFolder,
    buffer: Vec<u8>,
}

impl Writer<'_> {
    fn write(&mut self) -> Result<()> {
        let top = self.part.top(self.view);
        if self.part.name.is_empty() {
            self.clear(&self.part.path.clone(), &top)?;
        }
        // One list of children for each directory on the way down; paths may be deeper than a stack is.
        let mut open = vec![top.into_iter()];
        while let Some(children) = open.last_mut() {
            let Some(node) = children.next() else {
                open.pop();
                continue;
            };
            self.store.go_on()?;
            let path = node.path().to_vec();
            let node = node.at(self.part.place(&path));
            if matches!(node.entry().kind, EntryKind::Directory) {
                self.directory(node.path())?;
                self.directories.push(node.entry().clone());
                let children = self.view.children(&path);
                self.clear(&path, &children)?;
                open.push(children.into_iter());
            } else {
                self.add(&node)?;
            }
        }
        // From the inside out, so that a directory is still open to us while we are busy in it.
        while let Some(entry) = self.directories.pop() {
            let entered = self.folder.enter(&entry.path).map(|fd| fd.try_clone_to_owned());
            let set = entered.and_then(|fd| set(fd?.as_fd(), &entry, self.options));
            set.map_err(refused("write", self.shown(&entry.path)))?;
        }
        Ok(())
    }

    /// Removes what is in a directory of the folder and not among what the tree has there, if that is wanted.
    fn clear(&mut self, directory: &[u8], children: &[Node]) -> Result<()> {
        if self.options.delete_others {
            let place = self.part.place(directory);
            let kept: BTreeSet<&[u8]> = children.iter().map(|node| split(node.path()).1).collect();
            let removed = self.folder.enter(&place).and_then(|fd| remove_all_but(fd, &kept));
            removed.map_err(refused("remove what else is in", self.shown(&place)))?;
        }
        Ok(())
    }

    fn directory(&mut self, path: &[u8]) -> Result<()> {
        self.at(path, "create", |parent, name| match mkdirat(parent, name, Mode::from_raw_mode(0o700)) {
            Err(Errno::EXIST) if is_directory(parent, name)? => {
                // It may have been closed to us by the mode that it has in the image.
                let _ = chmodat(parent, name, Mode::from_raw_mode(0o700), AtFlags::empty());
                Ok(())
            }
            Err(Errno::EXIST) => {
                unlinkat(parent, name, AtFlags::empty())?;
                Ok(mkdirat(parent, name, Mode::from_raw_mode(0o700))?)
            }
            made => Ok(made?),
        })
    }

    fn add(&mut self, node: &Node) -> Result<()> {
        let entry = node.entry();
        let first_name = node.link().and_then(|link| self.names.get(&link)).cloned();
        match (&entry.kind, first_name) {
            (_, Some(first)) => self.link(&entry.path, &first)?,
            (EntryKind::File { size, .. }, _) => self.file(node, *size)?,
            (EntryKind::Symlink { target }, _) => {
                self.put(entry, |parent, name| Ok(symlinkat(target.as_slice(), parent, name)?))?;
            }
            (EntryKind::Fifo, _) => self.node(entry, FileType::Fifo, 0)?,
            (EntryKind::CharDevice { major, minor }, _) => {
                self.node(entry, FileType::CharacterDevice, makedev(*major, *minor))?;
            }
            (EntryKind::BlockDevice { major, minor }, _) => {
                self.node(entry, FileType::BlockDevice, makedev(*major, *minor))?;
            }
            // Directories are made before, and a view has resolved the rest.
            _ => return Ok(()),
        }
        if let Some(link) = node.link() {
            self.names.entry(link).or_insert_with(|| entry.path.clone());
        }
        self.written.files += 1;
        Ok(())
    }

    fn file(&mut self, node: &Node, size: u64) -> Result<()> {
        let entry = node.entry();
        let temporary = unique_name(".tug");
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = self.at(&entry.path, "create", |parent, _| {
            Ok(File::from(openat(parent, temporary.as_str(), flags, Mode::from_raw_mode(0o600))?))
        })?;
        let filled = self.fill(&file, node, size).and_then(|()| {
            set(file.as_fd(), entry, self.options).map_err(refused("write", self.shown(&entry.path)))
        });
        match filled {
            Ok(()) => {
                self.written.bytes += size;
                let delete = self.options.delete_others;
                self.at(&entry.path, "write", |parent, name| settle(parent, &temporary, name, delete))
            }
            Err(error) => {
                let _ = self.at(&entry.path, "remove", |parent, _| {
                    Ok(unlinkat(parent, temporary.as_str(), AtFlags::empty())?)
                });
                Err(error)
            }
        }
    }

    fn fill(&mut self, mut file: &File, node: &Node, size: u64) -> Result<()> {
        let mut content = self.view.open(node)?.take(size);
        let mut left = size;
        while left > 0 {
            self.store.go_on()?;
            let count = match content.read(&mut self.buffer) {
                Ok(0) => {
                    let path = shown(node.path());
                    return Err(Error::Layer(LayerError::ContentLength { path, expected: size }));
                }
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(Error::Stream { action: "read a layer", source }),
            };
            let written = file.write_all(&self.buffer[..count]);
            written.map_err(refused("write", self.path.join(shown(node.path()))))?;
            left -= count as u64;
        }
        Ok(())
    }

    fn link(&mut self, path: &[u8], first: &[u8]) -> Result<()> {
        let (directory, first_name) = split(first);
        let from: OwnedFd =
            self.folder.open_directory(directory).map_err(refused("open", self.shown(first)))?;
        let (temporary, delete) = (unique_name(".tug"), self.options.delete_others);
        self.at(path, "create", |parent, name| {
            linkat(&from, first_name, parent, temporary.as_str(), AtFlags::empty())?;
            settle(parent, &temporary, name, delete)
        })
    }

    fn node(&mut self, entry: &Entry, kind: FileType, device: u64) -> Result<()> {
        let mut is_forbidden = false;
        let mode = Mode::from_raw_mode(self.options.mode(entry));
        let made = self.put(entry, |parent, name| {
            let made = mknodat(parent, name, kind, Mode::from_raw_mode(0o600), device);
            is_forbidden = matches!(made, Err(Errno::PERM | Errno::ACCESS));
            made?;
            Ok(chmodat(parent, name, mode, AtFlags::empty())?)
        });
        match made {
            Err(Error::Filesystem { .. } | Error::NotAllowed { .. }) if is_forbidden => {
                self.written.left_out.push(shown(&entry.path));
                Ok(())
            }
            made => made,
        }
    }

    /// Makes something that is no file under another name first, dates it, and lets it take its place.
    fn put(
        &mut self,
        entry: &Entry,
        make: impl FnOnce(BorrowedFd<'_>, &str) -> io::Result<()>,
    ) -> Result<()> {
        let (temporary, delete) = (unique_name(".tug"), self.options.delete_others);
        let owners = self.options.owners;
        self.at(&entry.path, "create", |parent, name| {
            let dated = make(parent, &temporary).and_then(|()| {
                let flags = AtFlags::SYMLINK_NOFOLLOW;
                if owners {
                    let (uid, gid) = owner(entry.uid, entry.gid);
                    chownat(parent, temporary.as_str(), uid, gid, flags)?;
                }
                Ok(utimensat(parent, temporary.as_str(), &times(entry.mtime), flags)?)
            });
            match dated {
                Ok(()) => settle(parent, &temporary, name, delete),
                Err(error) => {
                    let _ = unlinkat(parent, temporary.as_str(), AtFlags::empty());
                    Err(error)
                }
            }
        })
    }

    /// Runs `action` on the directory that `path` is in and its name there.
    fn at<T>(
        &mut self,
        path: &[u8],
        what: &'static str,
        action: impl FnOnce(BorrowedFd<'_>, &[u8]) -> io::Result<T>,
    ) -> Result<T> {
        let (directory, name) = split(path);
        let done = self.folder.enter(directory).and_then(|parent| action(parent, name));
        done.map_err(refused(what, self.shown(path)))
    }

    fn shown(&self, path: &[u8]) -> PathBuf {
        if path.is_empty() { self.path.clone() } else { self.path.join(shown(path)) }
    }
}

/// Lets what was made under another name take its place. A directory with something in it only makes room if `delete`.
fn settle(parent: BorrowedFd<'_>, temporary: &str, name: &[u8], delete: bool) -> io::Result<()> {
    let renamed = match renameat(parent, temporary, parent, name) {
        Err(Errno::ISDIR | Errno::EXIST | Errno::NOTEMPTY) => {
            let removed = CString::new(name).map_err(io::Error::from);
            removed
                .and_then(|name| match delete {
                    true => remove_in(parent, name),
                    false => unlinkat(parent, name, AtFlags::REMOVEDIR).map_err(|error| match error {
                        Errno::NOTEMPTY | Errno::EXIST => {
                            let text =
                                "a folder with something in it is there, and is no folder in the image";
                            io::Error::new(io::ErrorKind::DirectoryNotEmpty, text)
                        }
                        error => error.into(),
                    }),
                })
                .and_then(|()| Ok(renameat(parent, temporary, parent, name)?))
        }
        renamed => Ok(renamed?),
    };
    if renamed.is_err() {
        let _ = unlinkat(parent, temporary, AtFlags::empty());
    }
    renamed
}

fn remove_all_but(folder: BorrowedFd<'_>, kept: &BTreeSet<&[u8]>) -> io::Result<()> {
    let mut others = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") && !kept.contains(name.to_bytes()) {
            others.push(name.to_owned());
        }
    }
    others.into_iter().try_for_each(|name| remove_in(folder, name))
}

fn is_directory(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<bool> {
    let status = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(FileType::from_raw_mode(status.st_mode) == FileType::Directory)
}

/// Sets the metadata of something that is open.
fn set(fd: BorrowedFd<'_>, entry: &Entry, options: FolderOptions) -> io::Result<()> {
    if options.owners {
        // It takes away bits of the mode, so that comes after it.
        let (uid, gid) = owner(entry.uid, entry.gid);
        fchown(fd, uid, gid)?;
    }
    fchmod(fd, Mode::from_raw_mode(options.mode(entry)))?;
    for (name, value) in &entry.xattrs {
        let is_ours_to_set =
            name != CAPABILITY || rustix::process::geteuid().is_root() && !options.plain_modes;
        match fsetxattr(fd, name.as_slice(), value, XattrFlags::empty()) {
            _ if !is_ours_to_set => {}
            Ok(()) | Err(Errno::NOTSUP | Errno::PERM | Errno::NOSPC | Errno::INVAL) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(futimens(fd, &times(entry.mtime))?)
}

/// As [`failed`], but what is refused is the user's folder, about which the advice for stores says nothing.
fn refused<E: Into<io::Error>>(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(E) -> Error {
    move |error| {
        let source: io::Error = error.into();
        match failed(action, &path)(source) {
            Error::NotAllowed { action, path } => {
                Error::Filesystem { action, path, source: io::ErrorKind::PermissionDenied.into() }
            }
            Error::ReadOnly { action, path } => {
                Error::Filesystem { action, path, source: io::ErrorKind::ReadOnlyFilesystem.into() }
            }
            other => other,
        }
    }
}

#[cfg(test)]
mod tests;
