//! `tug load`: images from an archive or an image layout into the store.

use std::fs;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use tug_layer_store::{LoadOptions, Loaded, Mountable, Names, Store};
use tug_oci::{Platform, Reference};

use crate::arguments::values;
use crate::download;
use crate::error::CommandError;
use crate::session::{self, Session};
use crate::settings::Settings;

/// Arguments of `tug load`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Reads what docker, podman, skopeo and buildx write, plain or compressed.

Examples:
  docker save app | tug load
  tug load -i app.tar
  tug load -i layout/            A folder with an OCI image layout
  tug load -i https://example.com/app.tar.zst
  tug load --tag app:try -i app.tar")]
pub(crate) struct LoadArguments {
    /// The archive, a folder with an image layout, or an address (http, https) [default: standard input]
    #[arg(short, long, value_name = "PATH")]
    input: Option<PathBuf>,
    /// The name to give to the image, instead of those that it has in the archive (can be repeated)
    #[arg(short, long = "tag", value_name = "NAME", value_parser = values::new_name)]
    tags: Vec<Reference>,
    /// Write only names and ids
    #[arg(short, long)]
    quiet: bool,
}

/// Loads the images.
pub(super) fn run(arguments: &LoadArguments, settings: &Settings) -> Result<(), CommandError> {
    let loaded = match &arguments.input {
        Some(path) if path.as_os_str() != "-" => match download::address(path)? {
            Some(url) => {
                let (store, unpacked) = open_store(settings)?;
                download::read(&url, settings, |archive| {
                    Ok(store.load(archive, &options(arguments, unpacked))?)
                })
                .and_then(|loaded| named(&store, loaded, arguments))?
            }
            None => {
                fs::metadata(path).map_err(|error| {
                    CommandError::failed(format_args!("cannot load `{}`", path.display())).because(&error)
                })?;
                let (store, unpacked) = open_store(settings)?;
                let loaded = store.load_path(path, &options(arguments, unpacked))?;
                named(&store, loaded, arguments)?
            }
        },
        _ if io::stdin().is_terminal() => {
            return Err(CommandError::usage("an archive is expected on standard input, which is a terminal")
                .hint("name a file with `-i FILE`, or use a pipe: `docker save app | tug load`"));
        }
        _ => {
            let (store, unpacked) = open_store(settings)?;
            let loaded = store.load(&mut io::stdin().lock(), &options(arguments, unpacked))?;
            named(&store, loaded, arguments)?
        }
    };
    settings.output.data(listing(&loaded, arguments.quiet).as_bytes())
}

fn options(arguments: &LoadArguments, unpacked: Mountable) -> LoadOptions {
    let names = if arguments.tags.is_empty() { Names::Give } else { Names::Leave };
    LoadOptions { names, unpacked: Some(unpacked), ..LoadOptions::new(Platform::host()) }
}

/// Gives the names of the command line, if there are any, to the only image.
fn named(store: &Store, loaded: Vec<Loaded>, arguments: &LoadArguments) -> Result<Vec<Loaded>, CommandError> {
    if arguments.tags.is_empty() {
        return Ok(loaded);
    }
    let [only] = loaded.as_slice() else {
        let names: Vec<String> =
            loaded.iter().flat_map(|image| image.names.iter().map(Reference::familiar)).collect();
        let count = loaded.len();
        let error = CommandError::failed(format_args!(
            "`--tag` names one image, and the archive holds {count}: nothing was loaded"
        ));
        return Err(match names.is_empty() {
            true => error,
            false => error.hint(format!("it has `{}`: load them with these names", names.join("`, `"))),
        });
    };
    let target = only.target.clone();
    let refs: Vec<_> = arguments.tags.iter().map(|name| (name.clone(), target.clone())).collect();
    store.tag_all(&refs)?;
    Ok(vec![Loaded { names: arguments.tags.clone(), target }])
}

/// Trees of layers may have other owners, so who makes them becomes root over the ids it may use; where that cannot be,
/// layers are made ready for containers when there is one.
fn open_store(settings: &Settings) -> Result<(Store, Mountable), CommandError> {
    let (store, mountable) = match Session::enter(settings) {
        Ok(session) => (session.store, Mountable::Now),
        Err(_) => (session::open_store(settings)?, Mountable::Later),
    };
    session::tidy_in_background(&store);
    Ok((store, mountable))
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
