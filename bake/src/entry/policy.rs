//! Source policies.

use std::collections::BTreeMap;

use super::{Entry, pairs, written};
use crate::suggest;

/// A rule for what a build may read. It is kept and shown; tug does not evaluate it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `filename`, `reset`, `disabled`, `strict`, `log-level`.
    pub attributes: BTreeMap<String, String>,
}

impl Policy {
    /// As the flag `--policy` takes it.
    pub fn text(&self) -> String {
        written(self.attributes.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }
}

impl Entry for Policy {
    fn from_text(text: &str) -> Result<Self, String> {
        Self::from_fields(pairs(text)?.into_iter().collect())
    }

    fn from_fields(attributes: BTreeMap<String, String>) -> Result<Self, String> {
        const KNOWN: [&str; 5] = ["filename", "reset", "disabled", "strict", "log-level"];
        match attributes.keys().find(|name| !KNOWN.contains(&name.as_str())) {
            Some(other) => {
                let meant = suggest::closest(other, KNOWN);
                let meant = meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
                Err(format!("a policy has no `{other}`{meant}"))
            }
            None => Ok(Self { attributes }),
        }
    }
}
