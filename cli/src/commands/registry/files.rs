//! Blobs that are files of the user: read to be sent, written when they come.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use tug_oci::{Digest, Hasher};
use tug_registry_client::{BlobSink, BlobSource};

/// A file to be sent. It must not change until it was.
#[derive(Debug)]
pub(super) struct FileSource {
    path: PathBuf,
    digest: Digest,
    size: u64,
}

impl FileSource {
    /// Reads the file once, for its digest.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let (digest, size) = digest_of(&mut file)?;
        Ok(Self { path: path.to_owned(), digest, size })
    }

    pub(super) fn digest(&self) -> &Digest {
        &self.digest
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }
}

impl BlobSource for FileSource {
    fn digest(&self) -> Option<Digest> {
        Some(self.digest.clone())
    }

    fn size(&self) -> Option<u64> {
        Some(self.size)
    }

    fn reader(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(offset))?;
        // One that grows meanwhile is sent as it was.
        Ok(Box::new(file.take(self.size.saturating_sub(offset))))
    }
}

/// A few bytes to be sent.
#[derive(Debug)]
pub(super) struct BytesSource(pub(super) Bytes);

impl BlobSource for BytesSource {
    fn digest(&self) -> Option<Digest> {
        Some(Digest::of(&self.0))
    }

    fn size(&self) -> Option<u64> {
        Some(self.0.len() as u64)
    }

    fn reader(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        Ok(Box::new(io::Cursor::new(self.0.slice(offset..))))
    }
}

/// A file that is filled as its bytes come.
#[derive(Debug)]
pub(super) struct FileSink {
    file: File,
    size: u64,
    missing: Mutex<Vec<Range<u64>>>,
}

impl FileSink {
    /// Fills `file`, which is empty, with `size` bytes.
    pub(super) fn new(file: File, size: u64) -> Self {
        Self { file, size, missing: Mutex::new(whole(size)) }
    }

    /// What is in the file.
    pub(super) fn digest(&self, expected: &Digest) -> io::Result<Digest> {
        let mut hasher = Hasher::new(expected.algorithm());
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        hash(&mut file, &mut hasher)?;
        Ok(hasher.finish())
    }
}

impl BlobSink for FileSink {
    fn size(&self) -> u64 {
        self.size
    }

    fn missing(&self) -> Vec<Range<u64>> {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)?;
        let end = offset + bytes.len() as u64;
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        let rest =
            missing.iter().flat_map(|gap| [gap.start..gap.end.min(offset), gap.start.max(end)..gap.end]);
        *missing = rest.filter(|gap| !gap.is_empty()).collect();
        Ok(())
    }

    fn restart(&self) -> io::Result<()> {
        *self.missing.lock().unwrap_or_else(PoisonError::into_inner) = whole(self.size);
        Ok(())
    }
}

fn whole(size: u64) -> Vec<Range<u64>> {
    if size == 0 { Vec::new() } else { vec![Range { start: 0, end: size }] }
}

fn digest_of(file: &mut File) -> io::Result<(Digest, u64)> {
    let mut hasher = Hasher::sha256();
    let size = hash(file, &mut hasher)?;
    Ok((hasher.finish(), size))
}

fn hash(file: &mut impl Read, hasher: &mut Hasher) -> io::Result<u64> {
    let mut buffer = vec![0; 256 << 10];
    let mut size = 0;
    loop {
        let count = match file.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        if count == 0 {
            return Ok(size);
        }
        hasher.update(&buffer[..count]);
        size += count as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_filled_in_any_order() {
        let sink = FileSink::new(tempfile::tempfile().unwrap(), 10);
        sink.write_at(4, b"456").unwrap();
        assert_eq!(sink.missing(), [0..4, 7..10]);
        sink.write_at(0, b"01234").unwrap();
        sink.write_at(7, b"789").unwrap();
        assert!(sink.missing().is_empty());
        assert_eq!(sink.digest(&Digest::of(b"")).unwrap(), Digest::of(b"0123456789"));
        sink.restart().unwrap();
        assert_eq!(sink.missing(), vec![Range { start: 0, end: 10 }]);
        assert!(FileSink::new(tempfile::tempfile().unwrap(), 0).missing().is_empty());
    }
}
