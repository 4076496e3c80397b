//! `tug system`: what takes how much room, and removing what is not used.

mod details;
mod df;

use crate::commands::prune;
use crate::error::CommandError;
use crate::settings::Settings;

/// Arguments of `tug system`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug system df                    What takes how much room
  tug system df -v                 The same for each image, result, cache mount and build
  tug system prune                 Remove what is not used
  tug system prune -a --dry-run    Show what would go, what would stay, and why")]
pub(crate) struct SystemArguments {
    #[command(subcommand)]
    command: SystemCommand,
}

/// What can be done.
#[derive(Debug, clap::Subcommand)]
enum SystemCommand {
    /// Show what takes how much room, and what of it a prune would free
    Df(df::DfArguments),
    /// Remove what is not used
    Prune(prune::system::SystemPruneArguments),
}

/// Does it.
pub(super) fn run(arguments: &SystemArguments, settings: &Settings) -> Result<(), CommandError> {
    match &arguments.command {
        SystemCommand::Df(arguments) => df::run(arguments, settings),
        SystemCommand::Prune(arguments) => prune::system::run(arguments, settings),
    }
}

/// Arguments of `tug builder` and `tug buildx`: the spellings of docker.
#[derive(Debug, clap::Args)]
pub(crate) struct BuilderArguments {
    #[command(subcommand)]
    command: BuilderCommand,
}

/// What can be done under these names.
#[derive(Debug, clap::Subcommand)]
enum BuilderCommand {
    /// Remove what of the build cache is not needed
    Prune(prune::cache::CachePruneArguments),
    /// Show what takes how much room
    Du(df::DfArguments),
}

/// Does it.
pub(super) fn run_builder(arguments: &BuilderArguments, settings: &Settings) -> Result<(), CommandError> {
    match &arguments.command {
        BuilderCommand::Prune(arguments) => prune::cache::run(arguments, settings),
        BuilderCommand::Du(arguments) => df::run(arguments, settings),
    }
}
