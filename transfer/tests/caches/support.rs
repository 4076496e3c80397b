//! Two machines: stores with layers that were made here, and a cache between them.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tug_layer_store::{
    ExportedResult, FoundResult, Layer, LayerCompression, LayerWriterOptions, Mountable, NewEntry, Owners,
    Store, StoreOptions,
};
use tug_oci::{Digest, Platform};
use tug_registry_client::{Limits, Options};
use tug_testdata::registry_peer::noise;
use tug_transfer::cache::{Bounds, CacheMode, CachePlace, CacheSource, ExportOptions, ExportedCache};
use tug_transfer::{Remote, Unobserved};

pub(crate) const NOW: u64 = 1_800_000_000;

/// A store, and what it can reach.
pub(crate) struct Machine {
    _folder: TempDir,
    pub(crate) store: Store,
    pub(crate) remote: Remote,
    notices: Arc<Mutex<Vec<String>>>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options =
            StoreOptions { owners: Owners::Recorded, in_user_namespace: true, indexed_layers: false };
        let store = Store::open(&folder.path().join("store"), &options).unwrap();
        let limits = Limits {
            pause: Duration::from_millis(5),
            longest_pause: Duration::from_millis(20),
            ..Limits::default()
        };
        let options = Options { limits, ..Options::default() };
        let remote = Remote::new(options, Arc::new(Unobserved)).unwrap();
        let store = store.with_fetcher(Arc::new(remote.clone()));
        Self { _folder: folder, store, remote, notices: Arc::default() }
    }

    /// The result of a step that this machine has made: a layer with a file of `length` bytes.
    pub(crate) fn made(&self, key: &str, length: usize) -> ExportedResult {
        let layer = self.layer(key, length);
        ExportedResult {
            key: Digest::of(key.as_bytes()),
            record: format!(r#"{{"layer":"{}","of":"{key}","seconds":0.25}}"#, layer.diff_id()).into_bytes(),
            layer: layer.diff_id().clone(),
            blob: None,
            in_image: true,
        }
    }

    fn layer(&self, name: &str, length: usize) -> Layer {
        let mut writer = self.store.layer_writer(&LayerWriterOptions::default()).unwrap();
        let content = noise(length, name.bytes().map(u64::from).sum());
        let entry = NewEntry::file(name, 0o644, content.len() as u64);
        writer.add(&entry, Some(&mut content.as_slice())).unwrap();
        writer.finish().unwrap()
    }

    pub(crate) fn try_export(
        &self,
        place: &CachePlace,
        results: &[ExportedResult],
        options: &ExportOptions,
    ) -> Result<ExportedCache, String> {
        let exported = self.remote.export_cache(&self.store, place, results, options);
        exported.map_err(|error| error.to_string())
    }

    pub(crate) fn export(&self, place: &CachePlace, results: &[ExportedResult]) -> ExportedCache {
        self.try_export(place, results, &options()).unwrap()
    }

    /// A new build's view of the cache.
    pub(crate) fn source(&self, place: &CachePlace) -> CacheSource {
        let notices = Arc::clone(&self.notices);
        let tell = move |notice: tug_transfer::cache::CacheNotice| {
            notices.lock().unwrap().push(notice.to_string());
        };
        self.remote.cache_source(&self.store, place, vec![platform()], Arc::new(tell))
    }

    pub(crate) fn find(&self, place: &CachePlace, key: &str) -> Option<FoundResult> {
        self.source(place).look_up(&Digest::of(key.as_bytes()))
    }

    /// What was told since the last question.
    pub(crate) fn notices(&self) -> Vec<String> {
        std::mem::take(&mut *self.notices.lock().unwrap())
    }

    /// Reads a layer that was found, as a step on top of it does.
    pub(crate) fn read(&self, found: &FoundResult) -> Result<(), String> {
        let read = self.store.ensure_layers([(&found.layer, &found.blob)], Mountable::Later);
        read.map_err(|error| error.to_string())
    }

    pub(crate) fn blobs(&self) -> usize {
        let folder = self.store.root().join("blobs/sha256");
        std::fs::read_dir(folder).map_or(0, Iterator::count)
    }
}

pub(crate) fn options() -> ExportOptions {
    ExportOptions {
        mode: CacheMode::Max,
        compression: LayerCompression::Gzip(1),
        all_layers: false,
        bounds: Bounds::default(),
        now: NOW,
    }
}

pub(crate) fn platform() -> Platform {
    Platform::linux("amd64")
}

pub(crate) fn folder(path: &Path) -> CachePlace {
    CachePlace::Folder { path: path.to_owned(), tag: "latest".to_owned(), digest: None }
}
