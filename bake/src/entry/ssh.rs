//! SSH agents and keys.

use std::collections::BTreeMap;

use super::Entry;
use crate::value::Value;

/// An SSH agent or keys that RUN steps may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ssh {
    /// Its name, mostly `default`.
    pub id: String,
    /// The socket of an agent, or keys; empty for the agent that the environment names.
    pub paths: Vec<String>,
}

impl Ssh {
    /// As the flag `--ssh` takes it.
    pub fn text(&self) -> String {
        match self.paths.as_slice() {
            [] => self.id.clone(),
            paths => format!("{}={}", self.id, paths.join(",")),
        }
    }
}

impl Entry for Ssh {
    fn from_text(text: &str) -> Result<Self, String> {
        let (id, paths) = match text.split_once('=') {
            Some((id, paths)) => (id, paths.split(',').map(str::to_owned).collect()),
            None => (text, Vec::new()),
        };
        Ok(Self { id: id.to_owned(), paths })
    }

    fn from_fields(mut fields: BTreeMap<String, String>) -> Result<Self, String> {
        let paths = fields.remove("paths").map(|paths| vec![paths]).unwrap_or_default();
        Ok(Self { id: fields.remove("id").unwrap_or_else(|| "default".to_owned()), paths })
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        let Value::Object(fields) = value else {
            return match value.text() {
                Some(text) => Self::from_text(&text),
                None => Err(format!("text or an object is needed, not {}", value.kind())),
            };
        };
        let mut fields = fields.clone();
        let paths = match fields.remove("paths") {
            Some(Value::List(paths)) => paths.iter().filter_map(Value::text).collect(),
            Some(Value::Null) | None => Vec::new(),
            Some(other) => return Err(format!("`paths` is a list, not {}", other.kind())),
        };
        let id = fields.remove("id").and_then(|id| id.text()).unwrap_or_else(|| "default".to_owned());
        match fields.into_keys().next() {
            Some(other) => Err(format!("an ssh entry has no `{other}`, only `id` and `paths`")),
            None => Ok(Self { id, paths }),
        }
    }
}
