//! Layers that stay where they are, and are known by a list that they carry along.
//!
//! Layers of two kinds end with a list of their files and of the places of those in the compressed bytes: `zstd:chunked` and
//! eStargz. Who only looks reads the list, and of the rest the pieces of the files that are asked for.
//!
//! | what is read       | is checked against                                                                       |
//! | ------------------ | ---------------------------------------------------------------------------------------- |
//! | the list           | its digest in the annotations of the layer, which the digest of the manifest covers      |
//! | a piece of a file  | its digest in the list                                                                   |
//! | a file             | its digest in the list, once it was read to its end                                      |
//!
//! So nobody on the way can change what is seen. What nobody checks is that the list tells the truth about the tar, whose
//! digest is that of the whole: whoever made the layer may have listed something else than is in it. That is why nothing
//! of it gets into the store, and why a layer without such an annotation, or with a list that is odd in any way, is
//! fetched whole.
//!
//! | module    | is about                                                              |
//! | --------- | --------------------------------------------------------------------- |
//! | `place`   | where the list is, and whether it is the right one                    |
//! | `entries` | what stands in it                                                     |
//! | `window`  | bytes of the layer, some more at a time when one file follows another |
//! | `content` | the content of a file, piece by piece                                 |

mod content;
mod entries;
mod place;
mod window;

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex, PoisonError};

use tug_oci::{Descriptor, DiffId};

use crate::error::Result;
use crate::layer::in_parallel;
use crate::store::Store;
use crate::toc::{FileFacts, Toc};
use entries::Files;
use window::Window;

/// A layer that is smaller comes whole: it is one request, and all of it is checked.
const LEAST: u64 = 256 * 1024;

/// The lists that were read. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Lists(Arc<Mutex<HashMap<DiffId, Option<Arc<Listed>>>>>);

/// A layer that is known by its list.
#[derive(Debug)]
pub(crate) struct Listed {
    toc: Arc<Toc>,
    files: Arc<Files>,
    window: Window,
}

impl Lists {
    /// How many layers are known by their lists.
    pub fn count(&self) -> usize {
        let lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lists.values().filter(|listed| listed.is_some()).count()
    }

    pub(crate) fn get(&self, diff_id: &DiffId) -> Option<Arc<Listed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(diff_id).cloned().flatten()
    }

    /// Reads the lists of those layers that have one, several at once.
    pub(crate) fn read(&self, store: &Store, layers: &[(&DiffId, &Descriptor)]) -> Result<()> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let unread: Vec<_> =
            layers.iter().filter(|(diff_id, _)| !known.contains_key(*diff_id)).copied().collect();
        let read = in_parallel(&unread, |(_, blob)| Listed::read(store, blob))?;
        let mut lists = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for ((diff_id, _), listed) in unread.iter().zip(read) {
            lists.insert((*diff_id).clone(), listed.map(Arc::new));
        }
        Ok(())
    }
}

impl Listed {
    /// `None` when it has no list that can be used.
    fn read(store: &Store, blob: &Descriptor) -> Result<Option<Self>> {
        if blob.size < LEAST || store.has_blob(&blob.digest)? {
            return Ok(None);
        }
        let Some(list) = place::read(store, blob)? else { return Ok(None) };
        let Some((toc, files)) = entries::read(list) else { return Ok(None) };
        let window = Window::new(store, blob);
        Ok(Some(Self { toc: Arc::new(toc), files: Arc::new(files), window }))
    }

    /// What is in it. Where content begins in the tar is not known: offsets are numbers of files.
    pub(crate) fn toc(&self) -> Arc<Toc> {
        Arc::clone(&self.toc)
    }

    /// The content of one of its files.
    pub(crate) fn open(self: &Arc<Self>, file: &FileFacts<'_>) -> Box<dyn Read + Send> {
        content::open(self, file)
    }
}

/// What the fuzz targets ask: whether a list, wherever it comes from, is refused or leads to pieces that are within the first
/// `end` bytes of its layer and are together as long as their files. Returns how many files it has.
#[cfg(feature = "fuzzing")]
pub fn read_list(text: &[u8], end: u64) -> std::result::Result<usize, String> {
    let list = place::List { text: text.to_vec(), end, itself: None };
    entries::read(list).map_or(Ok(0), |(toc, files)| files.check(&toc, end))
}

#[cfg(test)]
mod tests;
