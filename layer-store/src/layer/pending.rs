//! The shape of what comes next: commit of an upper directory, import of tars, trees for overlay.

use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use tug_oci::{Descriptor, DiffId};

use super::Layer;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::tar::Limits;

/// How a tar becomes a layer.
#[derive(Clone, Debug, Default)]
pub struct ImportLayer {
    /// What the plain tar must be.
    pub expected: Option<DiffId>,
    /// Whether a tree is made at once.
    pub materialise: bool,
    /// Whether the plain tar is kept as a blob.
    pub keep_plain_tar: bool,
    /// What is too much.
    pub limits: Limits,
}

/// Owners that files of an upper directory cannot carry, by inode and time of birth in nanoseconds.
pub type OwnerLookup = HashMap<(u64, i128), (u32, u32)>;

/// How an upper directory becomes a layer.
#[derive(Clone, Debug, Default)]
pub struct CommitOptions {
    /// Owners of links and special files.
    pub owners: OwnerLookup,
    /// No file is younger than this, seconds since 1970.
    pub clamp_mtime: Option<i64>,
}

impl Store {
    /// Makes a layer of a tar, compressed or not.
    pub fn import_layer(&self, _source: &mut dyn Read, options: &ImportLayer) -> Result<Layer> {
        Err(Error::MissingLayer(options.expected.clone().unwrap_or_else(nothing)))
    }

    /// Makes sure that a layer is known, from its blob if need be.
    pub fn ensure_layer(&self, diff_id: &DiffId, _blob: &Descriptor) -> Result<Layer> {
        self.layer(diff_id)?.ok_or_else(|| Error::MissingLayer(diff_id.clone()))
    }

    /// Makes a layer of what an overlay collected in `upper` over the layers `below`, lowest first.
    pub fn commit_upper(&self, _upper: &Path, _below: &[DiffId], _options: &CommitOptions) -> Result<Layer> {
        Err(Error::MissingLayer(nothing()))
    }

    /// Folders for overlay, the top one first, of `layers`, lowest first.
    pub fn lower_dirs(&self, layers: &[DiffId]) -> Result<Vec<PathBuf>> {
        layers.first().map_or(Ok(Vec::new()), |layer| Err(Error::MissingLayer(layer.clone())))
    }
}

fn nothing() -> DiffId {
    DiffId::new(tug_oci::Digest::of(b""))
}
