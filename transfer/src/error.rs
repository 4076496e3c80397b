//! Why an image did not move.

use std::io;
use std::path::PathBuf;

use tug_oci::{Digest, DocumentError, Platform};
use tug_registry_client as client;

use crate::copy::PlaceError;

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Why an image did not move.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A registry did not do what it was asked for.
    #[error("could not {action} `{name}`")]
    Registry {
        /// What was being done: `pull`, `push`, `copy`, `fetch`.
        action: &'static str,
        /// The image or repository.
        name: String,
        /// What the registry, or the way to it, had against it.
        source: client::Error,
    },
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] tug_layer_store::Error),
    /// A blob arrived as something else each time.
    #[error("blob `{expected}` of `{name}` arrived as `{actual}`, twice")]
    Damaged {
        /// The image or repository.
        name: String,
        /// What was promised.
        expected: Digest,
        /// What arrived.
        actual: Digest,
    },
    /// An index has no image for the platform.
    #[error("`{name}` has no image for {wanted}")]
    NoSuchPlatform {
        /// The image.
        name: String,
        /// What was asked for.
        wanted: Box<Platform>,
        /// What there is.
        available: Vec<Platform>,
    },
    /// It is something else than an image.
    #[error("`{name}` is of type `{media_type}`, which is not an image")]
    NotAnImage {
        /// The name.
        name: String,
        /// What it is.
        media_type: String,
    },
    /// A document cannot be understood.
    #[error("`{digest}` of `{name}` cannot be read")]
    Document {
        /// The image.
        name: String,
        /// The document.
        digest: Digest,
        /// What is wrong with it.
        source: DocumentError,
    },
    /// There is more of something than anything sensible.
    #[error("`{name}` has more than {limit} {what}")]
    TooMany {
        /// The image.
        name: String,
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Images of an index are not in the store, and nobody knows where they are.
    #[error("`{name}` is an index, and {missing} of its images are not in the store")]
    Incomplete {
        /// The image.
        name: String,
        /// How many are missing.
        missing: usize,
    },
    /// A blob is neither in the store nor known to be anywhere.
    #[error("blob `{digest}` of `{name}` is not in the store")]
    Missing {
        /// The image.
        name: String,
        /// The blob.
        digest: Digest,
    },
    /// The name pins a digest, so nothing can be put there under a tag.
    #[error("`{0}` names a digest: an image cannot be given one")]
    PinnedDestination(String),
    /// The name pins another digest than the image has.
    #[error("`{name}` names another digest than `{actual}`, which the image has")]
    OtherDigest {
        /// The destination.
        name: String,
        /// The digest of the image.
        actual: Digest,
    },
    /// No image has the name.
    #[error("there is no image `{0}` in the store")]
    NoSuchImage(String),
    /// A place that is to be copied from or to cannot be understood.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// An archive has several images, and none was named.
    #[error("`{0}` has several images")]
    Several(String),
    /// A file could not be written.
    #[error("cannot write `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file or thread could not be had.
    #[error("cannot {action}")]
    Host {
        /// What was being done.
        action: &'static str,
        /// What the operating system said.
        source: io::Error,
    },
    /// The user gave up.
    #[error("it was stopped")]
    Stopped,
}

impl Error {
    /// What the user can do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Registry { source, .. } => source.hint().map(str::to_owned),
            Self::Store(error) => error.hint(),
            Self::Damaged { .. } => {
                Some("a proxy on the way, or the registry itself, serves damaged data".to_owned())
            }
            Self::NoSuchPlatform { available, .. } if !available.is_empty() => {
                let shown: Vec<String> =
                    available.iter().take(20).map(|platform| format!("`{platform}`")).collect();
                Some(format!("it has images for {}", shown.join(", ")))
            }
            Self::Incomplete { .. } => Some(
                "pull it with `--all-platforms`, or push the image for one platform with `--platform`"
                    .to_owned(),
            ),
            Self::Missing { .. } => Some("pull the image again".to_owned()),
            Self::PinnedDestination(_) => Some("give a tag".to_owned()),
            Self::NoSuchImage(_) => Some("`tug images` lists what is there".to_owned()),
            Self::Place(error) => error.hint(),
            Self::Several(place) => Some(format!("name one: `{place}:NAME`")),
            Self::NotAnImage { .. } => {
                Some("`tug copy` moves artifacts between registries and layouts".to_owned())
            }
            _ => None,
        }
    }

    pub(crate) fn registry(
        action: &'static str,
        name: &dyn std::fmt::Display,
    ) -> impl FnOnce(client::Error) -> Self {
        use io::ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
        let name = name.to_string();
        move |source| match source.io().filter(|_| source.kind() == client::Kind::File).map(io::Error::kind) {
            // The store is what failed, not the registry.
            Some(kind @ (StorageFull | QuotaExceeded | ReadOnlyFilesystem | PermissionDenied)) => {
                Self::Host { action: "write a blob to the store", source: kind.into() }
            }
            _ => Self::Registry { action, name, source },
        }
    }
}
