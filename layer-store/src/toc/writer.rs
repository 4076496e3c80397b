//! Makes a table of contents, record by record.

use tug_oci::{Algorithm, Digest};

use super::numbers::{append_number, append_signed, append_text};
use super::record::kind;
use super::{MAGIC, Toc};
use crate::entry::{Entry, EntryKind, Mtime, Xattrs};
use crate::tar::Segment;

/// A table larger than this comes from no sensible layer; offsets in it have 32 bits.
const LARGEST: usize = 1 << 30;

/// A table of contents in the making.
pub(crate) struct TocWriter {
    bytes: Vec<u8>,
}

/// The table would have become larger than any that can be read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TocTooLarge;

impl TocWriter {
    pub(crate) fn new() -> Self {
        Self { bytes: MAGIC.to_vec() }
    }

    /// Adds an entry; it must come behind the last one in canonical order.
    ///
    /// `segments` are the pieces of a sparse file that the tar holds.
    pub(crate) fn entry(&mut self, entry: &Entry, segments: Option<&[Segment]>) -> Result<(), TocTooLarge> {
        let byte = match &entry.kind {
            EntryKind::Directory => kind::DIRECTORY,
            EntryKind::File { .. } => kind::FILE,
            EntryKind::Symlink { .. } => kind::SYMLINK,
            EntryKind::HardLink { .. } => kind::HARD_LINK,
            EntryKind::CharDevice { .. } => kind::CHAR_DEVICE,
            EntryKind::BlockDevice { .. } => kind::BLOCK_DEVICE,
            EntryKind::Fifo => kind::FIFO,
            EntryKind::Whiteout => kind::WHITEOUT,
            EntryKind::Opaque => kind::OPAQUE,
        };
        self.begin(byte, &entry.path, [entry.mode, entry.uid, entry.gid], entry.mtime);
        match &entry.kind {
            EntryKind::File { size, digest, offset } => {
                append_number(&mut self.bytes, *size);
                append_number(&mut self.bytes, *offset);
                self.bytes.extend_from_slice(&sha256_of(digest));
                append_number(&mut self.bytes, segments.map_or(0, |segments| segments.len() as u64 + 1));
                for segment in segments.unwrap_or_default() {
                    append_number(&mut self.bytes, segment.offset);
                    append_number(&mut self.bytes, segment.length);
                }
            }
            EntryKind::Symlink { target } | EntryKind::HardLink { target } => {
                append_text(&mut self.bytes, target);
            }
            EntryKind::CharDevice { major, minor } | EntryKind::BlockDevice { major, minor } => {
                append_number(&mut self.bytes, u64::from(*major));
                append_number(&mut self.bytes, u64::from(*minor));
            }
            _ => {}
        }
        self.end(&entry.xattrs)
    }

    /// Adds a directory that the tar does not list.
    pub(crate) fn implied(&mut self, path: &[u8]) -> Result<(), TocTooLarge> {
        self.begin(kind::IMPLIED, path, [0o755, 0, 0], Mtime::EPOCH);
        self.end(&Xattrs::new())
    }

    /// The table. Fails only when entries were out of order.
    pub(crate) fn finish(self) -> Toc {
        Toc::from_bytes(self.bytes).expect("whoever adds entries keeps them in order")
    }

    fn begin(&mut self, kind: u8, path: &[u8], numbers: [u32; 3], mtime: Mtime) {
        self.bytes.push(kind);
        append_text(&mut self.bytes, path);
        for number in numbers {
            append_number(&mut self.bytes, u64::from(number));
        }
        append_signed(&mut self.bytes, mtime.seconds);
        append_number(&mut self.bytes, u64::from(mtime.nanos));
    }

    fn end(&mut self, xattrs: &Xattrs) -> Result<(), TocTooLarge> {
        append_number(&mut self.bytes, xattrs.len() as u64);
        for (name, value) in xattrs {
            append_text(&mut self.bytes, name);
            append_text(&mut self.bytes, value);
        }
        if self.bytes.len() > LARGEST { Err(TocTooLarge) } else { Ok(()) }
    }
}

/// The 32 bytes behind a SHA-256 digest.
pub(crate) fn sha256_of(digest: &Digest) -> [u8; 32] {
    debug_assert_eq!(digest.algorithm(), Algorithm::Sha256, "content of files is always named by SHA-256");
    let value = |digit: u8| if digit.is_ascii_digit() { digit - b'0' } else { digit - b'a' + 10 };
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digest.hex().as_bytes().as_chunks::<2>().0) {
        *byte = value(pair[0]) << 4 | value(pair[1]);
    }
    hash
}
