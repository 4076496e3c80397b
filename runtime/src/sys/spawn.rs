//! Starting our own program again, in new namespaces, from a process with any number of threads.
//!
//! The child shares our memory until it executes (as `posix_spawn` does), so no page table is copied; it runs a few
//! system calls on its own stack and nothing else.

use std::ffi::{CStr, CString};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io::Errno;
use rustix::process::Pid;

use super::last_error;
use super::process::{block_signals, restore_signals};

/// How many descriptors a child starts with: 0, 1, 2 and the control socket.
pub(crate) const DESCRIPTORS: usize = 4;

/// What to start.
pub(crate) struct Spawn<'a> {
    /// The program.
    pub(crate) program: BorrowedFd<'a>,
    /// Its name, which is its only argument.
    pub(crate) name: &'static CStr,
    /// What it finds as descriptors 0 to 3. It has no others.
    pub(crate) descriptors: [BorrowedFd<'a>; DESCRIPTORS],
    /// `CLONE_NEW…` flags.
    pub(crate) namespaces: libc::c_int,
}

/// A process that was started.
#[derive(Debug)]
pub(crate) struct Spawned {
    /// Its number, as we see it.
    pub(crate) pid: Pid,
    /// What it can be waited for and signalled by.
    pub(crate) handle: OwnedFd,
}

/// What went wrong: making the process, or the program.
#[derive(Debug)]
pub(crate) enum SpawnError {
    /// The kernel did not make the process with these namespaces.
    Clone(Errno),
    /// The program could not be executed.
    Execute(Errno),
}

/// What the child needs, prepared before it exists: it must not allocate.
struct Child {
    program: RawFd,
    descriptors: [RawFd; DESCRIPTORS],
    args: [*const libc::c_char; 2],
    env: [*const libc::c_char; 1],
    failure: libc::c_int,
}

/// Starts it and returns when it executes.
pub(crate) fn spawn(what: &Spawn<'_>) -> Result<Spawned, SpawnError> {
    const STACK: usize = 64 << 10;
    // Copies far above the numbers they will get, so that none is overwritten before it is used.
    let mut copies = Vec::with_capacity(DESCRIPTORS + 1);
    for descriptor in what.descriptors.iter().chain([&what.program]) {
        copies.push(rustix::io::fcntl_dupfd_cloexec(descriptor, 16).map_err(SpawnError::Clone)?);
    }
    let name: CString = what.name.to_owned();
    let mut child = Child {
        program: copies[DESCRIPTORS].as_raw_fd(),
        descriptors: std::array::from_fn(|number| copies[number].as_raw_fd()),
        args: [name.as_ptr(), std::ptr::null()],
        env: [std::ptr::null()],
        failure: 0,
    };
    let mut stack = vec![0_u128; STACK / size_of::<u128>()];
    let mut handle: RawFd = -1;
    let flags = what.namespaces | libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;

    let before = block_signals();
    // SAFETY: CLONE_VFORK stops this thread until the child has executed or ended, so `child`, `stack` and `copies`
    // outlive its use of them. The child runs `run_child` only, which makes system calls and allocates nothing.
    // Its stack is aligned to 16 bytes and grows down from the end. Signals are blocked: no handler runs in it.
    let pid = unsafe {
        libc::clone(
            run_child,
            stack.as_mut_ptr().add(stack.len()).cast(),
            flags,
            (&raw mut child).cast(),
            &raw mut handle,
        )
    };
    let error = last_error();
    restore_signals(before);

    let Some(pid) = (if pid < 0 { None } else { Pid::from_raw(pid) }) else {
        return Err(SpawnError::Clone(error));
    };
    // SAFETY: the kernel stored a new descriptor there, because the call succeeded.
    let handle = unsafe { OwnedFd::from_raw_fd(handle) };
    // SAFETY: the child wrote it through the pointer that it was given; a plain read could be reordered.
    let failure = unsafe { (&raw const child.failure).read_volatile() };
    if failure != 0 {
        let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty());
        return Err(SpawnError::Execute(Errno::from_raw_os_error(failure)));
    }
    Ok(Spawned { pid, handle })
}

extern "C" fn run_child(child: *mut libc::c_void) -> libc::c_int {
    let child: *mut Child = child.cast();
    // SAFETY: the parent waits and does not touch `child`; every call below is a bare system call.
    unsafe {
        for (number, &descriptor) in (*child).descriptors.iter().enumerate() {
            if libc::dup2(descriptor, number as RawFd) < 0 {
                (*child).failure = *libc::__errno_location();
                libc::_exit(127);
            }
        }
        libc::syscall(libc::SYS_close_range, DESCRIPTORS as u32, u32::MAX, libc::CLOSE_RANGE_CLOEXEC);
        libc::syscall(
            libc::SYS_execveat,
            (*child).program,
            c"".as_ptr(),
            (*child).args.as_ptr(),
            (*child).env.as_ptr(),
            libc::AT_EMPTY_PATH,
        );
        (*child).failure = *libc::__errno_location();
        libc::_exit(127)
    }
}
