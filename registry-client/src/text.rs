//! What may be shown of texts and addresses that come from elsewhere.

use reqwest::Url;

/// The longest text of a server that is passed on.
const LONGEST: usize = 400;

/// One line of printable characters, cut where it gets long.
pub(crate) fn shown(text: &str) -> String {
    let mut out = String::new();
    let mut spaces = false;
    for character in text.chars() {
        if character.is_whitespace() || character.is_control() {
            spaces = !out.is_empty();
            continue;
        }
        // What turns the direction of writing around, or is not seen, stays out.
        if matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        {
            continue;
        }
        if std::mem::take(&mut spaces) {
            out.push(' ');
        }
        if out.len() + character.len_utf8() > LONGEST {
            out.push('…');
            break;
        }
        out.push(character);
    }
    out
}

/// What the system said, without the number of the error.
pub(crate) fn of_io(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error ").next().unwrap_or(&text).to_lowercase()
}

/// An address without user, password, query and fragment, for any of these may be a key to something.
pub(crate) fn address(url: &Url) -> String {
    let host = authority(url);
    let path = shown(url.path());
    let query = if url.query().is_some() { "?…" } else { "" };
    format!("{}://{host}{path}{query}", url.scheme())
}

/// Host and port, as far as it is written.
pub(crate) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

/// Whether both lead to the same server: scheme, host and port are the same.
pub(crate) fn is_same_origin(one: &Url, other: &Url) -> bool {
    one.scheme() == other.scheme()
        && one.host_str() == other.host_str()
        && one.port_or_known_default() == other.port_or_known_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_servers_are_one_short_line_of_what_can_be_seen() {
        assert_eq!(shown("  not\r\n\tfound \u{1b}[31m red\u{202e}\u{0}"), "not found [31m red");
        let long = shown(&"ä".repeat(3000));
        assert!(long.ends_with('…') && long.len() < 410, "{long}");
    }

    #[test]
    fn addresses_show_no_keys() {
        let url = Url::parse("https://me:secret@cdn.example:8443/blob/1?X-Amz-Signature=abc#d").unwrap();
        assert_eq!(address(&url), "https://cdn.example:8443/blob/1?…");
        let other = Url::parse("https://cdn.example/").unwrap();
        assert!(!is_same_origin(&url, &other));
        assert!(is_same_origin(&other, &Url::parse("https://cdn.example:443/x").unwrap()));
        assert!(!is_same_origin(&other, &Url::parse("http://cdn.example:443/x").unwrap()));
    }
}
