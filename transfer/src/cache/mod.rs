//! Caches of builds elsewhere: results of steps that other machines have made, and that they shall have.
//!
//! | module     | is about                                                                                 |
//! | ---------- | ---------------------------------------------------------------------------------------- |
//! | `index`    | the format: an OCI manifest whose config is an index of records                           |
//! | `merge`    | what a cache holds after a build: others' records stay, within bounds                     |
//! | `import`   | an index, fetched at the first question; a hit fetches nothing                            |
//! | `export`   | blobs that are missing, then the index                                                    |
//! | `folder`, `local` | a cache in a folder: an OCI layout                                                 |
//! | `registry`, `publish`, `sending` | a cache in a registry                                               |
//! | `place`    | where a cache is, and the way in                                                          |
//! | `inline`   | a cache inside an image                                                                   |
//! | `origin`   | folders as places where the store's fetcher finds blobs                                   |
//!
//! A cache never fails a build: importing tells what is wrong as a [`CacheNotice`], and what exporting returns is for the
//! caller to judge. Nothing in a cache is believed but what a key means, which is up to whoever may write it: blobs and
//! layers are checked against their digests when they are fetched.

mod error;
mod export;
mod folder;
mod import;
mod index;
pub mod inline;
mod local;
mod merge;
pub(crate) mod origin;
mod place;
mod publish;
mod registry;
mod sending;

pub use error::CacheError;
pub use export::{CacheMode, ExportOptions, ExportedCache};
pub use import::{CacheNotice, CacheSource};
pub use index::{ARTIFACT, INDEX};
pub use merge::Bounds;
pub use place::CachePlace;
