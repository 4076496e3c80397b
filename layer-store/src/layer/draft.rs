//! Puts a finished layer into the store.

use std::sync::Arc;

use tug_oci::{Descriptor, DiffId};

use super::mountable::write_index;
use super::record::{INDEX_VERSION, Record, TreeForm};
use super::sink::Finished;
use super::{Known, Layer, TOC, TREE};
use crate::blob::SealedBlob;
use crate::error::{Result, failed};
use crate::lock::Lock;
use crate::scratch::ScratchDir;
use crate::store::Store;
use crate::toc::Toc;

/// A layer that is complete, but not yet in the store.
pub(super) struct Draft {
    /// Becomes the folder of the layer. May hold a tree.
    pub(super) folder: ScratchDir,
    pub(super) has_tree: bool,
    /// Whether it is to be mounted soon: then it gets an index where those can be mounted.
    pub(super) mountable: bool,
    pub(super) blobs: Vec<SealedBlob>,
    pub(super) diff_id: DiffId,
    pub(super) tar_size: u64,
    pub(super) toc: Toc,
    pub(super) content_size: u64,
    /// The blob that it came as, if it was not made here.
    pub(super) came_as: Option<Descriptor>,
}

impl Draft {
    /// A layer that was made here.
    pub(super) fn of(folder: ScratchDir, has_tree: bool, mountable: bool, finished: Finished) -> Self {
        let Finished { blob, toc, content_size } = finished;
        let (diff_id, tar_size) = (DiffId::new(blob.digest().clone()), blob.size());
        let blobs = vec![blob];
        Self { folder, has_tree, mountable, blobs, diff_id, tar_size, toc, content_size, came_as: None }
    }

    /// Puts the layer into the store, unless it is there already. `lock` is that of the layer, if it is held.
    pub(super) fn publish(self, store: &Store, lock: Option<&Lock>) -> Result<Layer> {
        let _lock = match lock {
            Some(_) => None,
            None => Some(store.lock_layer(&self.diff_id)?),
        };
        let existing = match store.known_layer(&self.diff_id)? {
            Known::Good(layer) => Some(layer),
            Known::Doubtful | Known::Nothing => None,
        };
        for blob in self.blobs {
            // A blob that nobody vouches for is written over.
            if existing.is_none() || !store.only_own().has_blob(blob.digest())? {
                blob.keep()?;
            }
        }
        let is_indexed = self.mountable
            && !self.has_tree
            && store.options().indexed_layers
            && write_index(&self.toc, self.tar_size, self.folder.path())?;
        let record = Record {
            diff_id: self.diff_id,
            tar_size: self.tar_size,
            content_size: self.content_size,
            boot_id: store.boot_id().to_owned(),
            durable: false,
            blob: self.came_as,
            tree: self.has_tree.then(|| TreeForm::of(store.options())),
            index: is_indexed.then_some(INDEX_VERSION),
        };
        if let Some(existing) = existing {
            return match (self.has_tree, is_indexed) {
                (true, _) => existing.adopt_tree(&self.folder),
                (false, true) => existing.adopt_index(&self.folder),
                (false, false) => Ok(existing),
            };
        }
        let toc = self.folder.path().join(TOC);
        std::fs::write(&toc, self.toc.as_bytes()).map_err(failed("write", toc))?;
        record.write(self.folder.path())?;
        let target = store.layer_folder(&record.diff_id);
        store.trash().throw(&target)?;
        std::fs::rename(self.folder.path(), &target).map_err(failed("create", &target))?;
        let layer = Layer::new(store, record);
        let toc = Arc::new(self.toc);
        store.tocs().remember(layer.diff_id(), &toc);
        let _ = layer.toc.set(toc);
        Ok(layer)
    }
}

impl Layer {
    /// Takes over a tree from `folder`, unless there is one that is as good. The lock of the layer is held.
    pub(super) fn adopt_tree(self, folder: &ScratchDir) -> Result<Self> {
        let form = TreeForm::of(self.store.options());
        if self.record.tree == Some(form) {
            return Ok(self);
        }
        let target = self.store.layer_folder(self.diff_id());
        // Half a tree is never taken for a whole one: the record speaks of it last.
        let without = Record { tree: None, ..Record::clone(&self.record) };
        without.write(&target)?;
        self.store.trash().throw(&target.join(TREE))?;
        std::fs::rename(folder.path().join(TREE), target.join(TREE)).map_err(failed("create", &target))?;
        let boot_id = self.store.boot_id().to_owned();
        let with = Record { tree: Some(form), durable: false, boot_id, ..without };
        with.write(&target)?;
        Ok(Self { record: Arc::new(with), ..self })
    }
}
