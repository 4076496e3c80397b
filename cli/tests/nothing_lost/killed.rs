//! Processes that are killed at any moment, several at a time in one store.
//!
//! In each round four workers start a command each. Some are killed, alone or with all that they have started, at a moment
//! within the time that such a command usually takes; so is the registry now and then. Afterwards
//!
//! - the store is whole: see [`crate::checker`];
//! - a name that nobody touched leads where it led, one of a killed command there or to what it was to become;
//! - the killed command, once more, succeeds;
//! - what was written to a file is there whole or not at all.

use std::collections::BTreeMap;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::chance::{Chance, rounds};
use crate::checker;
use crate::task::{Names, Task};
use crate::yard::{WORKERS, Yard};

/// No command takes this long; one that does waits for something that never comes.
const FOREVER: Duration = Duration::from_secs(100);

#[test]
fn whatever_is_killed_the_store_is_whole() {
    run_rounds(false, 1, rounds(15));
}

#[test]
#[ignore = "needs root, busybox"]
fn whatever_is_killed_with_containers_the_store_is_whole_needs_root_needs_busybox() {
    run_rounds(true, 2, rounds(15));
}

fn run_rounds(runs: bool, seed: u64, count: u64) {
    let mut chance = Chance::new(seed);
    let seed = chance.clone();
    let mut yard = Yard::new(runs);
    yard.start_registry();
    for worker in 0..WORKERS {
        let file = format!("load-{worker}.tar");
        let archive = *["docker-archive", "oci-archive"].get(worker % 2).unwrap();
        let from = format!("{archive}:{file}:w{worker}/loaded:1");
        yard.must(&["copy", "-q", &from, &format!("{}/seed-{worker}:1", yard.registry_name())]);
    }
    let mut run = Run { yard, names: vec![Names::new(); WORKERS], usual: BTreeMap::new() };
    let mut killed = 0;
    for round in 0..count {
        killed += run.round(&mut chance, round).unwrap_or_else(|what| {
            let kept = run.yard.keep(&run.yard.path(""));
            panic!("round {round} of {seed:?}: {what}\nthe store is kept in {kept}")
        });
    }
    println!("{killed} commands were killed in {count} rounds of {WORKERS}, from {seed:?}");
    assert!(killed > count / 2, "only {killed} commands were killed in {count} rounds");
    run.remove_everything();
}

struct Run {
    yard: Yard,
    names: Vec<Names>,
    /// How long each kind of command usually takes.
    usual: BTreeMap<String, Duration>,
}

/// A command that runs.
struct Running {
    task: Task,
    child: Child,
    started: Instant,
    /// When it is killed, and whether with all that it has started.
    end: Option<(Duration, bool)>,
    status: Option<ExitStatus>,
    took: Duration,
}

impl Run {
    /// Returns how many commands were killed.
    fn round(&mut self, chance: &mut Chance, round: u64) -> Result<u64, String> {
        let mut running = Vec::new();
        for worker in 0..WORKERS {
            let task = Task::any(chance, &self.yard, worker, round, &self.names[worker]);
            running.push(self.start(chance, task));
        }
        let registry_end = chance.percent(15).then(|| Duration::from_millis(chance.below(80)));
        let registry_killed = self.wait(&mut running, registry_end)?;
        let mut killed = 0;
        for (worker, running) in running.into_iter().enumerate() {
            let Running { task, status, took, child, .. } = running;
            let status = status.ok_or("it did not end")?;
            if status.signal() == Some(9) {
                killed += 1;
                self.check_names(worker, &task, false)?;
                self.repeat(&task)?;
            } else if !status.success() {
                let output = child.wait_with_output().map_err(|error| error.to_string())?;
                let told = String::from_utf8_lossy(&output.stderr).into_owned();
                // A prune that others were in the way of says so, and left things alone.
                let was_in_the_way = task.words[0] == "system" && told.contains("were left alone");
                if !(task.remote && registry_killed || was_in_the_way) {
                    return Err(format!("{}: {status}\n{told}", task.words.join(" ")));
                }
                self.repeat(&task)?;
            } else {
                self.usual.insert(task.kind().to_owned(), took);
            }
            self.check_names(worker, &task, true)?;
        }
        match checker::check(self.yard.store()) {
            findings if findings.is_empty() => Ok(killed),
            findings => Err(findings.join("\n")),
        }
    }

    fn start(&self, chance: &mut Chance, task: Task) -> Running {
        let mut command = self.yard.command(&task.words());
        command.stdout(Stdio::null()).stderr(Stdio::piped()).process_group(0);
        if let Some(file) = &task.writes {
            let _ = std::fs::remove_file(self.yard.path(file));
        }
        let usual = self.usual.get(task.kind()).copied().unwrap_or(Duration::from_millis(60));
        let moment = usual.mul_f64(f64::from(u32::try_from(chance.below(120)).unwrap()) / 100.0);
        let end = chance.percent(75).then_some((moment, chance.percent(50)));
        let child = command.spawn().unwrap();
        Running { task, child, started: Instant::now(), end, status: None, took: Duration::ZERO }
    }

    /// Until all have ended. Returns whether the registry was killed meanwhile.
    fn wait(&mut self, all: &mut [Running], mut registry_end: Option<Duration>) -> Result<bool, String> {
        let start = Instant::now();
        let registry_killed = registry_end.is_some();
        while all.iter().any(|running| running.status.is_none()) || registry_end.is_some() {
            for running in all.iter_mut().filter(|running| running.status.is_none()) {
                running.status = running.child.try_wait().map_err(|error| error.to_string())?;
                running.took = running.started.elapsed();
                let Some((_, group)) = running.end.filter(|(moment, _)| running.took >= *moment) else {
                    if running.took > FOREVER {
                        return Err(format!("{} hangs", running.task.words.join(" ")));
                    }
                    continue;
                };
                running.end = None;
                if running.status.is_none() {
                    let process = Pid::from_child(&running.child);
                    let _ = match group {
                        true => kill_process_group(process, Signal::KILL),
                        false => kill_process(process, Signal::KILL),
                    };
                }
            }
            if registry_end.is_some_and(|moment| start.elapsed() >= moment) {
                registry_end = None;
                self.yard.kill_registry();
                self.yard.start_registry();
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(registry_killed)
    }

    /// Does once more what was killed.
    fn repeat(&self, task: &Task) -> Result<(), String> {
        let output = self.yard.run(&task.words());
        let told = String::from_utf8_lossy(&output.stderr);
        match output.status.success() || task.words[0] == "system" && told.contains("were left alone") {
            true => Ok(()),
            false => Err(format!("again, {}: {}\n{told}", task.words.join(" "), output.status)),
        }
    }

    /// Whether a worker's names lead where they should, after `task` is `done` or was killed.
    fn check_names(&mut self, worker: usize, task: &Task, done: bool) -> Result<(), String> {
        let registry = self.yard.registry_name();
        let is_ours = |name: &str| {
            name.starts_with(&format!("w{worker}/")) || name == format!("{registry}/seed-{worker}:1")
        };
        let mut found = checker::names(self.yard.store());
        found.retain(|name, _| is_ours(name));
        let known = &self.names[worker];
        for name in known.keys().chain(found.keys()).filter(|name| !task.touches(name)) {
            if known.get(name) != found.get(name) {
                let (was, is) = (known.get(name), found.get(name));
                return Err(format!("{}: {name} was {was:?} and is {is:?}", task.words.join(" ")));
            }
        }
        if done {
            let lost = task.gives.iter().find(|name| !found.contains_key(*name));
            let left = task.takes.iter().find(|name| found.contains_key(*name));
            if let Some(name) = lost.or(left) {
                return Err(format!("{} is done, and {name} is not as it says", task.words.join(" ")));
            }
            if let Some(file) = &task.writes {
                self.check_archive(file)?;
            }
            self.names[worker] = found;
        } else {
            if let Some(file) = task.writes.as_ref().filter(|file| self.yard.path(file).exists()) {
                self.check_archive(file)?;
            }
            // It is the old image or the new one: whether it is whole, the checker says.
            if let Some(name) =
                task.gives.iter().find(|name| known.contains_key(*name) && !found.contains_key(*name))
            {
                return Err(format!("{} was killed, and {name} is gone", task.words.join(" ")));
            }
        }
        Ok(())
    }

    /// Whether an archive is whole.
    fn check_archive(&self, file: &str) -> Result<(), String> {
        let other = self.yard.path("checked").to_string_lossy().into_owned();
        let output = self.yard.run(&["load", "-q", "--store", &other, "-i", file]);
        let _ = std::fs::remove_dir_all(&other);
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("{file} is not whole: {}", String::from_utf8_lossy(&output.stderr))),
        }
    }

    /// What is left of all the killed goes with the last image.
    fn remove_everything(&self) {
        let names = checker::names(self.yard.store());
        let names: Vec<&str> = names.keys().map(String::as_str).collect();
        self.yard.must(&[&["rmi", "--force"], &names[..]].concat());
        // What is removed is unlinked by a process that nobody waits for.
        for _ in 0..50 {
            self.yard.must(&["settle"]);
            if checker::names_in(&self.yard.store().join("trash")).is_empty() {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        for folder in ["ingest", "trash"] {
            let mut left = checker::names_in(&self.yard.store().join(folder));
            left.retain(|path| !path.to_string_lossy().contains("/partial-"));
            assert_eq!(left, [""; 0].map(std::path::PathBuf::from), "garbage is left in {folder}");
        }
        assert_eq!(checker::check(self.yard.store()), [""; 0]);
    }
}
