//! The terminal of whoever called us, and moving bytes between it and the one of a container.
//!
//! While a container has the terminal, every key is the container's: ours is raw, so that `^C` is a byte and not a
//! signal to us. [`RawMode`] gives back what was before, whatever happens in between.

use std::io::Write;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, isatty, tcgetattr, tcgetwinsize, tcsetattr};

use crate::Error;

/// Rows and columns of a terminal; `None` when it is none.
pub fn size(terminal: impl AsFd) -> Option<(u16, u16)> {
    let size = tcgetwinsize(terminal).ok()?;
    Some((size.ws_row, size.ws_col))
}

/// A terminal that is raw until this is dropped.
#[derive(Debug)]
pub struct RawMode {
    terminal: OwnedFd,
    before: Termios,
}

impl RawMode {
    /// Makes the terminal raw; `None` when it is none.
    ///
    /// # Errors
    /// [`Error::System`] when the kernel does not let us.
    pub fn enter(terminal: impl AsFd) -> Result<Option<Self>, Error> {
        let failed = |errno: Errno| Error::system("change the terminal", errno);
        if !isatty(&terminal) {
            return Ok(None);
        }
        let terminal = rustix::io::fcntl_dupfd_cloexec(terminal, 3).map_err(failed)?;
        let before = tcgetattr(&terminal).map_err(failed)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(&terminal, OptionalActions::Now, &raw).map_err(failed)?;
        Ok(Some(Self { terminal, before }))
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        let _ = tcsetattr(&self.terminal, OptionalActions::Now, &self.before);
    }
}

/// Moves what is typed on `input` to the container's `terminal`, and what that shows to `output`, until the container
/// has closed it. The end of `input` only ends the first half.
///
/// # Errors
/// [`Error::System`] when `output` cannot be written to.
pub fn relay(
    terminal: impl AsFd,
    input: Option<BorrowedFd<'_>>,
    output: &mut dyn Write,
) -> Result<(), Error> {
    let mut input = input;
    let mut bytes = [0; 16 << 10];
    loop {
        let mut waited = vec![PollFd::new(&terminal, PollFlags::IN)];
        if let Some(input) = &input {
            waited.push(PollFd::new(input, PollFlags::IN));
        }
        match poll(&mut waited, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(Error::system("wait for the terminal", errno)),
        }
        let shown = !waited[0].revents().is_empty();
        let typed = waited.get(1).is_some_and(|waited| !waited.revents().is_empty());
        if shown {
            match rustix::io::read(&terminal, &mut bytes) {
                // The other side is closed: that is how a terminal ends.
                Ok(0) | Err(Errno::IO) => return Ok(()),
                Ok(length) => output
                    .write_all(&bytes[..length])
                    .and_then(|()| output.flush())
                    .map_err(|error| Error::system("write what the container shows", error))?,
                Err(Errno::INTR | Errno::AGAIN) => {}
                Err(errno) => return Err(Error::system("read what the container shows", errno)),
            }
        }
        if typed && let Some(from) = &input {
            match rustix::io::read(from, &mut bytes) {
                Ok(0) | Err(Errno::IO) => input = None,
                Ok(length) => write_all(&terminal, &bytes[..length]),
                Err(_) => {}
            }
        }
    }
}

/// A container that is gone takes no more; its end is noticed on the other half.
fn write_all(terminal: impl AsFd, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        match rustix::io::write(&terminal, bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::pty::{OpenptFlags, grantpt, ioctl_tiocgptpeer, openpt, unlockpt};
    use rustix::termios::LocalModes;

    fn pair() -> (OwnedFd, OwnedFd) {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let theirs =
            ioctl_tiocgptpeer(&ours, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        (ours, theirs)
    }

    #[test]
    fn a_terminal_is_raw_only_as_long_as_it_is_wanted() {
        let (_ours, theirs) = pair();
        let echoes = || tcgetattr(&theirs).unwrap().local_modes.contains(LocalModes::ECHO);
        assert!(echoes());
        let raw = RawMode::enter(&theirs).unwrap().unwrap();
        assert!(!echoes());
        drop(raw);
        assert!(echoes());
        assert!(RawMode::enter(std::fs::File::open("/dev/null").unwrap()).unwrap().is_none());
    }

    #[test]
    fn bytes_go_both_ways_until_the_container_has_closed_its_end() {
        let (ours, theirs) = pair();
        let mut raw = tcgetattr(&theirs).unwrap();
        raw.make_raw();
        tcsetattr(&theirs, OptionalActions::Now, &raw).unwrap();
        let (typed, keyboard) = rustix::pipe::pipe().unwrap();
        rustix::io::write(&keyboard, b"hello").unwrap();
        drop(keyboard);
        let container = std::thread::spawn(move || {
            let mut heard = [0; 5];
            let mut filled = 0;
            while filled < heard.len() {
                filled += rustix::io::read(&theirs, &mut heard[filled..]).unwrap();
            }
            rustix::io::write(&theirs, b"heard ").unwrap();
            rustix::io::write(&theirs, &heard).unwrap();
        });
        let mut output = Vec::new();
        relay(&ours, Some(typed.as_fd()), &mut output).unwrap();
        container.join().unwrap();
        assert_eq!(output, b"heard hello");
    }
}
