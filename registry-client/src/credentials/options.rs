//! Where credentials may lie: plain values, filled in by whoever calls.

use std::path::PathBuf;

use super::HelperOptions;
use crate::hosts::RegistriesOptions;
use crate::secret::Secret;

/// The places of credentials, and how helpers are run.
#[derive(Clone, Debug, Default)]
pub struct CredentialOptions {
    /// Given for this run. Counts before everything else.
    pub given: Vec<GivenCredential>,
    /// A file in the text of a variable.
    pub inline: Option<InlineAuth>,
    /// The one file that counts, if the user named one. It must be there, but for saving.
    pub only: Option<NamedFile>,
    /// The usual files in their order, for when none was named: those of podman, then `config.json` of docker. A file with
    /// the name `.dockercfg` has the older layout. Those that are not there are passed over.
    pub files: Vec<PathBuf>,
    /// Those of `files` whose place somebody named: that one of them cannot be read is an error. The others are passed over
    /// then, with a word.
    pub named_files: Vec<PathBuf>,
    /// The file that is made when something is to be saved and none of `files` is there.
    pub new_file: Option<PathBuf>,
    /// Where registries.conf is, for its `credential-helpers`.
    pub registries: RegistriesOptions,
    /// How helpers are found and run.
    pub helpers: HelperOptions,
}

/// A user and a password for this run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenCredential {
    /// The registry that they are for; without it, every one that is named, but no mirror.
    pub registry: Option<String>,
    /// The user.
    pub user: String,
    /// The password.
    pub password: Secret,
    /// The flag that gave them, such as `--creds`.
    pub flag: String,
}

/// The text of a `config.json`, in a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineAuth {
    /// The name of the variable.
    pub variable: String,
    /// Its value.
    pub text: Secret,
}

/// A file that the user named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFile {
    /// The file.
    pub path: PathBuf,
    /// What named it: `--authfile`, or a variable.
    pub named_by: String,
}
