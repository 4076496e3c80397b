//! `tug export`: the merged files of an image as one plain tar.
//!
//! Nothing is mounted or unpacked: the tables of contents say what there is, and the content comes from the layers.

use std::path::PathBuf;

use tug_layer_store::Mountable;

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
  tug export app | tar x -C rootfs      Unpack it")]
pub(crate) struct ExportArguments {
    /// The image, by name or id
    #[arg(value_name = "IMAGE")]
    image: ImageName,
    /// Write to this file [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Writes the tar.
pub(super) fn run(arguments: &ExportArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = on_demand::store(&session::open_store(settings)?, settings);
    let image = images::find(&store, &arguments.image)?;
    let mut out = FileOutput::open(arguments.output.as_deref(), "a tar", &settings.output)?;
    store.ensure_layers(image.layers(), Mountable::Later)?;
    match store.view(image.diff_ids())?.export(&mut out) {
        Err(_) if out.is_deserted() => Ok(()),
        written => written.map_err(CommandError::from).and_then(|()| out.finish()),
    }
}
