//! Folders as places where blobs were seen: `oci:` and the path of an image layout, among the repositories of the store's
//! origins.
//!
//! A line of origins has no blanks, so what is not plain in the path is written as `%20`.

use std::ffi::OsString;
use std::fs::File;
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use tug_layer_store::{ImportLayer, Mountable, Store, Wanted};

use super::folder::Folder;

const PREFIX: &str = "oci:";
const CHUNK: usize = 1 << 20;

/// The origin that a folder is. `path` is absolute.
pub(crate) fn of(path: &Path) -> String {
    let mut origin = PREFIX.to_owned();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'%' | 0..=b' ' | 0x7f.. => origin.push_str(&format!("%{byte:02x}")),
            plain => origin.push(char::from(*plain)),
        }
    }
    origin
}

/// The folder that an origin is, if it is one.
pub(crate) fn folder(origin: &str) -> Option<PathBuf> {
    let mut rest = origin.strip_prefix(PREFIX)?.as_bytes();
    let mut path = Vec::with_capacity(rest.len());
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first != b'%' {
            path.push(*first);
            continue;
        }
        let digits = std::str::from_utf8(tail.get(..2)?).ok()?;
        path.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &tail[2..];
    }
    Some(PathBuf::from(OsString::from_vec(path))).filter(|path| path.is_absolute())
}

/// Brings a blob from a folder in which it was seen: it is checked, and made a layer in the same pass, like one that comes
/// from a registry. `false` when no folder has it.
pub(crate) fn bring(store: &Store, wanted: &Wanted) -> tug_layer_store::Result<bool> {
    let blob = &wanted.descriptor;
    let origins = store.origins(&blob.digest)?;
    let folders = origins.iter().filter_map(|origin| folder(origin)).map(Folder::new);
    let Some(file) = folders.filter_map(|folder| folder.open(&blob.digest, Some(blob.size))).next() else {
        return Ok(false);
    };
    // The bytes are read as somebody else left them: they count only when their digest is right.
    if let Some(partial) = store.partial(&blob.digest, blob.size)? {
        partial.restart().map_err(|source| stream("write a blob", source))?;
        fill(file, blob.size, |offset, bytes| partial.write_at(offset, bytes))?;
        match &wanted.diff_id {
            Some(diff_id) => {
                let materialise = wanted.mountable == Mountable::Now;
                let expected = Some(diff_id.clone());
                let options = ImportLayer { expected, materialise, ..ImportLayer::default() };
                let imported = store.import_partial(&partial, blob, &options);
                if let Err(error) = imported {
                    partial.abandon()?;
                    return Err(error);
                }
            }
            None => {
                if let Err(error) = partial.finish() {
                    partial.abandon()?;
                    return Err(error);
                }
            }
        }
    }
    Ok(true)
}

fn fill(
    mut from: File,
    size: u64,
    mut write: impl FnMut(u64, &[u8]) -> std::io::Result<()>,
) -> tug_layer_store::Result<()> {
    let mut buffer = vec![0; CHUNK];
    let mut place = 0;
    while place < size {
        let room = usize::try_from(size - place).map_or(CHUNK, |left| left.min(CHUNK));
        let count = from.read(&mut buffer[..room]).map_err(|source| stream("read a blob", source))?;
        if count == 0 {
            return Err(stream("read a blob", std::io::ErrorKind::UnexpectedEof.into()));
        }
        write(place, &buffer[..count]).map_err(|source| stream("write a blob", source))?;
        place += count as u64;
    }
    Ok(())
}

fn stream(action: &'static str, source: std::io::Error) -> tug_layer_store::Error {
    tug_layer_store::Error::Stream { action, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_path_comes_back_and_has_no_blanks() {
        for path in [&b"/a/b"[..], b"/with blank\n/100%", b"/\xff\xfe/\xc3\xa4", b"/"] {
            let path = Path::new(std::ffi::OsStr::from_bytes(path));
            let origin = of(path);
            assert!(origin.bytes().all(|byte| byte.is_ascii_graphic()), "{origin}");
            assert_eq!(folder(&origin).as_deref(), Some(path));
        }
    }

    #[test]
    fn what_is_no_folder_is_none() {
        for origin in ["docker.io/library/debian", "oci:relative", "oci:", "oci:/%2", "oci:/%zz", "oci:/%é"]
        {
            assert_eq!(folder(origin), None, "{origin}");
        }
    }
}
