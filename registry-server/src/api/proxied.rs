//! Requests for what other registries have: whose a name is, and what is said when it cannot be had.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, Response, StatusCode, header};
use tug_oci::Digest;

use super::body::Body;
use super::query::Query;
use super::refusal::Refusal;
use super::route::Route;
use super::{Asked, Registry, set};
use crate::names::{Reference, RepositoryName};
use crate::proxy::{Failure, Found, Place, Proxied, Proxy};
use crate::storage::Error;

/// When a registry may be asked again that wants fewer questions and does not say when.
const USUAL_WAIT: Duration = Duration::from_secs(60);

impl Registry {
    /// Whose the repository of a request is. Its name becomes the one under which it is kept here.
    pub(super) fn locate(&self, route: Route, query: &Query) -> Result<(Route, Place), Refusal> {
        let (Some(proxy), Some(name)) = (&self.proxy, route.repository()) else {
            return Ok((route, Place::Own));
        };
        let place = proxy.locate(name, query.first("ns"))?;
        Ok(match &place {
            Place::Proxied(from) => (route.renamed(from.local.clone()), place),
            _ => (route, place),
        })
    }

    /// Makes sure that a manifest of another registry is here. The result is what to warn of.
    pub(super) async fn fetch_manifest(
        &self,
        asked: &Asked,
        reference: &Reference,
    ) -> Result<Option<String>, Refusal> {
        let Some((proxy, from)) = self.proxied(asked) else { return Ok(None) };
        let fixed = match reference {
            Reference::Tag(tag) => asked.caller.policy.is_immutable(from.local.as_str(), tag.as_str()),
            Reference::Digest(_) => false,
        };
        match proxy.manifest(from, reference, fixed).await {
            Ok(Found::Stale(failure)) => Ok(Some(format!(
                "110 - \"the tag may have changed: {} could not be asked, {}\"",
                from.upstream,
                failure.reason()
            ))),
            Ok(_) => Ok(None),
            Err(failure) => Err(self.not_had(&failure, from, "MANIFEST_UNKNOWN", "manifest")),
        }
    }

    /// Makes sure that a blob of another registry is here; for `HEAD`, only that it is anywhere: the result is then the
    /// whole answer.
    pub(super) async fn fetch_blob(
        &self,
        asked: &Asked,
        digest: &Digest,
    ) -> Result<Option<Response<Body>>, Refusal> {
        let Some((proxy, from)) = self.proxied(asked) else { return Ok(None) };
        let refuse = |failure| self.not_had(&failure, from, "BLOB_UNKNOWN", "blob");
        if asked.method == Method::HEAD {
            let (repository, wanted) = (from.local.clone(), digest.clone());
            if self.blocking(move |storage| storage.lease_blob(&repository, &wanted)).await?.is_some() {
                return Ok(None);
            }
            let size = proxy.blob_size(from, digest).await.map_err(refuse)?;
            let mut response = super::blobs::blob_response(Body::empty(), digest);
            set(&mut response, header::CONTENT_LENGTH, size);
            return Ok(Some(response));
        }
        proxy.blob(from, digest).await.map_err(refuse)?;
        Ok(None)
    }

    fn proxied<'a>(&'a self, asked: &'a Asked) -> Option<(&'a Arc<Proxy>, &'a Arc<Proxied>)> {
        Some((self.proxy.as_ref()?, asked.from.as_ref()?))
    }

    fn not_had(&self, failure: &Failure, from: &Proxied, unknown: &'static str, what: &str) -> Refusal {
        let upstream = &from.upstream;
        let refused = |status, code, why: String| Refusal::new(status, code, format!("{upstream} {why}"));
        match failure {
            Failure::NotFound => refused(
                StatusCode::NOT_FOUND,
                unknown,
                format!("has no such {what} in `{}`", from.remote.name),
            ),
            Failure::RateLimited(wait) => {
                let why = "allows no more questions for now".to_owned();
                let seconds = wait.unwrap_or(USUAL_WAIT).as_secs().max(1).to_string();
                refused(StatusCode::TOO_MANY_REQUESTS, "TOOMANYREQUESTS", why)
                    .with_header(header::RETRY_AFTER, seconds)
            }
            Failure::Refused => {
                let why = format!("does not give this {what} to the registry that you asked, or has none");
                refused(StatusCode::FORBIDDEN, "DENIED", why)
            }
            Failure::Unavailable => {
                let why = format!("does not answer, and the {what} is not here");
                refused(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", why)
            }
            Failure::Unusable => {
                refused(StatusCode::BAD_GATEWAY, "UNKNOWN", format!("gave something that is no such {what}"))
            }
            Failure::TooLarge => {
                let why = format!("has a larger {what} there than this registry takes");
                refused(StatusCode::BAD_GATEWAY, "SIZE_INVALID", why)
            }
            Failure::WrongDigest(actual) => {
                let why = format!("gave something else: its digest is {actual}");
                refused(StatusCode::BAD_GATEWAY, "DIGEST_INVALID", why)
            }
            Failure::Storage(error) => match &**error {
                error @ Error::Io { .. } => self.refuse(error),
                error => {
                    self.problem(error.sentence());
                    Refusal::internal()
                }
            },
            Failure::Broken => Refusal::internal(),
        }
    }
}

/// Says that nothing can be changed in what belongs to another registry.
pub(super) fn not_ours(from: &Proxied) -> Refusal {
    let message = format!(
        "`{}` is a copy of what {} has: it can be pulled here, and changed only there",
        from.local, from.upstream
    );
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "UNSUPPORTED", message)
        .with_header(header::ALLOW, "GET, HEAD")
}

/// Says that another registry was meant, of which nothing is here.
pub(super) fn not_known(ns: &str, name: Option<&RepositoryName>) -> Refusal {
    let name = name.map_or("", RepositoryName::as_str);
    let ns: String = ns.chars().filter(|letter| !letter.is_control()).take(255).collect();
    let message = format!("nothing is fetched from `{ns}` here, so there is no `{name}` of it");
    Refusal::new(StatusCode::NOT_FOUND, "NAME_UNKNOWN", message)
}
