//! Where a redirect may lead, and what goes along.

use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, LOCATION, RANGE};
use reqwest::Url;
use url::Host;

use super::answer::Answer;
use crate::error::{Error, Kind};
use crate::text;

/// What a stranger may see of a request: no credentials, no cookies, none of the headers that a user configured.
pub(super) fn keep_harmless(from: &HeaderMap, to: &mut HeaderMap) {
    for name in [ACCEPT, RANGE, CONTENT_TYPE] {
        if let Some(value) = from.get(&name) {
            to.insert(name, value.clone());
        }
    }
}

/// Where the answer leads.
pub(crate) fn next(answer: &Answer) -> Result<Url, Error> {
    let location = answer.header(LOCATION).unwrap_or_default();
    let refused = |why: &str| {
        let message = format!("`{}`: redirected to an address that is not followed: {why}", answer.request);
        Error::new(Kind::Protocol, message)
    };
    let url = answer.url.join(location).map_err(|_| refused("it cannot be read"))?;
    check(&answer.url, &url).map_err(|why| refused(&format!("`{}` {why}", text::address(&url))))?;
    Ok(url)
}

/// Why what `from` names must not be asked, if so.
///
/// A registry names other addresses in redirects, `Location` headers and challenges. None of them may turn encryption
/// off, nor lead where machines of a cloud keep their secrets.
pub(crate) fn check(from: &Url, to: &Url) -> Result<(), &'static str> {
    match to.scheme() {
        "https" => {}
        "http" if from.scheme() == "http" => {}
        "http" => return Err("is not encrypted, and the registry is"),
        _ => return Err("is neither https nor http"),
    }
    let is_local_to_link = match to.host() {
        None => return Err("has no host"),
        Some(Host::Ipv4(address)) => address.is_link_local(),
        Some(Host::Ipv6(address)) => {
            address.is_unicast_link_local()
                || address.to_ipv4_mapped().is_some_and(|address| address.is_link_local())
        }
        Some(Host::Domain(_)) => false,
    };
    let same = from.host() == to.host();
    match is_local_to_link && !same {
        true => Err("is an address of this link, where secrets of cloud machines are kept"),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_turns_encryption_off_or_leads_to_secrets_of_the_machine() {
        let check = |from: &str, to: &str| check(&Url::parse(from).unwrap(), &Url::parse(to).unwrap());
        assert_eq!(check("https://a.example/", "https://b.example/x"), Ok(()));
        assert_eq!(check("http://127.0.0.1:5000/", "http://127.0.0.1:6000/"), Ok(()));
        for (from, to) in [
            ("https://a.example/", "http://a.example/"),
            ("https://a.example/", "file:///etc/passwd"),
            ("https://a.example/", "https://169.254.169.254/latest"),
            ("http://a.example/", "http://[fe80::1]/"),
            ("http://a.example/", "http://[::ffff:169.254.169.254]/"),
        ] {
            assert!(check(from, to).is_err(), "{from} {to}");
        }
    }
}
