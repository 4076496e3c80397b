//! Where a repository is really asked for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use url::Url;

use crate::config_error::Origin;
use crate::repository::Repository;
use crate::secret::Secret;

/// One place to ask for a repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Host and port.
    pub address: Address,
    /// Which schemes are tried.
    pub schemes: Schemes,
    /// The path that all of the protocol is below: `/v2`, unless a file says otherwise. Never ends with a slash.
    pub api_path: String,
    /// The name of the repository on this host.
    pub repository: String,
    /// Whether it is a copy of the registry that the user named. What it says of a missing image is not the last word.
    pub is_mirror: bool,
    /// The value of `?ns=`, for hosts that are asked on behalf of another one.
    pub ns: Option<String>,
    /// Whom to trust.
    pub tls: TlsSettings,
    /// Headers to send with every request to this host, and to no other.
    pub headers: Vec<(String, Secret)>,
    /// How long to wait for a connection, if a file says so.
    pub dial_timeout: Option<Duration>,
    /// The registry that was named, where this is that registry, whatever its host is; else the host.
    pub named_registry: String,
    /// What credentials are looked up for.
    pub uses_credentials_of: Repository,
    /// What led here, if it was not the name alone: a file or a flag.
    pub origin: Option<Origin>,
}

impl Endpoint {
    /// The address of the protocol on this host, as many as there are schemes to try: `https://host:port/v2`.
    pub fn api_roots(&self) -> Vec<Url> {
        let schemes: &[&str] = match self.schemes {
            Schemes::Https => &["https"],
            Schemes::HttpsThenHttp => &["https", "http"],
            Schemes::Http => &["http"],
        };
        let root = |scheme: &&str| {
            let text = format!("{scheme}://{}{}", self.address, self.api_path);
            Url::parse(&text).ok()
        };
        schemes.iter().filter_map(root).collect()
    }
}

/// Which schemes are tried, in which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Schemes {
    /// Only https.
    Https,
    /// http, if the host does not speak TLS.
    HttpsThenHttp,
    /// Only plain http.
    Http,
}

/// A host and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// The host, as in an address: a name, or an IP address (those of IPv6 in brackets).
    pub host: String,
    /// The port, if it is not that of the scheme.
    pub port: Option<u16>,
}

impl Address {
    /// `host[:port]`, where it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !port.ends_with(']') => (host, Some(port.parse().ok()?)),
            _ => (text, None),
        };
        let url = Url::parse(&format!("https://{host}/")).ok()?;
        let is_plain = url.host_str().is_some_and(|known| known.eq_ignore_ascii_case(host));
        (is_plain && url.port().is_none()).then(|| Self { host: host.to_ascii_lowercase(), port })
    }

    /// Whether it can only be this machine.
    pub fn is_loopback(&self) -> bool {
        let bare = self.host.trim_matches(['[', ']']);
        match bare.parse::<IpAddr>() {
            Ok(IpAddr::V4(address)) => address.is_loopback(),
            Ok(IpAddr::V6(address)) => {
                address == Ipv6Addr::LOCALHOST
                    || address.to_ipv4_mapped().is_some_and(|v4: Ipv4Addr| v4.is_loopback())
            }
            Err(_) => bare == "localhost",
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.port {
            Some(port) => write!(out, "{}:{port}", self.host),
            None => out.write_str(&self.host),
        }
    }
}

/// Whom to trust, and who we are. The files are read when a connection is prepared.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsSettings {
    /// Certificates to trust besides the usual ones.
    pub ca_files: Vec<PathBuf>,
    /// Certificates to show, of which the first counts that the server would take.
    pub clients: Vec<ClientPair>,
    /// Take any certificate.
    pub skip_verify: bool,
}

/// A certificate to show, and its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientPair {
    /// The certificate, with those between it and its CA.
    pub certificate: PathBuf,
    /// Its key; it may be in the same file.
    pub key: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_this_machine_and_nothing_else() {
        for (text, expected) in [
            ("localhost", true),
            ("localhost:5000", true),
            ("LOCALHOST", true),
            ("127.0.0.1:5000", true),
            ("127.1.2.3", true),
            ("[::1]:5000", true),
            ("[::1]", true),
            ("[::ffff:7f00:1]", true),
            ("128.0.0.1", false),
            ("192.168.0.1:5000", false),
            ("10.0.0.1", false),
            ("localhost.example.com", false),
            ("127.0.0.1.nip.io", false),
            ("0.0.0.0:5000", false),
            ("registry.local", false),
            ("[::]", false),
        ] {
            assert_eq!(Address::parse(text).unwrap().is_loopback(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_refused() {
        for text in ["", "a b", "a/b", "user@host", "host:port", "host:99999", "a?b", "a#b", ":5000", "::1"] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
