//! A registry: the distribution API of the OCI as a server, over a folder on this machine.
//!
//! | module     | what it decides                                                        |
//! | ---------- | ---------------------------------------------------------------------- |
//! | `server`   | how connections come in, and how they end in good order                |
//! | `api`      | which request means what, and what is answered; one file for each group of endpoints |
//! | `storage`  | where the data is, and that none is lost; blocking, no HTTP            |
//! | `names`    | what may be the name of something                                      |
//! | `options`  | what a server is told before it starts                                 |
//! | `observer` | how others hear what happens                                           |
//!
//! A request runs through them in this order: `server` gives it to [`api::Registry::answer`], that parses it into a
//! route and calls the endpoint, and the endpoint calls `storage` on a thread that may block.

#![forbid(unsafe_code)]

mod api;
mod names;
mod observer;
mod options;
mod server;
mod storage;

pub use names::{NameError, RepositoryName, Tag};
pub use observer::{Event, Observer, Silent};
pub use options::Options;
pub use server::{Running, Server, StartError};
pub use storage::{CollectOptions, Collected, Error as StorageError, Imported, Verdict, collect, import};
