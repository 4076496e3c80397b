//! As which blobs layers can be had that are not unpacked, or not even here: those of base images, and those that
//! somebody else has made.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use tug_layer_store::{Mountable, Store};
use tug_oci::{Descriptor, DiffId};

use crate::error::Error;
use crate::plan::{Action, Step};

/// Blobs by the layers that are in them.
#[derive(Default)]
pub(crate) struct Blobs(Mutex<HashMap<DiffId, Descriptor>>);

impl Blobs {
    /// Those of the base images of a plan.
    pub(crate) fn of_bases(steps: &[Step]) -> Self {
        let images = steps.iter().filter_map(|step| match &step.action {
            Action::Base(image) => Some(image),
            _ => None,
        });
        let layers = images.flat_map(|image| image.layers());
        Self(Mutex::new(layers.map(|(diff_id, blob)| (diff_id.clone(), blob.clone())).collect()))
    }

    /// The blob of a layer, if it is known.
    pub(crate) fn get(&self, layer: &DiffId) -> Option<Descriptor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(layer).cloned()
    }

    /// One more, of a layer that somebody else has made.
    pub(super) fn add(&self, layer: &DiffId, blob: &Descriptor) {
        let mut blobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        blobs.entry(layer.clone()).or_insert_with(|| blob.clone());
    }

    /// Makes sure that the store knows what is in the layers of `chain`: they may have come as blobs only, or not yet.
    pub(crate) fn ensure(&self, store: &Store, chain: &[DiffId], mountable: Mountable) -> Result<(), Error> {
        let known: Vec<_> = chain.iter().filter_map(|layer| Some((layer, self.get(layer)?))).collect();
        Ok(store.ensure_layers(known.iter().map(|(layer, blob)| (*layer, blob)), mountable)?)
    }
}
