//! What is wrong with an archive of images.

use std::io;
use std::path::PathBuf;

use tug_oci::{Digest, DocumentError, ReferenceError};

use crate::error::Error;
use crate::tar::TarError;

/// Why images cannot be loaded from an archive or layout.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The tar around it cannot be read.
    #[error("the archive cannot be read")]
    Tar(#[source] TarError),
    /// The stream, or what it is compressed with, broke.
    #[error("the archive cannot be read")]
    Read(#[source] io::Error),
    /// There is neither `manifest.json` nor `index.json` in it.
    #[error("this is not an archive of images: it has neither `manifest.json` nor `index.json`")]
    NotImages {
        /// Whether it looks like a root file system.
        is_root_file_system: bool,
    },
    /// It is of the right form, but empty.
    #[error("the archive holds no images")]
    Empty,
    /// The image that was asked for is not among those in it.
    #[error("the archive holds no image `{wanted}`")]
    NotIn {
        /// What was asked for.
        wanted: String,
        /// The names that there are.
        available: Vec<String>,
    },
    /// A document in it is not what it should be.
    #[error("`{path}` in the archive cannot be read")]
    Document {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// Something in it is not what those who write such archives put there.
    #[error("`{path}` in the archive cannot be read: {reason}")]
    Malformed {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that is referred to is not in it.
    #[error("{what}, `{path}`, is missing from the archive")]
    Missing {
        /// What it is: `the config of image 1`, `layer 3 of 5`.
        what: String,
        /// The file.
        path: String,
    },
    /// A layer is not the one that the config names.
    #[error("layer `{path}` should unpack to `{expected}`, but is `{actual}`")]
    LayerMismatch {
        /// The file.
        path: String,
        /// What the config says.
        expected: Digest,
        /// What it is.
        actual: Digest,
    },
    /// A layer has the right digest, and is no tar that could be unpacked.
    #[error("the layers of {image} cannot be unpacked")]
    Layers {
        /// The image: its name, or its digest.
        image: String,
        /// What is wrong with one of them.
        source: Box<Error>,
    },
    /// The archive has two files of one name, and they differ.
    #[error("`{path}` is in the archive twice, with different content")]
    Twice {
        /// The file.
        path: String,
    },
    /// A link leads out of the archive, or in a circle.
    #[error("the link `{path}` in the archive leads nowhere")]
    Link {
        /// The link.
        path: String,
    },
    /// A name of an image is not one.
    #[error("an image in the archive is called `{name}`")]
    Name {
        /// What it is called.
        name: String,
        /// Why that is not a name.
        source: ReferenceError,
    },
    /// The folder that a layout should be written to has other files in it.
    #[error("`{}` is not an image layout, and not empty", path.display())]
    NotALayout {
        /// The folder.
        path: PathBuf,
    },
    /// A file of a layout folder is no plain file, or leads out of the folder.
    #[error("`{path}` in the layout is not a file of its own")]
    NotAFile {
        /// The file.
        path: String,
    },
}

impl ArchiveError {
    /// What the user can do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NotImages { is_root_file_system: true } => {
                Some("it looks like a root file system: `tug import` makes an image of it".to_owned())
            }
            Self::NotIn { available, .. } if !available.is_empty() => {
                Some(format!("it has `{}`", available.join("`, `")))
            }
            Self::Tar(error) => error.hint(),
            Self::Read(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Some("it was not copied or downloaded whole; fetch it again".to_owned())
            }
            _ => None,
        }
    }
}
