//! What is remembered of a finished step: its layer, and the inputs of its key.
//!
//! Two records are kept. The *result*, under the key: small, read at every hit. The *inputs*, under the slot, which is
//! the place of the step in its Dockerfile: read only to explain a miss.

use serde::{Deserialize, Serialize};
use tug_layer_store::Store;
use tug_oci::{DiffId, Digest};

use crate::error::Error;
use crate::key::{Input, Inputs};

/// The result of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StepResult {
    /// The layer that it added.
    pub layer: DiffId,
    /// Bytes of the layer's plain tar.
    pub size: u64,
    /// When it was made, RFC 3339.
    pub created: String,
    /// The build that made it.
    pub build: String,
}

#[derive(Serialize, Deserialize)]
struct SlotRecord {
    key: Digest,
    inputs: Vec<Input>,
}

/// What the cache knows about a step.
pub(crate) enum Lookup {
    /// Its result.
    Hit(StepResult),
    /// Why it has no result, if there was an earlier build to compare with.
    Miss(Option<String>),
}

/// Looks for the result of the step with these `inputs`, whose key is `key`. A damaged or unreadable record counts as
/// none.
pub(crate) fn look_up(store: &Store, slot: &Digest, key: &Digest, inputs: &Inputs) -> Result<Lookup, Error> {
    let known = store.cache_record(key)?;
    if let Some(result) = known.and_then(|bytes| serde_json::from_slice::<StepResult>(&bytes).ok()) {
        if store.layer(&result.layer)?.is_some() {
            return Ok(Lookup::Hit(result));
        }
        return Ok(Lookup::Miss(Some("its layer is no longer in the store".to_owned())));
    }
    let last = store.last_record(slot)?.and_then(|bytes| serde_json::from_slice::<SlotRecord>(&bytes).ok());
    Ok(Lookup::Miss(last.map(|last| match last.key == *key {
        true => "its record is no longer in the store".to_owned(),
        false => inputs.difference(&last.inputs),
    })))
}

/// Remembers the `result` of the step with these `inputs`, whose key is `key`.
pub(crate) fn remember(
    store: &Store,
    slot: &Digest,
    key: Digest,
    inputs: Inputs,
    result: &StepResult,
) -> Result<(), Error> {
    store.put_cache_record(&key, &encode(result))?;
    note(store, slot, key, inputs)
}

/// Remembers what the step had as inputs, to explain the next miss.
pub(crate) fn note(store: &Store, slot: &Digest, key: Digest, inputs: Inputs) -> Result<(), Error> {
    store.put_last_record(slot, &encode(&SlotRecord { key, inputs: inputs.into_list() }))?;
    Ok(())
}

fn encode(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).expect("records have string keys and no failing parts")
}
