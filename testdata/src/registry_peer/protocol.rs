//! What a right registry answers: manifests and blobs.

use std::sync::Arc;

use serde_json::Value;

use super::answer::Answer;
use super::behaviour::{Behaviour, Referrers};
use super::contents::{self, Contents};
use super::tokens::{self, Caller};
use super::uploads;
use super::wire::Request;
use super::{lists, tokens::give};

/// The largest manifest that is taken, in bytes.
const MANIFEST_LIMIT: usize = 4 * 1024 * 1024;

/// What a path means.
pub(super) enum Place<'a> {
    Base,
    Token,
    Catalog,
    Tags(&'a str),
    Manifest(&'a str, &'a str),
    Blob(&'a str, &'a str),
    Uploads(&'a str),
    Session(&'a str, &'a str),
    Referrers(&'a str, &'a str),
    Nowhere,
}

impl<'a> Place<'a> {
    pub(super) fn of(path: &'a str) -> Self {
        let Some(rest) = path.strip_prefix("/v2/") else {
            return match path {
                "/v2" => Self::Base,
                "/token" => Self::Token,
                _ => Self::Nowhere,
            };
        };
        if let Some(name) = rest.strip_suffix("/tags/list") {
            return Self::Tags(name);
        }
        if let Some((name, id)) = rest.rsplit_once("/blobs/uploads/") {
            return if id.is_empty() { Self::Uploads(name) } else { Self::Session(name, id) };
        }
        for (part, place) in [
            ("/manifests/", Self::Manifest as fn(&'a str, &'a str) -> Self),
            ("/blobs/", Self::Blob),
            ("/referrers/", Self::Referrers),
        ] {
            if let Some((name, last)) = rest.rsplit_once(part) {
                return place(name, last);
            }
        }
        match rest {
            "" => Self::Base,
            "_catalog" => Self::Catalog,
            _ => Self::Nowhere,
        }
    }

    /// The scopes that a request needs here.
    fn scopes(&self, request: &Request) -> Vec<String> {
        let (Self::Tags(name)
        | Self::Manifest(name, _)
        | Self::Blob(name, _)
        | Self::Uploads(name)
        | Self::Session(name, _)
        | Self::Referrers(name, _)) = self
        else {
            return match self {
                Self::Catalog => vec!["registry:catalog:*".to_owned()],
                _ => Vec::new(),
            };
        };
        let actions: &[&str] = match (request.method.as_str(), self) {
            (_, Self::Session(..)) => &["pull", "push"],
            ("GET" | "HEAD", _) => &["pull"],
            ("DELETE", _) => &["delete"],
            _ => &["pull", "push"],
        };
        actions.iter().map(|action| format!("repository:{name}:{action}")).collect()
    }
}

/// Does what a request asks for, if its sender may.
pub(super) fn answer(
    behaviour: &Behaviour,
    contents: &mut Contents,
    base: &str,
    request: &Request,
    body: &[u8],
) -> Answer {
    let place = Place::of(request.path());
    if let Place::Token = place {
        return give(&behaviour.access, contents, request, body);
    }
    if behaviour.refuses_authorization && request.header("authorization").is_some() {
        return Answer::error(
            400,
            "InvalidAuthenticationInfo",
            "only one authentication mechanism is allowed",
        );
    }
    let needed = place.scopes(request);
    let caller = match tokens::admit(&behaviour.access, base, contents, request, &needed) {
        Ok(caller) => caller,
        Err(refusal) => return refusal,
    };
    let mut answer = act(behaviour, contents, base, request, body, &place, &caller);
    for text in &behaviour.warnings {
        answer = answer.header("Warning", &format!("299 - \"{text}\""));
    }
    answer
}

fn act(
    behaviour: &Behaviour,
    contents: &mut Contents,
    base: &str,
    request: &Request,
    body: &[u8],
    place: &Place<'_>,
    caller: &Caller,
) -> Answer {
    match (request.method.as_str(), place) {
        ("GET" | "HEAD", Place::Base) => Answer::body("{}").header("Content-Type", "application/json"),
        ("GET", Place::Catalog) => lists::catalog(behaviour, contents, request),
        ("GET", Place::Tags(name)) => lists::tags(behaviour, contents, request, name),
        ("GET", Place::Referrers(name, digest)) => {
            lists::referrers(behaviour, contents, request, name, digest)
        }
        ("GET" | "HEAD", Place::Manifest(name, reference)) => manifest(behaviour, contents, name, reference),
        ("PUT", Place::Manifest(name, reference)) => {
            put_manifest(behaviour, contents, request, name, reference, body)
        }
        ("DELETE", Place::Manifest(name, reference)) => delete_manifest(behaviour, contents, name, reference),
        ("GET" | "HEAD", Place::Blob(name, digest)) => blob(contents, request, name, digest),
        ("DELETE", Place::Blob(name, digest)) => delete_blob(behaviour, contents, name, digest),
        (_, Place::Uploads(name)) if request.method == "POST" => {
            uploads::begin(behaviour, contents, base, request, body, name, caller)
        }
        (_, Place::Session(name, id)) => uploads::go_on(behaviour, contents, base, request, body, name, id),
        (_, Place::Nowhere | Place::Token) => Answer::status(404),
        _ => Answer::error(405, "UNSUPPORTED", "the operation is unsupported"),
    }
}

fn manifest(behaviour: &Behaviour, contents: &Contents, name: &str, reference: &str) -> Answer {
    let found = contents.repositories.get(name).and_then(|repository| repository.manifest(reference));
    let Some((digest, media_type, bytes)) = found else {
        return Answer::error(404, "MANIFEST_UNKNOWN", "manifest unknown");
    };
    let answer = Answer::body(bytes.to_vec())
        .header("Content-Type", &media_type)
        .header("Docker-Content-Digest", &digest);
    match behaviour.has_etags {
        true => answer.header("ETag", &format!("\"{digest}\"")),
        false => answer,
    }
}

fn put_manifest(
    behaviour: &Behaviour,
    contents: &mut Contents,
    request: &Request,
    name: &str,
    reference: &str,
    body: &[u8],
) -> Answer {
    if body.len() > MANIFEST_LIMIT {
        return Answer::error(413, "MANIFEST_INVALID", "the manifest is too large");
    }
    let Ok(manifest) = serde_json::from_slice::<Value>(body) else {
        return Answer::error(400, "MANIFEST_INVALID", "the manifest is no JSON");
    };
    let is_digest = reference.contains(':');
    if is_digest && !contents::has_digest(body, reference) {
        return Answer::error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    let repository = contents.repository(name);
    if let Some(missing) = behaviour.checks_manifests.then(|| missing_part(repository, &manifest)).flatten() {
        return Answer::error(404, "MANIFEST_BLOB_UNKNOWN", &format!("blob unknown to registry: {missing}"));
    }
    let now = repository.tags.get(reference).cloned();
    let condition = request.header("if-match").map(|value| value.trim_matches('"').to_owned());
    if behaviour.has_etags && condition.is_some() && condition != now {
        return Answer::error(412, "DENIED", "the tag has moved");
    }
    let media_type = request.header("content-type").unwrap_or("application/octet-stream").to_owned();
    let digest = if is_digest { reference.to_owned() } else { contents::sha256(body) };
    repository.manifests.insert(digest.clone(), (media_type, Arc::new(body.to_vec())));
    if !is_digest {
        repository.tags.insert(reference.to_owned(), digest.clone());
    }
    let answer = Answer::status(201)
        .header("Location", &format!("/v2/{name}/manifests/{digest}"))
        .header("Docker-Content-Digest", &digest);
    match (manifest["subject"]["digest"].as_str(), behaviour.referrers) {
        (Some(subject), Referrers::Listed | Referrers::Unfiltered) => answer.header("OCI-Subject", subject),
        _ => answer,
    }
}

/// The first blob or child of a manifest that is not there.
fn missing_part(repository: &contents::Repository, manifest: &Value) -> Option<String> {
    let list = |field: &str| manifest[field].as_array().cloned().unwrap_or_default();
    let blobs = list("layers").into_iter().chain(manifest.get("config").cloned());
    let blobs = blobs.filter(|blob| !blob["urls"].is_array());
    let missing_blob = blobs
        .filter_map(|blob| blob["digest"].as_str().map(str::to_owned))
        .find(|digest| !repository.blobs.contains_key(digest));
    missing_blob.or_else(|| {
        let children = list("manifests").into_iter();
        let mut digests = children.filter_map(|child| child["digest"].as_str().map(str::to_owned));
        digests.find(|digest| !repository.manifests.contains_key(digest))
    })
}

fn delete_manifest(behaviour: &Behaviour, contents: &mut Contents, name: &str, reference: &str) -> Answer {
    if !behaviour.deletes {
        return Answer::error(405, "UNSUPPORTED", "the operation is unsupported");
    }
    let repository = contents.repository(name);
    let is_gone = match reference.contains(':') {
        true => {
            repository.tags.retain(|_, digest| digest != reference);
            repository.manifests.remove(reference).is_some()
        }
        false => repository.tags.remove(reference).is_some(),
    };
    match is_gone {
        true => Answer::status(202),
        false => Answer::error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
    }
}

fn delete_blob(behaviour: &Behaviour, contents: &mut Contents, name: &str, digest: &str) -> Answer {
    if !behaviour.deletes {
        return Answer::error(405, "UNSUPPORTED", "the operation is unsupported");
    }
    match contents.repository(name).blobs.remove(digest) {
        Some(_) => Answer::status(202),
        None => Answer::error(404, "BLOB_UNKNOWN", "blob unknown to registry"),
    }
}

fn blob(contents: &Contents, request: &Request, name: &str, digest: &str) -> Answer {
    let Some(bytes) = contents.repositories.get(name).and_then(|repository| repository.blobs.get(digest))
    else {
        return Answer::error(404, "BLOB_UNKNOWN", "blob unknown to registry");
    };
    let whole = Answer::status(200)
        .header("Content-Type", "application/octet-stream")
        .header("Docker-Content-Digest", digest)
        .header("Accept-Ranges", "bytes");
    let Some(range) = request.header("range").and_then(|text| text.strip_prefix("bytes=")) else {
        return whole.with_body(bytes.to_vec());
    };
    match part(range, bytes.len()) {
        Some((start, end)) if start < end => {
            let mut answer = whole.with_body(&bytes[start..end]);
            answer.status = 206;
            answer.header("Content-Range", &format!("bytes {start}-{}/{}", end - 1, bytes.len()))
        }
        Some(_) => Answer::status(416).header("Content-Range", &format!("bytes */{}", bytes.len())),
        None => whole.with_body(bytes.to_vec()),
    }
}

/// The start and the end of a range of `a-b`, `a-` or `-n`; empty when there is nothing of it.
fn part(range: &str, length: usize) -> Option<(usize, usize)> {
    let (start, end) = range.split_once('-')?;
    if start.is_empty() {
        return Some((length.saturating_sub(end.parse().ok()?), length));
    }
    let start = start.parse().ok()?;
    let end = if end.is_empty() { length } else { end.parse::<usize>().ok()?.saturating_add(1).min(length) };
    Some((start, end.max(start)))
}
