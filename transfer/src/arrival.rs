//! Blobs on their way into the store.
//!
//! A blob is downloaded into a partial file of the store, which another process can go on with, while a thread reads behind
//! it: hash, decompress, unpack, in one pass. Of two that want the same blob, one downloads. A blob that turns out to be
//! something else is fetched once more, then nothing of it is kept.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tug_layer_store::{Claim, ImportLayer, Mountable, Partial, Store};
use tug_oci::{Descriptor, DiffId, Digest};
use tug_registry_client::{self as client, BlobSink, Kind, Repository};

use crate::error::{Error, Result};
use crate::event::{Direction, Event};
use crate::remote::{Remote, blocking};

/// Downloads at a time. Each has a thread or two that unpack.
pub(crate) const AT_ONCE: usize = 4;

/// A blob that is to come into the store.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) blob: Descriptor,
    /// The layer that is made of it on the way.
    pub(crate) layer: Option<(DiffId, Mountable)>,
    /// Where to ask, in turn.
    pub(crate) repositories: Vec<Repository>,
    pub(crate) action: &'static str,
}

impl Remote {
    /// Brings all of them, several at once. The first failure ends it; what has arrived by then stays.
    ///
    /// The largest come first: unpacking one is the work of a core or two, and the last one should not be left to do it alone.
    pub(crate) async fn bring(&self, store: &Store, mut wanted: Vec<Wanted>) -> Result<()> {
        let slots = Arc::new(Semaphore::new(AT_ONCE));
        for Wanted { blob, .. } in &wanted {
            let (size, direction) = (Some(blob.size), Direction::Down);
            self.tell(Event::Planned { blob: blob.digest.clone(), size, direction });
        }
        wanted.sort_by_key(|wanted| std::cmp::Reverse(wanted.blob.size));
        let mut tasks = JoinSet::new();
        for wanted in wanted {
            let (remote, store, slots) = (self.clone(), store.clone(), Arc::clone(&slots));
            tasks.spawn_on(
                async move {
                    let _slot = slots.acquire().await;
                    remote.bring_one(&store, wanted).await
                },
                self.runtime().handle(),
            );
        }
        join(&mut tasks).await
    }

    async fn bring_one(&self, store: &Store, wanted: Wanted) -> Result<()> {
        let digest = wanted.blob.digest.clone();
        let Some(partial) = self.claim(store, &wanted.blob).await? else {
            self.tell(Event::Present { blob: digest });
            return ensure(store, &wanted).await;
        };
        let partial = Arc::new(partial);
        let outcome = self.fill(store, &wanted, &partial).await;
        if outcome.is_ok() {
            self.tell(Event::Done { blob: digest });
        }
        outcome
    }

    /// Waits until the blob is ours to download. `None` when it is there.
    async fn claim(&self, store: &Store, blob: &Descriptor) -> Result<Option<Partial>> {
        let (digest, size) = (blob.digest.clone(), blob.size);
        let claimed = blocking({
            let (store, digest) = (store.clone(), digest.clone());
            move || store.try_partial(&digest, size)
        });
        match claimed.await? {
            Claim::Present => Ok(None),
            Claim::Ours(partial) => Ok(Some(partial)),
            Claim::Busy => {
                self.tell(Event::Waiting { blob: digest.clone() });
                let store = store.clone();
                Ok(blocking(move || store.partial(&digest, size)).await?)
            }
        }
    }

    async fn fill(&self, store: &Store, wanted: &Wanted, partial: &Arc<Partial>) -> Result<()> {
        let mut was_wrong = false;
        loop {
            match self.attempt(store, wanted, partial).await {
                Err(Attempt::Wrong { actual, host }) => {
                    if let Some(host) = host {
                        self.client().distrust(&host);
                    }
                    let blob = wanted.blob.digest.clone();
                    if was_wrong {
                        let partial = Arc::clone(partial);
                        blocking(move || partial.abandon()).await?;
                        return Err(Error::Damaged { name: wanted.name(), expected: blob, actual });
                    }
                    was_wrong = true;
                    self.tell(Event::Again { blob, actual });
                    let restarted = blocking({
                        let partial = Arc::clone(partial);
                        move || partial.restart()
                    });
                    restarted.await.map_err(|source| Error::Host { action: "write to the store", source })?;
                }
                Err(Attempt::Failed(error)) => return Err(error),
                Ok(()) => return Ok(()),
            }
        }
    }

    /// Downloads what is missing, while another thread reads behind.
    async fn attempt(
        &self,
        store: &Store,
        wanted: &Wanted,
        partial: &Arc<Partial>,
    ) -> std::result::Result<(), Attempt> {
        partial.resume();
        let _ends = EndsReaders(partial);
        let mut reading = tokio::task::spawn_blocking({
            let (store, wanted, partial) = (store.clone(), wanted.clone(), Arc::clone(partial));
            move || read_behind(&store, &wanted, &partial)
        });
        let downloading = self.download(wanted, partial);
        tokio::pin!(downloading);
        let (downloaded, read) = tokio::select! {
            downloaded = &mut downloading => {
                match &downloaded {
                    Ok(_) => self.tell(Event::Arrived { blob: wanted.blob.digest.clone() }),
                    Err(error) => partial.fail(&error.to_string()),
                }
                (Some(downloaded), reading.await)
            }
            // It ended before the bytes did: the disk is full, or the layer is none.
            read = &mut reading => (None, read),
        };
        let read = read.unwrap_or_else(|error| match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(tug_layer_store::Error::Stopped),
        });
        match (downloaded, read) {
            (_, Ok(())) => Ok(()),
            (Some(Err(error)), Err(_)) => {
                Err(Attempt::Failed(Error::registry(wanted.action, &wanted.name())(error)))
            }
            (downloaded, Err(tug_layer_store::Error::DigestMismatch { actual, .. })) => {
                Err(Attempt::Wrong { actual, host: downloaded.and_then(std::result::Result::ok) })
            }
            (_, Err(error)) => Err(Attempt::Failed(error.into())),
        }
    }

    /// Asks one repository after the other. Returns the host that had it.
    async fn download(
        &self,
        wanted: &Wanted,
        partial: &Arc<Partial>,
    ) -> std::result::Result<String, client::Error> {
        let sink = Arc::new(Sink { partial: Arc::clone(partial), remote: self.clone(), is_told: true });
        let mut first = None;
        for repository in &wanted.repositories {
            let sink = Arc::clone(&sink) as Arc<dyn BlobSink>;
            match self.client().download(repository, &wanted.blob, sink).await {
                Ok(host) => return Ok(host),
                Err(error) if matches!(error.kind(), Kind::File | Kind::Cancelled) => return Err(error),
                Err(error) => drop(first.get_or_insert(error)),
            }
        }
        Err(first.expect("there is a repository to ask"))
    }
}

enum Attempt {
    /// All bytes came, and they are others.
    Wrong {
        actual: Digest,
        host: Option<String>,
    },
    Failed(Error),
}

impl Wanted {
    pub(crate) fn name(&self) -> String {
        self.repositories.first().map(ToString::to_string).unwrap_or_default()
    }
}

/// A thread that reads behind must not wait for bytes when nobody brings them any more.
struct EndsReaders<'a>(&'a Partial);

impl Drop for EndsReaders<'_> {
    fn drop(&mut self) {
        self.0.fail("the download has ended");
    }
}

/// Makes a layer of the blob while it arrives, or only the blob. A client that begins anew takes the reader with it.
fn read_behind(store: &Store, wanted: &Wanted, partial: &Partial) -> tug_layer_store::Result<()> {
    loop {
        let round = partial.round();
        let outcome = match &wanted.layer {
            Some((diff_id, trees)) => {
                let options = ImportLayer {
                    expected: Some(diff_id.clone()),
                    materialise: *trees == Mountable::Now,
                    ..ImportLayer::default()
                };
                store.import_partial(partial, &wanted.blob, &options).map(drop)
            }
            None => store.keep_partial(partial),
        };
        match outcome {
            Err(_) if partial.round() != round => {}
            outcome => return outcome,
        }
    }
}

/// The blob is there; its layer may not be known.
async fn ensure(store: &Store, wanted: &Wanted) -> Result<()> {
    let Some((diff_id, trees)) = wanted.layer.clone() else { return Ok(()) };
    let (store, blob) = (store.clone(), wanted.blob.clone());
    Ok(blocking(move || store.ensure_layers([(&diff_id, &blob)], trees)).await?)
}

/// Waits for all; the first failure ends the others.
pub(crate) async fn join(tasks: &mut JoinSet<Result<()>>) -> Result<()> {
    while let Some(joined) = tasks.join_next().await {
        let outcome = match joined {
            Ok(outcome) => outcome,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(_) => Err(Error::Stopped),
            },
        };
        if outcome.is_err() {
            tasks.shutdown().await;
            return outcome;
        }
    }
    Ok(())
}

/// A partial blob, as the client sees it.
pub(crate) struct Sink {
    pub(crate) partial: Arc<Partial>,
    pub(crate) remote: Remote,
    /// Whether its progress is told.
    pub(crate) is_told: bool,
}

impl BlobSink for Sink {
    fn size(&self) -> u64 {
        self.partial.size()
    }

    fn missing(&self) -> Vec<Range<u64>> {
        self.partial.missing()
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.partial.write_at(offset, bytes)?;
        if !self.is_told {
            return Ok(());
        }
        let (blob, done) = (self.partial.digest().clone(), self.partial.present());
        self.remote.tell(Event::Moved { blob, done, size: Some(self.partial.size()) });
        Ok(())
    }

    fn restart(&self) -> io::Result<()> {
        self.partial.restart()
    }
}
