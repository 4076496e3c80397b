//! How much space repositories take: what they own, each blob once.
//!
//! What is known is at most a minute old, and counted again before anybody is sent away for it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tug_oci::Digest;

use super::error::{At, Error, if_there};
use super::{Storage, files};
use crate::names::RepositoryName;

/// How long a count is believed.
const BELIEVED_FOR: Duration = Duration::from_secs(60);

/// What was counted. `None` stands for all repositories together.
#[derive(Debug, Default)]
pub(crate) struct Usage(Mutex<HashMap<Option<RepositoryName>, (Instant, u64)>>);

impl Usage {
    /// Some bytes were added since they were counted.
    pub(crate) fn add(&self, repository: &RepositoryName, bytes: u64) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for key in [None, Some(repository.clone())] {
            if let Some((_, known)) = counted.get_mut(&key) {
                *known += bytes;
            }
        }
    }

    /// What was counted lately.
    pub(crate) fn known(&self, repository: Option<&RepositoryName>) -> Option<u64> {
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (since, bytes) = counted.get(&repository.cloned())?;
        (since.elapsed() < BELIEVED_FOR).then_some(*bytes)
    }

    /// Keeps a count.
    pub(crate) fn keep(&self, repository: Option<&RepositoryName>, bytes: u64) {
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counted.insert(repository.cloned(), (Instant::now(), bytes));
    }
}

impl Storage {
    /// Counts the bytes of a repository, or of all of them.
    pub(crate) fn count(&self, repository: Option<&RepositoryName>) -> Result<u64, Error> {
        let folder = match repository {
            Some(repository) => self.repository(repository).join("blobs"),
            None => self.root.join("_tug/blobs"),
        };
        Ok(sizes(&folder.join("sha256"))? + sizes(&folder.join("sha512"))?)
    }

    /// The size of a blob that somebody has.
    pub(crate) fn shared_size(&self, digest: &Digest) -> Result<Option<u64>, Error> {
        let path = self.shared(digest);
        Ok(if_there(fs::metadata(&path)).at("look at", &path)?.map(|metadata| metadata.len()))
    }
}

fn sizes(folder: &Path) -> Result<u64, Error> {
    let mut sum = 0;
    for name in files::names(folder)? {
        let path = folder.join(name);
        sum += if_there(fs::metadata(&path)).at("look at", &path)?.map_or(0, |metadata| metadata.len());
    }
    Ok(sum)
}
