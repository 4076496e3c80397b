//! Entering a user namespace and mapping its ids.

use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions, getpid, waitpid};
use rustix::thread::{Gid, Uid, set_thread_res_gid, set_thread_res_uid};

use super::host::refused;
use super::subordinate::{Kind, Range, ranges};
use super::{Mode, mode_here};
use crate::{Error, sys};

/// Who is to map which ids.
#[derive(Debug)]
pub(super) enum Plan {
    /// Ourselves, our own id only. `reason` says why not more.
    Single { reason: String },
    /// The set-uid programs `newuidmap` and `newgidmap`: our own id as 0, then these.
    Tools { uids: Vec<Range>, gids: Vec<Range>, uid_tool: PathBuf, gid_tool: PathBuf },
    /// Our helper, which is root outside: these ids as they are.
    Same { uids: u32, gids: u32 },
}

impl Plan {
    pub(super) fn single() -> Self {
        Self::Single { reason: "it was not asked for".to_owned() }
    }

    /// As many ids as possible.
    pub(super) fn best() -> Self {
        const SETUID_AND_SETGID: u64 = 1 << 7 | 1 << 6;
        let single = |reason: String| Self::Single { reason };
        let effective = rustix::thread::capabilities(None).map_or(0, |sets| sets.effective.bits());
        if effective & SETUID_AND_SETGID == SETUID_AND_SETGID {
            return Self::Same { uids: count("/proc/self/uid_map"), gids: count("/proc/self/gid_map") };
        }
        let (uids, gids) = (ranges(Kind::User), ranges(Kind::Group));
        for (kind, found) in [(Kind::User, &uids), (Kind::Group, &gids)] {
            if found.is_empty() {
                return single(format!("this user has no range in `{}`", kind.file()));
            }
        }
        let (Some(uid_tool), Some(gid_tool)) = (tool("newuidmap"), tool("newgidmap")) else {
            return single("`newuidmap` and `newgidmap` are not installed".to_owned());
        };
        Self::Tools { uids, gids, uid_tool, gid_tool }
    }

    /// Why there is one id only.
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Single { reason } => reason.clone(),
            Self::Tools { .. } => "`newuidmap` or `newgidmap` failed".to_owned(),
            Self::Same { .. } => "the ids could not be mapped".to_owned(),
        }
    }
}

/// Where a program for mapping ids is.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    ["/usr/bin", "/bin", "/usr/local/bin", "/usr/sbin", "/sbin", "/run/wrappers/bin"]
        .iter()
        .map(|directory| Path::new(directory).join(name))
        .find(|path| path.exists())
}

/// Whether we are in the user namespace that the system started with. A map of all ids does not prove it: somebody may
/// have mapped them all into another one.
pub(crate) fn is_initial_namespace() -> bool {
    // `PROC_USER_INIT_INO` of the kernel.
    const INITIAL: u64 = 0xefff_fffd;
    rustix::fs::stat("/proc/self/ns/user").is_ok_and(|stat| stat.st_ino == INITIAL)
}

/// How many consecutive ids from 0 on exist, by a file such as `/proc/self/uid_map`.
pub(super) fn count(path: &str) -> u32 {
    consecutive(&std::fs::read_to_string(path).unwrap_or_default())
}

fn consecutive(map: &str) -> u32 {
    let mut extents: Vec<(u32, u32)> = map
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace();
            Some((fields.next()?.parse().ok()?, fields.nth(1)?.parse().ok()?))
        })
        .collect();
    extents.sort_unstable();
    extents.iter().fold(
        0_u32,
        |end, &(first, count)| if first <= end { end.max(first.saturating_add(count)) } else { end },
    )
}

/// Enters a user namespace and a mount namespace, and becomes root in it.
pub(super) fn enter(plan: &Plan, gid: u32, uid: u32) -> Result<Mode, Error> {
    let helper = match plan {
        Plan::Single { .. } => None,
        plan => Some(Helper::new(plan)?),
    };
    let unshared = sys::process::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNS);
    let mapped = helper.is_some_and(|helper| helper.finish(unshared.is_ok()));
    unshared.map_err(refused)?;
    if !mapped {
        map_own_id(gid, uid).map_err(refused)?;
    }
    // Not a change for the host: 0 in here is who we were all along.
    set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT).map_err(refused)?;
    set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT).map_err(refused)?;
    if mapped { Ok(mode_here()) } else { Ok(Mode::SingleId) }
}

/// Makes our own id the only one of the user namespace that we are in, as 0.
pub(crate) fn map_own_id(gid: u32, uid: u32) -> Result<(), Errno> {
    let write = |path: &str, text: String| {
        std::fs::write(path, text).map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::PERM))
    };
    // Whoever could drop a group could enter where that group is shut out, so the kernel wants this first.
    write("/proc/self/setgroups", "deny".to_owned())?;
    write("/proc/self/gid_map", format!("0 {gid} 1\n"))?;
    write("/proc/self/uid_map", format!("0 {uid} 1\n"))
}

/// A process that stays outside and maps the ids.
struct Helper {
    pid: Pid,
    go: OwnedFd,
}

impl Helper {
    fn new(plan: &Plan) -> Result<Self, Error> {
        let failed = |errno| Error::system("start a helper", errno);
        let target = getpid();
        let (wait, go) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).map_err(failed)?;
        match sys::process::fork().map_err(failed)? {
            Some(pid) => Ok(Self { pid, go }),
            None => {
                drop(go);
                let mut word = [0];
                let told = rustix::io::read(&wait, &mut word);
                let done = told == Ok(1) && map_from_outside(plan, target);
                sys::process::exit(i32::from(!done))
            }
        }
    }

    /// Lets it work, or go; whether it mapped the ids.
    fn finish(self, wanted: bool) -> bool {
        if wanted {
            let _ = rustix::io::write(&self.go, b"!");
        }
        drop(self.go);
        loop {
            match waitpid(Some(self.pid), WaitOptions::empty()) {
                Ok(Some((_, status))) => return status.exit_status() == Some(0),
                Ok(None) | Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }
}

fn map_from_outside(plan: &Plan, target: Pid) -> bool {
    match plan {
        Plan::Single { .. } => false,
        Plan::Tools { uids, gids, uid_tool, gid_tool } => {
            let uid = rustix::process::getuid().as_raw();
            run_tool(uid_tool, target, uid, uids)
                && run_tool(gid_tool, target, rustix::process::getgid().as_raw(), gids)
        }
        Plan::Same { uids, gids } => {
            let write = |file: &str, count: u32| {
                let path = format!("/proc/{}/{file}", target.as_raw_nonzero());
                std::fs::write(path, format!("0 0 {count}\n")).is_ok()
            };
            write("uid_map", *uids) && write("gid_map", *gids)
        }
    }
}

/// `newuidmap PID 0 OWN 1 1 FIRST COUNT …`.
fn run_tool(tool: &Path, target: Pid, own: u32, ranges: &[Range]) -> bool {
    let mut words =
        vec![target.as_raw_nonzero().to_string(), "0".to_owned(), own.to_string(), "1".to_owned()];
    let mut inside = 1_u32;
    for range in ranges {
        words.extend([inside.to_string(), range.first.to_string(), range.count.to_string()]);
        inside = inside.saturating_add(range.count);
    }
    Command::new(tool)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_counted_up_to_the_first_gap() {
        assert_eq!(consecutive("         0          0 4294967295\n"), u32::MAX);
        assert_eq!(consecutive("0 1500 1\n1 100000 65536\n"), 65537);
        assert_eq!(consecutive("1 100000 65536\n0 1500 1\n"), 65537);
        assert_eq!(consecutive("0 1500 1\n2 100000 65536\n"), 1);
        assert_eq!(consecutive(""), 0);
    }
}
