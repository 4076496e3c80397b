//! The way in: a client, the threads that its work runs on, and who watches.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tug_layer_store::Store;
use tug_registry_client::{self as client, Client, Options};

use crate::error::{Error, Result};
use crate::event::{Event, Observer};

/// How often somebody who waits asks whether the user gave up.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// Moves images. Clones share connections, tokens and threads.
#[derive(Clone)]
pub struct Remote {
    inner: Arc<Inner>,
    stop: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

struct Inner {
    client: Client,
    observer: Arc<dyn Observer>,
    runtime: Option<Runtime>,
}

impl Remote {
    /// Starts the threads. Nothing is connected to yet.
    pub fn new(options: Options, observer: Arc<dyn Observer>) -> Result<Self> {
        let forward = Forward(Arc::clone(&observer));
        let client = Client::new(Options { observer: Arc::new(forward), ..options });
        let runtime =
            Builder::new_multi_thread().worker_threads(2).thread_name("transfer").enable_all().build();
        let runtime = runtime.map_err(|source| Error::Host { action: "start threads", source })?;
        let inner = Inner { client, observer, runtime: Some(runtime) };
        Ok(Self { inner: Arc::new(inner), stop: None })
    }

    /// The same, whose work ends with [`Error::Stopped`] once `stop` says so.
    #[must_use]
    pub fn stopping_when(&self, stop: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self { inner: Arc::clone(&self.inner), stop: Some(Arc::new(stop)) }
    }

    /// The client, for what needs no store.
    pub fn client(&self) -> &Client {
        &self.inner.client
    }

    /// Runs something that the client does to its end. When it is to stop, it ends with [`client::Kind::Cancelled`], and
    /// no upload is left open at the registry.
    pub fn run<T>(
        &self,
        work: impl Future<Output = std::result::Result<T, client::Error>>,
    ) -> std::result::Result<T, client::Error> {
        self.runtime().block_on(async {
            tokio::select! {
                biased;
                outcome = work => outcome,
                () = self.stopped() => {
                    self.client().cancel_uploads().await;
                    Err(client::Error::cancelled())
                }
            }
        })
    }

    pub(crate) fn tell(&self, event: Event) {
        self.inner.observer.event(event);
    }

    pub(crate) fn block_on<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.runtime().block_on(async {
            let outcome = tokio::select! {
                biased;
                outcome = work => outcome,
                () = self.stopped() => Err(Error::Stopped),
            };
            if matches!(outcome, Err(Error::Stopped)) {
                // Half uploads would stay at the registry.
                self.client().cancel_uploads().await;
            }
            outcome
        })
    }

    pub(crate) fn runtime(&self) -> &Runtime {
        self.inner.runtime.as_ref().expect("it is taken only when the last clone is dropped")
    }

    /// The store, which ends its long work when ours is to end.
    pub(crate) fn stopping(&self, store: &Store) -> Store {
        match self.stop.clone() {
            Some(stop) => store.stopping_when(move || stop()),
            None => store.clone(),
        }
    }

    async fn stopped(&self) {
        match &self.stop {
            None => std::future::pending().await,
            Some(stop) => {
                while !stop() {
                    tokio::time::sleep(ASK_AGAIN).await;
                }
            }
        }
    }
}

/// Threads that still read a file or unpack something are not waited for.
impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Runs work that blocks, such as writing to the store, beside the transfers.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime ends: nobody waits for the result any more.
            Err(_) => std::future::pending().await,
        },
    }
}

/// What the client tells, among what we tell.
struct Forward(Arc<dyn Observer>);

impl client::Observer for Forward {
    fn event(&self, event: client::Event) {
        self.0.event(Event::Client(event));
    }
}
