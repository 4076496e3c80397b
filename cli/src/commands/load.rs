//! `tug load`: images from an archive or an image layout into the store.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use tug_layer_store::{LoadOptions, Loaded, Store};
use tug_oci::Platform;

use crate::error::CommandError;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug load`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Reads what docker, podman, skopeo and buildx write, plain or compressed.

Examples:
  docker save app | tug load
  tug load -i app.tar
  tug load -i layout/            A folder with an OCI image layout")]
pub(crate) struct LoadArguments {
    /// The archive, or a folder with an image layout [default: standard input]
    #[arg(short, long, value_name = "PATH")]
    input: Option<PathBuf>,
    /// Write only names and ids
    #[arg(short, long)]
    quiet: bool,
}

/// Loads the images.
pub(super) fn run(arguments: &LoadArguments, settings: &Settings) -> Result<(), CommandError> {
    let options = LoadOptions::new(Platform::host());
    let stdin = arguments.input.as_ref().is_none_or(|path| path.as_os_str() == "-");
    let loaded = match &arguments.input {
        Some(path) if !stdin => {
            fs::metadata(path).map_err(|error| {
                CommandError::failed(format_args!("cannot load `{}`", path.display())).because(&error)
            })?;
            open_store(settings)?.load_path(path, &options)?
        }
        _ if io::stdin().is_terminal() => {
            return Err(CommandError::usage("an archive is expected on standard input, which is a terminal")
                .hint("name a file with `-i FILE`, or use a pipe: `docker save app | tug load`"));
        }
        _ => open_store(settings)?.load(&mut io::stdin().lock(), &options)?,
    };
    settings.output.data(listing(&loaded, arguments.quiet).as_bytes())
}

fn open_store(settings: &Settings) -> Result<Store, CommandError> {
    let store = session::open_store(settings)?;
    session::tidy_in_background(&store);
    Ok(store)
}

/// In docker's words.
fn listing(loaded: &[Loaded], quiet: bool) -> String {
    let mut lines = String::new();
    for image in loaded {
        let (name, id) = if quiet { ("", "") } else { ("Loaded image: ", "Loaded image ID: ") };
        for reference in &image.names {
            lines += &format!("{name}{}\n", reference.familiar());
        }
        if image.names.is_empty() {
            lines += &format!("{id}{}\n", image.target.digest);
        }
    }
    lines
}
