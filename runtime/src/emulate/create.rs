//! Making files, directories, links and nodes in the place of a process.
//!
//! Only where the new thing would not belong to root: then it is made here, its owner is recorded, and the process
//! gets the result. Otherwise the kernel makes the call.

use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, fstat, mkdirat, mknodat, openat, symlinkat};
use rustix::io::Errno;

use super::identity::Identity;
use super::owners::{Owners, mark_device};
use super::processes::umask_of;
use super::view::{Spot, View};

/// What came of it.
pub(super) enum Made {
    /// The kernel shall do it.
    Nothing,
    Done,
    /// A file, open for the process.
    Open(OwnedFd),
}

/// Who makes something, and where.
pub(super) struct Maker<'a> {
    pub(super) view: &'a mut View,
    pub(super) owners: &'a mut Owners,
    pub(super) who: &'a Identity,
    pub(super) thread: u32,
}

impl Maker<'_> {
    pub(super) fn open(&mut self, spot: &Spot, flags: u32, mode: u32) -> Result<Made, Errno> {
        let flags = OFlags::from_bits_retain(flags);
        if flags.contains(OFlags::TMPFILE) {
            return self.open_unnamed(spot, flags, mode);
        }
        let (directory, name) = spot.to_make()?;
        let owner = self.new_owner(&directory)?;
        if owner == (0, 0) || spot.ends_with_slash() {
            return Ok(Made::Nothing);
        }
        let ours =
            (flags - OFlags::TRUNC) | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NOCTTY;
        match openat(&directory, name, ours, self.mode(mode)) {
            Ok(file) => {
                self.owners.record(self.view, file.as_fd(), owner)?;
                Ok(Made::Open(file))
            }
            // It is there already, or cannot be made: the kernel knows what to say.
            Err(_) => Ok(Made::Nothing),
        }
    }

    fn open_unnamed(&mut self, spot: &Spot, flags: OFlags, mode: u32) -> Result<Made, Errno> {
        let directory = spot.open(true)?;
        let owner = self.new_owner(&directory)?;
        if owner == (0, 0) {
            return Ok(Made::Nothing);
        }
        let Ok(file) = openat(&directory, ".", flags | OFlags::CLOEXEC, self.mode(mode)) else {
            return Ok(Made::Nothing);
        };
        self.owners.record(self.view, file.as_fd(), owner)?;
        Ok(Made::Open(file))
    }

    pub(super) fn directory(&mut self, spot: &Spot, mode: u32) -> Result<Made, Errno> {
        let (directory, name) = spot.to_make()?;
        let owner = self.new_owner(&directory)?;
        if owner == (0, 0) {
            return Ok(Made::Nothing);
        }
        mkdirat(&directory, &name, self.mode(mode))?;
        self.settle(&directory, &name, owner)
    }

    pub(super) fn link(&mut self, spot: &Spot, target: &[u8]) -> Result<Made, Errno> {
        let (directory, name) = spot.to_make()?;
        let owner = self.new_owner(&directory)?;
        if owner == (0, 0) || spot.ends_with_slash() {
            return Ok(Made::Nothing);
        }
        symlinkat(target, &directory, &name)?;
        self.settle(&directory, &name, owner)
    }

    pub(super) fn node(&mut self, spot: &Spot, mode: u32, device: u64) -> Result<Made, Errno> {
        let (directory, name) = spot.to_make()?;
        let owner = self.new_owner(&directory)?;
        let kind = FileType::from_raw_mode(mode & 0o170_000);
        let letter = match kind {
            _ if spot.ends_with_slash() => return Ok(Made::Nothing),
            // Overlay keeps 0:0 to itself, and says so.
            FileType::CharacterDevice if device == 0 => return Ok(Made::Nothing),
            FileType::CharacterDevice => 'c',
            FileType::BlockDevice => 'b',
            _ if owner == (0, 0) => return Ok(Made::Nothing),
            FileType::Fifo | FileType::Socket | FileType::RegularFile => {
                mknodat(&directory, &name, kind, self.mode(mode), 0)?;
                return self.settle(&directory, &name, owner);
            }
            _ => return Ok(Made::Nothing),
        };
        if !self.who.is_root() {
            return Err(Errno::PERM);
        }
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&directory, &name, flags, self.mode(mode))?;
        mark_device(self.view, file.as_fd(), letter, device)?;
        self.owners.record(self.view, file.as_fd(), owner)?;
        Ok(Made::Done)
    }

    fn settle(
        &mut self,
        directory: &OwnedFd,
        name: &std::ffi::OsStr,
        owner: (u32, u32),
    ) -> Result<Made, Errno> {
        let made = openat(directory, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
        self.owners.record(self.view, made.as_fd(), owner)?;
        Ok(Made::Done)
    }

    /// Who owns what is made in a directory: a directory with the set-group-id bit hands its group on.
    fn new_owner(&mut self, directory: &OwnedFd) -> Result<(u32, u32), Errno> {
        const SET_GROUP_ID: u32 = 0o2000;
        let group = if fstat(directory)?.st_mode & SET_GROUP_ID != 0 {
            self.owners.owner(self.view, directory.as_fd())?.1
        } else {
            self.who.group.file
        };
        Ok((self.who.user.file, group))
    }

    fn mode(&self, mode: u32) -> Mode {
        Mode::from_raw_mode(mode & 0o7777 & !umask_of(self.view.proc(), self.thread))
    }
}
