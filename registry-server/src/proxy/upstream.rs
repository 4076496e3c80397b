//! The registries that are fetched from, and the names of their repositories here.

use std::str::FromStr;

use tug_registry_client::Repository;
use tug_registry_client::hosts::Address;

use crate::names::{NameError, RepositoryName};

/// Docker Hub, whose names of one part have another one in front that nobody writes.
const HUB: &str = "docker.io";

/// A registry that is fetched from: `docker.io`, or `docker.io=https://mirror.example.com/hub`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// What clients call it.
    name: String,
    /// The first part of the names of its repositories here.
    folder: String,
    /// Whom to ask.
    registry: String,
    /// What stands in front of its repositories there.
    prefix: String,
}

/// Why a text names no registry that could be fetched from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpstreamError {
    /// Not a host.
    #[error("`{0}` is no host: expected `HOST`, `HOST:PORT` or `HOST=https://ADDRESS`")]
    Host(String),
    /// Neither `http` nor `https`, or with parts that have no meaning here.
    #[error("`{0}` is no address of a registry: expected `https://HOST[:PORT][/PATH]`")]
    Address(String),
    /// Plain http, to another machine.
    #[error(
        "`{0}` is not encrypted: leave `http://` away, and say `insecure = true` in registries.conf or `--insecure`"
    )]
    PlainHttp(String),
}

impl Upstream {
    /// What clients call it: `docker.io`, `localhost:5000`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The first part of the names of its repositories here. A colon cannot be in a name, so it is a `_`.
    pub fn folder(&self) -> &str {
        &self.folder
    }

    /// What a repository is called there and here.
    pub(super) fn repository(&self, name: &str) -> Result<(Repository, RepositoryName), NameError> {
        let whole = match self.name == HUB && !name.contains('/') {
            true => format!("library/{name}"),
            false => name.to_owned(),
        };
        let local = format!("{}/{whole}", self.folder).parse()?;
        Ok((Repository { registry: self.registry.clone(), name: format!("{}{whole}", self.prefix) }, local))
    }
}

impl FromStr for Upstream {
    type Err = UpstreamError;

    fn from_str(text: &str) -> Result<Self, UpstreamError> {
        let (name, address) = match text.split_once('=') {
            Some((name, address)) => (name, Some(address)),
            None => (text, None),
        };
        let refused = || UpstreamError::Host(name.to_owned());
        let name = Address::parse(name).ok_or_else(refused)?.to_string();
        let folder = name.replace(':', "_");
        if folder.parse::<RepositoryName>().is_err() {
            return Err(UpstreamError::Host(name));
        }
        let (registry, prefix) = match address {
            None => (name.clone(), String::new()),
            Some(address) => parse_address(address)?,
        };
        // Under this name credentials and mirrors of Docker Hub are known.
        let is_hub = matches!(registry.as_str(), "registry-1.docker.io" | "index.docker.io");
        let registry = if is_hub { HUB.to_owned() } else { registry };
        Ok(Self { name, folder, registry, prefix })
    }
}

/// The host, and the path that stands in front of names.
fn parse_address(text: &str) -> Result<(String, String), UpstreamError> {
    let refused = || UpstreamError::Address(text.to_owned());
    let (is_plain, rest) = match text.split_once("://") {
        Some(("https", rest)) => (false, rest),
        Some(("http", rest)) => (true, rest),
        Some(_) => return Err(refused()),
        None => (false, text),
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let address = Address::parse(host).ok_or_else(refused)?;
    if is_plain && !address.is_loopback() {
        return Err(UpstreamError::PlainHttp(text.to_owned()));
    }
    let path = path.trim_end_matches('/');
    match path {
        "" => Ok((address.to_string(), String::new())),
        _ if path.parse::<RepositoryName>().is_ok() => Ok((address.to_string(), format!("{path}/"))),
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(upstream: &str, name: &str) -> (String, String) {
        let upstream: Upstream = upstream.parse().unwrap();
        let (remote, local) = upstream.repository(name).unwrap();
        (format!("{}/{}", remote.registry, remote.name), local.to_string())
    }

    #[test]
    fn a_registry_may_be_reached_under_another_address() {
        for (upstream, name, remote, local) in [
            ("docker.io", "debian", "docker.io/library/debian", "docker.io/library/debian"),
            ("docker.io=https://registry-1.docker.io", "a/b", "docker.io/a/b", "docker.io/a/b"),
            ("ghcr.io", "a", "ghcr.io/a", "ghcr.io/a"),
            ("GHCR.io", "a", "ghcr.io/a", "ghcr.io/a"),
            ("localhost:5000", "a", "localhost:5000/a", "localhost_5000/a"),
            ("docker.io=https://m.example/hub/", "a", "m.example/hub/library/a", "docker.io/library/a"),
            ("x.io=http://127.0.0.1:5000", "a", "127.0.0.1:5000/a", "x.io/a"),
            ("x.io=y.io:8443", "a", "y.io:8443/a", "x.io/a"),
        ] {
            assert_eq!(names(upstream, name), (remote.to_owned(), local.to_owned()), "{upstream} {name}");
        }
    }

    #[test]
    fn what_is_no_registry_is_refused() {
        let kind = |text: &str| match text.parse::<Upstream>() {
            Ok(_) => "taken",
            Err(UpstreamError::Host(_)) => "host",
            Err(UpstreamError::Address(_)) => "address",
            Err(UpstreamError::PlainHttp(_)) => "http",
        };
        for (text, expected) in [
            ("", "host"),
            ("a/b", "host"),
            ("[::1]:5000", "host"),
            ("https://docker.io", "host"),
            ("a.io=", "address"),
            ("a.io=ftp://b", "address"),
            ("a.io=https://user:pw@b", "address"),
            ("a.io=https://b/?x=y", "address"),
            ("a.io=http://b.io", "http"),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }
}
