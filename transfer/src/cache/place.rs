//! Where a cache is, and the way in.

use std::path::PathBuf;
use std::sync::Arc;

use tug_layer_store::{ExportedResult, Fetcher, Store, Wanted};
use tug_oci::{Digest, Platform, Reference};

use super::error::Result;
use super::export::{ExportOptions, ExportedCache, export};
use super::import::{CacheNotice, CacheSource, Documents};
use super::local::Local;
use super::registry::InRegistry;
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

impl CachePlace {
    /// What it is called in messages: the name, or the folder.
    pub fn name(&self) -> String {
        match self {
            Self::Registry(reference) => reference.familiar(),
            Self::Folder { path, tag, digest } => Local::new(path, tag, digest.as_ref()).name().to_owned(),
        }
    }

    /// As [`Remote::cache_source`], where no registry may be asked: `None` for a cache in one. Layers of hits come at once,
    /// since nobody brings them later.
    pub fn source_offline(
        &self,
        store: &Store,
        platforms: Vec<Platform>,
        tell: Arc<dyn Fn(CacheNotice) + Send + Sync>,
    ) -> Option<CacheSource> {
        let Self::Folder { path, tag, digest } = self else { return None };
        let documents = Box::new(Local::new(path, tag, digest.as_ref()));
        Some(CacheSource::new(documents, store, platforms, tell).bringing_layers())
    }

    /// As [`Remote::export_cache`], where no registry may be asked: `None` for a cache in one.
    pub fn export_offline(
        &self,
        store: &Store,
        results: &[ExportedResult],
        options: &ExportOptions,
    ) -> Option<Result<ExportedCache>> {
        let Self::Folder { path, tag, .. } = self else { return None };
        Some(export(&Local::new(path, tag, None), store, &Nobody, results, options))
    }
}

/// Fetches from folders only.
struct Nobody;

impl Fetcher for Nobody {
    fn fetch(&self, store: &Store, blobs: &[Wanted]) -> tug_layer_store::Result<()> {
        blobs.iter().try_for_each(|wanted| super::origin::bring(store, wanted).map(drop))
    }
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
