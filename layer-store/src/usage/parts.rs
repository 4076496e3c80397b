//! The parts that images and build results share: blobs and layers, each counted once.
//!
//! What holds what is found as in [`crate::garbage`]: by the digests that documents, records and layers spell.

use std::collections::{HashMap, HashSet};

use tug_oci::{Algorithm, DiffId, Digest};

use super::disk_size::DiskSize;
use super::remembered::remembered_size;
use crate::error::Result;
use crate::garbage::{digest_of_name, names_in};
use crate::store::Store;

/// All blobs and layers of a store, with their sizes. A blob and a layer with one digest are one part.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    places: HashMap<Digest, usize>,
    sizes: Vec<DiskSize>,
    /// What is in these folders without being a blob or a layer.
    pub(super) foreign: DiskSize,
}

impl Parts {
    /// Looks at every blob and layer of the store.
    pub(super) fn of(store: &Store) -> Result<Self> {
        let mut parts = Self::default();
        parts.foreign += DiskSize::at(&store.path("blobs")) + DiskSize::at(&store.path("layers"));
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            let folder = store.path("blobs").join(algorithm.name());
            parts.foreign += DiskSize::at(&folder);
            for path in names_in(&folder)? {
                parts.add(digest_of_name(algorithm, &path), DiskSize::at(&path));
            }
        }
        for path in names_in(&store.path("layers"))? {
            parts.add(digest_of_name(Algorithm::Sha256, &path), remembered_size(&path));
        }
        Ok(parts)
    }

    fn add(&mut self, digest: Option<Digest>, size: DiskSize) {
        let Some(digest) = digest else {
            self.foreign += size;
            return;
        };
        let next = self.sizes.len();
        let place = *self.places.entry(digest).or_insert(next);
        match self.sizes.get_mut(place) {
            Some(known) => *known += size,
            None => self.sizes.push(size),
        }
    }

    pub(crate) fn place(&self, digest: &Digest) -> Option<usize> {
        self.places.get(digest).copied()
    }

    pub(super) fn places(&self) -> impl Iterator<Item = (&Digest, usize)> {
        self.places.iter().map(|(digest, place)| (digest, *place))
    }

    pub(crate) fn size(&self, place: usize) -> DiskSize {
        self.sizes[place]
    }

    pub(crate) fn count(&self) -> usize {
        self.sizes.len()
    }
}

/// Follows digests to digests, and reads nothing twice.
pub(super) struct Reach<'a> {
    store: &'a Store,
    next: HashMap<Digest, Vec<Digest>>,
}

impl<'a> Reach<'a> {
    pub(super) fn new(store: &'a Store) -> Self {
        Self { store, next: HashMap::new() }
    }

    /// All parts that `from` leads to, in order, each once.
    pub(super) fn parts(&mut self, from: &[Digest], parts: &Parts) -> Result<Vec<usize>> {
        let mut seen: HashSet<Digest> = HashSet::new();
        let mut pending: Vec<Digest> = from.to_vec();
        let mut found = Vec::new();
        while let Some(digest) = pending.pop() {
            if !seen.insert(digest.clone()) {
                continue;
            }
            let Some(place) = parts.place(&digest) else { continue };
            found.push(place);
            if !self.next.contains_key(&digest) {
                let mut next = self.store.digests_in_blob(&digest)?;
                next.extend(self.store.digests_in_layer(&DiffId::new(digest.clone()))?);
                self.next.insert(digest.clone(), next);
            }
            pending.extend(self.next[&digest].iter().cloned());
        }
        found.sort_unstable();
        Ok(found)
    }
}
