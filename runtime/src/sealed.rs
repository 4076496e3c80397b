//! A copy of our own program that nobody can change.
//!
//! A process in the container that is root can open the program it was started from for writing (CVE-2019-5736:
//! a container replaced its runtime that way). So what runs in the container is a copy in memory, sealed against
//! every write; the file on disk cannot be reached through it.

use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;

use crate::Error;

/// The copy.
pub(crate) fn own_program() -> Result<OwnedFd, Error> {
    let action = "copy our own program into memory";
    let mut program = File::open("/proc/self/exe").map_err(|error| Error::system(action, error))?;
    let mut copy = File::from(create().map_err(|errno| Error::system(action, errno))?);
    std::io::copy(&mut program, &mut copy).map_err(|error| Error::system(action, error))?;
    fcntl_add_seals(&copy, SealFlags::SEAL | SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE)
        .map_err(|errno| Error::system(action, errno))?;
    Ok(copy.into())
}

fn create() -> Result<OwnedFd, Errno> {
    // Since Linux 6.3 a file in memory that will be executed has to say so.
    const EXECUTABLE: MemfdFlags = MemfdFlags::from_bits_retain(0x10);
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    match memfd_create("tug-init", flags | EXECUTABLE) {
        Err(Errno::INVAL) => memfd_create("tug-init", flags),
        other => other,
    }
}
