//! Tags: small files that hold a digest.

use tug_oci::Digest;

use super::error::Error;
use super::manifests::{Condition, NewManifest};
use super::{Storage, files};
use crate::names::{RepositoryName, Tag};

impl Storage {
    /// All tags, sorted by bytes.
    pub(crate) fn tags(&self, repository: &RepositoryName) -> Result<Vec<Tag>, Error> {
        let names = files::names(&self.repository(repository).join("_tags"))?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// What `tag` points to. A damaged tag is mended from `index.json` where that still has it, and named where not.
    pub(crate) fn tagged(&self, repository: &RepositoryName, tag: &Tag) -> Result<Option<Digest>, Error> {
        let path = self.tag(repository, tag);
        let Some(bytes) = files::read(&path)? else {
            return Ok(None);
        };
        if let Some(digest) = parse(&bytes) {
            return Ok(Some(digest));
        }
        match self.tag_in_index(repository, tag)? {
            Some(digest) => {
                self.write_file(&path, text(&digest).as_bytes())?;
                Ok(Some(digest))
            }
            None => Err(Error::Damaged { path, why: "it holds no digest".to_owned() }),
        }
    }

    /// Makes `tag` point to a manifest.
    pub(super) fn put_tag(
        &self,
        repository: &RepositoryName,
        tag: &Tag,
        new: &NewManifest<'_>,
    ) -> Result<(), Error> {
        let NewManifest { digest, condition, .. } = new;
        let path = self.tag(repository, tag);
        let _lock = self.locks.of_text(&format!("{repository}:{tag}"))?;
        let differs = |bytes: &[u8]| parse(bytes).as_ref() != Some(*digest);
        if (new.is_fixed)(tag) && files::read(&path)?.is_some_and(|bytes| differs(&bytes)) {
            return Err(Error::Fixed(tag.to_string()));
        }
        match condition {
            Condition::None => {}
            Condition::IsNew if files::read(&path)?.is_none() => {}
            Condition::Is(expected) => {
                let holds = match (files::read(&path)?.and_then(|bytes| parse(&bytes)), expected) {
                    (Some(_), None) => true,
                    (Some(actual), Some(expected)) => expected.contains(&actual),
                    (None, _) => false,
                };
                if !holds {
                    return Err(Error::Precondition);
                }
            }
            Condition::IsNew => return Err(Error::Precondition),
        }
        self.write_file(&path, text(digest).as_bytes())?;
        self.mark_stale(repository);
        Ok(())
    }

    /// Takes a tag away, and nothing but the tag; whether it was there.
    pub(crate) fn delete_tag(&self, repository: &RepositoryName, tag: &Tag) -> Result<bool, Error> {
        let path = self.tag(repository, tag);
        let removed = files::remove(&path)?;
        if removed {
            self.sync_folder_of(&path)?;
            self.mark_stale(repository);
        }
        Ok(removed)
    }
}

/// A whole line: what a crash has cut short is none.
fn parse(bytes: &[u8]) -> Option<Digest> {
    std::str::from_utf8(bytes).ok()?.strip_suffix('\n')?.parse().ok()
}

fn text(digest: &Digest) -> String {
    format!("{digest}\n")
}
