//! Results of build steps that machines give to each other.
//!
//! The store keeps results under their keys ([`Store::cache_record`](crate::Store::cache_record)) and does not look into
//! them; neither does whoever carries them elsewhere and back.

use tug_oci::{Descriptor, DiffId, Digest};

/// The result of a step, for others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportedResult {
    /// What the step is known by.
    pub key: Digest,
    /// What there is to know of it, as one JSON object.
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
    /// What [`ExportedResult::record`] was.
    pub record: Vec<u8>,
    /// The layer that the step added.
    pub layer: DiffId,
    /// The blob that it can be fetched as. The store has been told where: [`Store::note_origin`](crate::Store::note_origin).
    pub blob: Descriptor,
}
