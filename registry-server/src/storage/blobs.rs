//! Blobs: who owns them, how they come in and how they go.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use rustix::fs::{Timespec, Timestamps, UTIME_NOW, UTIME_OMIT, futimens};
use tug_oci::Digest;

use super::error::{At, Error, if_there};
use super::{Storage, files};
use crate::names::RepositoryName;

/// A lease that is younger than this is not written again: thousands of questions after one blob are one write.
const LEASE_IS_FRESH: Duration = Duration::from_secs(1);

/// A blob that is open for reading. It can be read to its end even when it is deleted meanwhile.
#[derive(Debug)]
pub(crate) struct Blob {
    /// The bytes.
    pub(crate) file: File,
    /// How many there are.
    pub(crate) size: u64,
}

impl Storage {
    /// Opens a blob that `repository` owns.
    pub(crate) fn open_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Blob>, Error> {
        let path = self.owned(repository, digest);
        let Some(file) = if_there(File::open(&path)).at("open", &path)? else {
            return Ok(None);
        };
        let metadata = file.metadata().at("look at", &path)?;
        Ok(metadata.is_file().then(|| Blob { file, size: metadata.len() }))
    }

    /// The size of a blob that `repository` owns. Whoever hears it may rely on the blob for the grace of the collector.
    pub(crate) fn lease_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<u64>, Error> {
        let path = self.owned(repository, digest);
        if if_there(fs::metadata(&path)).at("look at", &path)?.is_none() {
            return Ok(None);
        }
        let _lock = self.locks.of(digest)?;
        touch(&path)
    }

    /// Gives `to` a blob that `from` owns, without moving a byte; whether `from` had it.
    pub(crate) fn mount_blob(
        &self,
        digest: &Digest,
        from: &RepositoryName,
        to: &RepositoryName,
    ) -> Result<bool, Error> {
        let source = self.owned(from, digest);
        if if_there(fs::metadata(&source)).at("look at", &source)?.is_none() {
            return Ok(false);
        }
        self.make_repository(to)?;
        {
            let _lock = self.locks.of(digest)?;
            if touch(&source)?.is_none() {
                return Ok(false);
            }
            self.link(&source, &self.owned(to, digest))?;
        }
        self.sync_folder_of(&self.owned(to, digest))?;
        Ok(true)
    }

    /// A repository that owns the blob and passes `may_read`.
    pub(crate) fn owner_of(
        &self,
        digest: &Digest,
        may_read: &dyn Fn(&RepositoryName) -> bool,
    ) -> Result<Option<RepositoryName>, Error> {
        // What nobody has need not be looked for in every repository.
        if !self.shared(digest).is_file() {
            return Ok(None);
        }
        let owns = |name: &RepositoryName| self.owned(name, digest).is_file() && may_read(name);
        Ok(self.repositories()?.into_iter().find(owns))
    }

    /// Takes a blob from `repository`; whether it was there. Others keep it.
    pub(crate) fn delete_blob(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, Error> {
        let path = self.owned(repository, digest);
        let removed = {
            let _lock = self.locks.of(digest)?;
            files::remove(&path)?
        };
        if removed {
            self.sync_folder_of(&path)?;
        }
        Ok(removed)
    }

    /// Takes in the file `whole`, whose content is `digest` and on the disk, and makes `repository` own it. The file is
    /// gone afterwards. Taking in the same again, or at the same time, does no harm.
    pub(super) fn adopt(
        &self,
        whole: &Path,
        digest: &Digest,
        repository: &RepositoryName,
    ) -> Result<(), Error> {
        self.make_repository(repository)?;
        let (shared, owned) = (self.shared(digest), self.owned(repository, digest));
        let size = fs::metadata(whole).at("look at", whole)?.len();
        {
            let _lock = self.locks.of(digest)?;
            if touch(&shared)? == Some(size) {
                fs::remove_file(whole).at("remove", whole)?;
            } else {
                // Also where a file lies that cannot be the blob: one of another size.
                fs::rename(whole, &shared).at("name", &shared)?;
            }
            if if_there(fs::metadata(&owned)).at("look at", &owned)?.is_some_and(|old| old.len() != size) {
                fs::remove_file(&owned).at("remove", &owned)?;
            }
            self.link(&shared, &owned)?;
            touch(&owned)?;
        }
        self.sync_folder_of(&owned)
    }

    /// Makes `repository` own a blob that is in the content store; whether it is there.
    pub(crate) fn adopt_shared(&self, digest: &Digest, repository: &RepositoryName) -> Result<bool, Error> {
        let (shared, owned) = (self.shared(digest), self.owned(repository, digest));
        if !shared.is_file() {
            return Ok(false);
        }
        self.make_repository(repository)?;
        {
            let _lock = self.locks.of(digest)?;
            if touch(&shared)?.is_none() {
                return Ok(false);
            }
            self.link(&shared, &owned)?;
        }
        self.sync_folder_of(&owned)?;
        Ok(true)
    }

    /// Makes `target` the same file as `source`; where that is not possible, a copy.
    fn link(&self, source: &Path, target: &Path) -> Result<(), Error> {
        match fs::hard_link(source, target) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            // A file has a limited number of links (ext4: 65,000), and some file systems know none.
            Err(error) if cannot_link(&error) => self.copy(source, target),
            other => other.at("link", target),
        }
    }

    fn copy(&self, source: &Path, target: &Path) -> Result<(), Error> {
        let temporary = self.new_path()?;
        let copied = (|| {
            let mut file = files::create(&temporary)?;
            io::copy(&mut File::open(source)?, &mut file)?;
            self.sync_file(&file)?;
            fs::rename(&temporary, target)
        })();
        if copied.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        copied.at("copy", target)
    }
}

fn cannot_link(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::TooManyLinks | io::ErrorKind::PermissionDenied | io::ErrorKind::Unsupported
    )
}

/// Says that somebody relies on the file from now on. Its size; `None` when there is none.
pub(super) fn touch(path: &Path) -> Result<Option<u64>, Error> {
    let Some(file) = if_there(File::open(path)).at("open", path)? else {
        return Ok(None);
    };
    let metadata = file.metadata().at("look at", path)?;
    if last_relied_on(&metadata).elapsed().unwrap_or_default() >= LEASE_IS_FRESH {
        let omit = Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT };
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        futimens(&file, &Timestamps { last_access: omit, last_modification: now }).at("touch", path)?;
    }
    Ok(Some(metadata.len()))
}

/// When somebody last relied on a file. Its change time counts, too: nobody can set it back.
pub(super) fn last_relied_on(metadata: &fs::Metadata) -> SystemTime {
    use std::os::unix::fs::MetadataExt;
    let changed = u64::try_from(metadata.ctime())
        .map_or(SystemTime::UNIX_EPOCH, |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds));
    metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH).max(changed)
}
