//! The image: config, history, manifest and names.

use std::collections::BTreeMap;
use std::sync::Arc;

use tug_layer_store::{Image, Mountable, Store, mark_squashed};
use tug_oci::{BASE_DIGEST, BASE_NAME, DiffId, History, ImageConfig};

use crate::error::Error;
use crate::execute::{Blobs, Done, Execution};
use crate::options::Squash;
use crate::plan::{BaseImage, PlannedHistory, PlannedUnit, State};
use crate::units::Wanted;

/// What docker's builder writes beside each line of the history.
const COMMENT: &str = "buildkit.dockerfile.v0";

/// Writes the image of a unit and gives it its names.
pub(crate) fn finish(
    execution: &Execution<'_>,
    unit: &PlannedUnit,
    done: &[Done],
    wanted: &Wanted,
    epoch: Option<i64>,
) -> Result<Image, Error> {
    let (store, blobs) = (execution.store, &execution.blobs);
    let result = &unit.result;
    let mut config = result.config.clone();
    config.rootfs.diff_ids = chain(result.state, done).to_vec();
    let epoch = epoch.and_then(|epoch| jiff::Timestamp::from_second(epoch).ok()).map(|time| time.to_string());
    config.history = history(&result.history, done, epoch.clone());
    let last = config.history.iter().rev().find_map(|line| line.created.clone());
    config.created = epoch.or(last);
    let own = result.history.iter().filter(|line| matches!(line, PlannedHistory::Own { step: Some(_), .. }));
    let below = match wanted.squash {
        Squash::No => None,
        Squash::New => Some(config.rootfs.diff_ids.len().saturating_sub(own.count())),
        Squash::All => Some(0),
    };
    if let Some(below) = below
        && config.rootfs.diff_ids.len() > below + 1
    {
        squash(store, blobs, &mut config, below)?;
    }
    if !wanted.history {
        config.history.clear();
    }
    if let Some(inline) = &wanted.inline_cache {
        inline.embed(&mut config, &execution.results.without_traces());
    }
    let base = result.base.as_ref().filter(|_| wanted.squash != Squash::All);
    let image = store.write_image_with(config, annotations(base), &|layer| blobs.get(layer))?;
    if !wanted.tags.is_empty() {
        let names = wanted.tags.iter();
        let refs: Vec<_> = names.map(|name| (name.clone(), image.descriptor.clone())).collect();
        store.tag_all(&refs)?;
    } else if wanted.keep {
        store.keep(&image.descriptor)?;
    }
    Ok(image)
}

/// What the manifest tells of the image that it stands on.
fn annotations(base: Option<&BaseImage>) -> BTreeMap<String, String> {
    let Some(base) = base else { return BTreeMap::new() };
    let name = base.name.iter().map(|name| (BASE_NAME.to_owned(), name.clone()));
    name.chain([(BASE_DIGEST.to_owned(), base.digest.to_string())]).collect()
}

/// Makes one layer of all above the first `below`.
fn squash(store: &Store, blobs: &Blobs, config: &mut ImageConfig, below: usize) -> Result<(), Error> {
    blobs.ensure(store, &config.rootfs.diff_ids, Mountable::Later)?;
    let layer = store.squash(&config.rootfs.diff_ids, below)?;
    let count = config.rootfs.diff_ids.split_off(below).len();
    config.rootfs.diff_ids.push(layer.diff_id().clone());
    mark_squashed(config, count);
    Ok(())
}

fn chain(state: State, done: &[Done]) -> Arc<Vec<DiffId>> {
    match state {
        State::Scratch => Arc::default(),
        State::After(id) => Arc::clone(&done[id.0].chain),
    }
}

/// Dates every line: with `epoch` if there is one. Else a layer has the time when it was made, and what only changed the
/// config has that of the line before it, or of the first new layer. So a build in which all is cached gives the same
/// image.
fn history(planned: &[PlannedHistory], done: &[Done], epoch: Option<String>) -> Vec<History> {
    let created = |line: &PlannedHistory| match line {
        PlannedHistory::Base(line) => line.created.clone(),
        PlannedHistory::Own { step, .. } => step.and_then(|id| done[id.0].created.clone()),
    };
    let is_own = |line: &&PlannedHistory| matches!(line, PlannedHistory::Own { .. });
    let first_new = planned.iter().filter(is_own).find_map(created);
    let last_old = planned.iter().filter(|line| !is_own(line)).rev().find_map(created);
    let mut current = epoch.or(first_new).or(last_old);
    let mut lines = Vec::with_capacity(planned.len());
    for line in planned {
        lines.push(match line {
            PlannedHistory::Base(line) => line.clone(),
            PlannedHistory::Own { created_by, step } => {
                current = created(line).or(current);
                History {
                    created: current.clone(),
                    created_by: Some(created_by.clone()),
                    author: None,
                    comment: Some(COMMENT.to_owned()),
                    empty_layer: step.is_none(),
                }
            }
        });
    }
    lines
}
