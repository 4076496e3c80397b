//! Asks somebody else for blobs that are not in the store.
//!
//! An image may be in the store with its manifest and config only; its layers come when somebody needs them. The store
//! talks to no network: it asks the [`Fetcher`] that it was given, once for everything that is missing, and only about
//! blobs of which it knows in which repository they were seen.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use tug_oci::{Descriptor, DiffId, Digest};

use crate::error::{Error, Result};
use crate::layer::Mountable;
use crate::store::Store;

/// A blob that somebody needs and that is not in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The blob.
    pub descriptor: Descriptor,
    /// The layer that it holds, if it is one: then the layer is made in the same pass.
    pub diff_id: Option<DiffId>,
    /// Whether the layer gets its tree at once.
    pub mountable: Mountable,
}

/// Brings blobs from where they were seen: see [`Store::origins`].
pub trait Fetcher: Send + Sync {
    /// Puts the blobs into the store, several at once. One that cannot be had is an error, best
    /// [`Error::Fetch`].
    fn fetch(&self, store: &Store, blobs: &[Wanted]) -> Result<()>;

    /// Gets some bytes of a blob that stays where it is. Nobody can check them against its digest. `None` where they cannot
    /// be had alone; then it is asked for the whole.
    fn fetch_range(&self, store: &Store, blob: &Descriptor, range: Range<u64>) -> Result<Option<Vec<u8>>> {
        let _ = (store, blob, range);
        Ok(None)
    }
}

#[derive(Clone)]
pub(crate) struct Fetching(Arc<dyn Fetcher>);

impl fmt::Debug for Fetching {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Fetching")
    }
}

impl Store {
    /// The same store, which asks `fetcher` for blobs that are missing.
    #[must_use]
    pub fn with_fetcher(&self, fetcher: Arc<dyn Fetcher>) -> Self {
        let mut store = self.clone();
        store.fetching = Some(Fetching(fetcher));
        store
    }

    /// Whether the blob is in the store, or somebody can be asked for it.
    pub fn can_bring(&self, digest: &Digest) -> Result<bool> {
        Ok(self.has_blob(digest)? || self.fetching.is_some() && !self.origins(digest)?.is_empty())
    }

    /// Brings blobs that are missing, as far as it is known where they were seen. What remains missing is for the caller
    /// to notice. No lock of a layer may be held: the fetcher makes layers.
    pub(crate) fn bring(&self, blobs: impl IntoIterator<Item = Wanted>) -> Result<()> {
        let Some(Fetching(fetcher)) = &self.fetching else { return Ok(()) };
        let mut missing: Vec<Wanted> = Vec::new();
        let mut seen = None;
        for wanted in blobs {
            let digest = &wanted.descriptor.digest;
            let is_named = missing.iter().any(|other| other.descriptor.digest == *digest);
            if is_named || self.has_blob(digest)? {
                continue;
            }
            let seen = match &seen {
                Some(seen) => seen,
                None => seen.insert(self.seen_elsewhere()?),
            };
            if seen.contains(digest) {
                missing.push(wanted);
            }
        }
        if missing.is_empty() { Ok(()) } else { fetcher.fetch(self, &missing) }
    }

    /// Some bytes of a blob that is not in the store; `None` where they cannot be had alone.
    pub(crate) fn range_elsewhere(&self, blob: &Descriptor, range: Range<u64>) -> Result<Option<Vec<u8>>> {
        let Some(Fetching(fetcher)) = &self.fetching else { return Ok(None) };
        if range.start >= range.end || range.end > blob.size || self.origins(&blob.digest)?.is_empty() {
            return Ok(None);
        }
        let length = range.end - range.start;
        let bytes = fetcher.fetch_range(self, blob, range)?;
        Ok(bytes.filter(|bytes| bytes.len() as u64 == length))
    }

    /// The error about a blob that is not there.
    pub(crate) fn missing_blob(&self, what: &str, blob: &Descriptor) -> Error {
        let origin = self.origins(&blob.digest).ok().and_then(|origins| origins.into_iter().next());
        Error::MissingBlob { what: what.to_owned(), digest: blob.digest.clone(), origin }
    }
}

impl Wanted {
    /// A blob as it is, whatever it holds.
    pub(crate) fn blob(descriptor: &Descriptor) -> Self {
        Self { descriptor: descriptor.clone(), diff_id: None, mountable: Mountable::Later }
    }

    /// A layer, which is made in the same pass.
    pub(crate) fn layer(diff_id: &DiffId, descriptor: &Descriptor, mountable: Mountable) -> Self {
        Self { descriptor: descriptor.clone(), diff_id: Some(diff_id.clone()), mountable }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Read;
    use std::sync::Mutex;

    use tug_oci::{ImageConfig, Platform, Raw};

    use super::*;
    use crate::image::Image;
    use crate::layer::ImportLayer;
    use crate::partial::Claim;
    use crate::store::tests::store;

    /// Has some blobs, and remembers what it was asked for.
    #[derive(Default)]
    struct Elsewhere {
        blobs: BTreeMap<Digest, Vec<u8>>,
        asked: Mutex<Vec<Vec<Wanted>>>,
    }

    impl Fetcher for Elsewhere {
        fn fetch(&self, store: &Store, blobs: &[Wanted]) -> Result<()> {
            self.asked.lock().unwrap().push(blobs.to_vec());
            for wanted in blobs {
                let blob = &wanted.descriptor;
                let Claim::Ours(partial) = store.try_partial(&blob.digest, blob.size)? else { panic!() };
                partial.write_at(0, &self.blobs[&blob.digest]).unwrap();
                match &wanted.diff_id {
                    Some(diff_id) => {
                        let expected = Some(diff_id.clone());
                        let materialise = wanted.mountable == Mountable::Now;
                        let options = ImportLayer { expected, materialise, ..ImportLayer::default() };
                        drop(store.import_partial(&partial, blob, &options)?);
                    }
                    None => partial.finish()?,
                }
            }
            Ok(())
        }
    }

    /// An image whose two layers are elsewhere.
    fn image(store: &Store) -> (Image, Elsewhere) {
        let mut elsewhere = Elsewhere::default();
        let mut config = ImageConfig::empty(Platform::host());
        let mut blobs = Vec::new();
        for name in ["one", "two"] {
            let mut tar = crate::tar::TarWriter::new(Vec::new());
            tar.header(&crate::NewEntry::directory(name, 0o755)).unwrap();
            let tar = tar.finish().unwrap();
            config.rootfs.diff_ids.push(DiffId::new(Digest::of(&tar)));
            let blob = zstd::encode_all(tar.as_slice(), 1).unwrap();
            let digest = Digest::of(&blob);
            let size = blob.len() as u64;
            blobs.push(Descriptor::new(tug_oci::media_type::OCI_LAYER_ZSTD, digest.clone(), size));
            elsewhere.blobs.insert(digest, blob);
        }
        (store.write_image_of(Raw::encode(config), blobs, BTreeMap::new()).unwrap(), elsewhere)
    }

    #[test]
    fn layers_that_were_seen_somewhere_are_brought_in_one_go() {
        let (_folder, store) = store();
        let (image, elsewhere) = image(&store);
        let elsewhere = Arc::new(elsewhere);
        let store = store.with_fetcher(Arc::clone(&elsewhere) as Arc<dyn Fetcher>);
        let error = store.ensure_layers(image.layers(), Mountable::Now).unwrap_err();
        assert!(matches!(error, Error::MissingBlob { origin: None, .. }), "{error}");
        assert!(elsewhere.asked.lock().unwrap().is_empty(), "nobody knows where they are");
        store.note_origins(elsewhere.blobs.keys(), "localhost:5000/app").unwrap();
        store.ensure_layers(image.layers(), Mountable::Now).unwrap();
        let asked = std::mem::take(&mut *elsewhere.asked.lock().unwrap());
        assert_eq!(asked.len(), 1);
        assert_eq!(asked[0].len(), 2);
        assert_eq!(store.lower(image.diff_ids()).unwrap().len(), 2);
        store.ensure_layers(image.layers(), Mountable::Now).unwrap();
        assert!(elsewhere.asked.lock().unwrap().is_empty());
    }

    #[test]
    fn without_somebody_to_ask_the_error_says_where_the_blob_was_seen() {
        let (_folder, store) = store();
        let (image, elsewhere) = image(&store);
        store.note_origins(elsewhere.blobs.keys(), "localhost:5000/app").unwrap();
        let error = store.ensure_layers(image.layers(), Mountable::Later).unwrap_err();
        assert!(error.to_string().contains("is not in the store"), "{error}");
        assert_eq!(error.hint().unwrap(), "it was seen in `localhost:5000/app`: pull the image again");
    }

    #[test]
    fn a_blob_that_got_lost_is_brought_without_making_its_layer_again() {
        let (_folder, store) = store();
        let (image, elsewhere) = image(&store);
        let elsewhere = Arc::new(elsewhere);
        let store = store.with_fetcher(Arc::clone(&elsewhere) as Arc<dyn Fetcher>);
        store.note_origins(elsewhere.blobs.keys(), "localhost:5000/app").unwrap();
        store.ensure_layers(image.layers(), Mountable::Later).unwrap();
        let (diff_id, blob) = image.layers().next().unwrap();
        std::fs::remove_file(store.blob_path(&blob.digest)).unwrap();
        let mut tar = Vec::new();
        store.layer_tar(diff_id).unwrap().read_to_end(&mut tar).unwrap();
        assert_eq!(Digest::of(&tar), *diff_id.digest());
        std::fs::remove_file(store.blob_path(&blob.digest)).unwrap();
        assert_eq!(store.lower(image.diff_ids()).unwrap().len(), 2);
        let asked = elsewhere.asked.lock().unwrap();
        let last: Vec<_> = asked[1..].iter().flatten().map(|wanted| wanted.diff_id.clone()).collect();
        assert_eq!(last, [None, None]);
    }
}
