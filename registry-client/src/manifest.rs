//! Manifests and indexes: the documents that tags and digests name.
//!
//! Bytes are never changed. Source: distribution-spec "Pulling manifests", "Pushing manifests".

use std::fmt;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Method, StatusCode};
use serde::Deserialize;
use tug_oci::{Descriptor, Digest, Hasher, Reference, media_type};

use crate::auth::Scope;
use crate::client::{Call, Client, Place};
use crate::error::{Error, Kind};
use crate::hosts::Operation;
use crate::repository::Repository;
use crate::text::shown;
use crate::transport::Answer;

/// Everything that we can read, and what is refused with a reason.
const ACCEPTED: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
     application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json, */*";
const SCHEMA_1: [&str; 2] = [
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];

/// What names a manifest in a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A name that may point elsewhere tomorrow.
    Tag(String),
    /// The manifest itself.
    Digest(Digest),
}

impl From<&Reference> for Target {
    /// A digest wins over a tag.
    fn from(reference: &Reference) -> Self {
        match (reference.digest(), reference.tag()) {
            (Some(digest), _) => Self::Digest(digest.clone()),
            (None, tag) => Self::Tag(tag.unwrap_or("latest").to_owned()),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(tag) => out.write_str(tag),
            Self::Digest(digest) => digest.fmt(out),
        }
    }
}

impl Target {
    fn operation(&self) -> Operation {
        match self {
            Self::Tag(_) => Operation::PullByTag,
            Self::Digest(_) => Operation::PullByDigest,
        }
    }
}

/// A manifest or index as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedManifest {
    /// The bytes, unchanged.
    pub bytes: Bytes,
    /// What it is: the header, or what the document says of itself where there is no header.
    pub media_type: String,
    /// Of the bytes that came, whatever the server said.
    pub digest: Digest,
    /// Which host served it.
    pub source: String,
    /// How many pulls are left, where the registry counts.
    pub rate_limit: Option<RateLimit>,
}

impl FetchedManifest {
    /// What points to it.
    pub fn descriptor(&self) -> Descriptor {
        Descriptor::new(&self.media_type, self.digest.clone(), self.bytes.len() as u64)
    }
}

/// How many pulls a registry allows. Source: Docker Hub's headers `ratelimit-limit` and `ratelimit-remaining`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// In all, in a window.
    pub limit: u64,
    /// Left of them.
    pub remaining: u64,
    /// Seconds of the window, where they are told.
    pub window: Option<u64>,
}

/// What came of putting a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutManifest {
    /// Of the bytes that were sent.
    pub digest: Digest,
    /// The server has understood that it is attached to this: it keeps the list of referrers itself.
    pub subject: Option<Digest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outline {
    media_type: Option<String>,
    schema_version: Option<u32>,
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
}

impl Client {
    /// The manifest or index behind a tag or digest, from the first source that has it.
    ///
    /// Errors: [`Kind::NotFound`]; [`Kind::Digest`] when the bytes are not what the digest names; [`Kind::Unsupported`]
    /// for docker's schema 1; [`Kind::Protocol`] when header and document disagree.
    pub async fn manifest(&self, repository: &Repository, target: &Target) -> Result<FetchedManifest, Error> {
        let mut sources = self.sources(repository, target.operation())?;
        loop {
            let place = sources.next().await?;
            match self.manifest_at(&place, target).await {
                Ok(manifest) => return Ok(manifest),
                Err(error) => sources.failed(&place, error)?,
            }
        }
    }

    async fn manifest_at(&self, place: &Place, target: &Target) -> Result<FetchedManifest, Error> {
        let url = place.url(&format!("manifests/{target}"));
        let call = Call::new(Method::GET, url, vec![Scope::pull(place.name())]).header(ACCEPT, ACCEPTED);
        let mut answer = self.call(place, call).await?;
        if answer.status != StatusCode::OK {
            return Err(self.refusal(place, answer).await);
        }
        let header = answer.header(CONTENT_TYPE).map(essence);
        let bytes = answer.bytes(self.limits().manifest, "the manifest").await?;
        let digest = check_digest(&bytes, target, &answer.request)?;
        let media_type = media_type_of(&bytes, header, &answer.request)?;
        let rate_limit = rate_limit(&answer);
        Ok(FetchedManifest { bytes, media_type, digest, source: answer.host(), rate_limit })
    }

    /// What a tag or digest points to, without fetching it; `None` when there is nothing. Docker Hub does not count
    /// such questions as pulls.
    pub async fn head_manifest(
        &self,
        repository: &Repository,
        target: &Target,
    ) -> Result<Option<Descriptor>, Error> {
        let mut sources = self.sources(repository, target.operation())?;
        let place = loop {
            let place = sources.next().await?;
            let url = place.url(&format!("manifests/{target}"));
            let call = Call::new(Method::HEAD, url, vec![Scope::pull(place.name())]).header(ACCEPT, ACCEPTED);
            match self.call(&place, call).await {
                Ok(answer) if answer.status == StatusCode::OK => match described(&answer, target) {
                    Some(descriptor) => return Ok(Some(descriptor)),
                    None => break place,
                },
                Ok(answer) if place.endpoint.is_mirror => {
                    let error = self.refusal(&place, answer).await;
                    sources.failed(&place, error)?;
                }
                Ok(answer) if answer.status == StatusCode::NOT_FOUND => return Ok(None),
                // The answer to HEAD has no body that could tell why.
                Ok(_) => break place,
                Err(error) => sources.failed(&place, error)?,
            }
        };
        match self.manifest_at(&place, target).await {
            Ok(manifest) => Ok(Some(manifest.descriptor())),
            Err(error) if error.kind() == Kind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts a manifest or index under a tag or its digest. What it refers to must be there, but for its subject: else
    /// the error [says that a part is missing](Error::says_that_a_part_is_missing), where the registry looks.
    pub async fn put_manifest(
        &self,
        repository: &Repository,
        target: &Target,
        media_type: &str,
        bytes: Bytes,
    ) -> Result<PutManifest, Error> {
        let place = self.primary(repository).await?;
        let digest = match target {
            Target::Tag(_) => Digest::of(&bytes),
            Target::Digest(digest) => digest.clone(),
        };
        let url = place.url(&format!("manifests/{target}"));
        let mut call =
            Call::new(Method::PUT, url, vec![Scope::push(place.name())]).header(CONTENT_TYPE, media_type);
        call.body = bytes;
        let answer = self.call(&place, call).await?;
        if !answer.status.is_success() {
            return Err(self.refusal(&place, answer).await);
        }
        let subject = answer.header("oci-subject").and_then(|text| text.parse().ok());
        answer.drain().await;
        Ok(PutManifest { digest, subject })
    }
}

/// A media type without its parameters.
fn essence(header: &str) -> String {
    header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn check_digest(bytes: &[u8], target: &Target, request: &str) -> Result<Digest, Error> {
    let Target::Digest(expected) = target else { return Ok(Digest::of(bytes)) };
    let mut hasher = Hasher::new(expected.algorithm());
    hasher.update(bytes);
    let actual = hasher.finish();
    match actual == *expected {
        true => Ok(actual),
        false => {
            let message = format!("`{request}` was answered with something else: its digest is `{actual}`");
            Err(Error::new(Kind::Digest, message))
        }
    }
}

fn media_type_of(bytes: &[u8], header: Option<String>, request: &str) -> Result<String, Error> {
    let refused = |kind, why: String| Error::new(kind, format!("`{request}` was answered with {why}"));
    let outline: Outline = serde_json::from_slice(bytes)
        .map_err(|_| refused(Kind::Protocol, "something that is no manifest".to_owned()))?;
    let is_old = header.as_deref().is_some_and(|header| SCHEMA_1.contains(&header));
    if is_old || outline.schema_version == Some(1) {
        let why = "an image in docker's schema 1, which is no longer supported".to_owned();
        let hint = "push the image again with a newer docker, or let its maintainers do so";
        return Err(refused(Kind::Unsupported, why).with_hint(hint));
    }
    let header = header.filter(|header| {
        !matches!(header.as_str(), "" | "application/json" | "text/plain" | "application/octet-stream")
    });
    match (header, outline.media_type) {
        (Some(header), Some(own)) if header != own => {
            let why = format!("`{}` whose document says that it is `{}`", shown(&header), shown(&own));
            Err(refused(Kind::Protocol, why))
        }
        (Some(header), _) => Ok(header),
        (None, Some(own)) => Ok(own),
        (None, None) if outline.manifests.is_some() => Ok(media_type::OCI_INDEX.to_owned()),
        (None, None) => Ok(media_type::OCI_MANIFEST.to_owned()),
    }
}

/// What the answer to HEAD tells, if it tells all.
fn described(answer: &Answer, target: &Target) -> Option<Descriptor> {
    let digest = match target {
        Target::Digest(digest) => digest.clone(),
        Target::Tag(_) => answer.header("docker-content-digest")?.parse().ok()?,
    };
    let media_type = essence(answer.header(CONTENT_TYPE)?);
    Some(Descriptor::new(&media_type, digest, answer.length()?))
}

fn rate_limit(answer: &Answer) -> Option<RateLimit> {
    let number = |name: &'static str| {
        let text = answer.header(name)?;
        let mut parts = text.split(';');
        let count = parts.next()?.trim().parse().ok()?;
        let window = parts.find_map(|part| part.trim().strip_prefix("w=")?.parse().ok());
        Some((count, window))
    };
    let (limit, window) = number("ratelimit-limit")?;
    let (remaining, _) = number("ratelimit-remaining")?;
    Some(RateLimit { limit, remaining, window })
}
