//! The attributes of `target` and `group` blocks: their names, and what each must be.

use std::collections::BTreeMap;

use crate::entry::Entry;
use crate::error::{Problem, Result};
use crate::source::Place;
use crate::suggest;
use crate::target::{Group, Target};
use crate::value::Value;

const TARGET: [&str; 31] = [
    "annotations",
    "args",
    "attest",
    "cache-from",
    "cache-to",
    "call",
    "context",
    "contexts",
    "description",
    "dockerfile",
    "dockerfile-inline",
    "entitlements",
    "extra-hosts",
    "inherits",
    "labels",
    "matrix",
    "name",
    "network",
    "no-cache",
    "no-cache-filter",
    "output",
    "platforms",
    "policy",
    "pull",
    "resources",
    "secret",
    "shm-size",
    "ssh",
    "tags",
    "target",
    "ulimits",
];
const GROUP: [&str; 2] = ["description", "targets"];
const RESOURCES: [&str; 7] =
    ["memory", "memory-swap", "cpu-shares", "cpu-period", "cpu-quota", "cpuset-cpus", "cpuset-mems"];

/// An error if blocks of that kind have no such attribute.
pub(crate) fn check_name(kind: &str, name: &str, place: Place) -> Result<()> {
    let known: &[&str] = if kind == "group" { &GROUP } else { &TARGET };
    if known.contains(&name) {
        return Ok(());
    }
    // The names that people carry over from the command line and from compose files.
    let meant = match name {
        "outputs" => Some("output"),
        "secrets" => Some("secret"),
        "platform" => Some("platforms"),
        "tag" => Some("tags"),
        "build-args" | "build-arg" => Some("args"),
        "cache_from" => Some("cache-from"),
        "cache_to" => Some("cache-to"),
        "file" => Some("dockerfile"),
        other => suggest::closest(other, known.iter().copied()),
    };
    Err(Problem::at(place, format!("a {kind} has no attribute `{name}`")).meant(meant))
}

/// A value as others see it that refer to the attribute.
pub(crate) fn as_referred(name: &str, value: Value) -> Value {
    let text = |value: Value| value.text().map_or(value, Value::String);
    match (name, value) {
        ("args" | "labels" | "contexts" | "extra-hosts", Value::Object(fields)) => {
            Value::Object(fields.into_iter().map(|(name, value)| (name, text(value))).collect())
        }
        ("tags" | "platforms" | "annotations", Value::List(values)) => {
            Value::List(values.into_iter().map(text).collect())
        }
        ("context" | "dockerfile" | "target" | "network", value) => text(value),
        (_, value) => value,
    }
}

/// Sets the attribute of a target. Null counts as not given.
pub(crate) fn set(target: &mut Target, name: &str, value: Value, place: Place) -> Result<()> {
    if value == Value::Null {
        return Ok(());
    }
    let reader = Reader { name, place };
    match name {
        "description" => target.description = Some(reader.text(&value)?),
        "inherits" => target.inherits = reader.texts(value)?,
        "annotations" => target.annotations = Some(reader.texts(value)?),
        "attest" => target.attest = Some(reader.entries(&value)?),
        "context" => target.context = Some(reader.text(&value)?),
        "contexts" => target.contexts = reader.map(value)?,
        "dockerfile" => target.dockerfile = Some(reader.text(&value)?),
        "dockerfile-inline" => target.dockerfile_inline = Some(reader.text(&value)?),
        "args" => target.args = reader.map(value)?,
        "labels" => target.labels = reader.map(value)?,
        "tags" => target.tags = Some(reader.texts(value)?),
        "cache-from" => target.cache_from = Some(reader.entries(&value)?),
        "cache-to" => target.cache_to = Some(reader.entries(&value)?),
        "target" => target.stage = Some(reader.text(&value)?),
        "secret" => target.secrets = Some(reader.entries(&value)?),
        "ssh" => target.ssh = Some(reader.entries(&value)?),
        "platforms" => target.platforms = Some(reader.texts(value)?),
        "output" => target.outputs = Some(reader.entries(&value)?),
        "pull" => target.pull = Some(reader.truth(&value)?),
        "no-cache" => target.no_cache = Some(reader.truth(&value)?),
        "network" => target.network = Some(reader.text(&value)?),
        "no-cache-filter" => target.no_cache_filter = Some(reader.texts(value)?),
        "shm-size" => target.shm_size = Some(reader.text(&value)?),
        "ulimits" => target.ulimits = Some(reader.texts(value)?),
        "call" => target.call = Some(reader.text(&value)?),
        "entitlements" => target.entitlements = Some(reader.texts(value)?),
        "extra-hosts" => target.extra_hosts = reader.map(value)?,
        "policy" => target.policy = Some(reader.entries(&value)?),
        "resources" => {
            target.resources = reader.map(value)?;
            if let Some(other) = target.resources.keys().find(|name| !RESOURCES.contains(&name.as_str())) {
                let problem = Problem::at(place, format!("there is no resource `{other}`"));
                return Err(problem.meant(suggest::closest(other, RESOURCES)));
            }
        }
        // The names of blocks are settled before their attributes are.
        "name" | "matrix" => {}
        _ => check_name("target", name, place)?,
    }
    Ok(())
}

/// Sets the attribute of a group.
pub(crate) fn set_group(group: &mut Group, name: &str, value: Value, place: Place) -> Result<()> {
    let reader = Reader { name, place };
    match name {
        "description" if value == Value::Null => {}
        "description" => group.description = Some(reader.text(&value)?),
        "targets" => group.targets = reader.texts(value)?,
        "name" | "matrix" => {
            return Err(Problem::at(place, format!("a group has no `{name}`, only a target has")));
        }
        _ => check_name("group", name, place)?,
    }
    Ok(())
}

/// Reads a value as what the attribute must be.
struct Reader<'a> {
    name: &'a str,
    place: Place,
}

impl Reader<'_> {
    fn text(&self, value: &Value) -> Result<String> {
        value.text().ok_or_else(|| self.wrong("text", value))
    }

    fn truth(&self, value: &Value) -> Result<bool> {
        value.truth().ok_or_else(|| self.wrong("true or false", value))
    }

    fn texts(&self, value: Value) -> Result<Vec<String>> {
        let Value::List(values) = value else { return Err(self.wrong("a list of texts", &value)) };
        let given = values.into_iter().filter(|value| *value != Value::Null);
        given.map(|value| value.text().ok_or_else(|| self.wrong("a list of texts", &value))).collect()
    }

    /// A map of texts; what is null in it was not given.
    fn map(&self, value: Value) -> Result<BTreeMap<String, String>> {
        let Value::Object(fields) = value else { return Err(self.wrong("an object of texts", &value)) };
        let given = fields.into_iter().filter(|(_, value)| *value != Value::Null);
        given
            .map(|(name, value)| match value.text() {
                Some(text) => Ok((name, text)),
                None => {
                    let message = format!("`{name}` in `{}` must be text, not {}", self.name, value.kind());
                    Err(Problem::at(self.place, message))
                }
            })
            .collect()
    }

    /// A list of entries. Empty texts, which stand for "not this time", are left out.
    fn entries<T: Entry>(&self, value: &Value) -> Result<Vec<T>> {
        let Value::List(values) = value else { return Err(self.wrong("a list", value)) };
        let mut entries = Vec::with_capacity(values.len());
        for value in values.iter().filter(|value| **value != Value::Null && **value != Value::from("")) {
            let entry = T::from_value(value).map_err(|error| {
                Problem::at(self.place, format!("an entry of `{}` is wrong", self.name)).label(error)
            })?;
            T::merge(&mut entries, vec![entry]);
        }
        Ok(entries)
    }

    fn wrong(&self, wanted: &str, value: &Value) -> Box<Problem> {
        let problem =
            Problem::at(self.place, format!("`{}` must be {wanted}, not {}", self.name, value.kind()));
        match value {
            Value::String(_) if wanted.starts_with("a list") => problem.help("put it in brackets: `[…]`"),
            _ => problem,
        }
    }
}
