//! What is in the build cache, in words: for lists of it.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::Value;
use tug_layer_store::{ResultKind, Store};
use tug_oci::Digest;

use crate::error::Error;
use crate::record::StepResult;

/// What steps did, by their keys, as far as their newest records say it.
#[derive(Clone, Debug, Default)]
pub struct StepNames(HashMap<Digest, String>);

/// The part of what is remembered of a step that names it.
#[derive(Deserialize)]
struct Named {
    key: Digest,
    inputs: Vec<NamedInput>,
}

#[derive(Deserialize)]
struct NamedInput {
    name: String,
    value: String,
}

impl StepNames {
    /// Reads what `store` remembers of steps. What cannot be read names nothing.
    pub fn read(store: &Store) -> Result<Self, Error> {
        let mut names = HashMap::new();
        store.each_last_record(&mut |bytes| {
            if let Ok(named) = serde_json::from_slice::<Named>(bytes)
                && let Some(name) = instruction(&named.inputs)
            {
                names.insert(named.key, name);
            }
        })?;
        Ok(Self(names))
    }

    /// What a step did that is known by one of `keys`: `RUN make`, `COPY src /app`.
    pub fn find(&self, keys: &[Digest]) -> Option<&str> {
        keys.iter().find_map(|key| self.0.get(key)).map(String::as_str)
    }
}

/// Says of the bytes of a result what it is the result of.
pub fn result_kind(bytes: &[u8]) -> ResultKind {
    match serde_json::from_slice::<Value>(bytes) {
        // The layer of an archive that was a context.
        Ok(Value::String(_)) => ResultKind::Download,
        Ok(value) if value.get("file").is_some() => ResultKind::Download,
        Ok(value) if value.get("layers").is_some() => ResultKind::Commit,
        Ok(value) if serde_json::from_value::<StepResult>(value.clone()).is_ok() => ResultKind::Step,
        _ => ResultKind::Nothing,
    }
}

/// The instruction, put together from what went into the key.
fn instruction(inputs: &[NamedInput]) -> Option<String> {
    let value = |name: &str| inputs.iter().find(|input| input.name == name).map(|input| input.value.as_str());
    if let Some(line) = value("RUN") {
        return Some(format!("RUN {line}"));
    }
    if let Some(destination) = value("destination") {
        let sources = inputs.iter().filter(|input| input.name.starts_with("source "));
        let sources: Vec<String> = sources.map(|input| input.value.replace('\n', " ")).collect();
        return Some(
            ["COPY".to_owned()]
                .into_iter()
                .chain(sources)
                .chain([destination.to_owned()])
                .collect::<Vec<_>>()
                .join(" "),
        );
    }
    value("WORKDIR").map(|path| format!("WORKDIR {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_named_by_its_instruction() {
        let named = |inputs: &[(&str, &str)]| {
            let input = |(name, value): &(&str, &str)| NamedInput {
                name: (*name).to_owned(),
                value: (*value).to_owned(),
            };
            instruction(&inputs.iter().map(input).collect::<Vec<_>>())
        };
        let run = named(&[("platform", "linux/amd64"), ("RUN", "make"), ("WORKDIR", "/")]);
        assert_eq!(run.as_deref(), Some("RUN make"));
        let copy = named(&[("destination", "/app/"), ("source 1", "src"), ("source 2", "a\nb")]);
        assert_eq!(copy.as_deref(), Some("COPY src a b /app/"));
        assert_eq!(named(&[("WORKDIR", "/x"), ("USER", "")]).as_deref(), Some("WORKDIR /x"));
        assert_eq!(named(&[]), None);
    }

    #[test]
    fn results_are_told_apart() {
        let layer = Digest::of(b"layer");
        let step = format!(r#"{{"layer":"{layer}","size":1,"created":"","build":""}}"#);
        assert_eq!(result_kind(step.as_bytes()), ResultKind::Step);
        assert_eq!(result_kind(format!("\"{layer}\"").as_bytes()), ResultKind::Download);
        assert_eq!(result_kind(br#"{"file":{},"etag":null}"#), ResultKind::Download);
        assert_eq!(result_kind(br#"{"layers":[],"time":1}"#), ResultKind::Commit);
        for nothing in ["{}", "", "[", "1"] {
            assert_eq!(result_kind(nothing.as_bytes()), ResultKind::Nothing, "{nothing}");
        }
    }
}
