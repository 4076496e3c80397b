//! `tug settle`: what nobody should have to wait for. Commands start it by themselves; see [`crate::session`].
//!
//! 1. What is in the trash is unlinked, so that its room is free.
//! 2. Layers are made durable, so that none is lost when the power fails.
//! 3. Garbage is collected that had to be left because somebody worked in the store.
//! 4. Trees are measured, so that `tug system df` is fast.
//! 5. The build cache is made smaller, if it is larger than it may be.

use std::time::Duration;

use tug_builder::result_kind;
use tug_layer_store::{CacheLimits, CachePrune, Patience, PruneOptions, Store};

use crate::error::CommandError;
use crate::session;
use crate::settings::Settings;

/// So long others are waited for who work in the store; the next build tries again.
const PATIENCE: Duration = Duration::from_secs(30);
/// So long the inputs of steps are remembered to explain why they are done again.
const MEMORY: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Does all of it; what fails does not keep the rest from being done.
pub(super) fn run(settings: &Settings) -> Result<(), CommandError> {
    // Trees of layers may have owners whose files only root of a user namespace can remove.
    let store = session::open_whole_store(settings)?;
    let removed = store.remove_left_behind();
    store.make_reserve();
    let settled = store.settle();
    let collected = store.collect_what_was_put_off(&Patience { limit: PATIENCE, tell: &|_| {} });
    let measured = store.measure_layers();
    let bounded = bound_cache(&store, settings);
    // What was collected is unlinked too.
    let removed = removed.and_then(|()| store.remove_left_behind());
    removed?;
    settled?;
    collected?;
    measured?;
    bounded
}

/// Removes the least recently used of the build cache until it is as small as it should be.
fn bound_cache(store: &Store, settings: &Settings) -> Result<(), CommandError> {
    let Some(most) = settings.cache_limit()?.bytes(store.disk_room()?.total) else { return Ok(()) };
    let Some(_task) = store.begin_bounding()? else { return Ok(()) };
    store.forget_old_memory(MEMORY)?;
    if store.survey(&result_kind)?.cache_size().allocated <= most {
        return Ok(());
    }
    let limits = CacheLimits { most: Some(most), ..CacheLimits::default() };
    let cache = CachePrune { limits, ..CachePrune::default() };
    let options = PruneOptions { cache: Some(cache), ..PruneOptions::default() };
    store.prune(&options, &result_kind, &Patience { limit: PATIENCE, tell: &|_| {} })?;
    Ok(())
}
