//! Reads the form that docker wrote before version 1.10: `repositories` names images, each layer is an image with a parent.
//!
//! ```text
//! repositories          {"name": {"tag": "<id>"}}
//! <id>/json             config of the image that ends with this layer, and the id of the one below: `parent`
//! <id>/layer.tar        what this layer changes
//! ```
//! The config is made of that of the topmost layer as docker makes it when it loads such an archive: the same fields without
//! those about layers, with history and diff ids. So the image has the id that it has there. An archive that has
//! `manifest.json` too is read by that.

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tug_oci::{Descriptor, ImageConfig, Manifest, Raw, json_reason, media_type};

use super::docker::{named, plan_plain_layer};
use super::error::ArchiveError;
use super::load::{LoadOptions, LoadPlan, PlannedImage};
use super::source::Source;
use crate::entry::shown;
use crate::error::{Error, Result};
use crate::image::{DOCUMENT_LIMIT, MOST_DOCUMENTS};

const NAMES_FILE: &str = "repositories";
/// Docker itself had a limit of 127.
const MOST_LAYERS: u64 = 500;
/// Fields about the layer, which the config of an image does not have.
const OF_LAYERS: [&str; 6] = ["id", "parent", "Size", "parent_id", "layer_id", "throwaway"];

/// What is read of `json`.
#[derive(Deserialize)]
struct OldImage {
    #[serde(default)]
    parent: Option<String>,
    #[serde(default)]
    created: Option<String>,
    #[serde(default)]
    author: Option<String>,
    #[serde(default)]
    comment: Option<String>,
    #[serde(default)]
    container_config: Option<OldCommand>,
}

#[derive(Deserialize)]
struct OldCommand {
    #[serde(default, rename = "Cmd")]
    cmd: Option<Vec<String>>,
}

/// One layer of the chain, lowest last.
struct Link {
    id: String,
    image: OldImage,
}

/// Plans to load every image of the archive; `false` when there is none.
pub(super) fn plan(source: &mut Source, options: &LoadOptions, plan: &mut LoadPlan) -> Result<bool> {
    let Some(file) = source.find(NAMES_FILE)? else { return Ok(false) };
    let bytes = source.read(&file, DOCUMENT_LIMIT)?;
    let names: BTreeMap<String, BTreeMap<String, String>> =
        serde_json::from_slice(&bytes).map_err(|error| malformed(NAMES_FILE, json_reason(&error)))?;
    let mut by_id: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (name, tags) in names {
        for (tag, id) in tags {
            by_id.entry(id).or_default().push(format!("{name}:{tag}"));
        }
    }
    if by_id.len() as u64 > MOST_DOCUMENTS {
        return Err(Error::TooMany { what: "images in the archive".to_owned(), limit: MOST_DOCUMENTS });
    }
    for (id, called) in by_id {
        match options.wants(&called) {
            true => plan_image(source, plan, &id, &called)?,
            false => plan.passed_over.extend(called),
        }
    }
    Ok(true)
}

fn plan_image(source: &mut Source, plan: &mut LoadPlan, id: &str, called: &[String]) -> Result<()> {
    let (chain, top) = chain_of(source, id)?;
    let (mut layers, mut diff_ids, mut history) = (Vec::new(), Vec::new(), Vec::new());
    for link in chain.iter().rev() {
        let path = format!("{}/layer.tar", link.id);
        let (layer, diff_id) = plan_plain_layer(source, plan, &path)?;
        layers.push(layer);
        diff_ids.push(diff_id.to_string());
        history.push(history_of(&link.image));
    }
    let path = format!("{id}/json");
    let mut config: BTreeMap<String, Value> = serde_json::from_slice::<Map<String, Value>>(&top)
        .map_err(|error| malformed(&path, json_reason(&error)))?
        .into_iter()
        .filter(|(key, _)| !OF_LAYERS.contains(&key.as_str()))
        .collect();
    config.insert("rootfs".to_owned(), json!({ "type": "layers", "diff_ids": diff_ids }));
    config.insert("history".to_owned(), Value::Array(history));
    for (key, usual) in [("os", "linux"), ("architecture", "amd64")] {
        config.entry(key.to_owned()).or_insert_with(|| usual.into());
    }
    let bytes = serde_json::to_vec(&config).expect("what was JSON can be written as such");
    let config = Raw::<ImageConfig>::parse(bytes)
        .map_err(|source| ArchiveError::Document { path: shown(path.as_bytes()), source })?;
    let descriptor = Descriptor::new(media_type::OCI_CONFIG, config.digest().clone(), config.size());
    let manifest = Raw::encode(Manifest::new(descriptor, layers));
    let mut target = Descriptor::new(media_type::OCI_MANIFEST, manifest.digest().clone(), manifest.size());
    target.platform = Some(config.platform.clone());
    plan.documents.extend([config.bytes().to_vec(), manifest.bytes().to_vec()]);
    let names = called.iter().map(|name| {
        let parsed = name.parse();
        parsed.map_err(|source| ArchiveError::Name { name: shown(name.as_bytes()), source }.into())
    });
    let names = names.collect::<Result<Vec<_>>>()?;
    plan.add_image(PlannedImage { target, configs: vec![config.digest().clone()], names });
    Ok(())
}

/// The layers from the topmost down to the one without a parent, and the bytes of the first config.
fn chain_of(source: &mut Source, id: &str) -> Result<(Vec<Link>, Vec<u8>)> {
    let (mut chain, mut top): (Vec<Link>, _) = (Vec::new(), None);
    let mut seen = HashSet::new();
    let mut next = Some(id.to_owned());
    while let Some(id) = next {
        let is_id = id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_id {
            let by = chain.last().map_or(NAMES_FILE.to_owned(), |link| format!("{}/json", link.id));
            return Err(malformed(&by, format!("`{}` is no id", shown(id.as_bytes()))));
        }
        let path = format!("{id}/json");
        if !seen.insert(id.clone()) {
            return Err(malformed(&path, "it is among its own parents".to_owned()));
        }
        if seen.len() as u64 > MOST_LAYERS {
            return Err(Error::TooMany { what: "layers of an image".to_owned(), limit: MOST_LAYERS });
        }
        let file = named(source, &path, &format!("the config of layer `{id}`"))?;
        let bytes = source.read(&file, DOCUMENT_LIMIT)?;
        let image: OldImage =
            serde_json::from_slice(&bytes).map_err(|error| malformed(&path, json_reason(&error)))?;
        next = image.parent.clone().filter(|parent| !parent.is_empty());
        chain.push(Link { id, image });
        top.get_or_insert(bytes);
    }
    Ok((chain, top.unwrap_or_default()))
}

/// In the order in which docker writes it.
fn history_of(image: &OldImage) -> Value {
    let command = image.container_config.as_ref().and_then(|config| config.cmd.as_ref());
    let fields = [
        ("created", image.created.clone()),
        ("author", image.author.clone()),
        ("created_by", command.map(|words| words.join(" "))),
        ("comment", image.comment.clone()),
    ];
    let fields = fields.into_iter().filter_map(|(key, value)| {
        let value = value.filter(|value| !value.is_empty())?;
        Some((key.to_owned(), Value::String(value)))
    });
    Value::Object(fields.collect())
}

fn malformed(path: &str, reason: String) -> Error {
    ArchiveError::Malformed { path: shown(path.as_bytes()), reason }.into()
}
