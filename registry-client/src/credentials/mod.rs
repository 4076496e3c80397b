//! Whose word counts at a registry: users, passwords and tokens, from every place where they may lie already.
//!
//! The places, in their order; the first that has something for a repository counts:
//!
//! | place                                                        | keys                                |
//! | ------------------------------------------------------------ | ----------------------------------- |
//! | 1 what was given for this run (`--creds`)                    | one registry, or all but mirrors    |
//! | 2 text in a variable (`DOCKER_AUTH_CONFIG`)                  | as in a file                        |
//! | 3 helpers that registries.conf lists (`credential-helpers`)  | host                                |
//! | 4 the file that was named (`--authfile`, `REGISTRY_AUTH_FILE`), else every usual file | see below  |
//!
//! In a file: the helper in `credHelpers`, then the one in `credsStore`, then `auths`; the longest key wins
//! (`key`). A helper or file that has nothing passes the question on. What is wrong is an error, and so is what cannot be
//! read where somebody named it: a private image would be "not found" without a word why. A file in a usual place that
//! cannot be read, such as one that root left for podman, is passed over, and that is told.
//!
//! Nothing here reads the environment, and nothing is read before it is needed.

mod explain;
mod file;
mod helper;
mod key;
mod options;
mod rewrite;
mod save;
#[cfg(test)]
mod tests;
mod walk;

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

pub use explain::{Explanation, Outcome};
pub use helper::{HelperError, HelperOptions, HelperProblem};
pub(crate) use key::{HUB, canonical_host};
pub use options::{CredentialOptions, GivenCredential, InlineAuth, NamedFile};
pub use save::{Removed, Saved};

use crate::config_error::{ConfigError, Origin};
use crate::hosts::Endpoint;
use crate::repository::Repository;
use crate::secret::Secret;
use file::AuthFile;
use helper::{Helper, Helpers};

/// What a key of a file with credentials stands for.
pub(crate) fn key_of(text: &str) -> Repository {
    key::Key::parse(text).repository()
}

/// Something that lets its owner in, and where it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// What it is.
    pub kind: CredentialKind,
    /// Where it was found.
    pub source: CredentialSource,
}

/// What lets its owner in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CredentialKind {
    /// A user and a password.
    Basic {
        /// The user.
        user: String,
        /// The password, or what stands for it.
        password: Secret,
    },
    /// A token that is exchanged for others: the `refresh_token` of OAuth2.
    Identity(Secret),
    /// A token that is sent to the registry as it is.
    Registry(Secret),
}

impl CredentialKind {
    /// A user and a password; the user `<token>` means that the password is an identity token.
    pub fn of_pair(user: &str, password: &str) -> Self {
        match user {
            "<token>" => Self::Identity(Secret::new(password)),
            user => Self::Basic { user: user.to_owned(), password: Secret::new(password) },
        }
    }

    /// The user, if there is one.
    pub fn user(&self) -> Option<&str> {
        match self {
            Self::Basic { user, .. } => Some(user),
            Self::Identity(_) | Self::Registry(_) => None,
        }
    }
}

/// Where credentials were found. Shown as a phrase for messages: "the credentials from …".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialSource {
    /// The file, variable or flag.
    pub origin: Origin,
    /// The key of the entry in it.
    pub key: Option<String>,
    /// The helper that it names, as a program.
    pub helper: Option<String>,
}

impl fmt::Display for CredentialSource {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.helper, &self.key) {
            (Some(helper), Some(key)) => write!(out, "`{helper}` (`{key}` in {})", self.origin),
            (Some(helper), None) => write!(out, "`{helper}` (named in {})", self.origin),
            (None, Some(key)) => write!(out, "{} (`{key}`)", self.origin),
            (None, None) => write!(out, "{}", self.origin),
        }
    }
}

/// All credentials of one run. Questions may take as long as a helper does (it may ask its user for a passphrase), so
/// asynchronous callers ask from a thread that may block.
#[derive(Debug)]
pub struct Credentials {
    options: CredentialOptions,
    helpers: Helpers,
    read: Mutex<Read>,
}

/// What was read so far.
#[derive(Debug, Default)]
struct Read {
    files: std::collections::HashMap<Origin, Option<Arc<AuthFile>>>,
    passed_over: Vec<PassedOver>,
    told: usize,
    listed: Option<Vec<Listed>>,
}

/// A file in a usual place that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PassedOver {
    pub(crate) path: PathBuf,
    pub(crate) reason: String,
}

/// A line of `credential-helpers`.
#[derive(Clone, Debug)]
enum Listed {
    Helper(Helper),
    /// `containers-auth.json`, which stands for the files.
    Files,
}

impl Credentials {
    /// From these places. None of them is read yet.
    pub fn new(options: CredentialOptions) -> Self {
        let helpers = Helpers::new(options.helpers.clone());
        Self { options, helpers, read: Mutex::default() }
    }

    /// What to show to a registry that wants to know who asks for `repository`; `None` is to ask as nobody.
    ///
    /// # Errors
    ///
    /// A place that should be asked first cannot be read, or its helper does not answer.
    pub fn for_repository(&self, repository: &Repository) -> Result<Option<Credential>, ConfigError> {
        self.first(repository, Some(&repository.registry))
    }

    /// The same for one of the places where a repository is looked for. What was given for this run is shown to the
    /// registry that was named, wherever the files say that it is, and never to a mirror.
    ///
    /// # Errors
    ///
    /// As for [`Credentials::for_repository`].
    pub fn for_endpoint(&self, endpoint: &Endpoint) -> Result<Option<Credential>, ConfigError> {
        let named = (!endpoint.is_mirror).then_some(endpoint.named_registry.as_str());
        self.first(&endpoint.uses_credentials_of, named)
    }

    /// The files that were passed over since the last question.
    pub(crate) fn newly_passed_over(&self) -> Vec<PassedOver> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let new = read.passed_over[read.told..].to_vec();
        read.told = read.passed_over.len();
        new
    }

    fn first(
        &self,
        repository: &Repository,
        named_registry: Option<&str>,
    ) -> Result<Option<Credential>, ConfigError> {
        for place in self.places(named_registry)? {
            if let Some(found) = self.ask(&place, repository)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}
