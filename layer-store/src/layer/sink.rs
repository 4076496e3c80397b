//! Takes the entries of a new layer, in canonical order, and makes of them in one pass the tar, the table of contents,
//! and the tree if there is to be one.

use std::io::{Read, Write};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use rustix::fs::FileType;
use tug_oci::{Digest, Hasher};

use super::LayerError;
use super::chunks::{Chunk, Filling, Hand, Pool, Worker};
use crate::blob::{BlobWriter, SealedBlob};
use crate::entry::{Entry, EntryKind, NewEntry, NewEntryKind, shown};
use crate::error::{Error, Result, failed};
use crate::file::Durability;
use crate::store::Store;
use crate::tar::{TarError, TarWriter};
use crate::toc::{Toc, TocTooLarge, TocWriter};
use crate::tree::{Attributes, NewFile, TreeWriter};

/// A layer in the making.
pub(crate) struct LayerSink {
    store: Store,
    tar: TarWriter<Filling>,
    pool: Arc<Pool>,
    blob: Hand<BlobHand>,
    tree: Option<Hand<TreeHand>>,
    /// What the tree needs from the chunk that is being filled.
    steps: Vec<Step>,
    toc: TocWriter,
    content_size: u64,
}

/// What became of the entries.
pub(crate) struct Finished {
    pub(crate) blob: SealedBlob,
    pub(crate) toc: Toc,
    pub(crate) content_size: u64,
}

impl LayerSink {
    /// Begins a layer in `store`; with a tree when there is a folder for its root, which must not exist yet.
    pub(crate) fn new(store: &Store, tree: Option<PathBuf>) -> Result<Self> {
        let pool = Arc::new(Pool::default());
        let tree = match tree {
            Some(path) => {
                let writer = TreeWriter::new(&path, store.options())?;
                Some(Hand::new(TreeHand { writer: Some(writer), open: None }))
            }
            None => None,
        };
        Ok(Self {
            store: store.clone(),
            tar: TarWriter::new(Filling::new(&pool)),
            blob: Hand::new(BlobHand { writer: store.blob_writer(Durability::Deferred)? }),
            pool,
            tree,
            steps: Vec::new(),
            toc: TocWriter::new(),
            content_size: 0,
        })
    }

    /// Adds an entry with its content, which must have exactly the announced length. Returns the digest of a file.
    pub(crate) fn add(&mut self, entry: &NewEntry, content: Option<&mut dyn Read>) -> Result<Option<Digest>> {
        self.tar.header(entry)?;
        self.plan(entry);
        let mut digest = None;
        let mut kind = entry.kind.without_content();
        if let EntryKind::File { size, digest: of_content, offset } = &mut kind {
            *offset = self.tar.position();
            *of_content = self.content(entry, *size, content.unwrap_or(&mut std::io::empty()))?;
            self.content_size += *size;
            digest = Some(of_content.clone());
        }
        self.pass_if_full()?;
        self.record(entry, kind)?;
        Ok(digest)
    }

    /// Writes the end; the blob is complete, but not in the store yet.
    pub(crate) fn finish(self) -> Result<Finished> {
        let Self { tar, mut blob, tree, steps, toc, content_size, .. } = self;
        let chunk = tar.finish()?.seal();
        blob.give(Arc::clone(&chunk))?;
        let toc = toc.finish();
        if let Some(mut tree) = tree {
            tree.give(Batch { chunk, steps })?;
            tree.finish()?.finish(&toc)?;
        }
        Ok(Finished { blob: blob.finish()?, toc, content_size })
    }

    /// Copies the content into the tar, chunk by chunk, and hashes it.
    fn content(&mut self, entry: &NewEntry, size: u64, content: &mut dyn Read) -> Result<Digest> {
        let changed = || LayerError::ContentLength { path: shown(&entry.path), expected: size };
        let mut hasher = Hasher::sha256();
        let mut left = size;
        while left > 0 {
            self.pass_if_full()?;
            let chunk = self.tar.out_mut();
            let start = chunk.len();
            let bytes = chunk.fill_from(content, left).map_err(|error| read_failed(entry, error))?;
            if bytes.is_empty() {
                return Err(changed().into());
            }
            hasher.update(bytes);
            let count = bytes.len();
            self.tar.has_written(count as u64);
            left -= count as u64;
            if self.tree.is_some() {
                self.steps.push(Step::Content(start..start + count));
            }
        }
        let is_longer = content.read(&mut [0]).map_err(|error| read_failed(entry, error))? > 0;
        if is_longer {
            return Err(changed().into());
        }
        if self.tree.is_some() {
            self.steps.push(Step::Close);
        }
        self.tar.pad()?;
        Ok(hasher.finish())
    }

    /// Notes what the tree has to do for an entry.
    fn plan(&mut self, entry: &NewEntry) {
        if self.tree.is_none() {
            return;
        }
        let path = entry.path.clone();
        let attributes = || Attributes {
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime: entry.mtime,
            xattrs: entry.xattrs.clone(),
        };
        self.steps.push(match &entry.kind {
            NewEntryKind::Directory => Step::Directory(path),
            NewEntryKind::File { .. } => Step::Open(path, attributes()),
            NewEntryKind::Symlink { target } => Step::Symlink(path, target.clone(), attributes()),
            NewEntryKind::HardLink { target } => Step::HardLink(path, target.clone()),
            NewEntryKind::CharDevice { major, minor } => {
                Step::Device(path, FileType::CharacterDevice, (*major, *minor), attributes())
            }
            NewEntryKind::BlockDevice { major, minor } => {
                Step::Device(path, FileType::BlockDevice, (*major, *minor), attributes())
            }
            NewEntryKind::Fifo => Step::Fifo(path, attributes()),
            NewEntryKind::Whiteout => Step::Whiteout(path),
        });
    }

    fn pass_if_full(&mut self) -> Result<()> {
        if !self.tar.out_mut().is_full() {
            return Ok(());
        }
        self.store.go_on()?;
        // There is more than one chunk of it: now it is worth a thread.
        self.blob.detach("layer-tar");
        let chunk = std::mem::replace(self.tar.out_mut(), Filling::new(&self.pool)).seal();
        self.blob.give(Arc::clone(&chunk))?;
        if let Some(tree) = &mut self.tree {
            tree.detach("layer-tree");
            tree.give(Batch { chunk, steps: std::mem::take(&mut self.steps) })?;
        }
        Ok(())
    }

    fn record(&mut self, entry: &NewEntry, kind: EntryKind) -> Result<()> {
        let entry = Entry {
            path: entry.path.clone(),
            kind,
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime: entry.mtime,
            xattrs: entry.xattrs.clone(),
        };
        self.toc.entry(&entry, None).map_err(|TocTooLarge| too_large())
    }
}

/// Writes and hashes the tar.
struct BlobHand {
    writer: BlobWriter,
}

impl Worker for BlobHand {
    type Piece = Arc<Chunk>;
    type Outcome = SealedBlob;

    fn work(&mut self, piece: Arc<Chunk>) -> Result<()> {
        self.writer.write_all(piece.bytes()).map_err(|error| self.writer.failure(error))
    }

    fn finish(self) -> Result<SealedBlob> {
        Ok(self.writer.seal())
    }
}

/// Something to do in the tree.
enum Step {
    Directory(Vec<u8>),
    Open(Vec<u8>, Attributes),
    /// Bytes of the chunk that go to the open file.
    Content(Range<usize>),
    Close,
    Symlink(Vec<u8>, Vec<u8>, Attributes),
    HardLink(Vec<u8>, Vec<u8>),
    Device(Vec<u8>, FileType, (u32, u32), Attributes),
    Fifo(Vec<u8>, Attributes),
    Whiteout(Vec<u8>),
}

struct Batch {
    chunk: Arc<Chunk>,
    steps: Vec<Step>,
}

struct TreeHand {
    writer: Option<TreeWriter>,
    open: Option<(NewFile, Vec<u8>, Attributes)>,
}

impl Worker for TreeHand {
    type Piece = Batch;
    type Outcome = TreeWriter;

    fn work(&mut self, batch: Batch) -> Result<()> {
        for step in batch.steps {
            self.step(step, batch.chunk.bytes())?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<TreeWriter> {
        self.writer.take().ok_or_else(|| LayerError::GivenUp.into())
    }
}

impl TreeHand {
    fn step(&mut self, step: Step, chunk: &[u8]) -> Result<()> {
        let Some(writer) = &mut self.writer else { return Err(LayerError::GivenUp.into()) };
        match step {
            Step::Directory(path) => writer.directory(&path),
            Step::Open(path, attributes) => {
                let file = writer.file(&path, attributes.mode)?;
                self.open = Some((file, path, attributes));
                Ok(())
            }
            Step::Content(range) => match &mut self.open {
                Some((file, path, _)) => {
                    file.write(&chunk[range]).map_err(failed("write", writer.shown(path)))
                }
                None => Ok(()),
            },
            Step::Close => match self.open.take() {
                Some((file, path, attributes)) => writer.finish_file(file, &path, &attributes),
                None => Ok(()),
            },
            Step::Symlink(path, target, attributes) => writer.symlink(&path, &target, &attributes),
            Step::HardLink(path, target) => writer.hard_link(&path, &target),
            Step::Device(path, kind, numbers, attributes) => writer.device(&path, kind, numbers, &attributes),
            Step::Fifo(path, attributes) => writer.fifo(&path, &attributes),
            Step::Whiteout(path) => writer.whiteout(&path),
        }
    }
}

fn read_failed(entry: &NewEntry, error: std::io::Error) -> Error {
    failed("read", shown(&entry.path))(error)
}

pub(crate) fn too_large() -> Error {
    LayerError::from(TarError::Limit { what: "longer names in all", limit: 1 << 30 }).into()
}
