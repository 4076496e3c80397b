//! Blobs that come from elsewhere than from a client: a file without a name until it is whole and its digest agrees.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::PathBuf;

use tug_oci::Digest;

use super::Storage;
use super::error::{At, Error};
use super::uploads::hash;
use crate::names::RepositoryName;

/// A file that is being filled; gone with the value, unless it was kept.
#[derive(Debug)]
pub(crate) struct Incoming {
    path: PathBuf,
}

impl Incoming {
    /// What it means that the file could not be written.
    pub(crate) fn error(&self, source: io::Error) -> Error {
        Error::Io { action: "write", path: self.path.clone(), source }
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        // Mostly it has a name by now, or the disk is beyond help; the collector looks after the rest.
        let _ = fs::remove_file(&self.path);
    }
}

impl Storage {
    /// A file to be filled, and the way to write to it.
    pub(crate) fn receive(&self) -> Result<(Incoming, File), Error> {
        let path = self.new_path()?;
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path);
        Ok((Incoming { path: path.clone() }, file.at("write", &path)?))
    }

    /// Makes `repository` own the file, if its content is `digest`.
    pub(crate) fn keep(
        &self,
        incoming: &Incoming,
        digest: &Digest,
        repository: &RepositoryName,
    ) -> Result<(), Error> {
        let path = &incoming.path;
        let file = File::open(path).at("open", path)?;
        let actual = hash(&file, digest.algorithm()).at("read", path)?.finish();
        if actual != *digest {
            return Err(Error::DigestMismatch { expected: digest.clone(), actual });
        }
        self.sync_file(&file).at("write", path)?;
        self.adopt(path, digest, repository)
    }
}
