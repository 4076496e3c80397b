//! A single file of the store as a tree of items: what was downloaded.

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::{Arc, OnceLock};

use tug_layer_store::{NewEntry, Store};
use tug_oci::Digest;

use super::{Files, Item, ItemKind};
use crate::cancel::Cancel;
use crate::error::Error;

/// A folder with one file in it, whose content is a blob.
pub(crate) struct SingleFile {
    store: Store,
    item: Arc<Item>,
    digest: Digest,
}

impl SingleFile {
    /// The file that `entry` describes, with the content of the blob `digest`.
    pub(crate) fn new(store: &Store, entry: &NewEntry, digest: &Digest) -> Self {
        let size = match entry.kind {
            tug_layer_store::NewEntryKind::File { size } => size,
            _ => 0,
        };
        let item = Item {
            path: entry.path.clone(),
            kind: ItemKind::File { size },
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime: entry.mtime,
            xattrs: BTreeMap::new(),
            link: None,
            identity: None,
            digest: OnceLock::from(digest.clone()),
        };
        Self { store: store.clone(), item: Arc::new(item), digest: digest.clone() }
    }

    /// The file.
    pub(crate) fn only(&self) -> Arc<Item> {
        Arc::clone(&self.item)
    }
}

impl Files for SingleFile {
    fn item(&self, path: &[u8]) -> Result<Option<Item>, Error> {
        Ok((path == self.item.path).then(|| (*self.item).clone()))
    }

    fn children(&self, path: &[u8]) -> Result<Vec<Arc<Item>>, Error> {
        Ok(if path.is_empty() { vec![self.only()] } else { Vec::new() })
    }

    fn digest(&self, _item: &Item, _cancel: &Cancel) -> Result<Digest, Error> {
        Ok(self.digest.clone())
    }

    fn open(&self, _item: &Item) -> Result<Box<dyn Read + Send>, Error> {
        match self.store.open_blob(&self.digest)? {
            Some(blob) => Ok(Box::new(blob)),
            None => Err(Error::Context(format!("`{}` is not in the store any more", self.digest))),
        }
    }
}
