//! The distribution API as a client: whom to ask, who asks, and how often.
//!
//! [`Client`] speaks with registries as the distribution specification describes it, and with what they do instead.
//! Bytes of manifests are never changed. Blobs go into a [`BlobSink`] and come from a [`BlobSource`] of the caller, in
//! any order and in as many attempts as it takes.
//!
//! | module          | is about                                                                   |
//! | --------------- | -------------------------------------------------------------------------- |
//! | [`credentials`] | who we are: files, variables, helper programs                              |
//! | [`hosts`]       | which servers to ask for a repository: mirrors, blocks, certificates       |
//! | `auth`          | what a server wants to see; tokens                                         |
//! | `transport`     | one exchange over one of the connections; redirects; what waits has limits |
//! | `client`        | asking until there is an answer: one policy of retries for every method    |
//! | `manifest`      | documents                                                                  |
//! | `download`      | large blobs, in parts                                                      |
//! | `upload`        | blobs on their way to a registry: mounts, sessions, resuming               |
//! | `lists`         | tags, repositories, referrers                                              |
//! | `attach`        | what is attached to an image, and the list of it                           |
//!
//! The crate is asynchronous (tokio), knows no store, never prints and never reads the environment. Dropping a future
//! ends what it does.

mod attach;
mod auth;
mod blob;
mod client;
mod config_error;
pub mod credentials;
mod delete;
mod document;
mod download;
mod error;
mod event;
pub mod hosts;
mod lists;
mod manifest;
mod options;
pub mod proxies;
mod repository;
mod retry;
mod secret;
mod text;
pub mod tls;
mod transport;
mod upload;

pub use client::Client;
pub use config_error::{ConfigError, Origin};
pub use download::BlobSink;
pub use error::{Error, Kind};
pub use event::{Event, Observer, Unobserved};
pub use lists::Found;
pub use manifest::{FetchedManifest, PutManifest, RateLimit, Target};
pub use options::{Limits, Options};
pub use repository::Repository;
pub use secret::Secret;
pub use upload::{BlobSource, Delivery, Uploaded};
