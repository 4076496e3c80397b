//! Ctrl-C and its kin: the first one asks to end in good order, the second one ends at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::thread;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::error::CommandError;
use crate::exit::Exit;

/// What was received so far. Clones see the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interrupts(Arc<AtomicI32>);

impl Interrupts {
    /// Calls `cancel` on the first signal. Starts a thread.
    pub(crate) fn watch(cancel: impl Fn() + Send + 'static) -> Result<Self, CommandError> {
        Self::watch_all(cancel, None::<fn()>)
    }

    /// The same for a server: a hangup does not end it, but calls `hangup` each time.
    pub(crate) fn watch_server(
        cancel: impl Fn() + Send + 'static,
        hangup: impl Fn() + Send + 'static,
    ) -> Result<Self, CommandError> {
        Self::watch_all(cancel, Some(hangup))
    }

    fn watch_all(
        cancel: impl Fn() + Send + 'static,
        hangup: Option<impl Fn() + Send + 'static>,
    ) -> Result<Self, CommandError> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])
            .map_err(|error| CommandError::new(Exit::Host, "cannot watch for signals").because(&error))?;
        let received = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&received);
        thread::spawn(move || {
            for signal in signals.forever() {
                if let (SIGHUP, Some(hangup)) = (signal, &hangup) {
                    hangup();
                    continue;
                }
                if seen.swap(signal, Ordering::SeqCst) != 0 {
                    Exit::Signal(signal).leave();
                }
                cancel();
            }
        });
        Ok(Self(received))
    }

    /// `error`, which ends the process by the signal that led to it, if one was received.
    pub(crate) fn behind(&self, error: CommandError) -> CommandError {
        match self.signal() {
            Some(signal) => error.exiting(Exit::Signal(signal)),
            None => error,
        }
    }

    /// The signal that was received, if any.
    pub(crate) fn signal(&self) -> Option<i32> {
        match self.0.load(Ordering::SeqCst) {
            0 => None,
            signal => Some(signal),
        }
    }
}
