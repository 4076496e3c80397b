//! Blobs: fetched once for all who want them, and checked before anybody gets a byte.

use std::sync::Arc;

use tug_oci::{Descriptor, Digest};

use super::arrival::Arrival;
use super::manifests::how;
use super::{Failure, Found, Proxied, Proxy};
use crate::metrics::Lookup;
use crate::observer::Event;
use crate::storage::Error;

/// How often a blob is fetched whose bytes were wrong: a mirror that had them is not asked again.
const ATTEMPTS: usize = 2;

impl Proxy {
    /// Makes sure that a blob is in the storage.
    pub(crate) async fn blob(
        self: &Arc<Self>,
        from: &Arc<Proxied>,
        digest: &Digest,
    ) -> Result<Found, Failure> {
        let key = format!("blob {}@{digest}", from.local);
        let (cache, upstream) = (Arc::clone(self), from.upstream.clone());
        let (from, digest) = (Arc::clone(from), digest.clone());
        let work = || async move { cache.fetch_blob(&from, &digest).await };
        let found = self.flights.join(key, work).await.unwrap_or(Err(Failure::Broken));
        self.metrics.looked_up(&upstream, how(&found));
        found
    }

    /// The size of a blob, which is not fetched for that.
    pub(crate) async fn blob_size(&self, from: &Proxied, digest: &Digest) -> Result<u64, Failure> {
        let size = match self.client.blob_size(&from.remote, digest).await {
            Ok(size) => size.ok_or(Failure::NotFound),
            Err(error) => Err(self.failed(from, &error)),
        };
        let counted = if size.is_ok() { Lookup::Miss } else { Lookup::Failed };
        self.metrics.looked_up(&from.upstream, counted);
        size
    }

    async fn fetch_blob(&self, from: &Proxied, digest: &Digest) -> Result<Found, Failure> {
        let (repository, wanted) = (from.local.clone(), digest.clone());
        if self.blocking(move |storage| storage.lease_blob(&repository, &wanted)).await?.is_some() {
            return Ok(Found::Here);
        }
        let size = match self.client.blob_size(&from.remote, digest).await {
            Ok(size) => size.ok_or(Failure::NotFound)?,
            Err(error) => return Err(self.failed(from, &error)),
        };
        if size > self.max_blob {
            return Err(Failure::TooLarge);
        }
        // The other registry has it, so its readers may have it; another repository here may have brought it already.
        let (repository, wanted) = (from.local.clone(), digest.clone());
        if self.blocking(move |storage| storage.adopt_shared(&wanted, &repository)).await? {
            return Ok(Found::Fetched);
        }
        let mut attempt = 1;
        loop {
            match self.download(from, digest, size).await {
                Err(Failure::WrongDigest(_)) if attempt < ATTEMPTS => attempt += 1,
                outcome => return outcome.map(|()| Found::Fetched),
            }
        }
    }

    async fn download(&self, from: &Proxied, digest: &Digest, size: u64) -> Result<(), Failure> {
        let (incoming, file) = self.blocking(crate::storage::Storage::receive).await?;
        let descriptor = Descriptor::new("application/octet-stream", digest.clone(), size);
        let arrival = Arc::new(Arrival::new(file, size));
        let host = match self.client.download(&from.remote, &descriptor, arrival).await {
            Ok(host) => host,
            Err(error) => {
                let full = error.io().map(|io| std::io::Error::from(io.kind()));
                let failure = self.failed(from, &error);
                return Err(match full {
                    Some(io) => Failure::Storage(Arc::new(incoming.error(io))),
                    None => failure,
                });
            }
        };
        let (repository, wanted) = (from.local.clone(), digest.clone());
        let kept = self.blocking(move |storage| storage.keep(&incoming, &wanted, &repository)).await;
        match kept {
            Err(Failure::Storage(error)) => match &*error {
                Error::DigestMismatch { expected, actual } => {
                    self.client.distrust(&host);
                    let what = format!("`{host}` gave something else for {expected}: its digest is {actual}");
                    self.observer.event(Event::Problem { what });
                    Err(Failure::WrongDigest(actual.clone()))
                }
                _ => Err(Failure::Storage(error)),
            },
            other => other,
        }
    }
}
