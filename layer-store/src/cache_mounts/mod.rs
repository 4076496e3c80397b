//! Directories that outlive builds: `RUN --mount=type=cache`.
//!
//! A cache is a folder below `mounts/`, named by a hash of its id, so that no id ever becomes a path:
//!
//! ```text
//! mounts/<name>/cache.json     its id, and what tells it from others with that id; changed when it was used last
//! mounts/<name>/0/             the directory that steps see
//! mounts/<name>/1/ …           further ones, for steps that want one to themselves while the first is in use
//! ```
//!
//! | lock                            | shared                     | exclusive                                          |
//! | ------------------------------- | -------------------------- | -------------------------------------------------- |
//! | `locks/cache-<name>-<number>`   | steps that share it        | a step that has it alone; import, export, removal  |
//! | `locks/cache-<name>`            | –                          | making one of its directories, removing it         |
//!
//! A directory is looked for only by who holds its lock, made beside and renamed into place, and removed only by who
//! has it alone: so it is never half there, and never taken away from a step that runs.

mod export;
mod hold;
mod import;
mod list;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tug_oci::Digest;

use crate::error::{Error, Result};
use crate::file::{self, Durability};
use crate::store::Store;

pub use export::ExportedCaches;
pub use hold::{CacheMount, CacheSharing};
pub use import::{ImportedCache, Merge};
pub use list::CacheSummary;

/// What a store says about one cache.
const RECORD: &str = "cache.json";
/// An id is at most a few paths long.
const LARGEST_RECORD: u64 = 1 << 20;

/// Which cache.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CacheId {
    /// What builds call it.
    pub id: String,
    /// What tells it from other caches with the same id, such as another owner; mostly empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub variant: String,
}

impl CacheId {
    /// The name of its folder: 32 hexadecimal digits.
    pub fn name(&self) -> String {
        let length = self.id.len();
        let digest = Digest::of(format!("tug cache 1\n{length}\n{}{}", self.id, self.variant).as_bytes());
        digest.hex()[..32].to_owned()
    }
}

impl Store {
    /// The folder of a cache, whether it exists or not.
    fn cache_folder(&self, name: &str) -> PathBuf {
        self.path("mounts").join(name)
    }

    /// The lock of a whole cache.
    fn cache_lock(&self, name: &str) -> PathBuf {
        self.path("locks").join(format!("cache-{name}"))
    }

    /// The lock of one directory of a cache.
    fn cache_directory_lock(&self, name: &str, number: usize) -> PathBuf {
        self.path("locks").join(format!("cache-{name}-{number}"))
    }

    /// Makes the folder of a cache, and writes down whose it is.
    fn make_cache_folder(&self, id: &CacheId) -> Result<PathBuf> {
        let folder = self.cache_folder(&id.name());
        let record = folder.join(RECORD);
        if !record.exists() {
            crate::store::make_folder(&folder)?;
            let bytes = serde_json::to_vec(id).expect("an id is plain text");
            file::replace(&record, &self.path("ingest"), &bytes, Durability::Synced)?;
        }
        Ok(folder)
    }

    fn cache_id(&self, name: &str) -> Result<Option<CacheId>> {
        let path = self.cache_folder(name).join(RECORD);
        let Some(bytes) = file::read_small(&path, LARGEST_RECORD)? else { return Ok(None) };
        let read = serde_json::from_slice(&bytes);
        read.map(Some).map_err(|error| Error::Damaged { path, reason: tug_oci::json_reason(&error) })
    }
}
