//! The way to servers that are not reached directly.

use std::fmt;
use std::net::IpAddr;

use url::Url;

use crate::config_error::{ConfigError, Origin};

/// Proxies, as the variables of the same names say them; empty ones count as absent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ProxyOptions {
    /// For http.
    pub http: Option<String>,
    /// For https.
    pub https: Option<String>,
    /// For both, where there is no own one.
    pub all: Option<String>,
    /// Hosts that are reached without any, with commas between: names with all that is below them, addresses, networks
    /// (`10.0.0.0/8`), each with a port if only that is meant; `*` is every host.
    pub none: Option<String>,
}

impl fmt::Debug for ProxyOptions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // They may have passwords in them.
        let (http, https, all) = (self.http.is_some(), self.https.is_some(), self.all.is_some());
        out.debug_struct("ProxyOptions")
            .field("http", &http)
            .field("https", &https)
            .field("all", &all)
            .field("none", &self.none)
            .finish()
    }
}

/// The proxies of a run.
#[derive(Clone, Debug, Default)]
pub struct Proxies {
    http: Option<ProxyUrl>,
    https: Option<ProxyUrl>,
    all: Option<ProxyUrl>,
    none: Vec<Direct>,
}

/// The address of a proxy: `http`, `https`, `socks5` or `socks5h`, with a user and a password if it wants them.
#[derive(Clone, PartialEq, Eq)]
pub struct ProxyUrl(Url);

impl ProxyUrl {
    /// The whole address, with the password.
    pub fn url(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        if !shown.username().is_empty() || shown.password().is_some() {
            // These addresses have hosts, so both can be set.
            let _ = shown.set_password(None);
            let _ = shown.set_username("");
        }
        out.write_str(shown.as_str().trim_end_matches('/'))
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "ProxyUrl({self})")
    }
}

impl Proxies {
    /// Takes the values apart.
    ///
    /// # Errors
    ///
    /// One is not the address of a proxy. What is in the list of exceptions and makes no sense is passed over, as
    /// everywhere.
    pub fn new(options: &ProxyOptions) -> Result<Self, ConfigError> {
        let list = options.none.as_deref().unwrap_or_default();
        let entries = list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty());
        Ok(Self {
            http: parse(options.http.as_deref(), "HTTP_PROXY")?,
            https: parse(options.https.as_deref(), "HTTPS_PROXY")?,
            all: parse(options.all.as_deref(), "ALL_PROXY")?,
            none: entries.filter_map(Direct::parse).collect(),
        })
    }

    /// The proxy on the way to `url`. This machine itself is always reached without one.
    pub fn proxy_for(&self, url: &Url) -> Option<ProxyUrl> {
        let own = if url.scheme() == "https" { &self.https } else { &self.http };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let address = host.parse::<IpAddr>().ok();
        let is_local = host == "localhost" || address.is_some_and(|address| address.is_loopback());
        let port = url.port_or_known_default();
        if is_local || self.none.iter().any(|direct| direct.covers(host, address, port)) {
            return None;
        }
        own.clone().or_else(|| self.all.clone())
    }
}

fn parse(text: Option<&str>, variable: &str) -> Result<Option<ProxyUrl>, ConfigError> {
    let Some(text) = text.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    let full = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&full).ok().filter(|url| {
        ["http", "https", "socks5", "socks5h"].contains(&url.scheme())
            && url.host_str().is_some_and(|host| !host.is_empty())
    });
    let wrong = || ConfigError::Address {
        // What stands before an `@` may be a password.
        address: text.rsplit_once('@').map_or(text, |(_, host)| host).to_owned(),
        expected: "the address of a proxy, such as `http://proxy:3128`",
        origin: Some(Origin::Variable(variable.to_owned())),
    };
    url.map(|url| Some(ProxyUrl(url))).ok_or_else(wrong)
}

/// An entry of the list of exceptions.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Direct {
    whom: Whom,
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Whom {
    Everybody,
    /// A name and all that is below it.
    Domain(String),
    /// All addresses whose first bits are the same.
    Network(IpAddr, u8),
}

impl Direct {
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.to_ascii_lowercase();
        if entry == "*" {
            return Some(Self { whom: Whom::Everybody, port: None });
        }
        if let Some((address, bits)) = entry.split_once('/') {
            let (address, bits) = (address.parse::<IpAddr>().ok()?, bits.parse::<u8>().ok()?);
            let width = if address.is_ipv4() { 32 } else { 128 };
            return (bits <= width).then_some(Self { whom: Whom::Network(address, bits), port: None });
        }
        let (name, port) = match entry.rsplit_once(':') {
            Some((name, digits)) if !name.contains(':') || name.ends_with(']') => {
                (name, Some(digits.parse::<u16>().ok()?))
            }
            _ => (entry.as_str(), None),
        };
        let name = name.trim_start_matches('*').trim_start_matches('.').trim_matches(['[', ']']);
        let whom = match name.parse::<IpAddr>() {
            Ok(address) => Whom::Network(address, if address.is_ipv4() { 32 } else { 128 }),
            Err(_) => Whom::Domain(name.to_owned()),
        };
        (!name.is_empty()).then_some(Self { whom, port })
    }

    fn covers(&self, host: &str, address: Option<IpAddr>, port: Option<u16>) -> bool {
        let is_it = match &self.whom {
            Whom::Everybody => true,
            Whom::Domain(domain) => host
                .strip_suffix(domain.as_str())
                .is_some_and(|above| above.is_empty() || above.ends_with('.')),
            Whom::Network(network, bits) => address.is_some_and(|address| is_in(address, *network, *bits)),
        };
        is_it && (self.port.is_none() || self.port == port)
    }
}

/// Whether the first `bits` of both are the same.
fn is_in(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    let (left, right, width) = match (address.to_canonical(), network) {
        (IpAddr::V4(left), IpAddr::V4(right)) => {
            (u128::from(left.to_bits()), u128::from(right.to_bits()), 32)
        }
        (IpAddr::V6(left), IpAddr::V6(right)) => (left.to_bits(), right.to_bits(), 128),
        _ => return false,
    };
    let shift = width - u32::from(bits);
    left.checked_shr(shift) == right.checked_shr(shift) || shift == width
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    fn way(options: &ProxyOptions, url: &str) -> Option<String> {
        let proxies = Proxies::new(options).unwrap();
        proxies.proxy_for(&Url::parse(url).unwrap()).map(|proxy| proxy.url().to_string())
    }

    #[test]
    fn each_scheme_has_its_proxy_and_some_hosts_none() {
        let proxies = ProxyOptions {
            http: some("plain:1"),
            https: some(""),
            all: some("socks5h://all:2"),
            none: some(
                "intern.example, .dot.example,*.star.example,10.0.0.1,port.example:8080,172.16.0.0/12,fd00::/8,\
                 [fe80::1]:5000,1.2.3.4/99,x/y",
            ),
        };
        let proxy = |url: &str| way(&proxies, url);
        assert_eq!(proxy("http://example.org/x"), some("http://plain:1/"));
        assert_eq!(proxy("https://example.org/x"), some("socks5h://all:2"));
        for url in [
            "http://intern.example/",
            "https://a.b.intern.example/",
            "http://x.dot.example/",
            "http://x.star.example/",
            "http://10.0.0.1/",
            "http://port.example:8080/",
            "http://172.31.255.255/",
            "http://[fd12::1]/",
            "http://[fe80::1]:5000/",
            "http://[::ffff:10.0.0.1]/",
            "http://localhost:3000/",
            "http://127.0.0.1/",
            "http://[::1]/",
        ] {
            assert_eq!(proxy(url), None, "{url}");
        }
        for url in [
            "http://notintern.example/",
            "http://port.example/",
            "http://10.0.0.11/",
            "http://172.32.0.0/",
            "http://[fe80::1]/",
            "http://1.2.3.4/",
        ] {
            assert_eq!(proxy(url), some("http://plain:1/"), "{url}");
        }
        let all = |none: &str| ProxyOptions { none: some(none), ..proxies.clone() };
        assert_eq!(way(&all("*"), "http://example.org"), None);
        assert_eq!(way(&all("0.0.0.0/0"), "http://9.9.9.9"), None);
        assert!(way(&all("0.0.0.0/0"), "http://example.org").is_some());
    }

    #[test]
    fn nothing_secret_is_shown() {
        let options = ProxyOptions { https: some("http://me:hunter2@proxy:3128"), ..ProxyOptions::default() };
        let proxies = Proxies::new(&options).unwrap();
        let proxy = proxies.proxy_for(&Url::parse("https://example.org").unwrap()).unwrap();
        assert_eq!(proxy.to_string(), "http://proxy:3128");
        assert_eq!(proxy.url().password(), Some("hunter2"));
        assert!(!format!("{options:?} {proxies:?} {proxy:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_password() {
        for (text, expected) in [
            (
                "ftp://me:hunter2@proxy",
                "`proxy` is not the address of a proxy, such as `http://proxy:3128` (this is about the variable \
                 `HTTPS_PROXY`)",
            ),
            (
                "http://",
                "`http://` is not the address of a proxy, such as `http://proxy:3128` (this is about the variable \
                 `HTTPS_PROXY`)",
            ),
        ] {
            let options = ProxyOptions { https: some(text), ..ProxyOptions::default() };
            assert_eq!(Proxies::new(&options).unwrap_err().to_string(), expected);
        }
    }
}
