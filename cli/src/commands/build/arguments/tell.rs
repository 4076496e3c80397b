//! What people and scripts are told of a build.

use std::path::PathBuf;

use crate::progress::ProgressMode;

/// What people and scripts are told.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What to tell")]
pub(crate) struct TellArguments {
    /// Show nothing but errors, and write the digest to standard output
    #[arg(short, long, conflicts_with = "progress")]
    pub(crate) quiet: bool,
    /// How to show progress [default: auto]
    ///
    /// The variable `BUILDKIT_PROGRESS` sets another default.
    #[arg(long, value_name = "KIND")]
    pub(crate) progress: Option<ProgressMode>,
    /// Write the image id to this file
    #[arg(long, value_name = "FILE")]
    pub(crate) iidfile: Option<PathBuf>,
    /// Write the log of the build to this file, and nothing but errors to the terminal
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) logfile: Option<PathBuf>,
    /// Write what there is to know about the build to this file, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) metadata_file: Option<PathBuf>,
    /// When a RUN step fails, end with the exit code of its command instead of 1
    #[arg(long)]
    pub(crate) propagate_exit_code: bool,
    /// Show at the end why each step was done again, or was not
    ///
    /// `tug explain` shows the same of a past build.
    #[arg(long)]
    pub(crate) explain: bool,
}
