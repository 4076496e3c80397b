//! Loading a system call filter.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;

use super::check;

/// One instruction of a filter, as the kernel reads it.
pub(crate) type Instruction = seccompiler::sock_filter;

/// Puts a filter on this process and all it will start. Needs `no_new_privs` or `CAP_SYS_ADMIN`.
pub(crate) fn load(program: &[Instruction]) -> Result<(), Errno> {
    install(program, 0)?;
    Ok(())
}

/// Like [`load`], and gives back the descriptor that the filter's notifications are read from.
pub(crate) fn load_with_listener(program: &[Instruction]) -> Result<OwnedFd, Errno> {
    // A signal must not interrupt a call that is being answered (Linux 5.19), or it would be made twice.
    const WAIT_KILLABLE: libc::c_ulong = 1 << 5;
    let flags = libc::SECCOMP_FILTER_FLAG_NEW_LISTENER as libc::c_ulong;
    let descriptor = match install(program, flags | WAIT_KILLABLE) {
        Err(Errno::INVAL) => install(program, flags)?,
        other => other?,
    };
    // SAFETY: the kernel just made it, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor as RawFd) })
}

fn install(program: &[Instruction], flags: libc::c_ulong) -> Result<libc::c_long, Errno> {
    /// `struct sock_fprog`.
    #[repr(C)]
    struct Program {
        length: libc::c_ushort,
        filter: *const Instruction,
    }
    let program =
        Program { length: u16::try_from(program.len()).map_err(|_| Errno::INVAL)?, filter: program.as_ptr() };
    // SAFETY: the program points to `length` instructions of the kernel's own layout, which live through the call.
    check(unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, flags, &raw const program)
    })
}
