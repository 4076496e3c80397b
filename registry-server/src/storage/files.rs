//! How files come into being: whole, on the disk, and only then under their name.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::Storage;
use super::error::{At, Error, if_there};

/// The largest file that is read in one piece: a manifest, and more than any record of ours.
const LARGEST_SMALL_FILE: u64 = 64 << 20;

impl Storage {
    /// Writes `bytes` to `path`, replacing what is there, in one step. The folder must exist.
    pub(super) fn write_file(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let temporary = self.temporary_file(bytes)?;
        let renamed = fs::rename(&temporary, path).at("write", path);
        if renamed.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        renamed?;
        self.sync_folder_of(path)
    }

    /// A new file beside everything else, with `bytes` in it that are on the disk.
    pub(super) fn temporary_file(&self, bytes: &[u8]) -> Result<PathBuf, Error> {
        let path = self.new_path()?;
        let written = create(&path).and_then(|mut file| {
            file.write_all(bytes)?;
            self.sync_file(&file)
        });
        if written.is_err() {
            let _ = fs::remove_file(&path);
        }
        written.at("write", &path)?;
        Ok(path)
    }

    /// A path on the same file system that nobody else uses.
    pub(super) fn new_path(&self) -> Result<PathBuf, Error> {
        Ok(self.ingest().join(super::random()?.as_str()))
    }

    /// Waits until the disk has the content of `file`.
    pub(super) fn sync_file(&self, file: &File) -> io::Result<()> {
        if self.sync { file.sync_data() } else { Ok(()) }
    }

    /// Waits until the disk has the names in the folder of `path`.
    pub(super) fn sync_folder_of(&self, path: &Path) -> Result<(), Error> {
        let folder = path.parent().expect("every path of ours lies in the root");
        self.sync_folder(folder)
    }

    /// Waits until the disk has the names in `folder`.
    pub(super) fn sync_folder(&self, folder: &Path) -> Result<(), Error> {
        if !self.sync {
            return Ok(());
        }
        File::open(folder).and_then(|folder| folder.sync_all()).at("sync", folder)
    }

    /// Makes `folder` and those above it that are missing, so that the disk has them.
    pub(super) fn make_folder(&self, folder: &Path) -> Result<(), Error> {
        if folder.is_dir() {
            return Ok(());
        }
        if let Some(above) = folder.parent() {
            self.make_folder(above)?;
        }
        match fs::create_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
            other => other.at("make the folder", folder),
        }?;
        self.sync_folder_of(folder)
    }
}

/// Makes a file that must be new.
pub(super) fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).open(path)
}

/// The whole of a small file; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, Error> {
    let Some(file) = if_there(File::open(path)).at("open", path)? else {
        return Ok(None);
    };
    let mut bytes = Vec::new();
    match file.take(LARGEST_SMALL_FILE + 1).read_to_end(&mut bytes) {
        Err(error) if error.kind() == io::ErrorKind::IsADirectory => return Ok(None),
        other => other.at("read", path)?,
    };
    if bytes.len() as u64 > LARGEST_SMALL_FILE {
        return Err(Error::Damaged { path: path.to_owned(), why: "it is too large".to_owned() });
    }
    Ok(Some(bytes))
}

/// Removes a file; whether it was there.
pub(super) fn remove(path: &Path) -> Result<bool, Error> {
    Ok(if_there(fs::remove_file(path)).at("remove", path)?.is_some())
}

/// The names in a folder, sorted by bytes; none when there is no folder. Names that are no UTF-8 are not ours.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let Some(entries) = if_there(fs::read_dir(folder)).at("read", folder)? else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry.at("read", folder)?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort_unstable();
    Ok(names)
}
