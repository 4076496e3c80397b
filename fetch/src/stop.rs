//! Giving up: whoever waits for a network or a program asks from time to time whether it is still wanted.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How often is asked.
const INTERVAL: Duration = Duration::from_millis(50);

/// Tells whether to give up. Cloning is cheap.
#[derive(Clone)]
pub struct Stop(Arc<dyn Fn() -> bool + Send + Sync>);

impl Stop {
    /// Gives up as soon as `is_stopped` says so.
    pub fn when(is_stopped: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(is_stopped))
    }

    /// Never gives up.
    pub fn never() -> Self {
        Self::when(|| false)
    }

    /// Whether to give up now.
    pub fn is_stopped(&self) -> bool {
        (self.0)()
    }

    /// Waits so long, or until it is time to give up.
    pub(crate) fn sleep(&self, duration: Duration) {
        let end = Instant::now() + duration;
        while !self.is_stopped() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            thread::sleep(left.min(INTERVAL));
        }
    }

    /// Calls `act` once, on another thread, when it is time to give up before the guard is dropped.
    pub(crate) fn watch(&self, act: impl FnOnce() + Send + 'static) -> Watch {
        let (alive, ended) = channel::<()>();
        let stop = self.clone();
        let watch = move || {
            while ended.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
                if stop.is_stopped() {
                    act();
                    return;
                }
            }
        };
        // Without a thread nobody is told; limits of time still end what hangs.
        drop(thread::Builder::new().name("fetch-watch".to_owned()).spawn(watch));
        Watch { _alive: alive }
    }
}

impl std::fmt::Debug for Stop {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_tuple("Stop").field(&self.is_stopped()).finish()
    }
}

/// Ends the watching of [`Stop::watch`] when it is dropped.
pub(crate) struct Watch {
    _alive: Sender<()>,
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[test]
    fn who_watches_is_told_once_it_is_time() {
        let thrown = Arc::new(AtomicBool::new(false));
        let stop = {
            let thrown = Arc::clone(&thrown);
            Stop::when(move || thrown.load(Ordering::SeqCst))
        };
        let (told, hears) = channel();
        let _watch = stop.watch(move || told.send(()).expect("somebody listens"));
        assert!(hears.try_recv().is_err());
        thrown.store(true, Ordering::SeqCst);
        hears.recv().unwrap();
        stop.sleep(Duration::from_secs(1000));
    }
}
