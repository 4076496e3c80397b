//! The ports of `EXPOSE`: `80`, `8000-8010/udp`.

use std::fmt;

use crate::{ParseError, ParseErrorKind, Word};

/// The ports one word of `EXPOSE` names, once it is expanded.
///
/// ```
/// use tug_dockerfile::ExposedPorts;
/// let ports = ExposedPorts::parse("80-81/UDP")?;
/// assert_eq!(ports.entries().collect::<Vec<_>>(), ["80/udp", "81/udp"]);
/// # Ok::<(), tug_dockerfile::BadPort>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposedPorts {
    first: u16,
    last: u16,
    protocol: &'static str,
    names_host: bool,
}

/// A text that names no ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a port")]
pub struct BadPort {
    text: String,
}

impl BadPort {
    /// What a port looks like.
    pub fn hint(&self) -> Option<String> {
        Some("write `port`, `first-last`, or either with `/tcp`, `/udp` or `/sctp` after it".to_owned())
    }

    /// The same as an error in the file, where `word` is the value before it was expanded.
    pub fn at(self, word: &Word) -> ParseError {
        let hint = self.hint();
        let mut error = ParseError::new(word.span, ParseErrorKind::BadPort(self), "expected a port");
        error.help = hint;
        error
    }
}

impl ExposedPorts {
    /// Reads `port[-last][/protocol]`. An address or a port of the host before a `:`, as `docker run -p`
    /// takes it, has no meaning here; it is skipped, see [`names_host`](Self::names_host).
    pub fn parse(text: &str) -> Result<Self, BadPort> {
        let bad = || BadPort { text: text.to_owned() };
        let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let protocol = match protocol.to_ascii_lowercase().as_str() {
            "" | "tcp" => "tcp",
            "udp" => "udp",
            "sctp" => "sctp",
            _ => return Err(bad()),
        };
        let (host, ports) = ports.rsplit_once(':').map_or((None, ports), |(host, ports)| (Some(host), ports));
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        let number = |digits: &str| -> Option<u16> {
            digits.bytes().all(|digit| digit.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
        };
        let (first, last) =
            number(first).zip(number(last)).filter(|(first, last)| first <= last).ok_or_else(bad)?;
        Ok(Self { first, last, protocol, names_host: host.is_some() })
    }

    /// Each port as the config of an image names it: `80/tcp`.
    pub fn entries(&self) -> impl Iterator<Item = String> {
        let protocol = self.protocol;
        (self.first..=self.last).map(move |port| format!("{port}/{protocol}"))
    }

    /// It was written with an address or a port of the host.
    pub fn names_host(&self) -> bool {
        self.names_host
    }
}

impl fmt::Display for ExposedPorts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(formatter, "{}/{}", self.first, self.protocol),
            false => write!(formatter, "{}-{}/{}", self.first, self.last, self.protocol),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_have_a_range_and_a_protocol() {
        for (text, ports) in [
            ("80", "80/tcp"),
            ("80/", "80/tcp"),
            ("53/UDP", "53/udp"),
            ("1-3/sctp", "1-3/sctp"),
            ("0", "0/tcp"),
            ("127.0.0.1:80:8080", "8080/tcp"),
            ("[::1]::53/udp", "53/udp"),
            ("65535-65535", "65535/tcp"),
        ] {
            assert_eq!(ExposedPorts::parse(text).expect("a port").to_string(), ports, "{text}");
        }
        assert!(ExposedPorts::parse("80:81").expect("a port").names_host());
    }

    #[test]
    fn other_texts_are_no_ports() {
        for text in
            ["", "/tcp", "65536", "2-1", "-1", "1-", "80/icmp", "80/tcp/udp", "http", "+80", "80 81", ":"]
        {
            assert!(ExposedPorts::parse(text).is_err(), "{text}");
        }
    }
}
