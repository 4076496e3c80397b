//! Content of layers that are kept compressed only, for somebody who looks and wants no tree made.
//!
//! The blob is decompressed from its beginning up to the file. Who reads files in the order of the tar, as a walk
//! mostly does, reads the blob once: the stream waits behind each file for the next one. Who jumps back too often
//! gets the plain tar as a file without a name.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::sync::PoisonError;

use super::Sheet;
use crate::error::{Error, Result};

/// So often a blob is read from its beginning before its plain tar is written down.
const MOST_BEGINNINGS: usize = 3;

/// What was read of one blob so far.
#[derive(Debug, Default)]
pub(super) struct Streams {
    waiting: Option<Stream>,
    begun: usize,
    spilled: Option<File>,
}

/// A plain tar that comes out of its blob.
pub(super) struct Stream {
    source: Box<dyn Read + Send>,
    at: u64,
}

/// The stream of a layer at `offset`; `None` when its plain tar was written down, see [`spilled`].
pub(super) fn at(sheet: &Sheet, offset: u64) -> Result<Option<Stream>> {
    let waiting = {
        let mut streams = sheet.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if streams.spilled.is_some() {
            return Ok(None);
        }
        match streams.waiting.take() {
            Some(stream) if stream.at <= offset => Some(stream),
            _ if streams.begun == MOST_BEGINNINGS => {
                streams.spilled = Some(sheet.layer()?.plain_file()?);
                return Ok(None);
            }
            _ => {
                streams.begun += 1;
                None
            }
        }
    };
    let mut stream = match waiting {
        Some(stream) => stream,
        None => Stream { source: sheet.layer()?.plain_stream()?, at: 0 },
    };
    let skipped = io::copy(&mut stream.source.by_ref().take(offset - stream.at), &mut io::sink());
    let skipped = skipped.map_err(|source| Error::Stream { action: "read a layer", source })?;
    stream.at += skipped;
    Ok(Some(stream))
}

/// Lets a stream wait for the next file. Of two the one that is further on waits.
pub(super) fn put_back(sheet: &Sheet, stream: Stream) {
    let mut streams = sheet.streams.lock().unwrap_or_else(PoisonError::into_inner);
    if streams.waiting.as_ref().is_none_or(|waiting| waiting.at < stream.at) {
        streams.waiting = Some(stream);
    }
}

/// Reads from the plain tar that was written down.
pub(super) fn spilled(sheet: &Sheet, buffer: &mut [u8], at: u64) -> io::Result<usize> {
    let streams = sheet.streams.lock().unwrap_or_else(PoisonError::into_inner);
    match &streams.spilled {
        Some(tar) => tar.read_at(buffer, at),
        None => Err(io::ErrorKind::NotFound.into()),
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Stream").field("at", &self.at).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tug_oci::DiffId;

    use crate::compression::BlockWriter;
    use crate::entry::NewEntry;
    use crate::layer::ImportLayer;
    use crate::store::Store;
    use crate::store::tests::store;
    use crate::tar::TarWriter;
    use std::io::{Read, Write};

    /// Files `0` to `9` with their own names in them, a thousand times.
    fn compressed(store: &Store) -> DiffId {
        let mut tar = TarWriter::new(Vec::new());
        for name in 0..10 {
            let content = name.to_string().repeat(1000);
            tar.header(&NewEntry::file(name.to_string(), 0o644, 1000)).unwrap();
            tar.content(content.as_bytes()).unwrap();
            tar.pad().unwrap();
        }
        let mut gzip = BlockWriter::gzip(Vec::new(), 1);
        gzip.write_all(&tar.finish().unwrap()).unwrap();
        let blob = gzip.finish().unwrap();
        let layer = store.import_layer(&mut blob.as_slice(), &ImportLayer::default()).unwrap();
        layer.diff_id().clone()
    }

    #[test]
    fn files_of_a_compressed_layer_are_read_in_any_order_and_no_tree_is_made() {
        let (_folder, store) = store();
        let diff_id = compressed(&store);
        let view = store.view(std::slice::from_ref(&diff_id)).unwrap().only_looking();
        for name in [0, 3, 9, 2, 5, 4, 4, 1, 0, 9, 8] {
            let node = view.lookup(name.to_string().as_bytes()).unwrap();
            let mut text = String::new();
            view.open(&node).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, name.to_string().repeat(1000));
        }
        assert!(!store.layer_folder(&diff_id).join("tree").exists());
        assert!(!store.blob_path(diff_id.digest()).exists(), "the plain tar was kept");
        assert_eq!(std::fs::read_dir(store.path("ingest")).unwrap().count(), 0);
    }

    #[test]
    fn what_is_not_read_to_its_end_leaves_the_next_file_in_order() {
        let (_folder, store) = store();
        let view = store.view(&[compressed(&store)]).unwrap().only_looking();
        let mut begun = view.open(&view.lookup(b"1").unwrap()).unwrap();
        begun.read_exact(&mut [0; 10]).unwrap();
        let mut other = String::new();
        view.open(&view.lookup(b"2").unwrap()).unwrap().read_to_string(&mut other).unwrap();
        assert_eq!(other, "2".repeat(1000));
        let mut rest = String::new();
        begun.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "1".repeat(990));
    }
}
