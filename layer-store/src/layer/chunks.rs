//! Passes the bytes of a layer from the thread that reads them to the threads that write them.
//!
//! One thread reads files and hashes each; one hashes and writes the tar; one makes the tree, when there is to be one.
//! What they share are chunks of the tar: headers and content as they stand in it. A chunk is filled once, then only
//! read, and its memory is used again, so that a layer of any size needs a few of them. A layer that fits into
//! one chunk needs no threads, and starts none.

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::LayerError;
use crate::error::Result;

/// How much of a tar is passed at once.
pub(crate) const CHUNK: usize = 256 * 1024;
/// How many chunks may wait for a thread.
pub(crate) const WAITING: usize = 8;

/// A chunk that is being filled. Its memory is zeroed once and used again and again.
pub(crate) struct Filling {
    bytes: Vec<u8>,
    filled: usize,
    pool: Arc<Pool>,
}

/// A filled chunk, which several threads read. Its memory goes back to where it came from.
pub(crate) struct Chunk(Filling);

/// Memory for chunks that is not in use.
#[derive(Default)]
pub(crate) struct Pool {
    unused: Mutex<Vec<Vec<u8>>>,
}

impl Filling {
    pub(crate) fn new(pool: &Arc<Pool>) -> Self {
        let unused = pool.unused.lock().ok().and_then(|mut unused| unused.pop());
        Self { bytes: unused.unwrap_or_else(|| vec![0; CHUNK]), filled: 0, pool: Arc::clone(pool) }
    }

    /// How many bytes are in it.
    pub(crate) fn len(&self) -> usize {
        self.filled
    }

    pub(crate) fn is_full(&self) -> bool {
        self.filled >= CHUNK
    }

    /// Reads up to `count` bytes into it, but not beyond its end: fewer only where `source` ends.
    /// Returns what was read.
    pub(crate) fn fill_from(&mut self, source: &mut dyn Read, count: u64) -> io::Result<&[u8]> {
        let start = self.filled;
        let room = CHUNK.saturating_sub(start);
        let end = start + usize::try_from(count).map_or(room, |count| count.min(room));
        while self.filled < end {
            match source.read(&mut self.bytes[self.filled..end]) {
                Ok(0) => break,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(&self.bytes[start..self.filled])
    }

    pub(crate) fn seal(self) -> Arc<Chunk> {
        Arc::new(Chunk(self))
    }
}

/// Takes everything, beyond the usual length if need be.
impl Write for Filling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let end = self.filled + bytes.len();
        if end > self.bytes.len() {
            self.bytes.resize(end, 0);
        }
        self.bytes[self.filled..end].copy_from_slice(bytes);
        self.filled = end;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Chunk {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0.bytes[..self.0.filled]
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        if let Ok(mut unused) = self.pool.unused.lock()
            && unused.len() < 2 * WAITING
            && bytes.len() <= 2 * CHUNK
        {
            unused.push(bytes);
        }
    }
}

/// Work on one piece after the other, with a result at the end.
pub(crate) trait Worker: Send + 'static {
    type Piece: Send + 'static;
    type Outcome: Send + 'static;

    fn work(&mut self, piece: Self::Piece) -> Result<()>;
    fn finish(self) -> Result<Self::Outcome>;
}

/// A worker that gets a thread of its own when there is enough to do.
pub(crate) struct Hand<W: Worker>(Place<W>);

enum Place<W: Worker> {
    /// It works in the thread of the caller.
    Here(W),
    /// It works in its own.
    There { pieces: SyncSender<W::Piece>, thread: JoinHandle<Result<W::Outcome>> },
    /// It has ended, and what happened was told.
    Nowhere,
}

impl<W: Worker> Hand<W> {
    pub(crate) fn new(worker: W) -> Self {
        Self(Place::Here(worker))
    }

    /// Gives it a thread, if it has none.
    pub(crate) fn detach(&mut self, name: &str) {
        let worker = match std::mem::replace(&mut self.0, Place::Nowhere) {
            Place::Here(worker) => worker,
            other => {
                self.0 = other;
                return;
            }
        };
        let (pieces, received) = sync_channel(WAITING);
        let (give, taken) = sync_channel(1);
        let builder = std::thread::Builder::new().name(name.to_owned());
        self.0 = match builder.spawn(move || run(&taken, &received)) {
            Ok(thread) => {
                let _ = give.send(worker);
                Place::There { pieces, thread }
            }
            // No thread to be had: then it is done here.
            Err(_) => Place::Here(worker),
        };
    }

    /// Lets it work on a piece. An error may be about an earlier one.
    pub(crate) fn give(&mut self, piece: W::Piece) -> Result<()> {
        match &mut self.0 {
            Place::Here(worker) => worker.work(piece),
            Place::There { pieces, .. } => match pieces.send(piece) {
                Ok(()) => Ok(()),
                Err(_) => self.end().map(drop),
            },
            Place::Nowhere => Err(LayerError::GivenUp.into()),
        }
    }

    /// Waits for all of its work.
    pub(crate) fn finish(mut self) -> Result<W::Outcome> {
        self.end()
    }

    fn end(&mut self) -> Result<W::Outcome> {
        match std::mem::replace(&mut self.0, Place::Nowhere) {
            Place::There { pieces, thread } => {
                drop(pieces);
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
            Place::Here(worker) => worker.finish(),
            Place::Nowhere => Err(LayerError::GivenUp.into()),
        }
    }
}

/// What is given up stops before its folder goes to the trash.
impl<W: Worker> Drop for Hand<W> {
    fn drop(&mut self) {
        if let Place::There { pieces, thread } = std::mem::replace(&mut self.0, Place::Nowhere) {
            drop(pieces);
            let _ = thread.join();
        }
    }
}

fn run<W: Worker>(taken: &Receiver<W>, received: &Receiver<W::Piece>) -> Result<W::Outcome> {
    let mut worker = taken.recv().expect("the worker is given right after the thread has started");
    for piece in received {
        worker.work(piece)?;
    }
    worker.finish()
}
