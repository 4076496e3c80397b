//! `tug cache import`

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;

use tug_layer_store::{CacheId, Merge};

use super::in_use;
use crate::error::CommandError;
use crate::human;
use crate::session::Session;
use crate::settings::Settings;

/// Arguments of `tug cache import`.
#[derive(Debug, clap::Args)]
pub(super) struct ImportArguments {
    /// The archive, or `-` for standard input [default: standard input]
    #[arg(value_name = "FILE")]
    archive: Option<PathBuf>,
    /// Throw away first what the caches hold already
    #[arg(long)]
    replace: bool,
}

/// Takes the caches.
pub(super) fn run(arguments: &ImportArguments, settings: &Settings) -> Result<(), CommandError> {
    let path = arguments.archive.as_ref().filter(|path| path.as_os_str() != "-");
    let mut archive: Box<dyn Read> = match path {
        Some(path) => Box::new(File::open(path).map_err(|error| {
            CommandError::failed(format_args!("cannot read `{}`", path.display())).because(&error)
        })?),
        None if io::stdin().is_terminal() => {
            return Err(CommandError::usage("an archive is expected on standard input, which is a terminal")
                .hint("name a file, or use a pipe"));
        }
        None => Box::new(io::stdin().lock()),
    };
    let session = Session::enter(settings)?;
    let merge = if arguments.replace { Merge::Replace } else { Merge::Into };
    let imported = session.store.import_caches(&mut archive, merge)?;
    let taken = imported.iter().filter(|cache| !cache.in_use).count();
    settings.output.note(format_args!("Imported {}", human::counted(taken, "cache")));
    let left: Vec<CacheId> =
        imported.into_iter().filter(|cache| cache.in_use).map(|cache| cache.id).collect();
    in_use(&left, "imported")
}
