//! Giving the files of a mount to somebody, with all that lies below them.
//!
//! Nothing is followed: a link is given away itself, and another file system below stays as it is.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Gid, Mode, OFlags, Uid, chownat, fstat, openat, statat};
use rustix::io::Errno;

use super::walk::{LastLink, Missing, walk};

/// How deep a tree may be: each level keeps a directory open.
const DEEPEST: usize = 512;

/// Gives what `target` shows to a user and a group.
pub(super) fn give(root: BorrowedFd<'_>, target: &Path, uid: u32, gid: u32) -> Result<(), Errno> {
    let place = walk(root, target, LastLink::Follow, Missing::Refuse, &mut ())?;
    let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    let top = place.descriptor();
    chownat(top, "", owner.0, owner.1, AtFlags::EMPTY_PATH)?;
    let found = fstat(top)?;
    if FileType::from_raw_mode(found.st_mode) != FileType::Directory {
        return Ok(());
    }
    below(&open(top, ".")?, found.st_dev, owner, DEEPEST)
}

fn below(
    directory: &OwnedFd,
    device: rustix::fs::Dev,
    owner: (Option<Uid>, Option<Gid>),
    deeper: usize,
) -> Result<(), Errno> {
    let entries = Dir::read_from(directory)?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let found = statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if found.st_dev != device {
            continue;
        }
        chownat(directory, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)?;
        if FileType::from_raw_mode(found.st_mode) == FileType::Directory {
            let deeper = deeper.checked_sub(1).ok_or(Errno::NAMETOOLONG)?;
            below(&open(directory.as_fd(), name)?, device, owner, deeper)?;
        }
    }
    Ok(())
}

fn open(parent: BorrowedFd<'_>, name: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}
