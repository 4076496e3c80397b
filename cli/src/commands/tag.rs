//! `tug tag`: another name for an image.

use tug_oci::Reference;

use crate::arguments::values::{self, ImageName};
use crate::error::CommandError;
use crate::images;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug tag`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug tag app:latest app:1.2
  tug tag 0123456789ab registry.example.com/team/app:1.2")]
pub(crate) struct TagArguments {
    /// The image, by name or id
    #[arg(value_name = "IMAGE")]
    image: ImageName,
    /// The names to give to it (can be repeated)
    #[arg(required = true, value_name = "NAME", value_parser = values::new_name)]
    names: Vec<Reference>,
}

/// Gives the names.
pub(super) fn run(arguments: &TagArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = session::open_store(settings)?;
    let target = images::find_target(&store, &arguments.image)?;
    let refs: Vec<_> = arguments.names.iter().map(|name| (name.clone(), target.clone())).collect();
    Ok(store.tag_all(&refs)?)
}
