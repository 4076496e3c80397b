//! `tug cache prune`, which docker calls `builder prune`, and buildx `prune`.

use std::time::SystemTime;

use tug_layer_store::{CacheLimits, CachePrune, PruneOptions};

use super::PruneArguments;
use super::filter::Filter;
use crate::arguments::{moment, values};
use crate::error::CommandError;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug cache prune`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug cache prune                                 What no image has: results of steps, cache mounts, git copies
  tug cache prune --until 168h                    Of that, what was not used for a week
  tug cache prune --keep-storage 20g              The least recently used, until 20 GB are left
  tug cache prune --filter type=exec.cachemount   Only cache mounts
  tug cache prune -a --dry-run                    What would go, what would stay, and why

The build cache is also kept small by itself: see docs/pruning.md.")]
pub(crate) struct CachePruneArguments {
    /// Also results whose layers are in images, and what explains why steps are done again
    #[arg(short, long)]
    all: bool,
    /// Only what was not used for so long, or since that time
    #[arg(long, value_name = "TIME", value_parser = moment::moment)]
    until: Option<SystemTime>,
    /// Only what fits `until=TIME` or is of one kind: `type=regular`, `exec.cachemount`, `source.http`,
    /// `source.git.checkout`, `source.local` or `internal` (can be repeated)
    #[arg(long = "filter", value_name = "KEY=VALUE", value_parser = Filter::of_cache)]
    filters: Vec<Filter>,
    /// So much always stays
    #[arg(long, visible_alias = "keep-storage", value_name = "SIZE", value_parser = values::bytes)]
    reserved_space: Option<u64>,
    /// More than so much never stays
    #[arg(long, value_name = "SIZE", value_parser = values::bytes)]
    max_used_space: Option<u64>,
    /// Remove until so much of the disk is free
    #[arg(long, value_name = "SIZE", value_parser = values::bytes)]
    min_free_space: Option<u64>,
    #[command(flatten)]
    how: PruneArguments,
}

/// Removes what of the build cache is not wanted.
pub(crate) fn run(arguments: &CachePruneArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = session::open_whole_store(settings)?;
    let cache = CachePrune {
        all: arguments.all,
        kinds: kinds(&arguments.filters),
        unused_since: earliest(arguments.until, &arguments.filters),
        limits: CacheLimits {
            // As in docker: nothing has to stay.
            reserved: arguments.reserved_space.filter(|bytes| *bytes > 0),
            most: arguments.max_used_space.filter(|bytes| *bytes > 0),
            free: arguments.min_free_space.filter(|bytes| *bytes > 0),
        },
    };
    let what = match (arguments.all, cache.limits == CacheLimits::default()) {
        (true, true) => "the whole build cache, cache mounts too",
        (false, true) => "all of the build cache that no image has, cache mounts too",
        (_, false) => {
            "the least recently used of the build cache, cache mounts too, until the rest is small enough"
        }
    };
    let options = PruneOptions { cache: Some(cache), ..PruneOptions::default() };
    super::run(&store, &options, &arguments.how, &[what, "blobs and layers that nothing leads to"], settings)
}

/// The kinds that filters name.
fn kinds(filters: &[Filter]) -> std::collections::BTreeSet<tug_layer_store::CacheKind> {
    let kind = |filter: &Filter| match filter {
        Filter::Kind(kind) => Some(*kind),
        _ => None,
    };
    filters.iter().filter_map(kind).collect()
}

/// Since when something was not used that goes: all filters must fit.
pub(super) fn earliest(until: Option<SystemTime>, filters: &[Filter]) -> Option<SystemTime> {
    let moment = |filter: &Filter| match filter {
        Filter::Until(moment) => Some(*moment),
        _ => None,
    };
    filters.iter().filter_map(moment).chain(until).min()
}
