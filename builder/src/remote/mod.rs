//! What a build reads from elsewhere: downloads and repositories.
//!
//! What came once is remembered in the store, so that what has not changed is not fetched again, and within one build
//! every step sees the same: an address is asked once.
//!
//! | what                  | remembered by                     | asked again                                            |
//! | --------------------- | --------------------------------- | ------------------------------------------------------ |
//! | a download            | its address without a password    | with `ETag` or `Last-Modified`; not if a known content is promised |
//! | the files of a commit | the commit, whether with submodules | never: a commit does not change                      |
//! | which commit a branch is | nothing                        | by every build                                         |

mod credentials;
mod file;
mod repository;

use std::collections::HashMap;
use std::sync::Mutex;

use tug_fetch::{Client, Commit, Git, GitUrl, Stop, Wanted};
use tug_layer_store::Store;

use crate::cancel::Cancel;
use crate::error::Error;
use crate::options::RemoteOptions;

pub(crate) use credentials::with_secrets;
pub(crate) use file::RemoteFile;

/// Fetches for all steps of a build.
pub(crate) struct Remotes {
    store: Store,
    client: Client,
    git: Git,
    stop: Stop,
    /// Downloads of this build, by their address and what was promised of them.
    files: Mutex<HashMap<String, RemoteFile>>,
    /// Commits of this build, by what was asked for.
    commits: Mutex<HashMap<String, Commit>>,
}

impl Remotes {
    /// Fetches into `store` until `stop` is thrown.
    pub(crate) fn new(store: &Store, options: RemoteOptions, stop: &Cancel) -> Self {
        let stop = stop.clone();
        Self {
            store: store.clone(),
            client: Client::new(options.http),
            git: Git::new(store.root().join("git"), options.git),
            stop: Stop::when(move || stop.is_cancelled()),
            files: Mutex::default(),
            commits: Mutex::default(),
        }
    }

    /// The commit that an address means in this build.
    pub(crate) fn commit(&self, url: &GitUrl) -> Result<Commit, Error> {
        let Wanted { reference, checksum, by_commit, .. } = url.wanted();
        let asked = format!("{}\n{reference:?}\n{checksum:?}\n{by_commit}", url.repository());
        let known = || self.commits.lock().expect("nobody panics while holding it");
        if let Some(commit) = known().get(&asked) {
            return Ok(commit.clone());
        }
        let commit = self.git.resolve(url, &self.stop)?;
        Ok(known().entry(asked).or_insert(commit).clone())
    }
}
