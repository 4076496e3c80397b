//! `ioctl_loop(4)`: block devices whose content is a file.

use std::fs::{File, OpenOptions};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::io::Errno;

use super::{check, errno_of};

const GET_FREE: libc::c_ulong = 0x4c82;
const CONFIGURE: libc::c_ulong = 0x4c0a;
const READ_ONLY: u32 = 1;
/// The device lets go of its file when nobody has it open or mounted any more.
const AUTOCLEAR: u32 = 4;
/// Others may take the device that we were told is free.
const TRIES: usize = 64;

/// `struct loop_info64`.
#[repr(C)]
struct Info {
    numbers: [u64; 5],
    number: u32,
    encryption: [u32; 2],
    flags: u32,
    names: [u8; 160],
    init: [u64; 2],
}

/// `struct loop_config`.
#[repr(C)]
struct Config {
    file: u32,
    block_size: u32,
    info: Info,
    reserved: [u64; 8],
}

/// A device that shows `file`, read-only. It is free again when what is returned is closed and nothing is mounted.
pub(crate) fn attach(file: &File) -> Result<(File, PathBuf), Errno> {
    let control = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/loop-control")
        .map_err(|error| errno_of(&error))?;
    for _ in 0..TRIES {
        // SAFETY: LOOP_CTL_GET_FREE takes no argument and touches no memory.
        let number = check(unsafe { libc::c_long::from(libc::ioctl(control.as_raw_fd(), GET_FREE as _)) })?;
        let path = PathBuf::from(format!("/dev/loop{number}"));
        let device = open_device(&path)?;
        match configure(&device, file) {
            Err(Errno::BUSY) => {}
            Err(errno) => return Err(errno),
            Ok(()) => return Ok((device, path)),
        }
    }
    Err(Errno::BUSY)
}

fn open_device(path: &Path) -> Result<File, Errno> {
    OpenOptions::new().read(true).open(path).map_err(|error| errno_of(&error))
}

fn configure(device: &File, file: &File) -> Result<(), Errno> {
    let config = Config {
        file: file.as_raw_fd().unsigned_abs(),
        block_size: 512,
        info: Info {
            numbers: [0; 5],
            number: 0,
            encryption: [0; 2],
            flags: READ_ONLY | AUTOCLEAR,
            names: [0; 160],
            init: [0; 2],
        },
        reserved: [0; 8],
    };
    // SAFETY: the kernel reads a `struct loop_config`, which has the layout of `Config` and lives through the call.
    let done = unsafe { libc::ioctl(device.as_raw_fd(), CONFIGURE as _, &raw const config) };
    check(libc::c_long::from(done)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_structures_have_the_size_that_the_kernel_reads() {
        assert_eq!(size_of::<Info>(), 232);
        assert_eq!(size_of::<Config>(), 304);
    }
}
