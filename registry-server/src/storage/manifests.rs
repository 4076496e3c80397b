//! Manifests: their bytes are a blob of the repository, and a record beside says that it is a manifest, and of which
//! type. Both are written once.

use std::collections::BTreeSet;
use std::fs;
use std::sync::PoisonError;

use serde::{Deserialize, Serialize};
use tug_oci::Digest;

use super::blobs::touch;
use super::collect::digests_in;
use super::document::{Document, Link};
use super::error::{At, Error, if_there};
use super::{Storage, files};
use crate::names::{Reference, RepositoryName, Tag};

/// A manifest as it was pushed.
#[derive(Debug)]
pub(crate) struct Manifest {
    /// Its name.
    pub(crate) digest: Digest,
    /// The type that it was pushed as.
    pub(crate) media_type: String,
    /// Its bytes.
    pub(crate) bytes: Vec<u8>,
}

/// A manifest that is to be kept.
pub(crate) struct NewManifest<'a> {
    /// The name of `bytes`, checked.
    pub(crate) digest: &'a Digest,
    /// What it is.
    pub(crate) media_type: &'a str,
    /// The bytes, as they came.
    pub(crate) bytes: &'a [u8],
    /// What they say.
    pub(crate) document: &'a Document,
    /// The names to give to it.
    pub(crate) tags: &'a [Tag],
    /// What must hold of the tags that are there.
    pub(crate) condition: &'a Condition,
    /// Whether what it refers to must be there.
    pub(crate) children: Children,
    /// Whether a tag that is there stays as it is.
    pub(crate) is_fixed: &'a dyn Fn(&Tag) -> bool,
}

/// What a client takes for granted of a tag: so that two who change a list do not undo each other's work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Nothing.
    None,
    /// It points to this, or to anything (`*`) where there is no digest.
    Is(Option<Vec<Digest>>),
    /// There is none.
    IsNew,
}

/// Whether what a manifest refers to must be in the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Children {
    /// It must.
    Required,
    /// It may come later, or never: copies that are filled on demand.
    Optional,
}

/// What a record says.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    pub(super) media_type: String,
}

impl Storage {
    /// Keeps a manifest. Gives back what the client should be told, as sentences.
    pub(crate) fn put_manifest(
        &self,
        repository: &RepositoryName,
        new: &NewManifest<'_>,
    ) -> Result<Vec<String>, Error> {
        let _kept = self.changes.read().unwrap_or_else(PoisonError::into_inner);
        let remarks = self.lease_content(repository, new.document, new.children)?;
        let whole = self.temporary_file(new.bytes)?;
        let adopted = self.adopt(&whole, new.digest, repository);
        let _ = fs::remove_file(&whole);
        adopted?;
        // First who is attached, then that it is there: a list never leaves out what exists.
        if let Some(subject) = new.document.subject() {
            self.attach(repository, subject, new)?;
        }
        self.write_record(repository, new.digest, new.media_type)?;
        for tag in new.tags {
            self.put_tag(repository, tag, new)?;
        }
        Ok(remarks)
    }

    /// The manifest that `reference` means.
    pub(crate) fn manifest(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Option<Manifest>, Error> {
        let digest = match reference {
            Reference::Digest(digest) => digest.clone(),
            Reference::Tag(tag) => match self.tagged(repository, tag)? {
                Some(digest) => digest,
                None => return Ok(None),
            },
        };
        let Some(record) = self.read_record(repository, &digest)? else {
            return Ok(None);
        };
        match self.manifest_bytes(repository, &digest) {
            Ok(bytes) => Ok(Some(Manifest { digest, media_type: record.media_type, bytes })),
            // Somebody has deleted it between the two.
            Err(_) if !self.record(repository, &digest).exists() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Leases a manifest for whoever heard that it is there.
    pub(crate) fn lease_manifest(&self, repository: &RepositoryName, digest: &Digest) -> Result<bool, Error> {
        let _lock = self.locks.of(digest)?;
        let is_there = touch(&self.record(repository, digest))?.is_some();
        touch(&self.owned(repository, digest))?;
        Ok(is_there)
    }

    /// Takes a manifest away, with its tags; whether it was there.
    pub(crate) fn delete_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, Error> {
        let _taken_away = self.changes.write().unwrap_or_else(PoisonError::into_inner);
        let record = self.record(repository, digest);
        if if_there(fs::metadata(&record)).at("look at", &record)?.is_none() {
            return Ok(false);
        }
        for tag in self.tags(repository)? {
            match self.tagged(repository, &tag) {
                Ok(Some(tagged)) if tagged == *digest => drop(self.delete_tag(repository, &tag)?),
                // A damaged tag is another matter, and stays where it is.
                Ok(_) | Err(Error::Damaged { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        self.remove_manifest(repository, digest)
    }

    /// Takes a manifest without tags away; whether it was there.
    pub(super) fn remove_manifest(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<bool, Error> {
        let bytes = files::read(&self.owned(repository, digest))?;
        let subject = bytes
            .and_then(|bytes| Document::parse(&bytes).ok())
            .and_then(|document| document.subject().cloned());
        let record = self.record(repository, digest);
        let removed = files::remove(&record)?;
        self.sync_folder_of(&record)?;
        if let Some(subject) = subject {
            self.detach(repository, &subject, digest)?;
        }
        self.delete_blob(repository, digest)?;
        Ok(removed)
    }

    /// The bytes of a manifest, checked: what a crash has cut short is named, and never taken for what it was.
    pub(super) fn manifest_bytes(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Vec<u8>, Error> {
        let path = self.owned(repository, digest);
        let damaged = |why: &str| Error::Damaged { path: path.clone(), why: why.to_owned() };
        let bytes =
            files::read(&path)?.ok_or_else(|| damaged("the manifest is gone, but its record is there"))?;
        let mut hasher = tug_oci::Hasher::new(digest.algorithm());
        hasher.update(&bytes);
        if hasher.finish() == *digest { Ok(bytes) } else { Err(damaged("its content has another digest")) }
    }

    /// What the record of a manifest says. One that is damaged is made anew from the manifest itself.
    pub(super) fn read_record(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<Record>, Error> {
        let path = self.record(repository, digest);
        let Some(bytes) = files::read(&path)? else {
            return Ok(None);
        };
        if let Ok(record) = serde_json::from_slice(&bytes) {
            return Ok(Some(record));
        }
        let document = Document::parse(&self.manifest_bytes(repository, digest)?)
            .map_err(|why| Error::Damaged { path: path.clone(), why })?;
        let Some(media_type) = document.own_media_type() else {
            let why = "it is cut short, and the manifest does not say its type".to_owned();
            return Err(Error::Damaged { path, why });
        };
        self.write_record(repository, digest, media_type)?;
        Ok(Some(Record { media_type: media_type.to_owned() }))
    }

    /// The digests of all manifests.
    pub(super) fn manifests(&self, repository: &RepositoryName) -> Result<BTreeSet<Digest>, Error> {
        digests_in(&self.repository(repository).join("_manifests"))
    }

    fn write_record(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        media_type: &str,
    ) -> Result<(), Error> {
        let record = Record { media_type: media_type.to_owned() };
        let bytes = serde_json::to_vec(&record).expect("a text is JSON");
        let path = self.record(repository, digest);
        let _lock = self.locks.of(digest)?;
        if files::read(&path)?.is_some_and(|old| old == bytes) && touch(&path)?.is_some() {
            return Ok(());
        }
        self.write_file(&path, &bytes)
    }

    /// Makes sure that what a manifest refers to is there, and will be when the manifest is.
    fn lease_content(
        &self,
        repository: &RepositoryName,
        document: &Document,
        children: Children,
    ) -> Result<Vec<String>, Error> {
        let mut missing = Vec::new();
        let mut remarks = Vec::new();
        for blob in document.blobs() {
            match self.lease_blob(repository, &blob.digest)? {
                Some(size) => remarks.extend(remark_on_size(blob, size)),
                None if blob.is_not_distributable() => {}
                None => missing.push(blob.digest.clone()),
            }
        }
        for child in document.children() {
            self.lease_manifest(repository, &child.digest)?;
            match self.lease_blob(repository, &child.digest)? {
                Some(size) => remarks.extend(remark_on_size(child, size)),
                None => missing.push(child.digest.clone()),
            }
        }
        if document.blobs().any(Link::is_not_distributable) {
            remarks.push("layers that may not be distributed are deprecated".to_owned());
        }
        match children {
            Children::Required if !missing.is_empty() => Err(Error::Missing(missing)),
            _ => Ok(remarks),
        }
    }
}

/// A manifest whose sizes are wrong cannot be pulled by careful clients.
fn remark_on_size(link: &Link, size: u64) -> Option<String> {
    let said = link.size?;
    (said != size).then(|| format!("{} has {size} bytes, but the manifest says {said}", link.digest))
}
