//! Secrets: where they are.

use std::collections::BTreeMap;

use super::{Entry, pairs, written};
use crate::suggest;

/// A secret that RUN steps may mount. Only where it comes from is known here, never what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Secret {
    /// Its name.
    pub id: Option<String>,
    /// The file it is in.
    pub source: Option<String>,
    /// The variable it is in.
    pub variable: Option<String>,
}

impl Secret {
    /// As the flag `--secret` takes it.
    pub fn text(&self) -> String {
        written(self.all())
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &str)> {
        [("id", &self.id), ("src", &self.source), ("env", &self.variable)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }

    fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Result<Self, String> {
        const KNOWN: [&str; 5] = ["id", "src", "source", "env", "type"];
        let mut secret = Self::default();
        let mut in_variable = false;
        for (name, value) in pairs {
            let value = Some(value).filter(|value| !value.is_empty());
            match name.as_str() {
                "id" => secret.id = value,
                "src" | "source" => secret.source = value,
                "env" => secret.variable = value,
                "type" => match value.as_deref() {
                    Some("file") => {}
                    Some("env") => in_variable = true,
                    _ => return Err("the type of a secret is `file` or `env`".to_owned()),
                },
                other => {
                    let meant = suggest::closest(other, KNOWN);
                    let meant = meant.map(|meant| format!(", did you mean `{meant}`?")).unwrap_or_default();
                    return Err(format!("a secret has no `{other}`{meant}"));
                }
            }
        }
        if in_variable && secret.variable.is_none() {
            secret.variable = secret.source.take();
        }
        Ok(secret)
    }
}

impl Entry for Secret {
    fn from_text(text: &str) -> Result<Self, String> {
        Self::new(pairs(text)?)
    }

    fn from_fields(fields: BTreeMap<String, String>) -> Result<Self, String> {
        Self::new(fields)
    }
}
