//! Limits for a whole container, through control groups, where the host lets us.
//!
//! Nothing depends on them: without limits no group is made, and where one cannot be made the container runs and a
//! warning says why. Both versions are known: version 2, which current systems have, and of version 1 the three
//! controllers that limits need (memory, cpu, pids).
//!
//! A process of version 2 may not be in a group that hands controllers on to groups below it. So the container's
//! group is made, in this order: below the one that was asked for; below the real root; beside our own group, where the group above hands the
//! controllers on already; below our own group, after we moved into a leaf of it, if we are alone there.

mod find;
mod limits;
mod version1;
mod version2;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use rustix::process::Pid;

use crate::{Resources, Warning};
pub(crate) use find::{Hierarchies, hierarchies};
use limits::{Limit, Setting};

/// A group that was made for one container. It is removed when it is dropped, which has to be after all its
/// processes have ended.
#[derive(Debug)]
pub(crate) struct Group {
    directories: Vec<PathBuf>,
    /// The file that counts what was killed for want of memory, and the word before the number.
    kills: Option<(PathBuf, &'static str)>,
}

impl Group {
    /// Makes a group with these limits; `None` when there are no limits, or none could be set.
    pub(crate) fn new(resources: &Resources, warnings: &mut Vec<Warning>) -> Option<Self> {
        if resources.is_empty() {
            return None;
        }
        let hierarchies = hierarchies().below(resources.parent.as_deref());
        let mut group = Self { directories: Vec::new(), kills: None };
        for limit in limits::limits(resources) {
            if let Err(reason) = group.set(&limit, &hierarchies) {
                warnings.push(Warning::NoLimit { what: limit.what.to_owned(), reason });
            }
        }
        if group.directories.is_empty() { None } else { Some(group) }
    }

    /// Puts a process into the group, and with it all that it will start.
    pub(crate) fn admit(&self, pid: Pid) -> Result<(), String> {
        for directory in &self.directories {
            write(&directory.join("cgroup.procs"), &pid.as_raw_nonzero().to_string())?;
        }
        Ok(())
    }

    /// Whether the kernel killed something in it for want of memory.
    pub(crate) fn ran_out_of_memory(&self) -> bool {
        let Some((file, word)) = &self.kills else { return false };
        let text = std::fs::read_to_string(file).unwrap_or_default();
        text.lines().any(|line| {
            let mut fields = line.split_whitespace();
            fields.next() == Some(word)
                && fields.next().and_then(|number| number.parse().ok()).is_some_and(|kills: u64| kills > 0)
        })
    }

    fn set(&mut self, limit: &Limit, hierarchies: &Hierarchies) -> Result<(), String> {
        let directory = match hierarchies.version2_with(limit.controller) {
            Some(hierarchy) => version2::make(hierarchy, limit, &self.directories)?,
            None => match hierarchies.version1_with(limit.controller) {
                Some(hierarchy) => version1::make_group(hierarchy, limit)?,
                None => return Err(format!("no control group offers the controller `{}`", limit.controller)),
            },
        };
        if limit.controller == "memory" {
            let version2 = directory.join("memory.events");
            let version1 = directory.join("memory.oom_control");
            self.kills = Some((if version2.exists() { version2 } else { version1 }, "oom_kill"));
        }
        if !self.directories.contains(&directory) {
            self.directories.push(directory);
        }
        Ok(())
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        for directory in &self.directories {
            // The kernel takes a moment to see that the last process is gone.
            for _ in 0..50 {
                match std::fs::remove_dir(directory) {
                    Err(error) if error.raw_os_error() == Some(libc::EBUSY) => {
                        std::thread::sleep(std::time::Duration::from_millis(2));
                    }
                    _ => break,
                }
            }
        }
    }
}

/// A name that no other container of this host has.
fn name() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("tug-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn make_directory(directory: &Path) -> Result<(), String> {
    match std::fs::create_dir(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(format!("cannot make `{}`: {}", directory.display(), crate::Cause::from(error)))
        }
        _ => Ok(()),
    }
}

fn write_all(directory: &Path, settings: &[Setting]) -> Result<(), String> {
    for Setting { file, value, optional } in settings {
        let written = write(&directory.join(file), value);
        if !optional {
            written?;
        }
    }
    Ok(())
}

/// Writes to a file that the kernel has made.
fn write(file: &Path, value: &str) -> Result<(), String> {
    use std::io::Write;
    std::fs::OpenOptions::new()
        .write(true)
        .open(file)
        .and_then(|mut opened| opened.write_all(value.as_bytes()))
        .map_err(|error| format!("cannot write to `{}`: {}", file.display(), crate::Cause::from(error)))
}
