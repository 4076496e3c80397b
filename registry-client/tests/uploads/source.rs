//! Blobs to upload.

use std::io::{self, Read};
use std::sync::{Arc, Condvar, Mutex};

use tug_oci::Digest;
use tug_registry_client::BlobSource;

/// Bytes that are all there, or come when a test lets them.
#[derive(Clone)]
pub(crate) struct Source(Arc<Inner>);

struct Inner {
    bytes: Vec<u8>,
    there: Mutex<usize>,
    changed: Condvar,
    /// Reading fails here.
    fails_at: Option<usize>,
    digest: Digest,
}

impl Source {
    pub(crate) fn new(bytes: &[u8]) -> Arc<Self> {
        Self::made(bytes, bytes.len(), None, Digest::of(bytes))
    }

    /// One that is still growing, and knows nothing of itself until it is complete.
    pub(crate) fn growing(bytes: &[u8], there: usize) -> Arc<Self> {
        Self::made(bytes, there, None, Digest::of(bytes))
    }

    /// One that cannot be read beyond some place.
    pub(crate) fn failing(bytes: &[u8], at: usize) -> Arc<Self> {
        Self::made(bytes, bytes.len(), Some(at), Digest::of(bytes))
    }

    /// One that is not what it says.
    pub(crate) fn lying(bytes: &[u8], digest: Digest) -> Arc<Self> {
        Self::made(bytes, bytes.len(), None, digest)
    }

    fn made(bytes: &[u8], there: usize, fails_at: Option<usize>, digest: Digest) -> Arc<Self> {
        let (bytes, there, changed) = (bytes.to_vec(), Mutex::new(there), Condvar::new());
        Arc::new(Self(Arc::new(Inner { bytes, there, changed, fails_at, digest })))
    }

    /// Lets it grow to the end.
    pub(crate) fn complete(&self) {
        *self.0.there.lock().unwrap() = self.0.bytes.len();
        self.0.changed.notify_all();
    }

    fn is_complete(&self) -> bool {
        *self.0.there.lock().unwrap() == self.0.bytes.len()
    }
}

impl BlobSource for Source {
    fn digest(&self) -> Option<Digest> {
        self.is_complete().then(|| self.0.digest.clone())
    }

    fn size(&self) -> Option<u64> {
        self.is_complete().then_some(self.0.bytes.len() as u64)
    }

    fn reader(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Reader { source: self.clone(), place: offset as usize }))
    }
}

struct Reader {
    source: Source,
    place: usize,
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let inner = &self.source.0;
        let mut there = inner.there.lock().unwrap();
        while *there <= self.place && *there < inner.bytes.len() {
            there = inner.changed.wait(there).unwrap();
        }
        if inner.fails_at.is_some_and(|at| self.place >= at) {
            return Err(io::Error::other("the disk is gone"));
        }
        let end = (*there).min(inner.fails_at.unwrap_or(usize::MAX));
        let ready = inner.bytes.get(self.place..end).unwrap_or_default();
        let count = ready.len().min(buffer.len());
        buffer[..count].copy_from_slice(&ready[..count]);
        self.place += count;
        Ok(count)
    }
}
