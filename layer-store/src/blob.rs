//! Blobs: bytes named by their digest.
//!
//! A blob is written to a file in `ingest/` while it is hashed, and gets its name only when it is complete and, where
//! a digest was promised, agrees with it: half a blob is never visible. A blob that is written again replaces the one
//! that was there, which heals one that a power failure has damaged.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use tug_oci::{Algorithm, Digest, Hasher};

use crate::error::{Error, Result, failed};
use crate::file::{self, Durability};
use crate::store::Store;

impl Store {
    /// Starts to write a blob whose digest is not known yet; it will be a SHA-256 one.
    pub fn blob_writer(&self, durability: Durability) -> Result<BlobWriter> {
        BlobWriter::new(self, Algorithm::Sha256, durability)
    }

    /// Starts to write a blob whose digest somebody else finds out on the way: see [`BlobWriter::seal_as`].
    pub(crate) fn blob_writer_without_digest(&self, durability: Durability) -> Result<BlobWriter> {
        let writer = BlobWriter::new(self, Algorithm::Sha256, durability)?;
        Ok(BlobWriter { hasher: None, ..writer })
    }

    /// Starts to write a blob that must turn out as `expected`: see [`BlobWriter::finish_as`].
    pub fn blob_writer_for(&self, expected: &Digest, durability: Durability) -> Result<BlobWriter> {
        BlobWriter::new(self, expected.algorithm(), durability)
    }

    /// Writes `bytes` as a blob and waits until the disk has it.
    pub fn write_blob(&self, bytes: &[u8]) -> Result<Digest> {
        let mut writer = self.blob_writer(Durability::Synced)?;
        writer.write_all(bytes).map_err(|error| writer.failure(error))?;
        writer.finish().map(|(digest, _)| digest)
    }

    /// Writes small blobs that may well be there already, as after a rebuild that changed nothing: then the disk is
    /// not waited for. Their names become durable together.
    pub(crate) fn write_documents(&self, documents: &[&[u8]]) -> Result<()> {
        let mut last = None;
        for bytes in documents {
            // Other stores may not be there tomorrow.
            let is_there = match self.only_own().read_blob(&Digest::of(bytes), bytes.len() as u64) {
                Ok(_) => true,
                Err(Error::MissingBlob { .. } | Error::BlobDamaged { .. } | Error::TooLarge { .. }) => false,
                Err(error) => return Err(error),
            };
            if is_there {
                continue;
            }
            let mut writer = self.blob_writer(Durability::Deferred)?;
            writer.write_all(bytes).map_err(|error| writer.failure(error))?;
            writer.pending.file.sync_data().map_err(|error| writer.failure(error))?;
            last = Some(self.blob_path(&writer.finish()?.0));
        }
        last.map_or(Ok(()), |path| file::sync_folder_of(&path))
    }

    /// Makes a complete file below `ingest/`, whose digest is known, a blob, and waits until the disk has it.
    pub(crate) fn adopt_blob(&self, path: &Path, digest: &Digest) -> Result<()> {
        let target = self.blob_path(digest);
        self.make_blob_folder(digest)?;
        File::open(path).and_then(|opened| opened.sync_data()).map_err(failed("write", &target))?;
        std::fs::rename(path, &target).map_err(failed("write", &target))?;
        file::sync_folder_of(&target)
    }

    fn make_blob_folder(&self, digest: &Digest) -> Result<()> {
        if digest.algorithm() == Algorithm::Sha256 {
            return Ok(());
        }
        let folder = self.path("blobs").join(digest.algorithm().name());
        std::fs::create_dir_all(&folder).map_err(failed("create", folder))
    }

    /// Opens a blob for reading; `None` when it is not in the store. Its digest is not checked.
    pub fn open_blob(&self, digest: &Digest) -> Result<Option<File>> {
        if let Some(opened) = file::open(&self.blob_path(digest))? {
            return Ok(Some(opened));
        }
        self.elsewhere(|other| other.open_blob(digest))
    }

    /// The bytes of a blob of at most `limit` bytes, checked against its digest.
    pub fn read_blob(&self, digest: &Digest, limit: u64) -> Result<Vec<u8>> {
        let Some(opened) = self.open_blob(digest)? else {
            return Err(Error::MissingBlob { what: "blob".to_owned(), digest: digest.clone(), origin: None });
        };
        let mut bytes = Vec::new();
        let path = self.blob_path(digest);
        opened.take(limit + 1).read_to_end(&mut bytes).map_err(failed("read", path))?;
        if bytes.len() as u64 > limit {
            return Err(Error::TooLarge { what: format!("blob `{digest}`"), limit });
        }
        let mut hasher = Hasher::new(digest.algorithm());
        hasher.update(&bytes);
        if hasher.finish() == *digest {
            Ok(bytes)
        } else {
            Err(Error::BlobDamaged { digest: digest.clone() })
        }
    }

    /// Whether the blob is in the store.
    pub fn has_blob(&self, digest: &Digest) -> Result<bool> {
        Ok(self.blob_size(digest)?.is_some())
    }

    /// Whether the blob is in the store, and all of its bytes are what its digest says.
    pub(crate) fn has_whole_blob(&self, digest: &Digest) -> Result<bool> {
        let Some(mut opened) = self.open_blob(digest)? else { return Ok(false) };
        let mut hasher = Hasher::new(digest.algorithm());
        let mut buffer = vec![0; 256 * 1024];
        loop {
            self.go_on()?;
            match opened.read(&mut buffer) {
                Ok(0) => return Ok(hasher.finish() == *digest),
                Ok(count) => hasher.update(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(failed("read", self.blob_path(digest))(error)),
            }
        }
    }

    /// The length of a blob; `None` when it is not in the store.
    pub(crate) fn blob_size(&self, digest: &Digest) -> Result<Option<u64>> {
        let path = self.blob_path(digest);
        match std::fs::symlink_metadata(&path) {
            Ok(metadata) => Ok(metadata.is_file().then_some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.elsewhere(|other| other.blob_size(digest))
            }
            Err(error) => Err(failed("look at", path)(error)),
        }
    }
}

/// A blob that is being written. What was written is removed when this is dropped before [`BlobWriter::finish`].
pub struct BlobWriter {
    pending: SealedBlob,
    hasher: Option<Hasher>,
}

/// A blob that is complete but has no name yet. It is removed when this is dropped before [`SealedBlob::keep`].
#[derive(Debug)]
pub struct SealedBlob {
    store: Store,
    temporary: Option<PathBuf>,
    file: File,
    durability: Durability,
    digest: Digest,
    size: u64,
}

impl BlobWriter {
    fn new(store: &Store, algorithm: Algorithm, durability: Durability) -> Result<Self> {
        let (temporary, file) = file::create_unique(&store.path("ingest"), "blob")?;
        let digest = Digest::of(b"");
        let pending = SealedBlob {
            store: store.clone(),
            temporary: Some(temporary),
            file,
            durability,
            digest,
            size: 0,
        };
        Ok(Self { pending, hasher: Some(Hasher::new(algorithm)) })
    }

    /// Ends the writing: the digest is known, but the blob is not in the store yet.
    pub(crate) fn seal(self) -> SealedBlob {
        let Self { mut pending, hasher } = self;
        if let Some(hasher) = hasher {
            pending.digest = hasher.finish();
        }
        pending
    }

    /// The same for a writer that does not hash: `digest` is of all the bytes that were written.
    pub(crate) fn seal_as(self, digest: &Digest) -> SealedBlob {
        let mut sealed = self.seal();
        sealed.digest = digest.clone();
        sealed
    }

    /// Puts the blob into the store. Returns its digest and its length.
    pub fn finish(self) -> Result<(Digest, u64)> {
        self.seal().keep()
    }

    /// Puts the blob into the store if it is `expected`, else keeps nothing. Returns its length.
    ///
    /// For digests of other algorithms than SHA-256 the writer must come from [`Store::blob_writer_for`].
    pub fn finish_as(self, expected: &Digest) -> Result<u64> {
        let sealed = self.seal();
        if sealed.digest != *expected {
            let actual = sealed.digest.clone();
            return Err(Error::DigestMismatch { expected: expected.clone(), actual });
        }
        sealed.keep().map(|(_, size)| size)
    }

    /// The file itself, for those who read what was written before it is complete.
    pub(crate) fn reopen(&self) -> io::Result<File> {
        self.pending.file.try_clone()
    }

    /// How many bytes were written.
    pub fn size(&self) -> u64 {
        self.pending.size
    }

    /// Says about an error of this writer what was being done, and whether the disk is full.
    pub fn failure(&self, error: io::Error) -> Error {
        failed("write a blob to", self.pending.store.path("ingest"))(error)
    }
}

impl Write for BlobWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = if is_worth_a_hole(bytes) {
            // A sparse file of many GiB, as `lastlog` is with a high user id, takes no room in its tar either.
            let end = self.pending.size + bytes.len() as u64;
            self.pending.file.set_len(end)?;
            self.pending.file.seek(io::SeekFrom::Start(end))?;
            bytes.len()
        } else {
            self.pending.file.write(bytes)?
        };
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&bytes[..count]);
        }
        self.pending.size += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Fewer zeros are written: a hole costs more.
const SHORTEST_HOLE: usize = 128 * 1024;

fn is_worth_a_hole(bytes: &[u8]) -> bool {
    bytes.len() >= SHORTEST_HOLE && bytes.iter().all(|&byte| byte == 0)
}

impl SealedBlob {
    /// Puts the blob into the store under its name. Returns its digest and its length.
    pub fn keep(mut self) -> Result<(Digest, u64)> {
        let path = self.store.blob_path(&self.digest);
        self.store.make_blob_folder(&self.digest)?;
        if self.durability == Durability::Synced {
            self.file.sync_data().map_err(failed("write", &path))?;
        }
        if let Some(temporary) = &self.temporary {
            std::fs::rename(temporary, &path).map_err(failed("write", &path))?;
        }
        self.temporary = None;
        if self.durability == Durability::Synced {
            file::sync_folder_of(&path)?;
        }
        Ok((self.digest.clone(), self.size))
    }

    /// What its name would be.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Its length in bytes.
    pub fn size(&self) -> u64 {
        self.size
    }
}

impl Drop for SealedBlob {
    fn drop(&mut self) {
        if let Some(temporary) = &self.temporary {
            let _ = std::fs::remove_file(temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::store;

    fn ingest_is_empty(store: &Store) -> bool {
        std::fs::read_dir(store.path("ingest")).unwrap().next().is_none()
    }

    #[test]
    fn a_blob_is_found_by_the_digest_of_its_bytes() {
        let (_folder, store) = store();
        let digest = store.write_blob(b"hello").unwrap();
        assert_eq!(digest, Digest::of(b"hello"));
        assert_eq!(store.read_blob(&digest, 5).unwrap(), b"hello");
        assert_eq!(store.blob_size(&digest).unwrap(), Some(5));
        assert!(ingest_is_empty(&store));
    }

    #[test]
    fn a_blob_that_is_not_what_was_promised_is_not_kept() {
        let (_folder, store) = store();
        let mut writer = store.blob_writer(Durability::Synced).unwrap();
        writer.write_all(b"goodbye").unwrap();
        let error = writer.finish_as(&Digest::of(b"hello")).unwrap_err();
        assert!(matches!(error, Error::DigestMismatch { .. }), "{error}");
        assert!(!store.has_blob(&Digest::of(b"hello")).unwrap());
        assert!(!store.has_blob(&Digest::of(b"goodbye")).unwrap());
        assert!(ingest_is_empty(&store));
    }

    #[test]
    fn a_blob_that_is_given_up_leaves_nothing() {
        let (_folder, store) = store();
        let mut writer = store.blob_writer(Durability::Deferred).unwrap();
        writer.write_all(b"half").unwrap();
        drop(writer);
        let mut writer = store.blob_writer(Durability::Deferred).unwrap();
        writer.write_all(b"whole").unwrap();
        let sealed = writer.seal();
        assert_eq!((sealed.digest(), sealed.size()), (&Digest::of(b"whole"), 5));
        drop(sealed);
        assert!(ingest_is_empty(&store) && !store.has_blob(&Digest::of(b"whole")).unwrap());
    }

    #[test]
    fn a_damaged_blob_is_noticed_and_healed_by_writing_it_again() {
        let (_folder, store) = store();
        let digest = store.write_blob(b"hello").unwrap();
        std::fs::write(store.blob_path(&digest), [0; 5]).unwrap();
        let error = store.read_blob(&digest, 100).unwrap_err();
        assert!(matches!(error, Error::BlobDamaged { .. }) && error.hint().is_some(), "{error}");
        store.write_blob(b"hello").unwrap();
        assert_eq!(store.read_blob(&digest, 100).unwrap(), b"hello");
    }

    #[test]
    fn long_runs_of_zeros_are_holes_and_read_as_zeros() {
        use std::os::unix::fs::MetadataExt;
        let (_folder, store) = store();
        let mut writer = store.blob_writer(Durability::Deferred).unwrap();
        let zeros = vec![0; 4 << 20];
        for bytes in [&zeros[..], b"middle", &zeros] {
            writer.write_all(bytes).unwrap();
        }
        let whole = [&zeros[..], b"middle", &zeros].concat();
        let (digest, size) = writer.finish().unwrap();
        assert_eq!((&digest, size), (&Digest::of(&whole), whole.len() as u64));
        assert!(store.read_blob(&digest, size).unwrap() == whole);
        assert!(std::fs::metadata(store.blob_path(&digest)).unwrap().blocks() < 2048);
    }

    #[test]
    fn a_blob_beyond_the_limit_is_not_read() {
        let (_folder, store) = store();
        let digest = store.write_blob(b"hello").unwrap();
        assert!(matches!(store.read_blob(&digest, 4), Err(Error::TooLarge { limit: 4, .. })));
    }

    #[test]
    fn sha512_blobs_have_a_folder_of_their_own() {
        let (_folder, store) = store();
        let mut hasher = Hasher::new(Algorithm::Sha512);
        hasher.update(b"hello");
        let digest = hasher.finish();
        let mut writer = store.blob_writer_for(&digest, Durability::Synced).unwrap();
        writer.write_all(b"hello").unwrap();
        assert_eq!(writer.finish_as(&digest).unwrap(), 5);
        assert_eq!(store.read_blob(&digest, 5).unwrap(), b"hello");
        assert!(store.path("blobs/sha512").is_dir());
    }
}
