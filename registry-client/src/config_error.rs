//! What can be wrong with the configuration of registries: files, certificates, helpers.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::credentials::HelperError;

/// Where a piece of configuration comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// The text in a variable of the environment, of this name.
    Variable(String),
    /// A word of the command line, such as `--creds`.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(out, "`{}`", path.display()),
            Self::Variable(name) => write!(out, "the variable `{name}`"),
            Self::Flag(flag) => write!(out, "`{flag}`"),
        }
    }
}

impl From<&Path> for Origin {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

/// Why the configuration of registries cannot be used. No message has a secret in it, nor a piece of the text of a file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file is there, or was named by the user, and cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file that the user named is not there.
    #[error("there is no `{}`, which `{named_by}` names", path.display())]
    NoSuchFile {
        /// The file.
        path: PathBuf,
        /// The flag or variable.
        named_by: String,
    },
    /// A file is larger than any that makes sense.
    #[error("`{}` has more than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        limit: u64,
    },
    /// It is not in the form that such a file has.
    #[error("{origin} is not valid: {problem}")]
    Malformed {
        /// Where it stands.
        origin: Origin,
        /// What is wrong, with its place in the file.
        problem: String,
    },
    /// A program that keeps passwords did not give one.
    #[error(transparent)]
    Helper(#[from] HelperError),
    /// registries.conf forbids the registry.
    #[error("`{repository}` is blocked: {origin} has `blocked = true` for `{prefix}`")]
    Blocked {
        /// What was asked for.
        repository: String,
        /// The entry that blocks it.
        prefix: String,
        /// Where the entry is.
        origin: Origin,
    },
    /// The address of a registry, mirror or proxy is none.
    #[error("`{address}` is not {expected}{}", about(origin.as_ref()))]
    Address {
        /// What was written, without a password.
        address: String,
        /// What it should be.
        expected: &'static str,
        /// Where it was written, if not in the name of an image.
        origin: Option<Origin>,
    },
    /// A file of certificates or keys cannot be used.
    #[error("`{}` cannot be used: {problem}", path.display())]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Nobody said where credentials could be kept.
    #[error("there is no place to keep credentials in")]
    NoPlace,
    /// A file with credentials cannot be written.
    #[error("cannot write `{}`", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl ConfigError {
    /// What the user can do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Read { source, .. } if source.kind() == io::ErrorKind::PermissionDenied => {
                Some("make it readable for you, or remove it".to_owned())
            }
            Self::NoPlace => Some("name a file with `--authfile`".to_owned()),
            Self::Helper(error) => Some(error.hint()),
            Self::Blocked { origin, .. } => Some(format!("change {origin} if that is not meant")),
            _ => None,
        }
    }
}

fn about(origin: Option<&Origin>) -> String {
    origin.map_or_else(String::new, |origin| format!(" (this is about {origin})"))
}
