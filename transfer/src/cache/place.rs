//! Where a cache is, and the way in.

use std::path::PathBuf;
use std::sync::Arc;

use tug_layer_store::Store;
use tug_oci::{Digest, Platform, Reference};

use super::error::Result;
use super::export::{ExportOptions, ExportedCache, export};
use super::import::{CacheNotice, CacheSource, Documents};
use super::local::Local;
use super::registry::InRegistry;
use super::results::ExportedResult;
use crate::remote::Remote;

/// Where a cache is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CachePlace {
    /// In a registry. To read, it may also be an image with a cache inside.
    Registry(Reference),
    /// In a folder, an OCI layout.
    Folder {
        /// The folder, as an absolute path.
        path: PathBuf,
        /// What the cache is called in it.
        tag: String,
        /// To read: this one, whatever it is called now.
        digest: Option<Digest>,
    },
}

impl Remote {
    /// Results of steps from a cache elsewhere. Nothing is asked yet. Of an index of images, those for `platforms` are
    /// looked into. `tell` hears, at most once, why the cache gives nothing.
    pub fn cache_source(
        &self,
        store: &Store,
        place: &CachePlace,
        platforms: Vec<Platform>,
        tell: Arc<dyn Fn(CacheNotice) + Send + Sync>,
    ) -> CacheSource {
        let documents: Box<dyn Documents> = match place {
            CachePlace::Registry(reference) => Box::new(InRegistry::new(self, reference)),
            CachePlace::Folder { path, tag, digest } => Box::new(Local::new(path, tag, digest.as_ref())),
        };
        CacheSource::new(documents, store, platforms, tell)
    }

    /// Puts the results of a build into a cache elsewhere, beside what is there. When the cache is too small, the first ones
    /// have room in it. A failure leaves the cache as it was, plus blobs that nothing leads to.
    pub fn export_cache(
        &self,
        store: &Store,
        place: &CachePlace,
        results: &[ExportedResult],
        options: &ExportOptions,
    ) -> Result<ExportedCache> {
        let store = &self.stopping(store);
        match place {
            CachePlace::Registry(reference) => {
                export(&InRegistry::new(self, reference), store, self, results, options)
            }
            CachePlace::Folder { path, tag, .. } => {
                export(&Local::new(path, tag, None), store, self, results, options)
            }
        }
    }
}
