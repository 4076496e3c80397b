//! Where cache comes from and goes to.

use std::collections::BTreeMap;

use super::{Entry, pairs, written};
use crate::csv;

/// A place that cache comes from or goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    /// Such as `registry`, `local` or `gha`.
    pub kind: String,
    /// Everything else.
    pub attributes: BTreeMap<String, String>,
}

impl Cache {
    /// As the flags `--cache-from` and `--cache-to` take it.
    pub fn text(&self) -> String {
        match self.attributes.get("ref") {
            Some(reference) if self.kind == "registry" && self.attributes.len() == 1 => reference.clone(),
            _ => written(self.all()),
        }
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let attributes = self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        std::iter::once(("type", self.kind.as_str())).chain(attributes)
    }
}

impl Entry for Cache {
    fn from_text(text: &str) -> Result<Self, String> {
        if let [only] = csv::fields(text)?.as_slice()
            && !only.contains('=')
        {
            let attributes = BTreeMap::from([("ref".to_owned(), only.clone())]);
            return Ok(Self { kind: "registry".to_owned(), attributes });
        }
        Self::from_fields(pairs(text)?.into_iter().collect())
    }

    fn from_fields(mut attributes: BTreeMap<String, String>) -> Result<Self, String> {
        match attributes.remove("type") {
            Some(kind) if !kind.is_empty() => Ok(Self { kind, attributes }),
            _ => Err("a cache needs a `type`, such as `type=local`".to_owned()),
        }
    }
}
