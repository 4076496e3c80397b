//! A cache in a registry, as something to read from. How it is written: see [`super::publish`].

use std::sync::{Mutex, MutexGuard, PoisonError};

use tug_oci::{Descriptor, Digest, Reference};
use tug_registry_client::{self as client, Kind, Repository, Target as Name};

use super::error::{CacheError, Result};
use super::folder::DOCUMENT_LIMIT;
use super::import::{Document, Documents};
use super::index::{CacheIndex, Record};
use crate::error::Error;
use crate::remote::Remote;

/// A cache in a registry.
pub(crate) struct InRegistry {
    pub(super) remote: Remote,
    pub(super) repository: Repository,
    pub(super) target: Name,
    pub(super) name: String,
    /// The index that was read last, and what the tag pointed to.
    last: Mutex<Option<(Digest, CacheIndex)>>,
}

impl InRegistry {
    pub(crate) fn new(remote: &Remote, reference: &Reference) -> Self {
        Self {
            remote: remote.clone(),
            repository: Repository::from(reference),
            target: Name::from(reference),
            name: reference.familiar(),
            last: Mutex::default(),
        }
    }

    /// Runs work to its end, unless the user gives up.
    pub(super) fn run<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        self.remote.block_on(async { Ok(work.await) }).map_err(|error| match error {
            Error::Store(error) => CacheError::Store(error),
            _ => CacheError::Stopped,
        })
    }

    pub(super) fn failed(&self, action: &'static str) -> impl FnOnce(client::Error) -> CacheError {
        let name = self.name.clone();
        move |source| CacheError::Registry { action, name, source }
    }

    pub(super) fn last(&self) -> MutexGuard<'_, Option<(Digest, CacheIndex)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Documents for InRegistry {
    fn name(&self) -> &str {
        &self.name
    }

    fn top(&self) -> Result<Option<Document>> {
        match self.run(self.remote.client().manifest(&self.repository, &self.target))? {
            Ok(fetched) => Ok(Some(Document {
                digest: fetched.digest,
                media_type: fetched.media_type,
                bytes: fetched.bytes.into(),
            })),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(self.failed("read")(error)),
        }
    }

    fn blob(&self, blob: &Descriptor, limit: u64) -> Result<Vec<u8>> {
        let fetched = self.run(self.remote.client().small_blob(&self.repository, blob, limit))?;
        match fetched {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) if matches!(error.kind(), Kind::NotFound | Kind::Digest | Kind::TooLarge) => {
                Err(CacheError::Damaged { name: self.name.clone(), reason: error.to_string() })
            }
            Err(error) => Err(self.failed("read")(error)),
        }
    }

    fn manifest(&self, blob: &Descriptor) -> Result<Vec<u8>> {
        if blob.size > DOCUMENT_LIMIT {
            let reason = format!("`{}` is too large", blob.digest);
            return Err(CacheError::Damaged { name: self.name.clone(), reason });
        }
        let target = Name::Digest(blob.digest.clone());
        let fetched = self.run(self.remote.client().manifest(&self.repository, &target))?;
        Ok(fetched.map_err(self.failed("read"))?.bytes.into())
    }

    fn origin(&self) -> String {
        self.repository.to_string()
    }

    /// A registry keeps what a manifest leads to.
    fn has(&self, _record: &Record) -> bool {
        true
    }
}
