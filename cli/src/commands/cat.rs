//! `tug cat`: the content of files of images.

use std::io::{self, Read, Write};

use tug_layer_store::{EntryKind, LastLink};

use crate::error::CommandError;
use crate::human;
use crate::inside::{ImagePath, PlaceArguments, path_in_image};
use crate::settings::Settings;

const BUFFER: usize = 64 * 1024;

/// Arguments of `tug cat`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Links are followed as they would be in a container. Of an image on a registry only the layers come that are needed.

Examples:
  tug cat app:/etc/os-release
  tug cat debian:11:/etc/debian_version debian:12:/etc/debian_version
  tug cat oci:layout:/app/config.json
  tug cat docker://ghcr.io/a/tool:v1:/LICENSE")]
pub(crate) struct CatArguments {
    /// The files, as `IMAGE:/PATH` (can be repeated)
    #[arg(required = true, value_name = "IMAGE:/PATH", value_parser = path_in_image())]
    files: Vec<ImagePath>,
    #[command(flatten)]
    place: PlaceArguments,
}

/// Writes the files.
pub(super) fn run(arguments: &CatArguments, settings: &Settings) -> Result<(), CommandError> {
    for file in &arguments.files {
        let opened = arguments.place.open(&file.image, settings)?;
        let (view, node) = opened.find(file.path.as_deref().unwrap_or(b"/"), LastLink::Follow)?;
        let shown = format!("{}:/{}", opened.name, String::from_utf8_lossy(node.path()));
        match &node.entry().kind {
            EntryKind::File { .. } => {}
            EntryKind::Directory => {
                return Err(CommandError::failed(format_args!("`{shown}` is a directory"))
                    .hint(format!("`tug ls {shown}` shows what is in it")));
            }
            _ => return Err(CommandError::failed(format_args!("`{shown}` is no regular file"))),
        }
        let mut content = view.open(&node)?;
        let mut buffer = vec![0; BUFFER];
        let mut out = io::stdout().lock();
        loop {
            let count = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let shown = human::one_line(&shown);
                    return Err(CommandError::failed(format_args!("cannot read `{shown}`")).because(&error));
                }
            };
            out.write_all(&buffer[..count]).map_err(|error| CommandError::stdout(&error))?;
        }
        out.flush().map_err(|error| CommandError::stdout(&error))?;
        opened.finish()?;
    }
    Ok(())
}
