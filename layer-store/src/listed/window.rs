//! Bytes of a layer that is elsewhere. Who reads one file behind the other gets more and more at a time.

use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use tug_oci::Descriptor;

use crate::store::Store;

/// What is fetched in advance once a second piece follows the first, and at most.
const FIRST: u64 = 256 * 1024;
const MOST: u64 = 4 << 20;

#[derive(Debug)]
pub(super) struct Window {
    store: Store,
    blob: Descriptor,
    fetched: Mutex<Fetched>,
}

#[derive(Debug, Default)]
struct Fetched {
    start: u64,
    bytes: Vec<u8>,
    ahead: u64,
}

impl Window {
    pub(super) fn new(store: &Store, blob: &Descriptor) -> Self {
        Self { store: store.clone(), blob: blob.clone(), fetched: Mutex::default() }
    }

    /// The bytes of a range of the layer.
    pub(super) fn read(&self, range: Range<u64>) -> io::Result<Vec<u8>> {
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        let end = fetched.start + fetched.bytes.len() as u64;
        if fetched.start > range.start || range.end > end {
            let follows = !fetched.bytes.is_empty() && (fetched.start..=end + FIRST).contains(&range.start);
            fetched.ahead = if follows { (fetched.ahead * 2).clamp(FIRST, MOST) } else { 0 };
            let until = range.end.max((range.start + fetched.ahead).min(self.blob.size));
            let bytes = self.store.range_elsewhere(&self.blob, range.start..until);
            let bytes = bytes.map_err(io::Error::other)?;
            let gone = "the registry has given parts of the layer before, and does no more";
            fetched.bytes = bytes.ok_or_else(|| io::Error::other(gone))?;
            fetched.start = range.start;
        }
        let from = (range.start - fetched.start) as usize;
        Ok(fetched.bytes[from..from + (range.end - range.start) as usize].to_vec())
    }
}
