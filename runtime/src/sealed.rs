//! A copy of our own program that nobody can change.
//!
//! A process in the container that is root can open the program it was started from for writing (CVE-2019-5736:
//! a container replaced its runtime that way). So what runs in the container is a copy in memory, sealed against
//! every write; the file on disk cannot be reached through it.

use std::fs::File;
use std::os::fd::OwnedFd;

use rustix::fs::{CWD, MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::io::Errno;
use rustix::mount::{OpenTreeFlags, open_tree};

use crate::Error;
use crate::sys::mount::{Attributes, set_attributes};

/// The copy. Where the system forbids to execute from memory (`vm.memfd_noexec`), a view of the file that can only be
/// read.
pub(crate) fn own_program() -> Result<OwnedFd, Error> {
    match copy() {
        Err(Error::System { cause, .. }) if cause.errno() == libc::EACCES => {
            read_only_view().map_err(|errno| {
                Error::system("show our own program to containers without a way to write to it", errno)
            })
        }
        other => other,
    }
}

/// A mount of its own for the file, not in place anywhere. Only a process that may change mounts could undo it.
fn read_only_view() -> Result<OwnedFd, Errno> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
    let view = open_tree(CWD, "/proc/self/exe", flags)?;
    set_attributes(&view, Attributes { read_only: true, ..Attributes::default() })?;
    Ok(view)
}

fn copy() -> Result<OwnedFd, Error> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_copy_is_ours_and_cannot_be_changed() {
        let mut copy = File::from(own_program().unwrap());
        let program = std::fs::read("/proc/self/exe").unwrap();
        assert_eq!(copy.metadata().unwrap().len(), program.len() as u64);
        assert!(std::io::Write::write(&mut copy, b"x").is_err());
        assert!(copy.set_len(0).is_err());
    }

    #[test]
    #[ignore = "needs root"]
    fn needs_root_the_view_can_only_be_read() {
        let view = read_only_view().unwrap();
        let flags = rustix::fs::fstatvfs(&view).unwrap().f_flag;
        assert!(flags.contains(rustix::fs::StatVfsMountFlags::RDONLY), "{flags:?}");
    }
}
