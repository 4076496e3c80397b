//! Where a repository is really asked for: its registry, and the mirrors before it.
//!
//! The order for a pull; the first that has the image wins:
//!
//! 1. Mirrors of Docker Hub that were given for this run.
//! 2. The `[[registry.mirror]]`s of the entry of registries.conf with the longest prefix.
//! 3. The `[host."…"]`s of `hosts.toml` in certs.d.
//! 4. The registry itself: `location` of that entry, else `server` of that file, else what the name says. For
//!    `docker.io` that is `registry-1.docker.io`.
//!
//! A push goes to one place: the registry itself, or the first host of `hosts.toml` for which the file says `push`.
//! `blocked` forbids the registry itself, not its mirrors.
//!
//! | what allows plain http         | how                                                   |
//! | ------------------------------ | ----------------------------------------------------- |
//! | the host is this machine       | https first, http if it does not speak TLS            |
//! | `insecure = true`, `--tls-verify=false` | the same, and no certificate is checked      |
//! | an address with `http://`      | http only                                             |
//!
//! Nothing is read before it is needed, and each file once.

mod certs;
mod containerd;
mod endpoint;
mod options;
pub(crate) mod registries;
mod short_names;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub use endpoint::{Address, ClientPair, Endpoint, Schemes, TlsSettings};
pub use options::{HostOptions, HubMirror, RegistriesOptions};
pub use short_names::ShortName;

use crate::config_error::{ConfigError, Origin};
use crate::credentials::{HUB, canonical_host};
use crate::repository::Repository;
use certs::Presence;
use containerd::{Host, HostsFile, Location, Scheme, Traits};
use registries::{Entry, Pulls, Registries};

/// The host that serves Docker Hub.
pub(crate) const HUB_SERVER: &str = "registry-1.docker.io";

/// What is to be done with a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// To find out what a tag means, to list tags.
    PullByTag,
    /// To get what has a digest: manifests, blobs, referrers.
    PullByDigest,
    /// To write or delete, or to read what only the registry itself knows.
    Push,
}

/// Where repositories are asked for.
#[derive(Debug)]
pub struct Hosts {
    options: HostOptions,
    registries: Mutex<Option<Arc<Registries>>>,
    files: Mutex<HashMap<String, Option<Arc<HostsFile>>>>,
}

impl Hosts {
    /// As these options say. No file is read yet.
    pub fn new(options: HostOptions) -> Self {
        Self { options, registries: Mutex::default(), files: Mutex::default() }
    }

    /// The places to ask, in their order; the registry itself is the last one. There is at least one, and for a push no
    /// other.
    ///
    /// # Errors
    ///
    /// A file cannot be read or is wrong, or the registry is blocked and has no mirror that would do.
    pub fn endpoints(
        &self,
        repository: &Repository,
        operation: Operation,
    ) -> Result<Vec<Endpoint>, ConfigError> {
        let registries = self.registries()?;
        let named = Repository { registry: canonical_host(&repository.registry), ..repository.clone() };
        let entry = registries.entry(&named);
        let mut endpoints = Vec::new();
        if operation != Operation::Push {
            if named.registry == HUB {
                for mirror in &self.options.hub_mirrors {
                    endpoints.push(self.hub_mirror(mirror, &named)?);
                }
            }
            if let Some((entry, covered)) = entry {
                self.mirrors(entry, covered, &named, operation, &mut endpoints)?;
            }
        }
        let real = match entry {
            Some((entry, covered)) => rewritten(&entry.location, covered, &named, &entry.origin)?,
            None => named.clone(),
        };
        let file = self.hosts_file(&real.registry)?;
        if let Some(file) = &file {
            for host in file.hosts.iter().filter(|host| host.traits.allow(operation)) {
                let found = self.host(host, &real, &file.origin)?;
                if operation == Operation::Push {
                    return Ok(vec![Endpoint { ns: None, ..found }]);
                }
                endpoints.push(Endpoint { is_mirror: true, ..found });
            }
        }
        match entry {
            Some((entry, _)) if entry.blocked => {
                if endpoints.is_empty() {
                    return Err(ConfigError::Blocked {
                        repository: repository.to_string(),
                        prefix: entry.prefix.clone(),
                        origin: entry.origin.clone(),
                    });
                }
            }
            _ => {
                let itself = self.registry_itself(&real, entry.map(|(entry, _)| entry), file.as_deref())?;
                endpoints.push(Endpoint { named_registry: named.registry, ..itself });
            }
        }
        Ok(endpoints)
    }

    /// The registry of a repository itself, without any mirror: for what a registry is asked as a whole.
    ///
    /// # Errors
    ///
    /// As for [`Hosts::endpoints`].
    pub fn registry(&self, registry: &str) -> Result<Endpoint, ConfigError> {
        let mut endpoints = self.endpoints(&Repository::whole(registry), Operation::Push)?;
        let last = endpoints.pop();
        last.ok_or_else(|| address_error(registry, None))
    }

    /// The mirrors of an entry of registries.conf.
    fn mirrors(
        &self,
        entry: &Entry,
        covered: usize,
        named: &Repository,
        operation: Operation,
        endpoints: &mut Vec<Endpoint>,
    ) -> Result<(), ConfigError> {
        for mirror in &entry.mirrors {
            let does = match mirror.pulls {
                Pulls::All => true,
                Pulls::ByDigest => operation == Operation::PullByDigest,
                Pulls::ByTag => operation == Operation::PullByTag,
            };
            if does {
                let there = rewritten(&mirror.location, covered, named, &entry.origin)?;
                let found = self.plain(&there, mirror.insecure, Some(&entry.origin))?;
                endpoints.push(Endpoint { is_mirror: true, ..found });
            }
        }
        Ok(())
    }

    fn hub_mirror(&self, mirror: &HubMirror, named: &Repository) -> Result<Endpoint, ConfigError> {
        let wrong = || address_error(&mirror.address, Some(&mirror.origin));
        let Location { address, scheme, path } = containerd::location(&mirror.address).ok_or_else(wrong)?;
        let traits = Traits { resolves: true, pulls: true, ..Traits::default() };
        let host = Host { address, scheme, api_path: format!("{path}/v2"), traits };
        Ok(Endpoint { is_mirror: true, ns: None, ..self.host(&host, named, &mirror.origin)? })
    }

    /// The registry itself.
    fn registry_itself(
        &self,
        real: &Repository,
        entry: Option<&Entry>,
        file: Option<&HostsFile>,
    ) -> Result<Endpoint, ConfigError> {
        let insecure = entry.is_some_and(|entry| entry.insecure);
        let Some(file) = file else {
            let origin = entry.filter(|entry| !entry.location.is_empty()).map(|entry| &entry.origin);
            return self.plain(real, insecure, origin);
        };
        if let Some(server) = &file.server {
            return self.host(server, real, &file.origin);
        }
        let mut found = self.plain(real, insecure, Some(&file.origin))?;
        self.add_traits(&mut found, &file.top);
        Ok(found)
    }

    /// A host that a name leads to by itself.
    fn plain(
        &self,
        there: &Repository,
        insecure: bool,
        origin: Option<&Origin>,
    ) -> Result<Endpoint, ConfigError> {
        let name = if there.registry == HUB { HUB_SERVER } else { &there.registry };
        let address = Address::parse(name).ok_or_else(|| address_error(&there.registry, origin))?;
        let (schemes, skip_verify) = self.schemes(&address, insecure);
        let tls = TlsSettings { skip_verify, ..self.certificates(&address, &there.registry)? };
        Ok(Endpoint {
            address,
            schemes,
            api_path: "/v2".to_owned(),
            repository: there.name.clone(),
            is_mirror: false,
            ns: None,
            tls,
            headers: Vec::new(),
            dial_timeout: None,
            named_registry: there.registry.clone(),
            uses_credentials_of: there.clone(),
            origin: origin.cloned(),
        })
    }

    /// A host that a file or flag names with an address of its own.
    fn host(&self, host: &Host, real: &Repository, origin: &Origin) -> Result<Endpoint, ConfigError> {
        let registry = canonical_host(&host.address.to_string());
        let is_other = registry != real.registry;
        let there = Repository { registry, name: real.name.clone() };
        let mut found = self.plain(&there, false, Some(origin))?;
        match host.scheme {
            Some(Scheme::Http) => found.schemes = Schemes::Http,
            Some(Scheme::Https) if self.options.tls_verify != Some(false) => found.schemes = Schemes::Https,
            Some(Scheme::Https) | None => {}
        }
        found.api_path.clone_from(&host.api_path);
        found.ns = is_other.then(|| real.registry.clone());
        self.add_traits(&mut found, &host.traits);
        Ok(found)
    }

    fn add_traits(&self, found: &mut Endpoint, traits: &Traits) {
        found.tls.ca_files.extend(traits.tls.ca_files.iter().cloned());
        found.tls.clients.extend(traits.tls.clients.iter().cloned());
        found.tls.skip_verify |= traits.tls.skip_verify && self.options.tls_verify != Some(true);
        found.headers.clone_from(&traits.headers);
        found.dial_timeout = traits.dial_timeout;
    }

    /// Which schemes are tried, and whether certificates do not count.
    fn schemes(&self, address: &Address, insecure: bool) -> (Schemes, bool) {
        match self.options.tls_verify {
            Some(true) => (Schemes::Https, false),
            Some(false) => (Schemes::HttpsThenHttp, true),
            None if insecure => (Schemes::HttpsThenHttp, true),
            None if address.is_loopback() => (Schemes::HttpsThenHttp, false),
            None => (Schemes::Https, false),
        }
    }

    fn certificates(&self, address: &Address, name: &str) -> Result<TlsSettings, ConfigError> {
        if let Some(folder) = &self.options.cert_folder {
            return certs::in_folder(folder, Presence::Required);
        }
        let mut found = certs::of_host(&self.options.certs_folders, name)?;
        let host = address.to_string();
        if host != name {
            let more = certs::of_host(&self.options.certs_folders, &host)?;
            found.ca_files.extend(more.ca_files);
            found.clients.extend(more.clients);
        }
        Ok(found)
    }

    pub(crate) fn registries(&self) -> Result<Arc<Registries>, ConfigError> {
        let mut known = self.registries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(registries) = &*known {
            return Ok(Arc::clone(registries));
        }
        let read = Arc::new(Registries::read(&self.options.registries)?);
        *known = Some(Arc::clone(&read));
        Ok(read)
    }

    fn hosts_file(&self, host: &str) -> Result<Option<Arc<HostsFile>>, ConfigError> {
        let mut known = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = known.get(host) {
            return Ok(file.clone());
        }
        let file = containerd::find(&self.options.certs_folders, host)?.map(Arc::new);
        known.insert(host.to_owned(), file.clone());
        Ok(file)
    }
}

impl Traits {
    fn allow(&self, operation: Operation) -> bool {
        match operation {
            Operation::PullByTag => self.resolves,
            Operation::PullByDigest => self.pulls,
            Operation::Push => self.pushes,
        }
    }
}

/// `named` with the part that a prefix covers replaced.
fn rewritten(
    location: &str,
    covered: usize,
    named: &Repository,
    origin: &Origin,
) -> Result<Repository, ConfigError> {
    if location.is_empty() {
        return Ok(named.clone());
    }
    let name = named.to_string();
    let full = format!("{location}{}", name.get(covered..).unwrap_or_default());
    let (host, path) = full.split_once('/').unwrap_or((&full, ""));
    match Address::parse(host) {
        Some(_) => Ok(Repository { registry: canonical_host(host), name: path.to_owned() }),
        None => Err(address_error(host, Some(origin))),
    }
}

fn address_error(address: &str, origin: Option<&Origin>) -> ConfigError {
    // What stands before an `@` may be a password.
    let shown = address.rsplit_once('@').map_or(address, |(_, host)| host).to_owned();
    ConfigError::Address { address: shown, expected: "the address of a registry", origin: origin.cloned() }
}
