//! Writes layers as `zstd:chunked`: an ordinary zstd stream from which single files can be had.
//!
//! ```text
//! blob    = (metadata frame, payload frame*)*, manifest, tar-split, footer     the last three are skippable frames
//! ```
//! - Every file's content begins a frame of its own, and a large one has several. All else of the tar, headers and padding,
//!   is in the frames between. Whoever decompresses it gets the tar: the diff id does not know of any of this.
//! - The *manifest* lists what is in the tar, with the place of each frame and the digest of its content: see [`toc`].
//! - *tar-split* is the tar without the contents, so that the same bytes can be made of files: see [`tar_split`].
//! - The *footer* says where both are; annotations of the layer say the same, and the digest of the manifest.
//!
//! Source: the documentation of containers/storage, `containers-storage-zstd-chunked.md`, and its tar-split format. podman
//! and CRI-O read it; others see zstd. They compare every entry of the manifest with the headers in tar-split, and refuse the
//! layer when one differs, so the manifest has names and modes as the headers have them. A layer that it has no words for
//! is written as plain zstd: one with sparse files, names that are not UTF-8 or there twice, global headers.

#[cfg(any(test, feature = "fuzzing"))]
mod check;
mod frames;
mod recorded;
mod tar_split;
mod toc;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

use tug_oci::Digest;

use crate::compression::Pool;
use crate::entry::NewEntryKind;
use crate::error::{Error, Result};
use crate::tar::{Limits, TarError, TarReader};
use frames::Frames;
use recorded::Recorded;
use tar_split::TarSplit;
use toc::Described;

/// What the fuzz targets ask: whether a tar that was written as `zstd:chunked`, read back, is the tar that it was made of.
#[cfg(feature = "fuzzing")]
pub fn round_trip(tar: &[u8]) -> std::result::Result<(), String> {
    check::round_trip(tar)
}

/// Annotations of a layer.
pub(crate) type Annotations = BTreeMap<String, String>;

pub(crate) const MANIFEST_CHECKSUM: &str = "io.github.containers.zstd-chunked.manifest-checksum";
pub(crate) const MANIFEST_POSITION: &str = "io.github.containers.zstd-chunked.manifest-position";
const TAR_SPLIT_POSITION: &str = "io.github.containers.zstd-chunked.tarsplit-position";
/// The only kind of manifest there is.
pub(crate) const KIND: u64 = 1;
const MAGIC: &[u8; 8] = b"GNUlInUx";
const SKIPPABLE: u32 = 0x184d_2a50;
const BUFFER: usize = 128 * 1024;

/// Compresses the plain tar of a layer to `out`. Returns `out` and the annotations that the layer gets.
///
/// The output depends on the tar and the level, and not on the number of threads. `go_on` fails when the work is to be
/// given up.
pub(crate) fn write<W: Write>(
    tar: impl Read,
    level: i32,
    out: W,
    go_on: &dyn Fn() -> Result<()>,
) -> Result<(W, Annotations)> {
    write_with(Pool::shared(), tar, level, out, go_on)
}

fn write_with<W: Write>(
    pool: Option<Arc<Pool>>,
    tar: impl Read,
    level: i32,
    out: W,
    go_on: &dyn Fn() -> Result<()>,
) -> Result<(W, Annotations)> {
    let recorded = Recorded::new(tar);
    let mut reader = TarReader::new(recorded.clone(), Limits::default());
    let mut frames = Frames::new(pool, out, level).map_err(unwritable)?;
    let mut split = TarSplit::new().map_err(unwritable)?;
    let mut buffer = vec![0; BUFFER];
    while let Some(entry) = reader.next_entry().map_err(of_tar)? {
        go_on()?;
        let header = recorded.take_until(reader.position());
        frames.metadata(&header).map_err(unwritable)?;
        split.segment(&header).map_err(unwritable)?;
        let is_sparse = reader.segments().is_some();
        let size = match entry.kind {
            NewEntryKind::File { size } if !is_sparse => size,
            _ => 0,
        };
        frames.begin(Described::of(&entry, reader.raw()).filter(|_| !is_sparse), size);
        loop {
            go_on()?;
            let count = reader.read_content(&mut buffer).map_err(of_tar)?;
            if count == 0 {
                break;
            }
            if is_sparse {
                // There will be no manifest, but the tar stays what it is.
                frames.metadata(&recorded.take_until(reader.position())).map_err(unwritable)?;
                continue;
            }
            recorded.skip_until(reader.position());
            frames.payload(&buffer[..count]).map_err(unwritable)?;
            split.content(&buffer[..count]);
        }
        frames.end().map_err(unwritable)?;
        split.file(&String::from_utf8_lossy(&entry.path), size).map_err(unwritable)?;
    }
    drop(reader);
    loop {
        go_on()?;
        let rest = recorded.rest(&mut buffer).map_err(unreadable)?;
        if rest.is_empty() {
            break;
        }
        frames.metadata(rest).map_err(unwritable)?;
        split.segment(rest).map_err(unwritable)?;
    }
    close(frames, split).map_err(unwritable)
}

/// Writes what comes behind the tar.
fn close<W: Write>(frames: Frames<W>, split: TarSplit) -> io::Result<(W, Annotations)> {
    let (mut out, position, toc) = frames.finish()?;
    let Some(toc) = toc else { return Ok((out, Annotations::new())) };
    let split = split.finish()?;
    let (manifest, manifest_length) = toc.finish(&Digest::of(&split.compressed))?;
    let manifest_at = position + 8;
    let split_at = manifest_at + manifest.len() as u64 + 8;
    let numbers = [
        manifest_at,
        manifest.len() as u64,
        manifest_length,
        KIND,
        split_at,
        split.compressed.len() as u64,
        split.length,
    ];
    let footer: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).chain(*MAGIC).collect();
    for content in [&manifest, &split.compressed, &footer] {
        let length = u32::try_from(content.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
        out.write_all(&SKIPPABLE.to_le_bytes())?;
        out.write_all(&length.to_le_bytes())?;
        out.write_all(content)?;
    }
    let manifest_length = format!("{manifest_at}:{}:{manifest_length}:{KIND}", manifest.len());
    let split_length = format!("{split_at}:{}:{}", split.compressed.len(), split.length);
    let annotations = [
        (MANIFEST_CHECKSUM, Digest::of(&manifest).to_string()),
        (MANIFEST_POSITION, manifest_length),
        (TAR_SPLIT_POSITION, split_length),
    ];
    Ok((out, annotations.map(|(key, value)| (key.to_owned(), value)).into()))
}

/// Whether a layer with these annotations is of this kind.
pub(crate) fn is_chunked(annotations: &Annotations) -> bool {
    annotations.contains_key(MANIFEST_CHECKSUM)
}

fn of_tar(error: TarError) -> Error {
    match error {
        TarError::Read(error) => unreadable(error),
        other => other.into(),
    }
}

fn unreadable(source: io::Error) -> Error {
    Error::Stream { action: "read a layer", source }
}

fn unwritable(source: io::Error) -> Error {
    Error::Stream { action: "write a layer", source }
}

#[cfg(test)]
mod tests;
