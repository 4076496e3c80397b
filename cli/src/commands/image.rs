//! `tug image`: the spelling of docker for what is about images.

use super::{prune, registry};
use crate::error::CommandError;
use crate::settings::Settings;

/// Arguments of `tug image`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug image prune                   Remove images without a name
  tug image prune -a --dry-run      Show what would go, what would stay, and why
  tug image ls-remote debian        The tags of a repository: `tug tags`")]
pub(crate) struct ImageArguments {
    #[command(subcommand)]
    what: ImageCommand,
}

/// What can be done with images under this name.
#[derive(Debug, clap::Subcommand)]
enum ImageCommand {
    /// Remove images that are not used
    Prune(prune::image::ImagePruneArguments),
    /// List the tags of a repository on a registry
    LsRemote(Box<registry::tags::TagsArguments>),
}

/// Does it.
pub(super) fn run(arguments: &ImageArguments, settings: &Settings) -> Result<(), CommandError> {
    match &arguments.what {
        ImageCommand::Prune(arguments) => prune::image::run(arguments, settings),
        // The spelling of `git ls-remote`.
        ImageCommand::LsRemote(arguments) => registry::tags::run(arguments, settings),
    }
}
