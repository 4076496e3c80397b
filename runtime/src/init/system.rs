//! `/proc`, `/sys`, and what is hidden or protected in them.
//!
//! The lists are Docker's (2026). Each path is opened below the root of the file system that we have just made, not
//! below the image's idea of `/proc`. A file is hidden by the null device of our own, never by the one in the
//! container's `/dev`, which an image could have replaced (CVE-2025-31133); a directory by an empty one.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{FileType, Mode, OFlags, fstat, open, openat};
use rustix::io::Errno;
use rustix::mount::MountAttrFlags;

use super::devices::Private;
use super::mounting::{STRICT, Setting, attach, clone_of, new_file_system};
use crate::sys::mount::{Attributes, set_attributes};
use crate::{Error, Warning};

const HIDDEN_IN_PROC: [&str; 10] = [
    "acpi",
    "asound",
    "interrupts",
    "kcore",
    "keys",
    "latency_stats",
    "sched_debug",
    "scsi",
    "timer_list",
    "timer_stats",
];
const HIDDEN_IN_SYS: [&str; 2] = ["firmware", "devices/virtual/powercap"];
const PROTECTED_IN_PROC: [&str; 5] = ["bus", "fs", "irq", "sys", "sysrq-trigger"];

/// Options of a file system that stays empty.
const EMPTY: [Setting<'_>; 3] =
    [Setting::Text("size", "0"), Setting::Text("mode", "0555"), Setting::Text("nr_inodes", "1")];

/// Puts a `/proc` where `target` is.
pub(super) fn make_proc(target: BorrowedFd<'_>, warnings: &mut Vec<Warning>) -> Result<OwnedFd, Error> {
    let failed = |errno: Errno| Error::system("make `/proc` for the container", errno);
    let proc = match new_file_system("proc", &[], STRICT) {
        // The kernel refuses a fresh one where part of the one outside is hidden, as in most containers.
        Err(Errno::PERM) => {
            warnings.push(Warning::SharedProc);
            clone_path("/proc").map_err(failed)?
        }
        other => other.map_err(failed)?,
    };
    attach(&proc, target).map_err(failed)?;
    Ok(proc)
}

/// Puts a `/sys` where `target` is, with the container's own control group in it. It can only be read, but `writable`.
pub(super) fn make_sys(
    target: BorrowedFd<'_>,
    cgroup2: bool,
    writable: bool,
    warnings: &mut Vec<Warning>,
) -> Result<OwnedFd, Error> {
    let failed = |errno: Errno| Error::system("make `/sys` for the container", errno);
    let read_only = MountAttrFlags::MOUNT_ATTR_RDONLY;
    let flags = if writable { STRICT } else { STRICT | read_only };
    let mut borrowed = false;
    let sys = match new_file_system("sysfs", &[], flags) {
        // Only the owner of the network namespace may have a fresh one.
        Err(Errno::PERM) => {
            let sys = clone_path("/sys").map_err(failed)?;
            let attributes = Attributes {
                read_only: !writable,
                no_devices: true,
                no_set_uid: true,
                no_execute: true,
                private: true,
                recursive: true,
            };
            set_attributes(&sys, attributes).map_err(failed)?;
            borrowed = true;
            sys
        }
        other => other.map_err(failed)?,
    };
    attach(&sys, target).map_err(failed)?;
    if cgroup2 {
        let made = new_file_system("cgroup2", &[], flags)
            .and_then(|cgroup| attach(cgroup, below(sys.as_fd(), "fs/cgroup")?.as_fd()));
        if let Err(errno) = made {
            let reason = crate::Cause::from(errno).to_string();
            warnings.push(Warning::Missing { path: "/sys/fs/cgroup".to_owned(), reason });
        }
    } else if borrowed {
        // The host's groups are none of the container's business.
        let empty = new_file_system("tmpfs", &EMPTY, STRICT | read_only).map_err(failed)?;
        attach(empty, below(sys.as_fd(), "fs/cgroup").map_err(failed)?.as_fd()).map_err(failed)?;
    }
    Ok(sys)
}

/// In a network of its own anybody may `ping` and listen on low ports, as in Docker's. It is convenience: a kernel that
/// does not let us leaves all as it was.
pub(super) fn open_network(proc: &OwnedFd, gids: u32) {
    let write = |path: &str, value: &str| {
        openat(proc, path, OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
            .and_then(|file| rustix::io::write(file, value.as_bytes()))
    };
    let last_group = gids.saturating_sub(1).min(i32::MAX as u32);
    let _ = write("sys/net/ipv4/ping_group_range", &format!("0 {last_group}"));
    let _ = write("sys/net/ipv4/ip_unprivileged_port_start", "0");
}

/// Hides and protects what containers must not read or change.
pub(super) fn protect(proc: &OwnedFd, sys: &OwnedFd, private: &Private) -> Result<(), Error> {
    protect_all(proc, sys, private).map_err(|errno| Error::system("hide parts of `/proc` and `/sys`", errno))
}

fn protect_all(proc: &OwnedFd, sys: &OwnedFd, private: &Private) -> Result<(), Errno> {
    let null = private.node("null")?;
    let settings =
        [Setting::Text("size", "0"), Setting::Text("mode", "0555"), Setting::Text("nr_inodes", "1")];
    let empty = new_file_system("tmpfs", &settings, STRICT | MountAttrFlags::MOUNT_ATTR_RDONLY)?;
    // A clone can only be made of what is in place.
    attach(&empty, private.directory("empty")?.as_fd())?;

    let hidden =
        HIDDEN_IN_PROC.map(|path| (proc, path)).into_iter().chain(HIDDEN_IN_SYS.map(|path| (sys, path)));
    for (root, path) in hidden {
        let Some(target) = present(below(root.as_fd(), path))? else { continue };
        let is_directory = FileType::from_raw_mode(fstat(&target)?.st_mode) == FileType::Directory;
        attach(clone_of(if is_directory { &empty } else { &null }, false)?, target.as_fd())?;
    }
    for target in throttle_counters(sys)? {
        attach(clone_of(&empty, false)?, target.as_fd())?;
    }
    for path in PROTECTED_IN_PROC {
        let Some(target) = present(below(proc.as_fd(), path))? else { continue };
        let again = clone_of(&target, true)?;
        set_attributes(&again, Attributes { read_only: true, recursive: true, ..Attributes::default() })?;
        attach(again, target.as_fd())?;
    }
    Ok(())
}

/// `/sys/devices/system/cpu/cpu*/thermal_throttle`: one directory for each processor that has it.
fn throttle_counters(sys: &OwnedFd) -> Result<Vec<OwnedFd>, Errno> {
    let mut found = Vec::new();
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let Some(processors) = present(openat(sys, "devices/system/cpu", flags, Mode::empty()))? else {
        return Ok(found);
    };
    for entry in rustix::fs::Dir::read_from(&processors)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy();
        let is_processor =
            name.strip_prefix("cpu").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
        if is_processor
            && let Some(target) =
                present(below(sys.as_fd(), &format!("devices/system/cpu/{name}/thermal_throttle")))?
        {
            found.push(target);
        }
    }
    Ok(found)
}

fn below(root: BorrowedFd<'_>, path: &str) -> Result<OwnedFd, Errno> {
    openat(root, path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn present(opened: Result<OwnedFd, Errno>) -> Result<Option<OwnedFd>, Errno> {
    match opened {
        Ok(descriptor) => Ok(Some(descriptor)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => Ok(None),
        Err(errno) => Err(errno),
    }
}

fn clone_path(path: &str) -> Result<OwnedFd, Errno> {
    clone_of(open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?, true)
}
