//! What all commands have in common that remove things: `tug system prune`, `image prune`, `cache prune`, `builds prune`.
//!
//! Each says what it is about; here it is asked, planned, done and told.

mod ask;
pub(super) mod builds;
pub(super) mod cache;
mod filter;
pub(super) mod image;
mod report;
pub(super) mod system;

use std::time::Duration;

pub(crate) use filter::kind_name;
use tug_builder::result_kind;
use tug_layer_store::{Patience, PruneOptions, Pruned, Store, StoreUser};

use crate::arguments::moment;
use crate::error::CommandError;
use crate::human;
use crate::settings::Settings;

/// How it is done.
#[derive(Debug, clap::Args)]
pub(super) struct PruneArguments {
    /// Do not ask
    #[arg(short, long)]
    force: bool,
    /// Only show what would go and what would stay, and why
    #[arg(long)]
    dry_run: bool,
    /// Wait so long for others who use what is to go
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = moment::length)]
    wait: Duration,
    /// Write `json`, or each thing as a template says, such as `{{.Name}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

/// Does what `options` say. `consequences` are what the question says will happen.
fn run(
    store: &Store,
    options: &PruneOptions<'_>,
    arguments: &PruneArguments,
    consequences: &[&str],
    settings: &Settings,
) -> Result<(), CommandError> {
    let report = report::Report::new(arguments.format.as_deref(), store, arguments.dry_run)?;
    if arguments.dry_run {
        let plan = store.plan_prune(options, &result_kind)?;
        return report.write(&Pruned { plan, busy: None, in_use_by: Vec::new() }, settings);
    }
    if !arguments.force {
        ask::confirm(consequences, settings)?;
    }
    let tell = |users: &[StoreUser]| {
        let seconds = human::seconds(arguments.wait);
        settings.output.note(format_args!("Waiting up to {seconds} for {}", who(users)));
    };
    let patience = Patience { limit: arguments.wait, tell: &tell };
    let pruned = store.prune(options, &result_kind, &patience)?;
    report.write(&pruned, settings)?;
    if !pruned.in_use_by.is_empty() {
        let users = &pruned.in_use_by;
        let verb = if users.len() > 1 { "use" } else { "uses" };
        settings.output.note(format_args!(
            "Some of it stays, because {} {verb} it; what nothing leads to goes by itself later",
            who(users)
        ));
    }
    match &pruned.busy {
        None => Ok(()),
        Some(users) => Err(CommandError::failed(format_args!(
            "images, layers and results were left alone: {} {} in the store",
            who(users),
            if users.len() > 1 { "work" } else { "works" }
        ))
        .hint("do it again when that has ended, or wait longer with `--wait 10m`")),
    }
}

/// `tug build` (process 4711), …
fn who(users: &[StoreUser]) -> String {
    let one = |user: &StoreUser| {
        let command =
            if user.command.is_empty() { "a program".to_owned() } else { format!("`{}`", user.command) };
        match user.process {
            0 => format!("{command} in a container"),
            process => format!("{command} (process {process})"),
        }
    };
    match users {
        [] => "another process".to_owned(),
        users => users.iter().map(one).collect::<Vec<_>>().join(", "),
    }
}
