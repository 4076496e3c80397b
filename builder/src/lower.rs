//! What the store keeps of layers, as the runtime mounts it.

use tug_layer_store::{Error, Store};
use tug_oci::DiffId;
use tug_runtime::Lower;

/// What is merged into the root of a container for `layers`, which come lowest first; the uppermost comes first.
///
/// # Errors
/// Those of the store: a layer is missing, or what it takes to mount it cannot be made.
pub fn lower_of(store: &Store, layers: &[DiffId]) -> Result<Vec<Lower>, Error> {
    let lower = store.lower(layers)?.into_iter();
    Ok(lower
        .map(|layer| match layer {
            tug_layer_store::Lower::Tree(path) => Lower::Directory(path),
            tug_layer_store::Lower::Indexed { index, data } => Lower::Indexed { index, data },
        })
        .collect())
}
