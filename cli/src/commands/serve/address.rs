//! Where to listen, as people write it.

use std::net::{Ipv6Addr, SocketAddr, ToSocketAddrs};

/// Where registries listen when nobody says anything else.
const PORT: u16 = 5000;

/// Reads `HOST:PORT`, `HOST`, `:PORT` or `PORT`.
pub(super) fn parse(text: &str) -> Result<SocketAddr, String> {
    let port = |text: &str| text.parse::<u16>();
    if let Ok(port) = port(text.strip_prefix(':').unwrap_or(text)) {
        return Ok(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port)));
    }
    if let Ok(address) = text.parse() {
        return Ok(address);
    }
    let found = match text.rsplit_once(':') {
        Some((host, port_text)) if !host.contains(':') && !host.is_empty() => {
            let port =
                port(port_text).map_err(|_| format!("`{port_text}` is no port: expected 0 to 65535"))?;
            (host, port).to_socket_addrs()
        }
        _ => (text.trim_start_matches('[').trim_end_matches(']'), PORT).to_socket_addrs(),
    };
    let mut addresses = found.map_err(|error| format!("the host is not known here: {error}"))?;
    addresses.next().ok_or_else(|| "the host has no address".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_people_write_them() {
        for (text, address) in [
            ("127.0.0.1:5000", "127.0.0.1:5000"),
            ("0.0.0.0:0", "0.0.0.0:0"),
            ("127.0.0.1", "127.0.0.1:5000"),
            (":5000", "[::]:5000"),
            ("5001", "[::]:5001"),
            ("[::1]:80", "[::1]:80"),
            ("::1", "[::1]:5000"),
            ("[::1]", "[::1]:5000"),
        ] {
            assert_eq!(parse(text), Ok(address.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_the_reason() {
        assert_eq!(parse("127.0.0.1:http").unwrap_err(), "`http` is no port: expected 0 to 65535");
        assert_eq!(parse("127.0.0.1:70000").unwrap_err(), "`70000` is no port: expected 0 to 65535");
        assert!(parse("").unwrap_err().starts_with("the host is not known here: "));
    }
}
