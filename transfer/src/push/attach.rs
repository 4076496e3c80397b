//! The list of what is attached to a document, for registries that keep none.
//!
//! A registry that understands `subject` says so when the document is put. For others whoever attaches something keeps the
//! list: an index under a tag that is made of the digest. Two who do that at once can overwrite each other, so it is read
//! again afterwards. Source: distribution-spec "Pushing Manifests with Subject", "Referrers Tag Schema".

use bytes::Bytes;
use tug_oci::{Descriptor, Digest, Index, Raw, media_type};
use tug_registry_client::{Kind, Target};

use super::Sending;
use crate::error::{Error, Result};

/// How often the list is written before somebody else's last word counts.
const MOST_ATTEMPTS: usize = 4;

impl Sending<'_> {
    /// Puts `document` on the list of `subject`.
    pub(super) async fn list(&self, subject: &Digest, document: &Descriptor) -> Result<()> {
        let tag = Target::Tag(tag_of(subject));
        for _ in 0..MOST_ATTEMPTS {
            let mut index = self.listed(&tag).await?;
            if index.manifests.iter().any(|other| other.digest == document.digest) {
                return Ok(());
            }
            index.manifests.push(document.clone());
            let index = Raw::encode(index);
            let bytes = Bytes::copy_from_slice(index.bytes());
            let put = self.remote.client().put_manifest(&self.to, &tag, media_type::OCI_INDEX, bytes).await;
            put.map_err(Error::registry(self.action, &self.name))?;
        }
        Ok(())
    }

    async fn listed(&self, tag: &Target) -> Result<Index> {
        let failed = || Error::registry(self.action, &self.name);
        let found = match self.remote.client().manifest(&self.to, tag).await {
            Err(error) if error.kind() == Kind::NotFound => return Ok(Index::new(Vec::new())),
            other => other.map_err(failed())?,
        };
        let digest = found.digest.clone();
        Raw::<Index>::parse(found.bytes.into()).map(Raw::into_value).map_err(|source| Error::Document {
            name: format!("{}:{tag}", self.to),
            digest,
            source,
        })
    }
}

/// `sha256-…`, with at most 64 digits.
fn tag_of(subject: &Digest) -> String {
    let digits: String = subject.hex().chars().take(64).collect();
    format!("{}-{digits}", subject.algorithm().name())
}
