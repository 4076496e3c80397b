//! Processes and signals of the container's first process, which has one thread only.

use std::ffi::{CStr, CString};
use std::os::fd::{FromRawFd, OwnedFd};

use rustix::io::Errno;
use rustix::process::Pid;

use super::{check, last_error};

/// Splits in two. `None` in the child.
///
/// Call it only where no other thread exists.
pub(crate) fn fork() -> Result<Option<Pid>, Errno> {
    debug_assert!(is_single_threaded(), "a fork with threads leaves locks held for ever in the child");
    // SAFETY: no other thread exists, as the caller promises: no lock can be held in the child.
    let pid = unsafe { libc::fork() };
    if pid < 0 { Err(last_error()) } else { Ok(Pid::from_raw(pid)) }
}

/// Ends this process at once: nothing is flushed that a parent of ours will flush too.
pub(crate) fn exit(code: i32) -> ! {
    // SAFETY: the call takes a number and never returns.
    unsafe { libc::_exit(code) }
}

/// Whether this process has one thread.
pub(crate) fn is_single_threaded() -> bool {
    std::fs::read_dir("/proc/self/task").map_or(true, |tasks| tasks.count() == 1)
}

/// Becomes another program. Comes back only when that failed.
pub(crate) fn execute(program: &CStr, args: &[CString], env: &[CString]) -> Errno {
    let args = pointers(args);
    let env = pointers(env);
    // SAFETY: both arrays end with a null pointer and point to strings that live until the call is over.
    unsafe { libc::execve(program.as_ptr(), args.as_ptr(), env.as_ptr()) };
    last_error()
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings.iter().map(|string| string.as_ptr()).chain([std::ptr::null()]).collect()
}

/// Gives back what a program expects when it starts: every signal with its default action, none blocked.
pub(crate) fn reset_signals() {
    for signal in 1..=64 {
        // SAFETY: the default action runs no code of ours. Numbers that cannot be changed are refused, which is fine.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    set_mask(libc::SIG_SETMASK, empty_set());
}

/// Keeps every signal waiting, to be read from the descriptor that comes back.
pub(crate) fn signals_as_descriptor() -> Result<OwnedFd, Errno> {
    let all = full_set();
    set_mask(libc::SIG_SETMASK, all);
    // SAFETY: the set is initialised; -1 asks for a new descriptor.
    let descriptor = unsafe { libc::signalfd(-1, &raw const all, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK) };
    if descriptor < 0 {
        return Err(last_error());
    }
    // SAFETY: the kernel just made it, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// The signal in one record read from the descriptor of [`signals_as_descriptor`].
pub(crate) const SIGNAL_RECORD: usize = size_of::<libc::signalfd_siginfo>();

/// Blocks every signal for this thread and gives back what was blocked before.
pub(super) fn block_signals() -> libc::sigset_t {
    set_mask(libc::SIG_SETMASK, full_set())
}

/// Gives back what [`block_signals`] took.
pub(super) fn restore_signals(before: libc::sigset_t) {
    set_mask(libc::SIG_SETMASK, before);
}

fn set_mask(how: libc::c_int, set: libc::sigset_t) -> libc::sigset_t {
    let mut before = empty_set();
    // SAFETY: both sets are initialised and live through the call.
    unsafe { libc::pthread_sigmask(how, &raw const set, &raw mut before) };
    before
}

fn empty_set() -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: sigemptyset writes the whole set.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    }
}

fn full_set() -> libc::sigset_t {
    let mut set = std::mem::MaybeUninit::uninit();
    // SAFETY: sigfillset writes the whole set.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        set.assume_init()
    }
}

/// Sends a signal, real-time ones included.
pub(crate) fn kill(pid: Pid, signal: i32) -> Result<(), Errno> {
    // SAFETY: the call takes numbers only, and the number of a process is never that of a group.
    check(libc::c_long::from(unsafe { libc::kill(pid.as_raw_nonzero().get(), signal) }))?;
    Ok(())
}

/// Sends a signal, real-time ones included, to the process that `handle` (a pidfd) stands for.
pub(crate) fn kill_by_handle(handle: impl std::os::fd::AsFd, signal: i32) -> Result<(), Errno> {
    let handle = std::os::fd::AsRawFd::as_raw_fd(&handle.as_fd());
    let no_info = std::ptr::null::<libc::siginfo_t>();
    // SAFETY: without details (a null pointer) the call takes numbers only.
    check(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, handle, signal, no_info, 0) })?;
    Ok(())
}

/// Marks every descriptor from `first` on to be closed when another program starts.
pub(crate) fn close_on_execute(first: u32) -> Result<(), Errno> {
    // SAFETY: the call takes numbers only. Nothing is closed now.
    check(unsafe { libc::syscall(libc::SYS_close_range, first, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) })?;
    Ok(())
}

/// Stops sharing with other threads and processes what the flags say: enters new namespaces, or gets a root and working
/// directory of its own. New user namespaces want a process with one thread.
pub(crate) fn unshare(flags: libc::c_int) -> Result<(), Errno> {
    // SAFETY: namespaces are entered; the file descriptor table, which others could rely on, is not touched.
    check(libc::c_long::from(unsafe { libc::unshare(flags) }))?;
    Ok(())
}

/// Leaves the keyring of whoever started us.
pub(crate) fn leave_keyring() {
    const JOIN_SESSION_KEYRING: libc::c_int = 1;
    // SAFETY: a null name asks for a nameless keyring. Failure (no keyrings in this kernel) leaves all as it was.
    unsafe { libc::syscall(libc::SYS_keyctl, JOIN_SESSION_KEYRING, std::ptr::null::<libc::c_char>()) };
}

/// Switches on the loopback device of a new network namespace.
pub(crate) fn loopback_up() -> Result<(), Errno> {
    let socket = rustix::net::socket_with(
        rustix::net::AddressFamily::INET,
        rustix::net::SocketType::DGRAM,
        rustix::net::SocketFlags::CLOEXEC,
        None,
    )?;
    // SAFETY: an interface request is plain numbers; all zero is a valid one.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads the request, which lives through the call.
    let result = unsafe {
        libc::ioctl(std::os::fd::AsRawFd::as_raw_fd(&socket), libc::SIOCSIFFLAGS as _, &raw const request)
    };
    check(libc::c_long::from(result))?;
    Ok(())
}

/// The set of capabilities of this process: what it has, what it may take, what it hands on to programs.
pub(crate) fn set_capabilities(effective: u64, permitted: u64, inheritable: u64) -> Result<(), Errno> {
    use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};
    set_capabilities(
        None,
        CapabilitySets {
            effective: CapabilitySet::from_bits_retain(effective),
            permitted: CapabilitySet::from_bits_retain(permitted),
            inheritable: CapabilitySet::from_bits_retain(inheritable),
        },
    )
}

/// What this process may do or take.
pub(crate) fn permitted_capabilities() -> Result<u64, Errno> {
    Ok(rustix::thread::capabilities(None)?.permitted.bits())
}

/// Takes every capability that is not in `kept` away from this process and all it will ever start.
pub(crate) fn limit_capabilities(kept: u64) -> Result<(), Errno> {
    for number in 0..64 {
        if kept & (1 << number) != 0 {
            continue;
        }
        // SAFETY: prctl with these operations takes numbers only. A number the kernel does not know is EINVAL.
        let present = unsafe { libc::prctl(libc::PR_CAPBSET_READ, number, 0, 0, 0) };
        if present < 0 {
            break;
        }
        // SAFETY: as above.
        if present == 1 && unsafe { libc::prctl(libc::PR_CAPBSET_DROP, number, 0, 0, 0) } < 0 {
            return Err(last_error());
        }
    }
    Ok(())
}

/// Sets one limit of this process; `None` is unlimited.
pub(crate) fn set_limit(resource: u32, soft: Option<u64>, hard: Option<u64>) -> Result<(), Errno> {
    let limit = libc::rlimit {
        rlim_cur: soft.unwrap_or(libc::RLIM_INFINITY),
        rlim_max: hard.unwrap_or(libc::RLIM_INFINITY),
    };
    // SAFETY: the limit is read and lives through the call.
    check(libc::c_long::from(unsafe { libc::setrlimit(resource as _, &raw const limit) }))?;
    Ok(())
}
