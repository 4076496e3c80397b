//! What happens while images move, for those who show it.

use tug_oci::{Descriptor, Digest, Platform};

/// Where a blob goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From a registry.
    Down,
    /// To a registry.
    Up,
}

/// Something that happened. A blob is named by its digest; a layer that is compressed on its way, whose digest nobody knows
/// yet, by its diff id.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The name led to this manifest or index.
    Resolved {
        /// As the user wrote it, in full.
        name: String,
        /// What it points to.
        target: Descriptor,
    },
    /// Of an index, only this image is moved.
    OnlyOne {
        /// For which platform.
        platform: Platform,
        /// How many images there are.
        of: usize,
    },
    /// A blob is needed at the other end.
    Planned {
        /// The blob.
        blob: Digest,
        /// Its length, if that is known.
        size: Option<u64>,
        /// Where it goes.
        direction: Direction,
    },
    /// It is there already.
    Present {
        /// The blob.
        blob: Digest,
    },
    /// The registry took it over from another of its repositories.
    Mounted {
        /// The blob.
        blob: Digest,
        /// The repository; `None` when the registry has found it by itself.
        from: Option<String>,
    },
    /// Another process downloads it; its end is waited for.
    Waiting {
        /// The blob.
        blob: Digest,
    },
    /// So many bytes have moved.
    Moved {
        /// The blob.
        blob: Digest,
        /// Bytes from its beginning, or that are there in all.
        done: u64,
        /// Its length, if that is known.
        size: Option<u64>,
    },
    /// All bytes of a layer are here; it is still being unpacked.
    Arrived {
        /// The blob.
        blob: Digest,
    },
    /// What arrived was something else; it is fetched once more.
    Again {
        /// The blob.
        blob: Digest,
        /// What arrived.
        actual: Digest,
    },
    /// Nothing is left to be done for it.
    Done {
        /// The blob.
        blob: Digest,
    },
    /// A manifest or index is at its place.
    Published {
        /// The repository, with tag or digest.
        name: String,
        /// The manifest.
        digest: Digest,
    },
    /// What the client tells: pauses, retries, warnings.
    Client(tug_registry_client::Event),
}

/// Is told what happens, from many threads. It must return at once.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event);
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn event(&self, _event: Event) {}
}
