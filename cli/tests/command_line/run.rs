//! Containers in the foreground.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;

use tug_testdata::bases;
use tug_testdata::place::Place;

use crate::pty::Pty;
use crate::tug::Tug;

fn with_base() -> Tug {
    let tug = Tug::new();
    tug.base();
    tug
}

#[test]
#[ignore = "needs root, busybox"]
fn the_exit_code_is_that_of_the_command_needs_root_needs_busybox() {
    let tug = with_base();
    let code =
        |words: &[&str]| tug.command(&[&["run", "--rm"], words].concat()).output().unwrap().status.code();
    assert_eq!(code(&["base", "true"]), Some(0));
    assert_eq!(code(&["base", "sh", "-c", "exit 42"]), Some(42));
    assert_eq!(code(&["base", "sh", "-c", "kill -9 $$"]), Some(137));
    assert_eq!(code(&["base", "no-such-command"]), Some(127));
    assert_eq!(code(&["base", "/etc/passwd"]), Some(126));
    assert_eq!(code(&["-w", "relative", "base", "true"]), Some(125));
    assert_eq!(code(&["-u", "nobody-knows", "base", "true"]), Some(125));
    assert_eq!(code(&["no-such-image"]), Some(125));
    assert_eq!(code(&["--no-such-flag", "base"]), Some(125));
}

#[test]
#[ignore = "needs root, busybox"]
fn a_command_that_cannot_start_is_explained_needs_root_needs_busybox() {
    let tug = with_base();
    insta::assert_snapshot!(tug.run(&["run", "base", "no-such-command"]), @"
    exit code 127
    --- stderr
    error: no command `no-such-command` in the container

    hint: searched in `/bin`
    ");
    insta::assert_snapshot!(tug.run(&["run", "base", "/etc/passwd"]), @"
    exit code 126
    --- stderr
    error: cannot execute `/etc/passwd`
      caused by: permission denied

    hint: is it a regular file with an execute bit, for this user?
    ");
    insta::assert_snapshot!(tug.run(&["run", "-u", "nobody-knows", "base", "true"]), @"
    exit code 125
    --- stderr
    error: no user `nobody-knows` in the container's `/etc/passwd`

    hint: add the user in an earlier step, or use its numeric id
    ");
    insta::assert_snapshot!(tug.run(&["run", "--entrypoint", "", "-w", "/etc/passwd", "base", "true"]), @"
    exit code 125
    --- stderr
    error: cannot use working directory `/etc/passwd`
      caused by: not a directory
    ");
    insta::assert_snapshot!(tug.run(&["run", "-v", "/no/such/folder:/x", "base", "true"]), @"
    exit code 125
    --- stderr
    error: `-v /no/such/folder:/x`: there is no `/no/such/folder`: make it first
    ");
    tug.image(&["empty"]);
    insta::assert_snapshot!(tug.run(&["run", "--entrypoint", "", "empty"]), @"
    exit code 125
    --- stderr
    error: the image has no command of its own, and none was given

    hint: name one: `tug run empty COMMAND`
    ");
}

#[test]
#[ignore = "needs root, busybox"]
fn the_container_sees_what_the_flags_say_needs_root_needs_busybox() {
    let tug = with_base().with("GIVEN", "from outside");
    tug.write("shared/file", "of the host\n");
    let sees = |flags: &[&str], script: &str| {
        tug.data(&[&["run", "--rm"], flags, &["base", "sh", "-c", script]].concat())
    };
    assert_eq!(sees(&[], "echo $FROM_IMAGE $PATH; pwd; id -u"), "1 /bin\n/\n0\n");
    assert_eq!(sees(&["-e", "GIVEN", "-e", "A=b c"], "echo $GIVEN, $A"), "from outside, b c\n");
    assert_eq!(sees(&["-w", "/made/for/it"], "pwd"), "/made/for/it\n");
    assert_eq!(sees(&["-u", "1000:1001"], "id -u; id -g"), "1000\n1001\n");
    assert_eq!(sees(&["--hostname", "box"], "hostname"), "box\n");
    assert_eq!(sees(&["-v", "./shared:/in"], "cat /in/file; echo more >> /in/file"), "of the host\n");
    assert_eq!(fs::read_to_string(tug.path("shared/file")).unwrap(), "of the host\nmore\n");
    assert_eq!(sees(&["-v", "./shared:/in:ro"], "touch /in/x 2> /dev/null || echo refused"), "refused\n");
    assert_eq!(sees(&["--read-only"], "touch /x 2> /dev/null || echo refused"), "refused\n");
    assert_eq!(sees(&["--read-only", "--tmpfs", "/t:size=1m"], "touch /t/x && ls /t"), "x\n");
    assert_eq!(sees(&["--network", "none"], "ls /sys/class/net"), "lo\n");
    assert_eq!(sees(&["--entrypoint", "echo"], "x"), "sh -c x\n");
}

#[test]
#[ignore = "needs root, busybox"]
fn nothing_is_kept_of_a_container_needs_root_needs_busybox() {
    let tug = with_base();
    tug.data(&["run", "base", "sh", "-c", "echo x > /left-behind"]);
    assert_eq!(tug.data(&["run", "base", "sh", "-c", "ls / | grep left || echo nothing"]), "nothing\n");
    assert_eq!(fs::read_dir(tug.path("store/ingest")).unwrap().count(), 0);
}

#[test]
#[ignore = "needs root, busybox"]
fn standard_input_is_passed_on_only_when_asked_for_needs_root_needs_busybox() {
    let tug = with_base();
    let with = tug.run_with_input(&["run", "-i", "base", "cat"], b"hello\n");
    assert_eq!(with, "exit code 0\n--- stdout\nhello\n");
    assert_eq!(tug.run_with_input(&["run", "base", "cat"], b"hello\n"), "exit code 0");
    insta::assert_snapshot!(tug.run_with_input(&["run", "-it", "base", "cat"], b"hello\n"), @"
    exit code 125
    --- stderr
    error: `-t` with `-i` needs a terminal on standard input

    hint: leave `-t` away to pipe something into the container
    ");
}

#[test]
#[ignore = "needs root, busybox"]
fn signals_reach_the_command_needs_root_needs_busybox() {
    let tug = with_base();
    let script = "trap 'echo caught; exit 7' TERM; echo ready; while :; do sleep 0.1; done";
    let mut command = tug.command(&["run", "base", "sh", "-c", script]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "caught");
    assert_eq!(child.wait().unwrap().code(), Some(7));
}

#[test]
#[ignore = "needs root, busybox"]
fn a_terminal_is_joined_with_ours_needs_root_needs_busybox() {
    let tug = with_base();
    let mut pty = Pty::new();
    pty.resize(33, 77);
    // The size comes a moment after the start.
    let script = "test -t 0 && test -t 1 && for i in $(seq 100); do \
                  test -n \"$(stty size 2> /dev/null)\" && break; sleep 0.02; done; stty size; \
                  echo $TERM && read line && echo got $line; exit 3";
    let mut command = tug.command(&["run", "-it", "base", "sh", "-c", script]);
    let mut child =
        command.stdin(pty.other_end()).stdout(pty.other_end()).stderr(pty.other_end()).spawn().unwrap();
    let shown = pty.text_until("xterm");
    assert!(shown.contains("33 77"), "{shown}");
    pty.type_text("typed\r");
    let shown = pty.text_until("got typed");
    assert!(shown.contains("got typed"), "{shown}");
    assert_eq!(child.wait().unwrap().code(), Some(3));
}

#[test]
#[ignore = "needs root, busybox"]
fn a_reader_that_leaves_ends_the_command_as_on_any_pipe_needs_root_needs_busybox() {
    let tug = with_base();
    let mut command = tug.command(&["run", "base", "sh", "-c", "yes"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    drop(child.stdout.take());
    // The command is ended by SIGPIPE, as it would be without a container.
    assert_eq!(child.wait().unwrap().code(), Some(141));
    let _ = std::io::stdout().flush();
}

#[test]
#[ignore = "needs users, busybox"]
fn ordinary_users_run_containers_needs_users_needs_busybox() {
    for place in [Place::UserWithManyIds, Place::UserWithOneId] {
        let home = place.home();
        let program = home.bring(Path::new(env!("CARGO_BIN_EXE_tug")));
        let base = home.path().join("base.tar");
        fs::copy(bases::busybox(), &base).unwrap();
        let tug = |words: &[&str]| {
            let mut command = place.command(&program);
            command.args(["--store", "store"]).args(words).current_dir(home.path());
            let output = command.stdin(Stdio::null()).output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
            (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), stderr)
        };
        assert_eq!(tug(&["import", "base.tar", "base"]).0, Some(0), "{place:?}");
        let seen = tug(&["run", "--network", "none", "base", "sh", "-c", "id -u; touch /x && ls /x; exit 9"]);
        assert_eq!(seen, (Some(9), "0\n/x\n".to_owned(), String::new()), "{place:?}");
        let seen = tug(&["run", "-u", "nobody", "base", "no-such-command"]);
        assert_eq!(seen.0, Some(127), "{place:?}: {seen:?}");
        assert_eq!(tug(&["rmi", "base"]).0, Some(0), "{place:?}");
        // What is removed is unlinked by a process that nobody waits for; another one has it done when it ends, or sees
        // to it together with the first.
        let left = || {
            let count = |folder| fs::read_dir(home.path().join("store").join(folder)).unwrap().count();
            (count("layers"), count("trash"))
        };
        for _ in 0..50 {
            assert_eq!(tug(&["settle"]).0, Some(0), "{place:?}");
            if left() == (0, 0) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        assert_eq!(left(), (0, 0), "{place:?}");
    }
}
