//! `tug cache rm`

use super::{chosen, in_use};
use crate::error::CommandError;
use crate::session::Session;
use crate::settings::Settings;

/// Arguments of `tug cache rm`.
#[derive(Debug, clap::Args)]
pub(super) struct RemoveArguments {
    /// The caches, by id or name
    #[arg(value_name = "ID", required_unless_present = "all")]
    caches: Vec<String>,
    /// Remove all of them
    #[arg(short, long, conflicts_with = "caches")]
    all: bool,
}

/// Removes the caches, and writes the id of each.
pub(super) fn run(arguments: &RemoveArguments, settings: &Settings) -> Result<(), CommandError> {
    let session = Session::enter(settings)?;
    let ids = chosen(&session.store.caches()?, &arguments.caches)?;
    let mut left = Vec::new();
    let mut removed = String::new();
    for id in ids {
        if session.store.remove_cache(&id)? {
            removed += &format!("{}\n", crate::human::one_line(&id.id));
        } else {
            left.push(id);
        }
    }
    settings.output.data(removed.as_bytes())?;
    in_use(&left, "removed")
}
