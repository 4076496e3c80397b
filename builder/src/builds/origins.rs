//! Which line of which Dockerfile a layer comes from, as far as builds of this store are recorded.
//!
//! Nothing of it is in the image, whose digests stay those that docker would give. The events of builds name the layer
//! of each step, and the plan names the line of each step.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use serde::{Deserialize, Serialize};
use tug_layer_store::Store;
use tug_oci::{DiffId, Digest};

use super::{Build, BuildRecord};
use crate::error::Error;
use crate::event::{Event, StepSummary};

/// Events of one build are read up to here.
const MOST_BYTES: u64 = 64 << 20;

/// The instruction that made a layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerOrigin {
    /// The identity of the build that says so.
    pub build: String,
    /// The Dockerfile, as that build was given it.
    pub dockerfile: String,
    /// The line of the instruction, from 1.
    pub line: usize,
    /// `[build 2/5] RUN make`.
    pub step: String,
}

impl LayerOrigin {
    /// `Dockerfile:12`.
    pub fn place(&self) -> String {
        format!("{}:{}", self.dockerfile, self.line)
    }
}

/// The newest recorded build that made the image with this config; `None` when there is none.
pub fn build_of_image(store: &Store, config: &Digest) -> Result<Option<Build>, Error> {
    for id in store.build_ids()?.into_iter().rev() {
        match Build::open(store, &id)? {
            Some(build) if made(&build.record, config) => return Ok(Some(build)),
            _ => {}
        }
    }
    Ok(None)
}

/// Where each of `layers` comes from; `None` for one that no recorded build made. The build that made the image with
/// this config counts first, then the newest.
pub fn layer_origins(
    store: &Store,
    config: &Digest,
    layers: &[DiffId],
) -> Result<Vec<Option<LayerOrigin>>, Error> {
    let mut origins = vec![None; layers.len()];
    let first = build_of_image(store, config)?;
    if let Some(build) = &first {
        note(build, layers, &mut origins);
    }
    for id in store.build_ids()?.into_iter().rev() {
        if origins.iter().all(Option::is_some) {
            break;
        }
        if first.as_ref().is_some_and(|first| first.record.id == id) {
            continue;
        }
        if let Some(build) = Build::open(store, &id)? {
            note(&build, layers, &mut origins);
        }
    }
    Ok(origins)
}

fn made(record: &BuildRecord, config: &Digest) -> bool {
    record.units.iter().any(|unit| unit.config.as_ref() == Some(config))
}

/// Takes over what a build says about layers of which nothing is known. What cannot be read says nothing.
fn note(build: &Build, layers: &[DiffId], origins: &mut [Option<LayerOrigin>]) {
    let Ok(opened) = File::open(build.folder.events()) else { return };
    let mut events = BufReader::new(opened.take(MOST_BYTES));
    let mut plan: Vec<StepSummary> = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        match events.read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
        let (step, layer) = match serde_json::from_slice(&line) {
            Ok(Event::Planned { steps, .. }) => {
                plan = steps;
                continue;
            }
            Ok(
                Event::Cached { step, layer: Some(layer), .. }
                | Event::Finished { step, layer: Some(layer), .. },
            ) => (step, layer),
            _ => continue,
        };
        let Some(step) = plan.iter().find(|known| known.id == step && known.line > 0) else { continue };
        for (place, known) in layers.iter().enumerate() {
            if *known == layer && origins[place].is_none() {
                origins[place] = Some(origin(&build.record, step));
            }
        }
    }
}

fn origin(record: &BuildRecord, step: &StepSummary) -> LayerOrigin {
    let unit = record.units.iter().find(|unit| unit.name == step.unit).or(record.units.first());
    LayerOrigin {
        build: record.id.clone(),
        dockerfile: unit.map_or_else(|| "Dockerfile".to_owned(), |unit| unit.dockerfile.clone()),
        line: step.line,
        step: step.name.clone(),
    }
}
