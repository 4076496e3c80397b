//! Who is attached to what: one small file for each attached manifest, in a folder for each subject. The subject itself
//! need not exist.

use serde_json::{Map, Value, json};
use tug_oci::{Algorithm, Digest, media_type};

use super::document::Document;
use super::error::Error;
use super::manifests::NewManifest;
use super::{Storage, files, flat, unflat};
use crate::names::{Reference, RepositoryName, Tag};

impl Storage {
    /// The descriptors of all manifests that are attached to `subject`, sorted by digest. They come with what older
    /// clients have written into the tag that stood for this list.
    pub(crate) fn referrers(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Vec<Value>, Error> {
        let mut found: Vec<(String, Value)> = Vec::new();
        for name in files::names(&self.attached(repository, subject))? {
            let Some(digest) = unflat(&name) else { continue };
            // A crash can leave an entry of a manifest that was never whole.
            if let Some(descriptor) = self.attached_descriptor(repository, subject, &digest)? {
                found.push((digest.to_string(), descriptor));
            }
        }
        for entry in self.entries_of_fallback_tag(repository, subject)? {
            if let Some(digest) = entry["digest"].as_str().map(str::to_owned)
                && !found.iter().any(|(known, _)| *known == digest)
            {
                found.push((digest, entry));
            }
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(found.into_iter().map(|(_, descriptor)| descriptor).collect())
    }

    pub(super) fn attach(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        new: &NewManifest<'_>,
    ) -> Result<(), Error> {
        let folder = self.attached(repository, subject);
        self.make_folder(&folder)?;
        let descriptor = descriptor(new.digest, new.media_type, new.bytes.len(), new.document);
        let bytes = serde_json::to_vec(&descriptor).expect("a value is JSON");
        self.write_file(&folder.join(flat(new.digest)), &bytes)
    }

    pub(super) fn detach(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        digest: &Digest,
    ) -> Result<(), Error> {
        let path = self.attached(repository, subject).join(flat(digest));
        if files::remove(&path)? {
            self.sync_folder_of(&path)?;
        }
        Ok(())
    }

    /// What is listed for one attached manifest; a damaged entry is made anew from the manifest.
    fn attached_descriptor(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
        digest: &Digest,
    ) -> Result<Option<Value>, Error> {
        let Some(record) = self.read_record(repository, digest)? else {
            return Ok(None);
        };
        let path = self.attached(repository, subject).join(flat(digest));
        let Some(bytes) = files::read(&path)? else {
            return Ok(None);
        };
        if let Ok(descriptor @ Value::Object(_)) = serde_json::from_slice(&bytes) {
            return Ok(Some(descriptor));
        }
        let bytes = self.manifest_bytes(repository, digest)?;
        let document = Document::parse(&bytes).map_err(|why| Error::Damaged { path: path.clone(), why })?;
        let descriptor = descriptor(digest, &record.media_type, bytes.len(), &document);
        self.write_file(&path, &serde_json::to_vec(&descriptor).expect("a value is JSON"))?;
        Ok(Some(descriptor))
    }

    /// Clients of registries without referrers keep an index under a tag that is made of the digest. Source:
    /// distribution-spec, "Referrers Tag Schema" and "Enabling the Referrers API".
    fn entries_of_fallback_tag(
        &self,
        repository: &RepositoryName,
        subject: &Digest,
    ) -> Result<Vec<Value>, Error> {
        let hex = match subject.algorithm() {
            Algorithm::Sha256 => subject.hex(),
            Algorithm::Sha512 => &subject.hex()[..64],
        };
        let Ok(tag) = format!("{}-{hex}", subject.algorithm().name()).parse::<Tag>() else {
            return Ok(Vec::new());
        };
        match self.manifest(repository, &Reference::Tag(tag))? {
            Some(index) if index.media_type == media_type::OCI_INDEX => {
                Ok(Document::raw_children(&index.bytes))
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// The descriptor of a manifest in a list of referrers.
fn descriptor(digest: &Digest, media_type: &str, size: usize, document: &Document) -> Value {
    let mut fields = Map::new();
    fields.insert("mediaType".to_owned(), json!(media_type));
    fields.insert("digest".to_owned(), json!(digest.to_string()));
    fields.insert("size".to_owned(), json!(size));
    if let Some(artifact_type) = document.artifact_type() {
        fields.insert("artifactType".to_owned(), json!(artifact_type));
    }
    if let Some(annotations) = document.annotations() {
        fields.insert("annotations".to_owned(), Value::Object(annotations.clone()));
    }
    Value::Object(fields)
}
