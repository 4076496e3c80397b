//! Encodings, digests, identifiers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use super::arguments::{any, fail, text};
use super::{Builtin, Outcome, Surroundings};
use crate::csv;
use crate::value::Value;

pub(super) const ALL: &[Builtin] = &[
    Builtin::new("base64decode", 1, 1, |arguments, _| {
        let bytes = STANDARD.decode(text(arguments, 0)?).map_err(|_| fail(0, "this is not base64"))?;
        String::from_utf8(bytes).map(Value::from).map_err(|_| fail(0, "the result is no text"))
    }),
    Builtin::new("base64encode", 1, 1, |arguments, _| Ok(STANDARD.encode(text(arguments, 0)?).into())),
    Builtin::new("csvdecode", 1, 1, csvdecode),
    Builtin::new("jsondecode", 1, 1, |arguments, _| {
        let json: serde_json::Value =
            serde_json::from_str(&text(arguments, 0)?).map_err(|_| fail(0, "this is not JSON"))?;
        Ok(Value::from_json(&json))
    }),
    Builtin::new("jsonencode", 1, 1, |arguments, _| Ok(any(arguments, 0).to_json().to_string().into())),
    Builtin::new("md5", 1, 1, |arguments, _| Ok(digest::<Md5>(&text(arguments, 0)?).into())),
    Builtin::new("sha1", 1, 1, |arguments, _| Ok(digest::<Sha1>(&text(arguments, 0)?).into())),
    Builtin::new("sha256", 1, 1, |arguments, _| Ok(digest::<Sha256>(&text(arguments, 0)?).into())),
    Builtin::new("sha512", 1, 1, |arguments, _| Ok(digest::<Sha512>(&text(arguments, 0)?).into())),
    Builtin::new("urlencode", 1, 1, |arguments, _| Ok(urlencode(&text(arguments, 0)?).into())),
    Builtin::new("uuidv4", 0, 0, uuidv4),
    Builtin::new("uuidv5", 2, 2, uuidv5),
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest<D: Digest>(text: &str) -> String {
    hex(&D::digest(text.as_bytes()))
}

/// As in the query of an URL.
fn urlencode(text: &str) -> String {
    let each = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        other => format!("%{other:02X}"),
    });
    each.collect()
}

/// The first line has the names.
fn csvdecode(arguments: &[Value], _: &Surroundings) -> Outcome {
    let text = text(arguments, 0)?;
    let mut rows = text.lines().filter(|line| !line.is_empty());
    let read = |line: &str| csv::fields(line).map_err(|error| fail(0, error));
    let names = read(rows.next().ok_or_else(|| fail(0, "there is no line with names"))?)?;
    let mut objects = Vec::new();
    for row in rows {
        let values = read(row)?;
        if values.len() != names.len() {
            return Err(fail(0, format!("a line has {} values for {} names", values.len(), names.len())));
        }
        let fields = names.iter().cloned().zip(values.into_iter().map(Value::from));
        objects.push(Value::Object(fields.collect()));
    }
    Ok(Value::List(objects))
}

fn uuid(bytes: &[u8], version: u8) -> String {
    let mut bytes: Vec<u8> = bytes.iter().copied().take(16).collect();
    bytes[6] = bytes[6] & 0x0f | version << 4;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

/// Random as the caller's seed is.
fn uuidv4(_: &[Value], surroundings: &Surroundings) -> Outcome {
    let count = surroundings.drawn.get();
    surroundings.drawn.set(count + 1);
    let bytes = Sha256::digest(format!("{} {count}", surroundings.seed));
    Ok(uuid(&bytes, 4).into())
}

fn uuidv5(arguments: &[Value], _: &Surroundings) -> Outcome {
    let space = text(arguments, 0)?;
    let space = match space.as_str() {
        "dns" => "6ba7b810-9dad-11d1-80b4-00c04fd430c8".to_owned(),
        "url" => "6ba7b811-9dad-11d1-80b4-00c04fd430c8".to_owned(),
        "oid" => "6ba7b812-9dad-11d1-80b4-00c04fd430c8".to_owned(),
        "x500" => "6ba7b814-9dad-11d1-80b4-00c04fd430c8".to_owned(),
        _ => space,
    };
    let digits: String = space.chars().filter(|letter| *letter != '-').collect();
    let bytes = (0..16).map(|at| u8::from_str_radix(digits.get(at * 2..at * 2 + 2)?, 16).ok());
    let bytes = bytes.collect::<Option<Vec<u8>>>().filter(|_| digits.len() == 32);
    let bytes = bytes.ok_or_else(|| fail(0, "`dns`, `url`, `oid`, `x500` or a UUID is needed"))?;
    let digest = Sha1::new().chain_update(bytes).chain_update(text(arguments, 1)?).finalize();
    Ok(uuid(&digest, 5).into())
}

#[cfg(test)]
mod tests {
    use super::super::surroundings;
    use super::*;

    #[test]
    fn digests_and_identifiers_are_those_of_others() {
        assert_eq!(digest::<Md5>("hello"), "5d41402abc4b2a76b9719d911017c592");
        assert_eq!(digest::<Sha1>("hello"), "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d");
        let name = [Value::from("dns"), Value::from("www.example.com")];
        assert_eq!(uuidv5(&name, &surroundings()), Ok("2ed6657d-e927-568b-95e1-2665a8aea6a2".into()));
        assert_eq!(urlencode("a b/ü~"), "a+b%2F%C3%BC~");
    }

    #[test]
    fn random_identifiers_differ() {
        let surroundings = surroundings();
        let (one, two) = (uuidv4(&[], &surroundings).unwrap(), uuidv4(&[], &surroundings).unwrap());
        assert_ne!(one, two);
        assert_eq!(one.text().unwrap().as_bytes()[14], b'4');
    }
}
