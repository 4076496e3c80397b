//! Puts the results of a build into a cache elsewhere.
//!
//! | step                                      | what for                                                            |
//! | ----------------------------------------- | ------------------------------------------------------------------- |
//! | 1. read the index that is there           | layers that it knows keep their blobs: nothing is sent for them      |
//! | 2. blobs                                  | sent where they are missing; plain layers are compressed on the way |
//! | 3. read again, merge, write the index     | last; when others have written meanwhile, once more                 |
//!
//! Nothing that others have put there is lost: see [`super::merge`].

use std::collections::HashMap;

use tug_layer_store::{ExportedResult, Fetcher, LayerCompression, Store};
use tug_oci::{Descriptor, DiffId};

use super::error::Result;
use super::index::{Blob, CacheIndex, Record};
use super::merge::{Bounds, Merged, merge};

/// Which results are exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CacheMode {
    /// Those whose layers are in an image that comes out.
    #[default]
    Min,
    /// Those of all steps.
    Max,
}

/// How a cache is written.
#[derive(Clone, Debug)]
pub struct ExportOptions {
    /// Which results.
    pub mode: CacheMode,
    /// What plain layers are compressed with: the same as images that are pushed share their blobs.
    pub compression: LayerCompression,
    /// Whether layers that are there in another form are sent again in this one.
    pub all_layers: bool,
    /// How large the cache may become.
    pub bounds: Bounds,
    /// Seconds since 1970.
    pub now: u64,
}

/// What was put into a cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportedCache {
    /// The cache.
    pub name: String,
    /// How many results it has now.
    pub records: usize,
    /// How many of them are new.
    pub new: usize,
    /// How many results of the build it has no room for, or whose layers could not be had.
    pub left_out: usize,
    /// How many old ones are gone.
    pub removed: usize,
    /// Bytes of blobs that were sent.
    pub sent: u64,
    /// Bytes of blobs of this build that were there.
    pub shared: u64,
    /// Whether the index was written; it is not when nothing has changed.
    pub is_written: bool,
}

/// A layer that the cache shall have.
#[derive(Clone, Debug)]
pub(crate) enum Source {
    /// As it is.
    Stored(Descriptor),
    /// Compressed.
    Compressed { diff_id: DiffId, plain: Descriptor, wanted: LayerCompression },
}

/// What it is in the cache.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) blob: Descriptor,
    /// How many bytes were sent; 0 when it was there.
    pub(crate) bytes: u64,
}

/// Where a cache is written.
pub(crate) trait Target {
    fn name(&self) -> &str;
    /// What is there now; an empty index when there is nothing. An error when something else is there.
    fn read(&self) -> Result<CacheIndex>;
    /// Makes sure that the blobs are there, as far as they can be had.
    fn send(&self, store: &Store, fetcher: &dyn Fetcher, sources: &[Source]) -> Result<Vec<Option<Sent>>>;
    /// Merges into what is there by then, and writes it if that changes anything.
    fn commit(&self, merge: &dyn Fn(&CacheIndex) -> Merged) -> Result<Merged>;
}

/// Exports the results of a build.
pub(crate) fn export(
    target: &dyn Target,
    store: &Store,
    fetcher: &dyn Fetcher,
    results: &[ExportedResult],
    options: &ExportOptions,
) -> Result<ExportedCache> {
    let wanted: Vec<&ExportedResult> =
        results.iter().filter(|result| options.mode == CacheMode::Max || result.in_image).collect();
    let there = target.read()?;
    let mut blobs: HashMap<&DiffId, Blob> = HashMap::new();
    let mut shared = 0;
    let mut layers = Vec::new();
    let mut sources = Vec::new();
    for result in &wanted {
        let layer = &result.layer;
        if blobs.contains_key(layer) || layers.contains(&layer) {
            continue;
        }
        match there.blob_of(layer).filter(|blob| !options.all_layers || is_in_form(blob, options)) {
            Some(blob) => {
                shared += blob.size;
                blobs.insert(layer, blob.clone());
            }
            None => {
                if let Some(source) = source(store, result, options)? {
                    layers.push(layer);
                    sources.push(source);
                }
            }
        }
    }
    let sent = target.send(store, fetcher, &sources)?;
    let bytes = sent.iter().flatten().map(|sent| sent.bytes).sum();
    for (layer, sent) in layers.into_iter().zip(sent) {
        if let Some(sent) = sent {
            shared += if sent.bytes == 0 { sent.blob.size } else { 0 };
            blobs.insert(layer, Blob::from(&sent.blob));
        }
    }
    let ours: Vec<Record> =
        wanted.iter().filter_map(|result| record(result, blobs.get(&result.layer)?)).collect();
    let lost = wanted.len() - ours.len();
    let merged = target.commit(&|there| merge(there, &ours, &options.bounds, options.now))?;
    Ok(ExportedCache {
        name: target.name().to_owned(),
        records: merged.index.records.len(),
        new: merged.new,
        left_out: merged.left_out + lost,
        removed: merged.removed,
        sent: bytes,
        shared,
        is_written: merged.is_changed,
    })
}

fn record(result: &ExportedResult, blob: &Blob) -> Option<Record> {
    let record = serde_json::from_slice(&result.record).ok().filter(serde_json::Value::is_object)?;
    let (key, layer) = (result.key.clone(), result.layer.clone());
    Some(Record { key, record, layer, blob: blob.clone(), used: 0 })
}

/// Where the bytes of a layer come from; `None` when it is nowhere.
fn source(store: &Store, result: &ExportedResult, options: &ExportOptions) -> Result<Option<Source>> {
    let Some(layer) = store.layer(&result.layer)? else {
        return Ok(result.blob.clone().map(Source::Stored));
    };
    let blob = layer.blob();
    let is_compressed = options.compression.changes(&blob, options.all_layers);
    Ok(Some(match is_compressed {
        true => {
            Source::Compressed { diff_id: result.layer.clone(), plain: blob, wanted: options.compression }
        }
        false => Source::Stored(blob),
    }))
}

fn is_in_form(blob: &Blob, options: &ExportOptions) -> bool {
    !options.compression.changes(&blob.descriptor(), true)
}
