//! References: the names that people give to images.
//!
//! `[registry/]repository[:tag][@digest]`, normalised as docker does: no registry means `docker.io`, one word there
//! means `library/word`, neither tag nor digest means `latest`. Hosts are the same in capitals and in lower case, so they
//! are kept in lower case: `LOCALHOST:5000/app` is `localhost:5000/app`. Source: distribution `reference` grammar,
//! distribution-spec "Pulling manifests" (names and tags).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::{Digest, DigestError};

const DEFAULT_REGISTRY: &str = "docker.io";
const DEFAULT_TAG: &str = "latest";
const LONGEST_NAME: usize = 255;
const LONGEST_TAG: usize = 128;
const LONGEST_SHOWN: usize = 150;

/// Why a text is not a reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReferenceError {
    /// Nothing was given.
    #[error("an image name is missing")]
    Empty,
    /// It begins with the scheme of an address.
    #[error("`{0}` is an address, and not the name of an image: leave out `{1}://`")]
    Scheme(String, String),
    /// There is a tag or a digest, and no name.
    #[error("`{0}` has no name before its tag or digest")]
    NoName(String),
    /// The name ends in a colon.
    #[error("`{0}` has nothing behind its `:`, where a tag is expected")]
    NoTag(String),
    /// The name ends in an at sign.
    #[error("`{0}` has nothing behind its `@`, where a digest is expected")]
    NoDigest(String),
    /// The repository has upper-case letters.
    #[error("image name `{0}` must be lower case")]
    UpperCase(String),
    /// The repository has characters or separators that names do not have.
    #[error(
        "`{0}` is not an image name: expected lower-case letters, digits and single `.`, `_`, `-` or `/` between them"
    )]
    Repository(String),
    /// The registry is not `host` or `host:port`.
    #[error("`{0}` is not the address of a registry")]
    Registry(String),
    /// The registry is an address of IPv6, which has colons of its own.
    #[error("`{0}` is not the address of a registry: one of IPv6 stands in brackets, such as `[::1]:5000`")]
    Ipv6(String),
    /// The tag has other characters, or is too long.
    #[error(
        "`{0}` is not a tag: expected up to 128 letters, digits, `.`, `_` or `-`, not starting with `.` or `-`"
    )]
    Tag(String),
    /// The name as a whole is too long.
    #[error("image name of {0} characters is too long: at most 255")]
    TooLong(usize),
    /// What follows the `@` is not a digest.
    #[error(transparent)]
    Digest(#[from] DigestError),
}

/// The name of an image.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    registry: String,
    repository: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The host, with a port if it was given: `docker.io`, `localhost:5000`. In lower case, unless only its capitals say
    /// that it is one (`Registry/app`).
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path on the registry: `library/debian`.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag; `None` only when there is a digest.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, if the name pins one.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The name as people write it: without `docker.io/` and `library/`.
    pub fn familiar(&self) -> String {
        format!("{}{}", self.familiar_name(), self.suffix())
    }

    /// The familiar name without tag and digest.
    pub fn familiar_name(&self) -> String {
        match (self.registry.as_str(), self.repository.strip_prefix("library/")) {
            (DEFAULT_REGISTRY, Some(name)) if !name.contains('/') => name.to_owned(),
            (DEFAULT_REGISTRY, _) => self.repository.clone(),
            (registry, _) => format!("{registry}/{}", self.repository),
        }
    }

    fn suffix(&self) -> String {
        let tag = self.tag.iter().map(|tag| format!(":{tag}"));
        let digest = self.digest.iter().map(|digest| format!("@{digest}"));
        tag.chain(digest).collect()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}{}", self.registry, self.repository, self.suffix())
    }
}

impl fmt::Debug for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        if text.is_empty() {
            return Err(ReferenceError::Empty);
        }
        if let Some((scheme, _)) = text.split_once("://")
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
        {
            return Err(ReferenceError::Scheme(shown(text), shown(scheme)));
        }
        let (named, digest) = match text.split_once('@') {
            Some((_, "")) => return Err(ReferenceError::NoDigest(shown(text))),
            Some((named, digest)) => (named, Some(digest.parse::<Digest>()?)),
            None => (text, None),
        };
        let (name, tag) = split_tag(named);
        match tag {
            _ if name.is_empty() => return Err(ReferenceError::NoName(shown(text))),
            Some("") => return Err(ReferenceError::NoTag(shown(text))),
            Some(tag) if !is_tag(tag) => return Err(ReferenceError::Tag(shown(tag))),
            _ => {}
        }
        let (registry, repository) = split_registry(name);
        if !is_registry(&registry) {
            return Err(match registry.parse::<std::net::Ipv6Addr>() {
                Ok(_) => ReferenceError::Ipv6(registry),
                Err(_) => ReferenceError::Registry(shown(&registry)),
            });
        }
        check_repository(&repository, name)?;
        let length = registry.len() + 1 + repository.len();
        if length > LONGEST_NAME {
            return Err(ReferenceError::TooLong(length));
        }
        let tag = match (tag, &digest) {
            (Some(tag), _) => Some(tag.to_owned()),
            (None, None) => Some(DEFAULT_TAG.to_owned()),
            (None, Some(_)) => None,
        };
        Ok(Self { registry, repository, tag, digest })
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A text as people may read it in a message: printable, and not endless.
fn shown(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
    let mut shown: String = plain.take(LONGEST_SHOWN).collect();
    if text.chars().nth(LONGEST_SHOWN).is_some() {
        shown.push('…');
    }
    shown
}

/// The last colon starts a tag unless a slash follows it (then it is a port).
fn split_tag(named: &str) -> (&str, Option<&str>) {
    match named.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (named, None),
    }
}

/// The first part is a registry when it could not be a user's name: it has a dot, a colon, a capital or is `localhost`.
fn split_registry(name: &str) -> (String, String) {
    let is_host = |text: &str| text == "localhost" || text.contains(['.', ':']);
    let (registry, repository) = match name.split_once('/') {
        Some((first, rest)) if is_host(first) || has_upper(first) => (first, rest),
        _ => (DEFAULT_REGISTRY, name),
    };
    let lower = registry.to_ascii_lowercase();
    // Without its capitals, `Registry/app` would be another name.
    let registry = if is_host(&lower) { lower.as_str() } else { registry };
    let registry = if registry == "index.docker.io" { DEFAULT_REGISTRY } else { registry };
    let official = registry == DEFAULT_REGISTRY && !repository.contains('/');
    let prefix = if official { "library/" } else { "" };
    (registry.to_owned(), format!("{prefix}{repository}"))
}

fn has_upper(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_uppercase())
}

fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let port_is_good = port.is_none_or(|port| port.parse::<u16>().is_ok());
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host_is_good = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        }),
    };
    port_is_good && host_is_good
}

fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut bytes = text.bytes();
    text.len() <= LONGEST_TAG
        && bytes.next().is_some_and(word)
        && bytes.all(|byte| word(byte) || byte == b'.' || byte == b'-')
}

fn check_repository(repository: &str, name: &str) -> Result<(), ReferenceError> {
    if repository.split('/').all(is_component) {
        return Ok(());
    }
    if has_upper(repository) && repository.to_ascii_lowercase().split('/').all(is_component) {
        return Err(ReferenceError::UpperCase(shown(name)));
    }
    Err(ReferenceError::Repository(shown(name)))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let (Some(first), Some(last)) = (text.bytes().next(), text.bytes().last()) else { return false };
    let separators = text.split(|c: char| letter(c as u8) && c.is_ascii());
    letter(first)
        && letter(last)
        && separators.filter(|separator| !separator.is_empty()).all(|separator| {
            matches!(separator, "." | "_" | "__") || separator.bytes().all(|byte| byte == b'-')
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full(text: &str) -> String {
        text.parse::<Reference>()
            .map(|reference| reference.to_string())
            .unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn short_names_are_completed_as_docker_does() {
        for (text, expected) in [
            ("debian", "docker.io/library/debian:latest"),
            ("debian:12", "docker.io/library/debian:12"),
            ("user/app", "docker.io/user/app:latest"),
            ("index.docker.io/debian", "docker.io/library/debian:latest"),
            ("localhost/app", "localhost/app:latest"),
            ("localhost:5000/app", "localhost:5000/app:latest"),
            ("ghcr.io/a/b/c:v1", "ghcr.io/a/b/c:v1"),
            ("[::1]:5000/app", "[::1]:5000/app:latest"),
            ("a/b--c/d__e/f.g", "docker.io/a/b--c/d__e/f.g:latest"),
            ("LOCALHOST:5000/app", "localhost:5000/app:latest"),
            ("LocalHost/app", "localhost/app:latest"),
            ("GHCR.io/a/b:V1", "ghcr.io/a/b:V1"),
            ("[FE80::A]/app", "[fe80::a]/app:latest"),
            ("Index.Docker.IO/debian", "docker.io/library/debian:latest"),
            ("Registry/app", "Registry/app:latest"),
        ] {
            assert_eq!(full(text), expected);
        }
    }

    #[test]
    fn a_digest_needs_no_tag_and_may_have_one() {
        let digest = Digest::of(b"");
        assert_eq!(full(&format!("debian@{digest}")), format!("docker.io/library/debian@{digest}"));
        assert_eq!(full(&format!("debian:12@{digest}")), format!("docker.io/library/debian:12@{digest}"));
    }

    #[test]
    fn names_are_shown_as_they_are_written() {
        for text in ["debian:12", "user/app:latest", "ghcr.io/a/b:v1", "localhost:5000/library/x:latest"] {
            assert_eq!(text.parse::<Reference>().unwrap().familiar(), text);
        }
    }

    #[test]
    fn what_is_no_name_is_refused_with_the_reason() {
        assert_eq!(full(""), "an image name is missing");
        assert_eq!(full("App"), "image name `App` must be lower case");
        assert!(full(":1").contains("has no name before"));
        assert!(full("@sha256:12").contains("is not a digest"));
        assert!(full("app:").contains("nothing behind its `:`"));
        assert!(full("app@").contains("nothing behind its `@`"));
        assert!(full("https://a.io/app").contains("leave out `https://`"));
        assert!(full("docker://app").contains("leave out `docker://`"));
        assert!(full("::1/app").contains("such as `[::1]:5000`"));
        assert!(full(&format!("app:{}", "a".repeat(128))).ends_with("aaa"));
        assert!(full(&format!("app:{}", "a".repeat(129))).contains("is not a tag"));
        assert!(full("app:é").contains("is not a tag"));
        assert!(full("ünï").contains("is not an image name"));
        assert_eq!(full("a\x1b[2J\nb").matches(char::is_control).count(), 0);
        assert!(full(&"A b".repeat(500)).len() < 400);
        assert!(full("app:-x").contains("is not a tag"));
        assert!(full("a..b").contains("is not an image name"));
        assert!(full("a/../b").contains("is not an image name"));
        assert!(full("/etc").contains("is not an image name"));
        assert!(full("a b").contains("is not an image name"));
        assert!(full("ex_ample.com/a").contains("is not the address of a registry"));
        assert!(full("host:99999/a").contains("is not the address of a registry"));
        assert!(full("a@sha256:12").contains("is not a digest"));
        assert!(full(&"a".repeat(300)).contains("too long"));
    }
}
