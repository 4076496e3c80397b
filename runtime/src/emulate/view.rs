//! Seeing files as a process of the container sees them.
//!
//! This thread has a root directory and a working directory of its own. Before a path is resolved its root becomes
//! that of the process, so links lead where they lead for the process; its working directory stays `/proc` as *we* see
//! it, through which descriptors are named.
//!
//! The thread can do more than the process, so it must not be led astray: a path begins at the root of the process, at
//! its working directory or at something it has open, never at a directory of ours, and the links in `/proc` that
//! jump to where some process is are not followed. Those that stand for what a process itself has open are taken apart
//! here.

use std::ffi::OsString;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxFlags, openat, openat2, readlinkat, statx};
use rustix::io::Errno;
use rustix::process::{Pid, chroot, fchdir};

use crate::sys::{self, notify};

/// Longest path, as the kernel has it.
const LONGEST_PATH: usize = 4096;
/// Part of what `statx` is asked for: which mount a file is on.
const MOUNT_ID: StatxFlags = StatxFlags::from_bits_retain(0x1000);

pub(super) struct View {
    proc: OwnedFd,
    container: OwnedFd,
    /// The mount that is the container's root.
    root_mount: u64,
    upper: Option<OwnedFd>,
    /// Which directory is this thread's root now.
    current: Option<(u64, u64)>,
}

/// A path of a process.
pub(super) struct Spot {
    /// Where it begins, if it does not begin at the root.
    base: OwnedFd,
    /// What it says; empty for the base itself.
    path: Vec<u8>,
}

impl View {
    /// Call it in a thread that does nothing else.
    pub(super) fn new(init: Pid, upper: Option<&Path>) -> Result<Self, Errno> {
        let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let upper = upper.map(|upper| openat(CWD, upper, directory, Mode::empty())).transpose()?;
        let proc = openat(CWD, "/proc", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        let container = openat(&proc, format!("{}/root", init.as_raw_nonzero()), directory, Mode::empty())?;
        let root_mount = statx(&container, "", AtFlags::EMPTY_PATH, MOUNT_ID)?.stx_mnt_id;
        sys::process::unshare(libc::CLONE_FS)?;
        rustix::process::umask(Mode::empty());
        let mut view = Self { proc, container, root_mount, upper, current: None };
        let container = view.container.try_clone().map_err(|_| Errno::MFILE)?;
        view.take_root(&container)?;
        Ok(view)
    }

    /// `/proc` as we see it.
    pub(super) fn proc(&self) -> &OwnedFd {
        &self.proc
    }

    /// Takes the place of a thread for a path that begins at `directory` if it is relative.
    pub(super) fn spot(&mut self, thread: u32, directory: i32, path: Vec<u8>) -> Result<Spot, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(&self.proc, format!("{thread}/root"), flags, Mode::empty())?;
        self.take_root(&root)?;
        if let Some((link, rest)) = own_link(&path) {
            let link = format!("{thread}/{}", String::from_utf8_lossy(link));
            let base = openat(&self.proc, link, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
            return Ok(Spot { base, path: rest.to_vec() });
        }
        let base = if path.starts_with(b"/") {
            root
        } else if directory == libc::AT_FDCWD {
            openat(&self.proc, format!("{thread}/cwd"), flags, Mode::empty())?
        } else {
            self.descriptor(thread, directory)?
        };
        if path.is_empty() { Err(Errno::NOENT) } else { Ok(Spot { base, path }) }
    }

    /// What the thread has open at a number.
    pub(super) fn descriptor(&self, thread: u32, number: i32) -> Result<OwnedFd, Errno> {
        let path = format!("{thread}/fd/{number}");
        openat(&self.proc, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(|errno| match errno {
            Errno::NOENT => Errno::BADF,
            other => other,
        })
    }

    /// A name for one of our descriptors, relative to this thread's working directory.
    pub(super) fn name_of(&self, file: BorrowedFd<'_>) -> String {
        format!("self/fd/{}", file.as_raw_fd())
    }

    /// The same file in the upper directory, if it is there.
    pub(super) fn in_upper(&mut self, file: BorrowedFd<'_>) -> Option<OwnedFd> {
        let upper = self.upper.as_ref()?;
        if statx(file, "", AtFlags::EMPTY_PATH, MOUNT_ID).ok()?.stx_mnt_id != self.root_mount {
            return None;
        }
        let upper = upper.try_clone().ok()?;
        let container = self.container.try_clone().ok()?;
        // Names of open files are shown from this thread's root on.
        self.take_root(&container).ok()?;
        let path = readlinkat(&self.proc, self.name_of(file), Vec::new()).ok()?.into_bytes();
        let path = path.strip_prefix(b"/")?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
        openat2(&upper, path, flags, Mode::empty(), resolve).ok()
    }

    fn take_root(&mut self, root: &OwnedFd) -> Result<(), Errno> {
        let stat = statx(root, "", AtFlags::EMPTY_PATH, StatxFlags::INO | MOUNT_ID)?;
        let wanted = (stat.stx_ino, stat.stx_mnt_id);
        if self.current != Some(wanted) {
            self.current = None;
            fchdir(root)?;
            chroot(".")?;
            fchdir(&self.proc)?;
            self.current = Some(wanted);
        }
        Ok(())
    }
}

impl Spot {
    /// What is there.
    pub(super) fn open(&self, follow: bool) -> Result<OwnedFd, Errno> {
        if self.path.is_empty() {
            // A link in `/proc` that is not followed is none of our business.
            return if follow { self.base.try_clone().map_err(|_| Errno::MFILE) } else { Err(Errno::LOOP) };
        }
        let follow = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
        open_in(&self.base, &self.path, OFlags::PATH | follow)
    }

    /// The directory that something is to be made in, and its name there.
    pub(super) fn to_make(&self) -> Result<(OwnedFd, OsString), Errno> {
        let end = self.path.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
        let path = &self.path[..end];
        let (parent, name) = match path.iter().rposition(|&byte| byte == b'/') {
            Some(0) => (b"/".as_slice(), &path[1..]),
            Some(slash) => (&path[..slash], &path[slash + 1..]),
            None => (b".".as_slice(), path),
        };
        if matches!(name, b"" | b"." | b"..") {
            return Err(Errno::NOENT);
        }
        let parent = open_in(&self.base, parent, OFlags::PATH | OFlags::DIRECTORY)?;
        Ok((parent, OsString::from_vec(name.to_vec())))
    }

    /// Whether it can only be a directory.
    pub(super) fn ends_with_slash(&self) -> bool {
        self.path.ends_with(b"/")
    }
}

fn open_in(base: &OwnedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    openat2(base, path, flags | OFlags::CLOEXEC, Mode::empty(), ResolveFlags::NO_MAGICLINKS)
}

/// A path that begins with a link to what the process itself has: the link, below `/proc/PID`, and what follows.
fn own_link(path: &[u8]) -> Option<(&[u8], &[u8])> {
    let own = path.strip_prefix(b"/proc/self/").or_else(|| path.strip_prefix(b"/proc/thread-self/"));
    let own = own.or_else(|| path.strip_prefix(b"/dev/").filter(|rest| rest.starts_with(b"fd/")))?;
    let mut parts = own.splitn(2, |&byte| byte == b'/');
    let first = parts.next()?;
    let length = match first {
        b"cwd" | b"root" | b"exe" => first.len(),
        b"fd" => {
            let number = parts.next()?.split(|&byte| byte == b'/').next()?;
            if number.is_empty() || !number.iter().all(u8::is_ascii_digit) {
                return None;
            }
            first.len() + 1 + number.len()
        }
        _ => return None,
    };
    let rest = &own[length..];
    let start = rest.iter().position(|&byte| byte != b'/').unwrap_or(rest.len());
    Some((&own[..length], &rest[start..]))
}

/// A string of another process, up to its NUL.
pub(super) fn read_path(thread: u32, address: u64) -> Result<Vec<u8>, Errno> {
    const PAGE: u64 = 4096;
    let mut path = Vec::new();
    let mut part = [0; 256];
    while path.len() < LONGEST_PATH {
        let at = address.wrapping_add(path.len() as u64);
        // What is beyond the end of a page may not exist.
        let length = (PAGE - at % PAGE).min(part.len() as u64) as usize;
        let read = notify::read_memory(thread, at, &mut part[..length])?;
        if let Some(end) = part[..read].iter().position(|&byte| byte == 0) {
            path.extend_from_slice(&part[..end]);
            return Ok(path);
        }
        if read == 0 {
            return Err(Errno::FAULT);
        }
        path.extend_from_slice(&part[..read]);
    }
    Err(Errno::NAMETOOLONG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_a_process_to_its_own_files_are_taken_apart() {
        for (path, link, rest) in [
            ("/proc/self/fd/5", "fd/5", ""),
            ("/proc/thread-self/fd/12/a/b", "fd/12", "a/b"),
            ("/dev/fd/0", "fd/0", ""),
            ("/proc/self/cwd/..", "cwd", ".."),
            ("/proc/self/root//etc", "root", "etc"),
            ("/proc/self/exe", "exe", ""),
        ] {
            assert_eq!(own_link(path.as_bytes()), Some((link.as_bytes(), rest.as_bytes())), "{path}");
        }
    }

    #[test]
    fn no_other_path_begins_in_our_proc() {
        for path in [
            "/proc/self/..",
            "/proc/self/fd/..",
            "/proc/self/fd/",
            "/proc/self/fd/5x",
            "/proc/self/task/1/root",
            "/proc/1/root",
            "/proc/self",
            "/dev/fd/../x",
            "/dev/null",
            "proc/self/fd/1",
            "/proc/self//fd/1",
        ] {
            assert_eq!(own_link(path.as_bytes()), None, "{path}");
        }
    }
}
