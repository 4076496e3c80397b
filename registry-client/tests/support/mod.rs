//! What the tests of the client share: a sink in memory, short limits, and a place to run.

#![allow(clippy::unwrap_used, unreachable_pub, dead_code, reason = "shared by tests that each use a part")]

use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tug_registry_client::{BlobSink, Client, Event, Limits, Observer, Options, Repository};

/// A blob in memory.
pub struct Memory(Mutex<Pieces>);

struct Pieces {
    bytes: Vec<u8>,
    has: Vec<bool>,
    restarts: usize,
}

impl Memory {
    pub fn new(size: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Pieces { bytes: vec![0; size], has: vec![false; size], restarts: 0 })))
    }

    /// One of which a part is there.
    pub fn with(bytes: &[u8], there: Range<usize>) -> Arc<Self> {
        let memory = Self::new(bytes.len());
        memory.write_at(there.start as u64, &bytes[there]).unwrap();
        memory
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }
}

impl BlobSink for Memory {
    fn size(&self) -> u64 {
        self.0.lock().unwrap().bytes.len() as u64
    }

    fn missing(&self) -> Vec<Range<u64>> {
        let pieces = self.0.lock().unwrap();
        let mut missing: Vec<Range<u64>> = Vec::new();
        for at in (0..pieces.has.len()).filter(|&at| !pieces.has[at]) {
            match missing.last_mut() {
                Some(last) if last.end == at as u64 => last.end += 1,
                _ => missing.push(at as u64..at as u64 + 1),
            }
        }
        missing
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut pieces = self.0.lock().unwrap();
        let range = offset as usize..offset as usize + bytes.len();
        pieces.bytes[range.clone()].copy_from_slice(bytes);
        pieces.has[range].fill(true);
        Ok(())
    }

    fn restart(&self) -> io::Result<()> {
        let mut pieces = self.0.lock().unwrap();
        pieces.has.fill(false);
        pieces.restarts += 1;
        Ok(())
    }
}

/// Everything that was told.
#[derive(Default)]
pub struct Heard(Mutex<Vec<Event>>);

impl Heard {
    pub fn all(&self) -> Vec<Event> {
        self.0.lock().unwrap().clone()
    }
}

impl Observer for Heard {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

/// Limits that no test has to wait for.
pub fn limits() -> Limits {
    Limits {
        pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(20),
        attempts: 4,
        ..Limits::default()
    }
}

/// A client with these limits, and what it tells.
pub fn client(limits: Limits) -> (Client, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let options = Options { limits, observer: heard.clone(), ..Options::default() };
    (Client::new(options), heard)
}

/// A repository on a server of the test.
pub fn repository(address: &str, name: &str) -> Repository {
    Repository { registry: address.to_owned(), name: name.to_owned() }
}

/// Runs what waits.
pub fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(work)
}
