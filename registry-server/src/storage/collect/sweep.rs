//! What goes: each candidate is looked at once more, under its lock.

use std::fs;
use std::path::Path;

use tug_oci::Digest;

use super::mark::{Plan, is_old, links};
use super::{CollectOptions, Collected, Verdict};
use crate::names::RepositoryName;
use crate::storage::document::Document;
use crate::storage::error::{At, Error, if_there};
use crate::storage::{Storage, files};

impl Storage {
    pub(super) fn sweep(
        &self,
        plan: &Plan,
        options: &CollectOptions,
        tell: &mut dyn FnMut(Verdict),
    ) -> Result<Collected, Error> {
        let mut collected = Collected::default();
        for (repository, digest) in &plan.manifests {
            if let Some(bytes) = self.sweep_manifest(repository, digest, options)? {
                collected.manifests += 1;
                collected.bytes += bytes;
                let why = "neither a tag nor an index leads to it, and it is attached to nothing that stays";
                tell(goes(format!("manifest {digest}"), Some(repository), bytes, why));
            }
        }
        for (repository, digest) in &plan.blobs {
            if let Some(bytes) = self.sweep_blob(repository, digest, options)? {
                collected.blobs += 1;
                collected.bytes += bytes;
                tell(goes(format!("blob {digest}"), Some(repository), bytes, "no manifest refers to it"));
            }
        }
        for digest in &plan.shared {
            if let Some(bytes) = self.sweep_shared(digest, options)? {
                collected.bytes += bytes;
                tell(goes(format!("blob {digest}"), None, bytes, "no repository has it"));
            }
        }
        for path in &plan.abandoned {
            let is_upload = path.is_dir();
            let bytes = size_of(path)?;
            if !options.dry_run {
                let removed = if is_upload { fs::remove_dir_all(path) } else { fs::remove_file(path) };
                if_there(removed).at("remove", path)?;
            }
            collected.uploads += u64::from(is_upload);
            collected.bytes += bytes;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let what = if is_upload { "upload" } else { "unfinished file" };
            tell(goes(format!("{what} {name}"), None, bytes, "nothing has come for it for too long"));
        }
        Ok(collected)
    }

    /// Takes a manifest away; how many bytes that gave back, `None` when it stays after all.
    fn sweep_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        options: &CollectOptions,
    ) -> Result<Option<u64>, Error> {
        let (record, owned) = (self.record(repository, digest), self.owned(repository, digest));
        let subject = files::read(&owned)?
            .and_then(|bytes| Document::parse(&bytes).ok())
            .and_then(|document| document.subject().cloned());
        let given_back = {
            let _lock = self.locks.of(digest)?;
            for path in [&record, &owned] {
                let metadata = if_there(fs::metadata(path)).at("look at", path)?;
                if metadata.is_some_and(|metadata| !is_old(&metadata, options)) {
                    return Ok(None);
                }
            }
            // The record first: one without a manifest would be damage, a manifest without a record is garbage.
            if !options.dry_run && files::remove(&record)? {
                self.sync_folder_of(&record)?;
            }
            self.unlink(&owned, digest, options)?.unwrap_or_default()
        };
        if let (Some(subject), false) = (subject, options.dry_run) {
            self.detach(repository, &subject, digest)?;
        }
        Ok(Some(given_back))
    }

    fn sweep_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        options: &CollectOptions,
    ) -> Result<Option<u64>, Error> {
        let _lock = self.locks.of(digest)?;
        // It may have become a manifest.
        if self.record(repository, digest).exists() {
            return Ok(None);
        }
        self.unlink(&self.owned(repository, digest), digest, options)
    }

    /// Takes the link of a repository away and, if it was the last one, the blob. Under the lock of `digest`.
    fn unlink(&self, owned: &Path, digest: &Digest, options: &CollectOptions) -> Result<Option<u64>, Error> {
        let Some(metadata) = if_there(fs::metadata(owned)).at("look at", owned)? else { return Ok(None) };
        if !is_old(&metadata, options) {
            return Ok(None);
        }
        let shared = self.shared(digest);
        let is_shared = if_there(fs::metadata(&shared)).at("look at", &shared)?.is_some_and(|shared| {
            use std::os::unix::fs::MetadataExt;
            (shared.dev(), shared.ino()) == (metadata.dev(), metadata.ino())
        });
        let is_last = links(&metadata) == 1 + u64::from(is_shared);
        if !options.dry_run {
            files::remove(owned)?;
            if is_last && is_shared {
                files::remove(&shared)?;
            }
        }
        Ok(Some(if is_last { metadata.len() } else { 0 }))
    }

    fn sweep_shared(&self, digest: &Digest, options: &CollectOptions) -> Result<Option<u64>, Error> {
        let _lock = self.locks.of(digest)?;
        let path = self.shared(digest);
        let metadata = if_there(fs::metadata(&path)).at("look at", &path)?;
        let Some(metadata) = metadata.filter(|metadata| links(metadata) == 1 && is_old(metadata, options))
        else {
            return Ok(None);
        };
        if !options.dry_run {
            files::remove(&path)?;
        }
        Ok(Some(metadata.len()))
    }
}

fn goes(what: String, repository: Option<&RepositoryName>, size: u64, why: &str) -> Verdict {
    let repository = repository.map(ToString::to_string);
    Verdict { what, repository, size, stays: false, why: why.to_owned() }
}

/// The bytes of a file, or of the files in a folder.
fn size_of(path: &Path) -> Result<u64, Error> {
    let Some(metadata) = if_there(fs::metadata(path)).at("look at", path)? else { return Ok(0) };
    if !metadata.is_dir() {
        return Ok(metadata.len());
    }
    files::names(path)?.iter().map(|name| size_of(&path.join(name))).sum()
}
