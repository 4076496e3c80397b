//! Second stores: what is not in a store is looked for in others, which are only read.
//!
//! A CI host has one store with base images and the results of many builds, and each job a store of its own beside it,
//! which begins empty and need not copy anything. Podman calls it `additionalimagestores`.
//!
//! | what                    | is found in a second store                                                         |
//! | ----------------------- | ---------------------------------------------------------------------------------- |
//! | blobs                   | when the own store does not have them                                              |
//! | layers                  | when the own store does not know them; their trees and indexes are mounted there   |
//! | images, by name or id   | when no image of the own store is called so                                        |
//! | results of steps        | when the own store has none                                                        |
//! | origins                 | behind those of the own store                                                      |
//!
//! Nothing is written to a second store, no lock is made in it, and no record of a use. What is made is written to the own
//! store: an image that is built on a base in a second store has its manifest, its config and its own layers there, and
//! leans on the second store for the rest. A layer that has no form there that can be mounted here gets one in the own
//! store, made from the blob over there.
//!
//! The owner of a second store can remove from it what its own names and records do not lead to, and does not know who
//! leans on it. While a process has it open, the lock of the store keeps that from happening, if the file of the lock may
//! be read; else what was opened stays readable, and what is gone is missing like any blob that is missing: it is fetched if
//! it is known from where, or an error.

use std::path::PathBuf;
use std::sync::Arc;

use tug_oci::{Descriptor, Digest, Reference};

use crate::error::Result;
use crate::store::Store;

/// An image that some index leads to.
pub(crate) struct Root {
    pub(crate) name: Option<Reference>,
    pub(crate) target: Descriptor,
    /// The store, if it is not the own one.
    pub(crate) other_store: Option<PathBuf>,
}

impl Store {
    /// The same store, which finds in `others` what it does not have; the first one that has something counts. See
    /// [`Store::open_read_only`].
    #[must_use]
    pub fn with_others(&self, others: Vec<Self>) -> Self {
        let mut store = self.clone();
        store.others = Arc::from(others);
        store
    }

    /// The same store without others.
    pub(crate) fn only_own(&self) -> Self {
        let mut store = self.clone();
        store.others = Arc::default();
        store
    }

    /// The other store that an image is in, if it is not in this one as well.
    pub fn other_store_of(&self, image: &Digest) -> Result<Option<PathBuf>> {
        if self.roots()?.iter().any(|(_, target)| target.digest == *image) {
            return Ok(None);
        }
        self.elsewhere(|other| {
            let is_there = other.roots()?.iter().any(|(_, target)| target.digest == *image);
            Ok(is_there.then(|| other.root().to_owned()))
        })
    }

    /// What the first other store gives that gives something.
    pub(crate) fn elsewhere<T>(&self, find: impl Fn(&Self) -> Result<Option<T>>) -> Result<Option<T>> {
        for other in self.others.iter() {
            if let Some(found) = find(other)? {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }

    /// Where a blob is, in whatever store; where it would be, when it is in none.
    pub(crate) fn found_blob_path(&self, digest: &Digest) -> Result<PathBuf> {
        let own = self.blob_path(digest);
        if own.exists() {
            return Ok(own);
        }
        let there =
            self.elsewhere(|other| Ok(other.blob_size(digest)?.is_some().then(|| other.blob_path(digest))))?;
        Ok(there.unwrap_or(own))
    }

    /// All images: those of this store, then those of others whose names are not taken.
    pub(crate) fn all_roots(&self) -> Result<Vec<Root>> {
        let own = self.roots()?.into_iter();
        let mut all: Vec<Root> = own.map(|(name, target)| Root { name, target, other_store: None }).collect();
        for other in self.others.iter() {
            for (name, target) in other.roots()? {
                let is_taken = all.iter().any(|known| match &name {
                    Some(_) => known.name == name,
                    None => known.target.digest == target.digest,
                });
                if !is_taken {
                    all.push(Root { name, target, other_store: Some(other.root().to_owned()) });
                }
            }
        }
        Ok(all)
    }
}
