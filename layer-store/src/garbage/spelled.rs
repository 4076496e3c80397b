//! Finds the digests that documents and records spell.
//!
//! Looking for spelled digests instead of parsing each kind of document errs on the safe side: what we do not know yet
//! is kept.

use std::path::Path;

use serde_json::Value;
use tug_oci::{Algorithm, Digest};

use crate::error::Result;
use crate::file;

/// Every digest that is spelled in a small file; none when there is no such file.
pub(crate) fn digests_in_file(path: &Path) -> Result<Vec<Digest>> {
    const LARGEST_RECORD: u64 = 64 * 1024 * 1024;
    Ok(file::read_small(path, LARGEST_RECORD)?.map_or_else(Vec::new, |bytes| digests_in(&bytes)))
}

/// Every digest that is spelled in the texts of a JSON document, or in bytes that are none.
pub(crate) fn digests_in(bytes: &[u8]) -> Vec<Digest> {
    let mut found = Vec::new();
    match serde_json::from_slice::<Value>(bytes) {
        Ok(document) => collect(&document, &mut found),
        Err(_) => collect_spelled(&String::from_utf8_lossy(bytes), &mut found),
    }
    found
}

fn collect(value: &Value, found: &mut Vec<Digest>) {
    match value {
        Value::String(text) => collect_spelled(text, found),
        Value::Array(items) => items.iter().for_each(|item| collect(item, found)),
        Value::Object(fields) => fields.iter().for_each(|(key, item)| {
            collect_spelled(key, found);
            collect(item, found);
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn collect_spelled(text: &str, found: &mut Vec<Digest>) {
    for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
        let prefix = format!("{}:", algorithm.name());
        for (place, _) in text.match_indices(&prefix) {
            let digits = text[place + prefix.len()..].bytes().take_while(u8::is_ascii_hexdigit).count();
            found.extend(text[place..place + prefix.len() + digits].parse::<Digest>().ok());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_found_wherever_they_are_spelled() {
        let (one, two) = (Digest::of(b"one"), Digest::of(b"two"));
        let document = format!(r#"{{"{one}":[{{"x":"docker.io/app@{two}"}}],"short":"sha256:12"}}"#);
        assert_eq!(digests_in(document.as_bytes()), [one.clone(), two.clone()]);
        let escaped = format!(r#"["sha256\u003a{}"]"#, one.hex());
        assert_eq!(digests_in(escaped.as_bytes()), std::slice::from_ref(&one));
        assert_eq!(digests_in(format!("{one}0 {two}").as_bytes()), [two]);
    }
}
