//! Compresses layers while a build still makes others.
//!
//! One thread takes layer after layer; the blocks of each are compressed on all processors. What is made is remembered, so
//! [`Store::image_in_form`] finds it at the end. What goes wrong here is told there.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tug_oci::{Descriptor, DiffId};

use crate::image_form::LayerCompression;
use crate::store::Store;

/// Layers that are compressed in the background. When it is dropped, what was not begun is left, and the rest is given up.
pub struct CompressAhead {
    store: Store,
    wanted: LayerCompression,
    state: Mutex<State>,
    is_given_up: Arc<AtomicBool>,
}

struct State {
    seen: HashSet<DiffId>,
    /// `None` after the end.
    worker: Option<Worker>,
}

struct Worker {
    give: Sender<(DiffId, Descriptor)>,
    thread: JoinHandle<()>,
}

impl CompressAhead {
    /// Compresses layers of `store` as `wanted` says. Starts a thread.
    pub fn start(store: &Store, wanted: LayerCompression) -> Self {
        let is_given_up = Arc::new(AtomicBool::new(false));
        let (give, layers) = channel::<(DiffId, Descriptor)>();
        let given_up = Arc::clone(&is_given_up);
        let stop = store.stop.clone();
        let store = store.stopping_when(move || {
            given_up.load(Ordering::SeqCst) || stop.as_ref().is_some_and(crate::stop::Stop::is_wanted)
        });
        let worker = store.clone();
        let work = move || {
            for (diff_id, blob) in layers {
                let _ = worker.compressed(&diff_id, &blob, wanted);
            }
        };
        let thread = std::thread::Builder::new().name("ahead".to_owned()).spawn(work);
        let state = State { seen: HashSet::new(), worker: thread.ok().map(|thread| Worker { give, thread }) };
        Self { store, wanted, state: Mutex::new(state), is_given_up }
    }

    /// A layer is there. Returns at once.
    pub fn layer(&self, diff_id: &DiffId) {
        let mut state = self.state();
        if !state.seen.insert(diff_id.clone()) {
            return;
        }
        let Ok(Some(layer)) = self.store.layer(diff_id) else { return };
        let blob = layer.blob();
        if let (true, Some(worker)) = (self.wanted.changes(&blob, false), &state.worker) {
            let _ = worker.give.send((diff_id.clone(), blob));
        }
    }

    /// Waits for what was begun and for what was not.
    pub fn finish(&self) {
        let Some(Worker { give, thread }) = self.state().worker.take() else { return };
        drop(give);
        let _ = thread.join();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for CompressAhead {
    fn drop(&mut self) {
        self.is_given_up.store(true, Ordering::SeqCst);
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tug_oci::{ImageConfig, Platform};

    use super::*;
    use crate::entry::NewEntry;
    use crate::image_form::ImageForm;
    use crate::layer::LayerWriterOptions;
    use crate::store::tests::store;

    #[test]
    fn what_was_compressed_ahead_is_what_the_image_gets() {
        let (_folder, store) = store();
        let mut config = ImageConfig::empty(Platform::linux("amd64"));
        let wanted = LayerCompression::Zstd(3);
        let ahead = CompressAhead::start(&store, wanted);
        for name in ["a", "b"] {
            let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
            writer.add(&NewEntry::directory(name, 0o755), None).unwrap();
            let layer = writer.finish().unwrap();
            ahead.layer(layer.diff_id());
            ahead.layer(layer.diff_id());
            config.rootfs.diff_ids.push(layer.diff_id().clone());
        }
        ahead.finish();
        let image = store.write_image(config, BTreeMap::new()).unwrap();
        let known: Vec<Descriptor> = image
            .layers()
            .map(|(diff_id, blob)| {
                store.known_form(diff_id, blob, wanted).unwrap().expect("it was made ahead")
            })
            .collect();
        let form = ImageForm { compression: Some(wanted), ..ImageForm::default() };
        assert_eq!(store.image_in_form(&image, &form).unwrap().manifest.layers, known);
    }
}
