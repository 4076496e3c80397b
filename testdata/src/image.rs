//! Decides how two images are compared: the merged tree of their layers, and what their configs say to a user.
//!
//! Left out of a config: times, digests, and the fields that docker writes for containers (`Hostname`, `Tty` …).
//! Of the history texts of `EXPOSE` and `HEALTHCHECK` only the first word counts: they show values in the notation of
//! the program's own language, and that has changed between versions of docker.
//! `ArgsEscaped` is left out as well: it is deprecated, and meant something on Windows only.
//! Empty values count as absent. The history of the base is left out too: how a base came to be is not the build's.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use serde_json::{Map, Value};

use crate::Listing;

/// The fields of a config that a Dockerfile can set.
const SET_BY_DOCKERFILE: [&str; 12] = [
    "Cmd",
    "Entrypoint",
    "Env",
    "ExposedPorts",
    "Healthcheck",
    "Labels",
    "OnBuild",
    "Shell",
    "StopSignal",
    "User",
    "Volumes",
    "WorkingDir",
];

/// An image, read whole but for the contents of its files.
#[derive(Clone, Debug)]
pub struct Image {
    /// The image config as it stands in the archive.
    pub config: Value,
    /// The layers laid over each other.
    pub tree: Listing,
    /// The listing of each layer alone, whiteouts shown as the files they are.
    pub layers: Vec<Listing>,
}

impl Image {
    /// Reads an unpacked archive as `docker save` writes it: `manifest.json`, a config and plain layers.
    pub fn from_docker_archive(folder: &Path) -> Self {
        let manifest = read_json(&folder.join("manifest.json"));
        let config =
            read_json(&folder.join(manifest[0]["Config"].as_str().expect("a manifest names its config")));
        let (mut tree, mut layers) = (Listing::default(), Vec::new());
        for layer in manifest[0]["Layers"].as_array().expect("a manifest names its layers") {
            let path = folder.join(layer.as_str().expect("a layer is named by its path"));
            let open =
                || File::open(&path).unwrap_or_else(|error| panic!("no layer `{}`: {error}", path.display()));
            tree.apply_layer(open())
                .unwrap_or_else(|error| panic!("bad layer `{}`: {error}", path.display()));
            layers.push(Listing::of_raw_tar(open()));
        }
        Self { config, tree, layers }
    }

    /// How many entries the history has.
    pub fn history_length(&self) -> usize {
        self.config["history"].as_array().map_or(0, Vec::len)
    }
}

/// What of an image config a build decides, in a stable order: `config`, and `history` after the base's entries.
pub fn comparable_config(config: &Value, entries_of_base: usize) -> Value {
    let mut kept = Map::new();
    for field in SET_BY_DOCKERFILE {
        match config["config"].get(field) {
            Some(value) if !is_empty(value) => drop(kept.insert(field.to_owned(), sorted(value))),
            _ => {}
        }
    }
    let history = config["history"].as_array().map_or(&[][..], Vec::as_slice);
    let history = history.iter().skip(entries_of_base).map(comparable_history_entry).collect();
    Value::Object(Map::from_iter([
        ("author".to_owned(), config.get("author").cloned().unwrap_or(Value::Null)),
        ("config".to_owned(), Value::Object(kept)),
        ("history".to_owned(), Value::Array(history)),
    ]))
}

fn comparable_history_entry(entry: &Value) -> Value {
    let mut kept = Map::new();
    let mut text = entry["created_by"].as_str().unwrap_or_default();
    if let Some(word @ ("EXPOSE" | "HEALTHCHECK")) = text.split(' ').next() {
        text = word;
    }
    kept.insert("created_by".to_owned(), Value::String(without_ownership(text)));
    if entry["empty_layer"] == true {
        kept.insert("empty_layer".to_owned(), Value::Bool(true));
    }
    Value::Object(kept)
}

/// Newer versions of BuildKit write `--chown` and `--chmod` into the history, older ones do not.
fn without_ownership(text: &str) -> String {
    let is_flag = |word: &&str| word.starts_with("--chown=") || word.starts_with("--chmod=");
    match text.starts_with("COPY ") || text.starts_with("ADD ") {
        true => text.split(' ').filter(|word| !is_flag(word)).collect::<Vec<_>>().join(" "),
        false => text.to_owned(),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(values) => values.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields: BTreeMap<_, _> =
                fields.iter().map(|(name, value)| (name.clone(), sorted(value))).collect();
            Value::Object(Map::from_iter(fields))
        }
        other => other.clone(),
    }
}

fn read_json(path: &Path) -> Value {
    let bytes =
        std::fs::read(path).unwrap_or_else(|error| panic!("could not read `{}`: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("`{}` is not JSON: {error}", path.display()))
}
