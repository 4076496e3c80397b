//! Builds with RUN in which something once went wrong.

use crate::tug::Tug;

#[test]
#[ignore = "needs root, busybox"]
fn steps_that_change_nothing_may_follow_each_other_needs_root_needs_busybox() {
    let tug = Tug::new();
    tug.base();
    tug.write("app/Dockerfile", "FROM base\nRUN true\nRUN :\nRUN test -e /bin/sh\n");
    tug.data(&["build", "--network", "none", "-q", "-t", "app", "app"]);
    assert_eq!(tug.data(&["run", "--network", "none", "app", "echo", "hello"]), "hello\n");
}

#[test]
#[ignore = "needs root, busybox"]
fn a_step_that_cannot_begin_is_shown_at_its_line_needs_root_needs_busybox() {
    let tug = Tug::new();
    tug.base();
    tug.write("app/Dockerfile", "FROM base\nUSER nobody-knows\nRUN true\n");
    insta::assert_snapshot!(tug.run(&["build", "--progress", "none", "app"]), @"
    exit code 1
    --- stderr
    error: could not run `[2/2] RUN true`
     --> Dockerfile:3:1
      |
    3 | RUN true
      | ^^^^^^^^
      |
      caused by: no user `nobody-knows` in the container's `/etc/passwd`

    hint: add the user in an earlier step, or use its numeric id
    ");
}

#[test]
#[ignore = "needs root, busybox"]
fn variables_that_are_too_long_are_told_from_a_command_without_a_mode_needs_root_needs_busybox() {
    let tug = Tug::new();
    tug.base();
    let a = "a".repeat(60_000);
    tug.write("app/Dockerfile", format!("FROM base\nENV A={a}\nENV B=$A$A$A\nRUN true\n"));
    let shown = tug.run(&["build", "--progress", "none", "app"]);
    assert!(shown.starts_with("exit code 1\n"), "{shown}");
    assert!(shown.contains("cannot execute `/bin/sh`: argument list too long\n"), "{shown}");
}
