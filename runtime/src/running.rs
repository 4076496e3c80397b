//! A container that runs, and how it ended.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::cgroup::Group;
use crate::control::{Control, Report, Stub};
use crate::emulate::Supervisor;
use crate::{Error, Warning, stubs, sys};

/// A container that runs. When it is dropped before it has ended, everything in it is killed.
#[derive(Debug)]
pub struct Running {
    /// Its first process.
    pub(crate) pid: Pid,
    process: Arc<OwnedFd>,
    pub(crate) control: Control,
    streams: [Option<File>; 3],
    pub(crate) terminal: Option<Arc<OwnedFd>>,
    pub(crate) notes: Notes,
    pub(crate) group: Option<Group>,
    pub(crate) supervisor: Option<Supervisor>,
    pub(crate) root_upper: Option<PathBuf>,
    pub(crate) root_work: Option<PathBuf>,
    ended: bool,
}

/// What the first process told us on the way.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    pub(crate) stubs: Vec<Stub>,
    pub(crate) warnings: Vec<Warning>,
}

impl Running {
    pub(crate) fn new(pid: Pid, process: Arc<OwnedFd>, control: Control, streams: [Option<File>; 3]) -> Self {
        Self {
            pid,
            process,
            control,
            streams,
            terminal: None,
            notes: Notes::default(),
            group: None,
            supervisor: None,
            root_upper: None,
            root_work: None,
            ended: false,
        }
    }

    /// Our end of the pipe to its standard input.
    pub fn take_stdin(&mut self) -> Option<File> {
        self.streams[0].take()
    }

    /// Our end of the pipe from its standard output.
    pub fn take_stdout(&mut self) -> Option<File> {
        self.streams[1].take()
    }

    /// Our end of the pipe from its standard error.
    pub fn take_stderr(&mut self) -> Option<File> {
        self.streams[2].take()
    }

    /// Our end of its terminal, for reading and writing. Reading fails with `EIO` when it has ended.
    pub fn take_terminal(&mut self) -> Option<File> {
        let terminal = self.terminal.as_ref()?;
        terminal.try_clone().ok().map(File::from)
    }

    /// What kills it, from any thread.
    #[must_use]
    pub fn killer(&self) -> Killer {
        Killer(Arc::clone(&self.process))
    }

    /// What sends it signals and tells it the size of its terminal, from any thread.
    #[must_use]
    pub fn remote(&self) -> Remote {
        Remote { process: Arc::clone(&self.process), terminal: self.terminal.clone() }
    }

    /// Waits until it has ended and everything in it is gone.
    ///
    /// # Errors
    /// [`Error::System`] when the end cannot be learnt.
    pub fn wait(mut self) -> Result<Exited, Error> {
        let mut told = None;
        loop {
            match self.control.receive::<Report>() {
                Ok(Some((Report::Exited(status), _))) => told = Some(status),
                Ok(Some((Report::Warning(warning), _))) => self.notes.warnings.push(warning),
                Ok(Some(_)) => {}
                Ok(None) | Err(_) => break,
            }
        }
        let ended = self.reap()?;
        self.sweep();
        Ok(Exited {
            status: told.unwrap_or(ended),
            out_of_memory: self.group.as_ref().is_some_and(Group::ran_out_of_memory),
            owners: self.supervisor.take().map(Supervisor::finish).unwrap_or_default(),
            warnings: std::mem::take(&mut self.notes.warnings),
        })
    }

    fn reap(&mut self) -> Result<Status, Error> {
        loop {
            match waitid(WaitId::PidFd(self.process.as_fd()), WaitIdOptions::EXITED) {
                Ok(Some(status)) => {
                    self.ended = true;
                    let code = status.exit_status().map(Status::Code);
                    let signal = status.terminating_signal().map(Status::Signal);
                    return Ok(code.or(signal).unwrap_or(Status::Code(125)));
                }
                Ok(None) | Err(Errno::INTR) => {}
                Err(errno) => return Err(Error::system("wait for the container", errno)),
            }
        }
    }

    /// Takes away what was made in the upper directory only to mount on it.
    pub(crate) fn sweep(&mut self) {
        if let Some(upper) = &self.root_upper {
            stubs::sweep(upper, &std::mem::take(&mut self.notes.stubs));
        }
        if let Some(work) = &self.root_work {
            stubs::clear_mark(work);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.killer().kill();
            let _ = self.reap();
            self.sweep();
        }
    }
}

/// Sends signals to a container and tells it the size of its terminal; can be cloned and sent to any thread.
#[derive(Clone, Debug)]
pub struct Remote {
    process: Arc<OwnedFd>,
    terminal: Option<Arc<OwnedFd>>,
}

impl Remote {
    /// Sends a signal to the container's process, which may have ended already.
    ///
    /// # Errors
    /// [`Error::System`] when there is no such signal.
    pub fn signal(&self, signal: i32) -> Result<(), Error> {
        match sys::process::kill_by_handle(&self.process, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => Err(Error::system("signal the container", errno)),
        }
    }

    /// Tells it the size of the terminal it runs in; nothing happens without one.
    ///
    /// # Errors
    /// [`Error::System`] when the kernel does not take the size.
    pub fn resize(&self, rows: u16, columns: u16) -> Result<(), Error> {
        let Some(terminal) = &self.terminal else { return Ok(()) };
        let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(terminal, size).map_err(|errno| Error::system("resize the terminal", errno))
    }
}

/// Kills everything in a container; can be cloned and sent to any thread.
#[derive(Clone, Debug)]
pub struct Killer(Arc<OwnedFd>);

impl Killer {
    /// Kills everything in the container. It may have ended already.
    pub fn kill(&self) {
        // Process 1 takes all others with it. After its end the handle stands for nobody else.
        let _ = sys::process::kill_by_handle(&self.0, libc::SIGKILL);
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
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
