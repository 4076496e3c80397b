//! How a container's description travels to its first process.
//!
//! JSON knows only text, and paths, arguments and file contents are bytes. Each byte travels as the character of
//! the same number (Latin-1), so that plain ASCII stays as it is and any byte survives.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

fn to_text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

fn from_text(text: &str) -> Option<Vec<u8>> {
    text.chars().map(|character| u8::try_from(u32::from(character)).ok()).collect()
}

/// A value that is bytes in truth.
pub(crate) trait Bytes: Sized {
    fn as_raw(&self) -> &[u8];
    fn from_raw(raw: Vec<u8>) -> Self;
}

impl Bytes for Vec<u8> {
    fn as_raw(&self) -> &[u8] {
        self
    }
    fn from_raw(raw: Vec<u8>) -> Self {
        raw
    }
}

impl Bytes for OsString {
    fn as_raw(&self) -> &[u8] {
        self.as_bytes()
    }
    fn from_raw(raw: Vec<u8>) -> Self {
        Self::from_vec(raw)
    }
}

impl Bytes for PathBuf {
    fn as_raw(&self) -> &[u8] {
        self.as_os_str().as_bytes()
    }
    fn from_raw(raw: Vec<u8>) -> Self {
        Self::from(OsString::from_vec(raw))
    }
}

/// For `#[serde(with = "wire::one")]` on a field that is bytes.
pub(crate) mod one {
    use super::{Bytes, Deserialize, Deserializer, Serializer, from_text, to_text};
    use serde::de::Error as _;

    pub(crate) fn serialize<B: Bytes, S: Serializer>(value: &B, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_text(value.as_raw()))
    }

    pub(crate) fn deserialize<'de, B: Bytes, D: Deserializer<'de>>(deserializer: D) -> Result<B, D::Error> {
        let text = String::deserialize(deserializer)?;
        from_text(&text).map(B::from_raw).ok_or_else(|| D::Error::custom("a character beyond one byte"))
    }
}

/// For `#[serde(with = "wire::many")]` on a list of them.
pub(crate) mod many {
    use super::{Bytes, Deserialize, Deserializer, Serializer, Wired};

    pub(crate) fn serialize<B: Bytes, S: Serializer>(values: &[B], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| super::Text(value.as_raw())))
    }

    pub(crate) fn deserialize<'de, B: Bytes, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<B>, D::Error> {
        Ok(Vec::<Wired<B>>::deserialize(deserializer)?.into_iter().map(|wired| wired.0).collect())
    }
}

/// For `#[serde(with = "wire::maybe")]` on one that may be absent.
pub(crate) mod maybe {
    use super::{Bytes, Deserialize, Deserializer, Serialize, Serializer, Wired};

    pub(crate) fn serialize<B: Bytes, S: Serializer>(
        value: &Option<B>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().map(|value| super::Text(value.as_raw())).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, B: Bytes, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<B>, D::Error> {
        Ok(Option::<Wired<B>>::deserialize(deserializer)?.map(|wired| wired.0))
    }
}

/// For `#[serde(with = "wire::pairs")]` on a list of pairs of them.
pub(crate) mod pairs {
    use super::{Bytes, Deserialize, Deserializer, Serializer, Wired};

    pub(crate) fn serialize<B: Bytes, S: Serializer>(
        values: &[(B, B)],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|(a, b)| (super::Text(a.as_raw()), super::Text(b.as_raw()))))
    }

    pub(crate) fn deserialize<'de, B: Bytes, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<(B, B)>, D::Error> {
        let pairs = Vec::<(Wired<B>, Wired<B>)>::deserialize(deserializer)?;
        Ok(pairs.into_iter().map(|(a, b)| (a.0, b.0)).collect())
    }
}

struct Text<'a>(&'a [u8]);

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_text(self.0))
    }
}

struct Wired<B>(B);

impl<'de, B: Bytes> Deserialize<'de> for Wired<B> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let raw = from_text(&text).ok_or_else(|| D::Error::custom("a character beyond one byte"))?;
        Ok(Self(B::from_raw(raw)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Sample {
        #[serde(with = "one")]
        path: PathBuf,
        #[serde(with = "many")]
        list: Vec<OsString>,
        #[serde(with = "maybe")]
        maybe: Option<PathBuf>,
        #[serde(with = "pairs")]
        pairs: Vec<(OsString, OsString)>,
    }

    #[test]
    fn every_byte_survives_the_journey() {
        let all: Vec<u8> = (0..=255).collect();
        let sample = Sample {
            path: PathBuf::from_raw(all.clone()),
            list: vec![OsString::from("plain"), OsString::from_raw(all.clone())],
            maybe: Some(PathBuf::from("/a")),
            pairs: vec![("A".into(), OsString::from_raw(all))],
        };
        let text = serde_json::to_string(&sample).unwrap();
        assert_eq!(serde_json::from_str::<Sample>(&text).unwrap(), sample);
        assert!(text.contains("\"plain\""));
    }
}
