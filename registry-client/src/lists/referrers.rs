//! What is attached to an image: signatures, lists of contents, attestations.
//!
//! A registry may keep the list itself, or know nothing of it: then whoever attaches something keeps it, under a tag
//! that is made of the digest. Source: distribution-spec "Listing Referrers", "Referrers Tag Schema".

use tug_oci::{Descriptor, Digest, Index, media_type};

use crate::auth::Scope;
use crate::client::{Client, Place};
use crate::error::{Error, Kind};
use crate::hosts::Operation;
use crate::manifest::Target;
use crate::repository::Repository;

impl Client {
    /// The manifests that name `subject` as theirs, of one kind if `artifact_type` is given.
    pub async fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, Error> {
        let mut sources = self.sources(repository, Operation::PullByDigest)?;
        let listed = loop {
            let place = sources.next().await?;
            match self.referrers_at(&place, subject, artifact_type).await {
                Ok(listed) => break listed,
                Err(error) => sources.failed(&place, error)?,
            }
        };
        let mut all = match listed {
            Some(listed) => listed,
            None => self.referrers_by_tag(repository, subject).await?,
        };
        // Whether the server has sorted out is told by a header that not all send.
        all.retain(|entry| artifact_type.is_none_or(|wanted| entry.artifact_type.as_deref() == Some(wanted)));
        Ok(all)
    }

    /// `None`: the server does not keep such lists.
    async fn referrers_at(
        &self,
        place: &Place,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Option<Vec<Descriptor>>, Error> {
        let mut url = place.url(&format!("referrers/{subject}"));
        if let Some(wanted) = artifact_type {
            url.query_pairs_mut().append_pair("artifactType", wanted);
        }
        let scopes = vec![Scope::pull(place.name())];
        // Some answer 200 with a page for people to whatever they do not know.
        let read = |body: &[u8]| serde_json::from_slice::<Index>(body).map(|index| index.manifests);
        match self.pages(place, url, scopes, None, read, |_| None).await {
            Ok(listed) => Ok(Some(listed)),
            Err(error) if matches!(error.status(), Some(400 | 404 | 405 | 406 | 501)) => Ok(None),
            Err(error) if error.kind() == Kind::Protocol && error.status().is_none() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The list under the tag that is made of the digest.
    async fn referrers_by_tag(
        &self,
        repository: &Repository,
        subject: &Digest,
    ) -> Result<Vec<Descriptor>, Error> {
        let found = match self.manifest(repository, &Target::Tag(referrers_tag(subject))).await {
            Ok(found) => found,
            Err(error) if error.kind() == Kind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let index: Option<Index> = serde_json::from_slice(&found.bytes).ok();
        match index.filter(|_| media_type::is_index(&found.media_type)) {
            Some(index) => Ok(index.manifests),
            None => {
                let tag = referrers_tag(subject);
                let message = format!(
                    "the tag `{tag}` of `{repository}` should be a list of what is attached, and is `{}`",
                    crate::text::shown(&found.media_type)
                );
                Err(Error::new(Kind::Protocol, message))
            }
        }
    }
}

/// The tag of the list, where the registry keeps none: `sha256-…`.
pub(crate) fn referrers_tag(subject: &Digest) -> String {
    let text = subject.to_string();
    let (algorithm, encoded) = text.split_once(':').unwrap_or(("", &text));
    let part = |text: &str, longest: usize| -> String {
        let kept = text.chars().take(longest);
        kept.map(|c| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' }).collect()
    };
    format!("{}-{}", part(algorithm, 32), part(encoded, 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tag_of_a_list_is_made_of_the_digest() {
        let sha256 = Digest::of(b"");
        assert_eq!(referrers_tag(&sha256), sha256.to_string().replace(':', "-"));
        let long: Digest = format!("sha512:{}", "a".repeat(128)).parse().unwrap();
        assert_eq!(referrers_tag(&long), format!("sha512-{}", "a".repeat(64)));
    }
}
