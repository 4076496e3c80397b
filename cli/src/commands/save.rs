//! `tug save`: images from the store into an archive or an image layout.

use std::path::PathBuf;

use tug_layer_store::{ArchiveCompression, ArchiveFormat, SaveImage, SaveOptions, Store};
use tug_oci::Platform;

use crate::arguments::values::ImageName;
use crate::error::CommandError;
use crate::file_output::FileOutput;
use crate::images;
use crate::on_demand;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug save`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug save app | docker load
  tug save app db:2 -o both.tar
  tug save --format oci-archive --compress zstd app -o app.tar.zst
  tug save --format oci-dir app -o layout/")]
pub(crate) struct SaveArguments {
    /// The images, by name or id (can be repeated)
    #[arg(required = true, value_name = "IMAGE")]
    images: Vec<ImageName>,
    /// Write to this file or folder [default: standard output]
    #[arg(short, long, value_name = "PATH")]
    output: Option<PathBuf>,
    /// What to write
    #[arg(long, value_name = "FORMAT", default_value = "docker-archive")]
    format: Format,
    /// Compress the archive as a whole
    #[arg(long, value_name = "HOW", default_value = "none", conflicts_with = "uncompressed")]
    compress: Compress,
    /// As in podman: that is how archives are written anyway
    #[arg(long, hide = true)]
    uncompressed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A tar that docker and podman load
    DockerArchive,
    /// A tar with an OCI image layout
    OciArchive,
    /// A folder with an OCI image layout
    OciDir,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Compress {
    /// Not at all
    None,
    /// With gzip, which everybody reads
    Gzip,
    /// With Zstandard, which is smaller and faster
    Zstd,
}

/// Saves the images.
pub(super) fn run(arguments: &SaveArguments, settings: &Settings) -> Result<(), CommandError> {
    let platform = Platform::host();
    if arguments.format == Format::OciDir {
        let Some(folder) = &arguments.output else {
            return Err(
                CommandError::usage("`--format oci-dir` needs a folder").hint("name it with `-o DIR`")
            );
        };
        if arguments.compress != Compress::None {
            return Err(CommandError::usage("`--compress` does not go together with `--format oci-dir`"));
        }
        let store = on_demand::store(&session::open_store(settings)?, settings);
        return Ok(store.save_layout(&to_save(&store, &arguments.images)?, &platform, folder)?);
    }
    let store = on_demand::store(&session::open_store(settings)?, settings);
    let images = to_save(&store, &arguments.images)?;
    let options = SaveOptions {
        format: if arguments.format == Format::OciArchive {
            ArchiveFormat::Oci
        } else {
            ArchiveFormat::Docker
        },
        compression: match arguments.compress {
            Compress::None => ArchiveCompression::Plain,
            Compress::Gzip => ArchiveCompression::Gzip,
            Compress::Zstd => ArchiveCompression::Zstd,
        },
        platform,
    };
    let mut out = FileOutput::open(arguments.output.as_deref(), "an image", &settings.output)?;
    match store.save(&images, &options, &mut out) {
        Err(_) if out.is_deserted() => Ok(()),
        saved => saved.map_err(CommandError::from).and_then(|()| out.finish()),
    }
}

/// What the names mean. An image named twice is saved once, with both names.
fn to_save(store: &Store, names: &[ImageName]) -> Result<Vec<SaveImage>, CommandError> {
    let mut images: Vec<SaveImage> = Vec::new();
    for name in names {
        let target = images::find_target(store, name)?;
        // An image that was found by its id has no name in the archive either.
        let reference = match name.reference() {
            Some(reference) if reference.digest().is_none() && store.resolve(&reference)?.is_some() => {
                Some(reference)
            }
            _ => None,
        };
        let place = images.iter().position(|image| image.target.digest == target.digest);
        let place = place.unwrap_or_else(|| {
            images.push(SaveImage { target, names: Vec::new() });
            images.len() - 1
        });
        let known = &mut images[place].names;
        known.extend(reference.filter(|reference| !known.contains(reference)));
    }
    Ok(images)
}
