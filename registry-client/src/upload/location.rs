//! Where a session goes on: the `Location` of an answer, in all its forms.
//!
//! Its query belongs to the registry and is kept as it is: some find no session without it, or when it was written anew.

use http::header::LOCATION;
use reqwest::Url;

use crate::client::Place;
use crate::error::{Error, Kind};
use crate::text;
use crate::transport::{Answer, check_address};

/// Where the answer says that the session is. `Ok(None)` when it says nothing.
pub(super) fn of(place: &Place, answer: &Answer) -> Result<Option<Url>, Error> {
    let Some(location) = answer.header(LOCATION).map(str::trim).filter(|text| !text.is_empty()) else {
        // Not in the specification, but older than it: the name of the session alone.
        let name = answer.header("docker-upload-uuid").filter(|_| answer.request.starts_with("POST "));
        let is_plain = |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || "-_=.".contains(c));
        let name = name.filter(is_plain).filter(|name| !name.is_empty() && !name.starts_with('.'));
        return Ok(name.map(|name| place.url(&format!("blobs/uploads/{name}"))));
    };
    let refused = |why: &str| {
        let message =
            format!("`{}`: the upload is to go on at an address that is not asked: {why}", answer.request);
        Error::new(Kind::Protocol, message)
    };
    let url = joined(place, &answer.url, location).map_err(|_| refused("it cannot be read"))?;
    let url = kept_secure(&answer.url, url);
    check_address(&answer.url, &url).map_err(|why| refused(&format!("`{}` {why}", text::address(&url))))?;
    Ok(Some(url))
}

fn joined(place: &Place, from: &Url, location: &str) -> Result<Url, url::ParseError> {
    // A path whose slash was forgotten.
    let api = place.endpoint.api_path.trim_start_matches('/');
    match location.strip_prefix(api) {
        Some(rest) if !api.is_empty() && rest.starts_with('/') => from.join(&format!("/{location}")),
        _ => from.join(location),
    }
}

/// A registry behind a proxy that speaks TLS for it may not know that it does, and names itself with `http`. The
/// connection stays as it is.
fn kept_secure(from: &Url, mut url: Url) -> Url {
    let is_itself = from.host() == url.host() && (url.port().is_none() || url.port() == from.port());
    if from.scheme() == "https" && url.scheme() == "http" && is_itself {
        let _ = url.set_scheme("https");
        let _ = url.set_port(from.port());
    }
    url
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_that_does_not_know_of_its_tls_is_asked_with_it() {
        let kept = |from: &str, to: &str| {
            kept_secure(&Url::parse(from).unwrap(), Url::parse(to).unwrap()).to_string()
        };
        let from = "https://hub.example:5443/v2/";
        assert_eq!(kept(from, "http://hub.example/v2/u?s=1%2b"), "https://hub.example:5443/v2/u?s=1%2b");
        assert_eq!(kept(from, "http://hub.example:5443/u"), "https://hub.example:5443/u");
        assert_eq!(kept(from, "http://hub.example:5000/u"), "http://hub.example:5000/u", "another server");
        assert_eq!(kept(from, "http://store.example/u"), "http://store.example/u");
        assert_eq!(kept("http://hub.example/", "http://hub.example/u"), "http://hub.example/u");
    }
}
