//! Mounting a layer that was never unpacked: an EROFS image whose files have their content in a tar.
//!
//! From Linux 6.12 on the image may be a file. Before that both files become block devices (`loop`), for which the
//! blocks of 512 bytes of a tar need Linux 6.4.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{
    FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string, fsopen,
};

use super::mounting::mount_of;
use crate::Error;
use crate::sys::loop_device;

/// How the kernel takes the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// As they are.
    Files,
    /// As loop devices.
    Devices,
}

/// The mount of `index`, whose files have their content in `data`; not in place anywhere.
pub(super) fn mount(index: &Path, data: &[PathBuf]) -> Result<OwnedFd, Error> {
    let opened = |path: &Path| {
        File::open(path).map_err(|error| Error::Source { path: path.to_owned(), cause: error.into() })
    };
    let index_file = opened(index)?;
    let data: Vec<File> = data.iter().map(|path| opened(path)).collect::<Result<_, _>>()?;
    mount_opened(&index_file, &data)
        .map(|(mount, _)| mount)
        .map_err(|errno| Error::Indexed { path: index.to_owned(), cause: errno.into() })
}

/// As [`mount`], and how it went.
pub(crate) fn mount_opened(index: &File, data: &[File]) -> Result<(OwnedFd, Way), Errno> {
    match mount_files(index, data) {
        // "Block device required": what kernels say that want one.
        Err(Errno::NOTBLK) => mount_devices(index, data).map(|mount| (mount, Way::Devices)),
        other => other.map(|mount| (mount, Way::Files)),
    }
}

fn mount_files(index: &File, data: &[File]) -> Result<OwnedFd, Errno> {
    let path = |file: &File| format!("/proc/self/fd/{}", file.as_raw_fd());
    mount_paths(&path(index), data.iter().map(path))
}

pub(crate) fn mount_devices(index: &File, data: &[File]) -> Result<OwnedFd, Errno> {
    let attach = |file: &File| -> Result<(File, String), Errno> {
        let (device, path) = loop_device::attach(file)?;
        Ok((device, path.to_string_lossy().into_owned()))
    };
    let index = attach(index)?;
    let data: Vec<(File, String)> = data.iter().map(attach).collect::<Result<_, _>>()?;
    mount_paths(&index.1, data.iter().map(|(_, path)| path.clone()))
}

fn mount_paths(index: &str, data: impl Iterator<Item = String>) -> Result<OwnedFd, Errno> {
    let context = fsopen("erofs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_set_string(&context, "source", index)?;
    // A device that can only be read is refused to who does not say so.
    fsconfig_set_flag(&context, "ro")?;
    for path in data {
        fsconfig_set_string(&context, "device", path)?;
    }
    fsconfig_create(&context)?;
    mount_of(&context, MountAttrFlags::MOUNT_ATTR_RDONLY)
}
