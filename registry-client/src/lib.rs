//! The distribution API of registries, as a client.

mod config_error;
pub mod credentials;
mod document;
pub mod hosts;
pub mod proxies;
mod repository;
mod secret;
pub mod tls;

pub use config_error::{ConfigError, Origin};
pub use repository::Repository;
pub use secret::Secret;
