//! What becomes of a result.

use std::collections::BTreeMap;

use super::{Entry, pairs, written};
use crate::csv;

/// What becomes of the result of a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Such as `image`, `local` or `tar`.
    pub kind: String,
    /// Where to.
    pub destination: Option<String>,
    /// Everything else.
    pub attributes: BTreeMap<String, String>,
}

impl Output {
    /// One with nothing but a type.
    pub(crate) fn of(kind: &str) -> Self {
        Self { kind: kind.to_owned(), destination: None, attributes: BTreeMap::new() }
    }

    /// As the flag `--output` takes it.
    pub fn text(&self) -> String {
        written(self.all())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        let destination = self.destination.as_deref().map(|destination| ("dest", destination));
        let attributes = self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        std::iter::once(("type", self.kind.as_str())).chain(destination).chain(attributes)
    }
}

impl Entry for Output {
    fn from_text(text: &str) -> Result<Self, String> {
        let fields = csv::fields(text)?;
        if fields.len() == 1 && fields[0] == text && !text.starts_with("type=") {
            let kind = if text == "-" { "tar" } else { "local" };
            return Ok(Self { destination: Some(text.to_owned()), ..Self::of(kind) });
        }
        Self::from_fields(pairs(text)?.into_iter().collect())
    }

    fn from_fields(mut attributes: BTreeMap<String, String>) -> Result<Self, String> {
        let destination = attributes.remove("dest").filter(|destination| !destination.is_empty());
        match attributes.remove("type") {
            Some(kind) if !kind.is_empty() => Ok(Self { kind, destination, attributes }),
            _ => Err("an output needs a `type`, such as `type=local`".to_owned()),
        }
    }
}
