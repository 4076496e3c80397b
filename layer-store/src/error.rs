//! What can go wrong in the store, said in terms of what happened.
//!
//! Every system call that fails is named with what was being done and the path it was done to. Three causes deserve
//! words of their own, whichever call met them: a full disk, a file system that cannot be written to, and missing
//! permissions.

use std::io;
use std::path::{Path, PathBuf};

use crate::archive::ArchiveError;
use tug_oci::{Digest, DocumentError, Platform, Reference};

/// The result of work on the store.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong in the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The disk, or the user's share of it, is full.
    #[error("no space is left to {action} `{}`", path.display())]
    DiskFull {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
    },
    /// The file system is mounted read-only.
    #[error("cannot {action} `{}`: its file system is read-only", path.display())]
    ReadOnly {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
    },
    /// The permissions of a file or folder forbid it.
    #[error("cannot {action} `{}`: permission denied", path.display())]
    NotAllowed {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
    },
    /// The operating system refused for another reason.
    #[error("cannot {action} `{}`", path.display())]
    Filesystem {
        /// What was being done.
        action: &'static str,
        /// To what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A stream that we read from, or write to, for the caller broke.
    #[error("cannot {action}")]
    Stream {
        /// What was being done.
        action: &'static str,
        /// What the stream said.
        source: io::Error,
    },

    /// The store is another user's, and root would leave files in it that its owner cannot remove.
    #[error("the store `{}` belongs to the user with the id {owner}", path.display())]
    OtherOwner {
        /// The store.
        path: PathBuf,
        /// Its owner.
        owner: u32,
    },
    /// Somebody else works in the store, and this needs it alone.
    #[error("another tug works in the store `{}`", path.display())]
    InUse {
        /// The store.
        path: PathBuf,
    },
    /// Files cannot share blocks on the file system of the store.
    #[error("files in `{}` cannot share blocks: its file system has no reflinks", path.display())]
    NoReflinks {
        /// The tree of a layer.
        path: PathBuf,
    },
    /// The file system cannot hold what layers have.
    #[error("`{}` cannot be made: its file system {lacks}", path.display())]
    Unfit {
        /// What was to be made.
        path: PathBuf,
        /// What it cannot do: `has no symbolic links`.
        lacks: &'static str,
    },
    /// A store cannot be moved into itself, nor around itself.
    #[error("the store cannot be moved to `{}`: one of the two is inside of the other", path.display())]
    MoveInside {
        /// Where it should go.
        path: PathBuf,
    },
    /// What was copied is not whole. The store is still where it was.
    #[error("{count} things are wrong in the copy in `{}`, so the store stays where it was", path.display())]
    BadCopy {
        /// The copy.
        path: PathBuf,
        /// How many.
        count: usize,
    },
    /// There is no store in a folder that is only to be read.
    #[error("there is no store in `{}`", path.display())]
    NoStore {
        /// The folder.
        path: PathBuf,
    },
    /// Something that is no folder is where the store should be, or above it.
    #[error("`{}` cannot be a store: a file is in its place", path.display())]
    FileInPlace {
        /// Where the store should be.
        path: PathBuf,
    },
    /// The folder has files of somebody else in it.
    #[error("`{}` is not a store: it has other files in it, for example `{found}`", path.display())]
    NotAStore {
        /// The folder.
        path: PathBuf,
        /// One of the files.
        found: String,
    },
    /// A newer tug has made the store, and uses what this one does not know.
    #[error("the store `{}` needs `{feature}`, which this version of tug does not know", path.display())]
    UnknownFeature {
        /// The store.
        path: PathBuf,
        /// The feature, as written in `meta.json`.
        feature: String,
    },
    /// A file of the store itself cannot be understood.
    #[error("`{}` of the store is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },

    /// Bytes arrived whole, but are not what their name promises.
    #[error("blob `{expected}` arrived as `{actual}`")]
    DigestMismatch {
        /// What was promised.
        expected: Digest,
        /// What arrived.
        actual: Digest,
    },
    /// A blob has another length than its descriptor says.
    #[error("blob `{digest}` has {actual} bytes, but {expected} were announced")]
    SizeMismatch {
        /// The blob.
        digest: Digest,
        /// The announced length.
        expected: u64,
        /// The length found.
        actual: u64,
    },
    /// A blob in the store no longer agrees with its name.
    #[error("blob `{digest}` in the store is damaged")]
    BlobDamaged {
        /// The blob.
        digest: Digest,
    },
    /// A blob that is needed is not in the store.
    #[error("{what} `{digest}` is not in the store")]
    MissingBlob {
        /// What kind of blob: `the manifest`, `the config`, `layer 3 of 5`.
        what: String,
        /// The blob.
        digest: Digest,
        /// A registry and repository in which it was seen.
        origin: Option<String>,
    },
    /// A blob that is not in the store could not be had from where it was seen.
    #[error(transparent)]
    Fetch(Box<dyn std::error::Error + Send + Sync>),
    /// Something is longer than anything sensible.
    #[error("{what} is larger than {limit} bytes")]
    TooLarge {
        /// What it is.
        what: String,
        /// The limit.
        limit: u64,
    },
    /// There is more of something than anything sensible.
    #[error("{what}: more than {limit}")]
    TooMany {
        /// What there is too much of.
        what: String,
        /// The limit.
        limit: u64,
    },

    /// A manifest, index or config cannot be understood.
    #[error("`{digest}` cannot be read")]
    Document {
        /// The blob.
        digest: Digest,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// The descriptor points to something that is neither an image nor an index of images.
    #[error("`{digest}` is of type `{media_type}`, which is not an image")]
    NotAnImage {
        /// The blob.
        digest: Digest,
        /// Its type.
        media_type: String,
    },
    /// Manifest and config disagree about the layers.
    #[error("image `{digest}` is inconsistent: {layers} layers in its manifest, {diff_ids} in its config")]
    LayerCount {
        /// The manifest.
        digest: Digest,
        /// Layers in the manifest.
        layers: usize,
        /// Layers in the config.
        diff_ids: usize,
    },
    /// An index has no image for the platform.
    #[error("`{digest}` has no image for {wanted}")]
    NoSuchPlatform {
        /// The index.
        digest: Digest,
        /// What was asked for.
        wanted: Box<Platform>,
        /// What there is.
        available: Vec<Platform>,
    },
    /// An image was to be written in words of docker's that do not exist.
    #[error("docker's media types have none for the layers of `{digest}`, which are compressed with zstd")]
    NoMediaType {
        /// The image.
        digest: Digest,
    },
    /// No image has the name.
    #[error("there is no image `{}` in the store", name.familiar())]
    NoSuchImage {
        /// The name.
        name: Reference,
    },
    /// A shortened id fits more than one image.
    #[error("`{id}` fits {} images", matches.len())]
    AmbiguousId {
        /// What was given.
        id: String,
        /// The ids it fits.
        matches: Vec<Digest>,
    },
    /// An archive of images is not as it should be.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A folder or layer cannot become a layer of an image.
    #[error(transparent)]
    Folder(#[from] crate::mutate::FolderError),
    /// The caller gave up: see [`crate::Store::stopping_when`].
    #[error("it was stopped")]
    Stopped,
    /// The layer is not in the store in any form.
    #[error("layer `{0}` is not in the store")]
    MissingLayer(tug_oci::DiffId),
    /// A layer cannot be made, read or laid over others.
    #[error(transparent)]
    Layer(#[from] crate::layer::LayerError),
}

impl Error {
    /// What the user can do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Layer(error) if !self.is_disk_full() => error.hint(),
            Self::ReadOnly { .. } | Self::NotAllowed { .. } => {
                Some("choose a folder that you may write to as the store".to_owned())
            }
            Self::OtherOwner { .. } => {
                Some("use it as that user: what root makes in it, the owner could not change".to_owned())
            }
            Self::NoReflinks { .. } => Some(
                "xfs and btrfs have them; `--hard-links` works everywhere, for files that are equal in all"
                    .to_owned(),
            ),
            Self::Unfit { .. } => Some(
                "keep the store on ext4, xfs, btrfs or tmpfs: images without RUN can be built anywhere"
                    .to_owned(),
            ),
            Self::InUse { .. } => Some("do it again when that has ended".to_owned()),
            Self::BadCopy { .. } => Some(
                "`tug store verify` shows whether the store was like that before; then do it again"
                    .to_owned(),
            ),
            Self::NoStore { .. } => {
                Some("name the folder that `tug store path` shows to its owner".to_owned())
            }
            Self::NotAStore { .. } | Self::FileInPlace { .. } => {
                Some("give an empty or new folder as the store".to_owned())
            }
            Self::UnknownFeature { .. } => {
                Some("use the version of tug that made the store, or a newer one".to_owned())
            }
            Self::MissingBlob { origin: Some(origin), .. } => {
                Some(format!("it was seen in `{origin}`: pull the image again"))
            }
            Self::Damaged { path, .. } if path.ends_with("index.json") => Some(
                "`tug store verify --repair` keeps what can be read, and finds the images again".to_owned(),
            ),
            Self::BlobDamaged { .. } => Some("load, pull or build the image again to replace it".to_owned()),
            Self::NoSuchPlatform { available, .. } if !available.is_empty() => {
                Some(format!("it has images for {}", list(available)))
            }
            Self::NoMediaType { .. } => Some("use OCI's media types, or another compression".to_owned()),
            Self::AmbiguousId { matches, .. } => {
                Some(format!("give more digits: {}", list(matches.iter().map(Digest::short))))
            }
            Self::Archive(error) if !self.is_disk_full() => error.hint(),
            _ if self.is_disk_full() => Some("free some space, or choose a store on another disk".to_owned()),
            _ => None,
        }
    }

    /// Whether a full disk, or a used-up quota, is the cause, at whatever depth.
    pub fn is_disk_full(&self) -> bool {
        if matches!(self, Self::DiskFull { .. }) {
            return true;
        }
        let causes = std::iter::successors(std::error::Error::source(self), |error| error.source());
        causes.filter_map(|error| error.downcast_ref::<io::Error>()).any(is_disk_full)
    }
}

impl Error {
    pub(crate) fn is_missing_from_archive(&self) -> bool {
        matches!(self, Self::Archive(ArchiveError::Missing { .. }))
    }
}

/// Turns what the operating system said about `path` into an [`Error`]: `.map_err(failed("create", path))`.
pub(crate) fn failed<E: Into<io::Error>>(
    action: &'static str,
    path: impl AsRef<Path>,
) -> impl FnOnce(E) -> Error {
    move |error| {
        let source: io::Error = error.into();
        let path = path.as_ref().to_owned();
        match source.kind() {
            _ if is_disk_full(&source) => Error::DiskFull { action, path },
            io::ErrorKind::ReadOnlyFilesystem => Error::ReadOnly { action, path },
            io::ErrorKind::PermissionDenied => Error::NotAllowed { action, path },
            _ => Error::Filesystem { action, path, source },
        }
    }
}

fn is_disk_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().take(12).map(|item| format!("`{}`", item.to_string())).collect::<Vec<_>>().join(", ")
}

impl From<crate::tar::TarError> for Error {
    fn from(error: crate::tar::TarError) -> Self {
        Self::Layer(error.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_recognised_wherever_it_was_met() {
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let at_once: Error = failed("write", "/store/x")(full());
        assert_eq!(at_once.to_string(), "no space is left to write `/store/x`");
        let deep = Error::Stream { action: "write the archive", source: full() };
        for error in [at_once, deep] {
            assert!(error.is_disk_full());
            assert!(error.hint().unwrap().contains("free some space"));
        }
        assert!(!Error::Stream { action: "read", source: io::ErrorKind::BrokenPipe.into() }.is_disk_full());
    }

    #[test]
    fn missing_permissions_lead_to_advice() {
        let error: Error = failed("create", "/store")(io::Error::from(io::ErrorKind::PermissionDenied));
        assert_eq!(error.to_string(), "cannot create `/store`: permission denied");
        assert!(error.hint().unwrap().contains("may write"));
    }
}
