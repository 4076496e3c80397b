//! `hosts.toml`, the file of containerd that says which hosts are asked for a registry.
//!
//! ```toml
//! server = "https://registry.example.com"      # the registry itself, after all hosts
//!
//! [host."https://mirror.example.com"]           # asked before it, in the order of the file
//!   capabilities = ["pull", "resolve"]          # resolve: what a tag means; pull: what has a digest
//!   ca = "mirror.crt"                           # paths are seen from the folder of the file
//!   client = [["me.cert", "me.key"]]
//!   skip_verify = false
//!   override_path = false                       # true: the path of the address has its `/v2`, or none
//!   dial_timeout = "3s"
//!   [host."https://mirror.example.com".header]
//!     x-team = "blue"
//! ```
//!
//! Source: containerd's docs/hosts.md. A host without `capabilities` is asked for pulls only: that something is pushed to
//! a mirror must be written.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use super::endpoint::{Address, ClientPair, TlsSettings};
use crate::config_error::{ConfigError, Origin};
use crate::document::{self, Part};
use crate::secret::Secret;

/// The name of the file.
const FILE: &str = "hosts.toml";

/// What the file of one registry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostsFile {
    /// Asked first, in this order.
    pub(super) hosts: Vec<Host>,
    /// The registry itself; without it, what its name says.
    pub(super) server: Option<Host>,
    /// What the top of the file says about the registry itself when it has no `server`.
    pub(super) top: Traits,
    pub(super) origin: Origin,
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Host {
    pub(super) address: Address,
    /// The scheme, where one is written.
    pub(super) scheme: Option<Scheme>,
    pub(super) api_path: String,
    pub(super) traits: Traits,
}

/// A scheme that is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme {
    Https,
    Http,
}

/// What can be said about a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Traits {
    pub(super) resolves: bool,
    pub(super) pulls: bool,
    pub(super) pushes: bool,
    pub(super) tls: TlsSettings,
    pub(super) headers: Vec<(String, Secret)>,
    pub(super) dial_timeout: Option<Duration>,
    pub(super) override_path: bool,
}

/// The file for `host` in the first of `roots` that has one: in the folder of the host, else in `_default`.
pub(super) fn find(roots: &[PathBuf], host: &str) -> Result<Option<HostsFile>, ConfigError> {
    for root in roots {
        for name in folder_names(host).iter().map(String::as_str).chain(["_default"]) {
            let folder = root.join(name);
            let path = folder.join(FILE);
            if is_closed(&folder) {
                continue;
            }
            if let Some(text) = document::read(&path)? {
                return parse(&text, &folder, Origin::File(path)).map(Some);
            }
        }
    }
    Ok(None)
}

/// Whether a folder is there for others than us: daemons of root often have theirs like that.
pub(super) fn is_closed(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

/// The names of folders for a host: with its port as it is written, and as containerd spells it for systems that have no
/// colons in names.
pub(super) fn folder_names(host: &str) -> Vec<String> {
    match host.rsplit_once(':') {
        Some((bare, port)) if !port.ends_with(']') => vec![format!("{bare}_{port}_"), host.to_owned()],
        _ => vec![host.to_owned()],
    }
}

fn parse(text: &str, folder: &Path, origin: Origin) -> Result<HostsFile, ConfigError> {
    let value = document::toml(text, &origin)?;
    let file = Part::whole(&value, &origin);
    let top = traits(&file, folder)?;
    let server = match file.field("server")? {
        Some(part) if !part.text()?.is_empty() => Some(host(part.text()?, top.clone(), &part)?),
        _ => None,
    };
    let mut hosts = Vec::new();
    if let Some(table) = file.field("host")? {
        for (name, part) in table.fields()? {
            hosts.push(host(name, traits(&part, folder)?, &part)?);
        }
    }
    Ok(HostsFile { hosts, server, top, origin })
}

/// An address with its traits.
fn host(text: &str, traits: Traits, part: &Part<'_>) -> Result<Host, ConfigError> {
    let found = location(text).ok_or_else(|| part.problem("is not the address of a host"))?;
    let api_path = match traits.override_path || found.path.ends_with("/v2") {
        true => found.path,
        false => format!("{}/v2", found.path),
    };
    Ok(Host { address: found.address, scheme: found.scheme, api_path, traits })
}

/// An address in pieces.
pub(super) struct Location {
    pub(super) address: Address,
    pub(super) scheme: Option<Scheme>,
    /// Empty, or with a slash at its beginning and none at its end.
    pub(super) path: String,
}

/// Takes `[https://]host[:port][/path]` apart. There is no place for a user, a query or a fragment.
pub(super) fn location(text: &str) -> Option<Location> {
    let (scheme, full) = match text {
        _ if text.starts_with("https://") => (Some(Scheme::Https), text.to_owned()),
        _ if text.starts_with("http://") => (Some(Scheme::Http), text.to_owned()),
        _ if text.contains("://") => return None,
        _ => (None, format!("https://{text}")),
    };
    let url = Url::parse(&full).ok()?;
    let is_plain = url.username().is_empty()
        && url.password().is_none()
        && url.query().is_none()
        && url.fragment().is_none();
    let address = Address { host: url.host_str()?.to_owned(), port: url.port() };
    is_plain.then(|| Location { address, scheme, path: url.path().trim_end_matches('/').to_owned() })
}

fn traits(part: &Part<'_>, folder: &Path) -> Result<Traits, ConfigError> {
    let mut traits = Traits { override_path: part.flag_of("override_path")?, ..Traits::default() };
    match part.field("capabilities")? {
        None => (traits.resolves, traits.pulls) = (true, true),
        Some(list) => {
            for capability in list.entries()? {
                match capability.text()? {
                    "pull" => traits.pulls = true,
                    "resolve" => traits.resolves = true,
                    "push" => traits.pushes = true,
                    "referrers" => {}
                    _ => {
                        return Err(capability.problem("is none of `pull`, `resolve`, `push`, `referrers`"));
                    }
                }
            }
        }
    }
    if let Some(files) = part.field("ca")? {
        for file in files.one_or_more()? {
            traits.tls.ca_files.push(folder.join(file.text()?));
        }
    }
    if let Some(client) = part.field("client")? {
        traits.tls.clients = clients(&client, folder)?;
    }
    traits.tls.skip_verify = part.flag_of("skip_verify")?;
    if let Some(headers) = part.field("header")? {
        for (name, values) in headers.fields()? {
            for value in values.one_or_more()? {
                traits.headers.push((name.to_owned(), header(name, &value)?));
            }
        }
    }
    if let Some(time) = part.field("dial_timeout")? {
        let text = time.text()?;
        let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
        let parsed = parsed.filter(|time| !time.is_zero());
        traits.dial_timeout =
            Some(parsed.ok_or_else(|| time.problem("is not a time such as `3s` or `500ms`"))?);
    }
    Ok(traits)
}

/// One file with certificate and key, several such files, or pairs of files.
fn clients(part: &Part<'_>, folder: &Path) -> Result<Vec<ClientPair>, ConfigError> {
    let both = |file: &str| ClientPair { certificate: folder.join(file), key: folder.join(file) };
    let mut pairs = Vec::new();
    for entry in part.one_or_more()? {
        if entry.is_text() {
            pairs.push(both(entry.text()?));
            continue;
        }
        if !entry.is_list() {
            return Err(entry.problem("is neither a file nor a pair of files"));
        }
        match entry.texts()?.as_slice() {
            [file] => pairs.push(both(file)),
            [file, key] if key.is_empty() => pairs.push(both(file)),
            [certificate, key] => {
                pairs.push(ClientPair { certificate: folder.join(certificate), key: folder.join(key) });
            }
            _ => return Err(entry.problem("is not a pair of a certificate and a key")),
        }
    }
    Ok(pairs)
}

fn header(name: &str, value: &Part<'_>) -> Result<Secret, ConfigError> {
    let text = value.text()?;
    let is_name = http::HeaderName::from_bytes(name.as_bytes()).is_ok();
    match is_name && http::HeaderValue::from_str(text).is_ok() {
        true => Ok(Secret::new(text)),
        false => Err(value.problem("is not a header")),
    }
}
