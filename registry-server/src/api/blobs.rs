//! Blobs, whole and in ranges, and their end. Source: distribution-spec, "Pulling blobs", "Deleting Blobs".

use std::sync::Arc;

use http::{HeaderValue, Method, Response, StatusCode, header};
use serde_json::json;
use tug_oci::Digest;

use super::body::Body;
use super::range::Wanted;
use super::refusal::Refusal;
use super::{Answer, Asked, CONTENT_DIGEST, Registry, empty, etag, is_known, set};
use crate::names::RepositoryName;

impl Registry {
    /// `GET` and `HEAD` of a blob. `HEAD` is also a lease: who hears that a blob is there may leave it out.
    pub(super) async fn get_blob(
        self: &Arc<Self>,
        asked: Asked,
        name: RepositoryName,
        digest: Digest,
    ) -> Answer {
        if let Some(response) = self.fetch_blob(&asked, &digest).await? {
            return Ok(response);
        }
        let is_head = asked.method == Method::HEAD;
        let (repository, wanted) = (name.clone(), digest.clone());
        let blob = self
            .blocking(move |storage| {
                if is_head && storage.lease_blob(&repository, &wanted)?.is_none() {
                    return Ok(None);
                }
                storage.open_blob(&repository, &wanted)
            })
            .await?;
        let Some(blob) = blob else { return Err(self.unknown_blob(&name, &digest).await) };
        if is_known(&asked.headers, &digest) {
            let mut response = empty(StatusCode::NOT_MODIFIED);
            set(&mut response, header::ETAG, etag(&digest));
            set(&mut response, CONTENT_DIGEST, &digest);
            return Ok(response);
        }
        let wanted = match range_of(&asked, &digest) {
            Some(range) if !is_head => Wanted::parse(range, blob.size),
            _ => Wanted::Whole,
        };
        let response = match wanted {
            Wanted::Whole => blob_response(Body::file(blob.file, 0, blob.size), &digest),
            Wanted::Part(start, end) => {
                let mut response = blob_response(Body::file(blob.file, start, end), &digest);
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                let range = format!("bytes {start}-{}/{}", end - 1, blob.size);
                set(&mut response, header::CONTENT_RANGE, range);
                response
            }
            Wanted::Unsatisfiable => {
                let message = format!("the blob has {} bytes, and none of those asked for", blob.size);
                return Err(Refusal::new(StatusCode::RANGE_NOT_SATISFIABLE, "SIZE_INVALID", message)
                    .with_header(header::CONTENT_RANGE, format!("bytes */{}", blob.size)));
            }
        };
        Ok(response)
    }

    /// `DELETE` of a blob. Other repositories keep it.
    pub(super) async fn delete_blob(self: &Arc<Self>, name: RepositoryName, digest: Digest) -> Answer {
        let (repository, blob) = (name.clone(), digest.clone());
        match self.blocking(move |storage| storage.delete_blob(&repository, &blob)).await? {
            true => Ok(empty(StatusCode::ACCEPTED)),
            false => Err(self.unknown_blob(&name, &digest).await),
        }
    }

    async fn unknown_blob(&self, name: &RepositoryName, digest: &Digest) -> Refusal {
        if let Err(refusal) = self.must_exist(name).await {
            return refusal;
        }
        let message = format!("the repository `{name}` has no such blob");
        Refusal::new(StatusCode::NOT_FOUND, "BLOB_UNKNOWN", message)
            .with_detail(json!({ "digest": digest.to_string() }))
    }
}

/// An answer with a blob or a part of it.
pub(super) fn blob_response(body: Body, digest: &Digest) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    set(&mut response, header::ETAG, etag(digest));
    set(&mut response, CONTENT_DIGEST, digest);
    response
}

/// The one range that is asked for, unless the client has parts of something else (`If-Range`).
fn range_of<'a>(asked: &'a Asked, digest: &Digest) -> Option<&'a str> {
    let text = |name| asked.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    match text(header::IF_RANGE) {
        Some(expected) if expected != etag(digest) => None,
        _ => text(header::RANGE),
    }
}
