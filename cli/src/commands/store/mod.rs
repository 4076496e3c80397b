//! `tug store`: the folder in which everything is kept.

mod dedup;
mod moving;
mod path;
mod verify;

use crate::error::CommandError;
use crate::exit::Exit;
use crate::settings::Settings;

/// Arguments of `tug store`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug store path                          Where it is
  tug store verify                        Read everything, and say what is not as it should be
  tug store verify --repair               Mend that
  tug store move /mnt/large/tug           To another disk
  tug store verify --quick app            Only what the image `app` needs, without reading content")]
pub(crate) struct StoreArguments {
    #[command(subcommand)]
    command: StoreCommand,
}

/// What can be done with a store.
#[derive(Debug, clap::Subcommand)]
enum StoreCommand {
    /// Write the folder of the store
    Path,
    /// Let equal files of several layers share their room on the disk
    Dedup(dedup::DedupArguments),
    /// Move the store to another folder
    Move(moving::MoveArguments),
    /// Look whether everything in the store is as it should be
    Verify(verify::VerifyArguments),
}

/// Does it.
pub(super) fn run(arguments: &StoreArguments, settings: &Settings) -> Result<Exit, CommandError> {
    match &arguments.command {
        StoreCommand::Path => path::run(settings).map(|()| Exit::Success),
        StoreCommand::Dedup(arguments) => dedup::run(arguments, settings).map(|()| Exit::Success),
        StoreCommand::Move(arguments) => moving::run(arguments, settings).map(|()| Exit::Success),
        StoreCommand::Verify(arguments) => verify::run(arguments, settings),
    }
}
