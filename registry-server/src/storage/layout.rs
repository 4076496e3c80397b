//! The view for other tools: `index.json` of each repository, with its tags. It is made from the tags a moment after they
//! change, so that a push need not write a list of thousands.

use std::fs;
use std::mem;
use std::path::PathBuf;
use std::sync::PoisonError;
use std::time::SystemTime;

use serde_json::{Value, json};
use tug_oci::{Digest, REF_NAME, media_type};

use super::error::{At, Error};
use super::{Storage, files};
use crate::names::{RepositoryName, Tag};

/// What makes a folder an image layout. Source: image-spec `image-layout.md`.
pub(super) const LAYOUT: &[u8] = b"{\"imageLayoutVersion\":\"1.0.0\"}";

impl Storage {
    /// Writes what changed since the last time. What fails is tried again the next time.
    pub(crate) fn write_stale_indexes(&self) -> Result<(), Error> {
        let stale = mem::take(&mut *self.stale.lock().unwrap_or_else(PoisonError::into_inner));
        let mut failed = Ok(());
        for repository in stale {
            if let Err(error) = self.write_index(&repository) {
                self.mark_stale(&repository);
                failed = Err(error);
            }
        }
        failed
    }

    /// Looks through what a crash may have left: mends what can be mended, and tells `name` of the rest. Views that are
    /// older than their tags are written anew soon.
    pub(crate) fn check(&self, name: &mut dyn FnMut(String)) -> Result<(), Error> {
        for repository in self.repositories()? {
            if let Err(error) = self.check_repository(&repository, name) {
                name(error.sentence());
            }
        }
        Ok(())
    }

    fn check_repository(
        &self,
        repository: &RepositoryName,
        name: &mut dyn FnMut(String),
    ) -> Result<(), Error> {
        // Tags first: the view may still know what they were.
        for tag in self.tags(repository)? {
            self.tagged(repository, &tag).map_or_else(|error| name(error.sentence()), drop);
        }
        for digest in self.manifests(repository)? {
            let checked = self.read_record(repository, &digest).and_then(|record| match record {
                Some(_) => self.manifest_bytes(repository, &digest).map(drop),
                None => Ok(()),
            });
            checked.unwrap_or_else(|error| name(error.sentence()));
        }
        let folder = self.repository(repository);
        let marker = folder.join("oci-layout");
        if files::read(&marker)?.is_none_or(|bytes| bytes != LAYOUT) {
            self.write_file(&marker, LAYOUT)?;
        }
        let (tags, index) = (modified(folder.join("_tags")), modified(folder.join("index.json")));
        if index.is_none() || tags >= index || self.index(repository)?.is_none() {
            self.mark_stale(repository);
        }
        Ok(())
    }

    pub(super) fn write_index(&self, repository: &RepositoryName) -> Result<(), Error> {
        let mut manifests = Vec::new();
        for tag in self.tags(repository)? {
            // One that is damaged is named where it is asked for; the others are shown all the same.
            let Ok(Some(digest)) = self.tagged(repository, &tag) else { continue };
            let Ok(Some(record)) = self.read_record(repository, &digest) else { continue };
            let path = self.owned(repository, &digest);
            let size = fs::metadata(&path).at("look at", &path)?.len();
            manifests.push(json!({
                "mediaType": record.media_type,
                "digest": digest.to_string(),
                "size": size,
                "annotations": { REF_NAME: tag.as_str() },
            }));
        }
        let index = json!({ "schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": manifests });
        // Not synced: it is made anew when it is lost.
        let (temporary, path) = (self.new_path()?, self.repository(repository).join("index.json"));
        let written = fs::write(&temporary, serde_json::to_vec(&index).expect("a value is JSON"))
            .and_then(|()| fs::rename(&temporary, &path));
        if written.is_err() {
            let _ = fs::remove_file(&temporary);
        }
        written.at("write", &path)
    }

    /// What the view says that `tag` points to, where the view is newer than the tag.
    pub(super) fn tag_in_index(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
    ) -> Result<Option<Digest>, Error> {
        if modified(self.tag(repository, tag)) > modified(self.repository(repository).join("index.json")) {
            return Ok(None);
        }
        let Some(index) = self.index(repository)? else {
            return Ok(None);
        };
        let entries = index["manifests"].as_array().map(Vec::as_slice).unwrap_or_default();
        let entry = entries.iter().find(|entry| entry["annotations"][REF_NAME] == tag.as_str());
        Ok(entry.and_then(|entry| entry["digest"].as_str()).and_then(|digest| digest.parse().ok()))
    }

    fn index(&self, repository: &RepositoryName) -> Result<Option<Value>, Error> {
        let bytes = files::read(&self.repository(repository).join("index.json"))?;
        Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
    }
}

/// When a file was last written; `None` when there is none.
fn modified(path: PathBuf) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}
