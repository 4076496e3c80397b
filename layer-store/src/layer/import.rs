//! Makes a layer of a tar that somebody else wrote.
//!
//! One thread reads what comes, decompresses it, hashes it and keeps it; another takes the plain tar apart, hashes each
//! file, and makes the tree if there is to be one. Nothing is in the store before all of it was good: the tar
//! by the rules of [`crate::tar`], the digest by what was promised.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};

use tug_oci::{Descriptor, DiffId, Hasher, media_type};

use super::chunks::{Chunk, Filling, Pool, WAITING};
use super::inventory::Inventory;
use super::{Draft, Layer, LayerError, TREE};
use crate::blob::{BlobWriter, SealedBlob};
use crate::compression::{Compression, Decompressed, DecompressionLimits};
use crate::entry::{EntryKind, NewEntry, NewEntryKind, shown};
use crate::error::{Error, Result, failed};
use crate::file::Durability;
use crate::lock::Lock;
use crate::partial::Partial;
use crate::store::Store;
use crate::tar::{Limits, TarError, TarReader};
use crate::toc::Toc;
use crate::tree::{Attributes, TreeWriter};
use crate::xattr;

const BUFFER: usize = 128 * 1024;

/// How a tar becomes a layer.
#[derive(Clone, Debug, Default)]
pub struct ImportLayer {
    /// What the plain tar must be.
    pub expected: Option<DiffId>,
    /// Whether it is made ready to be mounted at once: see [`Store::lower`].
    pub materialise: bool,
    /// Whether the plain tar is kept as a blob. One that came plain is always kept.
    pub keep_plain_tar: bool,
    /// Whether to wait until the disk has the plain tar, if that is kept. What came with gzip or Zstandard and is kept so is
    /// always waited for.
    pub durability: Durability,
    /// What is too much.
    pub limits: Limits,
}

impl Store {
    /// Makes a layer of a tar, compressed or not. What came is kept as it came: see [`Layer::blob`].
    ///
    /// `source` is read to its end. Nothing of it is in the store when this fails: when the tar is damaged, ambiguous,
    /// too large, or not what was promised.
    pub fn import_layer(&self, source: &mut dyn Read, options: &ImportLayer) -> Result<Layer> {
        Import { store: self, options, keep: Keep::AsItCame }.run(source)?.publish(self, None)
    }

    /// Makes a layer of a blob that is still being downloaded, in one pass behind the bytes as they arrive, and then puts
    /// the blob itself into the store. `blob` is what a manifest says about it.
    ///
    /// When this fails, nothing is in the store: with [`Error::DigestMismatch`] when the bytes are not what was promised,
    /// whatever else that led to. The partial blob is left as it is.
    pub fn import_partial(
        &self,
        partial: &Partial,
        blob: &Descriptor,
        options: &ImportLayer,
    ) -> Result<Layer> {
        let mut reader = partial.reader();
        let import = Import { store: self, options, keep: Keep::Nothing { came_as: blob } };
        let draft = match import.run(&mut reader) {
            Err(error) if error.is_disk_full() || matches!(error, Error::Stopped) => return Err(error),
            other => other,
        };
        // Damaged bytes make all kinds of errors. Only all of them together show their digest.
        let arrived = reader.read_to_the_end().map_err(unreadable);
        self.go_on()?;
        arrived?;
        partial.verify()?;
        let draft = draft?;
        partial.finish()?;
        draft.publish(self, None)
    }

    /// Reads a layer, compressed or not, to its end and says what it holds. Nothing is kept.
    pub(crate) fn survey_layer(&self, source: &mut dyn Read) -> Result<Surveyed> {
        let mut head = Vec::with_capacity(Compression::HEAD);
        source.take(Compression::HEAD as u64).read_to_end(&mut head).map_err(unreadable)?;
        let compression = Compression::detect(&head);
        let mut came = Came { source: io::Cursor::new(head).chain(source), blob: None, failure: None };
        let options = ImportLayer::default();
        let nothing = Descriptor::new(media_type::OCI_LAYER, tug_oci::Digest::of(b""), 0);
        let import = Import { store: self, options: &options, keep: Keep::Nothing { came_as: &nothing } };
        let limits = DecompressionLimits { ratio: options.limits.ratio, ..DecompressionLimits::default() };
        let plain = Decompressed::new(&mut came, limits).map_err(unreadable)?;
        let Unpacked { toc, content_size, tar_size, diff_id, .. } =
            import.unpack(plain, compression, None)?;
        Ok(Surveyed { toc, content_size, tar_size, diff_id })
    }

    /// Makes record and table of contents from a blob of the store, and what else is wanted.
    pub(crate) fn derive_layer(
        &self,
        diff_id: &DiffId,
        blob: &Descriptor,
        derive: Derive,
        lock: &Lock,
    ) -> Result<Layer> {
        let missing = || self.missing_blob("the layer", blob);
        let mut source = self.open_blob(&blob.digest)?.ok_or_else(missing)?;
        let options = ImportLayer {
            expected: Some(diff_id.clone()),
            materialise: derive == Derive::Mountable,
            keep_plain_tar: derive == Derive::Tar,
            ..ImportLayer::default()
        };
        let keep = Keep::Nothing { came_as: blob };
        Import { store: self, options: &options, keep }.run(&mut source)?.publish(self, Some(lock))
    }
}

/// What is made of a blob beside record and table of contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Derive {
    Nothing,
    /// The plain tar.
    Tar,
    /// What can be mounted.
    Mountable,
}

struct Import<'a> {
    store: &'a Store,
    options: &'a ImportLayer,
    keep: Keep<'a>,
}

#[derive(Clone, Copy)]
enum Keep<'a> {
    /// What comes becomes a blob.
    AsItCame,
    /// It is one already.
    Nothing { came_as: &'a Descriptor },
}

impl Import<'_> {
    fn run(&self, source: &mut dyn Read) -> Result<Draft> {
        let folder = self.store.scratch("layer")?;
        let has_tree = self.options.materialise && !self.store.options().indexed_layers;
        let tree = match has_tree {
            true => Some(TreeWriter::new(&folder.path().join(TREE), self.store.options())?),
            false => None,
        };
        let mut head = Vec::with_capacity(Compression::HEAD);
        source.take(Compression::HEAD as u64).read_to_end(&mut head).map_err(unreadable)?;
        let compression = Compression::detect(&head);
        let mut came = Came {
            source: io::Cursor::new(head).chain(source),
            blob: self.blob_for_what_comes(compression)?,
            failure: None,
        };
        let limits =
            DecompressionLimits { bytes: self.options.limits.plain_size, ratio: self.options.limits.ratio };
        let plain = Decompressed::new(&mut came, limits).map_err(unreadable);
        let unpacked = plain.and_then(|plain| self.unpack(plain, compression, tree));
        if let Some(failure) = came.failure.take() {
            return Err(failure);
        }
        let Unpacked { toc, content_size, tar_size, diff_id, blob: plain_blob } = unpacked?;
        if let Some(expected) = self.options.expected.clone().filter(|expected| *expected != diff_id) {
            return Err(LayerError::Mismatch { expected, actual: diff_id }.into());
        }
        let came = came.blob.map(|blob| match compression {
            Compression::Plain => blob.seal_as(diff_id.digest()),
            _ => blob.seal(),
        });
        let came_as = match (self.keep, &came) {
            (Keep::Nothing { came_as }, _) => came_as.clone(),
            (_, Some(came)) => {
                Descriptor::new(media_type_of(compression), came.digest().clone(), came.size())
            }
            (_, None) => Descriptor::new(media_type::OCI_LAYER, diff_id.digest().clone(), tar_size),
        };
        let mountable = self.options.materialise;
        let blobs = came.into_iter().chain(plain_blob).collect();
        Ok(Draft {
            folder,
            has_tree,
            mountable,
            blobs,
            diff_id,
            tar_size,
            toc,
            content_size,
            came_as: Some(came_as),
        })
    }

    /// Reads the plain tar to its end, and lets another thread hash it and take it apart.
    fn unpack(
        &self,
        mut plain: Decompressed<&mut Came<'_>>,
        compression: Compression,
        tree: Option<TreeWriter>,
    ) -> Result<Unpacked> {
        let mut blob = match self.keeps_plain(compression) {
            true => Some(self.store.blob_writer_without_digest(self.options.durability)?),
            false => None,
        };
        let mut tar_size = 0_u64;
        let limits = self.options.limits.clone();
        let ((toc, content_size), digest) = std::thread::scope(|scope| {
            let (give, pieces) = sync_channel(WAITING);
            let reading = scope.spawn(move || {
                let mut arrived = Arrived::new(pieces);
                let taken = take_apart(&mut arrived, limits, tree)?;
                Ok((taken, arrived.hasher.finish()))
            });
            let pool = Arc::new(Pool::default());
            let mut pass = || -> Result<()> {
                loop {
                    self.store.go_on()?;
                    let mut chunk = Filling::new(&pool);
                    let bytes = chunk.fill_from(&mut plain, u64::MAX).map_err(unreadable)?;
                    if bytes.is_empty() {
                        let _ = give.send(Piece::End);
                        return Ok(());
                    }
                    tar_size += bytes.len() as u64;
                    if let Some(blob) = &mut blob {
                        blob.write_all(bytes).map_err(|error| blob.failure(error))?;
                    }
                    if give.send(Piece::Chunk(chunk.seal())).is_err() {
                        // The other thread has given up, and says why.
                        return Ok(());
                    }
                }
            };
            let passed = pass();
            drop(give);
            let outcome = reading.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            passed.and(outcome)
        })?;
        let blob = blob.map(|blob| blob.seal_as(&digest));
        Ok(Unpacked { toc, content_size, tar_size, diff_id: DiffId::new(digest), blob })
    }

    /// Layers of images are plain, or compressed with gzip or Zstandard; anything else is kept as a plain tar.
    fn blob_for_what_comes(&self, compression: Compression) -> Result<Option<BlobWriter>> {
        let blob = match (self.keep, compression) {
            (Keep::Nothing { .. }, _) | (_, Compression::Xz | Compression::Bzip2) => return Ok(None),
            // It is the plain tar, which is hashed anyway.
            (_, Compression::Plain) => self.store.blob_writer_without_digest(self.options.durability),
            (_, Compression::Gzip | Compression::Zstd) => self.store.blob_writer(Durability::Synced),
        };
        blob.map(Some)
    }

    fn keeps_plain(&self, compression: Compression) -> bool {
        // The files of an index lie in the plain tar.
        let is_indexed = self.options.materialise && self.store.options().indexed_layers;
        match compression {
            Compression::Plain => false,
            Compression::Xz | Compression::Bzip2 => true,
            Compression::Gzip | Compression::Zstd => is_indexed || self.options.keep_plain_tar,
        }
    }
}

/// What a layer turned out to hold.
pub(crate) struct Surveyed {
    pub(crate) toc: Toc,
    pub(crate) content_size: u64,
    pub(crate) tar_size: u64,
    pub(crate) diff_id: DiffId,
}

/// What the plain tar turned out to be.
struct Unpacked {
    toc: Toc,
    content_size: u64,
    tar_size: u64,
    diff_id: DiffId,
    blob: Option<SealedBlob>,
}

/// Takes the plain tar apart. Returns what is in it, and the size of all files.
fn take_apart(tar: impl Read, limits: Limits, tree: Option<TreeWriter>) -> Result<(Toc, u64)> {
    let mut tar = TarReader::new(tar, limits);
    let mut inventory = Inventory::new(tree);
    let mut buffer = vec![0; BUFFER];
    while let Some(entry) = tar.next_entry().map_err(of_stream)? {
        if let Some(file) = inventory.take(entry)?
            && let NewEntryKind::File { size } = file.kind
        {
            add_file(&mut tar, &mut inventory, file, size, &mut buffer)?;
        }
    }
    tar.finish().map_err(of_stream)?;
    inventory.finish()
}

fn add_file(
    tar: &mut TarReader<impl Read>,
    inventory: &mut Inventory,
    entry: NewEntry,
    size: u64,
    buffer: &mut [u8],
) -> Result<()> {
    let NewEntry { path, mode, uid, gid, mtime, ref xattrs, .. } = entry;
    let xattrs = xattr::kept(xattrs).into_owned();
    let attributes = Attributes { mode, uid, gid, mtime, xattrs };
    inventory.before_file(&path)?;
    let mut file = match inventory.tree() {
        Some(tree) => Some(tree.file(&path, mode)?),
        None => None,
    };
    let mut hasher = Hasher::sha256();
    loop {
        let count = tar.read_content(buffer).map_err(of_stream)?;
        if count == 0 {
            break;
        }
        hasher.update(&buffer[..count]);
        if let Some(file) = &mut file {
            file.write(&buffer[..count]).map_err(failed("write", shown(&path)))?;
        }
    }
    if let (Some(file), Some(tree)) = (file, inventory.tree()) {
        tree.finish_file(file, &path, &attributes)?;
    }
    let kind = EntryKind::File { size, digest: hasher.finish(), offset: tar.content_offset() };
    let segments = tar.segments().map(<[_]>::to_vec);
    inventory.add_file(path, kind, segments, attributes);
    Ok(())
}

/// What comes, copied into a blob on the way.
struct Came<'a> {
    source: io::Chain<io::Cursor<Vec<u8>>, &'a mut dyn Read>,
    blob: Option<BlobWriter>,
    failure: Option<Error>,
}

impl Read for Came<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        if let Some(blob) = &mut self.blob
            && let Err(error) = blob.write_all(&buffer[..count])
        {
            self.failure = Some(blob.failure(error));
            return Err(io::ErrorKind::Other.into());
        }
        Ok(count)
    }
}

enum Piece {
    Chunk(Arc<Chunk>),
    End,
}

/// The plain tar as it arrives from the other thread, hashed on the way.
struct Arrived {
    hasher: Hasher,
    pieces: Receiver<Piece>,
    current: Option<Arc<Chunk>>,
    done: usize,
    has_ended: bool,
}

impl Arrived {
    fn new(pieces: Receiver<Piece>) -> Self {
        Self { hasher: Hasher::sha256(), pieces, current: None, done: 0, has_ended: false }
    }
}

impl Read for Arrived {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(chunk) = &self.current {
                let rest = &chunk.bytes()[self.done..];
                if !rest.is_empty() {
                    let count = rest.len().min(buffer.len());
                    buffer[..count].copy_from_slice(&rest[..count]);
                    self.done += count;
                    return Ok(count);
                }
                self.current = None;
            }
            if self.has_ended {
                return Ok(0);
            }
            match self.pieces.recv() {
                Ok(Piece::Chunk(chunk)) => {
                    self.hasher.update(chunk.bytes());
                    (self.current, self.done) = (Some(chunk), 0);
                }
                Ok(Piece::End) => self.has_ended = true,
                // The other thread has failed, and says why.
                Err(_) => return Err(io::ErrorKind::BrokenPipe.into()),
            }
        }
    }
}

fn of_stream(error: TarError) -> Error {
    match error {
        TarError::Read(error) => unreadable(error),
        other => other.into(),
    }
}

fn unreadable(source: io::Error) -> Error {
    Error::Stream { action: "read the layer", source }
}

fn media_type_of(compression: Compression) -> &'static str {
    match compression {
        Compression::Gzip => media_type::OCI_LAYER_GZIP,
        Compression::Zstd => media_type::OCI_LAYER_ZSTD,
        Compression::Plain | Compression::Xz | Compression::Bzip2 => media_type::OCI_LAYER,
    }
}
