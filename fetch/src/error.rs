//! What can go wrong with fetching, as facts. No address in here has a password in it.

use std::io;
use std::path::PathBuf;

/// Why something could not be fetched.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server answered, but not with the file.
    #[error("`{url}` cannot be fetched: the server answered {status}{}", reason(*status))]
    Status {
        /// What was asked for.
        url: String,
        /// For example 404.
        status: u16,
        /// How often it was asked.
        attempts: u32,
    },
    /// The server could not be reached, or the connection broke, each time.
    #[error("`{url}` cannot be fetched: {reason}")]
    Connection {
        /// What was asked for.
        url: String,
        /// What happened, the last time.
        reason: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// The server sent less or more than it had said.
    #[error("`{url}` came incomplete: {received} bytes of {expected}")]
    Length {
        /// What was asked for.
        url: String,
        /// What the server had said.
        expected: u64,
        /// What came.
        received: u64,
    },
    /// The server's certificate is not to be trusted, or the two speak no common TLS.
    #[error("`{url}` cannot be fetched: no secure connection: {reason}")]
    Tls {
        /// What was asked for.
        url: String,
        /// Why.
        reason: String,
    },
    /// A redirect that is not followed.
    #[error("`{url}` redirects to `{target}`, {reason}")]
    Redirect {
        /// What was asked for.
        url: String,
        /// Where it leads.
        target: String,
        /// Why it is not followed.
        reason: &'static str,
    },
    /// It is larger than it may be.
    #[error("`{url}` is larger than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        url: String,
        /// The most it may be.
        limit: u64,
    },
    /// The answer makes no sense.
    #[error("`{url}` cannot be fetched: the server's answer makes no sense: {reason}")]
    Answer {
        /// What was asked for.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A proxy is not one.
    #[error("the proxy for `{url}` cannot be used: {reason}")]
    Proxy {
        /// What was asked for.
        url: String,
        /// Why, without the proxy's password.
        reason: String,
    },
    /// What came could not be written.
    #[error("what came from `{url}` could not be written")]
    Write {
        /// What was asked for.
        url: String,
        /// Why.
        source: io::Error,
    },
    /// There is no `git` on this machine.
    #[error("`git` is not installed, and `{url}` is fetched with it")]
    NoGit {
        /// What was asked for.
        url: String,
    },
    /// `git` could not do it.
    #[error("`{url}` cannot be fetched: {reason}")]
    Git {
        /// The repository.
        url: String,
        /// What git said, in short.
        reason: String,
        /// What the user can do, if we know.
        advice: Option<&'static str>,
    },
    /// A reference that the repository does not have.
    #[error("`{url}` has no branch, tag or commit `{reference}`")]
    NoReference {
        /// The repository.
        url: String,
        /// What was asked for.
        reference: String,
    },
    /// A commit that is not the one that was promised.
    #[error("`{reference}` of `{url}` is commit `{actual}`, not `{expected}`")]
    OtherCommit {
        /// The repository.
        url: String,
        /// The branch or tag.
        reference: String,
        /// What was promised: the first digits of a commit, or all.
        expected: String,
        /// What it is.
        actual: String,
    },
    /// A submodule that is not to be fetched.
    #[error("the submodule `{path}` of `{url}` cannot be fetched: {reason}")]
    Submodule {
        /// The repository that has it.
        url: String,
        /// Where it is in it.
        path: String,
        /// Why.
        reason: String,
    },
    /// A file of the caller's folder could not be used.
    #[error("could not {action} `{}`", path.display())]
    Io {
        /// For example `make`.
        action: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Whoever asked gave up.
    #[error("given up")]
    Stopped,
}

impl Error {
    /// What the user can do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Status { status: 401 | 403, .. } => {
                "it wants a login: give a token with `--secret id=HTTP_AUTH_TOKEN_<host>,env=NAME`"
            }
            Self::Status { status: 404 | 410, .. } => "look for a mistake in the address",
            Self::Status { status: 407, .. } => "the proxy wants a login: put it into the proxy's address",
            Self::Status { status: 429, .. } => "it asks for patience: try again later",
            Self::Status { status: 500.., .. } => "the trouble is on the server's side: try again later",
            Self::Connection { .. } => {
                "is the address right, and is there a network? proxies come from `HTTP_PROXY`, `HTTPS_PROXY` \
                 and `NO_PROXY`"
            }
            Self::Tls { .. } => {
                "a certificate of your own goes into a file that the variable `SSL_CERT_FILE` names"
            }
            Self::Redirect { .. } => "name the address that it leads to, if you trust it",
            Self::NoGit { .. } => "install it, for example with `apt-get install git` or `apk add git`",
            Self::NoReference { .. } => "`git ls-remote` shows which branches and tags there are",
            Self::Git { advice: Some(advice), .. } => advice,
            _ => return None,
        };
        Some(text.to_owned())
    }

    /// Whether it is a matter of the network, and not of what was asked for.
    pub fn is_network(&self) -> bool {
        match self {
            Self::Status { status, .. } => *status == 429 || *status >= 500 || *status == 407,
            Self::Connection { .. } | Self::Length { .. } | Self::Tls { .. } | Self::Proxy { .. } => true,
            Self::Git { advice, .. } => advice.is_some(),
            _ => false,
        }
    }
}

/// The words for the more common answers.
fn reason(status: u16) -> &'static str {
    match status {
        400 => " (bad request)",
        401 => " (not logged in)",
        403 => " (not allowed)",
        404 => " (not found)",
        407 => " (the proxy wants a login)",
        410 => " (gone)",
        416 => " (no such range)",
        429 => " (too many requests)",
        500 => " (internal error)",
        502 => " (bad gateway)",
        503 => " (not available)",
        504 => " (gateway timeout)",
        _ => "",
    }
}
