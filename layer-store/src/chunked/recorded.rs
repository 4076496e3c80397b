//! The bytes that a reader of a tar has taken, for whoever wants them as they were.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Read};
use std::rc::Rc;

/// Buffers are a multiple of it.
const BLOCK: u64 = 512;

/// A source whose bytes are kept until somebody takes or skips them. The reader may be ahead by its buffer.
pub(super) struct Recorded<R>(Rc<RefCell<Inner<R>>>);

struct Inner<R> {
    source: R,
    bytes: VecDeque<u8>,
    /// Where the first of `bytes` is in the source.
    start: u64,
}

impl<R> Clone for Recorded<R> {
    fn clone(&self) -> Self {
        Self(Rc::clone(&self.0))
    }
}

impl<R: Read> Recorded<R> {
    pub(super) fn new(source: R) -> Self {
        Self(Rc::new(RefCell::new(Inner { source, bytes: VecDeque::new(), start: 0 })))
    }

    /// What was read before `position` and not taken.
    pub(super) fn take_until(&self, position: u64) -> Vec<u8> {
        self.0.borrow_mut().until(position).collect()
    }

    /// Forgets what was read before `position`.
    pub(super) fn skip_until(&self, position: u64) {
        drop(self.0.borrow_mut().until(position));
    }

    /// Some of what was not taken, read or not; nothing at the end. It ends where a block of the tar does, unless all of it
    /// ends: readers of tar-split take each piece for whole blocks.
    pub(super) fn rest<'a>(&self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        let mut inner = self.0.borrow_mut();
        let room = buffer.len() - (inner.start % BLOCK) as usize;
        let mut count = 0;
        while count < room {
            let more = match inner.bytes.is_empty() {
                true => inner.source.read(&mut buffer[count..room])?,
                false => inner.bytes.read(&mut buffer[count..room])?,
            };
            if more == 0 {
                break;
            }
            count += more;
        }
        inner.start += count as u64;
        Ok(&buffer[..count])
    }
}

impl<R> Inner<R> {
    fn until(&mut self, position: u64) -> std::collections::vec_deque::Drain<'_, u8> {
        let count = usize::try_from(position.saturating_sub(self.start)).unwrap_or(usize::MAX);
        let count = count.min(self.bytes.len());
        self.start += count as u64;
        self.bytes.drain(..count)
    }
}

impl<R: Read> Read for Recorded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut inner = self.0.borrow_mut();
        let count = inner.source.read(buffer)?;
        inner.bytes.extend(&buffer[..count]);
        Ok(count)
    }
}
