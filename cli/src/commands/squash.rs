//! `tug squash`: several layers as one.

use tug_layer_store::Draft;

use crate::error::CommandError;
use crate::mutation::{MutationArguments, Start};
use crate::settings::Settings;

/// Arguments of `tug squash`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What an upper layer has replaced or removed is not in the new one. The history keeps its lines. With `--base`, the layers
that the image shares with its base stay, so that they are stored and sent once.

Examples:
  tug squash app -t app:flat
  tug squash app --base debian:12
  tug squash app --from 3                 The third layer from below and all above it")]
pub(crate) struct SquashArguments {
    /// The image, by name or id, or `docker://NAME` for one on a registry
    #[arg(value_name = "IMAGE")]
    image: Start,
    /// The lowest layer that is changed: its number from below, or the beginning of its diff id or digest
    #[arg(long, value_name = "LAYER", conflicts_with = "base")]
    from: Option<String>,
    /// Leave the layers of this image, on which IMAGE was built
    #[arg(long, value_name = "NAME")]
    base: Option<String>,
    #[command(flatten)]
    mutation: MutationArguments,
}

/// Squashes the image.
pub(super) fn run(arguments: &SquashArguments, settings: &Settings) -> Result<(), CommandError> {
    let mut subject = arguments.mutation.find(&arguments.image, settings)?;
    subject.has_new_layers = true;
    let mut most = 0;
    let mut squash = |draft: &mut Draft| -> Result<(), CommandError> {
        let below = match (&arguments.from, &arguments.base) {
            (Some(layer), _) => number_below(draft, layer, &subject.shown)?,
            (None, Some(base)) => {
                let asks = arguments.mutation.is_remote(&arguments.image);
                let platform = &draft.config.platform;
                let base_image = arguments.mutation.other_image(base, platform, asks, &subject, settings)?;
                if !draft.config.rootfs.diff_ids.starts_with(base_image.diff_ids()) {
                    let message = format!("`{}` does not stand on `{base}`", subject.shown);
                    return Err(CommandError::failed(message).hint("`--from` takes the number of a layer"));
                }
                base_image.diff_ids().len()
            }
            (None, None) => 0,
        };
        most = most.max(draft.squash(&subject.store, below)?);
        Ok(())
    };
    let made = subject.store.change_images(&subject.target, &subject.which, &mut squash, &mut |_| {});
    let made = made.map_err(|error| subject.behind(error))?;
    match most {
        0 => subject.note("there is no layer to squash", settings),
        1 => subject.note("there is only one layer to squash, which stays as it is", settings),
        _ => {}
    }
    arguments.mutation.deliver(&subject, &made, settings)
}

/// How many layers are below the one that is meant.
fn number_below(draft: &Draft, layer: &str, image: &str) -> Result<usize, CommandError> {
    let count = draft.layers.len();
    let no_layer = |reason: String| {
        CommandError::failed(format_args!("`{image}` has no layer `{layer}`"))
            .hint(format!("{reason}; `tug history {image}` lists them"))
    };
    // Nobody has so many layers that their number could be taken for a digest.
    if layer.len() < 6
        && let Ok(number) = layer.parse::<usize>()
    {
        return match number {
            1.. if number <= count => Ok(number - 1),
            _ => Err(no_layer(format!("it has {count}, counted from 1 below"))),
        };
    }
    let digits = layer.strip_prefix("sha256:").unwrap_or(layer);
    let is_meant = |place: &usize| {
        let digests = [draft.config.rootfs.diff_ids[*place].digest(), &draft.layers[*place].digest];
        digests.iter().any(|digest| digest.hex().starts_with(digits))
    };
    let found: Vec<usize> = (0..count).filter(is_meant).collect();
    match found.as_slice() {
        [] => Err(no_layer("expected a number, or the beginning of a digest".to_owned())),
        [one] => Ok(*one),
        [..] if digits.is_empty() => {
            Err(no_layer("expected a number, or the beginning of a digest".to_owned()))
        }
        several => {
            Err(CommandError::failed(format_args!("`{layer}` fits {} layers of `{image}`", several.len()))
                .hint("give more digits, or the number of the layer"))
        }
    }
}
