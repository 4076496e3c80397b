//! `tug push`: images of the store into registries.

use std::path::{Path, PathBuf};
use std::time::Instant;

use tug_layer_store::{LayerCompression, Store};
use tug_oci::{Descriptor, Platform, Reference};
use tug_transfer::PushOptions;

use super::pull::repository;
use crate::arguments::values::{self, ImageName};
use crate::error::CommandError;
use crate::human;
use crate::images;
use crate::progress::ProgressMode;
use crate::progress::transfer::Doing;
use crate::registry_settings::RegistryArguments;
use crate::session;
use crate::settings::Settings;
use crate::transfers::{self, Transfers};

/// Arguments of `tug push`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Blobs that are there, or in another repository of the registry, are not sent. Layers that were built here are compressed
while they are sent. Standard output gets NAME@DIGEST for each destination.

Examples:
  tug push registry.example/team/app:1
  tug push app registry.example/team/app:1 localhost:5000/app
  tug push app registry.example/app --compression zstd")]
pub(crate) struct PushArguments {
    /// The image, by name or id
    #[arg(value_name = "IMAGE")]
    image: ImageName,
    /// Where to [default: the name of the image itself]
    #[arg(value_name = "DESTINATION", value_parser = destination)]
    destinations: Vec<Reference>,
    /// All tags of the repository that the store has
    #[arg(short, long, conflicts_with_all = ["destinations", "digestfile"])]
    all_tags: bool,
    /// Of an image for several platforms, the one for this one [default: all]
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// All images of an index; those that the store has not come from where it was pulled
    #[arg(long, conflicts_with = "platform")]
    all: bool,
    /// What plain layers are compressed with
    #[arg(long, visible_alias = "compression-format", value_name = "HOW", default_value = "gzip")]
    compression: Compression,
    /// How much: 1 (fast) to 12 for gzip, 1 to 19 for zstd [default: 6 and 3]
    #[arg(long, value_name = "LEVEL")]
    compression_level: Option<i32>,
    /// Compress layers anew that are compressed otherwise
    #[arg(long)]
    force_compression: bool,
    /// Ask for each blob, even when the registry has the manifest
    #[arg(long)]
    check_blobs: bool,
    /// Write the digest to this file too
    #[arg(long, value_name = "FILE")]
    digestfile: Option<PathBuf>,
    /// Show nothing but names and errors
    #[arg(short, long)]
    quiet: bool,
    /// How to show progress
    #[arg(long, value_name = "HOW", conflicts_with = "quiet")]
    progress: Option<ProgressMode>,
    #[command(flatten)]
    registry: RegistryArguments,
}

/// What layers are compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Compression {
    /// gzip, which everybody reads
    Gzip,
    /// Zstandard, which is smaller and faster
    Zstd,
    /// Nothing
    #[value(alias = "uncompressed")]
    None,
}

impl Compression {
    pub(super) fn with_level(self, level: Option<i32>) -> Result<LayerCompression, CommandError> {
        let (word, most) = match self {
            Self::Gzip => ("gzip", 12),
            Self::Zstd => ("zstd", 19),
            Self::None if level.is_some() => {
                return Err(CommandError::usage("`--compression none` has no levels"));
            }
            Self::None => return Ok(LayerCompression::Plain),
        };
        match (self, level) {
            (_, Some(level)) if !(1..=most).contains(&level) => {
                Err(CommandError::usage(format_args!("{word} has no level {level}: expected 1 to {most}")))
            }
            (Self::Zstd, level) => Ok(LayerCompression::Zstd(level.unwrap_or(3))),
            (_, level) => Ok(LayerCompression::Gzip(level.unwrap_or(6))),
        }
    }
}

/// A name to push to. skopeo and podman put `docker://` before it.
pub(crate) fn destination(text: &str) -> Result<Reference, String> {
    values::new_name(text.strip_prefix("docker://").unwrap_or(text))
}

/// Pushes the image.
pub(super) fn run(arguments: &PushArguments, settings: &Settings) -> Result<(), CommandError> {
    let mode = transfers::mode(arguments.progress, arguments.quiet, settings)?;
    let options = PushOptions {
        compression: arguments.compression.with_level(arguments.compression_level)?,
        all_layers: arguments.force_compression,
        all: arguments.all,
        only: arguments.platform.clone(),
        checks_blobs: arguments.check_blobs,
        ..PushOptions::new(Platform::host())
    };
    let store = session::open_to_read(settings)?;
    session::tidy_in_background(&store);
    let jobs = jobs(arguments, &store)?;
    let names: Vec<Reference> = jobs.iter().flat_map(|job| job.destinations.clone()).collect();
    let registry = arguments.registry.options(&settings.environment, transfers::registry(&names))?;
    let transfers = Transfers::start(registry, mode, Doing::Pushing, settings)?;
    let mut lines = String::new();
    let mut last = None;
    for Job { name, target, destinations } in &jobs {
        let before = Instant::now();
        let pushed = transfers.remote.push(&store, name, target, destinations, &options);
        for pushed in transfers.end(pushed)? {
            let name = pushed.name.familiar();
            transfers.note(&format!("pushed {name} in {}", human::seconds(before.elapsed())));
            lines += &format!("{}@{}\n", repository(&pushed.name), pushed.target.digest);
            last = Some(pushed.target.digest);
        }
    }
    transfers.finish();
    if let (Some(path), Some(digest)) = (&arguments.digestfile, last) {
        write_digest(path, &digest.to_string())?;
    }
    settings.output.data(lines.as_bytes())
}

/// One image, and where it goes.
struct Job {
    name: String,
    target: Descriptor,
    destinations: Vec<Reference>,
}

fn jobs(arguments: &PushArguments, store: &Store) -> Result<Vec<Job>, CommandError> {
    let own = arguments.image.reference();
    if arguments.all_tags {
        return all_tags(own, arguments, store);
    }
    let target = images::find_target(store, &arguments.image)?;
    let destinations = match (arguments.destinations.is_empty(), own) {
        (false, _) => arguments.destinations.clone(),
        (true, Some(own)) if own.digest().is_none() && store.resolve(&own)?.is_some() => vec![own],
        (true, _) => {
            let message = format!("`{}` is not a name to push to", arguments.image.as_str());
            return Err(CommandError::usage(message).hint("say where to: `tug push IMAGE DESTINATION`"));
        }
    };
    let name = arguments.image.as_str().to_owned();
    Ok(vec![Job { name, target, destinations }])
}

fn all_tags(
    own: Option<Reference>,
    arguments: &PushArguments,
    store: &Store,
) -> Result<Vec<Job>, CommandError> {
    let Some(own) = own else { return Err(images::not_found(store, &arguments.image)) };
    let is_tag = |name: &Reference| repository(name) == repository(&own) && name.digest().is_none();
    let tags = store.refs()?.into_iter().filter(|(name, _)| is_tag(name));
    let jobs: Vec<Job> =
        tags.map(|(name, target)| Job { name: name.familiar(), target, destinations: vec![name] }).collect();
    match jobs.is_empty() {
        true => Err(images::not_found(store, &arguments.image)),
        false => Ok(jobs),
    }
}

/// Only the digest, as podman writes it.
fn write_digest(path: &Path, digest: &str) -> Result<(), CommandError> {
    std::fs::write(path, digest).map_err(|error| {
        CommandError::failed(format_args!("could not write `{}`", path.display())).because(&error)
    })
}
