//! The config of an image on another base: a merge of three.
//!
//! | the image, compared with its old base   | the new base, compared with the old one | the result                  |
//! | --------------------------------------- | --------------------------------------- | --------------------------- |
//! | the same                                | the same                                | the same                    |
//! | the same                                | other                                   | that of the new base        |
//! | other                                   | the same                                | that of the image           |
//! | other                                   | other, and not as the image             | that of the image; is told  |
//!
//! Variables, labels, ports and volumes are compared one by one. A variable to whose old value the image put something in
//! front or behind, such as `PATH=/app/bin:$PATH`, gets that put to the new value. Triggers (`ONBUILD`) are always those of
//! the image: those of its old base were carried out when it was built.

use serde_json::{Map, Value};
use tug_oci::RunConfig;

/// One thing that the new base has otherwise than the old one, or the image otherwise than both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What it is: `User`, `Env PATH`, `Label version`.
    pub what: String,
    /// How the old base has it.
    pub old: Option<String>,
    /// How the new base has it.
    pub new: Option<String>,
    /// How the image had it.
    pub own: Option<String>,
    /// What the image has now.
    pub kept: Kept,
}

/// Whose value was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The image had it from its base, and now has it from the new one.
    New,
    /// The image and the new base have both changed it.
    Own,
    /// What the image added to the old value was added to the new one.
    Both,
}

/// The config of the image on its new base, and what to tell of it.
pub(super) fn merge(own: &RunConfig, old: &RunConfig, new: &RunConfig) -> (RunConfig, Vec<Difference>) {
    let mut differences = Vec::new();
    let [mut own_fields, old_fields, new_fields] = [own, old, new].map(fields);
    let triggers = own_fields.shift_remove("OnBuild");
    let mut merged = Map::new();
    for key in keys([&own_fields, &old_fields, &new_fields]) {
        let three = [&own_fields, &old_fields, &new_fields].map(|fields| fields.get(&key));
        let value = match key.as_str() {
            "OnBuild" => None,
            "Env" => {
                let [own, old, new] = three.map(variables);
                let env = each("Env", [&own, &old, &new], &mut differences, true);
                let lines = env.into_iter().map(|(name, value)| match value {
                    Value::String(value) => Value::String(format!("{name}={value}")),
                    _ => Value::String(name),
                });
                Some(Value::Array(lines.collect()))
            }
            "Labels" | "ExposedPorts" | "Volumes" => {
                let [own, old, new] =
                    three.map(|value| value.and_then(Value::as_object).cloned().unwrap_or_default());
                let what = key.strip_suffix('s').unwrap_or(&key);
                Some(Value::Object(each(what, [&own, &old, &new], &mut differences, false)))
            }
            _ => one(&key, three, &mut differences, false),
        };
        if let Some(value) = value {
            merged.insert(key, value);
        }
    }
    if let Some(triggers) = triggers {
        merged.insert("OnBuild".to_owned(), triggers);
    }
    let merged = serde_json::from_value(Value::Object(merged)).expect("each part is one of a config");
    (merged, differences)
}

fn fields(config: &RunConfig) -> Map<String, Value> {
    match serde_json::to_value(config) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    }
}

/// `["A=b", "C"]` as an object: a line without `=` has no value.
fn variables(lines: Option<&Value>) -> Map<String, Value> {
    let lines = lines.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let pair = |line: &str| match line.split_once('=') {
        Some((name, value)) => (name.to_owned(), Value::from(value)),
        None => (line.to_owned(), Value::Null),
    };
    lines.map(pair).collect()
}

/// The keys of all three: those of the new base first, in its order, then what the image has besides.
fn keys([own, old, new]: [&Map<String, Value>; 3]) -> Vec<String> {
    let mut keys: Vec<String> = new.keys().cloned().collect();
    for key in own.keys().chain(old.keys()) {
        if !new.contains_key(key) && !keys.contains(key) {
            keys.push(key.clone());
        }
    }
    keys
}

/// Merges an object key by key.
fn each(
    what: &str,
    maps: [&Map<String, Value>; 3],
    differences: &mut Vec<Difference>,
    joins: bool,
) -> Map<String, Value> {
    let mut merged = Map::new();
    for key in keys(maps) {
        let three = maps.map(|map| map.get(&key));
        if let Some(value) = one(&format!("{what} {key}"), three, differences, joins) {
            merged.insert(key, value);
        }
    }
    merged
}

/// Merges one value. With `joins`, what the image put before or behind a text is put to the new text.
fn one(
    what: &str,
    [own, old, new]: [Option<&Value>; 3],
    differences: &mut Vec<Difference>,
    joins: bool,
) -> Option<Value> {
    if old == new || own == new {
        return own.cloned();
    }
    let joined = match [own, old, new].map(|value| value.and_then(Value::as_str)) {
        [Some(own), Some(old), Some(new)] if joins && own != old => joined(own, old, new),
        _ => None,
    };
    let (kept, value) = match joined {
        Some(joined) => (Kept::Both, Some(Value::String(joined))),
        None if own == old => (Kept::New, new.cloned()),
        None => (Kept::Own, own.cloned()),
    };
    let [old, new, own] = [old, new, own].map(|value| value.map(text));
    differences.push(Difference { what: what.to_owned(), old, new, own, kept });
    value
}

/// `/app:OLD` or `OLD:/app` with `new` for `OLD`.
fn joined(own: &str, old: &str, new: &str) -> Option<String> {
    if old.is_empty() {
        return None;
    }
    let (before, behind) = own.split_once(old)?;
    let is_edge =
        |rest: &str, edge: Option<char>| rest.is_empty() || matches!(edge, Some(':' | ' ' | ',' | ';'));
    let stands_apart = is_edge(before, before.chars().last()) && is_edge(behind, behind.chars().next());
    stands_apart.then(|| format!("{before}{new}{behind}"))
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> RunConfig {
        serde_json::from_str(text).unwrap()
    }

    fn merged(own: &str, old: &str, new: &str) -> (String, Vec<String>) {
        let (merged, differences) = merge(&config(own), &config(old), &config(new));
        let told = differences.iter().map(|it| format!("{}: {:?}", it.what, it.kept)).collect();
        (serde_json::to_string(&merged).unwrap(), told)
    }

    #[test]
    fn what_the_image_changed_stays_and_the_rest_is_that_of_the_new_base() {
        let (merged, told) = merged(
            r#"{"User":"app","Env":["PATH=/bin","V=1","OWN=x"],"Cmd":["serve"],"WorkingDir":"/app"}"#,
            r#"{"User":"root","Env":["PATH=/bin","V=1"],"Cmd":["sh"]}"#,
            r#"{"User":"root","Env":["V=2","PATH=/bin","NEW=y"],"Cmd":["sh"],"StopSignal":"SIGINT"}"#,
        );
        assert_eq!(
            merged,
            r#"{"User":"app","Env":["V=2","PATH=/bin","NEW=y","OWN=x"],"Cmd":["serve"],"WorkingDir":"/app","StopSignal":"SIGINT"}"#
        );
        assert_eq!(told, ["Env V: New", "Env NEW: New", "StopSignal: New"]);
    }

    #[test]
    fn what_both_changed_is_that_of_the_image_and_is_told() {
        let (merged, told) = merged(
            r#"{"User":"app","Labels":{"a":"own","b":"1"},"Volumes":{"/own":{}}}"#,
            r#"{"User":"root","Labels":{"a":"old","b":"1","c":"1"}}"#,
            r#"{"User":"nobody","Labels":{"a":"new","b":"2"},"Volumes":{"/new":{}}}"#,
        );
        assert_eq!(merged, r#"{"User":"app","Volumes":{"/new":{},"/own":{}},"Labels":{"a":"own","b":"2"}}"#);
        assert_eq!(told, ["User: Own", "Volume /new: New", "Label a: Own", "Label b: New"]);
    }

    #[test]
    fn what_was_put_before_or_behind_a_variable_is_put_to_its_new_value() {
        let path = |own: &str, old: &str, new: &str| {
            let [own, old, new] = [own, old, new].map(|value| format!(r#"{{"Env":["PATH={value}"]}}"#));
            merged(&own, &old, &new)
        };
        let (config, told) = path("/app/bin:/usr/bin:/bin", "/usr/bin:/bin", "/usr/local/bin:/usr/bin:/bin");
        assert_eq!(config, r#"{"Env":["PATH=/app/bin:/usr/local/bin:/usr/bin:/bin"]}"#);
        assert_eq!(told, ["Env PATH: Both"]);
        let (config, told) = path("/x/bin:/y", "/bin", "/sbin");
        assert_eq!(config, r#"{"Env":["PATH=/x/bin:/y"]}"#, "it is a part of another word");
        assert_eq!(told, ["Env PATH: Own"]);
    }

    #[test]
    fn triggers_are_those_of_the_image() {
        let (config, told) =
            merged(r#"{"OnBuild":["RUN own"]}"#, r#"{"OnBuild":["RUN old"]}"#, r#"{"OnBuild":["RUN new"]}"#);
        assert_eq!(config, r#"{"OnBuild":["RUN own"]}"#);
        assert!(told.is_empty());
        assert_eq!(merged("{}", "{}", r#"{"OnBuild":["RUN new"]}"#).0, "{}");
    }

    #[test]
    fn what_the_new_base_no_longer_has_goes_unless_the_image_changed_it() {
        let (config, told) = merged(
            r#"{"Env":["A=1","B=own"],"Entrypoint":["/e"]}"#,
            r#"{"Env":["A=1","B=2"],"Entrypoint":["/e"]}"#,
            "{}",
        );
        assert_eq!(config, r#"{"Env":["B=own"]}"#);
        assert_eq!(told, ["Env A: New", "Env B: Own", "Entrypoint: New"]);
    }
}
