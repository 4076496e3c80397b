//! Tar archives, read with suspicion and written in one way only.
//!
//! Parsers that disagree about an archive are how attacks get in: what one takes for the content of a file is a file of
//! its own for another. So the reader is strict. It takes what every common tool writes (ustar, PAX, GNU, V7, sparse
//! files of all four kinds) and refuses what tools read in different ways:
//!
//! | in the archive                                               | what happens                                  |
//! | ------------------------------------------------------------ | --------------------------------------------- |
//! | PAX records, by their declared length; values may hold any byte | taken; a bad length is refused             |
//! | two headers of the same kind before one entry; one at the end | refused                                      |
//! | GNU long name beside another `path` of PAX, a size before it | refused                                       |
//! | empty or NUL-holding `path`, `linkpath`, `size`, …           | refused                                       |
//! | global PAX headers                                           | ignored; refused when they rename or resize   |
//! | names absolute, with `.` or double slashes                   | cleaned                                       |
//! | names with `..`, with a component above 255 bytes            | refused                                       |
//! | a file whose name ends in `/`                                | a directory (V7); refused when it has content |
//! | links, directories and devices with a size                   | refused                                       |
//! | numbers: octal, base-256; times may be negative              | taken; overflow and other characters refused  |
//! | owner 4294967295, which means "leave as it is" to the kernel | refused                                       |
//! | one block of zeros, then more                                | refused                                       |
//! | no end mark                                                  | taken, when it ends between entries           |
//! | anything behind the end mark                                 | read (it belongs to the digest), not looked at |
//! | unknown types                                                | refused                                       |
//!
//! What a tar may cost is bounded by [`Limits`]. Source: POSIX.1-2017 `pax`, GNU tar manual ("Tar Internals"), Go
//! `archive/tar`, whose bytes the writer matches.

mod content;
mod error;
mod facts;
mod header;
mod limits;
mod name;
mod pax;
mod raw;
mod reader;
mod sparse;
mod writer;

pub use error::TarError;
pub use limits::Limits;
pub(crate) use name::clean;
pub(crate) use raw::Raw;
pub use reader::TarReader;
pub(crate) use sparse::Segment;
pub use writer::TarWriter;

const BLOCK: usize = 512;

/// How many bytes are missing to a whole number of blocks.
fn padding(size: u64) -> usize {
    let over = (size % BLOCK as u64) as usize;
    if over == 0 { 0 } else { BLOCK - over }
}
