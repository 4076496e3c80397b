//! Manifests and their tags. Source: distribution-spec, "Pulling manifests", "Pushing Manifests", "Deleting Manifests".

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, Response, StatusCode, header};
use serde_json::json;
use tug_oci::{Digest, Hasher};

use super::body::Body;
use super::refusal::Refusal;
use super::request_body::RequestBody;
use super::{Answer, Asked, CONTENT_DIGEST, Registry, empty, etag, is_known, set};
use crate::names::{Reference, RepositoryName, Tag};
use crate::storage::{Children, Condition, Document, NewManifest};

/// Says that the registry lists who is attached to the subject.
const SUBJECT: HeaderName = HeaderName::from_static("oci-subject");

/// Says which tags of the request were made.
const TAG: HeaderName = HeaderName::from_static("oci-tag");

/// The most tags in one request.
const MOST_TAGS: usize = 64;

/// All warnings of an answer have at most this many bytes.
const LONGEST_WARNINGS: usize = 4096;

impl Registry {
    /// `GET` and `HEAD` of a manifest. It is given as it was pushed, whatever the client would like best.
    pub(super) async fn get_manifest(
        self: &Arc<Self>,
        asked: Asked,
        name: RepositoryName,
        reference: Reference,
    ) -> Answer {
        let warning = self.fetch_manifest(&asked, &reference).await?;
        let is_head = asked.method == Method::HEAD;
        let (repository, wanted) = (name.clone(), reference.clone());
        let manifest = self
            .blocking(move |storage| {
                let manifest = storage.manifest(&repository, &wanted)?;
                if let (Some(manifest), true) = (&manifest, is_head) {
                    storage.lease_manifest(&repository, &manifest.digest)?;
                }
                Ok(manifest)
            })
            .await?;
        let Some(manifest) = manifest else { return Err(self.unknown_manifest(&name, &reference).await) };
        let mut response = if is_known(&asked.headers, &manifest.digest) {
            empty(StatusCode::NOT_MODIFIED)
        } else {
            let mut response = Response::new(Body::of(manifest.bytes));
            set(&mut response, header::CONTENT_TYPE, manifest.media_type);
            response
        };
        set(&mut response, header::ETAG, etag(&manifest.digest));
        set(&mut response, CONTENT_DIGEST, &manifest.digest);
        if let Some(warning) = warning {
            set(&mut response, header::WARNING, warning);
        }
        Ok(response)
    }

    /// `PUT` of a manifest, by tag or by digest.
    pub(super) async fn put_manifest(
        self: &Arc<Self>,
        asked: Asked,
        name: RepositoryName,
        reference: Reference,
        body: &mut RequestBody,
    ) -> Answer {
        let (tags, is_by_tag) = match &reference {
            Reference::Tag(tag) => (vec![tag.clone()], true),
            Reference::Digest(_) => (tags_of_query(&asked)?, false),
        };
        let condition = condition(&asked.headers)?;
        self.make_room(&name, 0, body).await?;
        let bytes = body.whole(self.options.max_manifest, "manifest").await?;
        let size = bytes.len() as u64;
        let policy = Arc::clone(&asked.caller.policy);
        let digest = match reference {
            Reference::Tag(_) => Digest::of(&bytes),
            Reference::Digest(expected) => checked(&bytes, expected)?,
        };
        let document = Document::parse(&bytes)
            .map_err(|why| Refusal::bad("MANIFEST_INVALID", format!("the manifest cannot be read: {why}")))?;
        let media_type = media_type(&asked.headers, &document)?;
        let subject = document.subject().cloned();
        let (repository, made, named) = (name.clone(), digest.clone(), tags.clone());
        let remarks = self
            .blocking(move |storage| {
                let new = NewManifest {
                    digest: &made,
                    media_type: &media_type,
                    bytes: &bytes,
                    document: &document,
                    tags: &named,
                    condition: &condition,
                    is_fixed: &|tag| policy.is_immutable(repository.as_str(), tag.as_str()),
                    children: Children::Required,
                };
                storage.put_manifest(&repository, &new)
            })
            .await?;
        self.guard.usage.add(&name, size);
        let mut response = empty(StatusCode::CREATED);
        set(&mut response, header::LOCATION, format!("/v2/{name}/manifests/{digest}"));
        set(&mut response, CONTENT_DIGEST, &digest);
        if let Some(subject) = subject {
            set(&mut response, SUBJECT, subject);
        }
        if !is_by_tag {
            tags.iter().for_each(|tag| set(&mut response, TAG.clone(), tag));
        }
        warn(&mut response, &remarks);
        Ok(response)
    }

    /// `DELETE`: by tag only the tag, by digest the manifest with its tags.
    pub(super) async fn delete_manifest(
        self: &Arc<Self>,
        name: RepositoryName,
        reference: Reference,
    ) -> Answer {
        let (repository, wanted) = (name.clone(), reference.clone());
        let deleted = self
            .blocking(move |storage| match &wanted {
                Reference::Tag(tag) => storage.delete_tag(&repository, tag),
                Reference::Digest(digest) => storage.delete_manifest(&repository, digest),
            })
            .await?;
        if deleted {
            Ok(empty(StatusCode::ACCEPTED))
        } else {
            Err(self.unknown_manifest(&name, &reference).await)
        }
    }

    async fn unknown_manifest(&self, name: &RepositoryName, reference: &Reference) -> Refusal {
        if let Err(refusal) = self.must_exist(name).await {
            return refusal;
        }
        let (message, detail) = match reference {
            Reference::Tag(tag) => {
                (format!("the repository `{name}` has no tag `{tag}`"), json!({ "tag": tag.as_str() }))
            }
            Reference::Digest(digest) => (
                format!("the repository `{name}` has no such manifest"),
                json!({ "digest": digest.to_string() }),
            ),
        };
        Refusal::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", message).with_detail(detail)
    }
}

/// The tags that a manifest gets beside its digest.
fn tags_of_query(asked: &Asked) -> Result<Vec<Tag>, Refusal> {
    let mut tags: Vec<Tag> = Vec::new();
    for text in asked.query.all("tag") {
        let tag = text.parse()?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    if tags.len() > MOST_TAGS {
        let message = format!("one request can make at most {MOST_TAGS} tags");
        return Err(Refusal::new(StatusCode::URI_TOO_LONG, "UNSUPPORTED", message));
    }
    Ok(tags)
}

fn checked(bytes: &Bytes, expected: Digest) -> Result<Digest, Refusal> {
    let mut hasher = Hasher::new(expected.algorithm());
    hasher.update(bytes);
    let actual = hasher.finish();
    if actual == expected {
        return Ok(expected);
    }
    Err(Refusal::bad("DIGEST_INVALID", format!("the manifest has the digest {actual}, not {expected}"))
        .with_detail(json!({ "expected": expected.to_string(), "actual": actual.to_string() })))
}

/// What the manifest is: as the request says, which must not be something else than the manifest says.
fn media_type(headers: &HeaderMap, document: &Document) -> Result<String, Refusal> {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let said = said
        .map(|value| value.split(';').next().unwrap_or_default().trim())
        .filter(|value| !value.is_empty());
    match (said, &document.media_type, document.own_media_type()) {
        (Some(said), Some(own), _) if said != own => {
            let message = format!("the request says that this is `{said}`, but the manifest says `{own}`");
            Err(Refusal::bad("MANIFEST_INVALID", message))
        }
        (Some(said), ..) => Ok(said.to_owned()),
        (None, _, Some(own)) => Ok(own.to_owned()),
        (None, _, None) => {
            Err(Refusal::bad("MANIFEST_INVALID", "neither request nor manifest say what it is"))
        }
    }
}

/// What must hold of a tag before it is changed: `If-Match: "DIGEST"`, `If-None-Match: *`.
fn condition(headers: &HeaderMap) -> Result<Condition, Refusal> {
    let text = |name| headers.get(name).map(|value: &http::HeaderValue| value.to_str().unwrap_or_default());
    if let Some(expected) = text(header::IF_MATCH) {
        if expected.trim() == "*" {
            return Ok(Condition::Is(None));
        }
        let digests = expected.split(',').map(|tag| tag.trim().trim_matches('"').parse::<Digest>());
        return Ok(Condition::Is(Some(digests.collect::<Result<_, _>>()?)));
    }
    match text(header::IF_NONE_MATCH) {
        Some(value) if value.trim() == "*" => Ok(Condition::IsNew),
        Some(_) => Err(Refusal::bad("UNSUPPORTED", "of `If-None-Match`, only `*` is possible here")),
        None => Ok(Condition::None),
    }
}

/// Tells the user of the client what is strange, though it was taken.
fn warn(response: &mut Response<Body>, remarks: &[String]) {
    let mut left = LONGEST_WARNINGS;
    for remark in remarks {
        let warning = format!("299 - \"{}\"", remark.replace(['"', '\\'], ""));
        match left.checked_sub(warning.len()) {
            Some(rest) => left = rest,
            None => return,
        }
        set(response, header::WARNING, warning);
    }
}
