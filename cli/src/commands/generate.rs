//! `tug generate`: man pages and completions for packagers.

use std::fs;
use std::path::{Path, PathBuf};

use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;

use crate::arguments::Arguments;
use crate::error::CommandError;

/// Arguments of `tug generate`.
#[derive(Debug, clap::Args)]
pub(crate) struct GenerateArguments {
    /// What to write
    #[arg(value_name = "WHAT")]
    what: What,
    /// The folder to write it into, made when missing
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// One page for each command
    Man,
    /// One file for each shell
    Completions,
}

/// Writes the files.
pub(super) fn run(arguments: &GenerateArguments) -> Result<(), CommandError> {
    let folder = arguments.folder.as_path();
    let written = fs::create_dir_all(folder).and_then(|()| match arguments.what {
        What::Man => clap_mangen::generate_to(Arguments::command(), folder),
        What::Completions => completions(folder),
    });
    written.map_err(|error| {
        CommandError::failed(format_args!("cannot write into `{}`", folder.display())).because(&error)
    })
}

fn completions(folder: &Path) -> std::io::Result<()> {
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut Arguments::command(), "tug", folder)?;
    }
    Ok(())
}
