//! Makes layers known that are in the store as blobs only, several at once.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tug_oci::{Descriptor, DiffId};

use super::Layer;
use super::import::Derive;
use crate::error::Result;
use crate::fetch::Wanted;
use crate::store::Store;

/// Each takes a few megabytes of memory.
const MOST_AT_ONCE: usize = 8;

/// When layers are made ready to be mounted: see [`Store::lower`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mountable {
    /// In the same pass, where a layer was not known yet.
    Now,
    /// When somebody asks for it.
    Later,
}

impl Store {
    /// Makes sure that the store knows what is in `layers`, from their blobs if need be. Blobs that are missing are
    /// fetched, if there is somebody who can: see [`Store::with_fetcher`].
    ///
    /// Of several threads and processes that need the same layer, one does the work.
    pub fn ensure_layers<'a>(
        &self,
        layers: impl IntoIterator<Item = (&'a DiffId, &'a Descriptor)>,
        mountable: Mountable,
    ) -> Result<()> {
        let mut missing = Vec::new();
        for (diff_id, blob) in layers {
            if self.layer(diff_id)?.is_none() && !missing.contains(&(diff_id, blob)) {
                missing.push((diff_id, blob));
            }
        }
        self.bring(missing.iter().map(|(diff_id, blob)| Wanted::layer(diff_id, blob, mountable)))?;
        in_parallel(&missing, |(diff_id, blob)| self.ensure_layer(diff_id, blob, mountable))?;
        Ok(())
    }

    fn ensure_layer(&self, diff_id: &DiffId, blob: &Descriptor, mountable: Mountable) -> Result<Layer> {
        let lock = self.lock_layer(diff_id)?;
        match self.layer(diff_id)? {
            Some(layer) => Ok(layer),
            None => {
                let derive = if mountable == Mountable::Now { Derive::Mountable } else { Derive::Nothing };
                self.derive_layer(diff_id, blob, derive, &lock)
            }
        }
    }
}

/// Does the same to many things, by several threads. The results come in the order of the things.
pub(crate) fn in_parallel<T: Sync, R: Send>(
    things: &[T],
    work: impl Fn(&T) -> Result<R> + Sync,
) -> Result<Vec<R>> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_AT_ONCE);
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<Option<Result<R>>>> = Mutex::new(things.iter().map(|_| None).collect());
    let run = || {
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(thing) = things.get(place) else { return };
            let result = work(thing);
            done.lock().unwrap_or_else(PoisonError::into_inner)[place] = Some(result);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(things.len()) {
            scope.spawn(run);
        }
        run();
    });
    done.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().flatten().collect()
}
