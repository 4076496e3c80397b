//! What is left to be read of an entry: stored bytes, and the holes of a sparse file between them.

use super::padding;
use super::sparse::{Segment, SparseMap};

/// What is left of the content of the current entry.
#[derive(Default)]
pub(super) struct Content {
    /// Where it begins in the archive.
    pub(super) offset: u64,
    /// Its length, holes included, and how much of that was read.
    pub(super) size: u64,
    pub(super) done: u64,
    /// The stored bytes that follow in the archive, and the zeros behind them.
    pub(super) stored: u64,
    pub(super) padding: usize,
    pub(super) map: Option<SparseMap>,
    /// The piece of the map that is not yet read to its end.
    segment: usize,
}

/// What comes next.
pub(super) enum Wanted {
    Nothing,
    Zeros(usize),
    Data(usize),
}

impl Content {
    pub(super) fn plain(offset: u64, size: u64) -> Self {
        Self { offset, size, stored: size, padding: padding(size), ..Self::default() }
    }

    pub(super) fn sparse(offset: u64, map: SparseMap, stored: u64) -> Self {
        let (size, padding) = (map.size, padding(stored));
        Self { offset, size, stored, padding, map: Some(map), ..Self::default() }
    }

    /// What comes next, at most `room` bytes of it.
    pub(super) fn wanted(&mut self, room: usize) -> Wanted {
        let bounded = |count: u64| usize::try_from(count).map_or(room, |count| count.min(room));
        let Some(map) = &self.map else {
            return match bounded(self.size - self.done) {
                0 => Wanted::Nothing,
                count => Wanted::Data(count),
            };
        };
        let is_read = |segment: &Segment| segment.offset + segment.length <= self.done;
        while map.segments.get(self.segment).is_some_and(is_read) {
            self.segment += 1;
        }
        match map.segments.get(self.segment) {
            Some(segment) if segment.offset <= self.done => {
                Wanted::Data(bounded(segment.offset + segment.length - self.done))
            }
            Some(segment) => Wanted::Zeros(bounded(segment.offset - self.done)),
            None if self.done < self.size => Wanted::Zeros(bounded(self.size - self.done)),
            None => Wanted::Nothing,
        }
    }
}
