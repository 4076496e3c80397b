//! Who reads the output: a terminal, a pipe that was closed early, nobody.

use std::io::Read;
use std::process::Stdio;

use crate::pty::Pty;
use crate::tug::Tug;

#[test]
fn a_reader_that_leaves_early_is_no_error() {
    let tug = Tug::new();
    for number in 0..200 {
        tug.image(&[&format!("image-with-a-long-name-so-that-the-pipe-is-filled-{number}")]);
    }
    let mut command = tug.command(&["images", "--no-trunc", "--format", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let status = child.wait().unwrap();
    assert_eq!((status.code(), stderr.as_str()), (Some(0), ""));
}

#[test]
fn full_standard_output_is_an_error() {
    let tug = Tug::new();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = tug.command(&["version"]).stdout(full).output().unwrap();
    insta::assert_snapshot!(tug.shown(&output), @"
    exit code 4
    --- stderr
    error: could not write to standard output
      caused by: no space left on device

    hint: free some space on that disk
    ");
}

#[test]
fn what_is_not_for_eyes_is_not_written_to_a_terminal() {
    let tug = Tug::new();
    tug.image(&["app"]);
    let pty = Pty::new();
    let output =
        tug.command(&["save", "app"]).stdout(pty.other_end()).stderr(Stdio::piped()).output().unwrap();
    insta::assert_snapshot!(tug.shown(&output), @"
    exit code 2
    --- stderr
    error: an image is not written to a terminal

    hint: name a file with `-o FILE`, or use a pipe
    ");
}

#[test]
fn nobody_waits_for_an_archive_that_would_have_to_be_typed() {
    let tug = Tug::new();
    let pty = Pty::new();
    let with_keyboard =
        |words: &[&str]| tug.shown(&tug.command(words).stdin(pty.other_end()).output().unwrap());
    insta::assert_snapshot!(with_keyboard(&["load"]), @"
    exit code 2
    --- stderr
    error: an archive is expected on standard input, which is a terminal

    hint: name a file with `-i FILE`, or use a pipe: `docker save app | tug load`
    ");
    insta::assert_snapshot!(with_keyboard(&["build", "-"]), @"
    exit code 2
    --- stderr
    error: a context is expected on standard input, which is a terminal

    hint: use a pipe or a redirection: `tug build - < Dockerfile`
    ");
    insta::assert_snapshot!(with_keyboard(&["build", "-f", "-", "."]), @"
    exit code 2
    --- stderr
    error: a Dockerfile is expected on standard input, which is a terminal

    hint: use a pipe or a redirection: `tug build - < Dockerfile`
    ");
}

#[test]
fn a_terminal_gets_colours_and_a_dumb_one_does_not() {
    for (term, colored) in [("xterm", true), ("dumb", false)] {
        let tug = Tug::new().with("TERM", term);
        let mut pty = Pty::new();
        let status = tug.command(&["inspect", "nothing"]).stderr(pty.other_end()).status().unwrap();
        assert_eq!((status.code(), pty.text().contains('\x1b')), (Some(1), colored), "{term}");
    }
}
