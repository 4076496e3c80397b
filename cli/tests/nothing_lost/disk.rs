//! Disks that are full, file systems that turn read-only, and times that make no sense.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use tug_testdata::loop_file_system::{Kind, LoopFileSystem};

use crate::chance::{Chance, rounds};
use crate::checker;
use crate::yard::Yard;

/// What runs at the same time, and the names it gives.
const COMMANDS: &[(&[&str], &[&str])] = &[
    (
        &["build", "-q", "--network=none", "-t", "built", "--build-arg", "ROUND=5", "context-0"],
        &["built:latest"],
    ),
    (&["load", "-q", "-i", "load-0.tar"], &["w0/loaded:1", "w0/loaded:2"]),
    (&["load", "-q", "-i", "load-3.tar"], &["w3/loaded:1", "w3/loaded:2"]),
    (&["import", "root.tar", "imported"], &["imported:latest"]),
    (&["tag", "kept", "kept:again"], &["kept:again"]),
];

#[test]
#[ignore = "needs root, busybox, loopfs"]
fn a_disk_that_fills_up_loses_nothing_needs_root_needs_busybox_needs_loopfs() {
    let mut chance = Chance::new(9);
    for kind in [Kind::Tmpfs, Kind::Ext4] {
        let disk = LoopFileSystem::new(kind, 64);
        let yard = yard_on(&disk);
        for round in 0..rounds(2) {
            // From nothing at all to enough for some.
            let left = *chance.of(&[0, 0, 8 << 10, 100 << 10, 500 << 10, 2 << 20, 6 << 20]);
            fill(&disk.path(), left);
            let outputs = all_at_once(&yard);
            for (output, (words, _)) in outputs.iter().zip(COMMANDS) {
                let told = String::from_utf8_lossy(&output.stderr);
                let code = output.status.code();
                let what =
                    format!("round {round} with {left} bytes left on {kind:?}, {words:?}: {code:?}\n{told}");
                assert!(matches!(code, Some(0 | 4)), "{what}");
                assert!(code == Some(0) || told.contains("no space is left"), "{what}");
            }
            still_whole(&yard, "a full disk");
            // Looking needs no room, and removing gives some.
            assert!(yard.must(&["images", "--format", "{{.Repository}}"]).contains("kept"));
            fs::remove_file(disk.path().join("filler")).unwrap();
            all_again(&yard);
            start_over(&yard);
        }
    }
}

#[test]
#[ignore = "needs root, busybox, loopfs"]
fn without_room_for_a_lock_images_can_be_removed_needs_root_needs_busybox_needs_loopfs() {
    let disk = LoopFileSystem::new(Kind::Tmpfs, 64);
    let yard = yard_on(&disk);
    fill(&disk.path(), 0);
    // No block is left, and the lock files of new layers cannot be made.
    let output = yard.run(&["build", "-q", "--network=none", "-t", "built", "context-0"]);
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
    let removed = yard.run(&["rmi", "kept"]);
    fs::remove_file(disk.path().join("filler")).unwrap();
    let told = String::from_utf8_lossy(&removed.stderr).into_owned();
    assert!(removed.status.success() || told.contains("no space is left"), "{told}");
    assert_eq!(checker::check(yard.store()), [""; 0]);
}

#[test]
#[ignore = "needs root, busybox, loopfs"]
fn a_file_system_that_turns_read_only_loses_nothing_needs_root_needs_busybox_needs_loopfs() {
    let mut chance = Chance::new(10);
    let disk = LoopFileSystem::new(Kind::Ext4, 64);
    let yard = yard_on(&disk);
    let remount = |how: &str| {
        Command::new("mount")
            .args(["-o", &format!("remount,{how}")])
            .arg(disk.path())
            .output()
            .unwrap()
            .status
    };
    for _ in 0..rounds(2) {
        let running = start_all(&yard);
        std::thread::sleep(Duration::from_millis(chance.below(60)));
        // It cannot turn while a file is open for writing; it turns as soon as none is.
        let turned = (0..400).any(|_| {
            std::thread::sleep(Duration::from_millis(2));
            remount("ro").success()
        });
        let outputs: Vec<Output> =
            running.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
        for (output, (words, _)) in outputs.iter().zip(COMMANDS) {
            let told = String::from_utf8_lossy(&output.stderr);
            let fine = output.status.success() || (turned && told.contains("read-only"));
            assert!(fine, "{words:?}: {}\n{told}", output.status);
        }
        if turned {
            let refused = yard.run(&["tag", "kept", "other"]);
            let told = String::from_utf8_lossy(&refused.stderr);
            assert!(!refused.status.success() && told.contains("read-only"), "{told}");
            assert!(remount("rw").success());
        }
        still_whole(&yard, "a read-only disk");
        all_again(&yard);
        start_over(&yard);
    }
}

#[test]
#[ignore = "needs root, busybox"]
fn times_that_make_no_sense_lose_nothing_needs_root_needs_busybox() {
    let day = Duration::from_secs(24 * 3600);
    let now = SystemTime::now();
    // Written in ten years from now, so that the clock has jumped back since; before there were computers; at no time.
    for time in [now + 3650 * day, SystemTime::UNIX_EPOCH, SystemTime::UNIX_EPOCH - 3650 * day] {
        let yard = Yard::new(true);
        yard.must(&["import", "root.tar", "kept"]);
        all_again(&yard);
        set_times(yard.store(), time);
        all_again(&yard);
        yard.must(&["settle"]);
        if yard.prunes {
            yard.must(&["system", "prune", "--force"]);
        }
        still_whole(&yard, &format!("{time:?}"));
        yard.must(&["run", "--rm", "--network=none", "built", "true"]);
        yard.must(&["builds"]);
        start_over(&yard);
        let left = checker::names(yard.store());
        assert_eq!(left.keys().collect::<Vec<_>>(), ["base:latest", "kept:latest"]);
    }
}

/// A store on the disk with a base to build from and an image to keep.
fn yard_on(disk: &LoopFileSystem) -> Yard {
    let mut yard = Yard::new(true);
    yard.move_store(disk.path().join("store"));
    yard.must(&["import", "root.tar", "kept"]);
    yard
}

/// Takes all room but `left` bytes.
fn fill(folder: &Path, left: u64) {
    let space = rustix::fs::statvfs(folder).unwrap();
    let free = space.f_bavail * space.f_frsize;
    let filler = folder.join("filler");
    let mut length = free.saturating_sub(left);
    // What the file needs beside its content is not free either.
    while length > 0 {
        let file = File::create(&filler).unwrap();
        let mode = rustix::fs::FallocateFlags::empty();
        if rustix::fs::fallocate(&file, mode, 0, length).is_ok() {
            return;
        }
        length = length.saturating_sub(16 << 10);
    }
    File::create(&filler).unwrap();
}

fn start_all(yard: &Yard) -> Vec<std::process::Child> {
    let start =
        |words: &[&str]| yard.command(words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    COMMANDS.iter().map(|(words, _)| start(words)).collect()
}

fn all_at_once(yard: &Yard) -> Vec<Output> {
    start_all(yard).into_iter().map(|child| child.wait_with_output().unwrap()).collect()
}

/// Once there is nothing in the way, everything succeeds.
fn all_again(yard: &Yard) {
    for (words, names) in COMMANDS {
        yard.must(words);
        let found = checker::names(yard.store());
        assert!(names.iter().all(|name| found.contains_key(*name)), "{words:?}: {found:?}");
    }
    assert_eq!(checker::check(yard.store()), [""; 0]);
}

fn start_over(yard: &Yard) {
    let names: Vec<&str> = COMMANDS.iter().flat_map(|(_, names)| *names).copied().collect();
    yard.must(&[&["rmi", "--force"], &names[..]].concat());
}

fn still_whole(yard: &Yard, after: &str) {
    assert_eq!(checker::check(yard.store()), [""; 0], "after {after}");
    let names = checker::names(yard.store());
    for name in ["base:latest", "kept:latest"] {
        assert!(names.contains_key(name), "{name} is gone after {after}");
    }
}

fn set_times(folder: &Path, time: SystemTime) {
    let mut pending: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(path) = pending.pop() {
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            pending.extend(checker::names_in(&path));
        }
        // Trees of layers have times of their own.
        let is_ours = metadata.is_file() || metadata.is_dir();
        if is_ours && !path.components().any(|part| part.as_os_str() == "tree") {
            File::open(&path).and_then(|file| file.set_modified(time)).unwrap();
        }
    }
}
