//! Pushes what was built.

use tug_layer_store::Store;
use tug_oci::{Descriptor, Platform, Reference};
use tug_transfer::{PushOptions, Remote};

use super::super::BuildArguments;
use super::compression;
use super::spec::{OutputSpec, Push};
use crate::environment::Environment;
use crate::error::CommandError;

/// Whether there is somewhere to push to.
pub(super) fn check(
    spec: &OutputSpec,
    tags: &[Reference],
    arguments: &BuildArguments,
    environment: &Environment,
) -> Result<(), CommandError> {
    if tags.is_empty() && spec.names.is_empty() {
        return Err(CommandError::usage("a push needs a name").hint("give one with `-t REGISTRY/NAME:TAG`"));
    }
    if arguments.is_offline(environment) {
        return Err(CommandError::usage("nothing can be pushed without registries")
            .hint("leave out `--offline` and the variable `TUG_OFFLINE`, or `--push`"));
    }
    Ok(())
}

/// Pushes an image or index under all its names, and returns what points to it there: plain layers are compressed on the
/// way.
pub(super) fn push(
    store: &Store,
    remote: &Remote,
    image: &Descriptor,
    names: &[Reference],
    spec: &OutputSpec,
    how: Push,
) -> Result<Descriptor, CommandError> {
    let options = PushOptions {
        compression: spec.form.compression.unwrap_or(compression::USUAL),
        all: true,
        by_digest: how == Push::ByDigest,
        ..PushOptions::new(Platform::host())
    };
    let name = names.first().map(Reference::familiar).unwrap_or_default();
    let pushed = remote.push(store, &name, image, names, &options)?;
    Ok(pushed.into_iter().next().map_or_else(|| image.clone(), |pushed| pushed.target))
}
