//! Which endpoint a request is for. Source: distribution-spec, "Endpoints".

use std::borrow::Cow;

use http::{Method, StatusCode};
use percent_encoding::percent_decode_str;
use tug_oci::Digest;

use super::refusal::Refusal;
use crate::names::{Reference, RepositoryName, UploadId};

/// What a path means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/v2/`
    Base,
    /// `/v2/_catalog`
    Catalog,
    /// `/v2/NAME/tags/list`
    Tags(RepositoryName),
    /// `/v2/NAME/blobs/DIGEST`
    Blob(RepositoryName, Digest),
    /// `/v2/NAME/blobs/uploads/`
    Uploads(RepositoryName),
    /// `/v2/NAME/blobs/uploads/ID`
    Upload(RepositoryName, UploadId),
    /// `/v2/NAME/manifests/REFERENCE`
    Manifest(RepositoryName, Reference),
    /// `/v2/NAME/referrers/DIGEST`
    Referrers(RepositoryName, Digest),
}

/// What a request wants to do, for whoever decides whether it may.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// To know that this is a registry.
    Base,
    /// To list all repositories.
    Catalog,
    /// To read.
    Pull(RepositoryName),
    /// To add.
    Push(RepositoryName),
    /// To take away.
    Delete(RepositoryName),
}

impl Route {
    /// Reads a path; `method` decides how a name that nothing can have is refused.
    pub(crate) fn parse(method: &Method, path: &str) -> Result<Self, Refusal> {
        let unknown = || Refusal::new(StatusCode::NOT_FOUND, "UNSUPPORTED", "there is no such endpoint");
        let rest = match path.strip_prefix("/v2") {
            Some("" | "/") => return Ok(Self::Base),
            Some(rest) => rest.strip_prefix('/').ok_or_else(unknown)?,
            None => return Err(unknown()),
        };
        // Parts are decoded one by one, so that an encoded slash is never a slash; no name can hold one.
        let parts: Vec<String> = rest
            .split('/')
            .map(|part| percent_decode_str(part).decode_utf8().map(Cow::into_owned))
            .collect::<Result<_, _>>()
            .map_err(|_| Refusal::bad("NAME_INVALID", "the path is no UTF-8"))?;
        if parts.iter().any(|part| part.contains('/')) {
            return Err(Refusal::bad("NAME_INVALID", "a `/` in a name must not be encoded"));
        }
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let name = |parts: &[&str]| parts.join("/").parse::<RepositoryName>();
        Ok(match parts.as_slice() {
            ["_catalog"] => Self::Catalog,
            [before @ .., "tags", "list"] => Self::Tags(name(before)?),
            [before @ .., "blobs", "uploads"] | [before @ .., "blobs", "uploads", ""] => {
                Self::Uploads(name(before)?)
            }
            [before @ .., "blobs", "uploads", id] => {
                Self::Upload(name(before)?, UploadId::parse(id).ok_or_else(Refusal::unknown_upload)?)
            }
            [before @ .., "blobs", digest] => Self::Blob(name(before)?, digest.parse()?),
            [before @ .., "manifests", reference] => {
                Self::Manifest(name(before)?, parse_reference(method, reference)?)
            }
            [before @ .., "referrers", digest] => Self::Referrers(name(before)?, digest.parse()?),
            _ => return Err(unknown()),
        })
    }

    /// What a request with `method` wants to do.
    pub(crate) fn access(&self, method: &Method) -> Access {
        match self {
            Self::Base => Access::Base,
            Self::Catalog => Access::Catalog,
            Self::Uploads(name) | Self::Upload(name, _) => Access::Push(name.clone()),
            Self::Tags(name) | Self::Blob(name, _) | Self::Manifest(name, _) | Self::Referrers(name, _) => {
                match *method {
                    Method::GET | Method::HEAD => Access::Pull(name.clone()),
                    Method::DELETE => Access::Delete(name.clone()),
                    _ => Access::Push(name.clone()),
                }
            }
        }
    }

    /// The repository that it is about.
    pub(crate) fn repository(&self) -> Option<&RepositoryName> {
        match self {
            Self::Base | Self::Catalog => None,
            Self::Tags(name)
            | Self::Uploads(name)
            | Self::Upload(name, _)
            | Self::Blob(name, _)
            | Self::Manifest(name, _)
            | Self::Referrers(name, _) => Some(name),
        }
    }

    /// The same about another repository.
    pub(crate) fn renamed(self, name: RepositoryName) -> Self {
        match self {
            Self::Base | Self::Catalog => self,
            Self::Tags(_) => Self::Tags(name),
            Self::Uploads(_) => Self::Uploads(name),
            Self::Upload(_, id) => Self::Upload(name, id),
            Self::Blob(_, digest) => Self::Blob(name, digest),
            Self::Manifest(_, reference) => Self::Manifest(name, reference),
            Self::Referrers(_, digest) => Self::Referrers(name, digest),
        }
    }

    /// The methods that there are for it.
    pub(crate) fn methods(&self) -> &'static str {
        match self {
            Self::Base | Self::Catalog | Self::Tags(_) | Self::Referrers(..) => "GET, HEAD",
            Self::Blob(..) => "GET, HEAD, DELETE",
            Self::Uploads(_) => "POST",
            Self::Upload(..) => "GET, HEAD, PATCH, PUT, DELETE",
            Self::Manifest(..) => "GET, HEAD, PUT, DELETE",
        }
    }
}

fn parse_reference(method: &Method, text: &str) -> Result<Reference, Refusal> {
    if text.contains(':') {
        return Ok(Reference::Digest(text.parse()?));
    }
    match text.parse() {
        Ok(tag) => Ok(Reference::Tag(tag)),
        Err(error) if *method == Method::PUT => Err(error.into()),
        Err(error) => Err(Refusal::new(StatusCode::NOT_FOUND, "MANIFEST_UNKNOWN", error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(path: &str) -> Result<Route, u16> {
        Route::parse(&Method::GET, path).map_err(|refusal| refusal.into_response().status().as_u16())
    }

    #[test]
    fn names_may_hold_the_words_of_the_endpoints() {
        let digest: Digest = Digest::of(b"");
        let name = |text: &str| text.parse().unwrap();
        assert_eq!(parse("/v2/a/tags/list"), Ok(Route::Tags(name("a"))));
        assert_eq!(parse("/v2/tags/list/tags/list"), Ok(Route::Tags(name("tags/list"))));
        assert_eq!(parse("/v2/a/blobs/uploads/"), Ok(Route::Uploads(name("a"))));
        assert_eq!(parse("/v2/a/blobs/blobs/uploads"), Ok(Route::Uploads(name("a/blobs"))));
        assert_eq!(parse(&format!("/v2/blobs/b/blobs/{digest}")), Ok(Route::Blob(name("blobs/b"), digest)));
    }

    #[test]
    fn a_digest_may_be_percent_encoded() {
        let digest = Digest::of(b"");
        let path = format!("/v2/a/blobs/{}", digest.to_string().replace(':', "%3A"));
        assert_eq!(parse(&path), Ok(Route::Blob("a".parse().unwrap(), digest)));
    }

    #[test]
    fn tricks_with_paths_lead_nowhere() {
        let hex = "a".repeat(64);
        for (path, status) in [
            ("/v2/../v2/a/tags/list".to_owned(), 400),
            ("/v2/..%2f..%2fetc/tags/list".to_owned(), 400),
            ("/v2/a%2fb/tags/list".to_owned(), 400),
            ("/v2/a%00b/tags/list".to_owned(), 400),
            ("/v2/%ff/tags/list".to_owned(), 400),
            ("/v2/_tug/tags/list".to_owned(), 400),
            ("/v2/a//b/tags/list".to_owned(), 400),
            (format!("/v2/a/blobs/sha256:../{hex}"), 404),
            (format!("/v2/a/blobs/sha256:..%2f{hex}"), 400),
            (format!("/v2/a/blobs/SHA256:{hex}"), 400),
            ("/v2/a/blobs/uploads/..".to_owned(), 404),
            ("/v2/a/blobs/uploads/..%2f..%2froot.json".to_owned(), 400),
            ("/v2/a/manifests/..".to_owned(), 404),
            ("/v2/a/manifests/..%2findex.json".to_owned(), 400),
            ("/v1/search".to_owned(), 404),
            ("/v2a".to_owned(), 404),
            ("/".to_owned(), 404),
        ] {
            assert_eq!(parse(&path), Err(status), "{path}");
        }
    }
}
