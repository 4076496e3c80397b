//! Sparse files: chunks of one length, each of which is a hole or lies in one piece in the tar.
//!
//! The map of a sparse file says which pieces the tar holds, one behind the other. They can be chunks when all of them
//! begin and end on one grid, but for the end of the file. The coarsest grid is taken: it needs the fewest entries.

use super::format::BlockSize;
use crate::tar::Segment;
use crate::toc::FileFacts;

/// Chunks of one file are no more than this: 8 MiB of index.
const MOST: u64 = 1 << 20;
/// The largest power of two of blocks in a chunk: the format has five bits for it.
const LARGEST: u32 = 31;
/// Entries have eight bytes, and could name a device.
const WITH_INDEXES: u32 = 0x20;

/// The chunks of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ChunkMap {
    /// Which power of two of blocks a chunk has.
    bits: u32,
    count: u64,
    size: u64,
    offset: u64,
    block: BlockSize,
    pieces: Vec<Segment>,
}

/// How the content of a file lies in the tar.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// In one piece.
    Whole,
    /// In chunks.
    Chunks(ChunkMap),
}

impl Content {
    /// Fails when there is no grid that fits.
    pub(super) fn of(facts: &FileFacts<'_>, block: BlockSize) -> Result<Self, &'static str> {
        let Some(segments) = facts.segments() else { return Ok(Self::Whole) };
        let mut pieces: Vec<Segment> = Vec::new();
        for segment in segments.into_iter().filter(|segment| segment.length > 0) {
            let end = segment.offset.checked_add(segment.length).ok_or("a piece of it has no end")?;
            match pieces.last_mut() {
                Some(last) if last.offset + last.length == segment.offset => last.length += segment.length,
                Some(last) if last.offset + last.length > segment.offset => {
                    return Err("pieces of it overlap");
                }
                _ => pieces.push(segment),
            }
            if end > facts.size {
                return Err("a piece of it is beyond its end");
            }
        }
        if pieces.first().map_or(0, |piece| piece.length) == facts.size {
            return Ok(Self::Whole);
        }
        let edges = pieces.iter().flat_map(|piece| [piece.offset, piece.offset + piece.length]);
        let grid = edges.filter(|&edge| edge < facts.size).map(u64::trailing_zeros).min();
        let bits = match grid {
            Some(grid) => {
                grid.checked_sub(block.bits.into()).ok_or("its holes are on no block")?.min(LARGEST)
            }
            None => LARGEST,
        };
        let bits = bits.min(bits_of(block.count(facts.size)));
        let count = facts.size.div_ceil(block.bytes() << bits);
        if count > MOST {
            return Err("its holes are too fine for its length");
        }
        Ok(Self::Chunks(ChunkMap { bits, count, size: facts.size, offset: facts.offset, block, pieces }))
    }
}

impl ChunkMap {
    /// How the inode names the length of a chunk.
    pub(super) fn format(&self) -> u32 {
        WITH_INDEXES | self.bits
    }

    /// The length of all entries.
    pub(super) fn length(&self) -> u64 {
        self.count * 8
    }

    /// How many bytes of the tar it needs behind its offset.
    pub(super) fn stored(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.length).sum()
    }

    /// The entries. `first` is the number of the first block of the tar.
    pub(super) fn append_to(&self, bytes: &mut Vec<u8>, first: u32) {
        let chunk = self.block.bytes() << self.bits;
        let mut pieces = self.pieces.iter().peekable();
        let mut passed = 0;
        for start in (0..self.count).map(|number| number * chunk) {
            while let Some(piece) = pieces.next_if(|piece| piece.offset + piece.length <= start) {
                passed += piece.length;
            }
            let address = pieces.peek().filter(|piece| piece.offset <= start).map(|piece| {
                // Blocks of the index and of all tars together have numbers of 32 bits: that was looked at before.
                first + ((self.offset + passed + (start - piece.offset)) >> self.block.bits) as u32
            });
            bytes.extend([0; 4]); // the number of a block says on which device it is
            bytes.extend(address.unwrap_or(u32::MAX).to_le_bytes());
        }
        debug_assert!(self.size <= self.count * chunk);
    }
}

/// The power of two that is not below a number of blocks.
fn bits_of(blocks: u64) -> u32 {
    blocks.checked_next_power_of_two().map_or(LARGEST, u64::trailing_zeros)
}
