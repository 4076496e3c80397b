//! Tells addresses of repositories from those of files, and both from paths.

use crate::git::{GitUrl, GitUrlError};
use crate::http::{HttpUrl, UrlError};

/// Something that is not on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Remote {
    /// A repository.
    Git(GitUrl),
    /// A file.
    Http(HttpUrl),
}

/// Why an address is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// It looks like that of a repository.
    #[error(transparent)]
    Git(#[from] GitUrlError),
    /// It looks like that of a file.
    #[error(transparent)]
    Http(#[from] UrlError),
}

impl Remote {
    /// Reads `text` if it has the form of an address; `None` when it is a path.
    ///
    /// `short` allows `github.com/…`, which looks like a path and is a repository when it is a context.
    pub fn parse(text: &str, short: bool) -> Option<Result<Self, RemoteError>> {
        if let Some(git) = GitUrl::parse(text, short) {
            return Some(git.map(Self::Git).map_err(RemoteError::from));
        }
        let scheme = text.split_once("://")?.0;
        match scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") {
            true => Some(text.parse().map(Self::Http).map_err(RemoteError::from)),
            false => None,
        }
    }
}

impl std::fmt::Display for Remote {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Git(url) => url.fmt(out),
            Self::Http(url) => url.fmt(out),
        }
    }
}
