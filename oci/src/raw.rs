//! A parsed document beside the bytes it was parsed from.

use std::ops::Deref;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::digest::Digest;

/// A JSON document with its own bytes: its digest is of those, never of a re-encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Raw<T> {
    value: T,
    bytes: Vec<u8>,
    digest: Digest,
}

/// A document that is not the JSON it should be.
#[derive(Debug, thiserror::Error)]
#[error("{what} is not valid: {reason}")]
pub struct DocumentError {
    what: &'static str,
    reason: String,
}

/// What a document is called in messages.
pub trait Document: Serialize + DeserializeOwned {
    /// For example `the image manifest`.
    const WHAT: &'static str;

    /// Checks what the types alone do not say.
    fn check(&self) -> Result<(), String> {
        Ok(())
    }
}

impl<T: Document> Raw<T> {
    /// Parses `bytes` and keeps them.
    pub fn parse(bytes: Vec<u8>) -> Result<Self, DocumentError> {
        let invalid = |reason: String| DocumentError { what: T::WHAT, reason };
        let value: T = serde_json::from_slice(&bytes).map_err(|error| invalid(json_reason(&error)))?;
        value.check().map_err(invalid)?;
        let digest = Digest::of(&bytes);
        Ok(Self { value, bytes, digest })
    }

    /// Encodes `value` once; the bytes are kept from then on.
    pub fn encode(value: T) -> Self {
        let bytes = serde_json::to_vec(&value).expect("our documents have string keys and no failing parts");
        let digest = Digest::of(&bytes);
        Self { value, bytes, digest }
    }

    /// The bytes as they came, or as they were encoded.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The SHA-256 digest of the bytes.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The length of the bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The value without its bytes.
    pub fn into_value(self) -> T {
        self.value
    }
}

/// Why something is not the JSON that it should be, in words of JSON: the parser speaks of types of Rust.
pub fn json_reason(error: &serde_json::Error) -> String {
    const EXPECTED: &str = ", expected ";
    let text = error.to_string().replace("expected ident", "no JSON").replace("type: sequence", "type: list");
    let place = text.rfind(" at line ").unwrap_or(text.len());
    let Some(at) = text[..place].find(EXPECTED).map(|at| at + EXPECTED.len()) else { return text };
    let expected = &text[at..place];
    let wanted = match expected.trim_start_matches("a ").split(' ').next().unwrap_or_default() {
        "struct" | "map" => "an object",
        "sequence" | "tuple" => "a list",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a number from 0",
        "i8" | "i16" | "i32" | "i64" | "isize" | "f64" => "a number",
        _ => expected,
    };
    format!("{}{wanted}{}", &text[..at], &text[place..])
}

impl<T> Deref for Raw<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ImageConfig, Index, Manifest};

    #[test]
    fn what_is_wrong_is_told_without_types_of_rust() {
        fn reason<T: Document + std::fmt::Debug>(text: &str) -> String {
            Raw::<T>::parse(text.as_bytes().to_vec()).unwrap_err().to_string()
        }
        let reasons = [
            reason::<Index>("[]"),
            reason::<Index>(r#""x""#),
            reason::<Index>(r#"{"schemaVersion": 2, "manifests": 5}"#),
            reason::<Manifest>(r#"{"config": {"mediaType": "a", "size": -5}}"#),
            reason::<Manifest>(r#"{"config": 7}"#),
            reason::<ImageConfig>(r#"{"config": true}"#),
            reason::<ImageConfig>(r#"{"history": [5]}"#),
            reason::<ImageConfig>(r#"{"rootfs": {"diff_ids": [5]}}"#),
            reason::<ImageConfig>("not json"),
        ];
        insta::assert_snapshot!(reasons.join("\n"), @r#"
        the image index is not valid: invalid type: list, expected an object at line 1 column 0
        the image index is not valid: invalid type: string "x", expected an object at line 1 column 3
        the image index is not valid: invalid type: integer `5`, expected a list at line 1 column 35
        the image manifest is not valid: invalid value: integer `-5`, expected a number from 0 at line 1 column 40
        the image manifest is not valid: invalid type: integer `7`, expected an object at line 1 column 12
        the image config is not valid: invalid type: boolean `true`, expected an object at line 1 column 15
        the image config is not valid: invalid type: integer `5`, expected an object at line 1 column 14
        the image config is not valid: invalid type: integer `5`, expected a string at line 1 column 26
        the image config is not valid: no JSON at line 1 column 2
        "#);
    }
}
