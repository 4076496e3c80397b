//! What came and what was answered, kept for the test to look at.

use std::collections::HashSet;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use super::wire::Request;

/// How long a test may wait for something that must happen.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longer bodies of requests are counted, not kept.
pub(super) const KEPT_BODY: usize = 1024 * 1024;

/// A request and what became of it.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// Which connection it came over, counted from 0.
    pub connection: usize,
    /// Its head.
    pub request: Request,
    /// How many bytes of its body came so far.
    pub received: u64,
    /// Its body, as far as it came, unless it is long.
    pub body: Vec<u8>,
    /// The status of the answer, once there is one.
    pub status: Option<u16>,
    /// How many bytes of the answer's body went out so far.
    pub sent: u64,
}

impl Exchange {
    /// Whether it has this method and its path and query contain `part`.
    pub fn is(&self, method: &str, part: &str) -> bool {
        (method == "*" || self.request.method == method) && self.request.target.contains(part)
    }

    /// `GET /v2/ 200`.
    pub fn line(&self) -> String {
        let status = self.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        format!("{} {} {status}", self.request.method, self.request.target)
    }
}

/// All exchanges of a peer, and how many were under way at once.
#[derive(Debug, Default)]
pub(super) struct Log {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    exchanges: Vec<Exchange>,
    connections: Count,
    requests: Count,
    under_way: HashSet<usize>,
    made: usize,
    is_released: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Count {
    now: usize,
    most: usize,
}

impl Count {
    fn add(&mut self) {
        self.now += 1;
        self.most = self.most.max(self.now);
    }
}

impl Log {
    pub(super) fn connected(&self) -> usize {
        let mut state = self.lock();
        state.connections.add();
        state.made += 1;
        state.made - 1
    }

    pub(super) fn disconnected(&self) {
        self.lock().connections.now -= 1;
        self.changed.notify_all();
    }

    pub(super) fn begin(&self, connection: usize, request: &Request) -> usize {
        let mut state = self.lock();
        state.requests.add();
        state.exchanges.push(Exchange { connection, request: request.clone(), ..Exchange::default() });
        self.changed.notify_all();
        let number = state.exchanges.len() - 1;
        state.under_way.insert(number);
        number
    }

    /// A request is no longer under way.
    pub(super) fn end(&self, number: usize) {
        let mut state = self.lock();
        if state.under_way.remove(&number) {
            state.requests.now -= 1;
        }
    }

    pub(super) fn change(&self, number: usize, change: impl FnOnce(&mut Exchange)) {
        change(&mut self.lock().exchanges[number]);
        self.changed.notify_all();
    }

    pub(super) fn exchanges(&self) -> Vec<Exchange> {
        self.lock().exchanges.clone()
    }

    /// The most connections, and the most requests, that there were at once.
    pub(super) fn most(&self) -> (usize, usize) {
        let state = self.lock();
        (state.connections.most, state.requests.most)
    }

    pub(super) fn open_connections(&self) -> usize {
        self.lock().connections.now
    }

    pub(super) fn release(&self) {
        self.lock().is_released = true;
        self.changed.notify_all();
    }

    pub(super) fn wait_for_release(&self) {
        let state = self.lock();
        let waited = self.changed.wait_timeout_while(state, PATIENCE, |state| !state.is_released);
        drop(waited.expect("nobody panics while holding it"));
    }

    /// Waits until the exchanges are as `holds` wants them. Panics when that takes too long.
    pub(super) fn wait_until(&self, what: &str, holds: impl Fn(&[Exchange]) -> bool) {
        let (mut state, end) = (self.lock(), Instant::now() + PATIENCE);
        while !holds(&state.exchanges) {
            let left = end.saturating_duration_since(Instant::now());
            let lines = || state.exchanges.iter().map(Exchange::line).collect::<Vec<_>>().join("\n");
            assert!(!left.is_zero(), "waited in vain until {what}; there was:\n{}", lines());
            state = self.changed.wait_timeout(state, left).expect("nobody panics while holding it").0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
