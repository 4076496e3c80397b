//! What the store knows about a layer: a small file beside its table of contents.
//!
//! ```text
//! layers/<diff id>/record.json    this
//! layers/<diff id>/toc            the table of contents
//! layers/<diff id>/tree/          the directory form, when there is one
//! layers/<diff id>/erofs          the index over the plain tar, when there is one
//! blobs/sha256/<diff id>          the plain tar, when it is kept
//! ```
//! Neither is synced when it is written: that would stall every step of a build. The record says on which boot of the
//! machine it was written, and whether it was made durable since. One that is not durable and comes from an earlier
//! boot is not trusted: the power may have failed before the disk had it.

use std::path::Path;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use tug_oci::{Descriptor, DiffId};

use crate::error::Result;
use crate::file;
use crate::store::{Owners, StoreOptions};

const FILE: &str = "record.json";
/// Goes up when the same table of contents gives another index.
pub(crate) const INDEX_VERSION: u32 = 2;
const LIMIT: u64 = 64 * 1024;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) diff_id: DiffId,
    pub(crate) tar_size: u64,
    pub(crate) content_size: u64,
    pub(crate) boot_id: String,
    pub(crate) durable: bool,
    /// The blob that it came as; none for a layer made here, which is a plain tar.
    #[serde(default)]
    pub(crate) blob: Option<Descriptor>,
    #[serde(default)]
    pub(crate) tree: Option<TreeForm>,
    /// The version of the index, if there is one: [`INDEX_VERSION`] when this tug would write the same.
    #[serde(default)]
    pub(crate) index: Option<u32>,
}

/// For whom a tree was made: it says owners, and what is opaque, in one of two ways each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TreeForm {
    pub(crate) recorded_owners: bool,
    pub(crate) user_attributes: bool,
}

impl TreeForm {
    /// The form that a process with these options can use.
    pub(crate) fn of(options: &StoreOptions) -> Self {
        Self {
            recorded_owners: options.owners == Owners::Recorded,
            user_attributes: options.in_user_namespace,
        }
    }
}

impl Record {
    /// Reads the record in the folder of a layer; `None` when there is none.
    ///
    /// One that cannot be understood is none either: a power failure may leave it empty, since nobody waited for the
    /// disk. The layer is then made again.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>> {
        let bytes = file::read_small(&folder.join(FILE), LIMIT)?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }

    /// When it was last written; `None` when there is none.
    pub(crate) fn modified(folder: &Path) -> Option<SystemTime> {
        std::fs::metadata(folder.join(FILE)).and_then(|metadata| metadata.modified()).ok()
    }

    /// Writes or replaces it, all or nothing.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let bytes = serde_json::to_vec(self).expect("a record holds nothing but texts and numbers");
        file::replace(&folder.join(FILE), folder, &bytes, file::Durability::Deferred)
    }
}
