//! The states that a build went through: which layers are there before and after a step, and what a RUN looked like.
//!
//! The plan is written down once, when the build begins. What only exists while a step runs is added for those that
//! fail: mounts that outlive it, and the files that it left. Contents of secrets and proxy variables are in neither.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tug_layer_store::BuildFolder;
use tug_oci::{Descriptor, DiffId};
use tug_runtime::{Container, Mount, Root};

use super::Build;
use crate::error::Error;
use crate::event::{Event, StepId};
use crate::plan::{Action, Plan, State};
use crate::run;

const PLAN: &str = "plan.json";
const LARGEST: u64 = 256 << 20;

/// A step as the plan has it.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlannedStep {
    /// The step whose layers it stands on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    on: Option<StepId>,
    /// The layers of an image that it takes, lowest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    base: Vec<(DiffId, Descriptor)>,
    /// What it runs, without a root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    run: Option<Container>,
}

/// Before or after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before it.
    Before,
    /// After it.
    After,
}

/// The state before or after a step.
#[derive(Debug)]
pub struct StepState {
    /// The layers that are there, lowest first.
    pub layers: Vec<DiffId>,
    /// The blobs of those that came with images.
    pub blobs: Vec<(DiffId, Descriptor)>,
    /// What the step left when it failed: an upper directory to be put over the layers.
    pub leftover: Option<PathBuf>,
    /// What the step runs; of one that runs nothing, what the nearest one below it runs. Its root is empty.
    pub container: Option<Container>,
}

impl Build {
    /// The state before or after `step`. `None` when it was never there, or is not known any more.
    pub fn state(&self, step: StepId, when: When) -> Result<Option<StepState>, Error> {
        let Some(plan) = read::<Vec<PlannedStep>>(&self.folder.path().join(PLAN)) else { return Ok(None) };
        let Some(planned) = plan.get(step.0) else { return Ok(None) };
        let mut layers = vec![None; plan.len()];
        let mut replay = self.replay()?;
        while let Some((_, event)) = replay.next_event()? {
            if let Event::Cached { step, layer, .. } | Event::Finished { step, layer, .. } = event
                && let Some(place) = layers.get_mut(step.0)
            {
                *place = layer;
            }
        }
        let leftover = leftover(&self.folder, step);
        let leftover = Some(leftover).filter(|path| when == When::After && path.is_dir());
        let top = match when {
            When::After if leftover.is_none() => Some(step),
            _ => planned.on,
        };
        let mut state = StepState { layers: Vec::new(), blobs: Vec::new(), leftover, container: None };
        let mut next = top;
        while let Some(StepId(place)) = next {
            let (Some(planned), Some(layer)) = (plan.get(place), layers.get(place)) else { return Ok(None) };
            match layer {
                Some(layer) => state.layers.push(layer.clone()),
                None if planned.base.is_empty() && planned.on.is_some() => return Ok(None),
                None => state.layers.extend(planned.base.iter().rev().map(|(diff_id, _)| diff_id.clone())),
            }
            state.blobs.extend(planned.base.iter().cloned());
            // A step stands on one before it: this ends.
            next = planned.on.filter(|on| on.0 < place);
        }
        state.layers.reverse();
        state.container = read(&container_file(self.folder.path(), step)).or_else(|| nearest(plan, step));
        Ok(Some(state))
    }
}

/// What the step runs, or else the nearest one below that runs something.
fn nearest(mut plan: Vec<PlannedStep>, step: StepId) -> Option<Container> {
    let mut next = Some(step);
    while let Some(StepId(place)) = next {
        let planned = plan.get_mut(place)?;
        if planned.run.is_some() {
            return planned.run.take();
        }
        next = planned.on.filter(|on| on.0 < place);
    }
    None
}

/// Writes down the plan of a build.
pub(crate) fn write_plan(folder: &BuildFolder, plan: &Plan) {
    let steps: Vec<PlannedStep> = plan
        .steps
        .iter()
        .map(|step| PlannedStep {
            on: match step.below {
                State::Scratch => None,
                State::After(step) => Some(step),
            },
            base: match &step.action {
                Action::Base(image) => {
                    image.layers().map(|(diff_id, blob)| (diff_id.clone(), blob.clone())).collect()
                }
                _ => Vec::new(),
            },
            run: match &step.action {
                Action::Run(action) => Some(run::bare(action)),
                _ => None,
            },
        })
        .collect();
    write(&folder.path().join(PLAN), &steps);
}

/// Writes down what a step that failed ran, and keeps the files that it left. `bare` is without secrets and proxies,
/// `whole` is what ran; `upper` is moved away.
pub(crate) fn keep_failed(
    folder: &BuildFolder,
    step: StepId,
    bare: Container,
    whole: &Container,
    upper: &Path,
) {
    let outlives = |mount: &&Mount| match mount {
        Mount::Bind { .. } | Mount::Tmpfs { .. } => true,
        Mount::Foreign { root, .. } => root.root.upper.is_none(),
        _ => false,
    };
    let mounts = bare.mounts.iter().cloned().chain(whole.mounts.iter().filter(outlives).cloned()).collect();
    let kept = Container { root: Root::default(), mounts, process: bare.process, ..whole.clone() };
    write(&container_file(folder.path(), step), &kept);
    let leftover = leftover(folder, step);
    // Without them there is no state after the step; that before it is there.
    let _ = std::fs::create_dir_all(folder.leftover()).and_then(|()| std::fs::rename(upper, leftover));
}

fn leftover(folder: &BuildFolder, step: StepId) -> PathBuf {
    folder.leftover().join((step.0 + 1).to_string())
}

fn container_file(folder: &Path, step: StepId) -> PathBuf {
    folder.join(format!("{}.json", step.0 + 1))
}

/// As for logs: what cannot be written is missing, and no reason to give up the build.
fn write(path: &Path, value: &impl Serialize) {
    if let Ok(bytes) = serde_json::to_vec(value) {
        let _ = std::fs::write(path, bytes);
    }
}

fn read<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(LARGEST).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}
