//! Why a cache could not be read or written. Whoever imports tells it as a warning; a build goes on without.

use std::io;
use std::path::PathBuf;

use tug_registry_client as client;

pub(crate) type Result<T> = std::result::Result<T, CacheError>;

/// Why a cache could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CacheError {
    /// Something else is at its place.
    #[error("`{name}` is {what}")]
    Foreign {
        /// The cache.
        name: String,
        /// What it is, with an article.
        what: String,
        /// What the user can do.
        hint: &'static str,
    },
    /// It is one of ours, and not in order.
    #[error("the cache `{name}` is damaged: {reason}")]
    Damaged {
        /// The cache.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A newer tug has written it.
    #[error("the cache `{name}` has version {version} of the format, which this tug does not know")]
    Newer {
        /// The cache.
        name: String,
        /// Its version.
        version: u32,
    },
    /// The registry did not do what it was asked for.
    #[error("could not {action} the cache `{name}`")]
    Registry {
        /// `read` or `write`.
        action: &'static str,
        /// The cache.
        name: String,
        /// What the registry, or the way to it, had against it.
        source: client::Error,
    },
    /// The folder could not be used.
    #[error("cannot {action} `{}`", path.display())]
    Folder {
        /// What was being done.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The store could not do its part.
    #[error(transparent)]
    Store(#[from] tug_layer_store::Error),
    /// Others wrote it each time.
    #[error("the cache `{name}` was written by others each time it was to be written, {attempts} times")]
    Busy {
        /// The cache.
        name: String,
        /// How often it was tried.
        attempts: usize,
    },
    /// The user gave up.
    #[error("it was stopped")]
    Stopped,
}

impl CacheError {
    /// What the user can do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Foreign { hint, .. } if !hint.is_empty() => Some((*hint).to_owned()),
            Self::Newer { .. } => Some("use a newer tug, or another name for the cache".to_owned()),
            Self::Registry { source, .. } => source.hint().map(str::to_owned),
            Self::Store(error) => error.hint(),
            _ => None,
        }
    }

    pub(crate) fn folder(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Folder { action, path, source }
    }
}
