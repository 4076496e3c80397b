//! Ctrl-C, and what else ends a build before its time.

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::pty::Pty;
use crate::tug::{Tug, timeless};

const DOCKERFILE: &str = "\
FROM base
RUN echo first > /first
RUN echo started && sleep 4321
";

/// A build that is in the middle of its last step, and its standard error.
fn running(tug: &Tug) -> (Child, BufReader<std::process::ChildStderr>) {
    tug.base();
    tug.write("app/Dockerfile", DOCKERFILE);
    let mut command = tug.command(&["build", "--network", "none", "app"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("tug can be started");
    let mut stderr = BufReader::new(child.stderr.take().expect("it is a pipe"));
    let mut line = String::new();
    while !line.ends_with(" started\n") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).expect("it can be read"), 0, "the build ended by itself");
    }
    (child, stderr)
}

fn rest(stderr: BufReader<std::process::ChildStderr>) -> String {
    timeless(&stderr.lines().map(|line| line.expect("it can be read") + "\n").collect::<String>())
}

#[test]
#[ignore = "needs root, busybox"]
fn an_interrupted_build_keeps_what_is_finished_and_dies_of_the_signal_needs_root_needs_busybox() {
    let tug = Tug::new();
    for (signal, number) in [(Signal::INT, 2), (Signal::TERM, 15)] {
        let (mut child, stderr) = running(&tug);
        let start = Instant::now();
        kill_process(Pid::from_child(&child), signal).unwrap();
        let status = child.wait().unwrap();
        assert_eq!(status.signal(), Some(number));
        assert!(start.elapsed() < Duration::from_secs(5), "it took {:?}", start.elapsed());
        let shown = rest(stderr);
        assert!(shown.ends_with("error: cancelled; finished layers are kept\n"), "{shown}");
        assert!(shown.contains("#3 CANCELED"), "{shown}");
    }
    let still = Command::new("pgrep").args(["-f", "sleep 4321"]).output().unwrap();
    assert!(!still.status.success(), "{}", String::from_utf8_lossy(&still.stdout));

    tug.write("app/Dockerfile", DOCKERFILE.replace("sleep 4321", "true"));
    let shown = tug.run_timeless(&["build", "--network", "none", "app"]);
    assert!(shown.starts_with("exit code 0") && shown.contains("#2 CACHED"), "{shown}");
}

#[test]
#[ignore = "needs root, busybox"]
fn a_failing_step_is_explained_needs_root_needs_busybox() {
    let tug = Tug::new();
    tug.base();
    tug.write(
        "app/Dockerfile",
        "FROM base\nRUN exec 2>&1; for i in $(seq 30); do echo line $i; done; \\\n  no-such-command\n",
    );
    let shown = tug.run_timeless(&["build", "--network", "none", "--progress", "none", "app"]);
    insta::assert_snapshot!(shown, @r#"
    exit code 1
    --- stderr
    error: step 2/2 failed: `RUN exec 2>&1; for i in $(seq 30); do echo line $i; done;   no-such-command` exited with 127
     --> Dockerfile:2:1
      |
    2 | RUN exec 2>&1; for i in $(seq 30); do echo line $i; done; \
      | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
      |
    note: last 20 of 31 lines of its output; the whole log is `[HOME]/store/builds/[BUILD]/2.log`
      line 12
      line 13
      line 14
      line 15
      line 16
      line 17
      line 18
      line 19
      line 20
      line 21
      line 22
      line 23
      line 24
      line 25
      line 26
      line 27
      line 28
      line 29
      line 30
      /bin/sh: no-such-command: not found

    hint: 127 means that a command was not found: is it installed in this stage and on `PATH`?
    hint: look around in the state before this step: `tug debug [BUILD] --step 2`
    "#);
    let words =
        ["build", "--propagate-exit-code", "--metadata-file", "metadata.json", "--progress", "none", "app"];
    assert_eq!(tug.command(&words).output().unwrap().status.code(), Some(127));
    let metadata = std::fs::read_to_string(tug.path("metadata.json")).unwrap();
    assert!(metadata.contains("\"tug.build.exitCode\": 127"), "{metadata}");
}

#[test]
#[ignore = "needs root"]
fn a_full_disk_is_a_matter_of_the_host_needs_root() {
    let tug = Tug::new();
    tug.write("app/Dockerfile", "FROM scratch\nCOPY large /\n");
    tug.write("app/large", vec![b'x'; 8 << 20]);
    let script = "mkdir store && mount -t tmpfs -o size=4m tmpfs store && exec \"$@\"";
    let inner = tug.command(&["build", "--progress", "none", "app"]);
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", script, "sh"]).arg(inner.get_program()).args(inner.get_args());
    command.current_dir(tug.path("")).env("TUG_STORE", tug.path("store"));
    insta::assert_snapshot!(tug.shown(&command.output().unwrap()), @"
    exit code 4
    --- stderr
    error: no space is left to write a blob to `[HOME]/store/ingest`
     --> Dockerfile:2:1
      |
    2 | COPY large /
      | ^^^^^^^^^^^^
      |

    hint: free some space, or choose a store on another disk
    ");
}

#[test]
#[ignore = "needs root, busybox"]
fn a_terminal_shows_a_build_live_needs_root_needs_busybox() {
    let tug = Tug::new().with("TERM", "xterm");
    tug.base();
    tug.write("app/Dockerfile", "FROM base\nRUN echo working; sleep 5432\n");
    let mut pty = Pty::new();
    pty.resize(24, 80);
    let mut command = tug.command(&["build", "--network", "none", "app"]);
    let mut child = command.stderr(pty.other_end()).stdout(Stdio::null()).spawn().unwrap();
    let shown = pty.text_until("=> => # working");
    assert!(shown.contains("[+] Building ") && shown.contains(" => CACHED [1/2] FROM base"), "{shown}");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let shown = pty.text_until("finished layers are kept");
    assert!(shown.contains(" FINISHED") && shown.contains(" => CANCELED [2/2] RUN"), "{shown}");
    assert_eq!(child.wait().unwrap().signal(), Some(2));
}
