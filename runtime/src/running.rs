//! A container that runs, and how it ended.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::{Container, Error, Runtime, Warning};

impl Container {
    /// Starts the container and returns once its command runs.
    ///
    /// # Errors
    /// [`Error::CommandNotFound`], [`Error::NotExecutable`], or whatever else kept it from running.
    pub fn start(&self, runtime: &Runtime) -> Result<Running, Error> {
        let _ = runtime;
        Err(Error::NoCommand)
    }
}

/// A container that runs. When it is dropped before it has ended, everything in it is killed.
#[derive(Debug)]
pub struct Running {
    process: Arc<OwnedFd>,
    stdin: Option<File>,
    stdout: Option<File>,
    stderr: Option<File>,
    terminal: Option<File>,
}

impl Running {
    /// Our end of the pipe to its standard input.
    pub fn take_stdin(&mut self) -> Option<File> {
        self.stdin.take()
    }

    /// Our end of the pipe from its standard output.
    pub fn take_stdout(&mut self) -> Option<File> {
        self.stdout.take()
    }

    /// Our end of the pipe from its standard error.
    pub fn take_stderr(&mut self) -> Option<File> {
        self.stderr.take()
    }

    /// Our end of its terminal, for reading and writing.
    pub fn take_terminal(&mut self) -> Option<File> {
        self.terminal.take()
    }

    /// What kills it, from any thread.
    #[must_use]
    pub fn killer(&self) -> Killer {
        Killer(Arc::clone(&self.process))
    }

    /// Sends a signal to its process.
    ///
    /// # Errors
    /// [`Error::System`] when there is no such signal. A process that has ended already is no error.
    pub fn signal(&self, signal: i32) -> Result<(), Error> {
        let _ = signal;
        Ok(())
    }

    /// Tells it the size of the terminal it runs in.
    ///
    /// # Errors
    /// [`Error::System`] when it has no terminal.
    pub fn resize(&self, rows: u16, columns: u16) -> Result<(), Error> {
        let _ = (rows, columns);
        Ok(())
    }

    /// Waits until it has ended and everything in it is gone.
    ///
    /// # Errors
    /// [`Error::System`] when the end cannot be learnt.
    pub fn wait(self) -> Result<Exited, Error> {
        Err(Error::InitDied)
    }
}

/// Kills everything in a container; can be cloned and sent to any thread.
#[derive(Clone, Debug)]
pub struct Killer(Arc<OwnedFd>);

impl Killer {
    /// Kills everything in the container. It may have ended already.
    pub fn kill(&self) {
        let _ = rustix::process::pidfd_send_signal(&self.0, rustix::process::Signal::KILL);
    }
}

/// How a container ended.
#[derive(Debug)]
pub struct Exited {
    /// How its process ended.
    pub status: Status,
    /// Whether the kernel killed something in it because its memory limit was reached.
    pub out_of_memory: bool,
    /// Owners of what cannot carry them, in [`crate::Mode::SingleId`].
    pub owners: OwnerTable,
    /// What was asked for and could not be had.
    pub warnings: Vec<Warning>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It returned this code.
    Code(i32),
    /// It was killed by this signal.
    Signal(i32),
}

impl Status {
    /// The exit code that says this to a script: the code, or 128 and the signal.
    #[must_use]
    pub fn exit_code(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

/// Owners that [`crate::Mode::SingleId`] could not write onto the files themselves: symbolic links, fifos, sockets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnerTable {
    /// One for each file.
    pub records: Vec<OwnerRecord>,
}

/// The owner of one file of the upper directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnerRecord {
    /// Its inode number.
    pub inode: u64,
    /// When it was made, in nanoseconds since 1970; 0 where the file system does not say.
    pub birth: i128,
    /// Its user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}
