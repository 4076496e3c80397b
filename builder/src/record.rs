//! What is remembered of a finished step: its layer, and the inputs of its key.
//!
//! Two records are kept. The *result*, under the key: small, read at every hit. The *inputs*, under the slot, which is
//! the place of the step in its Dockerfile: read only to explain a miss.

use serde::{Deserialize, Serialize};
use tug_layer_store::Store;
use tug_oci::{DiffId, Digest};

use crate::difference::difference;
use crate::error::Error;
use crate::event::{BuiltBy, Change};
use crate::key::{Input, Inputs};

/// The result of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StepResult {
    /// The layer that it added.
    pub layer: DiffId,
    /// Bytes of the layer's plain tar.
    pub size: u64,
    /// The time that the history says, RFC 3339.
    pub created: String,
    /// The build that made it.
    pub build: String,
    /// When it was made in truth, RFC 3339. Records of the first versions do not say it.
    #[serde(default)]
    pub made: String,
    /// How long that took.
    #[serde(default)]
    pub seconds: f64,
}

impl StepResult {
    /// Who made it, and when.
    pub(crate) fn made_by(&self) -> BuiltBy {
        BuiltBy { build: self.build.clone(), time: self.made.clone() }
    }
}

#[derive(Serialize, Deserialize)]
struct SlotRecord {
    key: Digest,
    inputs: Vec<Input>,
    #[serde(default)]
    by: Option<BuiltBy>,
    #[serde(default)]
    seconds: f64,
}

/// Why a step has no result.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Miss {
    /// In one line.
    pub reason: String,
    /// What is not what it was.
    pub changes: Vec<Change>,
    /// The build that it was compared with.
    pub since: Option<BuiltBy>,
    /// How long the step took then, in seconds; 0 if that is not known.
    pub seconds: f64,
}

/// What the cache knows about a step.
pub(crate) enum Lookup {
    /// Its result.
    Hit(StepResult),
    /// Why it has no result, if there was an earlier build to compare with.
    Miss(Option<Miss>),
}

/// Looks for the result of the step with these `inputs`, whose key is `key`. A damaged or unreadable record counts as
/// none.
pub(crate) fn look_up(store: &Store, slot: &Digest, key: &Digest, inputs: &Inputs) -> Result<Lookup, Error> {
    let known = store.cache_record(key)?;
    if let Some(result) = known.and_then(|bytes| serde_json::from_slice::<StepResult>(&bytes).ok()) {
        if store.layer(&result.layer)?.is_some() {
            return Ok(Lookup::Hit(result));
        }
        return Ok(Lookup::Miss(Some(Miss {
            reason: "its layer is no longer in the store".to_owned(),
            changes: Vec::new(),
            since: Some(result.made_by()),
            seconds: result.seconds,
        })));
    }
    let last = store.last_record(slot)?.and_then(|bytes| serde_json::from_slice::<SlotRecord>(&bytes).ok());
    Ok(Lookup::Miss(last.map(|last| {
        let (reason, changes) = if last.key == *key {
            ("its record is no longer in the store".to_owned(), Vec::new())
        } else {
            let found = difference(&last.inputs, inputs.list());
            (found.reason, found.changes)
        };
        Miss { reason, changes, since: last.by, seconds: last.seconds }
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
    note(store, slot, key, inputs, result)
}

/// Remembers what the step had as inputs, to explain the next miss.
pub(crate) fn note(
    store: &Store,
    slot: &Digest,
    key: Digest,
    inputs: Inputs,
    result: &StepResult,
) -> Result<(), Error> {
    let record =
        SlotRecord { key, inputs: inputs.into_list(), by: Some(result.made_by()), seconds: result.seconds };
    store.put_last_record(slot, &encode(&record))?;
    Ok(())
}

fn encode(record: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(record).expect("records have string keys and no failing parts")
}
