//! The only unsafe code of the project: system calls that have no safe wrapper elsewhere.
//!
//! Everything here is a thin function with a safe signature. What decides anything lives elsewhere.
#![allow(unsafe_code)]

pub(crate) mod loop_device;
pub(crate) mod mount;
pub(crate) mod notify;
pub(crate) mod process;
pub(crate) mod record;
pub(crate) mod seccomp;
pub(crate) mod spawn;

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;

/// Takes ownership of a descriptor that our parent left us at a number we agreed on.
///
/// `None` when nothing is open there.
pub(crate) fn take_descriptor(number: RawFd) -> Option<OwnedFd> {
    // SAFETY: F_GETFD reads a flag and touches no memory.
    if unsafe { libc::fcntl(number, libc::F_GETFD) } < 0 {
        return None;
    }
    // SAFETY: it is open, and it was opened by our parent for this one call: nothing else in this process owns it.
    Some(unsafe { OwnedFd::from_raw_fd(number) })
}

/// The result of a raw system call.
fn check(result: libc::c_long) -> Result<libc::c_long, Errno> {
    if result < 0 { Err(last_error()) } else { Ok(result) }
}

fn last_error() -> Errno {
    errno_of(&std::io::Error::last_os_error())
}

/// What the system said; an error that is none of its own counts as one of the device.
pub(crate) fn errno_of(error: &std::io::Error) -> Errno {
    Errno::from_io_error(error).unwrap_or(Errno::IO)
}
