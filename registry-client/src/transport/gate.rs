//! What all requests to one host share: pauses that the host has asked for, and connections that move blobs.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// One host.
#[derive(Debug)]
pub(crate) struct Gate {
    closed_until: Mutex<Option<Instant>>,
    /// Troubles that were told, and until when they are no news.
    told: Mutex<HashMap<String, Instant>>,
    downloads: Arc<Semaphore>,
    uploads: Arc<Semaphore>,
}

/// Which way a blob goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    /// To us.
    Down,
    /// To the registry.
    Up,
}

impl Gate {
    pub(crate) fn new(connections: usize) -> Self {
        let slots = || Arc::new(Semaphore::new(connections.max(1)));
        Self { closed_until: Mutex::new(None), told: Mutex::default(), downloads: slots(), uploads: slots() }
    }

    /// Nobody asks this host anything for `wait`. True when that is news.
    pub(crate) fn close(&self, wait: Duration) -> bool {
        let now = Instant::now();
        let until = now + wait;
        let mut closed = self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
        let is_same = |earlier: Instant| earlier > now && earlier + Duration::from_millis(100) >= until;
        let is_news = !closed.is_some_and(is_same);
        if is_news {
            *closed = Some(until);
        }
        is_news
    }

    /// Whether nobody has told of this trouble in the last `pause`.
    pub(crate) fn is_news(&self, trouble: String, pause: Duration) -> bool {
        let now = Instant::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, until| *until > now);
        match told.entry(trouble) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(now + pause);
                true
            }
        }
    }

    /// Waits until the host may be asked.
    pub(crate) async fn pass(&self) {
        loop {
            let until = *self.closed_until.lock().unwrap_or_else(PoisonError::into_inner);
            match until {
                Some(until) if until > Instant::now() => tokio::time::sleep_until(until).await,
                _ => return,
            }
        }
    }

    /// A place among those that move blobs; it is free again when dropped.
    pub(crate) async fn slot(&self, direction: Direction) -> OwnedSemaphorePermit {
        let slots = match direction {
            Direction::Down => &self.downloads,
            Direction::Up => &self.uploads,
        };
        Arc::clone(slots).acquire_owned().await.expect("nobody closes the semaphore")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_closed_gate_holds_everybody_until_the_longest_pause_is_over() {
        let gate = Gate::new(2);
        gate.pass().await;
        assert!(gate.close(Duration::from_millis(300)));
        assert!(!gate.close(Duration::from_millis(200)), "a shorter pause is no news");
        assert!(gate.close(Duration::from_millis(600)));
        let start = Instant::now();
        gate.pass().await;
        assert!(start.elapsed() >= Duration::from_millis(500));
    }

    #[test]
    fn trouble_is_told_once() {
        let gate = Gate::new(1);
        let pause = Duration::from_secs(60);
        assert!(gate.is_news("a".to_owned(), pause) && gate.is_news("b".to_owned(), pause));
        assert!(!gate.is_news("a".to_owned(), pause));
        assert!(gate.is_news("c".to_owned(), Duration::ZERO) && gate.is_news("c".to_owned(), Duration::ZERO));
    }

    #[tokio::test]
    async fn both_directions_have_their_own_places() {
        let gate = Gate::new(1);
        let down = gate.slot(Direction::Down).await;
        let _up = gate.slot(Direction::Up).await;
        assert!(gate.downloads.try_acquire().is_err());
        drop(down);
        assert!(gate.downloads.try_acquire().is_ok());
    }
}
