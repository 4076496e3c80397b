//! Compression: telling it by content, reading it within bounds, writing it in blocks.
//!
//! What something is compressed with is read from its first bytes; names and media types are only claims.
//!
//! | format | read                                            | written                                          |
//! | ------ | ----------------------------------------------- | ------------------------------------------------ |
//! | gzip   | all members, short ones on all processors       | libdeflate, one member for each block            |
//! | zstd   | all frames, windows of at most 128 MiB          | one frame for each block                         |
//! | xz     | all streams, at most 128 MiB of memory          | –                                                |
//! | bzip2  | all streams                                     | –                                                |
//!
//! A few bytes can stand for terabytes, so what comes out is bounded: in all, and in proportion to what went in.

mod blocks;
mod members;
mod pool;
mod read;

pub use blocks::BlockWriter;
pub(crate) use blocks::Format;
pub(crate) use pool::{InOrder, Pool};
pub use read::{Decompressed, DecompressionLimits};

/// What the fuzz targets ask: whether members of gzip that are read on several threads are what a plain reader makes of them.
#[cfg(feature = "fuzzing")]
pub fn compare_members(bytes: &[u8]) -> Result<(), String> {
    members::compared(bytes).map(drop)
}

/// How something is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// It is not.
    Plain,
    /// With gzip.
    Gzip,
    /// With Zstandard.
    Zstd,
    /// With xz.
    Xz,
    /// With bzip2.
    Bzip2,
}

impl Compression {
    /// How many first bytes [`Compression::detect`] wants to see.
    pub(crate) const HEAD: usize = 10;

    /// Tells by the first bytes how something is compressed; what is not known counts as plain.
    pub(crate) fn detect(head: &[u8]) -> Self {
        match head {
            [0x1f, 0x8b, 0x08, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [b'B', b'Z', b'h', b'1'..=b'9', rest @ ..] if is_bzip2_block(rest) => Self::Bzip2,
            _ => Self::Plain,
        }
    }
}

/// A first block, or the end of a stream without any. A plain tar may well begin with a file called `BZh9`.
fn is_bzip2_block(rest: &[u8]) -> bool {
    rest.starts_with(&[0x31, 0x41, 0x59, 0x26, 0x53, 0x59])
        || rest.starts_with(&[0x17, 0x72, 0x45, 0x38, 0x50, 0x90])
}
