//! The files of a commit, through the `git` program.
//!
//! Of each repository a bare copy is kept in a folder of the caller, so that later only what is new has to come. It is
//! shallow: a commit and its files, without what was before. Files leave it as tars (`git archive`), which is faster than
//! a working copy; a working copy is only made where `.git` is wanted.
//!
//! A repository is somebody else's: `program` says what git may do with it, and what it may not.

mod address;
mod archive;
mod config;
mod program;
mod reference;
mod repository;
mod submodule;
mod working_copy;

#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use crate::error::Error;
use crate::http::Credential;
use crate::stop::Stop;
use config::Settings;
use program::Program;
use repository::Repository;

pub use address::{GitUrl, GitUrlError, Wanted};
pub use archive::{GitTrees, Part};
pub use program::git_version;

/// How repositories are fetched.
#[derive(Clone, Debug)]
pub struct GitOptions {
    /// The environment of `git`: where programs, the user's settings, agents and proxies are found.
    pub environment: Vec<(OsString, OsString)>,
    /// What is sent to some hosts to be let in, over http and https. One without a host is for the host of the repository
    /// that was asked for, and for its submodules there.
    pub credentials: Vec<Credential>,
    /// How long git may say nothing before it is ended.
    pub idle: Duration,
}

impl Default for GitOptions {
    fn default() -> Self {
        Self { environment: Vec::new(), credentials: Vec::new(), idle: Duration::from_secs(300) }
    }
}

/// A commit that an address means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// Its whole name, in hexadecimal digits.
    pub sha: String,
    /// The branch or tag, written out: `refs/heads/main`; `None` for a commit that was named itself.
    pub reference: Option<String>,
}

/// Fetches from repositories. One may be used by many threads, and its folder by many processes.
#[derive(Debug)]
pub struct Git {
    folder: PathBuf,
    options: GitOptions,
    settings: OnceLock<Settings>,
}

impl Git {
    /// Keeps copies of repositories below `folder`, which is made when it is needed.
    pub fn new(folder: PathBuf, options: GitOptions) -> Self {
        Self { folder, options, settings: OnceLock::new() }
    }

    /// The commit that `url` means now. The network is asked unless the commit itself is named and is here.
    pub fn resolve(&self, url: &GitUrl, stop: &Stop) -> Result<Commit, Error> {
        reference::resolve(&self.repository(url), url, stop)
    }

    /// Sees to it that the files of `commit` are here, with those of its submodules if they are wanted.
    pub fn fetch(&self, url: &GitUrl, commit: &Commit, stop: &Stop) -> Result<GitTrees, Error> {
        let repository = self.repository(url);
        repository.fetch(commit, stop)?;
        let mut parts = vec![Part::new(&repository, "", &commit.sha)];
        if url.wanted().submodules {
            submodule::fetch(self, &repository, &commit.sha, "", 0, &mut parts, stop)?;
        }
        GitTrees::new(parts, stop)
    }

    /// Makes a working copy of `commit` in `folder`, which is empty, with `.git` and submodules if they are wanted.
    pub fn check_out(
        &self,
        url: &GitUrl,
        commit: &Commit,
        folder: &std::path::Path,
        stop: &Stop,
    ) -> Result<(), Error> {
        let repository = self.repository(url);
        repository.fetch(commit, stop)?;
        working_copy::make(&repository, url, commit, folder, stop)
    }

    fn repository(&self, url: &GitUrl) -> Repository {
        let settings = self.settings.get_or_init(|| Settings::of_user(&self.options));
        Repository::new(&self.folder, url, &Program::new(&self.options, settings, url))
    }
}
