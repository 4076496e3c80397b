//! A layer that is compressed while somebody already reads the result.
//!
//! A push sends a layer as fast as it is compressed: the upload reads behind the compression, and may begin anew at any
//! place. When the end is reached, the blob is in the store and remembered, as after [`Store::image_in_form`], which then
//! finds it.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tug_oci::{Descriptor, DiffId, Digest};

use crate::blob::BlobWriter;
use crate::error::{Error, Result, failed};
use crate::file::Durability;
use crate::image_form::LayerCompression;
use crate::store::Store;

/// A compressed layer that may still be growing. The work is given up when this and all its readers are dropped.
#[derive(Clone, Debug)]
pub struct Growing {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: File,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    written: u64,
    end: Option<std::result::Result<Descriptor, Arc<Error>>>,
}

impl Store {
    /// Begins to compress a layer of the store, unless that was done before. `blob` is what the manifest has for it.
    ///
    /// A thread does the work. It is the same work, with the same result, as that of [`Store::image_in_form`].
    pub fn compressing(
        &self,
        diff_id: &DiffId,
        blob: &Descriptor,
        wanted: LayerCompression,
    ) -> Result<Growing> {
        if let Some(known) = self.known_form(diff_id, blob, wanted)? {
            let file =
                self.open_blob(&known.digest)?.ok_or_else(|| self.missing_blob("the layer", &known))?;
            let state = State { written: known.size, end: Some(Ok(known)) };
            return Ok(Growing { shared: Arc::new(Shared::new(file, state)) });
        }
        self.ensure_layers([(diff_id, blob)], crate::layer::Mountable::Later)?;
        let out = self.blob_writer(Durability::Deferred)?;
        let file = out.reopen().map_err(failed("write a blob to", self.path("ingest")))?;
        let shared = Arc::new(Shared::new(file, State::default()));
        let weak = Arc::downgrade(&shared);
        let (store, diff_id) = (self.clone(), diff_id.clone());
        let work = move || {
            let following = Following { out, shared: weak.clone() };
            let outcome =
                store.write_form(&diff_id, wanted, following).and_then(|(following, annotations)| {
                    let written = following.out.finish()?;
                    store.remember_form(&diff_id, wanted, written, annotations)
                });
            if let Some(shared) = weak.upgrade() {
                shared.state().end = Some(outcome.map_err(Arc::new));
                shared.changed.notify_all();
            }
        };
        let thread = std::thread::Builder::new().name("compress".to_owned()).spawn(work);
        thread.map_err(failed("start a thread in", self.root()))?;
        Ok(Growing { shared })
    }
}

impl Growing {
    /// What it turned out to be; `None` while it grows or when it failed.
    pub fn descriptor(&self) -> Option<Descriptor> {
        self.shared.state().end.as_ref().and_then(|end| end.as_ref().ok().cloned())
    }

    /// Its digest, once that is known.
    pub fn digest(&self) -> Option<Digest> {
        self.descriptor().map(|descriptor| descriptor.digest)
    }

    /// Its length, once that is known.
    pub fn size(&self) -> Option<u64> {
        self.descriptor().map(|descriptor| descriptor.size)
    }

    /// How many bytes there are so far.
    pub fn written(&self) -> u64 {
        self.shared.state().written
    }

    /// Reads from `offset` on, waiting for what is not there yet.
    pub fn reader(&self, offset: u64) -> GrowingReader {
        GrowingReader { shared: Arc::clone(&self.shared), place: offset }
    }

    /// Waits for the end. The error says why there is none.
    pub fn wait(&self) -> std::result::Result<Descriptor, Arc<Error>> {
        let mut state = self.shared.state();
        loop {
            if let Some(end) = &state.end {
                return end.clone();
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Shared {
    fn new(file: File, state: State) -> Self {
        Self { file, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes of a [`Growing`] in order.
#[derive(Debug)]
pub struct GrowingReader {
    shared: Arc<Shared>,
    place: u64,
}

impl Read for GrowingReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut state = self.shared.state();
        while state.written <= self.place {
            match &state.end {
                Some(Ok(_)) => return Ok(0),
                Some(Err(error)) => return Err(io::Error::other(Arc::clone(error))),
                None => state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
        let ready = usize::try_from(state.written - self.place).unwrap_or(usize::MAX);
        drop(state);
        let room = ready.min(buffer.len());
        let count = self.shared.file.read_at(&mut buffer[..room], self.place)?;
        if count == 0 && room > 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.place += count as u64;
        Ok(count)
    }
}

/// Writes, and tells those who read behind. Fails when nobody does any more.
struct Following {
    out: BlobWriter,
    shared: std::sync::Weak<Shared>,
}

impl Write for Following {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let shared = self.shared.upgrade().ok_or(io::ErrorKind::BrokenPipe)?;
        let count = self.out.write(bytes)?;
        shared.state().written += count as u64;
        shared.changed.notify_all();
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::NewEntry;
    use crate::image_form::{ImageForm, MediaTypes};
    use crate::layer::{Layer, LayerWriterOptions};
    use crate::store::tests::store;

    fn layer(store: &Store) -> Layer {
        let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
        let content: Vec<u8> = (0..5_000_000_u32).map(|place| ((place / 7) ^ (place >> 9)) as u8).collect();
        let entry = NewEntry::file("large", 0o644, content.len() as u64);
        writer.add(&entry, Some(&mut content.as_slice())).unwrap();
        writer.finish().unwrap()
    }

    fn read(growing: &Growing, offset: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        growing.reader(offset).read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn what_is_read_while_it_grows_is_what_is_kept() {
        let (_folder, store) = store();
        let layer = layer(&store);
        for wanted in [LayerCompression::Gzip(1), LayerCompression::Zstd(3)] {
            let growing = store.compressing(layer.diff_id(), &layer.blob(), wanted).unwrap();
            let (whole, rest) = (read(&growing, 0), read(&growing, 1000));
            let made = growing.wait().unwrap();
            assert_eq!((Some(made.size), Some(made.digest.clone())), (growing.size(), growing.digest()));
            assert_eq!((whole.len() as u64, Digest::of(&whole)), (made.size, made.digest.clone()));
            assert!(rest == whole[1000..]);
            assert!(store.read_blob(&made.digest, made.size).unwrap() == whole);
            let again = store.compressing(layer.diff_id(), &layer.blob(), wanted).unwrap();
            assert_eq!(again.descriptor(), Some(made), "the second time nothing is done");
            assert!(read(&again, 0) == whole);
        }
    }

    #[test]
    fn it_is_the_layer_that_the_image_has_in_that_form() {
        let (_folder, store) = store();
        let layer = layer(&store);
        let mut config = tug_oci::ImageConfig::empty(tug_oci::Platform::host());
        config.rootfs.diff_ids = vec![layer.diff_id().clone()];
        let image = store.write_image(config, std::collections::BTreeMap::new()).unwrap();
        let wanted = LayerCompression::Gzip(6);
        let growing = store.compressing(layer.diff_id(), &layer.blob(), wanted).unwrap();
        let made = growing.wait().unwrap();
        let form =
            ImageForm { compression: Some(wanted), media_types: MediaTypes::Oci, ..ImageForm::default() };
        assert_eq!(store.image_in_form(&image, &form).unwrap().manifest.layers, [made]);
    }

    #[test]
    fn it_is_given_up_when_nobody_reads_and_leaves_nothing() {
        let (_folder, store) = store();
        let layer = layer(&store);
        let before = std::fs::read_dir(store.path("blobs/sha256")).unwrap().count();
        let stopping = store.stopping_when(|| true);
        let growing = stopping.compressing(layer.diff_id(), &layer.blob(), LayerCompression::Gzip(1));
        let growing = growing.unwrap();
        assert!(matches!(*growing.wait().unwrap_err(), Error::Stopped));
        assert!(growing.reader(0).read(&mut [0; 10]).is_err());
        assert_eq!((growing.digest(), growing.size()), (None, None));
        assert_eq!(std::fs::read_dir(store.path("blobs/sha256")).unwrap().count(), before);
    }
}
