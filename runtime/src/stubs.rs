//! Sweeping away what was made in the upper directory only to mount something on it.
//!
//! By now the container may have put anything in its place, a link to a directory of the host for example
//! (CVE-2024-23652), so every step is resolved beneath the upper directory, no link is followed, and a stub goes only
//! if it is the very same empty inode. What changed by making it, the time of its parent, goes back too, unless the
//! container changed that directory itself.

use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use rustix::fs::{
    AtFlags, CWD, Mode, OFlags, ResolveFlags, StatxFlags, Timespec, Timestamps, UTIME_OMIT, fstat, openat2,
    statx, unlinkat, utimensat,
};
use rustix::io::Errno;

use crate::control::{Identity, Stub, Time};

/// Takes the stubs away, the last one first. What cannot be taken away stays: it is empty.
pub(crate) fn sweep(upper: &Path, stubs: &[Stub]) {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    if let Ok(upper) = rustix::fs::open(upper, flags, Mode::empty()) {
        for stub in stubs.iter().rev() {
            let _ = sweep_one(&upper, stub);
        }
    }
}

/// Removes the mark that a volatile overlay leaves and that keeps its directories from being mounted again. It warns
/// of a system that crashed; whether that happened since is for the owner of the directories to know.
pub(crate) fn clear_mark(work: &Path) {
    let mark = work.join("work/incompat/volatile");
    if unlinkat(CWD, mark.join("dirty"), AtFlags::empty()).is_ok() || mark.is_dir() {
        for directory in [&mark, &work.join("work/incompat")] {
            let _ = unlinkat(CWD, directory, AtFlags::REMOVEDIR);
        }
    }
}

fn sweep_one(upper: &OwnedFd, stub: &Stub) -> Result<(), Errno> {
    let (parent, name) =
        (stub.path.parent().ok_or(Errno::INVAL)?, stub.path.file_name().ok_or(Errno::INVAL)?);
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let parent = openat2(
        upper,
        parent,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV,
    )?;
    let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
    let found = statx(&parent, name, AtFlags::SYMLINK_NOFOLLOW, wanted)?;
    if Identity::of(&found) != stub.identity || (!stub.directory && found.stx_size != 0) {
        return Ok(());
    }
    let now = Time::modified(&fstat(&parent)?);
    // A directory that is not empty stays: the kernel sees to that.
    unlinkat(&parent, name, if stub.directory { AtFlags::REMOVEDIR } else { AtFlags::empty() })?;
    let before = if now == stub.parent_after { stub.parent_before } else { now };
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec { tv_sec: before.seconds, tv_nsec: before.nanoseconds.into() },
    };
    utimensat(parent.as_fd(), "", &times, AtFlags::EMPTY_PATH)
        .or_else(|_| rustix::fs::futimens(&parent, &times))
}
