//! Process 1: waits for the command, takes away orphans that ended, and hands signals on.
//!
//! It ends with the command, and the kernel then kills what is left in the container. It also ends when the process
//! that started the container is gone, so that nothing outlives it.

use std::os::fd::{AsFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, wait};

use crate::control::{Control, Report};
use crate::sys::process::{SIGNAL_RECORD, exit, kill, set_capabilities, signals_as_descriptor};
use crate::{Error, Status};

/// Comes back only when the command could not be started. `news` holds the reason then, and just ends otherwise.
pub(super) fn look_after(child: Pid, news: OwnedFd, control: &Control) -> Error {
    let signals = match signals_as_descriptor() {
        Ok(signals) => signals,
        Err(errno) => return Error::system("wait for signals", errno),
    };
    if let Some(error) = reason_of_failure(&news) {
        return error;
    }
    drop(news);
    let _ = control.send(&Report::Started);
    // The only thing left to do that needs a right is to signal processes of other users.
    const KILL: u64 = 1 << 5;
    let _ = set_capabilities(KILL, KILL, 0);
    close_standard_streams();

    let status = loop {
        if let Some(status) = reap(child) {
            break status;
        }
        let mut waited = [
            PollFd::new(&signals, PollFlags::IN),
            // Only its end matters: our parent has nothing more to say.
            PollFd::from_borrowed_fd(control.as_fd(), PollFlags::RDHUP),
        ];
        match poll(&mut waited, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(_) => exit(125),
        }
        if waited[1].revents().intersects(PollFlags::HUP | PollFlags::RDHUP | PollFlags::ERR) {
            exit(128 + Signal::KILL.as_raw());
        }
        hand_on(&signals, child);
    };
    let _ = control.send(&Report::Exited(status));
    exit(status.exit_code())
}

/// What the child wrote before it gave up; nothing when it executes the command.
fn reason_of_failure(news: &OwnedFd) -> Option<Error> {
    let mut text = Vec::new();
    let mut part = [0; 4096];
    loop {
        match rustix::io::read(news, &mut part) {
            Ok(0) => break,
            Ok(length) => text.extend_from_slice(&part[..length]),
            Err(Errno::INTR) => {}
            Err(errno) => return Some(Error::system("hear from the command", errno)),
        }
    }
    if text.is_empty() { None } else { Some(serde_json::from_slice(&text).unwrap_or(Error::InitDied)) }
}

/// Takes away every process that has ended; the status of the command when it is among them.
fn reap(child: Pid) -> Option<Status> {
    let mut ended = None;
    while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
        if pid == child {
            ended = status_of(status);
        }
    }
    ended
}

fn status_of(status: WaitStatus) -> Option<Status> {
    status.exit_status().map(Status::Code).or_else(|| status.terminating_signal().map(Status::Signal))
}

/// Gives the signals that came for us to the command.
fn hand_on(signals: &OwnedFd, child: Pid) {
    let mut record = [0; SIGNAL_RECORD];
    while let Ok(SIGNAL_RECORD) = rustix::io::read(signals, &mut record) {
        let number = i32::from_ne_bytes([record[0], record[1], record[2], record[3]]);
        if number == libc::SIGCHLD {
            continue;
        }
        let _ = kill(child, number);
    }
}

/// So that a pipe ends when the command closes it, not when we do.
fn close_standard_streams() {
    for number in 0..3 {
        drop(crate::sys::take_descriptor(number));
    }
}
