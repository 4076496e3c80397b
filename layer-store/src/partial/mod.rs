//! Partial blobs: downloads that a later process goes on with.
//!
//! | file in `ingest/`                      | what it holds                                                        |
//! | -------------------------------------- | -------------------------------------------------------------------- |
//! | `partial-<algorithm>-<hex>`            | the bytes, each at its place; locked while somebody downloads        |
//! | `partial-<algorithm>-<hex>.ranges`     | which of them are there: see [`ranges`]                              |
//!
//! The name is that of the blob, so another process finds what a killed one has left. Of two that want the same blob, one
//! has the lock and downloads; the other waits, and then finds the blob. Nothing here is believed: what is whole becomes a
//! blob only when its digest agrees. After a power failure the ranges may claim what the disk never got; the digest tells.
//!
//! A [`PartialReader`] follows behind the bytes that have arrived without a gap, so that a layer is hashed, decompressed
//! and unpacked in one pass while its end is still on the way.

mod ranges;
mod reader;

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use tug_oci::{Digest, Hasher};

use crate::error::{Error, Result, failed};
use crate::lock::{still_named, try_flock};
use crate::store::Store;
use ranges::Ranges;
pub use reader::PartialReader;

pub(crate) const PREFIX: &str = "partial-";
pub(crate) const RANGES: &str = ".ranges";
/// So long an unfinished download is kept for whoever goes on with it.
pub(crate) const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How often somebody who waits for another process looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What there is of a blob that somebody wants to download.
#[derive(Debug)]
pub enum Claim {
    /// All of it: it is in the store.
    Present,
    /// Somebody else downloads it now.
    Busy,
    /// It is ours to download.
    Ours(Partial),
}

/// A blob that is being downloaded: a file that is filled in any order, by several threads.
///
/// What was written stays for a later process when this is dropped, unless it was finished or abandoned.
#[derive(Debug)]
pub struct Partial {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    store: Store,
    digest: Digest,
    size: u64,
    path: PathBuf,
    file: File,
    ranges_path: PathBuf,
    ranges_file: File,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    ranges: Ranges,
    /// Counts how often it was begun anew.
    round: u64,
    /// The digest of all bytes, once somebody has read them all.
    found: Option<Digest>,
    end: Option<End>,
}

#[derive(Clone, Debug)]
enum End {
    Failed(String),
    Finished,
}

impl Store {
    /// Takes up the download of a blob of `size` bytes, where the last one who tried has left it, unless somebody else is
    /// at it.
    pub fn try_partial(&self, digest: &Digest, size: u64) -> Result<Claim> {
        let name = format!("{PREFIX}{}-{}", digest.algorithm().name(), digest.hex());
        let path = self.path("ingest").join(&name);
        loop {
            if self.blob_size(digest)? == Some(size) {
                return Ok(Claim::Present);
            }
            let file = open(&path)?;
            if !try_flock(&file, &path)? {
                return Ok(Claim::Busy);
            }
            if !still_named(&file, &path) {
                continue;
            }
            if self.blob_size(digest)? == Some(size) {
                remove(&path)?;
                return Ok(Claim::Present);
            }
            let ranges_path = self.path("ingest").join(name + RANGES);
            let ranges_file = open(&ranges_path)?;
            let unreadable = failed("read", &ranges_path);
            let length = file.metadata().map_err(failed("look at", &path))?.len();
            let mut ranges = Ranges::read(&ranges_file, size, length).map_err(unreadable)?;
            if ranges.total() == 0 {
                ranges = Ranges::begin(&ranges_file, size).map_err(failed("write", &ranges_path))?;
                file.set_len(0).map_err(failed("write", &path))?;
            }
            let state = State { ranges, round: 0, found: None, end: None };
            return Ok(Claim::Ours(Partial {
                shared: Arc::new(Shared {
                    store: self.clone(),
                    digest: digest.clone(),
                    size,
                    path,
                    file,
                    ranges_path,
                    ranges_file,
                    state: Mutex::new(state),
                    changed: Condvar::new(),
                }),
            }));
        }
    }

    /// Removes what there is of an unfinished download. `false`, and nothing is removed, while somebody is at it.
    pub(crate) fn remove_partial(&self, digest: &Digest) -> Result<bool> {
        let name = format!("{PREFIX}{}-{}", digest.algorithm().name(), digest.hex());
        let path = self.path("ingest").join(&name);
        let Some(file) = crate::file::open(&path)? else { return Ok(true) };
        if !try_flock(&file, &path)? {
            return Ok(false);
        }
        self.trash().bury(&path)?;
        self.trash().bury(&self.path("ingest").join(name + RANGES))?;
        Ok(true)
    }

    /// Like [`Store::try_partial`], but waits while somebody else is at it. `None` when the blob is there.
    pub fn partial(&self, digest: &Digest, size: u64) -> Result<Option<Partial>> {
        loop {
            match self.try_partial(digest, size)? {
                Claim::Present => return Ok(None),
                Claim::Ours(partial) => return Ok(Some(partial)),
                Claim::Busy => {
                    self.go_on()?;
                    std::thread::sleep(LOOK_AGAIN);
                }
            }
        }
    }
}

impl Store {
    /// Waits for the bytes of a blob that is being downloaded, and puts it into the store. It is left as it is when it turns
    /// out to be another one.
    pub fn keep_partial(&self, partial: &Partial) -> Result<()> {
        let arrived = partial.reader().read_to_the_end();
        self.go_on()?;
        arrived.map_err(|source| Error::Stream { action: "read the blob", source })?;
        partial.finish()
    }
}

impl Partial {
    /// The blob that it becomes.
    pub fn digest(&self) -> &Digest {
        &self.shared.digest
    }

    /// How many bytes it has when it is whole.
    pub fn size(&self) -> u64 {
        self.shared.size
    }

    /// The ranges that are still to come, in order.
    pub fn missing(&self) -> Vec<Range<u64>> {
        self.shared.state().ranges.missing(self.shared.size)
    }

    /// How many bytes are there.
    pub fn present(&self) -> u64 {
        self.shared.state().ranges.total()
    }

    /// Puts bytes at their place. An error leaves what was there before.
    pub fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let shared = &*self.shared;
        let end = offset.checked_add(bytes.len() as u64).filter(|end| *end <= shared.size);
        let Some(end) = end else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "more bytes than were announced"));
        };
        let round = shared.state().round;
        shared.file.write_all_at(bytes, offset)?;
        let mut state = shared.state();
        if state.round != round {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the download was begun anew"));
        }
        state.ranges.note(&shared.ranges_file, offset..end)?;
        drop(state);
        shared.changed.notify_all();
        Ok(())
    }

    /// What was written is worthless: begins anew. Readers fail.
    pub fn restart(&self) -> io::Result<()> {
        let shared = &*self.shared;
        let mut state = shared.state();
        state.ranges = Ranges::begin(&shared.ranges_file, shared.size)?;
        state.round += 1;
        (state.found, state.end) = (None, None);
        shared.file.set_len(0)?;
        drop(state);
        shared.changed.notify_all();
        Ok(())
    }

    /// How often it was begun anew. A reader that fails after this has changed failed because of it.
    pub fn round(&self) -> u64 {
        self.shared.state().round
    }

    /// Tells readers that no more bytes will come. [`Partial::resume`] takes it back.
    pub fn fail(&self, reason: &str) {
        self.shared.end(End::Failed(reason.to_owned()));
    }

    /// Another attempt begins: readers wait again.
    pub fn resume(&self) {
        self.shared.state().end = None;
    }

    /// Reads it from its beginning, waiting for bytes that have not arrived yet.
    pub fn reader(&self) -> PartialReader {
        let round = self.round();
        PartialReader::at(Arc::clone(&self.shared), round, 0)
    }

    /// Reads it from `offset` on, waiting likewise. Only what is read from the beginning is hashed.
    pub fn reader_at(&self, offset: u64) -> PartialReader {
        PartialReader::at(Arc::clone(&self.shared), self.round(), offset)
    }

    /// Whether all bytes are there, and are what was promised. Reads them, unless a reader has done so.
    pub fn verify(&self) -> Result<()> {
        let shared = &*self.shared;
        let state = shared.state();
        let (missing, found) = (state.ranges.missing(shared.size), state.found.clone());
        let actual = state.ranges.total();
        drop(state);
        if !missing.is_empty() {
            let (digest, expected) = (shared.digest.clone(), shared.size);
            return Err(Error::SizeMismatch { digest, expected, actual });
        }
        let found = match found {
            Some(found) => found,
            None => shared.hash()?,
        };
        match found == shared.digest {
            true => Ok(()),
            false => Err(Error::DigestMismatch { expected: shared.digest.clone(), actual: found }),
        }
    }

    /// Makes it a blob, if it is whole and its digest agrees, and waits until the disk has it. Otherwise nothing changes.
    pub fn finish(&self) -> Result<()> {
        let shared = &*self.shared;
        if matches!(shared.state().end, Some(End::Finished)) {
            return Ok(());
        }
        self.verify()?;
        shared.store.adopt_blob(&shared.path, &shared.digest)?;
        shared.end(End::Finished);
        remove(&shared.ranges_path)
    }

    /// Gives it up: nothing is kept for a later process.
    pub fn abandon(&self) -> Result<()> {
        self.fail("it was given up");
        remove(&self.shared.ranges_path)?;
        remove(&self.shared.path)
    }
}

/// A process that another thread starts has the file open too until it executes its program: so the lock is given back,
/// not only closed.
impl Drop for Partial {
    fn drop(&mut self) {
        if self.shared.state().end.is_none() {
            self.fail("it was given up");
        }
        let _ = flock(&self.shared.file, FlockOperation::Unlock);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, end: End) {
        self.state().end = Some(end);
        self.changed.notify_all();
    }

    fn hash(&self) -> Result<Digest> {
        let mut hasher = Hasher::new(self.digest.algorithm());
        let mut buffer = vec![0; 256 * 1024];
        let mut place = 0;
        loop {
            self.store.go_on()?;
            let count = self.file.read_at(&mut buffer, place).map_err(failed("read", &self.path))?;
            if count == 0 {
                return Ok(hasher.finish());
            }
            hasher.update(&buffer[..count]);
            place += count as u64;
        }
    }
}

fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    let opened = options.read(true).write(true).create(true).truncate(false).mode(0o644).open(path);
    opened.map_err(|error: io::Error| failed("create", path)(error))
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "ranges are meant")]
mod tests;
