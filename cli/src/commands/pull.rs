//! `tug pull`: images from a registry into the store.

use std::time::Instant;

use tug_layer_store::Store;
use tug_oci::{Digest, Platform, Reference};
use tug_registry_client::hosts::Hosts;
use tug_transfer::{Layers, PullOptions, Pulled, Status};

use crate::error::CommandError;
use crate::human;
use crate::progress::ProgressMode;
use crate::progress::transfer::Doing;
use crate::registry_settings::{RegistryArguments, TypedName};
use crate::session::{self, Session};
use crate::settings::Settings;
use crate::transfers::{self, Transfers};

/// Arguments of `tug pull`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is in the store already is not fetched, and a pull that broke off goes on where it was. Standard output gets
NAME@DIGEST for each image.

Examples:
  tug pull debian:12
  tug pull ghcr.io/a/tool:v1 --platform linux/arm64
  tug pull --lazy registry.example/large        Layers come when somebody needs them")]
pub(crate) struct PullArguments {
    /// The images; what a name without a registry means, registries.conf may say
    #[arg(required = true, value_name = "NAME")]
    names: Vec<TypedName>,
    /// Of an image for several platforms, the one for this one [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// The images for all platforms
    #[arg(long)]
    all_platforms: bool,
    /// When to ask the registry
    #[arg(long, value_name = "WHEN", default_value = "always")]
    policy: Policy,
    /// Keep layers as they come; they are unpacked when somebody needs them
    #[arg(long)]
    no_unpack: bool,
    /// Fetch no layers; they come when somebody needs them
    #[arg(long, conflicts_with = "no_unpack")]
    lazy: bool,
    /// Show nothing but names and errors
    #[arg(short, long)]
    quiet: bool,
    /// How to show progress
    #[arg(long, value_name = "HOW", conflicts_with = "quiet")]
    progress: Option<ProgressMode>,
    #[command(flatten)]
    registry: RegistryArguments,
}

/// When to ask the registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Policy {
    /// Each time
    Always,
    /// When the store has no image of that name
    Missing,
    /// Each time, but the image of the store will do when the registry does not answer
    Newer,
    /// Never: it must be in the store
    Never,
}

/// Pulls the images.
pub(super) fn run(arguments: &PullArguments, settings: &Settings) -> Result<(), CommandError> {
    let mode = transfers::mode(arguments.progress, arguments.quiet, settings)?;
    let hosts = arguments.registry.connection.hosts(&settings.environment, &[]);
    let hosts = Hosts::new(hosts);
    let meant = arguments.names.iter().map(|name| name.full(&hosts)).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<Reference> = meant.iter().map(|name| name.reference.clone()).collect();
    let registry = arguments.registry.options(&settings.environment, transfers::registry(&names))?;
    let (store, can_unpack) = open(arguments, settings)?;
    session::tidy_in_background(&store);
    let layers = match (arguments.lazy, arguments.no_unpack) {
        (true, _) => Layers::Lazy,
        (_, true) => Layers::Packed,
        _ if can_unpack => Layers::Unpacked,
        _ => Layers::Listed,
    };
    let options = PullOptions {
        platform: arguments.platform.clone().unwrap_or_else(Platform::host),
        all_platforms: arguments.all_platforms,
        layers,
        gives_name: true,
    };
    let transfers = Transfers::start(registry, mode, Doing::Pulling, settings)?;
    for note in meant.iter().filter_map(|name| name.note.as_ref()) {
        transfers.note(note);
    }
    let mut lines = String::new();
    for name in &names {
        let digest = pull(name, arguments.policy, &store, &options, &transfers)?;
        lines += &format!("{}@{digest}\n", repository(name));
    }
    transfers.finish();
    settings.output.data(lines.as_bytes())
}

/// Trees of layers may have other owners, so who makes them becomes root over the ids it may use; where that cannot be,
/// layers stay packed until somebody needs them.
fn open(arguments: &PullArguments, settings: &Settings) -> Result<(Store, bool), CommandError> {
    if !arguments.lazy
        && !arguments.no_unpack
        && let Ok(session) = Session::enter(settings)
    {
        return Ok((session.store, true));
    }
    Ok((session::open_store(settings)?, false))
}

fn pull(
    name: &Reference,
    policy: Policy,
    store: &Store,
    options: &PullOptions,
    transfers: &Transfers,
) -> Result<Digest, CommandError> {
    let here = store.resolve(name)?.map(|target| target.digest);
    match (policy, here) {
        (Policy::Missing | Policy::Never, Some(digest)) => return Ok(digest),
        (Policy::Never, None) => {
            let message = format!("no image `{}` in the store", name.familiar());
            return Err(CommandError::failed(message).hint("without `--policy never` it is pulled"));
        }
        (Policy::Newer, Some(digest)) => {
            let before = Instant::now();
            match transfers.remote.pull(store, name, options) {
                Err(tug_transfer::Error::Registry { source, .. }) => {
                    let error = human::one_line(&source.to_string());
                    transfers.note(&format!("{} is as it was: {error}", name.familiar()));
                    return Ok(digest);
                }
                pulled => return Ok(told(name, transfers.end(pulled)?, before, transfers)),
            }
        }
        (Policy::Always, _) | (_, None) => {}
    }
    let before = Instant::now();
    let pulled = transfers.end(transfers.remote.pull(store, name, options))?;
    Ok(told(name, pulled, before, transfers))
}

fn told(name: &Reference, pulled: Pulled, before: Instant, transfers: &Transfers) -> Digest {
    let name = name.familiar();
    transfers.note(&match (pulled.status, pulled.image) {
        (Status::UpToDate, _) => format!("{name} is up to date"),
        (_, Some(image)) => {
            let (layers, size) = (image.manifest.layers.len(), human::size(image.size()));
            let layers = if layers == 1 { "1 layer".to_owned() } else { format!("{layers} layers") };
            format!("pulled {name}: {layers}, {size} in {}", human::seconds(before.elapsed()))
        }
        (_, None) => format!("pulled {name} in {}", human::seconds(before.elapsed())),
    });
    pulled.target.digest
}

/// A name in full, without tag and digest.
pub(super) fn repository(name: &Reference) -> String {
    format!("{}/{}", name.registry(), name.repository())
}
