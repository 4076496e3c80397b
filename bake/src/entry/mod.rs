//! Entries of `output`, `cache-from`, `cache-to`, `secret`, `ssh`, `attest` and `policy`: each is written as text
//! (`type=local,dest=out`) or as an object (`{type = "local", dest = "out"}`).

mod attest;
mod cache;
mod output;
mod policy;
mod secret;
mod ssh;

use std::collections::BTreeMap;

pub use attest::Attest;
pub use cache::Cache;
pub use output::Output;
pub use policy::Policy;
pub use secret::Secret;
pub use ssh::Ssh;

use crate::csv;
use crate::value::Value;

/// How an entry is read and written.
pub(crate) trait Entry: Sized + Clone + PartialEq {
    /// From text; `Err` says what is wrong with it.
    fn from_text(text: &str) -> Result<Self, String>;

    /// From the fields of an object.
    fn from_fields(fields: BTreeMap<String, String>) -> Result<Self, String>;

    /// From a value of a definition.
    fn from_value(value: &Value) -> Result<Self, String> {
        match value {
            Value::String(text) => Self::from_text(text),
            Value::Object(fields) => Self::from_fields(texts(fields)?),
            other => Err(format!("text or an object is needed, not {}", other.kind())),
        }
    }

    /// Takes in `more`: one after the other, without what is there already.
    fn merge(entries: &mut Vec<Self>, more: Vec<Self>) {
        for entry in more {
            if !entries.contains(&entry) {
                entries.push(entry);
            }
        }
    }
}

/// The fields of an object as text; those that are null are left out.
fn texts(fields: &BTreeMap<String, Value>) -> Result<BTreeMap<String, String>, String> {
    fields
        .iter()
        .filter(|(_, value)| **value != Value::Null)
        .map(|(name, value)| match value.text() {
            Some(text) => Ok((name.clone(), text)),
            None => Err(format!("`{name}` must be text, not {}", value.kind())),
        })
        .collect()
}

/// `name=value,…` as pairs, the names in lower case.
fn pairs(text: &str) -> Result<Vec<(String, String)>, String> {
    csv::fields(text)?
        .into_iter()
        .map(|field| match field.split_once('=') {
            Some((name, value)) => Ok((name.trim().to_lowercase(), value.to_owned())),
            None => Err(format!("`{field}` is not `name=value`")),
        })
        .collect()
}

/// `type=TYPE,name=value,…`, as the command line of a build takes it.
fn written<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    pairs
        .into_iter()
        .map(|(name, value)| csv::quoted(&format!("{name}={value}")))
        .collect::<Vec<_>>()
        .join(",")
}

/// `true` or `false` as Go's tools read it.
pub(crate) fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}
