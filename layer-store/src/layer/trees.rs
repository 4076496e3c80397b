//! Makes the tree of a layer from its plain tar and its table of contents.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use rustix::fs::FileType;

use super::{Layer, TREE};
use crate::entry::shown;
use crate::error::{Result, failed};
use crate::scratch::ScratchDir;
use crate::tar::Segment;
use crate::toc::{FileFacts, Record, RecordKind};
use crate::tree::{Attributes, NewFile, TreeWriter};

const BUFFER: usize = 256 * 1024;

impl Layer {
    /// A tree of it, in a folder of its own. `tar` is its plain tar.
    pub(super) fn tree_of(&self, tar: &File) -> Result<ScratchDir> {
        let folder = self.store.scratch("layer")?;
        let toc = self.toc()?;
        let mut tree = TreeWriter::new(&folder.path().join(TREE), self.store.options())?;
        let mut copy =
            Copy { tar, blob: self.store.found_blob_path(self.diff_id().digest())?, buffer: vec![0; BUFFER] };
        for record in toc.records() {
            self.store.go_on()?;
            copy.add(&mut tree, &record)?;
        }
        tree.finish(&toc)?;
        Ok(folder)
    }
}

struct Copy<'a> {
    tar: &'a File,
    blob: PathBuf,
    buffer: Vec<u8>,
}

impl Copy<'_> {
    fn add(&mut self, tree: &mut TreeWriter, record: &Record<'_>) -> Result<()> {
        let path = record.path;
        match record.kind {
            RecordKind::Directory | RecordKind::Implied => tree.directory(path),
            RecordKind::File(facts) => {
                let attributes = Attributes::of(record);
                let mut file = tree.file(path, attributes.mode)?;
                self.content(&mut file, &facts, path)?;
                tree.finish_file(file, path, &attributes)
            }
            RecordKind::Symlink(target) => tree.symlink(path, target, &Attributes::of(record)),
            RecordKind::HardLink(target) => tree.hard_link(path, target),
            RecordKind::CharDevice(major, minor) => {
                tree.device(path, FileType::CharacterDevice, (major, minor), &Attributes::of(record))
            }
            RecordKind::BlockDevice(major, minor) => {
                tree.device(path, FileType::BlockDevice, (major, minor), &Attributes::of(record))
            }
            RecordKind::Fifo => tree.fifo(path, &Attributes::of(record)),
            RecordKind::Whiteout => tree.whiteout(path),
            // An attribute of the directory, which comes with its metadata.
            RecordKind::Opaque => Ok(()),
        }
    }

    fn content(&mut self, file: &mut NewFile, facts: &FileFacts<'_>, path: &[u8]) -> Result<()> {
        let whole = || vec![Segment { offset: 0, length: facts.size }];
        let mut at = facts.offset;
        let mut done = 0;
        let write_failed = || failed("write", shown(path));
        for piece in facts.segments().unwrap_or_else(whole) {
            file.skip(piece.offset - done).map_err(write_failed())?;
            let mut left = piece.length;
            while left > 0 {
                let room = usize::try_from(left).map_or(BUFFER, |left| left.min(BUFFER));
                let bytes = &mut self.buffer[..room];
                self.tar.read_exact_at(bytes, at).map_err(failed("read", &self.blob))?;
                file.write(bytes).map_err(write_failed())?;
                at += room as u64;
                left -= room as u64;
            }
            done = piece.offset + piece.length;
        }
        file.skip(facts.size - done).map_err(write_failed())
    }
}
