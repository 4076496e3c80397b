//! `tug cache`: the directories of `RUN --mount=type=cache`, which outlive builds.

mod export;
mod import;
mod list;
mod remove;

use tug_dockerfile::closest;
use tug_layer_store::{CacheId, CacheSummary};

use crate::commands::prune;
use crate::error::CommandError;
use crate::settings::Settings;

/// Arguments of `tug cache`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug cache ls                              Which there are, how large, when last used
  tug cache export -o caches.tar.zst        All of them, for another machine or the next CI job
  tug cache export /root/.cache/pip | ssh other tug cache import
  tug cache import caches.tar.zst           Take them; what is there already stays
  tug cache rm /root/.cache/pip             Remove one
  tug cache prune --keep-storage 20g        Remove the least recently used of the whole build cache

A cache is named by its `id=`; without one, that is its target as the Dockerfile has it.")]
pub(crate) struct CacheArguments {
    #[command(subcommand)]
    command: CacheCommand,
}

/// What can be done with caches.
#[derive(Debug, clap::Subcommand)]
enum CacheCommand {
    /// List the caches
    #[command(visible_alias = "list")]
    Ls(list::ListArguments),
    /// Write caches into an archive
    Export(export::ExportArguments),
    /// Take the caches of an archive
    Import(import::ImportArguments),
    /// Remove caches
    #[command(visible_alias = "remove")]
    Rm(remove::RemoveArguments),
    /// Remove what of the whole build cache is not needed
    Prune(prune::cache::CachePruneArguments),
}

/// Does it.
pub(super) fn run(arguments: &CacheArguments, settings: &Settings) -> Result<(), CommandError> {
    match &arguments.command {
        CacheCommand::Ls(arguments) => list::run(arguments, settings),
        CacheCommand::Export(arguments) => export::run(arguments, settings),
        CacheCommand::Import(arguments) => import::run(arguments, settings),
        CacheCommand::Rm(arguments) => remove::run(arguments, settings),
        CacheCommand::Prune(arguments) => prune::cache::run(arguments, settings),
    }
}

/// The caches that `name` means: all with this id, or the one whose name `tug cache ls` shows.
fn named<'a>(caches: &'a [CacheSummary], name: &str) -> Result<Vec<&'a CacheSummary>, CommandError> {
    const SHORTEST_NAME: usize = 6;
    let mut found: Vec<&CacheSummary> = caches.iter().filter(|cache| cache.id.id == name).collect();
    if found.is_empty() && name.len() >= SHORTEST_NAME {
        found = caches.iter().filter(|cache| cache.id.name().starts_with(name)).collect();
    }
    if !found.is_empty() {
        return Ok(found);
    }
    let ids: Vec<&str> = caches.iter().map(|cache| cache.id.id.as_str()).collect();
    Err(CommandError::failed(format_args!("there is no cache `{name}`")).hint(match closest(name, &ids) {
        Some(similar) => format!("did you mean `{similar}`?"),
        None => "`tug cache ls` lists those that there are".to_owned(),
    }))
}

/// The caches that `names` mean, each once; all when there are no names.
fn chosen(caches: &[CacheSummary], names: &[String]) -> Result<Vec<CacheId>, CommandError> {
    if names.is_empty() {
        return Ok(caches.iter().map(|cache| cache.id.clone()).collect());
    }
    let mut ids: Vec<CacheId> = Vec::new();
    for name in names {
        for cache in named(caches, name)? {
            if !ids.contains(&cache.id) {
                ids.push(cache.id.clone());
            }
        }
    }
    Ok(ids)
}

/// What is told of caches that were left alone.
fn in_use(ids: &[CacheId], what: &str) -> Result<(), CommandError> {
    let [first, rest @ ..] = ids else { return Ok(()) };
    let more = if rest.is_empty() { String::new() } else { format!(" (and {} more)", rest.len()) };
    Err(CommandError::failed(format_args!("the cache `{}`{more} was not {what}: a build uses it", first.id))
        .hint("do it again when the build has ended"))
}
