//! Answering the system calls of other processes: `seccomp_unotify(2)`.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

use super::{check, last_error};

/// A call that waits for an answer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Notification {
    /// Stands for this one call.
    pub(crate) id: u64,
    /// The thread that makes it, by its number as we see it.
    pub(crate) thread: u32,
    pub(crate) number: u32,
    /// `AUDIT_ARCH_…`.
    pub(crate) architecture: u32,
    pub(crate) arguments: [u64; 6],
}

/// What the call is to give back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reply {
    Value(i64),
    Fail(Errno),
    /// The kernel makes the call after all.
    Continue,
}

/// Where calls are read from.
#[derive(Debug)]
pub(crate) struct Listener(OwnedFd);

#[repr(C)]
#[derive(Clone, Copy, Default)]
struct RawNotification {
    id: u64,
    pid: u32,
    flags: u32,
    number: i32,
    architecture: u32,
    instruction: u64,
    arguments: [u64; 6],
}

#[repr(C)]
struct RawReply {
    id: u64,
    value: i64,
    error: i32,
    flags: u32,
}

#[repr(C)]
struct RawDescriptor {
    id: u64,
    flags: u32,
    source: u32,
    target: u32,
    target_flags: u32,
}

const RECEIVE: libc::c_ulong = 0xc050_2100;
const SEND: libc::c_ulong = 0xc018_2101;
const IS_VALID: libc::c_ulong = 0x4008_2102;
const ADD_DESCRIPTOR: libc::c_ulong = 0x4018_2103;

impl Listener {
    pub(crate) fn new(descriptor: OwnedFd) -> Self {
        // Since Linux 6.6 the caller's processor can be handed to us and back, as nothing else goes on meanwhile.
        const SET_FLAGS: libc::c_ulong = 0x4008_2104;
        const SYNC_WAKE_UP: libc::c_ulong = 1;
        // SAFETY: the argument is a number. Older kernels refuse it, and nothing changes.
        unsafe { libc::ioctl(descriptor.as_raw_fd(), SET_FLAGS as _, SYNC_WAKE_UP) };
        Self(descriptor)
    }

    /// Waits for the next call; `None` when no process is left that could make one.
    pub(crate) fn receive(&self) -> Option<Notification> {
        loop {
            let mut waited = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut waited, None) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(_) => return None,
            }
            if !waited[0].revents().contains(PollFlags::IN) {
                return None;
            }
            // The kernel wants the record to be all zero.
            let mut raw = RawNotification::default();
            // SAFETY: the record has the size that is part of the request's number, and lives through the call.
            match self.request(RECEIVE, (&raw mut raw).cast()) {
                Ok(_) => {
                    return Some(Notification {
                        id: raw.id,
                        thread: raw.pid,
                        number: raw.number as u32,
                        architecture: raw.architecture,
                        arguments: raw.arguments,
                    });
                }
                // The caller was killed while we looked.
                Err(Errno::NOENT | Errno::INTR) => {}
                Err(_) => return None,
            }
        }
    }

    /// Whether the call still waits: only then its thread's number means that thread.
    pub(crate) fn is_valid(&self, id: u64) -> bool {
        self.request(IS_VALID, (&raw const id).cast_mut().cast()).is_ok()
    }

    /// Answers. A caller that is gone is no error.
    pub(crate) fn reply(&self, id: u64, reply: Reply) {
        const CONTINUE: u32 = 1;
        let (value, error, flags) = match reply {
            Reply::Value(value) => (value, 0, 0),
            Reply::Fail(errno) => (0, -errno.raw_os_error(), 0),
            Reply::Continue => (0, 0, CONTINUE),
        };
        let mut raw = RawReply { id, value, error, flags };
        let _ = self.request(SEND, (&raw mut raw).cast());
    }

    /// Answers with a descriptor: the caller gets one of its own for the same open file.
    pub(crate) fn reply_with(&self, id: u64, file: BorrowedFd<'_>, close_on_execute: bool) {
        const AND_SEND: u32 = 1 << 1;
        let mut raw = RawDescriptor {
            id,
            flags: AND_SEND,
            source: file.as_raw_fd() as u32,
            target: 0,
            target_flags: if close_on_execute { libc::O_CLOEXEC as u32 } else { 0 },
        };
        match self.request(ADD_DESCRIPTOR, (&raw mut raw).cast()) {
            // Before Linux 5.14 the answer is a second step.
            Err(Errno::INVAL) => {
                raw.flags = 0;
                match self.request(ADD_DESCRIPTOR, (&raw mut raw).cast()) {
                    Ok(number) => self.reply(id, Reply::Value(number)),
                    Err(errno) => self.reply(id, Reply::Fail(errno)),
                }
            }
            Err(errno) if errno != Errno::NOENT => self.reply(id, Reply::Fail(errno)),
            _ => {}
        }
    }

    fn request(&self, request: libc::c_ulong, record: *mut libc::c_void) -> Result<i64, Errno> {
        // SAFETY: every caller passes a record of the size that is part of the request's number.
        let result = unsafe { libc::ioctl(self.0.as_fd().as_raw_fd(), request as _, record) };
        if result < 0 { Err(last_error()) } else { Ok(i64::from(result)) }
    }
}

/// Reads from the memory of a thread's process; how much could be read.
pub(crate) fn read_memory(thread: u32, address: u64, into: &mut [u8]) -> Result<usize, Errno> {
    let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let remote = libc::iovec { iov_base: address as usize as *mut libc::c_void, iov_len: into.len() };
    // SAFETY: the local range is ours to write to; the remote address is only looked at in the other process.
    let result = unsafe {
        libc::process_vm_readv(thread as libc::pid_t, &raw const local, 1, &raw const remote, 1, 0)
    };
    check(result as libc::c_long).map(|length| length as usize)
}
