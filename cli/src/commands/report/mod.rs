//! `tug report`: one page about an image, for people who have nothing but a browser.
//!
//! The page is whole in itself: no script, no picture, no font from elsewhere, and a policy that lets a browser load
//! nothing. It has no time of its own in it: the same image and the same records give the same bytes.

mod files;
mod html;
mod layers;
mod page;
mod timeline;
mod tree;
mod waste;

use std::io::Write;
use std::path::PathBuf;

use crate::error::CommandError;
use crate::file_output::FileOutput;
use crate::human;
use crate::inside::{self, ImagePlace, PlaceArguments};
use crate::settings::Settings;

/// Arguments of `tug report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The page shows layers, files, waste, packages, config, history and, where a build of this store made the image, how long
each of its steps took. It needs no script and loads nothing.

Examples:
  tug report app -o app.html
  tug report docker://debian:12 > debian.html")]
pub(crate) struct ReportArguments {
    /// The image, by name or id
    #[arg(value_name = "IMAGE", value_parser = inside::image)]
    image: ImagePlace,
    /// Write to this file [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    place: PlaceArguments,
}

/// Writes the page.
pub(super) fn run(arguments: &ReportArguments, settings: &Settings) -> Result<(), CommandError> {
    let opened = arguments.place.open(&arguments.image, settings)?;
    let mut out = FileOutput::open(arguments.output.as_deref(), "a page", &settings.output)?;
    let page = page::page(&opened)?;
    match out.write_all(page.as_bytes()).and_then(|()| out.flush()) {
        Err(_) if out.is_deserted() => {}
        Err(error) => return Err(CommandError::failed("cannot write the page").because(&error)),
        Ok(()) => out.finish()?,
    }
    if let Some(path) = arguments.output.as_ref().filter(|path| path.as_os_str() != "-") {
        settings.output.note(format_args!("wrote {}, {}", path.display(), human::size(page.len() as u64)));
    }
    opened.finish()
}
