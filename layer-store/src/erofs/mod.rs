//! Writes the index of a layer: an EROFS image without the content of files, which stays where it is in the plain tar.
//!
//! Mounted with the tar as its extra device, it is the layer: nothing is unpacked. It is made of the table of contents
//! alone, in one pass, and the same table always gives the same bytes.
//!
//! | in the table             | in the index                                                                  |
//! | ------------------------ | ----------------------------------------------------------------------------- |
//! | file                     | an inode whose first block is one of the tar: blocks have 512 bytes, as in tars |
//! | sparse file              | chunks, if its holes lie on a grid of blocks                                  |
//! | hard link                | one more name of the inode                                                    |
//! | whiteout                 | the character device 0:0                                                      |
//! | opaque mark              | the attribute `trusted.overlay.opaque` = `y`                                  |
//! | implied directory        | mode 755 of the root user, as in a tree                                       |
//! | the root                 | mode 755 of the root user, changed at the epoch                               |
//! | time, most common of all | in the superblock; an inode that has it, and small numbers, takes 32 bytes, else 64 |
//!
//! It is all that a tree made for the root user is, see [`crate::tree`]. What it cannot hold is refused before anything
//! is written ([`IndexError::CannotHold`]); such a layer gets a tree.
//!
//! The kernel reads such images since 5.16 from block devices and since 6.12 from files; older ones know no blocks of
//! 512 bytes (6.4).

mod chain;
mod chunks;
#[cfg(any(test, feature = "fuzzing"))]
mod compare;
mod directory;
mod format;
mod output;
mod plan;
#[cfg(any(test, feature = "fuzzing"))]
mod reader;
mod xattrs;

#[cfg(test)]
mod tests;

use std::io::{self, Write};

use crate::entry::shown;
use crate::toc::Toc;
use crate::view::Merged;
use format::BlockSize;
use output::Output;
use plan::{Plan, Rest};

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IndexError {
    /// It could not be written.
    #[error("could not write an index")]
    Io(#[from] io::Error),
    /// An index cannot say what the table says.
    #[error("an index cannot hold `{}`: {reason}", shown(.path))]
    CannotHold {
        /// The path; empty for the layer as a whole.
        path: Vec<u8>,
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Writes the index of the layer with this table of contents over its plain tar, which has `tar_size` bytes.
///
/// `out` gets it from front to back, in pieces that need no buffer. Returns its length in bytes.
pub(crate) fn write(toc: &Toc, tar_size: u64, out: impl Write) -> Result<u64, IndexError> {
    write_in_blocks(toc, &[tar_size], BlockSize::OF_TARS, out)
}

/// Writes one index for a chain of layers laid over each other, whose plain tars have these sizes: they are its extra
/// devices, lowest first. Of what the layers remove nothing is left in it, and every directory has the metadata that it
/// has in the chain.
///
/// One mount stands for all layers then. A stack of a hundred indexes takes twenty times as long to be mounted, and each
/// look for a name that is nowhere goes through all of them.
pub(crate) fn write_chain(chain: &Merged, tar_sizes: &[u64], out: impl Write) -> Result<u64, IndexError> {
    write_in_blocks(&chain::table(chain, tar_sizes)?, tar_sizes, BlockSize::OF_TARS, out)
}

/// What the fuzz targets ask: whether the index of any table, read back, holds what the table says.
#[cfg(feature = "fuzzing")]
pub fn round_trip(toc: &Toc, tar_size: u64) -> Result<(), String> {
    compare::round_trip(toc, tar_size)
}

fn write_in_blocks(toc: &Toc, tars: &[u64], block: BlockSize, out: impl Write) -> Result<u64, IndexError> {
    let plan = Plan::new(toc, tars, block)?;
    let mut out = Output::new(out);
    out.add(|bytes| bytes.extend(plan.superblock().to_bytes()))?;
    for node in plan.with_inode() {
        let described = plan.describe(node)?;
        out.pad_to(plan.offset(node))?;
        out.add(|bytes| {
            described.inode.append_to(bytes, plan.epoch);
            described.xattrs.append_to(bytes);
        })?;
        match &described.rest {
            Rest::Nothing => {}
            Rest::Inline => out.add(|bytes| bytes.extend(plan.inline(node)))?,
            Rest::Chunks(map) => {
                out.pad_to(out.position().next_multiple_of(8))?;
                out.add(|bytes| map.append_to(bytes, plan.blocks))?;
            }
        }
    }
    out.pad_to(block.round_up(out.position()))?;
    for piece in plan.outside() {
        let piece = piece?;
        out.add(|bytes| bytes.extend(piece))?;
        out.pad_to(block.round_up(out.position()))?;
    }
    for xattr in plan.shared.all() {
        out.add(|bytes| bytes.extend(xattr))?;
    }
    out.pad_to(block.round_up(out.position()))?;
    Ok(out.finish()?)
}
