//! The things that take room.

use std::path::PathBuf;
use std::time::SystemTime;

use tug_oci::{Descriptor, Digest, Reference};

use super::disk_size::DiskSize;
use crate::cache_mounts::CacheId;

/// An image: what one or several names, or none, point to.
#[derive(Clone, Debug)]
pub struct ImageUsage {
    /// What the names point to: a manifest or an index.
    pub target: Descriptor,
    /// Its names; none for one that is only kept, such as the result of a build without `-t`.
    pub names: Vec<Reference>,
    /// All blobs and layers that it leads to.
    pub size: DiskSize,
    /// Those of them that other images lead to as well.
    pub shared: DiskSize,
    /// Those of them that nothing else leads to, neither image nor result: what would be free without it.
    pub reclaimable: DiskSize,
    pub(crate) parts: Vec<usize>,
}

/// What a result is the result of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResultKind {
    /// A step of a build.
    Step,
    /// A download.
    Download,
    /// The files of a commit.
    Commit,
    /// Nothing: it is lost, or cannot be read.
    Nothing,
}

/// Results that lead to the same blobs and layers: one layer may be known by several keys.
#[derive(Clone, Debug)]
pub struct ResultUsage {
    /// The keys, sorted.
    pub keys: Vec<Digest>,
    /// What it is the result of.
    pub kind: ResultKind,
    /// When one of the keys was made or found last, to a minute.
    pub used: SystemTime,
    /// The records, with all blobs and layers that they lead to.
    pub size: DiskSize,
    /// Those of them that nothing else leads to: what would be free without it.
    pub reclaimable: DiskSize,
    /// Whether an image leads to one of its blobs or layers as well.
    pub shared: bool,
    /// The room of the records themselves.
    pub(crate) own: DiskSize,
    pub(crate) files: Vec<PathBuf>,
    pub(crate) parts: Vec<usize>,
}

/// A directory of `RUN --mount=type=cache`.
#[derive(Clone, Debug)]
pub struct MountUsage {
    /// Which one.
    pub id: CacheId,
    /// Its room.
    pub size: DiskSize,
    /// When a step, or an import, used it last.
    pub used: SystemTime,
    /// Whether a step uses it right now.
    pub in_use: bool,
}

/// The record of a build: events and logs.
#[derive(Clone, Debug)]
pub struct BuildUsage {
    /// Its name.
    pub id: String,
    /// Its room, with what a failed step left.
    pub size: DiskSize,
    /// What a failed step left of its files.
    pub leftover: DiskSize,
    /// When something was written to it last.
    pub used: SystemTime,
    /// Whether it runs, or somebody reads it.
    pub in_use: bool,
}

/// A copy of a git repository, kept so that only what is new has to be fetched.
#[derive(Clone, Debug)]
pub struct RepositoryUsage {
    /// The name of its folder.
    pub name: String,
    /// Its room.
    pub size: DiskSize,
    /// When something was fetched into it last.
    pub used: SystemTime,
}

/// A download that was not finished.
#[derive(Clone, Debug)]
pub struct DownloadUsage {
    /// The blob that it would become.
    pub digest: String,
    /// Its room.
    pub size: DiskSize,
    /// When something arrived last.
    pub used: SystemTime,
    /// Whether somebody downloads it right now.
    pub in_use: bool,
}
