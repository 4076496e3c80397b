//! What names something on a registry.

use std::str::FromStr;

use tug_oci::{Reference, ReferenceError};
use tug_registry_client::hosts::Address;

/// skopeo's and podman's way to say that a name is one of a registry.
pub(in crate::commands) const DOCKER: &str = "docker://";

/// The name of an image on a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteName {
    text: String,
    reference: Reference,
    is_explicit: bool,
}

impl RemoteName {
    /// As it was typed, without `docker://`.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether `docker://` said that the registry is meant.
    pub(super) fn is_explicit(&self) -> bool {
        self.is_explicit
    }

    /// What docker takes it for.
    pub(super) fn reference(&self) -> &Reference {
        &self.reference
    }
}

impl FromStr for RemoteName {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let bare = text.strip_prefix(DOCKER).unwrap_or(text);
        Ok(Self { text: bare.to_owned(), reference: bare.parse()?, is_explicit: bare != text })
    }
}

/// A repository, which has neither tag nor digest.
pub(super) fn repository(text: &str) -> Result<RemoteName, String> {
    let name: RemoteName = text.parse().map_err(|error: ReferenceError| error.to_string())?;
    let has_tag = name.text.rsplit('/').next().is_some_and(|last| last.contains([':', '@']));
    match has_tag {
        false => Ok(name),
        true => Err(format!(
            "`{text}` is one image: a repository has neither tag nor digest, as in `{}`",
            bare(&name)
        )),
    }
}

fn bare(name: &RemoteName) -> String {
    name.reference.familiar_name()
}

/// A registry: a host, with a port where it has one. The addresses that people copy are taken as well.
pub(super) fn registry(text: &str) -> Result<String, String> {
    let bare = ["https://", "http://", DOCKER].iter().find_map(|scheme| text.strip_prefix(scheme));
    let host = bare.unwrap_or(text).trim_end_matches('/');
    let host = host.strip_suffix("/v2").or_else(|| host.strip_suffix("/v1")).unwrap_or(host);
    let is_host = !host.is_empty() && !host.contains(['/', '@', '?', '#', '\\', ' ']);
    match Address::parse(host).filter(|_| is_host) {
        Some(_) if matches!(host, "index.docker.io" | "registry-1.docker.io") => Ok("docker.io".to_owned()),
        Some(_) => Ok(host.to_owned()),
        None => {
            // What stands before an `@` may be a password.
            let shown = text.rsplit('@').next().unwrap_or_default();
            Err(format!(
                "`{shown}` is not a registry: expected a host, such as `ghcr.io` or `localhost:5000`"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_be_spelled_as_in_skopeo() {
        let name: RemoteName = "docker://debian:12".parse().unwrap();
        assert_eq!(
            (name.as_str(), name.reference().to_string().as_str()),
            ("debian:12", "docker.io/library/debian:12")
        );
        for bad in ["docker://", "App", "a b", ""] {
            assert!(bad.parse::<RemoteName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_repository_has_no_tag() {
        assert!(repository("localhost:5000/app").is_ok() && repository("docker://app").is_ok());
        assert!(repository("app:1").unwrap_err().ends_with("as in `app`"));
        assert!(repository(&format!("a.io/x@sha256:{}", "0".repeat(64))).is_err());
    }

    #[test]
    fn a_registry_is_a_host() {
        for (text, host) in [
            ("ghcr.io", "ghcr.io"),
            ("localhost:5000", "localhost:5000"),
            ("https://registry.example.com/v2/", "registry.example.com"),
            ("index.docker.io", "docker.io"),
            ("[::1]:5000", "[::1]:5000"),
        ] {
            assert_eq!(registry(text).as_deref(), Ok(host), "{text}");
        }
        for bad in ["", "ghcr.io/team", "me:secret@ghcr.io", "a b", "https://", "x:notaport"] {
            assert!(registry(bad).is_err(), "{bad}");
        }
    }
}
