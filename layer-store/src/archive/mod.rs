//! Archives of images: what `load` reads and `save` writes.
//!
//! | form                       | told by                         | read | written | by                              |
//! | -------------------------- | ------------------------------- | ---- | ------- | ------------------------------- |
//! | docker-archive, first      | `repositories` alone            | yes  | –       | docker before 1.10              |
//! | docker-archive, old        | `manifest.json`                 | yes  | –       | docker 1.10–24, podman, kaniko  |
//! | docker-archive, new        | both                            | yes  | yes     | docker 25 and later, BuildKit   |
//! | oci-archive                | `index.json`                    | yes  | yes     | podman, skopeo, BuildKit        |
//! | OCI image layout, a folder | `index.json`                    | yes  | yes     | skopeo, umoci, BuildKit         |
//!
//! An archive may be compressed as a whole, may come through a pipe, and may hold many images. Nothing of it enters the
//! store before all of it has been read and every digest agrees. What is written depends only on the images: saving
//! twice gives the same bytes.

mod docker;
mod error;
mod hashing;
mod layout;
mod legacy;
mod load;
mod save;
mod source;
mod syncing;

pub use error::ArchiveError;
pub use load::{LoadOptions, Loaded, Names};
pub use save::{ArchiveCompression, ArchiveFormat, SaveImage, SaveOptions};
