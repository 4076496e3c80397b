//! `tug image prune`

use tug_layer_store::{ImagePrune, PruneOptions};

use super::PruneArguments;
use super::filter::{self, Filter};
use crate::error::CommandError;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug image prune`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug image prune                                 Images without a name
  tug image prune -a                              All images; what the build cache knows stays
  tug image prune -a --filter until=168h          Those made more than a week ago
  tug image prune -a --filter label=stage=test --filter 'label!=keep'
  tug image prune -a --dry-run                    What would go, what would stay, and why")]
pub(crate) struct ImagePruneArguments {
    /// Also images that have names
    #[arg(short, long)]
    all: bool,
    /// Only images with `until=TIME`, `label=KEY[=VALUE]`, `label!=KEY[=VALUE]`, `dangling=BOOL` (can be repeated)
    #[arg(long = "filter", value_name = "KEY=VALUE", value_parser = Filter::of_images)]
    filters: Vec<Filter>,
    #[command(flatten)]
    how: PruneArguments,
}

/// Removes images.
pub(crate) fn run(arguments: &ImagePruneArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = session::open_whole_store(settings)?;
    let dangling = arguments.filters.iter().rev().find_map(|filter| match filter {
        Filter::Dangling(dangling) => Some(*dangling),
        _ => None,
    });
    let all = dangling.map_or(arguments.all, |dangling| !dangling);
    let spare = |image: &tug_layer_store::ImageUsage| filter::spared(&store, &arguments.filters, image);
    let options = PruneOptions { images: Some(ImagePrune { all, spare: &spare }), ..PruneOptions::default() };
    let what = if all { "all images that fit" } else { "all images without a name" };
    super::run(&store, &options, &arguments.how, &[what, "blobs and layers that nothing leads to"], settings)
}
