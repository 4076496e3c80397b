//! `tug inspect`: all that is known about images, in docker's words.

use serde_json::{Map, Value, json};
use tug_layer_store::{Image, Store};
use tug_oci::{Reference, RunConfig};

use crate::arguments::values::ImageName;
use crate::error::CommandError;
use crate::format;
use crate::images;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug inspect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug inspect app                                        Everything, as a JSON array
  tug inspect -f '{{json .Config.Env}}' app              The environment
  tug inspect -f '{{range .RootFS.Layers}}{{println .}}{{end}}' app")]
pub(crate) struct InspectArguments {
    /// The images, by name or id (can be repeated)
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<ImageName>,
    /// Write `json`, or what a template says, such as `{{.Id}}`
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    /// Accepted as in docker: tug has only images to inspect
    #[arg(long = "type", value_name = "TYPE", value_parser = ["image"], hide = true)]
    kind: Option<String>,
}

/// Shows the images.
pub(super) fn run(arguments: &InspectArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = session::open_store(settings)?;
    let mut values = Vec::new();
    for name in &arguments.images {
        values.push(describe(&store, &images::find(&store, name)?)?);
    }
    format::values(arguments.format.as_deref(), &values, &settings.output)
}

fn describe(store: &Store, image: &Image) -> Result<Value, CommandError> {
    let refs = store.refs()?;
    let names: Vec<&Reference> = refs
        .iter()
        .filter(|(_, target)| target.digest == image.descriptor.digest)
        .map(|(name, _)| name)
        .collect();
    let tags: Vec<String> =
        names.iter().filter(|name| name.tag().is_some()).map(|name| name.familiar()).collect();
    let mut digests: Vec<String> =
        names.iter().map(|name| format!("{}@{}", name.familiar_name(), image.descriptor.digest)).collect();
    digests.dedup();
    let config = &image.config;
    let comment = config.history.last().and_then(|entry| entry.comment.as_deref()).unwrap_or("");
    Ok(json!({
        "Id": image.id(),
        "RepoTags": tags,
        "RepoDigests": digests,
        "Digest": image.descriptor.digest,
        "Comment": comment,
        "Created": config.created,
        "Author": config.author.as_deref().unwrap_or(""),
        "Architecture": config.platform.architecture,
        "Variant": config.platform.variant.as_deref().unwrap_or(""),
        "Os": config.platform.os,
        "Size": image.size(),
        "Config": run_config(&config.config),
        "RootFS": {"Type": "layers", "Layers": config.rootfs.diff_ids},
    }))
}

/// The config with all the fields that templates may ask for, also when they are empty.
fn run_config(config: &RunConfig) -> Value {
    let mut all = json!({
        "User": "",
        "ExposedPorts": null,
        "Env": null,
        "Entrypoint": null,
        "Cmd": null,
        "Healthcheck": null,
        "Volumes": null,
        "WorkingDir": "",
        "OnBuild": null,
        "Labels": null,
        "StopSignal": "",
        "Shell": null,
    });
    let own = match serde_json::to_value(config) {
        Ok(Value::Object(own)) => own,
        _ => Map::new(),
    };
    if let Value::Object(all) = &mut all {
        all.extend(own);
    }
    all
}
