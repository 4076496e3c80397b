//! Limits of a container as a whole.

use tug_runtime::Resources;

use crate::support::{Place, Who};

#[test]
#[ignore = "needs root and busybox"]
fn needs_busybox_needs_root_a_container_that_takes_too_much_memory_is_stopped_and_says_so() {
    let place = Place::new(Who::Root);
    let mut container = place.script("head -c 200m /dev/zero | tail | wc -c");
    container.resources = Resources { memory: Some(32 << 20), ..Resources::default() };
    let answer = place.run(&container);
    if answer.warnings().is_empty() {
        assert!(answer.out_of_memory(), "{answer:?}");
    }
    let mut container = place.script("head -c 1m /dev/zero | tail | wc -c");
    container.resources = Resources { memory: Some(64 << 20), ..Resources::default() };
    let answer = place.run(&container);
    assert_eq!((answer.good().as_str(), answer.out_of_memory()), ("1048576\n", false));
}

#[test]
#[ignore = "needs root and busybox"]
fn needs_busybox_needs_root_a_container_that_starts_too_many_processes_is_stopped() {
    let place = Place::new(Who::Root);
    let mut container =
        place.container(&["sh", "-c", "for n in $(seq 50); do sleep 1 & done; wait; echo all"]);
    container.resources = Resources { pids: Some(10), ..Resources::default() };
    let answer = place.run(&container);
    if answer.warnings().is_empty() {
        assert!(answer.stderr().contains("can't fork"), "{answer:?}");
    }
}

#[test]
#[ignore = "needs root and busybox"]
fn needs_busybox_needs_root_groups_are_removed_again() {
    let place = Place::new(Who::Root);
    let mut container = place.script("cat /proc/self/cgroup");
    container.resources =
        Resources { memory: Some(32 << 20), cpus: Some(0.5), pids: Some(50), ..Resources::default() };
    let answer = place.run(&container);
    assert!(!answer.good().contains("tug-"), "the container sees its own group as the root: {answer:?}");
    let left = std::process::Command::new("find")
        .args(["/sys/fs/cgroup", "-maxdepth", "4", "-name", "tug-*", "-type", "d"])
        .output()
        .unwrap();
    // Other tests may have groups of their own right now; ours carry the number of a process that is gone.
    for group in String::from_utf8(left.stdout).unwrap().lines() {
        let pid = group.rsplit('/').next().unwrap().split('-').nth(1).unwrap();
        assert!(std::path::Path::new(&format!("/proc/{pid}")).exists(), "{group}");
    }
}

#[test]
#[ignore = "needs users and busybox"]
fn needs_busybox_needs_root_needs_users_without_rights_to_a_group_the_container_runs_and_says_so() {
    let place = Place::new(Who::OneId);
    let mut container = place.script("echo runs");
    container.resources = Resources { memory: Some(32 << 20), ..Resources::default() };
    let answer = place.run(&container);
    assert_eq!(answer.good(), "runs\n");
    let warnings = answer.warnings();
    assert!(
        warnings.iter().any(|warning| warning.starts_with("the limit on memory is not in force")),
        "{warnings:?}"
    );
}

#[test]
#[ignore = "needs root and busybox"]
fn needs_busybox_needs_root_the_group_is_made_below_the_one_that_was_chosen() {
    let place = Place::new(Who::Root);
    let parent = format!("box-of-tug-{}", std::process::id());
    let mut container = place.script("echo runs");
    container.resources = Resources {
        cpuset_cpus: Some("0".to_owned()),
        cpu_shares: Some(100),
        parent: Some(format!("/{parent}/inner").into()),
        ..Resources::default()
    };
    let answer = place.run(&container);
    answer.good();
    let made = std::process::Command::new("find")
        .args(["/sys/fs/cgroup", "-depth", "-type", "d", "-path", &format!("*/{parent}*")])
        .output()
        .unwrap();
    let made: Vec<String> = String::from_utf8(made.stdout).unwrap().lines().map(str::to_owned).collect();
    for group in &made {
        std::fs::remove_dir(group).unwrap();
    }
    if answer.warnings().is_empty() {
        assert!(made.iter().any(|group| group.ends_with(&format!("{parent}/inner"))), "{made:?} {answer:?}");
    }
    assert!(!made.iter().any(|group| group.contains("/inner/")), "the container's own is gone: {made:?}");
}
