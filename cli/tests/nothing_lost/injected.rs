//! Every call that changes the disk, killed or failed on purpose.
//!
//! `strace` counts the calls of each thread and, at the one that is wanted, kills the process, or lets the call fail as a
//! disk does that is broken (`EIO`) or full (`ENOSPC`). A long run takes the calls one by one, for each command; a short one
//! takes some of them.
//!
//! | what is injected | afterwards                                                                       |
//! | ---------------- | -------------------------------------------------------------------------------- |
//! | a kill           | the store is whole, other names stay, the command succeeds when it is done again |
//! | `EIO`, `ENOSPC`  | the same; it has said what happened, or what failed did not matter                 |

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

use crate::chance::{Chance, is_long};
use crate::checker;
use crate::yard::Yard;

/// What changes a disk, or makes others wait.
const CALLS: &str = "rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir,link,linkat,symlink,symlinkat,fsync,fdatasync,\
                     syncfs,ftruncate,write,pwrite64,writev,copy_file_range,flock,openat";

/// Each with the name that it gives or takes.
const COMMANDS: &[(&[&str], Option<&str>)] = &[
    (
        &["build", "-q", "--network", "none", "-t", "new", "--build-arg", "ROUND=7", "context-1"],
        Some("new:latest"),
    ),
    (&["load", "-q", "-i", "load-2.tar"], Some("w2/loaded:1")),
    (&["load", "-q", "-i", "load-1.tar"], Some("w1/loaded:2")),
    (&["import", "root.tar", "new"], Some("new:latest")),
    (&["tag", "app", "new"], Some("new:latest")),
    (&["save", "-o", "out.tar", "app"], None),
    (&["rmi", "--force", "gone"], None),
    (&["settle"], None),
    (&["pull", "-q", "REGISTRY/seed:1"], Some("REGISTRY/seed:1")),
    (&["push", "-q", "app", "REGISTRY/pushed:1"], None),
];

const FAULTS: &[&str] = &["signal=KILL", "error=EIO", "error=ENOSPC"];

#[test]
#[ignore = "needs root, busybox, strace"]
fn whatever_call_fails_the_store_is_whole_needs_root_needs_busybox_needs_strace() {
    let mut chance = Chance::new(3);
    let mut yard = Yard::new(true);
    yard.start_registry();
    prepare(&yard);
    let mut failures = 0;
    for (words, name) in COMMANDS {
        let registry = yard.registry_name();
        let words: Vec<String> = words.iter().map(|word| word.replace("REGISTRY", &registry)).collect();
        let name = name.map(|name| name.replace("REGISTRY", &registry));
        let case = Case { yard: &yard, words: words.iter().map(String::as_str).collect(), name };
        if is_long() {
            for fault in FAULTS {
                let survived = |number: &u64| match case.survives(fault, *number) {
                    Ok(hit) => hit,
                    Err(what) => {
                        println!("{what}\n");
                        failures += 1;
                        true
                    }
                };
                (1..).take_while(survived).for_each(drop);
            }
        } else {
            let (fault, number) = (*chance.of::<&str>(FAULTS), 1 + chance.below(20));
            case.survives(fault, number).unwrap_or_else(|what| panic!("{what}"));
        }
    }
    assert_eq!(failures, 0);
}

/// A store with an image to keep, one that goes, and what was deleted half.
fn prepare(yard: &Yard) {
    let build = ["build", "-q", "--network", "none", "--build-arg"];
    yard.must(&[&build[..], &["ROUND=1", "-t", "app", "context-0"]].concat());
    yard.must(&["load", "-q", "-i", "load-0.tar"]);
    let remote = format!("{}/seed:1", yard.registry_name());
    yard.must(&["push", "-q", "w0/loaded:1", &remote]);
    yard.must(&["rmi", "w0/loaded:1", "w0/loaded:2"]);
    yard.must(&["import", "root.tar", "gone"]);
    copy(yard, "store", "prepared");
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
    words: Vec<&'a str>,
    /// What it gives.
    name: Option<String>,
}

impl Case<'_> {
    /// Returns whether there was such a call, or what went wrong.
    fn survives(&self, fault: &str, number: u64) -> Result<bool, String> {
        copy(self.yard, "prepared", "store");
        let log = self.yard.path("calls").to_string_lossy().into_owned();
        let inject = format!("inject={CALLS}:{fault}:when={number}");
        let strace = ["strace", "-f", "-qq", "-o", &log, "-e", &format!("trace={CALLS}"), "-e", &inject];
        let output = self.yard.wrapped(&strace, &self.words).output().unwrap();
        let calls = String::from_utf8_lossy(&fs::read(&log).unwrap()).into_owned();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        let killed = output.status.signal() == Some(9);
        let injected: Vec<&str> = calls.lines().filter(|line| line.contains("(INJECTED)")).collect();
        let outcome = self.judge(&output, &injected).map_err(|wrong| {
            let words = self.words.join(" ");
            let places = injected.iter().take(3).map(|line| format!("\n{line}")).collect::<String>();
            format!("{words} with {fault} at call {number}: {wrong}\n{}\n{told}{places}", output.status)
        });
        outcome.map(|()| killed || !injected.is_empty())
    }

    /// What is wrong after a command with faults, and after the same without.
    fn judge(&self, output: &Output, injected: &[&str]) -> Result<(), String> {
        let told = String::from_utf8_lossy(&output.stderr);
        let was_gagged = injected.iter().any(|line| line.contains(" write(2, "));
        match output.status.code() {
            None if output.status.signal() == Some(9) => {}
            Some(0) => self.check_done()?,
            Some(1 | 3 | 4) if told.contains("error: ") || was_gagged => {}
            Some(1 | 3 | 4) => return Err("nothing was said".to_owned()),
            _ => return Err("it ended otherwise than it may".to_owned()),
        }
        self.check()?;
        let again = self.yard.run(&self.words);
        if !again.status.success() {
            return Err(format!("again: {}", String::from_utf8_lossy(&again.stderr)));
        }
        self.check()?;
        self.check_done()
    }

    fn check(&self) -> Result<(), String> {
        let findings = checker::check(self.yard.store());
        if !findings.is_empty() {
            return Err(findings.join("\n"));
        }
        let (before, after) =
            (checker::names(&self.yard.path("prepared")), checker::names(self.yard.store()));
        match ["app:latest", "base:latest"].iter().find(|name| before.get(**name) != after.get(**name)) {
            Some(name) => Err(format!("{name} is not what it was")),
            None => Ok(()),
        }
    }

    fn check_done(&self) -> Result<(), String> {
        let names = checker::names(self.yard.store());
        let lost = self.name.as_ref().filter(|name| !names.contains_key(*name));
        match lost {
            Some(name) => Err(format!("{name} is not there")),
            None if self.words[0] == "rmi" && names.contains_key("gone:latest") => {
                Err("it is there".to_owned())
            }
            None => Ok(()),
        }
    }
}
