//! What a client is told: plain values, filled in by whoever calls.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use url::Url;

/// How files are fetched.
#[derive(Clone, Debug)]
pub struct HttpOptions {
    /// What we call ourselves.
    pub user_agent: String,
    /// The way to servers.
    pub proxies: Proxies,
    /// What is sent to some hosts to be let in.
    pub credentials: Vec<Credential>,
    /// Files of certificates to trust besides those of the system and the bundled ones.
    pub roots: Vec<PathBuf>,
    /// The most bytes that a file may have.
    pub limit: u64,
    /// How long nothing may come before a connection counts as broken.
    pub idle: Duration,
    /// How often a request is tried in all.
    pub attempts: u32,
    /// How long is waited before the second attempt; before each further one twice as long.
    pub pause: Duration,
    /// The longest wait that a server's `Retry-After` may ask for.
    pub longest_pause: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            user_agent: concat!("tug/", env!("CARGO_PKG_VERSION")).to_owned(),
            proxies: Proxies::default(),
            credentials: Vec::new(),
            roots: Vec::new(),
            limit: 64 << 30,
            idle: Duration::from_secs(30),
            attempts: 5,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(120),
        }
    }
}

/// Something secret that a host wants to see.
#[derive(Clone, PartialEq, Eq)]
pub struct Credential {
    /// The host, with the port if it is not the usual one.
    pub host: String,
    /// The value of `Authorization`.
    pub authorization: String,
}

impl Credential {
    /// A token for files, as most sites take it.
    pub fn bearer(host: &str, token: &str) -> Self {
        Self { host: host.to_owned(), authorization: format!("Bearer {token}") }
    }

    /// A token for repositories, as the sites take it that keep some.
    pub fn of_git(host: &str, token: &str) -> Self {
        let pair = BASE64_STANDARD.encode(format!("x-access-token:{token}"));
        Self { host: host.to_owned(), authorization: format!("basic {pair}") }
    }

    /// The whole value of `Authorization`.
    pub fn header(host: &str, authorization: &str) -> Self {
        Self { host: host.to_owned(), authorization: authorization.to_owned() }
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Credential").field("host", &self.host).finish_non_exhaustive()
    }
}

/// Proxies, as the variables of the same names say them; empty ones count as absent.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    /// For http.
    pub http: Option<String>,
    /// For https.
    pub https: Option<String>,
    /// For both, where there is no own one.
    pub all: Option<String>,
    /// Hosts that are reached without any, with commas between.
    pub none: Option<String>,
}

impl fmt::Debug for Proxies {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // They may have passwords in them.
        let (http, https, all) = (self.http.is_some(), self.https.is_some(), self.all.is_some());
        out.debug_struct("Proxies")
            .field("http", &http)
            .field("https", &https)
            .field("all", &all)
            .finish_non_exhaustive()
    }
}

impl Proxies {
    /// The proxy for `url`.
    pub(super) fn of(&self, url: &Url) -> Option<&str> {
        let own = if url.scheme() == "https" { &self.https } else { &self.http };
        let filled = |proxy: &Option<String>| proxy.as_deref().is_some_and(|text| !text.trim().is_empty());
        let proxy = if filled(own) { own } else { &self.all };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let is_local = host == "localhost"
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
        if is_local || self.is_excluded(host, url.port_or_known_default()) {
            return None;
        }
        proxy.as_deref().map(str::trim).filter(|text| !text.is_empty())
    }

    /// Whether `NO_PROXY` names the host: itself, a domain that it is in, `*`, or with its port.
    fn is_excluded(&self, host: &str, port: Option<u16>) -> bool {
        let list = self.none.as_deref().unwrap_or_default();
        list.split([',', ' ']).map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
            let entry = entry.to_ascii_lowercase();
            let (name, wanted) = match entry.rsplit_once(':') {
                Some((name, digits)) if !name.contains(':') => (name, digits.parse::<u16>().ok()),
                _ => (entry.as_str(), None),
            };
            let name = name.trim_start_matches('*').trim_start_matches('.').trim_matches(['[', ']']);
            let is_in = |domain: &str| {
                host == domain || host.strip_suffix(domain).is_some_and(|above| above.ends_with('.'))
            };
            entry == "*" || ((wanted.is_none() || wanted == port) && !name.is_empty() && is_in(name))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_scheme_has_its_proxy_and_some_hosts_none() {
        let some = |text: &str| Some(text.to_owned());
        let proxies = Proxies {
            http: some("http://plain:1"),
            https: some(""),
            all: some("http://all:2"),
            none: some("intern.example, .dot.example,*.star.example,10.0.0.1,port.example:8080"),
        };
        let proxy = |url: &str| proxies.of(&Url::parse(url).unwrap()).map(str::to_owned);
        assert_eq!(proxy("http://example.org/x"), some("http://plain:1"));
        assert_eq!(proxy("https://example.org/x"), some("http://all:2"));
        for url in [
            "http://intern.example/",
            "https://a.b.intern.example/",
            "http://x.dot.example/",
            "http://x.star.example/",
            "http://10.0.0.1/",
            "http://port.example:8080/",
            "http://localhost:3000/",
            "http://127.0.0.1/",
            "http://[::1]/",
        ] {
            assert_eq!(proxy(url), None, "{url}");
        }
        for url in ["http://notintern.example/", "http://port.example/", "http://10.0.0.11/"] {
            assert_eq!(proxy(url), some("http://plain:1"), "{url}");
        }
        let none = Proxies { none: some("*"), ..proxies.clone() };
        assert_eq!(none.of(&Url::parse("http://example.org").unwrap()), None);
    }

    #[test]
    fn nothing_secret_is_shown() {
        let secret = "hunter2";
        let proxies = Proxies { http: Some(format!("http://me:{secret}@proxy")), ..Proxies::default() };
        let credential = Credential { host: "h".to_owned(), authorization: format!("Bearer {secret}") };
        assert!(!format!("{proxies:?} {credential:?}").contains(secret));
    }
}
