//! Showing the recorded owner of a file in place of the real one.
//!
//! Programs read an owner to write it back (`cp -p`, `tar`, busybox's `chgrp`) and to judge (`git` and `ssh` refuse
//! what belongs to somebody else). What has no record is shown by the kernel itself. So is everything to 32-bit
//! programs, whose records have another layout.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, StatxFlags, fstat, statx};
use rustix::io::Errno;

use super::owners::{Owners, read_device};
use super::view::View;
use crate::sys::record::bytes_of;

/// Which record the process wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `struct stat`.
    Plain,
    /// `struct statx`, with flags and a mask.
    Extended { flags: u32, mask: u32 },
}

/// The record of `file` with what we know about it; `None` when the kernel can do it as well.
pub(super) fn record(
    view: &mut View,
    owners: &Owners,
    file: &OwnedFd,
    form: Form,
) -> Result<Option<Vec<u8>>, Errno> {
    let Some(shown) = shown(view, owners, file.as_fd())? else { return Ok(None) };
    let (uid, gid) = shown.owner;
    Ok(Some(match form {
        Form::Plain => {
            let mut record = fstat(file)?;
            (record.st_uid, record.st_gid) = (uid, gid);
            if let Some((kind, device)) = shown.device {
                record.st_mode = kind.as_raw_mode() | (record.st_mode & 0o7777);
                record.st_rdev = device;
            }
            bytes_of(&record).to_vec()
        }
        Form::Extended { flags, mask } => {
            let flags =
                AtFlags::from_bits_retain(flags) & AtFlags::STATX_FORCE_SYNC.union(AtFlags::STATX_DONT_SYNC);
            let mask = StatxFlags::from_bits_retain(mask & 0x7fff_ffff);
            let mut record = statx(file, "", AtFlags::EMPTY_PATH | flags, mask)?;
            (record.stx_uid, record.stx_gid) = (uid, gid);
            if let Some((kind, device)) = shown.device {
                record.stx_mode = (kind.as_raw_mode() | (u32::from(record.stx_mode) & 0o7777)) as u16;
                record.stx_rdev_major = rustix::fs::major(device);
                record.stx_rdev_minor = rustix::fs::minor(device);
            }
            bytes_of(&record).to_vec()
        }
    }))
}

struct Shown {
    owner: (u32, u32),
    /// The device that an empty file stands for.
    device: Option<(FileType, u64)>,
}

fn shown(view: &mut View, owners: &Owners, file: BorrowedFd<'_>) -> Result<Option<Shown>, Errno> {
    let stat = fstat(file)?;
    let kind = FileType::from_raw_mode(stat.st_mode);
    // Not ours, or nobody's file.
    if stat.st_uid != 0 || matches!(kind, FileType::CharacterDevice | FileType::BlockDevice) {
        return Ok(None);
    }
    let owner = owners.owner(view, file)?;
    let device =
        if kind == FileType::RegularFile && stat.st_size == 0 { read_device(view, file) } else { None };
    Ok((owner != (0, 0) || device.is_some()).then_some(Shown { owner, device }))
}
