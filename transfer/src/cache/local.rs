//! A cache in a folder, as something to read from and to write to.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use tug_layer_store::{Fetcher, Mountable, Store, Wanted};
use tug_oci::{Descriptor, Digest};

use super::error::{CacheError, Result};
use super::export::{Sent, Source, Target};
use super::folder::{Folder, GRACE};
use super::import::{Document, Documents, manifest, read_cache};
use super::index::{Blob, CacheIndex, Record};
use super::merge::Merged;
use super::origin;

/// A cache in a folder.
pub(crate) struct Local {
    folder: Folder,
    name: String,
    what: Named,
    grace: Duration,
}

enum Named {
    Tag(String),
    Digest(Digest),
}

impl Local {
    /// `path` is absolute. A digest wins over a tag.
    pub(crate) fn new(path: &Path, tag: &str, digest: Option<&Digest>) -> Self {
        let what = match digest {
            Some(digest) => Named::Digest(digest.clone()),
            None => Named::Tag(tag.to_owned()),
        };
        let name = match (tag, digest) {
            (_, Some(digest)) => format!("{}@{digest}", path.display()),
            ("latest", None) => path.display().to_string(),
            (tag, None) => format!("{}:{tag}", path.display()),
        };
        Self { folder: Folder::new(path), name, what, grace: GRACE }
    }

    fn missing(&self, digest: &Digest) -> CacheError {
        CacheError::Damaged { name: self.name.clone(), reason: format!("`{digest}` is missing") }
    }

    /// The index, and what it was read from.
    fn index(&self) -> Result<(CacheIndex, BTreeSet<Digest>)> {
        let Some(top) = self.top()? else { return Ok(Default::default()) };
        let manifest = manifest(self, &top)?;
        let Some(index) = read_cache(self, &manifest)? else {
            return Err(CacheError::Foreign {
                name: self.name.clone(),
                what: "an image".to_owned(),
                hint: "give the cache a folder or tag of its own",
            });
        };
        let mut documents: BTreeSet<Digest> =
            manifest.layers.iter().map(|layer| layer.digest.clone()).collect();
        documents.extend([manifest.config.digest.clone(), top.digest]);
        Ok((index, documents))
    }
}

impl Documents for Local {
    fn name(&self) -> &str {
        &self.name
    }

    fn top(&self) -> Result<Option<Document>> {
        let (digest, named_type) = match &self.what {
            Named::Digest(digest) => (digest.clone(), None),
            Named::Tag(tag) => match self.folder.tagged(tag)? {
                Some(descriptor) => (descriptor.digest, Some(descriptor.media_type)),
                None => return Ok(None),
            },
        };
        let bytes = self.folder.document(&digest, super::folder::DOCUMENT_LIMIT)?;
        let Some(bytes) = bytes else {
            return match self.what {
                Named::Digest(_) => Ok(None),
                Named::Tag(_) => Err(self.missing(&digest)),
            };
        };
        let media_type = named_type.unwrap_or_else(|| own_type(&bytes));
        Ok(Some(Document { digest, media_type, bytes }))
    }

    fn blob(&self, blob: &Descriptor, limit: u64) -> Result<Vec<u8>> {
        self.folder.document(&blob.digest, limit)?.ok_or_else(|| self.missing(&blob.digest))
    }

    fn manifest(&self, blob: &Descriptor) -> Result<Vec<u8>> {
        self.blob(blob, super::folder::DOCUMENT_LIMIT)
    }

    fn origin(&self) -> String {
        origin::of(self.folder.path())
    }

    fn has(&self, record: &Record) -> bool {
        self.folder.has(&record.blob)
    }
}

/// What a document says of itself.
fn own_type(bytes: &[u8]) -> String {
    let document = serde_json::from_slice::<serde_json::Value>(bytes).unwrap_or_default();
    let own = document.get("mediaType").and_then(serde_json::Value::as_str);
    own.unwrap_or(tug_oci::media_type::OCI_MANIFEST).to_owned()
}

impl Target for Local {
    fn name(&self) -> &str {
        &self.name
    }

    fn read(&self) -> Result<CacheIndex> {
        match self.index() {
            Ok((mut index, _)) => {
                index.records.retain(|_, record| self.folder.has(&record.blob));
                Ok(index)
            }
            // It is written anew.
            Err(CacheError::Damaged { .. }) => Ok(CacheIndex::default()),
            Err(error) => Err(error),
        }
    }

    fn send(&self, store: &Store, fetcher: &dyn Fetcher, sources: &[Source]) -> Result<Vec<Option<Sent>>> {
        sources.iter().map(|source| self.send_one(store, fetcher, source)).collect()
    }

    fn commit(&self, merge: &dyn Fn(&CacheIndex) -> Merged) -> Result<Merged> {
        let _alone = self.folder.lock()?;
        let (there, documents) = match self.index() {
            Err(CacheError::Damaged { .. }) => Default::default(),
            other => other?,
        };
        let mut held = there.clone();
        held.records.retain(|_, record| self.folder.has(&record.blob));
        let mut merged = merge(&held);
        let count = merged.index.records.len();
        merged.index.records.retain(|_, record| self.folder.has(&record.blob));
        let has_lost = held != there || count != merged.index.records.len();
        merged.is_changed |= has_lost;
        if merged.is_changed {
            let encoded = merged.index.encode();
            let manifest = merged.index.manifest(&encoded);
            self.folder.put(&mut encoded.as_slice())?;
            self.folder.put(&mut manifest.bytes())?;
            let mut descriptor = Descriptor::new(
                tug_oci::media_type::OCI_MANIFEST,
                manifest.digest().clone(),
                manifest.size(),
            );
            descriptor.artifact_type.clone_from(&manifest.artifact_type);
            if let Named::Tag(tag) = &self.what {
                self.folder.tag(tag, &descriptor)?;
            }
        }
        // What cannot be removed now is removed the next time.
        let _ = self.folder.collect_garbage(&documents, self.grace);
        Ok(merged)
    }
}

impl Local {
    fn send_one(&self, store: &Store, fetcher: &dyn Fetcher, source: &Source) -> Result<Option<Sent>> {
        let blob = match source {
            Source::Stored(blob) => blob,
            Source::Compressed { diff_id, plain, wanted } => {
                let growing = store.compressing(diff_id, plain, *wanted)?;
                if let Some(blob) = growing.descriptor().filter(|blob| self.folder.has(&Blob::from(blob))) {
                    return Ok(Some(Sent { blob, bytes: 0 }));
                }
                let (_, bytes) = self.folder.put(&mut growing.reader(0))?;
                let blob = growing.wait().map_err(|error| CacheError::Folder {
                    action: "compress a layer for",
                    path: self.folder.path().to_owned(),
                    source: std::io::Error::other(error),
                })?;
                return Ok(Some(Sent { blob, bytes }));
            }
        };
        if self.folder.has(&Blob::from(blob)) {
            return Ok(Some(Sent { blob: blob.clone(), bytes: 0 }));
        }
        if !store.has_blob(&blob.digest)? && !store.origins(&blob.digest)?.is_empty() {
            let wanted = Wanted { descriptor: blob.clone(), diff_id: None, mountable: Mountable::Later };
            fetcher.fetch(store, &[wanted])?;
        }
        let Some(mut file) = store.open_blob(&blob.digest)? else { return Ok(None) };
        let (digest, bytes) = self.folder.put(&mut file)?;
        Ok((digest == blob.digest).then(|| Sent { blob: blob.clone(), bytes }))
    }
}
