//! A few bytes of a blob, for somebody who needs no more of it.

use std::io;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use tug_oci::Descriptor;

use super::part::Part;
use super::{BlobSink, Source};
use crate::client::{Client, Place};
use crate::error::{Error, Kind};
use crate::hosts::Operation;
use crate::repository::Repository;

impl Client {
    /// Some bytes of a blob, at most a few megabytes. They are not checked: the digest is that of the whole. `None` when the
    /// server knows no ranges; nothing else of the blob is read then.
    ///
    /// Cuts, stalls and failures that may pass are waited out as by [`Client::download`].
    ///
    /// Errors: [`Kind::NotFound`]; [`Kind::Digest`] when the server has a file of another size.
    pub async fn blob_range(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        range: Range<u64>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let mut sources = self.sources(repository, Operation::PullByDigest)?;
        loop {
            let place = sources.next().await?;
            match self.range_at(&place, blob, range.clone()).await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => sources.failed(&place, error)?,
            }
        }
    }

    async fn range_at(
        &self,
        place: &Place,
        blob: &Descriptor,
        range: Range<u64>,
    ) -> Result<Option<Vec<u8>>, Error> {
        let url = place.url(&format!("blobs/{}", blob.digest));
        let source = Source { client: self, place, url, size: blob.size };
        let memory = Memory { range: range.clone(), bytes: Mutex::default() };
        let mut part = Part::new(&source, range.clone());
        let arrival = part.open().await?;
        if arrival.is_whole && range != (0..blob.size) {
            return Ok(None);
        }
        match part.finish(arrival, &memory).await {
            Ok(()) => Ok(Some(memory.bytes.into_inner().unwrap_or_else(PoisonError::into_inner))),
            // It knew ranges, and now it sends all of it.
            Err(error) if error.kind() == Kind::File => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The bytes of a range, as they come.
struct Memory {
    range: Range<u64>,
    bytes: Mutex<Vec<u8>>,
}

impl BlobSink for Memory {
    fn size(&self) -> u64 {
        self.range.end - self.range.start
    }

    fn missing(&self) -> Vec<Range<u64>> {
        vec![self.range.clone()]
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut all = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        let is_next = offset == self.range.start + all.len() as u64;
        if !is_next || offset + bytes.len() as u64 > self.range.end {
            return Err(io::ErrorKind::InvalidData.into());
        }
        all.extend_from_slice(bytes);
        Ok(())
    }

    fn restart(&self) -> io::Result<()> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        Ok(())
    }
}
