//! What an answer is made of: nothing, a few bytes, or a part of a file.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::task::{JoinHandle, spawn_blocking};

/// How much of a file is read at once. Two of these are in memory for each transfer.
const PIECE: u64 = 128 << 10;

/// The body of an answer.
#[derive(Debug)]
pub(crate) enum Body {
    /// Bytes in memory; none, when they were taken.
    Bytes(Option<Bytes>),
    /// A part of a file.
    File(FilePart),
}

/// A part of a file, read while it is sent.
#[derive(Debug)]
pub(crate) struct FilePart {
    file: Arc<File>,
    next: u64,
    end: u64,
    /// How many bytes are still to be given out.
    left: u64,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
}

impl Body {
    /// No body.
    pub(crate) fn empty() -> Self {
        Self::Bytes(None)
    }

    /// `bytes`.
    pub(crate) fn of(bytes: impl Into<Bytes>) -> Self {
        Self::Bytes(Some(bytes.into()).filter(|bytes: &Bytes| !bytes.is_empty()))
    }

    /// The bytes of `file` from `start` to before `end`.
    pub(crate) fn file(file: File, start: u64, end: u64) -> Self {
        Self::File(FilePart { file: Arc::new(file), next: start, end, left: end - start, reading: None })
    }
}

impl FilePart {
    /// Begins to read the next piece, if there is one.
    fn read_ahead(&mut self) {
        let (file, offset) = (Arc::clone(&self.file), self.next);
        let length = PIECE.min(self.end - offset);
        if length == 0 {
            return;
        }
        self.next += length;
        self.reading = Some(spawn_blocking(move || {
            let mut piece = vec![0; usize::try_from(length).expect("a piece is small")];
            file.read_exact_at(&mut piece, offset)?;
            Ok(Bytes::from(piece))
        }));
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let part = match self.get_mut() {
            Self::Bytes(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::File(part) => part,
        };
        if part.reading.is_none() {
            part.read_ahead();
        }
        let Some(reading) = &mut part.reading else {
            return Poll::Ready(None);
        };
        let read = ready!(Pin::new(reading).poll(context)).map_err(io::Error::other).flatten();
        part.reading = None;
        if let Ok(piece) = &read {
            part.left -= piece.len() as u64;
            part.read_ahead();
        }
        Poll::Ready(Some(read.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Bytes(bytes) => bytes.is_none(),
            Self::File(part) => part.left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Bytes(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            Self::File(part) => part.left,
        })
    }
}
