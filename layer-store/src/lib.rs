//! The content-addressed store of blobs, layers, references and build records.
//!
//! A store is a folder and a valid OCI image layout; the module `store` shows what is where. The library is sync, it
//! never prints and never reads the environment, and many processes may use one store at once.

mod archive;
mod blob;
mod builds;
mod cache;
mod cache_mounts;
mod chunked;
mod compress_ahead;
mod compression;
mod convert;
mod dedup;
mod difference;
mod entry;
mod erofs;
mod error;
mod exchange;
mod export;
mod fetch;
mod file;
mod file_digests;
mod folder;
mod garbage;
mod growing;
mod image;
mod image_form;
mod image_writer;
mod inside;
mod layer;
mod lease;
mod listed;
mod lock;
mod mutate;
mod origins;
mod partial;
mod prune;
mod refs;
mod relocate;
mod reserve;
mod scratch;
mod second;
mod settle;
mod squash;
mod stop;
mod store;
pub mod tar;
mod toc;
mod trash;
mod tree;
mod usage;
mod verify;
mod view;
mod xattr;

pub use archive::{
    ArchiveCompression, ArchiveError, ArchiveFormat, LoadOptions, Loaded, Names, SaveImage, SaveOptions,
};
pub use blob::{BlobWriter, SealedBlob};
pub use builds::{BuildFolder, BuildLimits, RemovedBuild};
pub use cache::StepLock;
pub use cache_mounts::{
    CacheId, CacheMount, CacheSharing, CacheSummary, ExportedCaches, ImportedCache, Merge,
};
#[cfg(feature = "fuzzing")]
pub use chunked::round_trip as chunked_round_trip;
pub use compress_ahead::CompressAhead;
#[cfg(feature = "fuzzing")]
pub use compression::compare_members;
pub use compression::{BlockWriter, Compression, Decompressed, DecompressionLimits};
pub use convert::Conversion;
pub use dedup::{DedupOptions, Deduplicated};
pub use difference::{Aspect, LayerDifference};
pub use entry::{Entry, EntryKind, Mtime, NewEntry, NewEntryKind, Xattrs, canonical_order};
#[cfg(feature = "fuzzing")]
pub use erofs::round_trip as index_round_trip;
pub use error::{Error, Result};
pub use exchange::{ExportedResult, FoundResult};
pub use export::{FolderOptions, Part, WrittenFolder};
pub use fetch::{Fetcher, Wanted};
pub use file::Durability;
pub use file_digests::{FileDigests, FileIdentity};
pub use garbage::Removed;
pub use growing::{Growing, GrowingReader};
pub use image::{Image, ImageSummary};
pub use image_form::{ImageForm, LayerCompression, MediaTypes};
pub use inside::{
    ChangedAspect, Duplicate, FileChange, Hidden, HiddenBy, Leftover, LeftoverKind, Package, PackageKind,
    Packages, Score, Walk, Waste,
};
pub use layer::{
    CommitOptions, ImportLayer, Layer, LayerError, LayerWriter, LayerWriterOptions, Lower, Mountable,
    OwnerLookup,
};
pub use listed::Lists;
#[cfg(feature = "fuzzing")]
pub use listed::read_list;
pub use lock::Lock;
pub use mutate::{
    Changed, Difference, Draft, FolderError, Kept, Placement, RebaseError, Rebased, Which, mark_squashed,
    settle_history,
};
pub use partial::{Claim, Partial, PartialReader};
pub use prune::{
    BuildPrune, CacheKind, CacheLimits, CachePrune, DiskRoom, ImagePrune, Patience, Planned, Prunable,
    PruneOptions, PrunePlan, Pruned, StoreUser, Why,
};
pub use relocate::Moved;
pub use scratch::ScratchDir;
pub use store::{Owners, Store, StoreOptions};
pub use toc::{Toc, TocDamaged};
pub use usage::{
    BuildUsage, DiskSize, DownloadUsage, ImageUsage, MountUsage, RepositoryUsage, ResultKind, ResultUsage,
    Survey,
};
pub use verify::{
    Fault, Finding, LostImage, Outcome, Remedy, Severity, Verified, VerifyOptions, VerifyProgress,
};
pub use view::{LastLink, Node, PathError, View};
