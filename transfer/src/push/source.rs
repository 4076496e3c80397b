//! Where the bytes of a blob that is to be sent come from.
//!
//! | it is                                | its bytes                                                                  |
//! | ------------------------------------ | -------------------------------------------------------------------------- |
//! | in the store                         | its file                                                                   |
//! | a plain layer, to be sent compressed | compressed while they are read, from the moment somebody wants them         |
//! | in another registry                  | downloaded while they are read: a slow receiver does not stall the sender  |
//!
//! Bytes are asked for only when the receiver neither has the blob nor can take it over.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;
use tug_layer_store::{Claim, Growing, LayerCompression, Partial, Store};
use tug_oci::{Descriptor, DiffId, Digest};
use tug_registry_client::{BlobSink, BlobSource, Repository};

use crate::arrival::Sink;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::remote::Remote;

/// A blob that is to be sent.
#[derive(Clone)]
pub(crate) struct Outgoing {
    remote: Remote,
    store: Store,
    /// What it is called in events.
    shown: Digest,
    from: From,
}

#[derive(Clone)]
enum From {
    Store(Arc<Descriptor>, Vec<Repository>),
    Compressed(Arc<Compressed>),
    Elsewhere(Arc<Relayed>),
}

struct Compressed {
    diff_id: DiffId,
    plain: Descriptor,
    wanted: LayerCompression,
    growing: Mutex<Option<Growing>>,
}

/// A blob in another registry.
pub(crate) struct Relayed {
    blob: Descriptor,
    repositories: Vec<Repository>,
    /// Whether it is wanted in the store too.
    is_kept: bool,
    begun: Mutex<Option<(Arc<Partial>, AbortHandle)>>,
    failure: Mutex<Option<Error>>,
}

impl Outgoing {
    /// A blob of the store; one that is not there comes from where it was seen. `others` have it too.
    pub(crate) fn stored(
        remote: &Remote,
        store: &Store,
        blob: &Descriptor,
        others: Vec<Repository>,
    ) -> Result<Self> {
        if store.has_blob(&blob.digest)? {
            let from = From::Store(Arc::new(blob.clone()), others);
            let (remote, store, shown) = (remote.clone(), store.clone(), blob.digest.clone());
            return Ok(Self { remote, store, shown, from });
        }
        let repositories = crate::fetcher::origins(store, &blob.digest)?;
        if repositories.is_empty() {
            let name = blob.media_type.clone();
            return Err(Error::Missing { name, digest: blob.digest.clone() });
        }
        Ok(Self::elsewhere(remote, store, blob, repositories, true))
    }

    /// A layer that is sent in another form.
    pub(crate) fn compressed(
        remote: &Remote,
        store: &Store,
        diff_id: &DiffId,
        plain: &Descriptor,
        wanted: LayerCompression,
    ) -> Result<Self> {
        // One that was compressed before has a digest already, and may be there.
        let known = store.known_form(diff_id, plain, wanted)?.is_some();
        let growing = match known {
            true => Some(store.compressing(diff_id, plain, wanted)?),
            false => None,
        };
        let compressed = Compressed {
            diff_id: diff_id.clone(),
            plain: plain.clone(),
            wanted,
            growing: Mutex::new(growing),
        };
        Ok(Self {
            remote: remote.clone(),
            store: store.clone(),
            shown: diff_id.digest().clone(),
            from: From::Compressed(Arc::new(compressed)),
        })
    }

    /// A blob of another registry.
    pub(crate) fn elsewhere(
        remote: &Remote,
        store: &Store,
        blob: &Descriptor,
        repositories: Vec<Repository>,
        is_kept: bool,
    ) -> Self {
        let (begun, failure) = (Mutex::default(), Mutex::default());
        let relayed = Relayed { blob: blob.clone(), repositories, is_kept, begun, failure };
        let (remote, store, shown) = (remote.clone(), store.clone(), blob.digest.clone());
        Self { remote, store, shown, from: From::Elsewhere(Arc::new(relayed)) }
    }

    pub(crate) fn shown(&self) -> &Digest {
        &self.shown
    }

    /// Repositories that have it.
    pub(crate) fn from(&self) -> &[Repository] {
        match &self.from {
            From::Elsewhere(relayed) => &relayed.repositories,
            From::Store(_, others) => others,
            From::Compressed(_) => &[],
        }
    }

    /// Why its bytes could not be had.
    pub(crate) fn failure(&self) -> Option<Error> {
        match &self.from {
            From::Elsewhere(relayed) => lock(&relayed.failure).take(),
            _ => None,
        }
    }
}

impl BlobSource for Outgoing {
    fn digest(&self) -> Option<Digest> {
        match &self.from {
            From::Store(blob, _) => Some(blob.digest.clone()),
            From::Compressed(compressed) => lock(&compressed.growing).as_ref().and_then(Growing::digest),
            From::Elsewhere(relayed) => Some(relayed.blob.digest.clone()),
        }
    }

    fn size(&self) -> Option<u64> {
        match &self.from {
            From::Store(blob, _) => Some(blob.size),
            From::Compressed(compressed) => lock(&compressed.growing).as_ref().and_then(Growing::size),
            From::Elsewhere(relayed) => Some(relayed.blob.size),
        }
    }

    fn reader(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let inner: Box<dyn Read + Send> = match &self.from {
            From::Store(blob, _) => {
                let opened = self.store.open_blob(&blob.digest).map_err(io::Error::other)?;
                let mut file = opened.ok_or(io::ErrorKind::NotFound)?;
                file.seek(SeekFrom::Start(offset))?;
                Box::new(file)
            }
            From::Compressed(compressed) => {
                let mut growing = lock(&compressed.growing);
                let growing = match &*growing {
                    Some(growing) => growing.clone(),
                    None => {
                        let Compressed { diff_id, plain, wanted, .. } = &**compressed;
                        let started = self.store.compressing(diff_id, plain, *wanted);
                        growing.insert(started.map_err(io::Error::other)?).clone()
                    }
                };
                Box::new(growing.reader(offset))
            }
            From::Elsewhere(relayed) => self.relay(relayed, offset)?,
        };
        Ok(Box::new(Told { inner, done: offset, outgoing: self.clone() }))
    }
}

impl Outgoing {
    /// Begins the download, if it was not begun before, and reads behind it.
    fn relay(&self, relayed: &Arc<Relayed>, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut begun = lock(&relayed.begun);
        if let Some((partial, _)) = &*begun {
            return Ok(Box::new(partial.reader_at(offset)));
        }
        let Descriptor { digest, size, .. } = &relayed.blob;
        let claimed = match self.store.try_partial(digest, *size).map_err(io::Error::other)? {
            Claim::Busy => {
                self.remote.tell(Event::Waiting { blob: digest.clone() });
                self.store.partial(digest, *size).map_err(io::Error::other)?
            }
            Claim::Ours(partial) => Some(partial),
            Claim::Present => None,
        };
        let Some(claimed) = claimed else {
            let opened = self.store.open_blob(digest).map_err(io::Error::other)?;
            let mut file = opened.ok_or(io::ErrorKind::NotFound)?;
            file.seek(SeekFrom::Start(offset))?;
            return Ok(Box::new(file));
        };
        let claimed = Arc::new(claimed);
        let reader = claimed.reader_at(offset);
        let (remote, filled, behind) = (self.remote.clone(), Arc::clone(&claimed), Arc::downgrade(relayed));
        let (blob, repositories) = (relayed.blob.clone(), relayed.repositories.clone());
        let download = self.remote.runtime().spawn(async move {
            let quiet = Sink { partial: Arc::clone(&filled), remote: remote.clone(), is_told: false };
            let sink = Arc::new(quiet) as Arc<dyn BlobSink>;
            let mut first = None;
            for repository in &repositories {
                match remote.client().download(repository, &blob, Arc::clone(&sink)).await {
                    Ok(_) => return,
                    Err(error) => {
                        let failed = Error::registry("fetch a blob of", repository)(error);
                        first.get_or_insert(failed);
                    }
                }
            }
            if let Some(error) = first {
                filled.fail("it could not be fetched");
                if let Some(relayed) = behind.upgrade() {
                    *lock(&relayed.failure) = Some(error);
                }
            }
        });
        *begun = Some((claimed, download.abort_handle()));
        Ok(Box::new(reader))
    }
}

/// What was sent is not needed here any more, unless it was asked for; what was not sent is kept for the next attempt.
impl Drop for Relayed {
    fn drop(&mut self) {
        let Some((partial, download)) = lock(&self.begun).take() else { return };
        download.abort();
        if partial.missing().is_empty() {
            let _ = if self.is_kept { partial.finish() } else { partial.abandon() };
        }
    }
}

/// Tells how far it was read.
struct Told {
    inner: Box<dyn Read + Send>,
    done: u64,
    outgoing: Outgoing,
}

impl Read for Told {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.done += count as u64;
        let (blob, size) = (self.outgoing.shown.clone(), self.outgoing.size());
        self.outgoing.remote.tell(Event::Moved { blob, done: self.done, size });
        Ok(count)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
