//! What differs in the configs of two images: how they run and what they say about themselves.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tug_layer_store::Image;

use super::Section;
use crate::commands::inspect::run_config;
use crate::human;

/// Characters of a value that the table shows.
const VALUE: usize = 160;

/// Compares field by field; the environment, labels and other lists of names, name by name.
pub(super) fn section(before: &Image, after: &Image) -> Section {
    let (one, other) = (fields(before), fields(after));
    let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
    names.sort();
    names.dedup();
    let mut changes = Vec::new();
    let mut text = String::new();
    for name in names {
        let (one, other) = (one.get(name), other.get(name));
        if one == other {
            continue;
        }
        let shown = |value: &Value| {
            let text = match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let text = human::one_line(&text);
            match text.chars().nth(VALUE) {
                Some(_) => text.chars().take(VALUE).collect::<String>() + "…",
                None => text,
            }
        };
        let label = human::one_line(name);
        text += &match (one, other) {
            (None, Some(other)) => format!("  + {label} = {}\n", shown(other)),
            (Some(one), None) => format!("  - {label} = {}\n", shown(one)),
            (Some(one), Some(other)) => format!("  ~ {label}: {} → {}\n", shown(one), shown(other)),
            (None, None) => continue,
        };
        changes.push(json!({"field": name, "before": one, "after": other}));
    }
    let count = changes.len();
    Section { name: "config", data: changes.into(), text, count }
}

/// Every value under a name of its own. Empty ones count as absent.
pub(in crate::commands) fn fields(image: &Image) -> BTreeMap<String, Value> {
    let config = &image.config;
    let mut fields = BTreeMap::new();
    let mut put = |name: String, value: Value| {
        let is_empty = match &value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(values) => values.is_empty(),
            Value::Object(values) => values.is_empty(),
            _ => false,
        };
        if !is_empty {
            fields.insert(name, value);
        }
    };
    put("Platform".to_owned(), config.platform.to_string().into());
    put("Author".to_owned(), config.author.clone().into());
    if let Value::Object(run) = run_config(&config.config) {
        for (name, value) in run {
            match (name.as_str(), value) {
                ("Env", Value::Array(variables)) => {
                    for variable in variables {
                        let text = variable.as_str().unwrap_or_default();
                        let (name, value) = text.split_once('=').unwrap_or((text, ""));
                        // An empty variable is something else than none.
                        fields_of(&mut put, "Env", name, value.into());
                    }
                }
                ("Labels" | "ExposedPorts" | "Volumes", Value::Object(values)) => {
                    for (key, value) in values {
                        let value = if value.is_object() { Value::Bool(true) } else { value };
                        fields_of(&mut put, &name, &key, value);
                    }
                }
                (_, value) => put(name, value),
            }
        }
    }
    for (key, value) in &image.manifest.annotations {
        fields_of(&mut put, "Annotations", key, value.clone().into());
    }
    fields
}

fn fields_of(put: &mut dyn FnMut(String, Value), group: &str, key: &str, value: Value) {
    let value = match value {
        Value::String(text) if text.is_empty() => Value::from("\"\""),
        other => other,
    };
    put(format!("{group}.{key}"), value);
}
