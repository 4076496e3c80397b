//! `tug inspect`: all that is known about images, in docker's words: of those in the store, and of those on registries.

use std::str::FromStr;

use serde_json::{Map, Value, json};
use tug_layer_store::{Image, Store};
use tug_oci::{Platform, Reference, RunConfig};

use super::registry::inspect::Remote;
use super::registry::names::{DOCKER, RemoteName};
use crate::arguments::values::ImageName;
use crate::error::CommandError;
use crate::format;
use crate::images;
use crate::registry_settings::RegistryArguments;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug inspect`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug inspect app                                        Everything, as a JSON array
  tug inspect -f '{{json .Config.Env}}' app              The environment
  tug inspect -f '{{range .RootFS.Layers}}{{println .}}{{end}}' app
  tug inspect --remote debian:12                         What the registry has, without pulling it
  tug inspect --raw docker://debian:12                   Its manifest or index, byte for byte
  tug inspect --remote -f '{{range .Platforms}}{{println .Platform .Digest}}{{end}}' debian:12")]
pub(crate) struct InspectArguments {
    /// The images, by name or id (can be repeated)
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<Place>,
    /// Ask the registry, not the store; `docker://IMAGE` does the same for one image
    #[arg(long)]
    remote: bool,
    /// Look at the image of this platform [default: that of this machine]
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// Write the manifest or index as it is
    #[arg(long, conflicts_with_all = ["config", "format"])]
    raw: bool,
    /// Write the config as it is
    #[arg(long, conflicts_with = "format")]
    config: bool,
    /// Write `json`, or what a template says, such as `{{.Id}}`
    #[arg(short, long, value_name = "FORMAT")]
    format: Option<String>,
    /// Accepted as in docker: tug has only images to inspect
    #[arg(long = "type", value_name = "TYPE", value_parser = ["image"], hide = true)]
    kind: Option<String>,
    #[command(flatten)]
    registry: RegistryArguments,
}

/// Where an image is.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Store(ImageName),
    Registry(RemoteName),
}

impl FromStr for Place {
    type Err = tug_oci::ReferenceError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.starts_with(DOCKER) {
            true => text.parse().map(Self::Registry),
            false => text.parse().map(Self::Store),
        }
    }
}

impl Place {
    /// The same on a registry.
    fn on_registry(&self) -> Result<RemoteName, CommandError> {
        let not_a_name = |text: &str| {
            CommandError::usage(format_args!("`{text}` is not a name"))
                .hint("images on registries have no ids: write `NAME:TAG` or `NAME@DIGEST`")
        };
        match self {
            Self::Registry(name) => Ok(name.clone()),
            Self::Store(name) if name.as_str().starts_with("sha256:") => Err(not_a_name(name.as_str())),
            Self::Store(name) => name.as_str().parse().map_err(|_| not_a_name(name.as_str())),
        }
    }
}

/// Shows the images.
pub(super) fn run(arguments: &InspectArguments, settings: &Settings) -> Result<(), CommandError> {
    let platform = arguments.platform.as_ref();
    let mut values = Vec::new();
    for place in &arguments.images {
        let remote = match place {
            Place::Store(_) if !arguments.remote => None,
            place => Some(Remote::look(&place.on_registry()?, &arguments.registry, settings)?),
        };
        match (remote, place) {
            (Some(remote), _) if arguments.raw => settings.output.data(&remote.manifest(platform)?)?,
            (Some(remote), _) if arguments.config => settings.output.data(&remote.config(platform)?)?,
            (Some(remote), _) => values.push(remote.describe(platform)?),
            (None, Place::Registry(_)) => {}
            (None, Place::Store(name)) => {
                let store = session::open_to_read(settings)?;
                let image = find(&store, name, platform)?;
                match (arguments.raw, arguments.config) {
                    (true, _) => settings.output.data(image.manifest.bytes())?,
                    (false, true) => settings.output.data(image.config.bytes())?,
                    (false, false) => values.push(describe(&store, &image)?),
                }
            }
        }
    }
    match arguments.raw || arguments.config {
        true => Ok(()),
        false => format::values(arguments.format.as_deref(), &values, &settings.output),
    }
}

/// The image in the store. One that is not there may well be on a registry.
fn find(store: &Store, name: &ImageName, platform: Option<&Platform>) -> Result<Image, CommandError> {
    let found = store.find_image(name.as_str(), &platform.cloned().unwrap_or_else(Platform::host))?;
    found.ok_or_else(|| {
        let error = images::not_found(store, name);
        match name.reference().is_some_and(|reference| is_elsewhere(name.as_str(), &reference)) {
            true => error.also_hint(format!("`tug inspect --remote {}` asks the registry", name.as_str())),
            false => error,
        }
    })
}

/// Whether a name says by itself that it is on a registry.
fn is_elsewhere(text: &str, reference: &Reference) -> bool {
    text.contains('/') && text.starts_with(reference.registry())
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
pub(super) fn run_config(config: &RunConfig) -> Value {
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
