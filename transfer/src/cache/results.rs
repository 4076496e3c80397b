//! What goes into a cache, and what comes out of it.

use tug_oci::{Descriptor, DiffId, Digest};

/// The result of a step that this build had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedResult {
    /// What the step is known by.
    pub key: Digest,
    /// What the builder knows of it, as one JSON object.
    pub record: Vec<u8>,
    /// The layer that it added.
    pub layer: DiffId,
    /// The blob that has it, where the layer is not in the store itself.
    pub blob: Option<Descriptor>,
    /// Whether the layer is in an image that comes out.
    pub in_image: bool,
}

/// The result of a step that somebody else has made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundResult {
    /// What [`ExportedResult::record`] was, as JSON.
    pub record: Vec<u8>,
    /// The layer that the step added.
    pub layer: DiffId,
    /// The blob that it can be fetched as. The store knows where.
    pub blob: Descriptor,
}
