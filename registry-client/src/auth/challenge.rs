//! What a registry asks of those who come without credentials: the header `WWW-Authenticate`.
//!
//! Several headers may come, and several challenges in one. Source: RFC 9110 section 11.6.1, distribution
//! `docs/spec/auth/token`.

use std::collections::BTreeMap;

/// One scheme, with its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// In lower case: `bearer`, `basic`.
    pub(crate) scheme: String,
    /// By their names in lower case.
    pub(crate) parameters: BTreeMap<String, String>,
}

impl Challenge {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }
}

/// The challenges of a header, in order. What cannot be read ends the list.
pub(crate) fn parse(header: &str) -> Vec<Challenge> {
    let mut all = Vec::new();
    let mut rest = header.trim_start_matches([' ', '\t', ',']);
    while let Some((scheme, after)) = token(rest) {
        let mut challenge = Challenge { scheme: scheme.to_ascii_lowercase(), parameters: BTreeMap::new() };
        rest = after.trim_start();
        // A bare token (as Negotiate has) is passed over; a name with `=` behind it is a parameter.
        while let Some((name, value, after)) = parameter(rest) {
            challenge.parameters.entry(name.to_ascii_lowercase()).or_insert(value);
            rest = after.trim_start();
            rest = match rest.strip_prefix(',') {
                Some(after) => after.trim_start_matches([' ', '\t', ',']),
                None => rest,
            };
        }
        if let Some((blob, after)) = token68(rest) {
            let _ = blob;
            rest = after;
        }
        rest = rest.trim_start_matches([' ', '\t', ',']);
        all.push(challenge);
    }
    all
}

fn is_token_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(character)
}

fn token(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|c| !is_token_character(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Base64 with `=` at its end, as Negotiate sends it: no parameter.
fn token68(text: &str) -> Option<(&str, &str)> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    let end = text.find(|c| !is_part(c)).unwrap_or(text.len());
    let (blob, rest) = text.split_at(end);
    let ends_here = rest.trim_start().is_empty() || rest.trim_start().starts_with(',');
    (blob.ends_with('=') && ends_here).then_some((blob, rest))
}

fn parameter(text: &str) -> Option<(&str, String, &str)> {
    let (name, rest) = token(text)?;
    let rest = rest.trim_start().strip_prefix('=')?;
    if rest.starts_with('=') || rest.trim_start().is_empty() || rest.trim_start().starts_with(',') {
        return None;
    }
    let rest = rest.trim_start();
    match rest.strip_prefix('"') {
        Some(quoted) => {
            let (value, rest) = unquoted(quoted);
            Some((name, value, rest))
        }
        None => {
            let end = rest.find([',', ' ', '\t']).unwrap_or(rest.len());
            Some((name, rest[..end].to_owned(), &rest[end..]))
        }
    }
}

fn unquoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(header: &str) -> Vec<String> {
        let one = |challenge: &Challenge| {
            let parameters: Vec<String> =
                challenge.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{} [{}]", challenge.scheme, parameters.join("; "))
        };
        parse(header).iter().map(one).collect()
    }

    #[test]
    fn challenges_come_alone_or_together_and_in_odd_quoting() {
        for (header, expected) in [
            (
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#,
                &[
                    "bearer [realm=https://auth.docker.io/token; scope=repository:a/b:pull,push; service=registry.docker.io]",
                ][..],
            ),
            (r#"Basic realm="a \"b\" c""#, &[r#"basic [realm=a "b" c]"#]),
            (
                "Negotiate, Basic realm=x , bearer realm=y,service = z",
                &["negotiate []", "basic [realm=x]", "bearer [realm=y; service=z]"],
            ),
            ("Negotiate YIIabc==, Basic realm=\"x\"", &["negotiate []", "basic [realm=x]"]),
            (
                r#"BEARER Realm="u", error="insufficient_scope""#,
                &["bearer [error=insufficient_scope; realm=u]"],
            ),
            ("Basic", &["basic []"]),
            (r#"Bearer realm="never closed"#, &["bearer [realm=never closed]"]),
            ("", &[]),
            (",, ,", &[]),
            ("\u{e4}", &[]),
        ] {
            assert_eq!(shown(header), expected, "{header}");
        }
    }
}
