//! `tug serve gc`: takes away what nothing refers to.

use std::time::Duration;

use tug_registry_server::{CollectOptions, Collected, Verdict};

use super::{Root, duration};
use crate::error::CommandError;
use crate::human;
use crate::settings::Settings;

/// Arguments of `tug serve gc`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug serve gc --root /srv/registry --dry-run
  tug serve gc --root /srv/registry --untagged --grace 7d

It can run beside the registry, while clients push: what somebody has asked for, uploaded
or mounted in the time of grace stays. If anything cannot be read, nothing is taken away.")]
pub(super) struct CollectArguments {
    #[command(flatten)]
    root: Root,
    /// Only say what would go and what stays, with the reasons
    #[arg(long)]
    dry_run: bool,
    /// Leave alone what was used in this time
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = duration::parse)]
    grace: Duration,
    /// Give up uploads that got nothing for this time
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = duration::parse)]
    uploads: Duration,
    /// Also take manifests away that no tag leads to: not directly, not through an index, not by being attached
    #[arg(long)]
    untagged: bool,
}

/// Collects.
pub(super) fn run(arguments: &CollectArguments, settings: &Settings) -> Result<(), CommandError> {
    let root = arguments.root.folder(settings)?;
    let options = CollectOptions {
        grace: arguments.grace,
        uploads: arguments.uploads,
        untagged: arguments.untagged,
        dry_run: arguments.dry_run,
        ..CollectOptions::default()
    };
    let mut written = Ok(());
    let collected = tug_registry_server::collect(&root, &options, &mut |verdict| {
        if written.is_ok() {
            written = settings.output.line(line(&verdict));
        }
    })?;
    written?;
    let verb = if arguments.dry_run { "would take" } else { "took" };
    settings.output.note(summary(verb, &collected));
    Ok(())
}

/// What a collection did, in one line.
pub(super) fn summary(verb: &str, collected: &Collected) -> String {
    let count = |number: u64, thing| human::counted(usize::try_from(number).unwrap_or(usize::MAX), thing);
    format!(
        "{verb} away {}, {} and {}: {}",
        count(collected.manifests, "manifest"),
        count(collected.blobs, "blob"),
        count(collected.uploads, "upload"),
        human::size(collected.bytes)
    )
}

fn line(verdict: &Verdict) -> String {
    let fate = if verdict.stays { "stays" } else { "goes " };
    let place = verdict.repository.as_ref().map_or_else(String::new, |name| format!("{name} "));
    format!("{fate} {place}{} ({}): {}", verdict.what, human::size(verdict.size), verdict.why)
}
