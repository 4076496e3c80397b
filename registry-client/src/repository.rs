//! Where images lie: a registry and a name on it.

use std::fmt;

use tug_oci::Reference;

/// A repository, as its user names it. What is really asked for it, and where, decide
/// [`Hosts`](crate::hosts::Hosts).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    /// The host, with a port if it was given: `docker.io`, `localhost:5000`.
    pub registry: String,
    /// The path on it: `library/debian`. Empty where the registry as a whole is meant.
    pub name: String,
}

impl Repository {
    /// What somebody logs in to: a host, or a path on it. Also in the way in which docker's files have hosts, so
    /// `https://index.docker.io/v1/` is `docker.io`. `None` if it is neither.
    pub fn of_server(text: &str) -> Option<Self> {
        let text = text.trim();
        let found = crate::credentials::key_of(text);
        let is_host = crate::hosts::Address::parse(&found.registry).is_some();
        let path = format!("host.example/{}", if found.name.is_empty() { "x" } else { &found.name });
        let is_path = path.parse::<Reference>().is_ok_and(|path| path.tag() == Some("latest"));
        // A tag would be taken for a part of the path.
        let is_plain = !found.name.contains([':', '@']);
        (is_host && is_path && is_plain).then_some(found)
    }

    /// A registry as a whole.
    pub fn whole(registry: &str) -> Self {
        Self { registry: registry.to_owned(), name: String::new() }
    }
}

impl From<&Reference> for Repository {
    fn from(reference: &Reference) -> Self {
        Self { registry: reference.registry().to_owned(), name: reference.repository().to_owned() }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.is_empty() {
            true => out.write_str(&self.registry),
            false => write!(out, "{}/{}", self.registry, self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_as_docker_and_podman_do() {
        for (text, expected) in [
            ("docker.io", Some("docker.io")),
            ("https://index.docker.io/v1/", Some("docker.io")),
            ("registry-1.docker.io", Some("docker.io")),
            ("GHCR.io", Some("ghcr.io")),
            ("https://ghcr.io", Some("ghcr.io")),
            ("http://localhost:5000/", Some("localhost:5000")),
            ("registry:5000", Some("registry:5000")),
            ("[::1]:5000", Some("[::1]:5000")),
            ("quay.io/org/app", Some("quay.io/org/app")),
            ("quay.io/org/", Some("quay.io/org")),
            ("docker.io/me", Some("docker.io/me")),
            ("", None),
            ("a b", None),
            ("quay.io/App", None),
            ("quay.io/a..b", None),
            ("quay.io/app:tag", None),
            ("user@quay.io", None),
            ("host:port", None),
        ] {
            let found = Repository::of_server(text).map(|found| found.to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }
}
