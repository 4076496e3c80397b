//! Layers: made, kept, looked at, laid over each other.

mod chunks;
mod content;
mod error;
mod pending;
mod record;
mod sink;
mod view;
mod writer;

use std::sync::{Arc, OnceLock};

use tug_oci::DiffId;

pub use error::LayerError;
pub use pending::{CommitOptions, ImportLayer, OwnerLookup};
pub use view::{Node, View};
pub use writer::{LayerWriter, LayerWriterOptions};

use crate::blob::SealedBlob;
use crate::error::{Error, Result, failed};
use crate::scratch::ScratchDir;
use crate::store::Store;
use crate::toc::Toc;
pub(crate) use record::Record;
use record::TreeForm;

const TOC: &str = "toc";
const TREE: &str = "tree";

/// A layer of the store.
#[derive(Clone, Debug)]
pub struct Layer {
    store: Store,
    record: Arc<Record>,
    toc: Arc<OnceLock<Arc<Toc>>>,
}

impl Store {
    /// Looks up a layer; `None` when it is not in the store, or may have been damaged when the power failed.
    pub fn layer(&self, diff_id: &DiffId) -> Result<Option<Layer>> {
        let Some(record) = Record::read(&self.layer_folder(diff_id))? else { return Ok(None) };
        let is_trusted = record.durable || record.boot_id == self.boot_id();
        Ok(is_trusted.then(|| Layer::new(self, record)))
    }
}

impl Layer {
    fn new(store: &Store, record: Record) -> Self {
        Self { store: store.clone(), record: Arc::new(record), toc: Arc::default() }
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

    /// What is in it.
    pub fn toc(&self) -> Result<Arc<Toc>> {
        if let Some(toc) = self.toc.get() {
            return Ok(Arc::clone(toc));
        }
        let path = self.store.layer_folder(self.diff_id()).join(TOC);
        let bytes = std::fs::read(&path).map_err(failed("read", &path))?;
        let toc =
            Toc::from_bytes(bytes).map_err(|error| Error::Damaged { path, reason: error.to_string() })?;
        Ok(Arc::clone(self.toc.get_or_init(|| Arc::new(toc))))
    }
}

/// A layer that is complete, but not yet in the store.
pub(crate) struct Draft {
    /// Becomes the folder of the layer. May hold a tree.
    pub(crate) folder: ScratchDir,
    pub(crate) has_tree: bool,
    pub(crate) blob: SealedBlob,
    pub(crate) toc: Toc,
    pub(crate) content_size: u64,
}

impl Draft {
    /// Puts the layer into the store, unless it is there already.
    pub(crate) fn publish(self, store: &Store) -> Result<Layer> {
        let diff_id = DiffId::new(self.blob.digest().clone());
        let record = Record {
            diff_id: diff_id.clone(),
            tar_size: self.blob.size(),
            content_size: self.content_size,
            boot_id: store.boot_id().to_owned(),
            durable: false,
            tree: self.has_tree.then(|| TreeForm::of(store.options())),
        };
        let target = store.layer_folder(&diff_id);
        let _lock = store.lock_layer(&diff_id)?;
        if let Some(existing) = store.layer(&diff_id)? {
            if !store.has_blob(diff_id.digest())? {
                self.blob.keep()?;
            }
            return match self.has_tree {
                true => existing.adopt_tree(&self.folder, record),
                false => Ok(existing),
            };
        }
        self.blob.keep()?;
        let toc = self.folder.path().join(TOC);
        std::fs::write(&toc, self.toc.as_bytes()).map_err(failed("write", toc))?;
        record.write(self.folder.path())?;
        store.trash().throw(&target)?;
        std::fs::rename(self.folder.path(), &target).map_err(failed("create", &target))?;
        let layer = Layer::new(store, record);
        let _ = layer.toc.set(Arc::new(self.toc));
        Ok(layer)
    }
}

impl Layer {
    /// Takes over a tree that was made a second time, if there is none yet.
    fn adopt_tree(self, folder: &ScratchDir, new: Record) -> Result<Self> {
        if self.record.tree == new.tree {
            return Ok(self);
        }
        let target = self.store.layer_folder(self.diff_id());
        let record = Record { tree: None, durable: false, ..new.clone() };
        record.write(&target)?;
        self.store.trash().throw(&target.join(TREE))?;
        let made = folder.path().join(TREE);
        std::fs::rename(&made, target.join(TREE)).map_err(failed("create", &target))?;
        new.write(&target)?;
        Ok(Self::new(&self.store, new))
    }
}
