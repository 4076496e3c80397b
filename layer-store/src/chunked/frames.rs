//! The frames of the compressed stream, and where each of them is.
//!
//! Frames are compressed on several threads, in batches of about a mebibyte, so where one begins is known a while after it
//! was filled. Entries wait for that in a queue, which is as short as there are batches on their way.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::Arc;

use tug_oci::{Digest, Hasher};

use super::toc::{Described, Piece, Toc};
use crate::compression::{Format, InOrder, Pool};

/// A file that is longer has several frames.
pub(super) const LONGEST_PIECE: u64 = 1024 * 1024;
const BATCH: usize = 1024 * 1024;

pub(super) struct Frames<W> {
    format: Format,
    work: InOrder<io::Result<Done>>,
    batch: Batch,
    /// The length of the content of the current file that is in its last frame.
    in_piece: u64,
    rest: Rest<W>,
}

/// What goes on once a batch is compressed.
struct Rest<W> {
    out: W,
    position: u64,
    /// `None` once there was an entry that it has no words for.
    toc: Option<Toc>,
    waiting: VecDeque<Waiting>,
}

/// An entry whose frames are not all compressed.
struct Waiting {
    described: Option<Described>,
    size: u64,
    /// Of a file in several pieces.
    whole: Option<Hasher>,
    pieces: Vec<Piece>,
}

/// Frames to be compressed.
#[derive(Default)]
struct Batch {
    bytes: Vec<u8>,
    /// Where each frame ends, and whether it has content of a file.
    ends: Vec<(usize, bool)>,
}

/// Frames that are compressed.
struct Done {
    bytes: Vec<u8>,
    frames: Vec<Frame>,
}

struct Frame {
    /// In the compressed bytes.
    end: usize,
    /// Digest and length of the content, if it is that of a file.
    content: Option<(Digest, u64)>,
}

impl<W: Write> Frames<W> {
    pub(super) fn new(pool: Option<Arc<Pool>>, out: W, level: i32) -> io::Result<Self> {
        let rest = Rest { out, position: 0, toc: Some(Toc::new()?), waiting: VecDeque::new() };
        let format = Format::Zstd(level.clamp(1, 19));
        Ok(Self { format, work: InOrder::new(pool), batch: Batch::default(), in_piece: 0, rest })
    }

    /// Bytes that belong to no file.
    pub(super) fn metadata(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self.batch.ends.last_mut() {
            Some((end, false)) => *end += bytes.len(),
            _ => self.batch.ends.push((self.batch.bytes.len() + bytes.len(), false)),
        }
        self.batch.bytes.extend_from_slice(bytes);
        self.pass_on(BATCH)
    }

    /// The next entry, if there are words for it.
    pub(super) fn begin(&mut self, described: Option<Described>, size: u64) {
        let whole = (size > LONGEST_PIECE).then(Hasher::sha256);
        self.rest.waiting.push_back(Waiting { described, size, whole, pieces: Vec::new() });
        self.in_piece = 0;
    }

    /// Content of the entry that has begun.
    pub(super) fn payload(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        if let Some(whole) = self.rest.waiting.back_mut().and_then(|entry| entry.whole.as_mut()) {
            whole.update(bytes);
        }
        while !bytes.is_empty() {
            let room = LONGEST_PIECE - self.in_piece;
            let count = usize::try_from(room).map_or(bytes.len(), |room| room.min(bytes.len()));
            let (piece, left) = bytes.split_at(count);
            match self.batch.ends.last_mut() {
                Some((end, true)) if self.in_piece > 0 => *end += count,
                _ => self.batch.ends.push((self.batch.bytes.len() + count, true)),
            }
            self.batch.bytes.extend_from_slice(piece);
            self.in_piece += count as u64;
            if self.in_piece == LONGEST_PIECE {
                self.in_piece = 0;
                self.pass_on(BATCH)?;
            }
            bytes = left;
        }
        Ok(())
    }

    /// The end of the entry that has begun.
    pub(super) fn end(&mut self) -> io::Result<()> {
        self.in_piece = 0;
        self.pass_on(BATCH)
    }

    /// Gives back what is written to, how much that was, and the manifest if there is one.
    pub(super) fn finish(mut self) -> io::Result<(W, u64, Option<Toc>)> {
        self.pass_on(1)?;
        let Self { work, rest, .. } = &mut self;
        work.finish(&mut |done| rest.take(done?))?;
        self.rest.settle()?;
        let Rest { out, position, toc, .. } = self.rest;
        Ok((out, position, toc))
    }

    /// Lets the batch be compressed if it has so many bytes.
    fn pass_on(&mut self, least: usize) -> io::Result<()> {
        if self.batch.bytes.len() < least {
            return Ok(());
        }
        let (batch, format) = (std::mem::take(&mut self.batch), self.format);
        let Self { work, rest, .. } = self;
        work.give(move || batch.compress(format), &mut |done| rest.take(done?))
    }
}

impl Batch {
    fn compress(self, format: Format) -> io::Result<Done> {
        let mut tool = format.tool()?;
        let (mut bytes, mut frames, mut start) = (Vec::new(), Vec::with_capacity(self.ends.len()), 0);
        for (end, is_content) in self.ends {
            let plain = &self.bytes[start..end];
            tool.append(plain, &mut bytes)?;
            let content = is_content.then(|| (Digest::of(plain), plain.len() as u64));
            frames.push(Frame { end: bytes.len(), content });
            start = end;
        }
        bytes.shrink_to_fit();
        Ok(Done { bytes, frames })
    }
}

impl<W: Write> Rest<W> {
    fn take(&mut self, done: Done) -> io::Result<()> {
        let mut start = self.position;
        for Frame { end, content } in done.frames {
            let end = self.position + end as u64;
            if let Some((digest, size)) = content {
                // Those before it that have no content, or all of it, are complete by now.
                self.settle()?;
                if let Some(entry) = self.waiting.front_mut() {
                    entry.pieces.push(Piece { digest, size, start, end });
                }
            }
            start = end;
        }
        self.position = start;
        self.out.write_all(&done.bytes)
    }

    /// Lists the entries at the front of which all is known.
    fn settle(&mut self) -> io::Result<()> {
        while let Some(entry) = self.waiting.front() {
            if entry.pieces.iter().map(|piece| piece.size).sum::<u64>() < entry.size {
                return Ok(());
            }
            let Some(entry) = self.waiting.pop_front() else { return Ok(()) };
            let digest = match (entry.whole, entry.pieces.as_slice()) {
                (Some(whole), _) => Some(whole.finish()),
                (None, [only]) => Some(only.digest.clone()),
                (None, _) => None,
            };
            let is_listed = match (entry.described, &mut self.toc) {
                (Some(described), Some(toc)) => toc.add(described, digest, &entry.pieces)?,
                _ => false,
            };
            if !is_listed {
                self.toc = None;
            }
        }
        Ok(())
    }
}
