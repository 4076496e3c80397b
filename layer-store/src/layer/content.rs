//! The content of a file of a layer, wherever the layer is kept.
//!
//! The plain tar is read at the place that the table of contents names. Where it is not kept, the tree is read: the
//! path is opened beneath it, through no link.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags};

use super::{Layer, TREE};
use crate::entry::shown;
use crate::error::{Error, Result, failed};
use crate::tar::Segment;
use crate::toc::{Record, RecordKind};

impl Layer {
    /// The content of the regular file at `record`.
    pub(super) fn open(&self, record: &Record<'_>) -> Result<Box<dyn Read + Send>> {
        let RecordKind::File(facts) = record.kind else { return Ok(Box::new(io::empty())) };
        if let Some(mut tar) = self.store.open_blob(self.diff_id().digest())? {
            let path = self.store.blob_path(self.diff_id().digest());
            tar.seek(SeekFrom::Start(facts.offset)).map_err(failed("read", path))?;
            return Ok(match facts.segments() {
                None => Box::new(tar.take(facts.size)),
                Some(segments) => Box::new(Sparse::new(tar, segments, facts.size)),
            });
        }
        let tree = self.store.layer_folder(self.diff_id()).join(TREE);
        let file = open_beneath(&tree, record.path).map_err(failed("open", tree.join(shown(record.path))))?;
        Ok(Box::new(file.take(facts.size)))
    }
}

fn open_beneath(tree: &Path, path: &[u8]) -> io::Result<File> {
    let folder = rustix::fs::open(tree, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    Ok(rustix::fs::openat2(folder, CString::new(path)?, flags, Mode::empty(), beneath)?.into())
}

/// A sparse file whose pieces lie behind each other, read with its holes.
struct Sparse<R> {
    pieces: R,
    segments: std::vec::IntoIter<Segment>,
    current: Option<Segment>,
    position: u64,
    size: u64,
}

impl<R: Read> Sparse<R> {
    fn new(pieces: R, segments: Vec<Segment>, size: u64) -> Self {
        let mut segments = segments.into_iter();
        Self { pieces, current: segments.next(), segments, position: 0, size }
    }
}

impl<R: Read> Read for Sparse<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.as_ref().is_some_and(|segment| segment.offset + segment.length <= self.position) {
            self.current = self.segments.next();
        }
        let (end, is_hole) = match &self.current {
            Some(segment) if segment.offset <= self.position => (segment.offset + segment.length, false),
            Some(segment) => (segment.offset, true),
            None => (self.size, true),
        };
        let room = end.min(self.size).saturating_sub(self.position);
        let count = usize::try_from(room).unwrap_or(usize::MAX).min(buffer.len());
        let count = match is_hole {
            true => {
                buffer[..count].fill(0);
                count
            }
            false => self.pieces.read(&mut buffer[..count])?,
        };
        self.position += count as u64;
        Ok(count)
    }
}

/// What a view says when its own table of contents lost a record, which cannot be.
pub(super) fn lost(path: &[u8]) -> Error {
    Error::Damaged { path: shown(path).into(), reason: "it is not in the layer it was found in".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_of_a_sparse_file_are_read_as_zeros() {
        let segments = vec![Segment { offset: 2, length: 3 }, Segment { offset: 7, length: 1 }];
        let mut text = Vec::new();
        Sparse::new(&b"abcd"[..], segments, 10).read_to_end(&mut text).unwrap();
        assert_eq!(text, b"\0\0abc\0\0d\0\0");
    }

    #[test]
    fn a_file_that_is_one_hole_is_all_zeros() {
        let mut text = Vec::new();
        Sparse::new(&b""[..], Vec::new(), 5).read_to_end(&mut text).unwrap();
        assert_eq!(text, [0; 5]);
    }
}
