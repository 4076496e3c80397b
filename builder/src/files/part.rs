//! A folder of other files as a tree of its own, and what is said differently of its items.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;

use tug_layer_store::Mtime;
use tug_oci::Digest;

use super::{Files, Item, join};
use crate::cancel::Cancel;
use crate::error::Error;

/// What is below a folder of other files.
pub(crate) struct PartOf {
    /// All of the files.
    pub files: Arc<dyn Files>,
    /// The folder that is the root here; it exists, and there are no links in its path.
    pub root: Vec<u8>,
    /// The time that everything has, instead of its own.
    pub mtime: Option<Mtime>,
    /// Whether modes are those of git, whatever they are on disk: 644 and 755.
    pub plain_modes: bool,
}

impl PartOf {
    fn here(&self, item: &Item) -> Item {
        let start = match self.root.is_empty() {
            true => 0,
            false => (self.root.len() + 1).min(item.path.len()),
        };
        let mut here = Item { path: item.path[start..].to_vec(), ..item.clone() };
        if let Some(mtime) = self.mtime {
            here.mtime = mtime;
        }
        if self.plain_modes {
            let is_open = here.is_directory() || here.mode & 0o100 != 0;
            here.mode = if is_open { 0o755 } else { 0o644 };
        }
        here
    }

    fn there(&self, item: &Item) -> Item {
        Item { path: join(&self.root, &item.path), ..item.clone() }
    }
}

impl Files for PartOf {
    fn item(&self, path: &[u8]) -> Result<Option<Item>, Error> {
        Ok(self.files.item(&join(&self.root, path))?.map(|item| self.here(&item)))
    }

    fn children(&self, path: &[u8]) -> Result<Vec<Arc<Item>>, Error> {
        let children = self.files.children(&join(&self.root, path))?;
        Ok(children.iter().map(|item| Arc::new(self.here(item))).collect())
    }

    fn digest(&self, item: &Item, cancel: &Cancel) -> Result<Digest, Error> {
        self.files.digest(&self.there(item), cancel)
    }

    fn open(&self, item: &Item) -> Result<Box<dyn Read + Send>, Error> {
        self.files.open(&self.there(item))
    }

    fn shown(&self, path: &[u8]) -> PathBuf {
        self.files.shown(&join(&self.root, path))
    }

    fn refresh(&self) {
        self.files.refresh();
    }
}
