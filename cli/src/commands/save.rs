//! `tug save`: images from the store into an archive or an image layout.

use std::path::PathBuf;

use tug_layer_store::{
    ArchiveCompression, ArchiveFormat, Conversion, Error as StoreError, LayerCompression, SaveImage,
    SaveOptions, Store,
};
use tug_oci::{Descriptor, Platform, media_type};

use super::convert::LayerFormat;
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
  tug save --format oci-archive --compression zstd:chunked app -o app.tar
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
    /// What each layer is compressed with [default: as it is kept]
    #[arg(long, visible_alias = "compression-format", value_name = "HOW")]
    compression: Option<LayerFormat>,
    /// How much: 1 (fast) to 12 for gzip, 1 to 19 for zstd [default: 6 and 3]
    #[arg(long, value_name = "LEVEL", requires = "compression")]
    compression_level: Option<i32>,
    /// As in podman: that is how archives are written anyway
    #[arg(long, hide = true)]
    uncompressed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// A tar that docker and podman load
    #[value(alias = "docker")]
    DockerArchive,
    /// A tar with an OCI image layout
    #[value(alias = "oci")]
    OciArchive,
    /// A folder with an OCI image layout
    OciDir,
}

/// What an archive is compressed with, as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Compress {
    /// Not at all
    None,
    /// With gzip, which everybody reads
    Gzip,
    /// With Zstandard, which is smaller and faster
    Zstd,
}

impl From<Compress> for ArchiveCompression {
    fn from(compress: Compress) -> Self {
        match compress {
            Compress::None => Self::Plain,
            Compress::Gzip => Self::Gzip,
            Compress::Zstd => Self::Zstd,
        }
    }
}

/// Saves the images.
pub(super) fn run(arguments: &SaveArguments, settings: &Settings) -> Result<(), CommandError> {
    let platform = Platform::host();
    let compression = match arguments.compression {
        Some(format) => Some(format.with_level(arguments.compression_level)?),
        None => None,
    };
    if arguments.format == Format::DockerArchive && arguments.compression.is_some_and(LayerFormat::is_zstd) {
        return Err(CommandError::usage("a docker-archive has no layers that are compressed with zstd")
            .hint("use `--format oci-archive`, or compress the archive as a whole: `--compress zstd`"));
    }
    if arguments.format == Format::OciDir {
        let Some(folder) = &arguments.output else {
            return Err(
                CommandError::usage("`--format oci-dir` needs a folder").hint("name it with `-o DIR`")
            );
        };
        if arguments.compress != Compress::None {
            return Err(CommandError::usage("`--compress` does not go together with `--format oci-dir`"));
        }
        let store = on_demand::store(&session::open_to_read(settings)?, settings);
        let images = to_save(&store, &arguments.images, compression)?;
        return Ok(store.save_layout(&images, &platform, folder)?);
    }
    let store = on_demand::store(&session::open_to_read(settings)?, settings);
    let images = to_save(&store, &arguments.images, compression)?;
    let options = SaveOptions {
        format: if arguments.format == Format::OciArchive {
            ArchiveFormat::Oci
        } else {
            ArchiveFormat::Docker
        },
        compression: arguments.compress.into(),
        platform,
    };
    let mut out = FileOutput::open(arguments.output.as_deref(), "an image", &settings.output)?;
    match store.save(&images, &options, &mut out) {
        Err(_) if out.is_deserted() => Ok(()),
        saved => saved.map_err(CommandError::from).and_then(|()| out.finish()),
    }
}

/// What the names mean. An image named twice is saved once, with both names.
fn to_save(
    store: &Store,
    names: &[ImageName],
    compression: Option<LayerCompression>,
) -> Result<Vec<SaveImage>, CommandError> {
    let mut images: Vec<SaveImage> = Vec::new();
    for name in names {
        let found = images::find_target(store, name)?;
        let target = match compression {
            None => found,
            Some(compression) => compressed(store, &found, compression)?,
        };
        // An image that was found by its id has no name in the archive either.
        let reference = match name.reference() {
            Some(reference) if reference.digest().is_none() && store.resolve(&reference)?.is_some() => {
                Some(reference)
            }
            _ => None,
        };
        let place = images.iter().position(|image| image.target.digest == target.digest);
        let place = place.unwrap_or_else(|| {
            images.push(SaveImage { target, names: Vec::new(), written: None });
            images.len() - 1
        });
        let known = &mut images[place].names;
        known.extend(reference.filter(|reference| !known.contains(reference)));
    }
    Ok(images)
}

/// The image with its layers compressed so. Of an index that is not whole it is the one for this host.
fn compressed(
    store: &Store,
    target: &Descriptor,
    compression: LayerCompression,
) -> Result<Descriptor, CommandError> {
    let conversion = Conversion { compression: Some(compression), media_types: None };
    match store.convert(target, &conversion) {
        Err(StoreError::MissingBlob { .. }) if media_type::is_index(&target.media_type) => {
            let image = store.image(target, &Platform::host())?;
            Ok(store.convert(&image.descriptor, &conversion)?)
        }
        made => Ok(made?),
    }
}
