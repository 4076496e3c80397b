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
        let value: T = serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?;
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

impl<T> Deref for Raw<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
