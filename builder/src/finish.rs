//! The image: config, history, manifest and names.

use std::collections::BTreeMap;
use std::sync::Arc;

use tug_layer_store::{Image, Store};
use tug_oci::{DiffId, History};

use crate::error::Error;
use crate::execute::Done;
use crate::plan::{PlannedHistory, StageResult, State};
use crate::units::Wanted;

/// What docker's builder writes beside each line of the history.
const COMMENT: &str = "buildkit.dockerfile.v0";

/// Writes the image of `result` and gives it the names that are wanted.
pub(crate) fn finish(
    store: &Store,
    result: &StageResult,
    done: &[Done],
    wanted: &Wanted,
    epoch: Option<i64>,
) -> Result<Image, Error> {
    let mut config = result.config.clone();
    config.rootfs.diff_ids = chain(result.state, done).to_vec();
    let epoch = epoch.and_then(|epoch| jiff::Timestamp::from_second(epoch).ok()).map(|time| time.to_string());
    config.history = history(&result.history, done, epoch.clone());
    let last = config.history.iter().rev().find_map(|line| line.created.clone());
    config.created = epoch.or(last);
    if !wanted.history {
        config.history.clear();
    }
    let names = &wanted.tags;
    let image = store.write_image(config, BTreeMap::new())?;
    if names.is_empty() {
        store.keep(&image.descriptor)?;
    } else {
        let refs: Vec<_> = names.iter().map(|name| (name.clone(), image.descriptor.clone())).collect();
        store.tag_all(&refs)?;
    }
    Ok(image)
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
