//! What is remembered of a finished step: its layer, and the inputs of its key.
//!
//! Two records are kept. The *result*, under the key: small, read at every hit. The *inputs*, under the slot, which is
//! the place of the step in its Dockerfile: read only to explain a miss.

use serde::{Deserialize, Serialize};
use tug_layer_store::{FoundResult, Store};
use tug_oci::{Descriptor, DiffId, Digest};

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
    /// The blob that the layer can be fetched as, where somebody else made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<Box<Descriptor>>,
    /// The full key, in a record that is kept under a quick one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub full_key: Option<Digest>,
}

impl StepResult {
    /// What another machine has made of it, if it can be read.
    pub(crate) fn found(found: FoundResult) -> Option<Self> {
        let mut result: Self = serde_json::from_slice(&found.record).ok()?;
        (result.layer == found.layer).then(|| {
            result.blob = Some(Box::new(found.blob));
            result
        })
    }

    /// The record for others, and under a quick key.
    pub(crate) fn encoded(&self) -> Vec<u8> {
        encode(self)
    }

    /// Whether its layer is in the store, or can be brought when it is needed.
    fn has_layer(&self, store: &Store) -> Result<bool, Error> {
        if store.layer(&self.layer)?.is_some() {
            return Ok(true);
        }
        match &self.blob {
            Some(blob) => Ok(store.can_bring(&blob.digest)?),
            None => Ok(false),
        }
    }

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
    Hit(Box<StepResult>),
    /// Why it has no result, if there was an earlier build to compare with.
    Miss(Option<Miss>),
}

/// Looks for the result of the step with these `inputs`, whose key is `key`. A damaged or unreadable record counts as
/// none.
pub(crate) fn look_up(store: &Store, slot: &Digest, key: &Digest, inputs: &Inputs) -> Result<Lookup, Error> {
    let known = store.cache_record(key)?;
    if let Some(result) = known.and_then(|bytes| serde_json::from_slice::<StepResult>(&bytes).ok()) {
        if result.has_layer(store)? {
            return Ok(Lookup::Hit(Box::new(result)));
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

/// The result that is kept under `key`, without any word about why there is none.
pub(crate) fn known(store: &Store, key: &Digest) -> Result<Option<StepResult>, Error> {
    let known = store.cache_record(key)?;
    match known.and_then(|bytes| serde_json::from_slice::<StepResult>(&bytes).ok()) {
        Some(result) if result.has_layer(store)? => Ok(Some(result)),
        _ => Ok(None),
    }
}

/// Remembers the `result` under `key` alone.
pub(crate) fn keep(store: &Store, key: &Digest, result: &StepResult) -> Result<(), Error> {
    Ok(store.put_cache_record(key, &encode(result))?)
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
