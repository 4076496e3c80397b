//! Reads the content of a file of a merged tree: from the plain tar where it is kept, else from the tree, or for those
//! who only look from the blob.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{AtFlags, Mode, OFlags, openat, statat};

use super::stream::{self, Stream};
use super::{Node, Sheet, Source, View};
use crate::entry::{Mtime, shown, split};
use crate::error::{Error, Result, failed};
use crate::folder::Folder;
use crate::layer::{Layer, LayerError, Lower};
use crate::tar::Segment;
use crate::toc::RecordKind;

pub(super) fn open(view: &View, node: &Node) -> Result<Box<dyn Read + Send>> {
    let not_a_file = || Error::from(LayerError::NotAFile { path: shown(node.path()) });
    let position = node.position.ok_or_else(not_a_file)?;
    let record = view.merged.record(position);
    let RecordKind::File(facts) = record.kind else { return Err(not_a_file()) };
    let sheet = &view.sheets[position.layer];
    if let Source::Listed(listed) = &sheet.source {
        return Ok(listed.open(&facts));
    }
    let stream = match sheet.has_tar(view.only_looks)? {
        true => None,
        false if view.only_looks => stream::at(sheet, facts.offset)?,
        false => return Ok(Box::new(sheet.open_in_tree(record.path)?)),
    };
    let whole = || vec![Segment { offset: 0, length: facts.size }];
    Ok(Box::new(Pieces {
        sheets: Arc::clone(&view.sheets),
        layer: position.layer,
        stream,
        segments: facts.segments().unwrap_or_else(whole),
        current: 0,
        at: facts.offset,
        done: 0,
        size: facts.size,
    }))
}

/// The time that something in the tree of a layer has on disk.
/// An index has exactly the time of the layer; then it is the time that a copy of it has.
pub(super) fn mtime_in_tree(sheet: &Sheet, path: &[u8], in_layer: Mtime) -> Option<Mtime> {
    let layer = sheet.layer().ok()?;
    if matches!(layer.lower().ok()?, Some(Lower::Indexed { .. })) {
        return layer.time_on_disk(in_layer).ok();
    }
    let (directory, name) = split(path);
    let mut folder = Folder::open(sheet.tree().ok()?).ok()?;
    let status = statat(folder.enter(directory).ok()?, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
    Some(Mtime { seconds: status.st_mtime, nanos: u32::try_from(status.st_mtime_nsec).ok()? })
}

impl Sheet {
    /// The layer in the store. One that is only listed has neither tar nor tree.
    pub(super) fn layer(&self) -> Result<&Layer> {
        match &self.source {
            Source::Kept(layer) => Ok(layer),
            Source::Listed(_) => {
                let reason = "it is not in the store";
                Err(Error::Stream { action: "read a layer", source: io::Error::other(reason) })
            }
        }
    }

    /// Opens the plain tar, once for all files in it; `false` when it is not kept and there is a tree. Where there is
    /// neither, the tar is made: that is one file instead of all of them. Nothing is made for who only looks.
    fn has_tar(&self, only_looks: bool) -> Result<bool> {
        if self.tar.get().is_none() {
            let layer = self.layer()?;
            let tar = match (layer.open_tar()?, layer.tree()) {
                (None, None) if !only_looks => Some(layer.make_tar()?),
                (tar, _) => tar,
            };
            let _ = self.tar.set(tar);
        }
        Ok(self.tar.get().is_some_and(Option::is_some))
    }

    fn tree(&self) -> Result<&Path> {
        if self.tree.get().is_none() {
            let _ = self.tree.set(self.layer()?.make_tree()?);
        }
        Ok(self.tree.get().expect("it was set just now, by us or by another thread"))
    }

    fn open_in_tree(&self, path: &[u8]) -> Result<File> {
        let tree = self.tree()?;
        let (directory, name) = split(path);
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let opened = Folder::open(tree).and_then(|mut folder| {
            Ok(File::from(openat(folder.enter(directory)?, name, flags, Mode::empty())?))
        });
        opened.map_err(failed("open", tree.join(shown(path))))
    }
}

/// The pieces of a file that a tar holds, and the zeros between them.
struct Pieces {
    sheets: Arc<Vec<Sheet>>,
    layer: usize,
    /// The decompressed blob, where there is no plain tar.
    stream: Option<Stream>,
    segments: Vec<Segment>,
    /// The piece that is not read to its end, and where its rest is in the tar.
    current: usize,
    at: u64,
    done: u64,
    size: u64,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let is_read = |piece: &Segment| piece.offset + piece.length <= self.done;
        while self.segments.get(self.current).is_some_and(is_read) {
            self.current += 1;
        }
        let (end, is_hole) = match self.segments.get(self.current) {
            Some(piece) if piece.offset <= self.done => (piece.offset + piece.length, false),
            Some(piece) => (piece.offset, true),
            None => (self.size, true),
        };
        let room = usize::try_from(end - self.done).map_or(buffer.len(), |room| room.min(buffer.len()));
        let count = if is_hole {
            buffer[..room].fill(0);
            room
        } else {
            self.read_data(&mut buffer[..room])?
        };
        self.done += count as u64;
        Ok(count)
    }
}

impl Pieces {
    fn read_data(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match &mut self.stream {
            Some(stream) => stream.read(buffer)?,
            None => match self.sheets[self.layer].tar.get() {
                Some(Some(tar)) => tar.read_at(buffer, self.at)?,
                _ => stream::spilled(&self.sheets[self.layer], buffer, self.at)?,
            },
        };
        if count == 0 && !buffer.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.at += count as u64;
        Ok(count)
    }
}

/// The next file of the layer goes on where this one ended.
impl Drop for Pieces {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.take() {
            stream::put_back(&self.sheets[self.layer], stream);
        }
    }
}
