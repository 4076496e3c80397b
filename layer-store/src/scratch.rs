//! Folders for work in progress, such as the upper directory of a RUN step.
//!
//! A scratch folder is below `ingest/`, on the same file system as `layers/`, so that what was made in it becomes a
//! layer by rename. It is locked while it lives, so that nobody takes it for garbage; a killed process leaves it
//! unlocked.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::error::{Result, failed};
use crate::file::unique_name;
use crate::lock::{still_named, try_flock};
use crate::store::Store;

/// A folder of our own that goes to the trash when this is dropped.
#[derive(Debug)]
pub struct ScratchDir {
    path: PathBuf,
    store: Store,
    is_removed_at_once: bool,
    _locked: File,
}

impl Store {
    /// A new, empty folder; `purpose` begins its name.
    pub fn scratch(&self, purpose: &str) -> Result<ScratchDir> {
        let ingest = self.path("ingest");
        loop {
            let path = ingest.join(unique_name(purpose));
            match DirBuilder::new().mode(0o755).create(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(failed("create", path)(error)),
            }
            // Between these two lines it may be taken for garbage: then it is gone, and we make another one.
            let Ok(opened) = File::open(&path) else { continue };
            if try_flock(&opened, &path)? && still_named(&opened, &path) {
                return Ok(ScratchDir {
                    path,
                    store: self.clone(),
                    is_removed_at_once: false,
                    _locked: opened,
                });
            }
        }
    }
}

impl ScratchDir {
    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Unlinks it before the drop returns: for what is large, few files, and of commands that end soon.
    #[must_use]
    pub(crate) fn removed_at_once(mut self) -> Self {
        self.is_removed_at_once = true;
        self
    }

    /// The folder `upper` in it, made when missing: where an overlay collects what a step writes.
    pub fn upper(&self) -> Result<PathBuf> {
        self.folder("upper", 0o755)
    }

    /// The folder `work` in it, made when missing: what an overlay needs beside `upper`.
    pub fn work(&self) -> Result<PathBuf> {
        self.folder("work", 0o700)
    }

    fn folder(&self, name: &str, mode: u32) -> Result<PathBuf> {
        let path = self.path.join(name);
        match DirBuilder::new().mode(mode).create(&path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(failed("create", path)(error)),
            _ => Ok(path),
        }
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        // What cannot be moved is garbage in `ingest/`, which the next prune removes.
        let trash = self.store.trash();
        let _ = if self.is_removed_at_once { trash.remove(&self.path) } else { trash.throw(&self.path) };
    }
}

#[cfg(test)]
mod tests {
    use crate::lock::try_flock;
    use crate::store::tests::store;

    #[test]
    fn a_scratch_folder_is_locked_and_vanishes_when_dropped() {
        let (_folder, store) = store();
        let scratch = store.scratch("run").unwrap();
        let path = scratch.path().to_owned();
        assert!(scratch.upper().unwrap().is_dir() && scratch.work().unwrap().is_dir());
        assert_eq!(scratch.upper().unwrap(), path.join("upper"));
        let other = std::fs::File::open(&path).unwrap();
        assert!(!try_flock(&other, &path).unwrap(), "another process could take it for garbage");
        drop(scratch);
        assert!(!path.exists());
    }
}
