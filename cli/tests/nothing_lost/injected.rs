//! Every call that changes the disk, or reads it, killed or failed on purpose.
//!
//! `strace` counts the calls of each name in each thread and, at the one that is wanted, kills the process, or lets the call
//! fail as a disk does that is broken (`EIO`) or full (`ENOSPC`). A long run takes the calls one by one, for each command; a
//! short one takes some of them.
//!
//! | what is injected | afterwards                                                                       |
//! | ---------------- | -------------------------------------------------------------------------------- |
//! | a kill           | the store is whole, other names stay, the command succeeds when it is done again |
//! | `EIO`, `ENOSPC`  | the same; it has said what happened, or what failed did not matter               |
//!
//! `TUG_LOST_COMMAND` names the one command that a run is about, by words of it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use crate::chance::{Chance, is_long};
use crate::checker;
use crate::wanted::{self, Wanted};
use crate::yard::Yard;

/// A fault, and the calls that it may meet. A kill is one before the call, so that calls which change nothing need none.
const FAULTS: &[(&str, &[&str])] = &[
    ("signal=KILL", CHANGES),
    ("error=EIO", CHANGES),
    ("error=EIO", READS),
    ("error=ENOSPC", &["write", "pwrite64", "writev", "copy_file_range", "ftruncate", "fallocate"]),
    ("error=ENOSPC", &["openat", "mkdir", "mkdirat", "rename", "renameat", "renameat2"]),
    ("error=ENOSPC", &["link", "linkat", "symlink", "symlinkat", "fsync", "fdatasync", "syncfs"]),
];

const CHANGES: &[&str] = &[
    "rename",
    "renameat",
    "renameat2",
    "mkdir",
    "mkdirat",
    "unlink",
    "unlinkat",
    "rmdir",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "fsync",
    "fdatasync",
    "syncfs",
    "ftruncate",
    "fallocate",
    "write",
    "pwrite64",
    "writev",
    "copy_file_range",
    "mknodat",
    "fchmod",
    "fchmodat",
    "fchownat",
    "fsetxattr",
    "utimensat",
];

const READS: &[&str] =
    &["openat", "openat2", "read", "pread64", "getdents64", "flock", "statx", "newfstatat"];

#[test]
#[ignore = "needs root, busybox, strace"]
fn whatever_call_fails_the_store_is_whole_needs_root_needs_busybox_needs_strace() {
    let mut chance = Chance::new(3);
    let mut yard = Yard::new(true);
    yard.start_registry();
    wanted::prepare(&yard);
    copy(&yard, "store", "prepared");
    let only = std::env::var("TUG_LOST_COMMAND").unwrap_or_default();
    let (mut failures, mut faults) = (0, 0);
    for wanted in wanted::all(&yard).into_iter().filter(|wanted| wanted.words.join(" ").contains(&only)) {
        let case = Case { yard: &yard, wanted };
        if is_long() {
            let counts = case.count();
            let pairs =
                FAULTS.iter().flat_map(|(fault, calls)| calls.iter().map(move |call| (*fault, *call)));
            for (fault, call) in pairs {
                // Threads do not make as many calls each time.
                for number in 1..=counts.get(call).map_or(0, |count| count + 1) {
                    match case.survives(fault, call, number) {
                        Ok(hit) => faults += u64::from(hit),
                        Err(what) => {
                            println!("{what}\n");
                            (faults, failures) = (faults + 1, failures + 1);
                        }
                    }
                }
            }
            println!("{}: {faults} faults so far, {failures} of them matter", case.wanted.words.join(" "));
        } else if chance.percent(40) {
            let (fault, calls) = chance.of(FAULTS);
            let (call, number) = (chance.of(calls), 1 + chance.below(6));
            case.survives(fault, call, number).unwrap_or_else(|what| panic!("{what}"));
        }
    }
    assert_eq!(failures, 0);
}

fn copy(yard: &Yard, from: &str, to: &str) {
    // What a killed command has started may still write there for a moment.
    if fs::rename(yard.path(to), yard.path("old")).is_ok() {
        while yard.path("old").exists() {
            let _ = fs::remove_dir_all(yard.path("old"));
        }
    }
    let copied = Command::new("cp").arg("-a").args([yard.path(from), yard.path(to)]).status().unwrap();
    assert!(copied.success());
}

struct Case<'a> {
    yard: &'a Yard,
    wanted: Wanted,
}

impl Case<'_> {
    /// How often the thread that does it most makes each call.
    fn count(&self) -> BTreeMap<String, u64> {
        let calls: Vec<String> = [CHANGES, READS].concat().iter().map(|call| format!("?{call}")).collect();
        let (_, log) = self.traced(&["-e", &format!("trace={}", calls.join(","))]);
        let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
        for line in log.lines() {
            let Some((thread, rest)) = line.split_once(' ') else { continue };
            let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
            *counts.entry((call, thread)).or_default() += 1;
        }
        let mut most = BTreeMap::new();
        for ((call, _), count) in counts {
            let most = most.entry(call.to_owned()).or_insert(0);
            *most = count.max(*most);
        }
        most
    }

    /// What comes out of the command, and what `strace` has seen.
    fn traced(&self, words: &[&str]) -> (Output, String) {
        copy(self.yard, "prepared", "store");
        self.wanted.set_up(self.yard);
        let log = self.yard.path("calls").to_string_lossy().into_owned();
        let strace = ["timeout", "-k", "5", "100", "strace", "-f", "-q", "-y", "-o", &log];
        let output =
            self.yard.wrapped(&[&strace[..], words].concat(), &self.wanted.words()).output().unwrap();
        (output, String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned())
    }

    /// Returns whether there was such a call, or what went wrong.
    fn survives(&self, fault: &str, call: &str, number: u64) -> Result<bool, String> {
        let inject = format!("inject=?{call}:{fault}:when={number}");
        let (output, calls) = self.traced(&["-e", &format!("trace=?{call}"), "-e", &inject]);
        let injected = hits(&calls);
        if injected.is_empty() && output.status.success() {
            return Ok(false);
        }
        self.judge(&output, &injected).map_err(|wrong| {
            let told = String::from_utf8_lossy(&output.stderr);
            let words = self.wanted.words.join(" ");
            let places = injected.iter().take(3).map(|line| format!("\n{line}")).collect::<String>();
            format!("{words} with {fault} at {call} {number}: {wrong}\n{}\n{told}{places}", output.status)
        })?;
        Ok(!injected.is_empty())
    }

    /// What is wrong after a command with faults, and after the same without.
    fn judge(&self, output: &Output, injected: &[String]) -> Result<(), String> {
        let told = String::from_utf8_lossy(&output.stderr);
        let was_gagged = injected.iter().any(|line| line.contains(" write(2<"));
        // No disk is behind these: they do not fail, and those who use them may count on it.
        let of_memory = injected.iter().any(|line| line.contains("<anon_inode:[eventfd]>"));
        let of_host = ["input/output error", "no space"].iter().any(|words| told.contains(words));
        match output.status.code() {
            None if output.status.signal() == Some(9) => {}
            Some(0) => self.check_done()?,
            Some(1 | 3) if of_host => return Err("that is a matter of the host, and ends with 4".to_owned()),
            Some(1 | 3 | 4) if told.contains("error: ") || was_gagged => {}
            Some(1 | 3 | 4) => return Err("nothing was said".to_owned()),
            Some(124) => return Err("it hangs".to_owned()),
            _ if of_memory => {}
            _ => return Err("it ended otherwise than it may".to_owned()),
        }
        self.check(output.status.success())?;
        if self.wanted.is_done_for_good(self.yard) {
            return Ok(());
        }
        let again = self.yard.run_to_the_end(&self.wanted.words());
        if !again.status.success() {
            return Err(format!("again: {}", String::from_utf8_lossy(&again.stderr)));
        }
        self.check(true)?;
        self.check_done()
    }

    /// Whether the store is whole: as whole as before, if the command was to mend it and is not `done`.
    fn check(&self, done: bool) -> Result<(), String> {
        let store = self.wanted.store(self.yard);
        let mut findings = checker::check(&store);
        if !done {
            findings.retain(|finding| !self.wanted.is_to_mend(finding));
        }
        if !findings.is_empty() {
            return Err(findings.join("\n"));
        }
        let (before, after) = (checker::names(&self.yard.path("prepared")), checker::names(&store));
        match ["app:latest", "base:latest"].iter().find(|name| before.get(**name) != after.get(**name)) {
            Some(name) => Err(format!("{name} is not what it was")),
            None => Ok(()),
        }
    }

    fn check_done(&self) -> Result<(), String> {
        let names = checker::names(&self.wanted.store(self.yard));
        let lost = self.wanted.gives.as_ref().filter(|name| !names.contains_key(*name));
        match lost {
            Some(name) => Err(format!("{name} is not there")),
            None if self.wanted.words[0] == "rmi" && names.contains_key("gone:latest") => {
                Err("it is there".to_owned())
            }
            None => Ok(()),
        }
    }
}

/// What `strace` says of the calls that met a fault, each in one line.
fn hits(log: &str) -> Vec<String> {
    let mut begun: BTreeMap<&str, &str> = BTreeMap::new();
    let mut hits = Vec::new();
    for line in log.lines() {
        let thread = line.split(' ').next().unwrap_or_default();
        if line.contains("<unfinished ...>") {
            begun.insert(thread, line);
        }
        if line.contains("(INJECTED)") || line.contains("killed by SIGKILL") {
            let begin = begun.get(thread).filter(|_| line.contains(" resumed>")).unwrap_or(&"");
            hits.push(format!("{begin}{line}"));
        }
    }
    hits
}
