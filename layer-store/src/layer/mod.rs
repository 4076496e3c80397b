//! Layers: made, kept, looked at, laid over each other.

mod chain;
mod chunks;
mod commit;
mod draft;
mod ensure;
mod error;
mod import;
mod inventory;
mod lower;
mod meaning;
mod mountable;
mod plain;
mod record;
mod sink;
mod trees;
mod writer;

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tug_oci::{Descriptor, DiffId, media_type};

pub use commit::{CommitOptions, OwnerLookup};
pub(crate) use commit::{Facts, Kind, attribute_names, attribute_value, names_in};
pub use ensure::Mountable;
pub(crate) use ensure::in_parallel;
pub use error::LayerError;
pub use import::ImportLayer;
pub(crate) use import::{Derive, Surveyed};
pub(crate) use inventory::Inventory;
pub(crate) use lower::IMPLIED;
pub use mountable::Lower;
pub(crate) use writer::check as check_entry;
pub use writer::{LayerWriter, LayerWriterOptions};

use crate::compression::{Decompressed, DecompressionLimits};
use crate::error::{Error, Result, failed};
use crate::fetch::Wanted;
use crate::store::Store;
use crate::toc::Toc;
use draft::Draft;
pub(crate) use record::{INDEX_VERSION, Record, TreeForm};

pub(crate) const TOC: &str = "toc";
pub(crate) const TREE: &str = "tree";
pub(crate) const INDEX: &str = "erofs";

/// A layer of the store.
#[derive(Clone, Debug)]
pub struct Layer {
    store: Store,
    /// Where it is, if that is another store, which is only read.
    home: Option<Store>,
    record: Arc<Record>,
    toc: Arc<OnceLock<Arc<Toc>>>,
}

impl Store {
    /// Looks up a layer; `None` when it is not in the store.
    ///
    /// One that the power may have taken before the disk had it is made anew from its blob first, if that is whole.
    pub fn layer(&self, diff_id: &DiffId) -> Result<Option<Layer>> {
        match self.known_layer(diff_id)? {
            Known::Good(layer) => Ok(Some(layer)),
            Known::Nothing => self.layer_elsewhere(diff_id),
            Known::Doubtful => self.renewed_layer(diff_id, &|_| true),
        }
    }

    /// The plain tar of a layer.
    pub fn layer_tar(&self, diff_id: &DiffId) -> Result<Box<dyn Read + Send>> {
        if let Some(tar) = self.open_blob(diff_id.digest())? {
            return Ok(Box::new(tar));
        }
        let layer = self.layer(diff_id)?.ok_or_else(|| Error::MissingLayer(diff_id.clone()))?;
        let blob = layer.blob();
        self.bring([Wanted::blob(&blob)])?;
        let missing = || self.missing_blob("the layer", &blob);
        let compressed = self.open_blob(&blob.digest)?.ok_or_else(missing)?;
        let plain = Decompressed::new(compressed, DecompressionLimits::default());
        Ok(Box::new(plain.map_err(failed("read", self.blob_path(&blob.digest)))?))
    }

    /// The same in other stores. What they are not sure of themselves is not believed.
    fn layer_elsewhere(&self, diff_id: &DiffId) -> Result<Option<Layer>> {
        self.elsewhere(|other| match other.known_layer(diff_id)? {
            Known::Good(found) => Ok(Some(Layer { store: self.clone(), home: Some(other.clone()), ..found })),
            Known::Doubtful | Known::Nothing => Ok(None),
        })
    }

    /// What the record of a layer says about it, without looking further. Other stores are not asked.
    fn known_layer(&self, diff_id: &DiffId) -> Result<Known> {
        let record = Record::read(&self.layer_folder(diff_id))?;
        // Where a file system has no journal, a power failure may give a file what another had.
        let Some(record) = record.filter(|record| record.diff_id == *diff_id) else {
            return Ok(Known::Nothing);
        };
        let is_trusted = record.durable || record.boot_id == self.boot_id();
        Ok(if is_trusted { Known::Good(Layer::new(self, record)) } else { Known::Doubtful })
    }

    /// Makes a layer anew from its blob, unless somebody else did meanwhile: then it `is_whole`. When the blob is gone or
    /// damaged too, the layer is not in the store any more.
    fn renewed_layer(&self, diff_id: &DiffId, is_whole: &dyn Fn(&Layer) -> bool) -> Result<Option<Layer>> {
        let lock = self.lock_layer(diff_id)?;
        let folder = self.layer_folder(diff_id);
        match self.known_layer(diff_id)? {
            Known::Good(layer) if is_whole(&layer) => return Ok(Some(layer)),
            Known::Nothing => return Ok(None),
            Known::Good(_) | Known::Doubtful => {}
        }
        let record = Record::read(&folder)?;
        self.tocs().forget(diff_id);
        self.trash().throw(&folder)?;
        let came_as = record.and_then(|record| record.blob).filter(|blob| blob.digest != *diff_id.digest());
        let came_as = match came_as {
            Some(blob) if self.has_blob(&blob.digest)? => Some(blob),
            _ => None,
        };
        if let Some(size) = self.only_own().blob_size(diff_id.digest())? {
            let plain = Descriptor::new(media_type::OCI_LAYER, diff_id.digest().clone(), size);
            match self.derive_layer(diff_id, &plain, Derive::Nothing, &lock) {
                Ok(layer) => return layer.said_to_have_come_as(came_as).map(Some),
                // There may be no room, or too many open files: only a blob that is not what it should be goes.
                Err(error) if self.has_whole_blob(diff_id.digest())? => return Err(error),
                Err(_) => self.trash().throw(&self.blob_path(diff_id.digest()))?,
            }
        }
        came_as.map(|blob| self.derive_layer(diff_id, &blob, Derive::Nothing, &lock)).transpose()
    }
}

enum Known {
    Good(Layer),
    /// Written on an earlier boot of the machine, and never synced.
    Doubtful,
    Nothing,
}

impl Layer {
    fn new(store: &Store, record: Record) -> Self {
        Self { store: store.clone(), home: None, record: Arc::new(record), toc: Arc::default() }
    }

    /// Its name: the digest of the plain tar.
    pub fn diff_id(&self) -> &DiffId {
        &self.record.diff_id
    }

    /// The length of the plain tar in bytes.
    pub fn tar_size(&self) -> u64 {
        self.record.tar_size
    }

    /// The length of all files in it together, in bytes; names of one file count once.
    pub fn content_size(&self) -> u64 {
        self.record.content_size
    }

    /// The blob that manifests name for it: what it came as, or its plain tar.
    pub fn blob(&self) -> Descriptor {
        let plain =
            || Descriptor::new(media_type::OCI_LAYER, self.diff_id().digest().clone(), self.tar_size());
        self.record.blob.clone().unwrap_or_else(plain)
    }

    /// The same with a note of the blob that it came as, if there is one: manifests name that, and not its plain tar. The
    /// lock of the layer is held.
    fn said_to_have_come_as(self, blob: Option<Descriptor>) -> Result<Self> {
        let Some(blob) = blob else { return Ok(self) };
        let record = Record { blob: Some(blob), ..Record::clone(&self.record) };
        record.write(&self.store.layer_folder(self.diff_id()))?;
        Ok(Self { record: Arc::new(record), ..self })
    }

    /// What is in it. A damaged table of contents is made anew from the blob.
    pub fn toc(&self) -> Result<Arc<Toc>> {
        if let Some(toc) = self.toc.get() {
            return Ok(Arc::clone(toc));
        }
        let toc = match self.store.tocs().find(self.diff_id()) {
            Some(toc) => toc,
            None => {
                let read = match self.read_toc() {
                    Err(Error::Damaged { .. }) => self.renewed_toc()?,
                    other => other?,
                };
                self.store.tocs().remember(self.diff_id(), &read);
                read
            }
        };
        Ok(Arc::clone(self.toc.get_or_init(|| toc)))
    }

    fn read_toc(&self) -> Result<Arc<Toc>> {
        let path = self.folder().join(TOC);
        let damaged = |reason: String| Error::Damaged { path: path.clone(), reason };
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(damaged(error.to_string())),
            other => other.map_err(failed("read", &path))?,
        };
        Toc::from_bytes(bytes).map(Arc::new).map_err(|error| damaged(error.to_string()))
    }

    fn renewed_toc(&self) -> Result<Arc<Toc>> {
        if self.home.is_some() {
            let lock = self.store.lock_layer(self.diff_id())?;
            let made = self.store.derive_layer(self.diff_id(), &self.blob(), Derive::Nothing, &lock)?;
            return made.read_toc();
        }
        let is_whole = |layer: &Self| layer.read_toc().is_ok();
        let missing = || Error::MissingLayer(self.diff_id().clone());
        self.store.renewed_layer(self.diff_id(), &is_whole)?.ok_or_else(missing)?.read_toc()
    }

    /// Where it is kept.
    fn folder(&self) -> PathBuf {
        self.home.as_ref().unwrap_or(&self.store).layer_folder(self.diff_id())
    }

    /// Its plain tar, if that is kept.
    pub(crate) fn open_tar(&self) -> Result<Option<File>> {
        self.store.open_blob(self.diff_id().digest())
    }
}
