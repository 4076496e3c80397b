//! What can go wrong while data is kept: facts only. What a client is told of it is decided in `api`.

use std::io;
use std::path::{Path, PathBuf};

use tug_oci::Digest;

/// Why something could not be kept, found or taken away.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused something.
    #[error("could not {action} `{}`", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file of ours is not what it must be, and could not be mended.
    #[error("`{}` is damaged: {why}", .path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The root belongs to another version, or to something else.
    #[error("`{}` cannot be the root of a registry: {why}", .path.display())]
    NotARoot {
        /// Which folder.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// What is to be imported is not what a registry leaves on a disk.
    #[error("`{}` is no data of a registry: {why}", .path.display())]
    NotATree {
        /// Which folder.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// Another server has the root.
    #[error("another registry server works in `{}`", .0.display())]
    InUse(PathBuf),
    /// What was uploaded is not what its name promises.
    #[error("the content has the digest {actual}, not {expected}")]
    DigestMismatch {
        /// What was promised.
        expected: Digest,
        /// What came.
        actual: Digest,
    },
    /// A manifest names what is not in its repository.
    #[error("the manifest names what is not in the repository: {}", list(.0))]
    Missing(Vec<Digest>),
    /// A tag that cannot be changed points to something else.
    #[error("the tag `{0}` is immutable, and points to something else")]
    Fixed(String),
    /// What the request takes for granted does not hold (`If-Match`, `If-None-Match`).
    #[error("the tag does not point to what the request expects")]
    Precondition,
}

impl Error {
    /// What went wrong and why, in one line.
    pub fn sentence(&self) -> String {
        match self {
            Self::Io { source, .. } => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }

    /// Whether the disk, or what this user may have of it, is full.
    pub fn is_disk_full(&self) -> bool {
        match self {
            Self::Io { source, .. } => {
                matches!(source.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
            }
            _ => false,
        }
    }
}

/// The first ones; a manifest can name tens of thousands.
fn list(digests: &[Digest]) -> String {
    const MOST: usize = 10;
    let shown: Vec<String> = digests.iter().take(MOST).map(ToString::to_string).collect();
    match digests.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// Says on which file something failed.
pub(crate) trait At<T> {
    /// Adds what was tried, as in "could not *open* `path`".
    fn at(self, action: &'static str, path: &Path) -> Result<T, Error>;
}

impl<T> At<T> for io::Result<T> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(|source| Error::Io { action, path: path.to_owned(), source })
    }
}

impl<T> At<T> for Result<T, rustix::io::Errno> {
    fn at(self, action: &'static str, path: &Path) -> Result<T, Error> {
        self.map_err(io::Error::from).at(action, path)
    }
}

/// `Ok(None)` where there is nothing.
pub(crate) fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        // A part of the path that is a file is no folder with something in it.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
