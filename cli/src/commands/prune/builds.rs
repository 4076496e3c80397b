//! `tug builds prune`

use std::time::SystemTime;

use tug_layer_store::{BuildPrune, PruneOptions};

use super::PruneArguments;
use crate::arguments::moment;
use crate::error::CommandError;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug builds prune`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug builds prune --keep 20                      All but the newest 20
  tug builds prune --until 168h                   Those that ended more than a week ago
  tug builds prune --dry-run                      What would go, what would stay, and why")]
pub(crate) struct BuildsPruneArguments {
    /// So many of the newest stay
    #[arg(long, value_name = "N", default_value_t = 0, hide_default_value = true)]
    keep: usize,
    /// Only those that ended so long ago, or before that time
    #[arg(long, value_name = "TIME", value_parser = moment::moment)]
    until: Option<SystemTime>,
    #[command(flatten)]
    how: PruneArguments,
}

/// Removes records of builds.
pub(crate) fn run(arguments: &BuildsPruneArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = session::open_whole_store(settings)?;
    let builds = BuildPrune { keep: arguments.keep, before: arguments.until };
    let options = PruneOptions { builds: Some(builds), ..PruneOptions::default() };
    super::run(
        &store,
        &options,
        &arguments.how,
        &["records of builds: events, logs, what failed steps left"],
        settings,
    )
}
