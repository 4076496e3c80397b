//! `tug cache export`

use std::path::PathBuf;

use super::{chosen, in_use};
use crate::error::CommandError;
use crate::file_output::FileOutput;
use crate::human;
use crate::session::Session;
use crate::settings::Settings;

/// Arguments of `tug cache export`.
#[derive(Debug, clap::Args)]
pub(super) struct ExportArguments {
    /// The caches, by id or name [default: all]
    #[arg(value_name = "ID")]
    caches: Vec<String>,
    /// Write to this file, or `-` for standard output [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Compress the archive
    #[arg(long, value_name = "HOW", default_value = "zstd")]
    compress: Compress,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Compress {
    /// Not at all
    None,
    /// With Zstandard
    Zstd,
}

/// Writes the archive.
pub(super) fn run(arguments: &ExportArguments, settings: &Settings) -> Result<(), CommandError> {
    let session = Session::enter(settings)?;
    let ids = chosen(&session.store.caches()?, &arguments.caches)?;
    let mut out = FileOutput::open(arguments.output.as_deref(), "an archive of caches", &settings.output)?;
    let exported = session.store.export_caches(&ids, arguments.compress == Compress::None, &mut out);
    let exported = match exported {
        Err(_) if out.is_deserted() => return Ok(()),
        exported => exported?,
    };
    out.finish()?;
    settings.output.note(format_args!("Exported {}", human::counted(exported.caches.len(), "cache")));
    in_use(&exported.in_use, "exported")
}
