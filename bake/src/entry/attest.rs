//! Attestations.

use std::collections::BTreeMap;

use super::{Entry, pairs, truth, written};

/// A statement about the build that goes with the image: `provenance` or `sbom`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attest {
    /// Its type.
    pub kind: String,
    /// Not to be made.
    pub disabled: bool,
    /// Everything else.
    pub attributes: BTreeMap<String, String>,
}

impl Attest {
    /// As the flag `--attest` takes it.
    pub fn text(&self) -> String {
        let disabled = self.disabled.then_some(("disabled", "true"));
        let attributes = self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        written(std::iter::once(("type", self.kind.as_str())).chain(disabled).chain(attributes))
    }

    /// What `--sbom` and `--provenance` of a build mean: a boolean, or attributes.
    pub(crate) fn short(kind: &str, text: &str) -> Result<Self, String> {
        match truth(text) {
            Some(wanted) => {
                Ok(Self { kind: kind.to_owned(), disabled: !wanted, attributes: BTreeMap::new() })
            }
            None => Self::from_text(&format!("type={kind},{text}")),
        }
    }
}

impl Entry for Attest {
    fn from_text(text: &str) -> Result<Self, String> {
        Self::from_fields(pairs(text)?.into_iter().collect())
    }

    fn from_fields(mut attributes: BTreeMap<String, String>) -> Result<Self, String> {
        let disabled = match attributes.remove("disabled") {
            Some(text) => truth(&text).ok_or_else(|| format!("`disabled` is true or false, not `{text}`"))?,
            None => false,
        };
        match attributes.remove("type") {
            Some(kind) if !kind.is_empty() => Ok(Self { kind, disabled, attributes }),
            _ => Err("an attestation needs a `type`, such as `type=sbom`".to_owned()),
        }
    }

    /// Of each type there is one: the last.
    fn merge(entries: &mut Vec<Self>, more: Vec<Self>) {
        for entry in more {
            match entries.iter_mut().find(|known| known.kind == entry.kind) {
                Some(known) => *known = entry,
                None => entries.push(entry),
            }
        }
    }
}
