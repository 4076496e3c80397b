//! Thirty-two processes at once in one store: all end in bounded time, no name is lost, and equal work is done once.

use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::chance::{Chance, rounds};
use crate::checker;
use crate::yard::{CONTEXTS, Yard};

const PROCESSES: u64 = 32;
/// Long enough for a machine with many other things to do; whoever waits for something that never comes takes longer.
const BOUND: Duration = Duration::from_secs(90);

#[test]
#[ignore = "needs root, busybox"]
fn thirty_two_at_once_lose_no_name_and_do_equal_work_once_needs_root_needs_busybox() {
    let mut chance = Chance::new(4);
    let yard = Yard::new(true);
    make_shared_context(&yard);
    for round in 0..rounds(1) {
        let tasks: Vec<Vec<String>> =
            (0..PROCESSES).map(|number| task(&mut chance, &yard, round, number)).collect();
        let before = checker::names(yard.store());
        let running: Vec<(Child, &Vec<String>)> =
            tasks.iter().map(|words| (start(&yard, words), words)).collect();
        wait(running);

        let names = checker::names(yard.store());
        for words in &tasks {
            for name in given(words) {
                assert!(names.contains_key(name), "round {round}: `{name}` of {words:?} is lost");
            }
            if words[0] == "rmi" {
                assert!(!names.contains_key(&words[2]), "round {round}: {words:?}");
            }
        }
        for name in before.keys() {
            let removed = tasks.iter().any(|words| words[0] == "rmi" && words.contains(name));
            assert!(removed || names.contains_key(name), "round {round}: `{name}` is lost");
        }
        assert_eq!(checker::check(yard.store()), [""; 0], "round {round}");
        // What is pruned meanwhile is done again.
        let runs = runs_of(&yard, round);
        assert!(
            runs == 1 || (yard.prunes && round % 2 == 1 && runs > 1),
            "round {round}: a step was done {runs} times"
        );
    }
}

/// A folder with a step that leaves a mark in a cache mount each time it is done.
fn make_shared_context(yard: &Yard) {
    let folder = yard.path("equal");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("file"), "x").unwrap();
    let dockerfile = "FROM base\nARG ROUND\nCOPY file /file\n\
                      RUN --mount=type=cache,id=marks,target=/marks echo $ROUND >> /marks/done; sleep 0.2\n\
                      ARG NUMBER\nRUN echo $NUMBER > /number\n";
    fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
}

fn runs_of(yard: &Yard, round: u64) -> usize {
    let mounts = checker::names_in(&yard.store().join("mounts"));
    let marks = mounts.iter().flat_map(|mount| checker::names_in(mount)).map(|part| part.join("done"));
    let lines = marks.filter_map(|file| fs::read_to_string(file).ok()).collect::<String>();
    lines.lines().filter(|line| **line == round.to_string()).count()
}

fn task(chance: &mut Chance, yard: &Yard, round: u64, number: u64) -> Vec<String> {
    let name = format!("p{number}:r{round}");
    let (of_round, of_process) = (format!("ROUND={round}"), format!("NUMBER={}", number % 3));
    let context = format!("context-{}", number % CONTEXTS);
    let archive = format!("load-{}.tar", number % 4);
    let removed = format!("p{}:r{}", chance.below(PROCESSES), round.saturating_sub(1));
    let words: &[&str] = match number % 8 {
        0..=2 => &[
            "build",
            "-q",
            "--network=none",
            "--build-arg",
            &of_round,
            "--build-arg",
            &of_process,
            "-t",
            &name,
            "equal",
        ],
        3 => &["build", "-q", "--network=none", "--build-arg", &of_round, "-t", &name, &context],
        4 => &["load", "-q", "-i", &archive],
        5 => &["tag", "base", &name],
        6 if yard.prunes && round % 2 == 1 => &["system", "prune", "--force"],
        6 => &["import", "root.tar", &name],
        _ if round > 0 => &["rmi", "--force", &removed],
        _ => &["rmi", "--force", "nothing"],
    };
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn given(words: &[String]) -> Vec<&str> {
    match words[0].as_str() {
        "build" => vec![words[words.iter().position(|word| word == "-t").unwrap() + 1].as_str()],
        "tag" | "import" => vec![words.last().unwrap()],
        _ => Vec::new(),
    }
}

fn start(yard: &Yard, words: &[String]) -> Child {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    yard.command(&words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait(mut running: Vec<(Child, &Vec<String>)>) {
    let start = Instant::now();
    while !running.is_empty() {
        let mut left = Vec::new();
        for (mut child, words) in running {
            match child.try_wait().unwrap() {
                None => left.push((child, words)),
                Some(status) => {
                    let told = child.wait_with_output().unwrap().stderr;
                    let told = String::from_utf8_lossy(&told);
                    let was_in_the_way = words[0] == "system" && told.contains("were left alone");
                    assert!(status.success() || was_in_the_way, "{words:?}: {status}\n{told}");
                }
            }
        }
        running = left;
        assert!(start.elapsed() < BOUND, "these hang: {running:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
