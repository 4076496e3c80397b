//! Small files, read whole and replaced whole.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, failed};
use crate::lock::{still_named, try_flock};

/// Whether to wait until the disk has what was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Durability {
    /// Wait: it is there after a power failure.
    Synced,
    #[default]
    /// Do not wait: a power failure may lose it, or leave it empty. Something else must know that.
    Deferred,
}

/// Reads a file of at most `limit` bytes; `None` when there is none.
pub(crate) fn read_small(path: &Path, limit: u64) -> Result<Option<Vec<u8>>> {
    let Some(opened) = open(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    opened.take(limit + 1).read_to_end(&mut bytes).map_err(failed("read", path))?;
    if bytes.len() as u64 > limit {
        return Err(Error::TooLarge { what: format!("`{}`", path.display()), limit });
    }
    Ok(Some(bytes))
}

/// Opens a file for reading; `None` when there is none.
pub(crate) fn open(path: &Path) -> Result<Option<File>> {
    match File::open(path) {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed("open", path)(error)),
    }
}

/// Replaces a file by `bytes`, all or nothing. `beside` is a folder on the same file system to write it in first.
pub(crate) fn replace(path: &Path, beside: &Path, bytes: &[u8], durability: Durability) -> Result<()> {
    let (temporary, mut opened) = create_unique(beside, "file")?;
    let sync = |opened: &File| if durability == Durability::Synced { opened.sync_data() } else { Ok(()) };
    let written = opened
        .write_all(bytes)
        .and_then(|()| sync(&opened))
        .and_then(|()| std::fs::rename(&temporary, path))
        .map_err(failed("write", path));
    if written.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    written?;
    if durability == Durability::Synced { sync_folder_of(path) } else { Ok(()) }
}

/// The same, and makes the folder that `path` is in, which others may take away at any moment.
pub(crate) fn replace_in_folder(path: &Path, beside: &Path, bytes: &[u8]) -> Result<()> {
    const TRIES: usize = 16;
    let Some(folder) = path.parent() else { return replace(path, beside, bytes, Durability::Deferred) };
    let mut tries = 0;
    loop {
        std::fs::create_dir_all(folder).map_err(failed("create", folder))?;
        let outcome = replace(path, beside, bytes, Durability::Deferred);
        tries += 1;
        if outcome.is_ok() || tries == TRIES || folder.exists() {
            return outcome;
        }
    }
}

/// Makes a new, empty file with a name that nobody else has. It is locked while it is open, so that nobody takes it for
/// garbage.
pub(crate) fn create_unique(folder: &Path, purpose: &str) -> Result<(PathBuf, File)> {
    loop {
        let path = folder.join(unique_name(purpose));
        let mut options = OpenOptions::new();
        match options.read(true).write(true).create_new(true).mode(0o644).open(&path) {
            Ok(opened) if try_flock(&opened, &path)? && still_named(&opened, &path) => {
                return Ok((path, opened));
            }
            // Somebody took it for garbage before we could lock it.
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed("create", path)(error)),
        }
    }
}

/// `purpose-` and 16 random digits.
pub(crate) fn unique_name(purpose: &str) -> String {
    let mut bytes = [0; 8];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .expect("eight bytes are given at once, without an interruption, since the kernel is up");
    format!("{purpose}-{:016x}", u64::from_le_bytes(bytes))
}

/// Waits until the disk knows the names in the folder that `path` is in.
pub(crate) fn sync_folder_of(path: &Path) -> Result<()> {
    let folder = path.parent().unwrap_or(path);
    let synced = File::open(folder).and_then(|opened| opened.sync_all());
    synced.map_err(failed("sync", folder))
}
