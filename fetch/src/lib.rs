//! Files from elsewhere: over http and https, and out of git repositories.
//!
//! [`Client`] fetches a single file into whatever the caller writes to. [`Git`] keeps copies of repositories in a folder
//! of the caller and gives the files of a commit as tars, or as a working copy. Addresses are parsed at the gate:
//! [`HttpUrl`], [`GitUrl`] and what tells them apart, [`Remote`].
//!
//! The crate is sync, knows nothing of images or Dockerfiles, never prints and never reads the environment: proxies,
//! credentials, roots of trust and the environment of `git` are options. Whatever waits can be stopped: [`Stop`].

mod error;
mod git;
mod http;
mod remote;
mod stop;

pub use error::Error;
pub use git::{Commit, Git, GitOptions, GitTrees, GitUrl, GitUrlError, Part, Wanted, git_version};
pub use http::{
    Client, Credential, Fetched, HttpOptions, HttpUrl, Known, Outcome, Proxies, Sink, UrlError, hide,
};
pub use remote::{Remote, RemoteError};
pub use stop::Stop;
