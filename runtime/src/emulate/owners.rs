//! Recording owners: on the file where it can carry them, in a table where not.

use std::collections::HashMap;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    AtFlags, FileType, StatxFlags, XattrFlags, chownat, fstat, getxattr, removexattr, setxattr, statx,
};
use rustix::io::Errno;

use super::identity::SAME;
use super::view::View;
use crate::{OwnerRecord, OwnerTable};

/// The attribute that the store reads: `uid:gid` in decimal; absent for 0:0.
const OWNER: &str = "user.tug.owner";
/// The attribute of an empty file that stands for a device: `c 1:3`.
const DEVICE: &str = "user.tug.device";

/// What has no attributes, by inode and time of birth in the upper directory.
#[derive(Debug, Default)]
pub(super) struct Owners(HashMap<(u64, i128), (u32, u32)>);

impl Owners {
    pub(super) fn into_table(self) -> OwnerTable {
        let mut records: Vec<OwnerRecord> = self
            .0
            .into_iter()
            .map(|((inode, birth), (uid, gid))| OwnerRecord { inode, birth, uid, gid })
            .collect();
        records.sort_by_key(|record| (record.inode, record.birth));
        OwnerTable { records }
    }

    /// The owner of a file.
    pub(super) fn owner(&self, view: &mut View, file: BorrowedFd<'_>) -> Result<(u32, u32), Errno> {
        let kind = kind(file)?;
        if carries(kind) {
            return Ok(read_owner(view, file));
        }
        if self.0.is_empty() {
            return Ok((0, 0));
        }
        let key = key(view, file);
        Ok(key.and_then(|key| self.0.get(&key).copied()).unwrap_or((0, 0)))
    }

    /// Does what `chown` does, and records the new owner in place of setting it.
    pub(super) fn give(&mut self, view: &mut View, file: &OwnedFd, to: (u32, u32)) -> Result<(), Errno> {
        let kind = kind(file.as_fd())?;
        let stat = fstat(file)?;
        // The container's own terminal, pipes and sockets are nobody's files.
        if matches!(kind, FileType::CharacterDevice | FileType::BlockDevice) {
            return Ok(());
        }
        // Not mapped here: a file of the host that belongs to somebody else.
        if stat.st_uid != 0 {
            return Err(Errno::PERM);
        }
        // A change to the same: the file is copied up, loses its set-id bits and file capabilities, gets a new ctime.
        match chownat(file, "", None, None, AtFlags::EMPTY_PATH) {
            Ok(()) => {}
            // Pipes and sockets by descriptor.
            Err(_) if matches!(kind, FileType::Fifo | FileType::Socket) => return Ok(()),
            Err(errno) => return Err(errno),
        }
        let before = self.owner(view, file.as_fd())?;
        let owner = (if to.0 == SAME { before.0 } else { to.0 }, if to.1 == SAME { before.1 } else { to.1 });
        self.record(view, file.as_fd(), owner)
    }

    /// Records the owner of a file that is in the upper directory already.
    pub(super) fn record(
        &mut self,
        view: &mut View,
        file: BorrowedFd<'_>,
        owner: (u32, u32),
    ) -> Result<(), Errno> {
        if !carries(kind(file)?) {
            if let Some(key) = key(view, file) {
                self.0.insert(key, owner);
            }
            return Ok(());
        }
        let name = view.name_of(file);
        let result = if owner == (0, 0) {
            match removexattr(&name, OWNER) {
                Err(Errno::NODATA) => Ok(()),
                other => other,
            }
        } else {
            setxattr(&name, OWNER, format!("{}:{}", owner.0, owner.1).as_bytes(), XattrFlags::empty())
        };
        match result {
            // A file system in memory or of the kernel, which nobody keeps.
            Err(Errno::OPNOTSUPP) => Ok(()),
            other => other,
        }
    }
}

/// Notes down which device an empty file stands for.
pub(super) fn mark_device(view: &View, file: BorrowedFd<'_>, letter: char, device: u64) -> Result<(), Errno> {
    let text = format!("{letter} {}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    setxattr(view.name_of(file), DEVICE, text.as_bytes(), XattrFlags::empty())
}

/// Which device an empty file stands for.
pub(super) fn read_device(view: &View, file: BorrowedFd<'_>) -> Option<(FileType, u64)> {
    let mut text = [0; 32];
    let length = getxattr(view.name_of(file), DEVICE, &mut text[..]).ok()?;
    parse_device(std::str::from_utf8(&text[..length]).ok()?)
}

fn parse_device(text: &str) -> Option<(FileType, u64)> {
    let (letter, numbers) = text.split_once(' ')?;
    let (major, minor) = numbers.split_once(':')?;
    let kind = match letter {
        "c" => FileType::CharacterDevice,
        "b" => FileType::BlockDevice,
        _ => return None,
    };
    Some((kind, rustix::fs::makedev(major.parse().ok()?, minor.parse().ok()?)))
}

fn read_owner(view: &View, file: BorrowedFd<'_>) -> (u32, u32) {
    let mut text = [0; 32];
    let length = getxattr(view.name_of(file), OWNER, &mut text[..]).unwrap_or(0);
    std::str::from_utf8(&text[..length]).ok().and_then(parse_owner).unwrap_or((0, 0))
}

fn parse_owner(text: &str) -> Option<(u32, u32)> {
    let (uid, gid) = text.split_once(':')?;
    Some((uid.parse().ok()?, gid.parse().ok()?))
}

/// Only files and directories have attributes that an ordinary user may set.
fn carries(kind: FileType) -> bool {
    matches!(kind, FileType::RegularFile | FileType::Directory)
}

fn kind(file: BorrowedFd<'_>) -> Result<FileType, Errno> {
    Ok(FileType::from_raw_mode(fstat(file)?.st_mode))
}

fn key(view: &mut View, file: BorrowedFd<'_>) -> Option<(u64, i128)> {
    let upper = view.in_upper(file)?;
    let stat = statx(&upper, "", AtFlags::EMPTY_PATH, StatxFlags::INO | StatxFlags::BTIME).ok()?;
    let birth = i128::from(stat.stx_btime.tv_sec) * 1_000_000_000 + i128::from(stat.stx_btime.tv_nsec);
    Some((stat.stx_ino, birth))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_is_two_numbers() {
        assert_eq!(parse_owner("1000:33"), Some((1000, 33)));
        assert_eq!(parse_owner("1000"), None);
        assert_eq!(parse_owner("1000:x"), None);
        assert_eq!(parse_owner("-1:0"), None);
    }

    #[test]
    fn a_device_is_a_letter_and_two_numbers() {
        assert_eq!(parse_device("c 1:3"), Some((FileType::CharacterDevice, rustix::fs::makedev(1, 3))));
        assert_eq!(parse_device("b 8:1"), Some((FileType::BlockDevice, rustix::fs::makedev(8, 1))));
        assert_eq!(parse_device("d 8:1"), None);
    }
}
