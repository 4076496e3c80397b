//! Blobs: whether they are there, and the small ones in one piece. Source: distribution-spec "Pulling blobs".

use bytes::Bytes;
use http::{Method, StatusCode};
use tug_oci::{Descriptor, Digest, Hasher};

use crate::auth::Scope;
use crate::client::{Call, Client, Place};
use crate::error::{Error, Kind};
use crate::hosts::Operation;
use crate::repository::Repository;

impl Client {
    /// The length of a blob in the repository itself (mirrors are not asked); `None` when it is not there.
    pub async fn blob_size(&self, repository: &Repository, digest: &Digest) -> Result<Option<u64>, Error> {
        let place = self.primary(repository).await?;
        let url = place.url(&format!("blobs/{digest}"));
        let call = Call::new(Method::HEAD, url, vec![Scope::pull(place.name())]);
        let answer = self.call(&place, call).await?;
        match answer.status {
            StatusCode::OK => Ok(Some(answer.length().unwrap_or(0))),
            StatusCode::NOT_FOUND => Ok(None),
            _ => Err(self.refusal(&place, answer).await),
        }
    }

    /// A blob of at most `limit` bytes, checked against its digest and size: a config, a small index.
    ///
    /// Errors: [`Kind::NotFound`], [`Kind::TooLarge`], [`Kind::Digest`] when no source has the right bytes.
    pub async fn small_blob(
        &self,
        repository: &Repository,
        blob: &Descriptor,
        limit: u64,
    ) -> Result<Bytes, Error> {
        if blob.size > limit {
            let message = format!("blob `{}` of {} bytes is larger than {limit}", blob.digest, blob.size);
            return Err(Error::new(Kind::TooLarge, message));
        }
        let mut sources = self.sources(repository, Operation::PullByDigest)?;
        loop {
            let place = sources.next().await?;
            match self.small_blob_at(&place, blob, limit).await {
                Ok(bytes) => return Ok(bytes),
                Err(error) => sources.failed(&place, error)?,
            }
        }
    }

    async fn small_blob_at(&self, place: &Place, blob: &Descriptor, limit: u64) -> Result<Bytes, Error> {
        let url = place.url(&format!("blobs/{}", blob.digest));
        let mut failures = 0;
        loop {
            let call = Call::new(Method::GET, url.clone(), vec![Scope::pull(place.name())]);
            let mut answer = self.call(place, call).await?;
            if answer.status != StatusCode::OK {
                return Err(self.refusal(place, answer).await);
            }
            let request = answer.request.clone();
            let error = match answer.bytes(limit, "the blob").await {
                Ok(bytes) => return checked(bytes, blob, &request),
                Err(error) => error,
            };
            // The answer was there, and its body broke off.
            failures += 1;
            let attempts = self.limits().attempts;
            self.transport().rest(&place.authority(), &request, error, failures, attempts).await?;
        }
    }
}

fn checked(bytes: Bytes, blob: &Descriptor, request: &str) -> Result<Bytes, Error> {
    let mut hasher = Hasher::new(blob.digest.algorithm());
    hasher.update(&bytes);
    let actual = hasher.finish();
    if actual == blob.digest && bytes.len() as u64 == blob.size {
        return Ok(bytes);
    }
    let message = match actual == blob.digest {
        true => format!("`{request}`: {} bytes came, and the manifest says {}", bytes.len(), blob.size),
        false => format!("`{request}` was answered with something else: its digest is `{actual}`"),
    };
    Err(Error::new(Kind::Digest, message))
}
