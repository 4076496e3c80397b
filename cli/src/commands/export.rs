//! `tug export`: the merged files of an image as one tar, or in a folder.
//!
//! Nothing is mounted or unpacked: the tables of contents say what there is, and the content comes from the layers.

use std::path::PathBuf;

use tug_layer_store::{FolderOptions, Mountable};
use tug_oci::Platform;

use super::save::Compress;
use crate::arguments::values::ImageName;
use crate::error::CommandError;
use crate::file_output::FileOutput;
use crate::images;
use crate::on_demand;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug export`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug export app -o files.tar
  tug export app | tar tv               What is in it
  tug export app | tar x -C rootfs      Unpack it
  tug export app --dir rootfs           The same, with the owner that you are
  tug export --platform linux/arm64 --compress zstd app -o files.tar.zst")]
pub(crate) struct ExportArguments {
    /// The image, by name or id
    #[arg(value_name = "IMAGE")]
    image: ImageName,
    /// Write to this file [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the files into this folder, which is made when missing; what else is in it stays
    #[arg(short, long, value_name = "DIR", conflicts_with_all = ["output", "compress"])]
    dir: Option<PathBuf>,
    /// Of an image for several platforms, the files for this one [default: this machine's]
    #[arg(long, value_name = "OS/ARCH")]
    platform: Option<Platform>,
    /// Compress the tar
    #[arg(long, value_name = "HOW", default_value = "none")]
    compress: Compress,
}

/// Writes the tar.
pub(super) fn run(arguments: &ExportArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = on_demand::store(&session::open_to_read(settings)?, settings);
    let platform = arguments.platform.clone().unwrap_or_else(Platform::host);
    let image = images::find_for(&store, &arguments.image, &platform)?;
    if arguments.platform.is_some() && image.config.platform.distance_to(&platform).is_none() {
        let (name, own) = (arguments.image.as_str(), &image.config.platform);
        return Err(CommandError::failed(format_args!("`{name}` has no image for {platform}"))
            .hint(format!("it has images for `{own}`")));
    }
    if let Some(folder) = &arguments.dir {
        store.ensure_layers(image.layers(), Mountable::Later)?;
        let view = store.view(image.diff_ids())?;
        let written = store.write_folder(&view, folder, FolderOptions::default())?;
        if !written.left_out.is_empty() {
            let devices = written.left_out.join("`, `");
            settings.output.note(format_args!("devices need root, and were left out: `{devices}`"));
        }
        return Ok(());
    }
    let mut out = FileOutput::open(arguments.output.as_deref(), "a tar", &settings.output)?;
    store.ensure_layers(image.layers(), Mountable::Later)?;
    match store.export(&store.view(image.diff_ids())?, arguments.compress.into(), &mut out) {
        Err(_) if out.is_deserted() => Ok(()),
        written => written.map_err(CommandError::from).and_then(|()| out.finish()),
    }
}
