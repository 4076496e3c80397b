//! Blobs on their way to a registry: not sent when they are there, mounted when they are beside, else sent once.
//!
//! | step      | what is asked                        | when it does not work                                   |
//! | --------- | ------------------------------------ | ------------------------------------------------------- |
//! | look      | `HEAD blobs/D`, one attempt          | the blob is sent                                        |
//! | mount     | `POST uploads/?mount=D&from=R`       | the session that comes instead is used, or a new one    |
//! | send      | `PUT` of all of it where the digest  | the session is asked how much it has; the rest goes in  |
//! |           | is known, else a `PATCH` that grows  | pieces, or all of it into a new session                 |
//! | finish    | `PUT` with the digest                | the blob is looked for: the answer may have been lost   |
//! | give up   | `DELETE` of the session              | is ignored                                              |
//!
//! A connection that breaks while a body is sent tells nothing: the registry may have had a reason that was lost with
//! it. The next body waits a moment for that reason (`Expect: 100-continue`). Source: distribution-spec "Pushing blobs".

mod body;
mod job;
mod location;
mod mount;
mod open;
mod quirks;
mod send;
mod session;

use std::io::{self, Read};
use std::sync::Arc;

use http::{Method, StatusCode};
use tug_oci::Digest;

use self::job::Job;
use self::mount::Mount;
pub(crate) use self::open::Uploads;
use crate::auth::Scope;
use crate::client::{Call, Client, Place};
use crate::error::{Error, Kind};
use crate::repository::Repository;
use crate::transport::Direction;

/// The bytes of a blob. They may still be growing: compression runs beside the upload.
pub trait BlobSource: Send + Sync {
    /// What the bytes are; `None` until they are complete. Known at the latest when a reader has come to the end.
    fn digest(&self) -> Option<Digest>;
    /// How many there are; `None` until they are complete.
    fn size(&self) -> Option<u64>;
    /// Reads from `offset` to the end. Waits for what is not there yet; it is read on a thread that may be blocked.
    /// What was read may be asked for again.
    fn reader(&self, offset: u64) -> io::Result<Box<dyn Read + Send>>;
}

/// A blob that is in the registry now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// What it is.
    pub digest: Digest,
    /// How long it is, in bytes.
    pub size: u64,
    /// How it came there.
    pub how: Delivery,
}

/// How a blob came to be in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It was there.
    Existed,
    /// The registry has taken it from another repository of its own.
    Mounted {
        /// That repository; `None` when the registry has found one by itself.
        from: Option<Repository>,
    },
    /// It was sent.
    Sent {
        /// How many bytes that took, with those that were sent again.
        bytes: u64,
    },
}

impl Client {
    /// Brings a blob into a repository. `mounts` are repositories that may have it; those on other hosts are passed over.
    ///
    /// Cuts, stalls and failures that may pass are waited out; each attempt goes on where the registry says that the
    /// last one stopped, where it can. No session is left open, whether this fails or its future is dropped; see
    /// [`Client::cancel_uploads`].
    ///
    /// Errors: [`Kind::Denied`] and [`Kind::Unauthorized`]; [`Kind::TooLarge`]; [`Kind::Digest`] when the registry got
    /// something else than the digest says; [`Kind::File`] when the source fails; [`Kind::Cancelled`].
    pub async fn upload(
        &self,
        repository: &Repository,
        source: Arc<dyn BlobSource>,
        mounts: &[Repository],
    ) -> Result<Uploaded, Error> {
        let stopped = self.uploads().stopped();
        tokio::select! {
            done = self.upload_to_its_end(repository, source, mounts) => done,
            () = stopped => Err(Error::new(Kind::Cancelled, "the upload was cancelled")),
        }
    }

    async fn upload_to_its_end(
        &self,
        repository: &Repository,
        source: Arc<dyn BlobSource>,
        mounts: &[Repository],
    ) -> Result<Uploaded, Error> {
        let place = self.primary(repository).await?;
        let mut session = None;
        if let Some(digest) = source.digest() {
            if let Some(size) = self.look_for(&place, &digest, source.size()).await {
                return Ok(Uploaded { digest, size, how: Delivery::Existed });
            }
            match self.mount(&place, repository, &digest, mounts).await {
                Mount::Done { from } => {
                    let size = source.size().unwrap_or(0);
                    return Ok(Uploaded { digest, size, how: Delivery::Mounted { from } });
                }
                Mount::Session(instead) => session = Some(*instead),
                Mount::No => {}
            }
        }
        let _slot = self.transport().gate(&place.authority()).slot(Direction::Up).await;
        let mut job = Job::new(self, &place, Arc::clone(&source));
        let bytes = job.run(session).await?;
        let (digest, size) = job.complete()?;
        Ok(Uploaded { digest, size, how: Delivery::Sent { bytes } })
    }

    /// The length of a blob that is surely there. Whoever cannot answer this may still take the blob.
    async fn look_for(&self, place: &Place, digest: &Digest, size: Option<u64>) -> Option<u64> {
        let url = place.url(&format!("blobs/{digest}"));
        let call = |attempts| {
            let call = Call::new(Method::HEAD, url.clone(), vec![Scope::push(place.name())]);
            self.call(place, Call { attempts, ..call })
        };
        let answer = match call(1).await {
            // That is no answer, and sending what is there would be one request more.
            Err(error) if error.kind() == Kind::RateLimited => call(0).await,
            answer => answer,
        };
        let answer = answer.ok().filter(|answer| answer.status == StatusCode::OK)?;
        match (answer.length(), size) {
            (Some(there), Some(here)) if there != here => None,
            (there, here) => Some(here.or(there).unwrap_or(0)),
        }
    }
}
