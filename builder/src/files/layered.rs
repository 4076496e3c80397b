//! The merged tree of layers as a tree of items: an earlier stage or an image.

use std::io::Read;
use std::sync::{Arc, OnceLock};

use tug_layer_store::{Entry, EntryKind, Node, View};
use tug_oci::Digest;

use super::{Files, Item, ItemKind};
use crate::cancel::Cancel;
use crate::error::Error;

/// The files of a chain of layers.
pub(crate) struct Layered(View);

impl Layered {
    pub(crate) fn new(view: View) -> Self {
        Self(view)
    }

    /// The item at `path`, not following a link at its end.
    pub(crate) fn find(&self, path: &[u8]) -> Option<Item> {
        self.0.lookup(path).map(|node| item_of(&node))
    }

    fn node(&self, path: &[u8]) -> Result<Node, Error> {
        self.0.lookup(path).ok_or_else(|| {
            Error::Context(format!("`{}` is not in the image any more", String::from_utf8_lossy(path)))
        })
    }
}

impl Files for Layered {
    fn item(&self, path: &[u8]) -> Result<Option<Item>, Error> {
        Ok(self.find(path))
    }

    fn children(&self, path: &[u8]) -> Result<Vec<Arc<Item>>, Error> {
        Ok(self.0.children(path).iter().map(|node| Arc::new(item_of(node))).collect())
    }

    fn digest(&self, item: &Item, _cancel: &Cancel) -> Result<Digest, Error> {
        Ok(item.digest.get().cloned().unwrap_or_else(|| Digest::of(b"")))
    }

    fn open(&self, item: &Item) -> Result<Box<dyn Read + Send>, Error> {
        Ok(self.0.open(&self.node(&item.path)?)?)
    }
}

/// The kind of an entry as an item.
fn kind_of(entry: &Entry) -> ItemKind {
    match &entry.kind {
        EntryKind::Directory => ItemKind::Directory,
        EntryKind::File { size, .. } => ItemKind::File { size: *size },
        EntryKind::Symlink { target } => ItemKind::Symlink { target: target.clone() },
        EntryKind::CharDevice { major, minor } => ItemKind::CharDevice { major: *major, minor: *minor },
        EntryKind::BlockDevice { major, minor } => ItemKind::BlockDevice { major: *major, minor: *minor },
        EntryKind::Fifo => ItemKind::Fifo,
        // A view shows the file behind a hard link, and no marks; what it might show beside is no file.
        _ => ItemKind::File { size: 0 },
    }
}

fn item_of(node: &Node) -> Item {
    let entry = node.entry();
    Item {
        path: node.path().to_vec(),
        kind: kind_of(entry),
        mode: entry.mode,
        uid: entry.uid,
        gid: entry.gid,
        mtime: entry.mtime,
        xattrs: entry.xattrs.clone(),
        link: node.link(),
        identity: None,
        digest: match &entry.kind {
            EntryKind::File { digest, .. } => OnceLock::from(digest.clone()),
            _ => OnceLock::new(),
        },
    }
}
