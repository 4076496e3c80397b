//! Makes trees: the directory form of a layer, ready to be a lower directory of an overlay.
//!
//! | entry                | in the tree                                                                           |
//! | -------------------- | ------------------------------------------------------------------------------------- |
//! | whiteout             | the character device 0:0                                                              |
//! | opaque mark          | attribute `overlay.opaque` = `y` of the directory, `trusted.` or in a user namespace `user.` |
//! | hard link            | a hard link                                                                           |
//! | device               | the device; where we may not make one, an empty file with `user.tug.device` = `c 1:3` |
//! | owner, one id only   | `user.tug.owner` = `uid:gid` of files and directories, where it is not 0:0            |
//! | the root             | always mode 755 of the root user: layers say nothing about it                         |
//!
//! Nothing is followed: everything is made in a directory that was reached beneath the root without links. Calls are
//! saved where the outcome is right already: owner and mode are set only when a new file does not have them. Metadata
//! of directories come last, when nothing is put into them any more.

use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags, fchmod, fchown,
    fsetxattr, futimens, linkat, makedev, mkdirat, mknodat, openat, renameat, symlinkat, unlinkat, utimensat,
};
use rustix::io::Errno;

use crate::entry::{Mtime, Xattrs, shown, split};
use crate::error::{Error, Result, failed};
use crate::folder::Folder;
use crate::layer::LayerError;
use crate::store::{Owners, StoreOptions};
use crate::toc::{Record, Toc};

/// The real owner of a file or directory, where files can belong to one user only.
pub(crate) const OWNER: &str = "user.tug.owner";
/// What device an empty file stands for.
pub(crate) const DEVICE: &str = "user.tug.device";

/// The name of overlay's mark for directories that hide what is below them.
pub(crate) fn opaque_name(options: &StoreOptions) -> &'static str {
    if options.in_user_namespace { "user.overlay.opaque" } else { "trusted.overlay.opaque" }
}

/// Owner, mode, time and attributes of something in a tree.
#[derive(Clone, Debug)]
pub(crate) struct Attributes {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mtime: Mtime,
    pub(crate) xattrs: Xattrs,
}

/// A tree in the making.
pub(crate) struct TreeWriter {
    path: PathBuf,
    folder: Folder,
    options: StoreOptions,
    umask: u32,
    ids: (u32, u32),
    moved_aside: usize,
}

/// A file of the tree whose content is being written.
pub(crate) struct NewFile {
    file: File,
    has_hole_at_end: bool,
}

/// Fewer zeros than this are written: a hole costs more.
const SHORTEST_HOLE: usize = 32 * 1024;

impl NewFile {
    /// An empty file that is open for writing.
    pub(crate) fn new(file: File) -> Self {
        Self { file, has_hole_at_end: false }
    }

    /// Writes the next bytes; long runs of zeros become holes.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() >= SHORTEST_HOLE && bytes.iter().all(|&byte| byte == 0) {
            return self.skip(bytes.len() as u64);
        }
        self.has_hole_at_end = false;
        self.file.write_all(bytes)
    }

    /// Leaves a hole.
    pub(crate) fn skip(&mut self, count: u64) -> io::Result<()> {
        if count > 0 {
            let count = i64::try_from(count).map_err(io::Error::other)?;
            self.file.seek(io::SeekFrom::Current(count))?;
            self.has_hole_at_end = true;
        }
        Ok(())
    }

    /// The file, as long as what was written to it.
    pub(crate) fn complete(mut self) -> io::Result<File> {
        if self.has_hole_at_end {
            let end = self.file.stream_position()?;
            self.file.set_len(end)?;
        }
        Ok(self.file)
    }
}

impl TreeWriter {
    /// Makes the root of a new tree.
    pub(crate) fn new(path: &Path, options: &StoreOptions) -> Result<Self> {
        let made = || -> io::Result<(Folder, u32, (u32, u32))> {
            mkdirat(CWD, path, Mode::from_raw_mode(0o777))?;
            let folder = Folder::open(path)?;
            // The root shows which bits the umask takes away, and whose files we make.
            let status = rustix::fs::fstat(folder.root())?;
            let umask = 0o777 & !status.st_mode;
            let ids = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
            if (status.st_uid, status.st_gid) != ids {
                give(folder.root(), ids.0, ids.1)?;
            }
            fchmod(folder.root(), Mode::from_raw_mode(0o755))?;
            Ok((folder, umask, ids))
        };
        let (folder, umask, ids) = made().map_err(failed("create", path))?;
        Ok(Self { path: path.to_owned(), folder, options: options.clone(), umask, ids, moved_aside: 0 })
    }

    /// Makes a directory; its metadata come with [`Self::finish`].
    pub(crate) fn directory(&mut self, path: &[u8]) -> Result<()> {
        self.make(path, |parent, name| Ok(mkdirat(parent, name, Mode::from_raw_mode(0o700))?))
    }

    /// Makes an empty file to write to; [`Self::finish_file`] must follow.
    pub(crate) fn file(&mut self, path: &[u8], mode: u32) -> Result<NewFile> {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::from_raw_mode(mode & 0o777);
        let file = self.make(path, |parent, name| Ok(File::from(openat(parent, name, flags, mode)?)))?;
        Ok(NewFile { file, has_hole_at_end: false })
    }

    /// Sets the metadata of a file whose content is complete.
    pub(crate) fn finish_file(&self, file: NewFile, path: &[u8], attributes: &Attributes) -> Result<()> {
        let created = attributes.mode & 0o777 & !self.umask;
        let file = file.complete().map_err(failed("write", self.shown(path)))?;
        self.set(file.as_fd(), path, created, attributes)
    }

    pub(crate) fn symlink(&mut self, path: &[u8], target: &[u8], attributes: &Attributes) -> Result<()> {
        let made = self.make(path, |parent, name| Ok(symlinkat(target, parent, name)?));
        made.map_err(|error| self.unfit(error, path, "has no symbolic links"))?;
        self.set_by_name(path, None, attributes)
    }

    /// Makes one more name for what is at `target`; a symbolic link there is not followed.
    pub(crate) fn hard_link(&mut self, path: &[u8], target: &[u8]) -> Result<()> {
        let (directory, target_name) = split(target);
        let from = self.folder.open_directory(directory).map_err(failed("open", self.shown(target)))?;
        self.make(path, |parent, name| Ok(linkat(&from, target_name, parent, name, AtFlags::empty())?))
    }

    pub(crate) fn fifo(&mut self, path: &[u8], attributes: &Attributes) -> Result<()> {
        self.node(path, FileType::Fifo, 0, attributes)
    }

    /// Makes a device, or a file that stands for it.
    pub(crate) fn device(
        &mut self,
        path: &[u8],
        kind: FileType,
        (major, minor): (u32, u32),
        attributes: &Attributes,
    ) -> Result<()> {
        if !self.options.in_user_namespace {
            match self.node(path, kind, makedev(major, minor), attributes) {
                Err(Error::NotAllowed { .. }) => {}
                other => return other,
            }
        }
        let letter = if kind == FileType::BlockDevice { 'b' } else { 'c' };
        let file = self.file(path, attributes.mode)?;
        let mut attributes = attributes.clone();
        attributes.xattrs.insert(DEVICE.into(), format!("{letter} {major}:{minor}").into_bytes());
        self.finish_file(file, path, &attributes)
    }

    pub(crate) fn whiteout(&mut self, path: &[u8]) -> Result<()> {
        let mode = Mode::empty();
        self.make(path, |parent, name| Ok(mknodat(parent, name, FileType::CharacterDevice, mode, 0)?))
    }

    /// Removes what is at `path`, with all that is in it.
    pub(crate) fn remove(&mut self, path: &[u8]) -> Result<()> {
        let removed = self.make(path, |parent, name| match unlinkat(parent, name, AtFlags::empty()) {
            Ok(()) => Ok(true),
            Err(Errno::ISDIR | Errno::PERM) => Ok(false),
            Err(error) => Err(error.into()),
        })?;
        if !removed {
            self.folder.leave();
            self.move_aside(path)?;
        }
        Ok(())
    }

    /// Sets the metadata of all directories, and the tree is complete.
    pub(crate) fn finish(mut self, toc: &Toc) -> Result<()> {
        // From the inside out, so that a directory is still open to us while we are busy in it.
        for index in (0..toc.len()).rev() {
            let record = toc.record(index);
            if record.is_directory() {
                let mut attributes = Attributes::of(&record);
                if toc.is_opaque(index) {
                    attributes.xattrs.insert(opaque_name(&self.options).into(), b"y".to_vec());
                }
                self.finish_directory(record.path, &attributes)?;
            }
        }
        let root = || -> io::Result<()> {
            if toc.root_is_opaque() {
                fsetxattr(self.folder.root(), opaque_name(&self.options), b"y", XattrFlags::empty())?;
            }
            Ok(futimens(self.folder.root(), &times(Mtime::EPOCH))?)
        };
        root().map_err(failed("write", &self.path))?;
        match self.moved_aside {
            0 => Ok(()),
            _ => crate::trash::remove(&self.aside()).map_err(failed("remove", self.aside())),
        }
    }

    /// Sets the metadata of a directory; nothing is to be put into it afterwards.
    pub(crate) fn finish_directory(&mut self, path: &[u8], attributes: &Attributes) -> Result<()> {
        let shown = self.shown(path);
        let entered = self.folder.enter(path).map(|fd| fd.try_clone_to_owned());
        let fd = entered.and_then(|fd| fd).map_err(failed("open", shown))?;
        // The root is made with its final mode, whatever the umask.
        let created = if path.is_empty() { 0o755 } else { 0o700 };
        self.set(fd.as_fd(), path, created, attributes)
    }

    /// Moves a directory out of the tree; it is removed at the end.
    fn move_aside(&mut self, path: &[u8]) -> Result<()> {
        let aside = self.aside();
        match std::fs::create_dir(&aside) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                return Err(failed("create", &aside)(error));
            }
            _ => self.moved_aside += 1,
        }
        let target = aside.join(self.moved_aside.to_string());
        self.make(path, |parent, name| Ok(renameat(parent, name, CWD, &target)?))
    }

    fn aside(&self) -> PathBuf {
        self.path.with_file_name("replaced")
    }

    fn node(&mut self, path: &[u8], kind: FileType, device: u64, attributes: &Attributes) -> Result<()> {
        let mode = Mode::from_raw_mode(attributes.mode & 0o777);
        self.make(path, |parent, name| Ok(mknodat(parent, name, kind, mode, device)?))?;
        self.set_by_name(path, Some(attributes.mode & 0o777 & !self.umask), attributes)
    }

    /// Runs `action` on the directory that `path` is in and its name there.
    fn make<T>(
        &mut self,
        path: &[u8],
        action: impl FnOnce(BorrowedFd<'_>, &[u8]) -> io::Result<T>,
    ) -> Result<T> {
        let (directory, name) = split(path);
        let made = self.folder.enter(directory).and_then(|parent| action(parent, name));
        made.map_err(|error| match error.kind() {
            // A layer has each path once. What is there is another one that the file system takes for the same.
            io::ErrorKind::AlreadyExists => {
                Error::Unfit { path: self.shown(path), lacks: "does not tell upper case from lower" }
            }
            _ => failed("create", self.shown(path))(error),
        })
    }

    /// Sets metadata through a descriptor. Only a change of owner clears bits of the mode, so that comes first.
    fn set(&self, fd: BorrowedFd<'_>, path: &[u8], created: u32, attributes: &Attributes) -> Result<()> {
        let is_given = self.owner_differs(attributes);
        if is_given {
            give(fd, attributes.uid, attributes.gid)
                .map_err(|error| self.not_given(error, path, attributes))?;
        }
        let set = || -> io::Result<()> {
            if attributes.mode != created {
                fchmod(fd, Mode::from_raw_mode(attributes.mode))?;
            }
            if self.options.owners == Owners::Recorded && (attributes.uid, attributes.gid) != (0, 0) {
                let owner = format!("{}:{}", attributes.uid, attributes.gid);
                fsetxattr(fd, OWNER, owner.as_bytes(), XattrFlags::empty())?;
            }
            for (name, value) in &attributes.xattrs {
                fsetxattr(fd, name.as_slice(), value, XattrFlags::empty())?;
            }
            Ok(futimens(fd, &times(attributes.mtime))?)
        };
        set().map_err(|error| match error.kind() {
            io::ErrorKind::Unsupported => {
                Error::Unfit { path: self.shown(path), lacks: "keeps no attributes of files" }
            }
            _ => failed("write", self.shown(path))(error),
        })
    }

    /// A folder that we have just made, and a kind of thing that everybody may make in it, lead to no other refusal.
    fn unfit(&self, error: Error, path: &[u8], lacks: &'static str) -> Error {
        match error {
            Error::NotAllowed { .. } => Error::Unfit { path: self.shown(path), lacks },
            other => other,
        }
    }

    /// Sets metadata of what cannot be opened. `created` is its mode, when it has one of its own.
    fn set_by_name(&mut self, path: &[u8], created: Option<u32>, attributes: &Attributes) -> Result<()> {
        let (directory, name) = split(path);
        let is_given = self.owner_differs(attributes);
        let entered = self.folder.enter(directory);
        let result = entered.and_then(|parent| {
            if is_given {
                let (uid, gid) = owner(attributes.uid, attributes.gid);
                rustix::fs::chownat(parent, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?;
            }
            if created.is_some_and(|created| created != attributes.mode) {
                rustix::fs::chmodat(parent, name, Mode::from_raw_mode(attributes.mode), AtFlags::empty())?;
            }
            Ok(utimensat(parent, name, &times(attributes.mtime), AtFlags::SYMLINK_NOFOLLOW)?)
        });
        result.map_err(|error| self.not_given(error, path, attributes))
    }

    fn owner_differs(&self, attributes: &Attributes) -> bool {
        self.options.owners == Owners::Real && (attributes.uid, attributes.gid) != self.ids
    }

    /// An id that is not in the map of our user namespace is an invalid argument to the kernel.
    fn not_given(&self, error: io::Error, path: &[u8], attributes: &Attributes) -> Error {
        let is_about_owner = matches!(error.raw_os_error(), Some(code) if code == Errno::INVAL.raw_os_error() || code == Errno::PERM.raw_os_error());
        if is_about_owner && self.owner_differs(attributes) {
            let (uid, gid) = (attributes.uid, attributes.gid);
            return LayerError::Owner { path: shown(path), uid, gid }.into();
        }
        failed("write", self.shown(path))(error)
    }

    pub(crate) fn shown(&self, path: &[u8]) -> PathBuf {
        self.path.join(shown(path))
    }
}

impl Attributes {
    pub(crate) fn of(record: &Record<'_>) -> Self {
        let (mode, uid, gid, mtime) = (record.mode, record.uid, record.gid, record.mtime);
        Self { mode, uid, gid, mtime, xattrs: record.xattrs() }
    }
}

/// The time as the kernel wants it; the time of access is left alone.
pub(crate) fn times(mtime: Mtime) -> Timestamps {
    let last_access = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT as _ };
    let last_modification = Timespec { tv_sec: mtime.seconds, tv_nsec: mtime.nanos.into() };
    Timestamps { last_access, last_modification }
}

fn give(fd: BorrowedFd<'_>, uid: u32, gid: u32) -> io::Result<()> {
    let (uid, gid) = owner(uid, gid);
    Ok(fchown(fd, uid, gid)?)
}

pub(crate) fn owner(uid: u32, gid: u32) -> (Option<Uid>, Option<Gid>) {
    (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)))
}
