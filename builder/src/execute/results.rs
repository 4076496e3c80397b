//! What steps came to, for others: results that caches are given, layers that are sent away.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tug_layer_store::ExportedResult;
use tug_oci::{DiffId, Digest};

use super::{Done, Execution};
use crate::error::Error;
use crate::plan::{Action, Plan, State, Step};
use crate::record::StepResult;

/// The results of a build so far.
#[derive(Default)]
pub(crate) struct Results(Mutex<Vec<(Digest, StepResult)>>);

impl Results {
    /// A step that is known by `key` came to `result`.
    pub(super) fn add(&self, key: &Digest, result: &StepResult) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((key.clone(), result.clone()));
    }

    /// All of them, in the order of their keys; each once. `in_images` are the layers of all images that come out.
    pub(crate) fn exported(&self, in_images: &HashSet<DiffId>) -> Vec<ExportedResult> {
        exported(self.all(), in_images)
    }

    /// The same without what differs from build to build, for an image that is to be the same each time.
    pub(crate) fn without_traces(&self) -> Vec<ExportedResult> {
        let mut results = self.all();
        for (_, result) in &mut results {
            (result.build, result.made, result.seconds) = (String::new(), String::new(), 0.0);
        }
        exported(results, &HashSet::new())
    }

    fn all(&self) -> Vec<(Digest, StepResult)> {
        let mut results = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        results.sort_by(|(one, _), (other, _)| one.cmp(other));
        results.dedup_by(|(one, _), (other, _)| one == other);
        results
    }
}

fn exported(results: Vec<(Digest, StepResult)>, in_images: &HashSet<DiffId>) -> Vec<ExportedResult> {
    let exported = results.into_iter().map(|(key, mut result)| {
        let blob = result.blob.take().map(|blob| *blob);
        let layer = result.layer.clone();
        let in_image = in_images.contains(&layer);
        ExportedResult { key, record: result.encoded(), layer, blob, in_image }
    });
    exported.collect()
}

/// Whether the layer of a step, by its number, is in an image that comes out.
pub(super) fn steps_of_images(plan: &Plan) -> Vec<bool> {
    let mut in_images = vec![false; plan.steps.len()];
    for unit in &plan.units {
        let mut state = unit.result.state;
        while let State::After(id) = state {
            in_images[id.0] = true;
            state = plan.steps[id.0].below;
        }
    }
    in_images
}

impl Execution<'_> {
    /// Forgets results whose layers are neither here nor can be had, and returns how many there were.
    pub(crate) fn forget_lost_results(&self) -> Result<usize, Error> {
        let known = self.results.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut count = 0;
        for (key, result) in known {
            let Some(blob) = &result.blob else { continue };
            if self.store.layer(&result.layer)?.is_none() && !self.store.has_blob(&blob.digest)? {
                // What is no result counts as none.
                self.store.put_cache_record(&key, b"{}")?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Tells who listens of the layers that a step has added to an image.
    pub(super) fn tell_layers(&self, step: &Step, done: &Done) {
        let Some(listener) = &self.elsewhere.layers else { return };
        match &step.action {
            Action::Base(image) => {
                image.layers().for_each(|(layer, blob)| listener.layer(layer, Some(blob)));
            }
            _ => {
                if let Some(layer) = done.chain.last() {
                    listener.layer(layer, self.blobs.get(layer).as_ref());
                }
            }
        }
    }
}
