//! A registry: the distribution API of the OCI as a server, over a folder on this machine.
//!
//! | module     | what it decides                                                        |
//! | ---------- | ---------------------------------------------------------------------- |
//! | `server`   | how connections come in, and how they end in good order                |
//! | `api`      | which request means what, and what is answered; one file for each group of endpoints |
//! | `storage`  | where the data is, and that none is lost; blocking, no HTTP            |
//! | `names`    | what may be the name of something                                      |
//! | `options`  | what a server is told before it starts                                 |
//! | `access`   | who asks, and what they may do: users, rules, tokens                   |
//! | `limits`   | how much time, connections and bytes clients may take                  |
//! | `tls`      | encrypted connections                                                  |
//! | `guard`    | the three above at work around each request; `metrics` and `access_log` tell of it |
//! | `proxy`    | what is fetched from other registries, and when                        |
//! | `observer` | how others hear what happens                                           |
//!
//! A request runs through them in this order: `server` gives it to `api::Registry::answer`, that parses it into a
//! route and calls the endpoint, and the endpoint calls `storage` on a thread that may block.

#![forbid(unsafe_code)]

mod access;
mod access_log;
mod api;
mod exchange;
mod guard;
mod limits;
mod metrics;
mod names;
mod observer;
mod options;
mod proxy;
mod server;
mod storage;
mod tls;
mod watched;

pub use access::{AccessOptions, Action, Challenge, Rule, RuleError, Who};
pub use access_log::Record;
pub use limits::Limits;
pub use names::{NameError, RepositoryName, Tag};
pub use observer::{Event, Observer, Silent};
pub use options::Options;
pub use proxy::{ProxyOptions, Upstream, UpstreamError};
pub use server::{Running, Server, StartError};
pub use storage::{CollectOptions, Collected, Error as StorageError, Imported, Verdict, collect, import};
pub use tls::TlsOptions;
