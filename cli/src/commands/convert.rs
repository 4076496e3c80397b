//! `tug convert`: images with other compression or media types, and the same files.

use std::time::Instant;

use tug_layer_store::{Conversion, LayerCompression, MediaTypes};
use tug_oci::{Platform, Reference};
use tug_transfer::{ArchiveKind, ConvertOptions, Images, Place, PlaceError};

use super::pull::repository;
use crate::arguments::values;
use crate::error::CommandError;
use crate::human;
use crate::progress::ProgressMode;
use crate::progress::transfer::Doing;
use crate::registry_settings::RegistryArguments;
use crate::session;
use crate::settings::Settings;
use crate::transfers::{self, Transfers};

/// Arguments of `tug convert`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Configs and diff ids stay: the image has the same id and the same files. FROM is an image in the store, or a place as in
`tug copy`: docker://NAME, oci:PATH[:NAME], oci-archive:PATH[:NAME], docker-archive:PATH[:NAME]; so is TO. Standard output
gets the digest, or NAME@DIGEST for a registry.

Examples:
  tug convert app -t app:zstd --compression zstd
  tug convert app oci:layout:app --compression gzip --compression-level 9
  tug convert oci-archive:app.tar docker-archive:docker.tar --media-types docker
  tug convert app docker://registry.example/app --compression zstd:chunked")]
pub(crate) struct ConvertArguments {
    /// The image
    #[arg(value_name = "FROM", value_parser = place)]
    from: Place,
    /// Where it goes [default: into the store]
    #[arg(value_name = "TO", value_parser = place)]
    to: Option<Place>,
    /// The name to give to it in the store
    #[arg(short, long, value_name = "NAME", value_parser = values::new_name, conflicts_with = "to")]
    tag: Option<Reference>,
    /// What layers are compressed with
    #[arg(long, visible_alias = "compression-format", value_name = "HOW")]
    compression: Option<LayerFormat>,
    /// How much: 1 (fast) to 12 for gzip, 1 to 19 for zstd [default: 6 and 3]
    #[arg(long, value_name = "LEVEL", requires = "compression")]
    compression_level: Option<i32>,
    /// Whose media types manifests and layers have [default: those that they have]
    #[arg(long, value_name = "WHOSE")]
    media_types: Option<Words>,
    /// Of an image for several platforms, only this one
    #[arg(long, value_name = "OS/ARCH", conflicts_with = "all")]
    platform: Option<Platform>,
    /// All images of an index, which must be there [default: all if they are, else the one for this machine]
    #[arg(short, long)]
    all: bool,
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
pub(super) enum LayerFormat {
    /// gzip, which everybody reads
    Gzip,
    /// Zstandard, which is smaller and faster
    Zstd,
    /// Zstandard of which podman fetches only files that it does not have
    #[value(name = "zstd:chunked")]
    ZstdChunked,
    /// Nothing
    #[value(alias = "uncompressed")]
    None,
}

impl LayerFormat {
    pub(super) fn is_zstd(self) -> bool {
        matches!(self, Self::Zstd | Self::ZstdChunked)
    }

    pub(super) fn with_level(self, level: Option<i32>) -> Result<LayerCompression, CommandError> {
        use super::push::Compression;
        let plainly = match self {
            Self::Gzip => Compression::Gzip,
            Self::Zstd | Self::ZstdChunked => Compression::Zstd,
            Self::None => Compression::None,
        };
        Ok(match plainly.with_level(level)? {
            LayerCompression::Zstd(level) if self == Self::ZstdChunked => {
                LayerCompression::ZstdChunked(level)
            }
            other => other,
        })
    }
}

/// Whose words documents use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Words {
    /// Those of the image specification
    Oci,
    /// Those of docker's older format
    Docker,
}

/// A name alone is an image of the store.
fn place(text: &str) -> Result<Place, String> {
    let place: Place = text.parse().map_err(|error: PlaceError| match error.hint() {
        Some(hint) => format!("{error}: {hint}"),
        None => error.to_string(),
    })?;
    Ok(match place {
        Place::Registry(_) if !text.starts_with("docker://") => Place::Store(text.to_owned()),
        other => other,
    })
}

/// Converts the image.
pub(super) fn run(arguments: &ConvertArguments, settings: &Settings) -> Result<(), CommandError> {
    if arguments.compression.is_none() && arguments.media_types.is_none() {
        return Err(CommandError::usage("nothing is said to be converted")
            .hint("give `--compression HOW`, `--media-types WHOSE` or both"));
    }
    let mode = transfers::mode(arguments.progress, arguments.quiet, settings)?;
    let compression = match arguments.compression {
        Some(format) => Some(format.with_level(arguments.compression_level)?),
        None => None,
    };
    let media_types = arguments.media_types.map(|words| match words {
        Words::Oci => MediaTypes::Oci,
        Words::Docker => MediaTypes::Docker,
    });
    let to = match (&arguments.to, &arguments.tag) {
        (Some(to), _) => Some(to.clone()),
        (None, Some(name)) => Some(Place::Store(name.familiar())),
        (None, None) => None,
    };
    refuse_what_is_not_kept(arguments, to.as_ref())?;
    let images = match &arguments.platform {
        Some(platform) => Images::Only(platform.clone()),
        None if arguments.all => Images::All,
        None => Images::AllThatAreHere,
    };
    let options = ConvertOptions {
        conversion: Conversion { compression, media_types },
        images,
        host: Platform::host(),
    };
    let store = session::open_store(settings)?;
    session::tidy_in_background(&store);
    let names: Vec<Reference> = [Some(&arguments.from), to.as_ref()]
        .into_iter()
        .filter_map(|place| match place {
            Some(Place::Registry(name)) => Some(name.clone()),
            _ => None,
        })
        .collect();
    let registry = arguments.registry.options(&settings.environment, transfers::registry(&names))?;
    let store = crate::on_demand::store(&store, settings);
    let transfers = Transfers::start(registry, mode, Doing::Copying, settings)?;
    let before = Instant::now();
    let made = transfers.end(transfers.remote.convert(&store, &arguments.from, to.as_ref(), &options))?;
    transfers.note(&format!("converted {} in {}", arguments.from, human::seconds(before.elapsed())));
    transfers.finish();
    match to {
        Some(Place::Registry(name)) => {
            settings.output.line(format_args!("{}@{}", repository(&name), made.digest))
        }
        _ => settings.output.line(made.digest),
    }
}

/// A docker-archive has no manifests, and layers that every docker reads.
fn refuse_what_is_not_kept(arguments: &ConvertArguments, to: Option<&Place>) -> Result<(), CommandError> {
    let is_docker = matches!(to, Some(Place::Archive { kind: ArchiveKind::DockerTar, .. }));
    if is_docker && arguments.compression.is_some_and(LayerFormat::is_zstd) {
        return Err(CommandError::usage("a docker-archive has no layers that are compressed with zstd")
            .hint("use `oci-archive:PATH`, which docker reads from version 25 on"));
    }
    if arguments.media_types == Some(Words::Docker) && arguments.compression.is_some_and(LayerFormat::is_zstd)
    {
        return Err(CommandError::usage("docker's media types have none for zstd")
            .hint("use `--media-types oci`, or another compression"));
    }
    Ok(())
}
