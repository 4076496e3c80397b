//! Sends layers of an image that is still being built, so that at its end hardly anything is left to be pushed.
//!
//! Nothing that goes wrong here fails anything: the push at the end sends what is missing, and says why it cannot.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;
use tug_layer_store::{LayerCompression, Store};
use tug_oci::{Descriptor, DiffId, Reference};
use tug_registry_client::Repository;

use super::send::Sending;
use super::source::Outgoing;
use crate::error::Result;
use crate::remote::{Remote, blocking};

/// Layers on their way to repositories.
pub struct Ahead {
    remote: Remote,
    store: Store,
    destinations: Vec<Reference>,
    compression: LayerCompression,
    /// Something went wrong: the push at the end will tell what.
    has_failed: Arc<AtomicBool>,
    begun: Mutex<Begun>,
}

#[derive(Default)]
struct Begun {
    layers: HashSet<DiffId>,
    tasks: JoinSet<()>,
}

impl Ahead {
    /// Sends layers from `store` to `destinations`; plain ones are compressed as `compression` says.
    pub fn new(
        remote: &Remote,
        store: &Store,
        destinations: Vec<Reference>,
        compression: LayerCompression,
    ) -> Self {
        let (remote, store) = (remote.clone(), remote.stopping(store));
        Self { remote, store, destinations, compression, has_failed: Arc::default(), begun: Mutex::default() }
    }

    /// Begins to send a layer, once. `elsewhere` is the blob that has it, where it is not in the store. Returns at once.
    pub fn layer(&self, layer: &DiffId, elsewhere: Option<&Descriptor>) {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if self.has_failed.load(Ordering::SeqCst) || !begun.layers.insert(layer.clone()) {
            return;
        }
        for destination in &self.destinations {
            let job = Job {
                remote: self.remote.clone(),
                store: self.store.clone(),
                destination: destination.clone(),
                compression: self.compression,
                layer: layer.clone(),
                elsewhere: elsewhere.cloned(),
            };
            let handle = self.remote.runtime().handle();
            let has_failed = Arc::clone(&self.has_failed);
            begun.tasks.spawn_on(
                async move {
                    if job.send().await.is_err() {
                        has_failed.store(true, Ordering::SeqCst);
                    }
                },
                handle,
            );
        }
    }

    /// Waits for what is on its way. What registries have then is not sent again by a push.
    pub fn finish(&self) {
        let begun = std::mem::take(&mut *self.begun.lock().unwrap_or_else(PoisonError::into_inner));
        let mut tasks = begun.tasks;
        let _ = self.remote.block_on(async {
            while tasks.join_next().await.is_some() {}
            Ok(())
        });
    }

    /// Ends what is on its way: there will be no image. Sessions at registries are given up.
    pub fn cancel(&self) {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).tasks.abort_all();
        self.remote.runtime().block_on(self.remote.client().cancel_uploads());
    }
}

/// One layer on its way to one repository.
struct Job {
    remote: Remote,
    store: Store,
    destination: Reference,
    compression: LayerCompression,
    layer: DiffId,
    elsewhere: Option<Descriptor>,
}

impl Job {
    async fn send(self) -> Result<()> {
        let sending = Sending {
            remote: &self.remote,
            store: &self.store,
            to: Repository::from(&self.destination),
            name: self.destination.familiar(),
            action: "push",
            skips_known: false,
        };
        let source = {
            let (remote, store) = (self.remote.clone(), self.store.clone());
            let (layer, elsewhere, compression) =
                (self.layer.clone(), self.elsewhere.clone(), self.compression);
            blocking(move || outgoing(&remote, &store, &layer, elsewhere, compression)).await?
        };
        match source {
            Some(source) => sending.blobs(vec![source]).await,
            None => Ok(()),
        }
    }
}

/// The layer in the form in which it will be pushed.
fn outgoing(
    remote: &Remote,
    store: &Store,
    layer: &DiffId,
    elsewhere: Option<Descriptor>,
    compression: LayerCompression,
) -> Result<Option<Outgoing>> {
    let known = store.layer(layer)?.map(|known| known.blob());
    let Some(blob) = elsewhere.or(known) else { return Ok(None) };
    match compression.changes(&blob, false) {
        true => Outgoing::compressed(remote, store, layer, &blob, compression).map(Some),
        false => Outgoing::stored(remote, store, &blob, Vec::new()).map(Some),
    }
}
