//! Which entry of a file with credentials belongs to a repository.
//!
//! | key in the file                              | counts for                                      |
//! | -------------------------------------------- | ----------------------------------------------- |
//! | `ghcr.io`, `https://ghcr.io`, `ghcr.io/v1/`   | everything on that host                         |
//! | `ghcr.io/team`                               | `ghcr.io/team` and what is below it             |
//! | `https://index.docker.io/v1/`, `docker.io`   | Docker Hub, whatever its host is called          |
//!
//! The longest one wins (containers-auth.json(5)). Docker knows hosts only, and so has addresses with a scheme.

use crate::repository::Repository;

/// How docker names Docker Hub in its files and to helpers.
pub(crate) const HUB_KEY: &str = "https://index.docker.io/v1/";

/// Docker Hub, as references have it.
pub(crate) const HUB: &str = "docker.io";

/// Names of the same service.
const HUB_HOSTS: [&str; 3] = ["docker.io", "index.docker.io", "registry-1.docker.io"];

/// A host as references have it: in lower case, and one name for Docker Hub.
pub(crate) fn canonical_host(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    if HUB_HOSTS.contains(&host.as_str()) { HUB.to_owned() } else { host }
}

/// What a key stands for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Key {
    host: String,
    path: String,
}

impl Key {
    /// Takes a key apart.
    pub(crate) fn parse(text: &str) -> Self {
        let text = text.trim();
        let bare = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let (host, path) = bare.unwrap_or(text).split_once('/').unwrap_or((bare.unwrap_or(text), ""));
        let is_host = bare.is_some() || matches!(path, "v1/" | "v2/");
        let path = if is_host { "" } else { path.trim_end_matches('/') };
        Self { host: canonical_host(host), path: path.to_owned() }
    }

    /// How much of the name of `repository` it covers, if it belongs to it.
    pub(crate) fn reach(&self, repository: &Repository) -> Option<usize> {
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
        let is_in = self.path.is_empty() || repository.name.strip_prefix(&self.path).is_some_and(below);
        (canonical_host(&repository.registry) == self.host && is_in).then_some(self.path.len())
    }

    /// The repository or host that it stands for.
    pub(crate) fn repository(&self) -> Repository {
        Repository { registry: self.host.clone(), name: self.path.clone() }
    }
}

/// The entry for `repository` among keys: the longest; of several spellings that docker would look for; else the first.
pub(crate) fn best<'a, T>(
    keys: impl IntoIterator<Item = (&'a str, T)>,
    repository: &Repository,
) -> Option<(&'a str, T)> {
    let docker = docker_key(&repository.registry);
    let mut best: Option<(usize, bool, &str, T)> = None;
    for (key, value) in keys {
        let Some(reach) = Key::parse(key).reach(repository) else { continue };
        let rank = (reach, key == docker);
        if best.as_ref().is_none_or(|(length, exact, ..)| rank > (*length, *exact)) {
            best = Some((rank.0, rank.1, key, value));
        }
    }
    best.map(|(_, _, key, value)| (key, value))
}

/// How docker names a registry.
pub(crate) fn docker_key(registry: &str) -> String {
    let host = canonical_host(registry);
    if host == HUB { HUB_KEY.to_owned() } else { host }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repository(registry: &str, name: &str) -> Repository {
        Repository { registry: registry.to_owned(), name: name.to_owned() }
    }

    #[test]
    fn a_key_counts_for_its_host_or_for_what_is_below_it() {
        for (key, registry, name, expected) in [
            ("ghcr.io", "ghcr.io", "a/b", Some(0)),
            ("https://ghcr.io", "ghcr.io", "a/b", Some(0)),
            ("http://ghcr.io/", "ghcr.io", "a/b", Some(0)),
            ("ghcr.io/v1/", "ghcr.io", "a/b", Some(0)),
            ("https://ghcr.io/v2/", "ghcr.io", "a/b", Some(0)),
            ("https://ghcr.io/a", "ghcr.io", "c", Some(0)),
            ("ghcr.io/", "ghcr.io", "a/b", Some(0)),
            ("GHCR.io", "ghcr.io", "a/b", Some(0)),
            ("ghcr.io/a", "ghcr.io", "a/b", Some(1)),
            ("ghcr.io/a/b", "ghcr.io", "a/b", Some(3)),
            ("ghcr.io/a/b", "ghcr.io", "a/bc", None),
            ("ghcr.io/a/b", "ghcr.io", "a", None),
            ("ghcr.io", "ghcr.io:443", "a", None),
            ("localhost:5000", "localhost:5000", "a", Some(0)),
            ("localhost", "localhost:5000", "a", None),
            ("[::1]:5000", "[::1]:5000", "a", Some(0)),
            ("https://index.docker.io/v1/", "docker.io", "library/a", Some(0)),
            ("index.docker.io", "docker.io", "library/a", Some(0)),
            ("docker.io", "docker.io", "library/a", Some(0)),
            ("registry-1.docker.io", "docker.io", "library/a", Some(0)),
            ("docker.io/me", "docker.io", "me/a", Some(2)),
            ("docker.io/me", "docker.io", "library/a", None),
            ("evil.io", "ghcr.io", "a", None),
            ("", "ghcr.io", "a", None),
        ] {
            assert_eq!(
                Key::parse(key).reach(&repository(registry, name)),
                expected,
                "{key} {registry}/{name}"
            );
        }
    }

    #[test]
    fn the_longest_key_wins_then_dockers_spelling_then_the_first() {
        let found = |keys: &[&'static str], registry, name| {
            let keys = keys.iter().map(|key| (*key, ()));
            best(keys, &repository(registry, name)).map(|(key, ())| key)
        };
        assert_eq!(found(&["a.io", "a.io/x", "a.io/x/y", "a.io/x/yz"], "a.io", "x/y/z"), Some("a.io/x/y"));
        assert_eq!(found(&["a.io/x/y", "a.io"], "a.io", "z"), Some("a.io"));
        assert_eq!(found(&["docker.io", HUB_KEY], "docker.io", "library/a"), Some(HUB_KEY));
        assert_eq!(found(&["https://a.io", "a.io"], "a.io", "z"), Some("a.io"));
        assert_eq!(found(&["https://a.io", "http://a.io"], "a.io", "z"), Some("https://a.io"));
        assert_eq!(found(&["b.io"], "a.io", "z"), None);
    }
}
