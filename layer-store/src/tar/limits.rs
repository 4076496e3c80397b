//! How much an archive may cost us.

/// Bounds on what one archive may hold. An archive that exceeds one is refused before it can do harm.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Entries.
    pub entries: u64,
    /// Bytes of the plain tar.
    pub plain_size: u64,
    /// Bytes of all files together, holes of sparse files included.
    pub content_size: u64,
    /// Bytes of the extended headers of one entry.
    pub extension: u64,
    /// Bytes of one path, and of the target of one link.
    pub path: usize,
    /// From [`Self::ratio_from`] bytes on, the plain tar may be no more than this many times as long as what it was
    /// unpacked from.
    pub ratio: u64,
    /// See [`Self::ratio`].
    pub ratio_from: u64,
}

impl Default for Limits {
    /// Generous for any real layer, and still a bound: 2 million entries, 1 TiB, headers of 1 MiB.
    fn default() -> Self {
        Self {
            entries: 2_000_000,
            plain_size: 1 << 40,
            content_size: 1 << 40,
            extension: 1 << 20,
            path: 64 << 10,
            ratio: 200,
            ratio_from: 1 << 30,
        }
    }
}
