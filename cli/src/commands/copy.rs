//! `tug copy`: images between registries, archives and the store, without unpacking them.

use std::time::Instant;

use tug_oci::{Platform, Reference};
use tug_registry_client::Secret;
use tug_transfer::{CopyOptions, Place};

use super::pull::repository;
use super::push::Compression;
use crate::error::CommandError;
use crate::human;
use crate::progress::ProgressMode;
use crate::progress::transfer::Doing;
use crate::registry_settings::{self, Given, RegistryArguments};
use crate::session;
use crate::settings::Settings;
use crate::transfers::{self, Transfers};

/// Arguments of `tug copy`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A place is NAME for an image in a registry, or one of store:NAME, oci:PATH[:NAME], oci-archive:PATH[:NAME] and
docker-archive:PATH[:NAME]. Between registries nothing is unpacked, and what the other side has is not sent. Standard
output gets NAME@DIGEST for a registry, and the digest otherwise.

Examples:
  tug copy debian:12 registry.example/debian:12 --all
  tug copy registry.example/app:1 oci:layout:app
  tug copy docker-archive:app.tar localhost:5000/app
  tug copy --referrers ghcr.io/a/tool:v1 registry.example/tool:v1")]
pub(crate) struct CopyArguments {
    /// From where
    #[arg(value_name = "FROM")]
    from: Place,
    /// To where
    #[arg(value_name = "TO")]
    to: Place,
    /// All images of an index, and the index itself
    #[arg(short, long, conflicts_with = "platform")]
    all: bool,
    /// Of an index, the image for this platform [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// With what refers to the image: SBOMs, attestations, signatures
    #[arg(long)]
    referrers: bool,
    /// Without the signatures that cosign puts under tags of their own, which `--referrers` includes
    #[arg(long, requires = "referrers")]
    no_signatures: bool,
    /// Compress nothing on the way, so that digests stay
    #[arg(long)]
    preserve_digests: bool,
    /// What plain layers are compressed with on their way to a registry
    #[arg(long, value_name = "HOW", default_value = "gzip")]
    compression: Compression,
    /// How much: 1 (fast) to 12 for gzip, 1 to 19 for zstd [default: 6 and 3]
    #[arg(long, value_name = "LEVEL")]
    compression_level: Option<i32>,
    /// Show nothing but names and errors
    #[arg(short, long)]
    quiet: bool,
    /// How to show progress
    #[arg(long, value_name = "HOW", conflicts_with = "quiet")]
    progress: Option<ProgressMode>,
    /// Log in to the registry that is copied from as this user
    #[arg(long, value_name = "USER:PASSWORD", value_parser = registry_settings::secret)]
    #[arg(conflicts_with_all = ["creds", "no_creds"])]
    src_creds: Option<Secret>,
    /// Log in to the registry that is copied to as this user
    #[arg(long, value_name = "USER:PASSWORD", value_parser = registry_settings::secret)]
    #[arg(conflicts_with_all = ["creds", "no_creds"])]
    dest_creds: Option<Secret>,
    #[command(flatten)]
    registry: RegistryArguments,
}

/// Whom the flags name, each for one registry: what is meant for one must not be shown to another.
fn given<'a>(arguments: &'a CopyArguments, names: &'a [Reference]) -> Result<Vec<Given<'a>>, CommandError> {
    let mut given = Vec::new();
    if let Some(creds) = &arguments.registry.creds {
        let registry = transfers::registry(names);
        if registry.is_none() && !names.is_empty() {
            return Err(CommandError::usage("`--creds` is for one registry, and these are two")
                .hint("write `--src-creds` or `--dest-creds`"));
        }
        given.push(Given { flag: "--creds", creds, registry });
    }
    for (flag, creds, place) in [
        ("--src-creds", &arguments.src_creds, &arguments.from),
        ("--dest-creds", &arguments.dest_creds, &arguments.to),
    ] {
        match (creds, place) {
            (None, _) => {}
            (Some(creds), Place::Registry(name)) => {
                given.push(Given { flag, creds, registry: Some(name.registry()) });
            }
            (Some(_), place) => {
                return Err(CommandError::usage(format_args!(
                    "`{flag}` is for a registry, and `{place}` is in none"
                )));
            }
        }
    }
    match given.as_slice() {
        [one, other] if one.registry == other.registry => Err(CommandError::usage(
            "`--src-creds` and `--dest-creds` are for two registries, and this is one",
        )
        .hint("write `--creds`")),
        _ => Ok(given),
    }
}

/// Copies the image.
pub(super) fn run(arguments: &CopyArguments, settings: &Settings) -> Result<(), CommandError> {
    let CopyArguments { from, to, .. } = arguments;
    let mode = transfers::mode(arguments.progress, arguments.quiet, settings)?;
    let options = CopyOptions {
        all: arguments.all,
        platform: arguments.platform.clone().unwrap_or_else(Platform::host),
        referrers: arguments.referrers,
        signatures: arguments.referrers && !arguments.no_signatures,
        preserves_digests: arguments.preserve_digests,
        compression: arguments.compression.with_level(arguments.compression_level)?,
    };
    let store = session::open_store(settings)?;
    session::tidy_in_background(&store);
    let places = [from, to].into_iter().filter_map(|place| match place {
        Place::Registry(name) => Some(name.clone()),
        _ => None,
    });
    let names: Vec<_> = places.collect();
    let registry = arguments.registry.options_with(&settings.environment, &given(arguments, &names)?)?;
    let transfers = Transfers::start(registry, mode, Doing::Copying, settings)?;
    let before = Instant::now();
    let copied = transfers.end(transfers.remote.copy(&store, from, to, &options))?;
    let along = match copied.along {
        0 => String::new(),
        1 => ", and one document that belongs to it".to_owned(),
        many => format!(", and {many} documents that belong to it"),
    };
    transfers.note(&format!("copied {from} to {to} in {}{along}", human::seconds(before.elapsed())));
    transfers.finish();
    let digest = copied.target.digest;
    match to {
        Place::Registry(name) => settings.output.line(format_args!("{}@{digest}", repository(name))),
        _ => settings.output.line(digest),
    }
}
