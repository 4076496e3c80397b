//! Quick keys: of steps that read the layers of others, without looking into these.
//!
//! The full key of a `COPY --from` has what lands, file by file. For that the layers must be here. A quick key has their
//! digests instead: same layers, same instruction, same result. Other layers with the same files only miss it, and the full
//! key decides. So a build of which all is known needs none of the layers that its image does not have.

use tug_oci::{DiffId, Digest};

use super::step::run_inputs;
use super::{Execution, Inputs as Below, mounts};
use crate::copy;
use crate::key::Inputs;
use crate::plan::{Action, CopyAction, CopyFrom, CopySource, RunMount, State, Step};

impl Execution<'_> {
    /// The quick key of a step; `None` where the full key needs no layers, or other files as well.
    pub(super) fn quick_key(&self, step: &Step, below: &Below) -> Option<Digest> {
        let mut inputs = Inputs::default();
        inputs.value("quick", "1");
        match &step.action {
            Action::Copy(action) => {
                let chain = read_layers(action.from, below)?;
                let below = copy::depends_on_below(action).then_some(below);
                self.add_common(step, below, &mut inputs);
                inputs.content("layers", digest_of(chain));
                add_copy(action, &mut inputs)?;
            }
            Action::Run(action) => {
                let sources: Vec<_> = action.mounts.iter().filter_map(RunMount::source).collect();
                let chains = sources.iter().map(|source| read_layers(source.from, below));
                let chains = chains.collect::<Option<Vec<_>>>().filter(|chains| !chains.is_empty())?;
                self.add_common(step, Some(below), &mut inputs);
                run_inputs(action, &mut inputs);
                self.unit(step).sandbox.add_inputs(&mut inputs);
                mounts::add_inputs(&action.mounts, &[], &mut inputs);
                for chain in chains {
                    inputs.content("layers", digest_of(chain));
                }
            }
            Action::Base(_) | Action::Workdir(_) => return None,
        }
        Some(inputs.key())
    }
}

fn read_layers(from: CopyFrom, below: &Below) -> Option<&[DiffId]> {
    match from {
        CopyFrom::Layers(State::After(id)) => below.uses.get(&id).map(|chain| chain.as_slice()),
        CopyFrom::Layers(State::Scratch) | CopyFrom::Files(_) => None,
    }
}

pub(super) fn digest_of(chain: &[DiffId]) -> String {
    let chain: Vec<String> = chain.iter().map(ToString::to_string).collect();
    Digest::of(chain.join(" ").as_bytes()).to_string()
}

/// The instruction, word for word; `None` if it is not all about layers.
fn add_copy(action: &CopyAction, inputs: &mut Inputs) -> Option<()> {
    for source in &action.sources {
        match source {
            CopySource::Path { path, .. } => inputs.value("path", path.clone()),
            CopySource::Inline { name, text } => {
                inputs.content(format!("<<{name}"), Digest::of(text.as_bytes()).to_string());
            }
            CopySource::Remote(_) => return None,
        }
    }
    inputs.value("destination", action.destination.clone());
    inputs.value("--chown", action.chown.clone().unwrap_or_default());
    inputs.value("--chmod", action.chmod_text.clone().unwrap_or_default());
    for pattern in &action.exclude {
        inputs.value("--exclude", pattern.clone());
    }
    let flags = [action.parents, action.link, action.unpack];
    inputs.value("flags", format!("{flags:?}"));
    Some(())
}
