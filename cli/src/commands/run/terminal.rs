//! Joins our terminal with the one that a container has: keys go in, text comes out, sizes follow.

use std::fs::File;
use std::io::{self, Read, Write};
use std::thread::{self, JoinHandle};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr};
use tug_runtime::Remote;

const BLOCK: usize = 16 << 10;

/// Our terminal while a container uses it: keys are passed on as they come, Ctrl-C too. Dropped, it is as before.
pub(super) struct RawTerminal(Option<Termios>);

impl RawTerminal {
    /// Lets every key through. Does nothing when standard input is no terminal.
    pub(super) fn enter() -> Self {
        let stdin = io::stdin();
        let Ok(before) = tcgetattr(&stdin) else { return Self(None) };
        let mut raw = before.clone();
        raw.make_raw();
        match tcsetattr(&stdin, OptionalActions::Now, &raw) {
            Ok(()) => Self(Some(before)),
            Err(_) => Self(None),
        }
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(io::stdin(), OptionalActions::Drain, before);
        }
    }
}

/// Copies what the container writes to standard output until nothing more comes.
pub(super) fn show(mut terminal: File) -> JoinHandle<()> {
    thread::spawn(move || {
        let mut block = [0; BLOCK];
        let mut stdout = io::stdout().lock();
        // Reading fails when the last process of the container has closed its end.
        while let Ok(count @ 1..) = terminal.read(&mut block) {
            if stdout.write_all(&block[..count]).and_then(|()| stdout.flush()).is_err() {
                break;
            }
        }
    })
}

/// Copies what is typed to the container, for as long as this process lives.
pub(super) fn type_into(mut terminal: File) {
    thread::spawn(move || {
        let mut block = [0; BLOCK];
        let mut stdin = io::stdin().lock();
        while let Ok(count @ 1..) = stdin.read(&mut block) {
            if terminal.write_all(&block[..count]).is_err() {
                break;
            }
        }
    });
}

/// Gives the container's terminal the size of ours.
pub(super) fn fit(remote: &Remote) {
    let size = tcgetwinsize(io::stdout()).or_else(|_| tcgetwinsize(io::stdin()));
    if let Ok(size) = size {
        let _ = remote.resize(size.ws_row, size.ws_col);
    }
}
