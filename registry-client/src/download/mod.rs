//! Large blobs: fetched in parts, over several connections, from where an earlier attempt had stopped.
//!
//! The sink says what is missing; whoever owns it checks the digest. Parts are bounded ranges on connections that are
//! kept. A server that ignores ranges sends all of it, once. Source: distribution-spec "Pulling blobs", RFC 9110
//! section 14.

mod alone;
mod part;
mod range;

use std::io;
use std::ops::Range;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use reqwest::Url;
use tug_oci::Descriptor;

use self::part::{Arrival, Part};
use crate::client::{Client, Place};
use crate::error::{Error, Kind};
use crate::event::Event;
use crate::hosts::Operation;
use crate::repository::Repository;

/// A file that is filled in any order. Its methods return soon.
pub trait BlobSink: Send + Sync {
    /// How long the file becomes.
    fn size(&self) -> u64;
    /// What is still to come, in order.
    fn missing(&self) -> Vec<Range<u64>>;
    /// Takes a piece. The same place may be written again, by another attempt.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// What was written is worthless.
    fn restart(&self) -> io::Result<()>;
}

/// What a blob is fetched from, in words of the protocol.
pub(crate) struct Source<'a> {
    client: &'a Client,
    place: &'a Place,
    url: Url,
    size: u64,
}

impl Client {
    /// Fills `sink` with the blob, and returns the host that had it. The digest is the caller's to check: when it
    /// differs, [`Client::distrust`] takes a bad mirror out, [`BlobSink::restart`] makes room for the next attempt.
    ///
    /// Cuts, stalls and failures that may pass are waited out; each attempt goes on where the last one stopped. When
    /// this fails, the sink keeps what came.
    ///
    /// Errors: [`Kind::NotFound`]; [`Kind::Digest`] when the server has a file of another size; [`Kind::File`] when
    /// the sink fails.
    pub async fn download(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        sink: Arc<dyn BlobSink>,
    ) -> Result<String, Error> {
        let error = match self.download_from_sources(repository, blob, sink.as_ref()).await {
            Err(error) if error.kind() == Kind::NotFound && !blob.urls.is_empty() => error,
            outcome => return outcome,
        };
        // Layers that may not be distributed name where they can be had. Nobody there gets credentials.
        let place = self.primary(repository).await?;
        for url in blob.urls.iter().filter_map(|url| Url::parse(url).ok()) {
            if matches!(url.scheme(), "https" | "http") && !place.is_own(&url) {
                match self.fill(&place, url.clone(), blob, sink.as_ref()).await {
                    Ok(()) => return Ok(crate::text::authority(&url)),
                    Err(failed) if failed.kind() == Kind::File => return Err(failed),
                    Err(_) => {}
                }
            }
        }
        Err(error)
    }

    async fn download_from_sources(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        sink: &dyn BlobSink,
    ) -> Result<String, Error> {
        let mut sources = self.sources(repository, Operation::PullByDigest)?;
        loop {
            let place = sources.next().await?;
            let url = place.url(&format!("blobs/{}", blob.digest));
            match self.fill(&place, url, blob, sink).await {
                Ok(()) => return Ok(place.endpoint.address.to_string()),
                Err(error) => sources.failed(&place, error)?,
            }
        }
    }

    async fn fill(
        &self,
        place: &Place,
        url: Url,
        blob: &Descriptor,
        sink: &dyn BlobSink,
    ) -> Result<(), Error> {
        let missing = sink.missing();
        let left: u64 = missing.iter().map(|range| range.end - range.start).sum();
        if left == 0 {
            return Ok(());
        }
        if left < blob.size {
            let (digest, have) = (blob.digest.clone(), blob.size - left);
            self.transport().tell(Event::Resumed { digest, have, size: blob.size });
        }
        let source = Source { client: self, place, url, size: blob.size };
        let mut parts =
            range::cut(&missing, self.limits().part).into_iter().map(|range| Part::new(&source, range));
        let Some(mut first) = parts.next() else { return Ok(()) };
        // Whether the server knows ranges is seen by the first answer; only then others are worth asking.
        let arrival = first.open().await?;
        let is_whole = arrival.is_whole;
        let first = first.finish(arrival, sink);
        if is_whole {
            return first.await;
        }
        let mut others = Vec::new();
        for part in parts {
            others.push(part.run(sink));
        }
        let others = stream::iter(others);
        let at_once = self.limits().connections_per_blob.saturating_sub(1).max(1);
        let others = others.buffer_unordered(at_once).try_collect::<Vec<()>>();
        let (first, others) = futures_util::future::join(first, others).await;
        first.and(others.map(drop))
    }
}

impl Source<'_> {
    /// A body that is not as long as it must be.
    fn wrong_size(&self, arrival: &Arrival, found: u64) -> Error {
        let message = format!(
            "`{}`: it has {found} bytes, and the manifest says {}",
            arrival.answer.request, self.size
        );
        Error::new(Kind::Digest, message)
    }
}
