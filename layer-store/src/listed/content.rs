//! The content of a file of a listed layer: fetched piece by piece, each checked before anybody sees it.

use std::io::{self, Read};
use std::sync::Arc;

use tug_oci::{Digest, Hasher};

use super::Listed;
use super::entries::{Content, Piece, Source};
use crate::compression::{Decompressed, DecompressionLimits};
use crate::toc::FileFacts;

/// More than a piece can be longer when it is compressed.
const OVERHEAD: u64 = 64 * 1024;

pub(super) fn open(listed: &Arc<Listed>, file: &FileFacts<'_>) -> Box<dyn Read + Send> {
    let pieces = match usize::try_from(file.offset).ok().and_then(|number| listed.files.content(number)) {
        Some(Content::Text) => return Box::new(Text { listed: Arc::clone(listed), done: 0 }),
        Some(Content::Pieces(pieces)) => pieces,
        None => 0..0,
    };
    Box::new(Pieces {
        listed: Arc::clone(listed),
        next: pieces.start,
        last: pieces.end,
        current: Current::Nothing,
        hasher: Some(Hasher::sha256()),
        expected: Digest::from_sha256(file.sha256),
    })
}

struct Pieces {
    listed: Arc<Listed>,
    next: usize,
    last: usize,
    current: Current,
    /// `None` once the whole was checked.
    hasher: Option<Hasher>,
    expected: Digest,
}

/// What is left of a piece.
enum Current {
    Nothing,
    Bytes(io::Cursor<Vec<u8>>),
    Zeros(u64),
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = match &mut self.current {
                Current::Nothing => 0,
                Current::Bytes(bytes) => bytes.read(buffer)?,
                Current::Zeros(left) => {
                    let count = usize::try_from(*left).map_or(buffer.len(), |left| left.min(buffer.len()));
                    buffer[..count].fill(0);
                    *left -= count as u64;
                    count
                }
            };
            if count > 0 || buffer.is_empty() {
                if let Some(hasher) = &mut self.hasher {
                    hasher.update(&buffer[..count]);
                }
                return Ok(count);
            }
            if self.next == self.last {
                let is_wrong = self.hasher.take().is_some_and(|hasher| hasher.finish() != self.expected);
                return if is_wrong { Err(wrong()) } else { Ok(0) };
            }
            let piece = self.listed.files.piece(self.next);
            self.current = match piece.source {
                Source::Zeros => Current::Zeros(piece.size),
                Source::Frame { .. } => Current::Bytes(io::Cursor::new(fetch(&self.listed, piece)?)),
            };
            self.next += 1;
        }
    }
}

/// A piece, decompressed and checked.
fn fetch(listed: &Listed, piece: &Piece) -> io::Result<Vec<u8>> {
    let Source::Frame { offset, end, inner, sha256 } = &piece.source else { return Ok(Vec::new()) };
    let plain = inner + piece.size;
    let compressed = listed.window.read(*offset..(*end).min(offset + plain + plain / 64 + OVERHEAD))?;
    let mut frame = Decompressed::new(compressed.as_slice(), DecompressionLimits::default())?;
    io::copy(&mut frame.by_ref().take(*inner), &mut io::sink())?;
    let mut bytes = Vec::with_capacity(piece.size as usize);
    frame.take(piece.size).read_to_end(&mut bytes)?;
    match Digest::of(&bytes) == Digest::from_sha256(sha256) {
        true => Ok(bytes),
        false => Err(wrong()),
    }
}

fn wrong() -> io::Error {
    let message = "the registry has sent other bytes than the list of the layer names";
    io::Error::new(io::ErrorKind::InvalidData, message)
}

/// The list itself.
struct Text {
    listed: Arc<Listed>,
    done: usize,
}

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut rest = &self.listed.files.text()[self.done..];
        let count = rest.read(buffer)?;
        self.done += count;
        Ok(count)
    }
}
