//! Seeing files as a process of the container sees them.
//!
//! This thread has a root directory and a working directory of its own. Before a path is resolved its root becomes
//! that of the process, so links lead where they lead for the process, and nothing beyond the container can be
//! reached; its working directory stays `/proc` as *we* see it, through which descriptors are named.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

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

/// A path of a process: where it begins, and what it says.
pub(super) struct Spot {
    pub(super) base: OwnedFd,
    pub(super) path: Vec<u8>,
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

    /// Takes the place of the thread, and reads the path at `address`, which begins at `directory` if it is relative.
    pub(super) fn spot(&mut self, thread: u32, directory: i32, address: u64) -> Result<Spot, Errno> {
        let path = read_path(thread, address)?;
        self.spot_of(thread, directory, path)
    }

    pub(super) fn spot_of(&mut self, thread: u32, directory: i32, path: Vec<u8>) -> Result<Spot, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = openat(&self.proc, format!("{thread}/root"), flags, Mode::empty())?;
        self.take_root(&root)?;
        // `/proc/self` would be us.
        for (own, ours) in [("/proc/self/", ""), ("/proc/thread-self/", ""), ("/dev/fd/", "fd/")] {
            if let Some(rest) = path.strip_prefix(own.as_bytes()) {
                let base = self.proc.try_clone().map_err(|_| Errno::MFILE)?;
                return Ok(Spot { base, path: [format!("{thread}/{ours}").as_bytes(), rest].concat() });
            }
        }
        let base = if path.starts_with(b"/") {
            root
        } else if directory == libc::AT_FDCWD {
            openat(&self.proc, format!("{thread}/cwd"), flags, Mode::empty())?
        } else {
            self.descriptor(thread, directory)?
        };
        Ok(Spot { base, path })
    }

    /// What the thread has open at a number.
    pub(super) fn descriptor(&self, thread: u32, number: i32) -> Result<OwnedFd, Errno> {
        let path = format!("{thread}/fd/{number}");
        openat(&self.proc, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).map_err(|errno| match errno {
            Errno::NOENT => Errno::BADF,
            other => other,
        })
    }

    /// What is at a spot.
    pub(super) fn open(&self, spot: &Spot, follow: bool) -> Result<OwnedFd, Errno> {
        let follow = if follow { OFlags::empty() } else { OFlags::NOFOLLOW };
        openat(&spot.base, spot.path.as_slice(), OFlags::PATH | OFlags::CLOEXEC | follow, Mode::empty())
    }

    /// A path for one of our descriptors, relative to this thread's working directory.
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
    /// The directory that the last component is in, and whether there is more than it.
    pub(super) fn parent(&self) -> Result<OwnedFd, Errno> {
        let trimmed = self.path.trim_ascii_end();
        let end = trimmed.iter().rposition(|&byte| byte != b'/').map_or(0, |last| last + 1);
        let parent = match trimmed[..end].iter().rposition(|&byte| byte == b'/') {
            Some(0) => b"/".as_slice(),
            Some(slash) => &trimmed[..slash],
            None => b".",
        };
        openat(&self.base, parent, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
    }

    pub(super) fn base(&self) -> BorrowedFd<'_> {
        self.base.as_fd()
    }
}

/// A string of another process, up to its NUL.
pub(super) fn read_path(thread: u32, address: u64) -> Result<Vec<u8>, Errno> {
    const PAGE: u64 = 4096;
    let mut path = Vec::new();
    let mut part = [0; 256];
    while path.len() < LONGEST_PATH {
        let at = address + path.len() as u64;
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

/// For messages only.
impl std::fmt::Debug for Spot {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let path = PathBuf::from(String::from_utf8_lossy(&self.path).into_owned());
        formatter.debug_struct("Spot").field("path", &path).finish_non_exhaustive()
    }
}
