//! `tug system prune`

use tug_layer_store::{CachePrune, ImagePrune, ImageUsage, PruneOptions};

use super::PruneArguments;
use super::cache::earliest;
use super::filter::{self, Filter};
use crate::error::CommandError;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug system prune`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug system prune                                Images without a name, the build cache that no image has
  tug system prune -a                             All images, the whole build cache
  tug system prune -a --filter until=168h         Of that, what is older than a week
  tug system prune --derived                      Also what can be made again: unpacked layers, plain tars
  tug system prune -a --dry-run                   What would go, what would stay, and why")]
pub(crate) struct SystemPruneArguments {
    /// Also images that have names, and the whole build cache
    #[arg(short, long)]
    all: bool,
    /// Only what fits `until=TIME`, `label=KEY[=VALUE]` or `label!=KEY[=VALUE]` (can be repeated)
    #[arg(long = "filter", value_name = "KEY=VALUE", value_parser = Filter::of_system)]
    filters: Vec<Filter>,
    /// Also forms of layers that can be made again from what stays: trees, plain tars of compressed blobs
    #[arg(long)]
    derived: bool,
    /// There are no volumes
    #[arg(long, hide = true)]
    volumes: bool,
    #[command(flatten)]
    how: PruneArguments,
}

/// Removes all that is not used.
pub(crate) fn run(arguments: &SystemPruneArguments, settings: &Settings) -> Result<(), CommandError> {
    if arguments.volumes {
        return Err(CommandError::usage("tug has no volumes that could be pruned")
            .hint("what outlives steps are cache mounts: they go with the build cache, without any flag"));
    }
    let store = session::open_whole_store(settings)?;
    let has_labels = arguments.filters.iter().any(|filter| matches!(filter, Filter::Label(_)));
    let spare = |image: &ImageUsage| filter::spared(&store, &arguments.filters, image);
    let cache = CachePrune {
        all: arguments.all,
        unused_since: earliest(None, &arguments.filters),
        ..CachePrune::default()
    };
    let options = PruneOptions {
        images: Some(ImagePrune { all: arguments.all, spare: &spare }),
        // The build cache has no labels, so none of it fits.
        cache: (!has_labels).then_some(cache),
        leftovers: arguments.filters.is_empty(),
        downloads: arguments.all && arguments.filters.is_empty(),
        derived: arguments.derived,
        ..PruneOptions::default()
    };
    let mut consequences = vec![if arguments.all { "all images" } else { "all images without a name" }];
    if !has_labels {
        consequences.push(if arguments.all {
            "the whole build cache, cache mounts too"
        } else {
            "all of the build cache that no image has, cache mounts too"
        });
    }
    if options.leftovers {
        consequences.push("what failed steps left");
    }
    if options.derived {
        consequences.push("forms of layers that can be made again");
    }
    consequences.push("blobs and layers that nothing leads to");
    super::run(&store, &options, &arguments.how, &consequences, settings)
}
