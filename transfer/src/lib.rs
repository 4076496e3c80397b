//! Moves images between registries, archives and the store.
//!
//! | module      | is about                                                                                |
//! | ----------- | --------------------------------------------------------------------------------------- |
//! | `remote`    | the way in: a client, and the threads that its work runs on                             |
//! | `resolve`   | a name and a platform → manifest and config, in the store                               |
//! | `pull`      | the layers too, and at the end the name                                                 |
//! | `arrival`   | one blob: downloaded, checked, unpacked in one pass; kept half for a later process      |
//! | `fetcher`   | blobs that the store misses, from where they were seen                                  |
//! | `tree`      | an index or manifest with all that it leads to                                          |
//! | `cache`     | results of build steps, in caches elsewhere                                             |
//! | `push`      | a tree into repositories: blobs first, children before their indexes, the name last     |
//! | `copy`      | between any two places, without unpacking; what refers to an image goes along           |
//!
//! The library is sync outside and never prints. What happens is told to an [`Observer`].

mod arrival;
pub mod cache;
mod copy;
mod error;
mod event;
mod fetcher;
mod pull;
mod push;
mod remote;
mod resolve;
mod tree;

pub use copy::{ArchiveKind, ConvertOptions, Copied, CopyOptions, Images, Place, PlaceError};
pub use error::Error;
pub use event::{Direction, Event, Observer, Unobserved};
pub use pull::{Layers, PullOptions, Pulled, Status};
pub use push::{Ahead, PushOptions, Pushed};
pub use remote::Remote;
pub use resolve::Resolved;
