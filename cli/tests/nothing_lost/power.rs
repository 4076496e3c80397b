//! The power goes while processes write.
//!
//! The store is on a file system in a file, and that file on one that can share blocks: `cp --reflink` takes all that has
//! reached the disk at one moment, and nothing of what only the page cache has. The machine then "starts" with this copy: the
//! file system mends itself from its journal (or by `fsck`, where there is none), and the boot has another id.
//!
//! | what                                                | after a cut                                                   |
//! | --------------------------------------------------- | ------------------------------------------------------------- |
//! | an image that was pulled, loaded or imported        | whole, from the moment in which the command has ended         |
//! | an image that was built, once the store was settled | whole                                                         |
//! | an image that was built a moment ago                | its name may lead to layers that are not there; the same build makes them |
//! | a name                                              | there from the moment in which the command has ended          |

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::CommandExt;

use crate::chance::{Chance, rounds};
use crate::checker;
use crate::yard::Yard;

#[test]
#[ignore = "needs root, busybox, loopfs"]
fn when_the_power_goes_on_ext4_what_was_finished_is_there_needs_root_needs_busybox_needs_loopfs() {
    cut_the_power("ext4", &["mkfs.ext4", "-q", "-F"], 5);
}

#[test]
#[ignore = "needs root, busybox, loopfs"]
fn when_the_power_goes_without_a_journal_what_was_finished_is_there_needs_root_needs_busybox_needs_loopfs() {
    cut_the_power("ext4", &["mkfs.ext4", "-q", "-F", "-O", "^has_journal"], 6);
}

#[test]
#[ignore = "needs root, busybox, loopfs"]
fn when_the_power_goes_on_xfs_what_was_finished_is_there_needs_root_needs_busybox_needs_loopfs() {
    cut_the_power("xfs", &["mkfs.xfs", "-q", "-f"], 7);
}

#[test]
#[ignore = "needs root, busybox, loopfs"]
fn when_the_power_goes_on_btrfs_what_was_finished_is_there_needs_root_needs_busybox_needs_loopfs() {
    cut_the_power("btrfs", &["mkfs.btrfs", "-q", "-f"], 8);
}

fn cut_the_power(kind: &str, maker: &[&str], seed: u64) {
    let mut chance = Chance::new(seed);
    let started = chance.clone();
    let yard = Yard::new(true);
    let machine = Machine::new(&yard, kind, maker);
    machine.start(0);
    for words in
        [&["import", "-c", "ENV PATH=/bin", "base.tar", "base"][..], &["load", "-q", "-i", "load-0.tar"]]
    {
        machine.must(words);
    }
    let mut durable: BTreeSet<String> =
        ["base:latest", "w0/loaded:1", "w0/loaded:2"].map(String::from).into();
    for round in 1..=rounds(2) {
        let what = || format!("round {round} of {started:?}");
        let mut tags = machine.work(&mut chance, round, &mut durable);
        machine.cut(&mut chance);
        machine.start(round);
        machine.must(&["images"]);
        for name in &durable {
            let findings = checker::check_image(&machine.store(), name);
            assert_eq!(findings, [""; 0], "{name} was finished; {}", what());
        }
        // What was built a moment ago is made again by the same words, and is whole then.
        tags.push((format!("again:{round}"), round));
        for (name, number) in tags {
            machine.must(&build(&name, number).each_ref().map(String::as_str));
            let findings = checker::check_image(&machine.store(), &name);
            assert_eq!(findings, [""; 0], "{name} was built again; {}", what());
            machine.must(&["run", "--rm", "--network", "none", &name, "true"]);
        }
    }
}

fn build(name: &str, number: u64) -> [String; 8] {
    let words = ["build", "-q", "--network=none", "-t", name, "--build-arg", &format!("ROUND={number}")];
    let context = format!("context-{}", number % 4);
    let [a, b, c, d, e, f, g] = words.map(str::to_owned);
    [a, b, c, d, e, f, g, context]
}

/// A disk that can be copied in a moment, and what runs on it.
struct Machine<'a> {
    yard: &'a Yard,
    kind: String,
    outer: PathBuf,
    inner: PathBuf,
    boot: PathBuf,
}

impl<'a> Machine<'a> {
    fn new(yard: &'a Yard, kind: &str, maker: &[&str]) -> Self {
        let (outer, inner, boot) = (yard.path("outer"), yard.path("inner"), yard.path("boot"));
        for folder in [&outer, &inner] {
            fs::create_dir(folder).unwrap();
        }
        let image = yard.path("outer.image");
        File::create(&image).unwrap().set_len(2 << 30).unwrap();
        must(Command::new("mkfs.xfs").args(["-q", "-f", "-m", "reflink=1"]).arg(&image));
        must(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&outer));
        let disk = outer.join("disk");
        File::create(&disk).unwrap().set_len(400 << 20).unwrap();
        must(Command::new(maker[0]).args(&maker[1..]).arg(&disk));
        Self { yard, kind: kind.to_owned(), outer, inner, boot }
    }

    fn store(&self) -> PathBuf {
        self.inner.join("store")
    }

    /// Starts from what is on the disk, as boot `number`.
    fn start(&self, number: u64) {
        let disk = self.outer.join("disk");
        if self.kind == "ext4" {
            // 1 says that something was mended.
            let checked = Command::new("e2fsck").args(["-f", "-y"]).arg(&disk).output().unwrap();
            assert!(matches!(checked.status.code(), Some(0 | 1)), "{checked:?}");
        }
        must(Command::new("mount").args(["-t", &self.kind, "-o", "loop"]).arg(&disk).arg(&self.inner));
        fs::write(&self.boot, format!("00000000-0000-4000-8000-{number:012}\n")).unwrap();
    }

    fn command(&self, words: &[&str]) -> Command {
        let boot = self.boot.to_string_lossy().into_owned();
        let script = "mount --bind \"$0\" /proc/sys/kernel/random/boot_id && exec \"$@\"";
        let mut command = self.yard.wrapped(&["unshare", "--mount", "sh", "-c", script, &boot], words);
        command.env("TUG_STORE", self.store()).stdout(Stdio::null()).process_group(0);
        command
    }

    fn must(&self, words: &[&str]) {
        let output = self.command(words).stderr(Stdio::piped()).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            let kept = self.yard.keep(&self.inner);
            panic!("tug {}: {}\n{told}\nthe disk is kept in {kept}", words.join(" "), output.status);
        }
    }

    /// Some finished work, and some that runs. Returns what was built and may be lost, with its number.
    fn work(&self, chance: &mut Chance, round: u64, durable: &mut BTreeSet<String>) -> Vec<(String, u64)> {
        let mut tags = Vec::new();
        for number in 0..=chance.below(3) {
            let name = format!("built:{round}-{number}");
            self.must(&build(&name, round * 10 + number).each_ref().map(String::as_str));
            tags.push((name, round * 10 + number));
        }
        if chance.percent(50) {
            self.must(&["settle"]);
            durable.extend(tags.iter().map(|(name, _)| name.clone()));
        }
        let worker = 1 + chance.below(3);
        match chance.below(3) {
            0 => {
                self.must(&["load", "-q", "-i", &format!("load-{worker}.tar")]);
                durable.extend([1, 2].map(|image| format!("w{worker}/loaded:{image}")));
            }
            1 => {
                let name = format!("imported:{round}");
                self.must(&["import", "root.tar", &name]);
                durable.insert(name);
            }
            _ => {
                // What was removed may come back, but nothing else may go.
                let name = durable.iter().find(|name| name.starts_with("imported")).cloned();
                if let Some(name) = name {
                    self.must(&["rmi", &name]);
                    durable.remove(&name);
                }
            }
        }
        tags
    }

    /// Lets some commands run, takes what the disk has, and ends everything.
    fn cut(&self, chance: &mut Chance) {
        let context = format!("context-{}", chance.below(4));
        let argument = format!("ROUND=cut-{}", chance.below(1000));
        let others: [&[&str]; 4] = [
            &["build", "-q", "--network=none", "-t", "cut", "--no-cache", "--build-arg", &argument, &context],
            &["load", "-q", "-i", "load-3.tar"],
            &["import", "root.tar", "cut-import"],
            &["settle"],
        ];
        let mut running: Vec<_> = others
            .iter()
            .filter(|_| chance.percent(70))
            .map(|words| self.command(words).stderr(Stdio::null()).spawn().unwrap())
            .collect();
        std::thread::sleep(Duration::from_millis(chance.below(400)));
        let (disk, copy) = (self.outer.join("disk"), self.outer.join("copy"));
        must(Command::new("cp").arg("--reflink=always").arg(&disk).arg(&copy));
        for process in &mut running {
            let _ = kill_process_group(Pid::from_child(process), Signal::KILL);
            process.wait().unwrap();
        }
        self.unmount(&self.inner);
        fs::rename(copy, disk).unwrap();
    }

    /// Processes that were killed may hold it for a moment.
    fn unmount(&self, folder: &Path) {
        for _ in 0..200 {
            let _ = Command::new("umount").arg(folder).stderr(Stdio::null()).status();
            // Somebody who was killed may still have it mounted in a namespace of its own.
            let used = Command::new("losetup").arg("-j").arg(self.outer.join("disk")).output().unwrap();
            if used.stdout.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("`{}` of the {} machine stays busy", folder.display(), self.kind);
    }
}

impl Drop for Machine<'_> {
    fn drop(&mut self) {
        for folder in [&self.inner, &self.outer] {
            let _ = Command::new("umount").arg("-l").arg(folder).stderr(Stdio::null()).status();
        }
    }
}

fn must(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("could not start {command:?}: {error}"));
    assert!(output.status.success(), "{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
}
