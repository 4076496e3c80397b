//! Uploads under way. One is a folder with two files: whose it is, and the bytes that have come.
//!
//! How far an upload is, is the length of its data: so it survives a cut connection and a killed server alike. The
//! running hash lives in memory; whoever comes without it reads the data once more.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tug_oci::{Algorithm, Digest, Hasher};

use super::error::{At, Error, if_there};
use super::{Storage, files};
use crate::names::{RepositoryName, UploadId};

/// How much of a file is hashed at once.
const PIECE: usize = 256 << 10;

/// What the file `session` says.
#[derive(Serialize, Deserialize)]
struct Session {
    repository: String,
    algorithm: String,
}

/// An upload that this thread writes to.
#[derive(Debug)]
pub(crate) struct Upload {
    folder: PathBuf,
    file: File,
    progress: Progress,
}

/// How far an upload is.
pub(crate) struct Progress {
    offset: u64,
    algorithm: Algorithm,
    hasher: Hasher,
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "Progress({} bytes, {})", self.offset, self.algorithm.name())
    }
}

impl Storage {
    /// Begins an upload whose hash will run with `algorithm`.
    pub(crate) fn begin_upload(
        &self,
        repository: &RepositoryName,
        algorithm: Algorithm,
    ) -> Result<UploadId, Error> {
        let id = super::random()?;
        let folder = self.upload(&id);
        fs::create_dir(&folder).at("make the folder", &folder)?;
        let session =
            Session { repository: repository.as_str().to_owned(), algorithm: algorithm.name().to_owned() };
        let made = (|| {
            fs::write(folder.join("session"), serde_json::to_vec(&session).expect("two texts are JSON"))?;
            files::create(&folder.join("data"))
        })();
        if made.is_err() {
            let _ = fs::remove_dir_all(&folder);
        }
        made.at("begin an upload in", &folder)?;
        Ok(id)
    }

    /// Whether there is such an upload.
    pub(crate) fn has_upload(&self, id: &UploadId) -> bool {
        self.upload(id).exists()
    }

    /// How many bytes of an upload have come; `None` when `repository` has no such upload.
    pub(crate) fn upload_offset(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
    ) -> Result<Option<u64>, Error> {
        if self.upload_algorithm(repository, id)?.is_none() {
            return Ok(None);
        }
        let path = self.upload(id).join("data");
        Ok(if_there(fs::metadata(&path)).at("look at", &path)?.map(|metadata| metadata.len()))
    }

    /// Opens an upload to go on with it. What is `known` of it from before saves reading it again.
    pub(crate) fn open_upload(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
        known: Option<Progress>,
    ) -> Result<Option<Upload>, Error> {
        let Some(algorithm) = self.upload_algorithm(repository, id)? else {
            return Ok(None);
        };
        let folder = self.upload(id);
        let path = folder.join("data");
        let Some(file) = if_there(OpenOptions::new().read(true).write(true).open(&path)).at("open", &path)?
        else {
            return Ok(None);
        };
        let length = file.metadata().at("look at", &path)?.len();
        let progress = match known {
            Some(progress) if progress.offset == length => progress,
            _ => Progress { offset: length, algorithm, hasher: hash(&file, algorithm).at("read", &path)? },
        };
        Ok(Some(Upload { folder, file, progress }))
    }

    /// Forgets an upload and gives back its bytes; whether `repository` had it.
    pub(crate) fn cancel_upload(&self, repository: &RepositoryName, id: &UploadId) -> Result<bool, Error> {
        if self.upload_algorithm(repository, id)?.is_none() {
            return Ok(false);
        }
        let folder = self.upload(id);
        Ok(if_there(fs::remove_dir_all(&folder)).at("remove", &folder)?.is_some())
    }

    /// Ends an upload: checks that its bytes are `digest`, and makes `repository` own them. Where they are something
    /// else, the upload is gone: nothing that could be sent would mend it.
    pub(crate) fn commit_upload(
        &self,
        repository: &RepositoryName,
        upload: Upload,
        digest: &Digest,
    ) -> Result<(), Error> {
        let Upload { folder, file, progress } = upload;
        let path = folder.join("data");
        let hasher = if progress.algorithm == digest.algorithm() {
            progress.hasher
        } else {
            hash(&file, digest.algorithm()).at("read", &path)?
        };
        let actual = hasher.finish();
        if actual != *digest {
            let _ = fs::remove_dir_all(&folder);
            return Err(Error::DigestMismatch { expected: digest.clone(), actual });
        }
        self.sync_file(&file).at("write", &path)?;
        drop(file);
        self.adopt(&path, digest, repository)?;
        if_there(fs::remove_dir_all(&folder)).at("remove", &folder)?;
        Ok(())
    }

    /// What the hash of an upload runs with; `None` when `repository` has no such upload.
    fn upload_algorithm(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
    ) -> Result<Option<Algorithm>, Error> {
        let Some(bytes) = files::read(&self.upload(id).join("session"))? else {
            return Ok(None);
        };
        // A session that a crash has cut short belongs to nobody: the client begins anew.
        let Ok(session) = serde_json::from_slice::<Session>(&bytes) else {
            return Ok(None);
        };
        let algorithm =
            if session.algorithm == Algorithm::Sha512.name() { Algorithm::Sha512 } else { Algorithm::Sha256 };
        Ok((session.repository == repository.as_str()).then_some(algorithm))
    }
}

impl Upload {
    /// Appends `bytes`.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.file.write_all_at(bytes, self.progress.offset).at("write", &self.folder)?;
        self.progress.hasher.update(bytes);
        self.progress.offset += bytes.len() as u64;
        Ok(())
    }

    /// How many bytes have come.
    pub(crate) fn offset(&self) -> u64 {
        self.progress.offset
    }

    /// Stops writing. What is known now makes going on cheap.
    pub(crate) fn pause(self) -> Progress {
        self.progress
    }
}

/// The hash of all of `file`.
pub(super) fn hash(file: &File, algorithm: Algorithm) -> std::io::Result<Hasher> {
    let mut hasher = Hasher::new(algorithm);
    let mut piece = vec![0; PIECE];
    let mut offset = 0;
    loop {
        match file.read_at(&mut piece, offset)? {
            0 => return Ok(hasher),
            length => {
                hasher.update(&piece[..length]);
                offset += length as u64;
            }
        }
    }
}
