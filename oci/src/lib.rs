//! The values of the OCI specifications: digests, references, platforms, descriptors, manifests, indexes, configs.
//!
//! Values only: nothing here reads a file or a socket. What is parsed here is good from then on.

mod config;
mod descriptor;
mod digest;
pub mod media_type;
mod platform;
mod raw;
mod reference;

pub use config::{Empty, Healthcheck, History, ImageConfig, RootFs, RunConfig};
pub use descriptor::{BASE_DIGEST, BASE_NAME, Descriptor, IMAGE_NAME, Index, Manifest, REF_NAME};
pub use digest::{Algorithm, ChainId, DiffId, Digest, DigestError, Hasher};
pub use platform::{Platform, PlatformError};
pub use raw::{Document, DocumentError, Raw, json_reason};
pub use reference::{Reference, ReferenceError};
