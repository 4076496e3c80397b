//! Blobs of a cache on their way into a registry: there already, taken over from another repository, or sent.

use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tug_layer_store::{Fetcher, Growing, Mountable, Store, Wanted};
use tug_oci::{Descriptor, Digest};
use tug_registry_client::{self as client, BlobSource, Delivery, Repository};

use super::export::{Sent, Source};
use crate::fetcher::{mounts, origins};
use crate::remote::{Remote, blocking};

/// Why a blob could not be sent.
pub(super) enum NotSent {
    Store(tug_layer_store::Error),
    Registry(client::Error),
}

/// Brings one blob into the repository: it is there, is taken over from another one, or is sent.
pub(super) async fn send(
    remote: Remote,
    store: Store,
    to: Repository,
    source: Source,
) -> Result<Option<Sent>, NotSent> {
    let prepared = blocking({
        let (remote, store, to) = (remote.clone(), store.clone(), to.clone());
        move || Outgoing::new(remote, store, &to, source)
    });
    let Some((outgoing, mounts)) = prepared.await.map_err(NotSent::Store)? else { return Ok(None) };
    let outgoing = Arc::new(outgoing);
    let uploaded = remote.client().upload(&to, Arc::clone(&outgoing) as Arc<dyn BlobSource>, &mounts).await;
    let uploaded = match uploaded {
        Ok(uploaded) => uploaded,
        Err(error) => {
            // Its bytes could not be had: that is why it could not be sent.
            let failure = outgoing.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
            return Err(failure.map_or(NotSent::Registry(error), NotSent::Store));
        }
    };
    let blob = Descriptor::new(&outgoing.media_type(), uploaded.digest, uploaded.size);
    let bytes = match uploaded.how {
        Delivery::Sent { .. } => blob.size,
        Delivery::Existed | Delivery::Mounted { .. } => 0,
    };
    let (digest, origin) = (blob.digest.clone(), to.to_string());
    // What is not noted is asked for the next time.
    let _ = blocking(move || store.note_origin(&digest, &origin)).await;
    Ok(Some(Sent { blob, bytes }))
}

/// A layer on its way.
struct Outgoing {
    remote: Remote,
    store: Store,
    from: From,
    failure: Mutex<Option<tug_layer_store::Error>>,
}

enum From {
    Stored(Box<Descriptor>),
    Growing(Growing, &'static str),
}

impl Outgoing {
    /// With the repositories of the same registry that have it; `None` when the layer is nowhere.
    fn new(
        remote: Remote,
        store: Store,
        to: &Repository,
        source: Source,
    ) -> tug_layer_store::Result<Option<(Self, Vec<Repository>)>> {
        let from = match source {
            Source::Stored(blob) => From::Stored(Box::new(blob)),
            Source::Compressed { diff_id, plain, wanted } => {
                let growing = store.compressing(&diff_id, &plain, wanted)?;
                From::Growing(growing, wanted.media_type())
            }
        };
        let outgoing = Self { remote, store, from, failure: Mutex::default() };
        if let From::Stored(blob) = &outgoing.from
            && !outgoing.store.has_blob(&blob.digest)?
            && outgoing.store.origins(&blob.digest)?.is_empty()
        {
            return Ok(None);
        }
        let known = match outgoing.digest() {
            Some(digest) => origins(&outgoing.store, &digest)?,
            None => Vec::new(),
        };
        Ok(Some((outgoing, mounts(known, to))))
    }

    fn media_type(&self) -> String {
        match &self.from {
            From::Stored(blob) => blob.media_type.clone(),
            From::Growing(_, media_type) => (*media_type).to_owned(),
        }
    }

    fn open(&self, blob: &Descriptor, offset: u64) -> tug_layer_store::Result<Box<dyn Read + Send>> {
        if !self.store.has_blob(&blob.digest)? {
            let wanted = Wanted { descriptor: blob.clone(), diff_id: None, mountable: Mountable::Later };
            self.remote.fetch(&self.store, &[wanted])?;
        }
        let stream = |source| tug_layer_store::Error::Stream { action: "read a blob", source };
        let opened = self.store.open_blob(&blob.digest)?;
        let mut file = opened.ok_or_else(|| stream(io::ErrorKind::NotFound.into()))?;
        file.seek(SeekFrom::Start(offset)).map_err(stream)?;
        Ok(Box::new(file))
    }
}

impl BlobSource for Outgoing {
    fn digest(&self) -> Option<Digest> {
        match &self.from {
            From::Stored(blob) => Some(blob.digest.clone()),
            From::Growing(growing, _) => growing.digest(),
        }
    }

    fn size(&self) -> Option<u64> {
        match &self.from {
            From::Stored(blob) => Some(blob.size),
            From::Growing(growing, _) => growing.size(),
        }
    }

    fn reader(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        match &self.from {
            From::Growing(growing, _) => Ok(Box::new(growing.reader(offset))),
            From::Stored(blob) => self.open(blob, offset).map_err(|error| {
                let told = io::Error::other(error.to_string());
                *self.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                told
            }),
        }
    }
}

/// The index.
pub(super) struct InMemory(pub(super) Bytes);

impl BlobSource for InMemory {
    fn digest(&self) -> Option<Digest> {
        Some(Digest::of(&self.0))
    }

    fn size(&self) -> Option<u64> {
        Some(self.0.len() as u64)
    }

    fn reader(&self, offset: u64) -> io::Result<Box<dyn Read + Send>> {
        let mut reader = Cursor::new(self.0.clone());
        reader.set_position(offset);
        Ok(Box::new(reader))
    }
}
