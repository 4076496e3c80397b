//! Who each process of a container is.
//!
//! A process is who its parent was when it was split off. That moment is not seen, so a process that we meet for the
//! first time is taken to be who its parent is now; and before a process changes, its children that we have not met
//! are noted down as what it was until then. While nobody has changed at all, nobody has to be looked up.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use super::identity::Identity;

/// How many processes are remembered before those that have ended are forgotten.
const MANY: usize = 4096;
/// How far back a family is followed.
const GENERATIONS: usize = 64;

pub(super) struct Processes {
    proc: OwnedFd,
    /// Who the container's command is.
    first: Identity,
    changed: bool,
    known: HashMap<u32, Known>,
}

struct Known {
    /// When it was started: numbers are used again.
    start: u64,
    identity: Identity,
}

/// What the kernel says about a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Facts {
    parent: u32,
    start: u64,
}

impl Processes {
    pub(super) fn new(proc: OwnedFd, first: Identity) -> Self {
        Self { proc, first, changed: false, known: HashMap::new() }
    }

    /// Who the thread is.
    pub(super) fn identity(&mut self, thread: u32) -> Identity {
        if !self.changed {
            return self.first.clone();
        }
        let process = self.process_of(thread);
        self.look_up(process, GENERATIONS)
    }

    /// Changes who the thread's process is.
    pub(super) fn change(&mut self, thread: u32, identity: Identity) {
        let process = self.process_of(thread);
        let before = if self.changed { self.look_up(process, GENERATIONS) } else { self.first.clone() };
        if before == identity {
            return;
        }
        self.settle_children(process, &before, GENERATIONS);
        self.changed = true;
        if let Some(facts) = self.facts(process) {
            self.remember(process, facts.start, identity);
        }
    }

    fn look_up(&mut self, process: u32, generations: usize) -> Identity {
        let Some(facts) = self.facts(process) else { return self.first.clone() };
        if let Some(known) = self.known.get(&process).filter(|known| known.start == facts.start) {
            return known.identity.clone();
        }
        let identity = if facts.parent > 1 && generations > 0 {
            self.look_up(facts.parent, generations - 1)
        } else {
            self.first.clone()
        };
        self.remember(process, facts.start, identity.clone());
        identity
    }

    fn remember(&mut self, process: u32, start: u64, identity: Identity) {
        if self.known.len() >= MANY {
            let proc = &self.proc;
            self.known.retain(|&process, known| {
                read_facts(proc, process).is_some_and(|facts| facts.start == known.start)
            });
        }
        self.known.insert(process, Known { start, identity });
    }

    /// Notes down what the children of a process are, and theirs.
    fn settle_children(&mut self, process: u32, identity: &Identity, generations: usize) {
        let children = self.children(process);
        for child in children {
            let Some(facts) = self.facts(child) else { continue };
            if self.known.get(&child).is_some_and(|known| known.start == facts.start) {
                continue;
            }
            self.remember(child, facts.start, identity.clone());
            if generations > 0 {
                self.settle_children(child, identity, generations - 1);
            }
        }
    }

    /// The children of all threads of a process.
    fn children(&self, process: u32) -> Vec<u32> {
        let tasks = format!("{process}/task");
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let Ok(directory) = openat(&self.proc, &tasks, flags, Mode::empty()) else { return Vec::new() };
        let Ok(entries) = rustix::fs::Dir::read_from(&directory) else { return Vec::new() };
        let mut children = Vec::new();
        for entry in entries.flatten() {
            let thread = entry.file_name().to_string_lossy();
            let list = self.read(&format!("{tasks}/{thread}/children")).unwrap_or_default();
            children.extend(list.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
        }
        children
    }

    /// The process that a thread belongs to.
    fn process_of(&self, thread: u32) -> u32 {
        let status = self.read(&format!("{thread}/status")).unwrap_or_default();
        field(&status, "Tgid:").and_then(|number| number.parse().ok()).unwrap_or(thread)
    }

    fn facts(&self, process: u32) -> Option<Facts> {
        read_facts(&self.proc, process)
    }

    fn read(&self, path: &str) -> Result<String, Errno> {
        read(&self.proc, path)
    }
}

/// The permission bits that a thread takes away from what it makes.
pub(super) fn umask_of(proc: &OwnedFd, thread: u32) -> u32 {
    let status = read(proc, &format!("{thread}/status")).unwrap_or_default();
    field(&status, "Umask:").and_then(|mask| u32::from_str_radix(mask, 8).ok()).unwrap_or(0o022)
}

fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
}

fn read_facts(proc: &OwnedFd, process: u32) -> Option<Facts> {
    facts_in(&read(proc, &format!("{process}/stat")).ok()?)
}

/// `proc_pid_stat(5)`: the second field is a name in parentheses that may hold anything.
fn facts_in(stat: &str) -> Option<Facts> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Facts { parent: fields.get(1)?.parse().ok()?, start: fields.get(19)?.parse().ok()? })
}

fn read(proc: &OwnedFd, path: &str) -> Result<String, Errno> {
    let file = openat(proc, path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
    let mut bytes = Vec::with_capacity(4096);
    let mut part = [0; 4096];
    loop {
        match rustix::io::read(&file, &mut part)? {
            0 => break,
            length => bytes.extend_from_slice(&part[..length]),
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    fn proc() -> OwnedFd {
        std::fs::File::open("/proc").unwrap().into()
    }

    #[test]
    fn a_name_in_parentheses_does_not_confuse() {
        let stat = "12 (a) b (c) S 7 12 12 0 -1 4194560 1 0 0 0 0 0 0 0 20 0 1 0 987654 1 1 1";
        assert_eq!(facts_in(stat), Some(Facts { parent: 7, start: 987_654 }));
    }

    #[test]
    fn a_process_is_who_its_parent_was_when_it_was_split_off() {
        let me = std::process::id();
        let mut early = Command::new("sleep").arg("60").stdout(Stdio::null()).spawn().unwrap();
        let mut processes = Processes::new(proc(), Identity::default());
        assert_eq!(processes.identity(early.id()), Identity::default());

        let other = Identity::new(1000, 1000, vec![]);
        processes.change(me, other.clone());
        let mut late = Command::new("sleep").arg("60").stdout(Stdio::null()).spawn().unwrap();
        assert_eq!(processes.identity(me), other);
        assert_eq!(processes.identity(late.id()), other);
        // It was there before the change, though we had not met it.
        assert_eq!(processes.identity(early.id()), Identity::default());
        for child in [&mut early, &mut late] {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    #[test]
    fn the_umask_is_read_in_octal() {
        let shell = Command::new("sh").args(["-c", "umask 027; exec sleep 60"]).spawn();
        let mut shell = shell.unwrap();
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(umask_of(&proc(), shell.id()), 0o027);
        shell.kill().unwrap();
        shell.wait().unwrap();
    }
}
