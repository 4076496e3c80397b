//! Digests: names that are made of what they name.
//!
//! A [`Digest`] names the bytes of a blob, a [`DiffId`] names the plain tar of a layer and a [`ChainId`] names layers
//! applied in order. All three are hashes and look alike; they are types of their own so that one never stands where
//! another is meant. Source: image-spec `descriptor.md` (digests), `config.md` (layer DiffID, ChainID).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256, Sha512};

/// A hash algorithm that content may be named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// SHA-256, what everybody uses.
    Sha256,
    /// SHA-512, which registries must be able to handle.
    Sha512,
}

impl Algorithm {
    /// The name as written before the colon.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    fn hex_length(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha512 => 128,
        }
    }
}

/// Why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// There is no `algorithm:` in front.
    #[error("`{0}` is not a digest: expected `sha256:` and 64 hexadecimal digits")]
    NoAlgorithm(String),
    /// The algorithm is not one of [`Algorithm`].
    #[error("`{0}` is not a hash algorithm of digests: expected `sha256` or `sha512`")]
    UnknownAlgorithm(String),
    /// The part behind the colon has the wrong length or other characters than `0-9a-f`.
    #[error("`{0}` is not a digest: expected {1} lower-case hexadecimal digits behind the colon")]
    NotHexadecimal(String, usize),
}

/// The name of a blob: the hash of its bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: Algorithm,
    hex: Box<str>,
}

impl Digest {
    /// The SHA-256 digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_sha256(&Sha256::digest(bytes).into())
    }

    /// A digest from a finished SHA-256 hash.
    pub fn from_sha256(hash: &[u8; 32]) -> Self {
        Self { algorithm: Algorithm::Sha256, hex: to_hex(hash).into_boxed_str() }
    }

    /// A digest from a finished SHA-512 hash.
    pub fn from_sha512(hash: &[u8; 64]) -> Self {
        Self { algorithm: Algorithm::Sha512, hex: to_hex(hash).into_boxed_str() }
    }

    /// The algorithm it was made with.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The part behind the colon: lower-case hexadecimal digits, safe as a file name.
    pub fn hex(&self) -> &str {
        &self.hex
    }

    /// The first twelve digits, as shown to people.
    pub fn short(&self) -> &str {
        &self.hex[..12]
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.algorithm.name(), self.hex)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.algorithm.name(), self.hex)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let plain = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
        let shown = || text.chars().take(160).map(plain).collect::<String>();
        let (name, hex) = text.split_once(':').ok_or_else(|| DigestError::NoAlgorithm(shown()))?;
        let algorithm = match name {
            "sha256" => Algorithm::Sha256,
            "sha512" => Algorithm::Sha512,
            _ => return Err(DigestError::UnknownAlgorithm(name.chars().take(40).map(plain).collect())),
        };
        let well_formed = hex.len() == algorithm.hex_length()
            && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
        if !well_formed {
            return Err(DigestError::NotHexadecimal(shown(), algorithm.hex_length()));
        }
        Ok(Self { algorithm, hex: hex.into() })
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! digest_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Digest);

        impl $name {
            /// Takes a digest that is known to be of this kind.
            pub fn new(digest: Digest) -> Self {
                Self(digest)
            }

            /// The digest itself.
            pub fn digest(&self) -> &Digest {
                &self.0
            }

            /// Lower-case hexadecimal digits, safe as a file name.
            pub fn hex(&self) -> &str {
                self.0.hex()
            }

            /// The first twelve digits, as shown to people.
            pub fn short(&self) -> &str {
                self.0.short()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, out)
            }
        }

        impl FromStr for $name {
            type Err = DigestError;

            fn from_str(text: &str) -> Result<Self, DigestError> {
                text.parse().map(Self)
            }
        }
    };
}

digest_newtype! {
    /// The name of a layer: the hash of its plain (uncompressed) tar.
    DiffId
}

digest_newtype! {
    /// The name of layers applied in order.
    ChainId
}

impl ChainId {
    /// The chain id of `layers`, lowest first; `None` when there are none.
    ///
    /// `ChainID(L0) = DiffID(L0)`, `ChainID(L0|…|Ln) = SHA256(ChainID(L0|…|Ln-1) + " " + DiffID(Ln))`.
    pub fn of(layers: &[DiffId]) -> Option<Self> {
        let (first, rest) = layers.split_first()?;
        let chain = rest
            .iter()
            .fold(first.digest().clone(), |below, layer| Digest::of(format!("{below} {layer}").as_bytes()));
        Some(Self(chain))
    }
}

/// A hash in the making.
#[derive(Clone)]
pub struct Hasher(State);

#[derive(Clone)]
enum State {
    Sha256(Sha256),
    Sha512(Box<Sha512>),
}

impl Hasher {
    /// Starts a hash with `algorithm`.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Sha256 => State::Sha256(Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Box::new(Sha512::new())),
        })
    }

    /// Starts a SHA-256 hash.
    pub fn sha256() -> Self {
        Self::new(Algorithm::Sha256)
    }

    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            State::Sha256(hash) => hash.update(bytes),
            State::Sha512(hash) => hash.update(bytes),
        }
    }

    /// The digest of everything taken in.
    pub fn finish(self) -> Digest {
        match self.0 {
            State::Sha256(hash) => Digest::from_sha256(&hash.finalize().into()),
            State::Sha512(hash) => Digest::from_sha512(&hash.finalize().into()),
        }
    }
}

fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .map(char::from)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        assert_eq!(
            Digest::of(b"").to_string(),
            "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    #[test]
    fn hashing_in_pieces_gives_the_same_digest_as_at_once() {
        let mut hasher = Hasher::sha256();
        hasher.update(b"hel");
        hasher.update(b"lo");
        assert_eq!(hasher.finish(), Digest::of(b"hello"));
    }

    #[test]
    fn texts_that_could_become_paths_are_no_digests() {
        let long = format!("sha256:{}", "a".repeat(65));
        let upper = format!("sha256:{}", "A".repeat(64));
        for text in ["", "sha256", "sha256:", "sha256:../../etc/passwd", "md5:00", &long, &upper] {
            assert!(text.parse::<Digest>().is_err(), "{text} was taken");
        }
    }

    #[test]
    fn a_chain_of_one_layer_has_the_name_of_the_layer() {
        let layer = DiffId::new(Digest::of(b"layer"));
        assert_eq!(ChainId::of(std::slice::from_ref(&layer)).unwrap().digest(), layer.digest());
        assert_eq!(ChainId::of(&[]), None);
    }

    #[test]
    fn a_chain_of_two_hashes_both_names() {
        let (low, high) = (DiffId::new(Digest::of(b"low")), DiffId::new(Digest::of(b"high")));
        let expected = Digest::of(format!("{low} {high}").as_bytes());
        assert_eq!(ChainId::of(&[low, high]).unwrap().digest(), &expected);
    }
}
