//! The file that a blob comes into, in pieces in any order.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::Mutex;

use tug_registry_client::BlobSink;

use super::lock;

/// A file that is being filled.
#[derive(Debug)]
pub(super) struct Arrival {
    file: File,
    size: u64,
    /// What has come: in order, with gaps between.
    here: Mutex<Vec<Range<u64>>>,
}

impl Arrival {
    /// A file of which nothing has come.
    pub(super) fn new(file: File, size: u64) -> Self {
        Self { file, size, here: Mutex::default() }
    }
}

impl BlobSink for Arrival {
    fn size(&self) -> u64 {
        self.size
    }

    fn missing(&self) -> Vec<Range<u64>> {
        let here = lock(&self.here);
        let mut missing = Vec::new();
        let mut next = 0;
        for range in here.iter() {
            if next < range.start {
                missing.push(next..range.start);
            }
            next = range.end;
        }
        if next < self.size {
            missing.push(next..self.size);
        }
        missing
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)?;
        add(&mut lock(&self.here), offset..offset + bytes.len() as u64);
        Ok(())
    }

    fn restart(&self) -> io::Result<()> {
        lock(&self.here).clear();
        Ok(())
    }
}

/// Adds a range to those that are there, and joins what touches.
fn add(here: &mut Vec<Range<u64>>, mut new: Range<u64>) {
    if new.is_empty() {
        return;
    }
    here.retain(|old| {
        let touches = old.start <= new.end && new.start <= old.end;
        if touches {
            new = old.start.min(new.start)..old.end.max(new.end);
        }
        !touches
    });
    let at = here.partition_point(|old| old.start < new.start);
    here.insert(at, new);
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "lists of ranges are meant")]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_what_never_came() {
        let arrival = Arrival::new(tempfile::tempfile().unwrap(), 100);
        assert_eq!(arrival.missing(), [0..100]);
        for (offset, length, missing) in [
            (50, 10, vec![0..50, 60..100]),
            (0, 10, vec![10..50, 60..100]),
            (5, 10, vec![15..50, 60..100]),
            (90, 10, vec![15..50, 60..90]),
            (15, 0, vec![15..50, 60..90]),
            (10, 45, vec![60..90]),
            (60, 30, vec![]),
        ] {
            arrival.write_at(offset, &vec![7; length]).unwrap();
            assert_eq!(arrival.missing(), missing, "after {length} bytes at {offset}");
        }
        arrival.restart().unwrap();
        assert_eq!(arrival.missing(), [0..100]);
    }
}
