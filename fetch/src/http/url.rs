//! Addresses of files.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::Url;

/// An `http` or `https` address. What it shows of itself has no user, no password, and nothing that looks like a token.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpUrl(Url);

/// Why a text is no address of a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{shown}` is not a web address: {reason}")]
pub struct UrlError {
    shown: String,
    reason: String,
}

impl HttpUrl {
    /// What is asked for, with everything in it.
    pub(super) fn url(&self) -> &Url {
        &self.0
    }

    /// The address without user and password: what names it in keys and records.
    pub fn identity(&self) -> String {
        let mut url = self.0.clone();
        // They fail for addresses without a host, which these are not.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.into()
    }

    /// The last part of the path, percent-decoded where that gives text: the name of the file. `None` when there is none
    /// or when it could lead elsewhere.
    pub fn file_name(&self) -> Option<String> {
        let last = self.0.path().trim_end_matches('/').rsplit('/').next()?;
        let name = percent_decode_str(last).decode_utf8().map_or_else(|_| last.to_owned(), Cow::into_owned);
        let is_name = !matches!(name.as_str(), "" | "." | "..") && name.len() <= 255;
        (is_name && !name.contains(['/', '\0'])).then_some(name)
    }

    /// The host, with its port if that is not the usual one.
    pub fn host(&self) -> String {
        let host = self.0.host_str().unwrap_or_default();
        self.0.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// The address that `text` means when it stands in an answer from here.
    pub(super) fn join(&self, text: &str) -> Result<Url, UrlError> {
        self.0.join(text).map_err(|error| UrlError { shown: hide(text), reason: error.to_string() })
    }
}

impl FromStr for HttpUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let wrong = |reason: &str| UrlError { shown: hide(text), reason: reason.to_owned() };
        let url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
        Self::try_from(url)
    }
}

impl TryFrom<Url> for HttpUrl {
    type Error = UrlError;

    fn try_from(mut url: Url) -> Result<Self, UrlError> {
        if !matches!(url.scheme(), "http" | "https") {
            let reason = format!("the scheme `{}` is neither `http` nor `https`", url.scheme());
            return Err(UrlError { shown: hide(url.as_str()), reason });
        }
        url.set_fragment(None);
        Ok(Self(url))
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&shown(&self.0))
    }
}

impl fmt::Debug for HttpUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "HttpUrl({self})")
    }
}

/// An address as messages show it: no password, and of the query only its names.
pub(crate) fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    if url.password().is_some() {
        // These fail for addresses without a host, which have no password either.
        let _ = shown.set_password(Some("***"));
    } else if !url.username().is_empty() && matches!(url.scheme(), "http" | "https") {
        // A token alone stands where a user would.
        let _ = shown.set_username("***");
    }
    if url.query().is_some_and(|query| query.contains('=')) {
        // Signed addresses have their key in the query.
        let words: Vec<String> = url.query_pairs().map(|(name, _)| format!("{name}=...")).collect();
        shown.set_query(Some(&words.join("&")));
    }
    shown.into()
}

/// What somebody wrote as an address, without the password, or the token, before the `@` of its host.
pub fn hide(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let is_web = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    match rest[..end].rfind('@') {
        Some(at) if is_web || (!scheme.is_empty() && rest[..at].contains(':')) => {
            format!("{scheme}://***@{}", &rest[at + 1..])
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_nothing_secret() {
        for (text, shown) in [
            ("https://example.org/a.tar", "https://example.org/a.tar"),
            ("https://me:hunter2@example.org/a?b", "https://me:***@example.org/a?b"),
            ("https://hunter2@example.org/a", "https://***@example.org/a"),
            ("https://example.org/a?sig=hunter2&v=1", "https://example.org/a?sig=...&v=..."),
        ] {
            let url: HttpUrl = text.parse().unwrap();
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("hunter2"));
        }
        let error = "https://me:hunter2@exa mple.org/".parse::<HttpUrl>().unwrap_err().to_string();
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn only_web_addresses_are_taken() {
        for text in ["file:///etc/passwd", "ftp://example.org/a", "example.org", "http://", "-x"] {
            assert!(text.parse::<HttpUrl>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_file_is_called_by_the_end_of_its_path() {
        let name = |url: &str| url.parse::<HttpUrl>().unwrap().file_name();
        for (url, expected) in [
            ("http://h/a/b.tar?x=1", Some("b.tar")),
            ("http://h/a/", Some("a")),
            ("http://h", None),
            ("http://h/", None),
            ("http://h/a%2f..", None),
            ("http://h/%2e%2e%2f", None),
        ] {
            assert_eq!(name(url).as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn the_identity_is_what_names_the_file_for_everybody() {
        let url: HttpUrl = "https://me:x@example.org:8443/a%20b?v=1#part".parse().unwrap();
        assert_eq!(url.identity(), "https://example.org:8443/a%20b?v=1");
        assert_eq!(url.host(), "example.org:8443");
        assert_eq!(url.file_name().as_deref(), Some("a b"));
    }
}
