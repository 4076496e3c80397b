//! Which bytes of a file are there already, in memory and beside the file.
//!
//! The side file has a head (what it is, and the length of the whole) and records of two numbers, beginning and end of
//! a range. A record grows in place as the bytes arrive, and is only written after them: so a process that is killed at any
//! moment leaves records that are true. Records may overlap; together they say what is there.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;

const HEAD: &[u8; 16] = b"tug partial 1\n\0\0";
const RECORDS_AT: u64 = 24;
const RECORD: u64 = 16;
/// 64 Ki records: of pieces that are never smaller than a packet, and mostly many MiB long.
const LARGEST: u64 = 1024 * 1024;

/// Ranges that neither overlap nor touch, in order.
#[derive(Debug, Default)]
pub(super) struct Ranges {
    present: Vec<Piece>,
    records: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Piece {
    start: u64,
    end: u64,
    /// The place of its record in the side file, counted in records.
    record: u64,
}

impl Ranges {
    /// What the side file says about a file that has `length` bytes now and shall have `size`; nothing when it speaks of
    /// another size or cannot be understood.
    pub(super) fn read(file: &File, size: u64, length: u64) -> io::Result<Self> {
        let mut ranges = Self::default();
        let end = file.metadata()?.len();
        let mut head = [0; RECORDS_AT as usize];
        if end > LARGEST || file.read_exact_at(&mut head, 0).is_err() || head != self::head(size) {
            return Ok(ranges);
        }
        let mut record = [0; RECORD as usize];
        let mut count = 0;
        while file.read_exact_at(&mut record, RECORDS_AT + count * RECORD).is_ok() {
            let [start, end] = [&record[..8], &record[8..]].map(number);
            if start < end && end <= size.min(length) {
                ranges.records = count;
                ranges.add(start..end);
            }
            count += 1;
        }
        ranges.records = count;
        Ok(ranges)
    }

    /// Empties the side file, and writes its head.
    pub(super) fn begin(file: &File, size: u64) -> io::Result<Self> {
        file.set_len(0)?;
        file.write_all_at(&head(size), 0)?;
        Ok(Self::default())
    }

    /// Adds a range, whose bytes are in the file, and says so in the side file.
    pub(super) fn note(&mut self, file: &File, range: Range<u64>) -> io::Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let piece = self.add(range);
        let mut record = [0; RECORD as usize];
        record[..8].copy_from_slice(&piece.start.to_le_bytes());
        record[8..].copy_from_slice(&piece.end.to_le_bytes());
        file.write_all_at(&record, RECORDS_AT + piece.record * RECORD)
    }

    fn add(&mut self, range: Range<u64>) -> Piece {
        let first = self.present.partition_point(|piece| piece.end < range.start);
        let last = self.present.partition_point(|piece| piece.start <= range.end);
        let touched = &self.present[first..last];
        let piece = match (touched.first(), touched.last()) {
            (Some(lowest), Some(highest)) => Piece {
                start: lowest.start.min(range.start),
                end: highest.end.max(range.end),
                record: lowest.record,
            },
            _ => {
                self.records += 1;
                Piece { start: range.start, end: range.end, record: self.records - 1 }
            }
        };
        self.present.splice(first..last, [piece.clone()]);
        piece
    }

    /// How many bytes are there from the beginning on, without a gap.
    pub(super) fn front(&self) -> u64 {
        self.present.first().filter(|piece| piece.start == 0).map_or(0, |piece| piece.end)
    }

    /// How many bytes are there.
    pub(super) fn total(&self) -> u64 {
        self.present.iter().map(|piece| piece.end - piece.start).sum()
    }

    /// What is not there yet of `size` bytes, in order.
    pub(super) fn missing(&self, size: u64) -> Vec<Range<u64>> {
        let starts = std::iter::once(0).chain(self.present.iter().map(|piece| piece.end));
        let ends = self.present.iter().map(|piece| piece.start).chain([size]);
        starts.zip(ends).map(|(start, end)| start..end).filter(|gap| !gap.is_empty()).collect()
    }
}

fn head(size: u64) -> [u8; RECORDS_AT as usize] {
    let mut head = [0; RECORDS_AT as usize];
    head[..HEAD.len()].copy_from_slice(HEAD);
    head[HEAD.len()..].copy_from_slice(&size.to_le_bytes());
    head
}

fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "ranges are meant")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn gaps_are_what_is_between() {
        let file = tempfile::tempfile().unwrap();
        let mut ranges = Ranges::begin(&file, 100).unwrap();
        assert_eq!(ranges.missing(100), [0..100]);
        assert_eq!(ranges.missing(0), []);
        for range in [50..60, 90..100, 10..20] {
            ranges.note(&file, range).unwrap();
        }
        assert_eq!((ranges.missing(100), ranges.front()), (vec![0..10, 20..50, 60..90], 0));
        ranges.note(&file, 0..55).unwrap();
        assert_eq!((ranges.missing(100), ranges.front(), ranges.total()), (vec![60..90], 60, 70));
        ranges.note(&file, 60..90).unwrap();
        assert_eq!((ranges.missing(100), ranges.front()), (vec![], 100));
    }

    #[test]
    fn one_connection_needs_one_record() {
        let file = tempfile::tempfile().unwrap();
        let mut ranges = Ranges::begin(&file, 1 << 40).unwrap();
        for number in 0..1000 {
            ranges.note(&file, number * 10..number * 10 + 10).unwrap();
            ranges.note(&file, 500_000 + number * 10..500_000 + number * 10 + 10).unwrap();
        }
        assert_eq!(file.metadata().unwrap().len(), RECORDS_AT + 2 * RECORD);
    }

    #[test]
    fn what_the_side_file_claims_beyond_the_file_or_of_another_size_does_not_count() {
        let file = tempfile::tempfile().unwrap();
        let mut ranges = Ranges::begin(&file, 100).unwrap();
        ranges.note(&file, 0..10).unwrap();
        ranges.note(&file, 20..80).unwrap();
        assert_eq!(Ranges::read(&file, 100, 80).unwrap().missing(100), [10..20, 80..100]);
        assert_eq!(Ranges::read(&file, 100, 79).unwrap().missing(100), [10..100]);
        assert_eq!(Ranges::read(&file, 99, 80).unwrap().missing(99), [0..99]);
        file.write_all_at(b"x", 3).unwrap();
        assert_eq!(Ranges::read(&file, 100, 80).unwrap().missing(100), [0..100]);
    }

    #[test]
    fn half_a_record_is_none() {
        let file = tempfile::tempfile().unwrap();
        let mut ranges = Ranges::begin(&file, 100).unwrap();
        ranges.note(&file, 0..10).unwrap();
        ranges.note(&file, 20..30).unwrap();
        file.set_len(RECORDS_AT + RECORD + 9).unwrap();
        let mut again = Ranges::read(&file, 100, 100).unwrap();
        assert_eq!(again.missing(100), [10..100]);
        again.note(&file, 50..60).unwrap();
        assert_eq!(Ranges::read(&file, 100, 100).unwrap().missing(100), [10..50, 60..100]);
    }

    proptest! {
        #[test]
        fn memory_and_side_file_say_what_was_written(
            pieces in prop::collection::vec((0_u64..200, 0_u64..40), 0..40),
        ) {
            let file = tempfile::tempfile().unwrap();
            let mut ranges = Ranges::begin(&file, 256).unwrap();
            let mut bytes = [false; 256];
            for (start, length) in pieces {
                ranges.note(&file, start..start + length).unwrap();
                bytes[start as usize..(start + length) as usize].fill(true);
                let mut shown = [true; 256];
                for gap in ranges.missing(256) {
                    shown[gap.start as usize..gap.end as usize].fill(false);
                }
                prop_assert_eq!(shown, bytes);
                let again = Ranges::read(&file, 256, 256).unwrap();
                prop_assert_eq!(again.missing(256), ranges.missing(256));
                prop_assert_eq!(again.total(), bytes.iter().filter(|there| **there).count() as u64);
            }
        }
    }
}
