//! What there is to look at.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::path::Path;

use tug_oci::{Algorithm, Descriptor, DiffId, Digest, Reference};

use super::VerifyOptions;
use super::finding::{Fault, Finding, Remedy, Target};
use crate::error::{Error, Result};
use crate::garbage::{digest_of_name, names_in};
use crate::layer::Record;
use crate::store::Store;

/// Everything that is looked at.
#[derive(Debug, Default)]
pub(super) struct List {
    /// Whether it is all that is in the store.
    pub(super) is_everything: bool,
    pub(super) roots: Vec<(Option<Reference>, Descriptor)>,
    pub(super) blobs: BTreeSet<Digest>,
    pub(super) layers: BTreeSet<DiffId>,
    /// Of blobs: what images say about them.
    pub(super) announced: BTreeMap<Digest, Descriptor>,
    /// Of blobs that hold layers: which ones, by manifests and by records.
    pub(super) holds: BTreeMap<Digest, BTreeSet<DiffId>>,
    /// Of layers: the blobs that hold them.
    pub(super) held_by: BTreeMap<DiffId, BTreeSet<Digest>>,
    /// The layers of each image, lowest first.
    pub(super) chains: Vec<Vec<DiffId>>,
    /// What was found on the way.
    pub(super) strays: Vec<Finding>,
}

/// One piece of work.
pub(super) enum Unit {
    Blob(Digest),
    Layer(DiffId),
}

impl List {
    pub(super) fn make(store: &Store, options: &VerifyOptions) -> Result<Self> {
        let mut list = Self { is_everything: options.images.is_empty(), ..Self::default() };
        list.read_roots(store, options)?;
        list.read_images(store)?;
        if list.is_everything {
            list.read_blobs(store)?;
            list.read_layers(store)?;
        }
        for layer in list.layers.clone() {
            if let Ok(Some(record)) = Record::read(&store.layer_folder(&layer)) {
                if let Some(blob) = record.blob {
                    list.hold(&layer, &blob);
                }
                list.hold_plain(&layer);
            }
        }
        if !list.is_everything {
            list.keep_what_is_there(store)?;
        }
        Ok(list)
    }

    /// How much content there is to read.
    pub(super) fn bytes(&self, store: &Store) -> Result<u64> {
        let mut sum = 0;
        for digest in &self.blobs {
            sum += store.blob_size(digest)?.unwrap_or(0);
        }
        for layer in &self.layers {
            if let Ok(Some(record)) = Record::read(&store.layer_folder(layer))
                && record.tree.is_some()
            {
                sum += record.content_size;
            }
        }
        Ok(sum)
    }

    /// The work, the largest first in a way: trees take longest.
    pub(super) fn units(&self) -> Vec<Unit> {
        let layers = self.layers.iter().cloned().map(Unit::Layer);
        layers.chain(self.blobs.iter().cloned().map(Unit::Blob)).collect()
    }

    fn read_roots(&mut self, store: &Store, options: &VerifyOptions) -> Result<()> {
        match store.roots() {
            Ok(roots) => self.roots = roots,
            Err(Error::Damaged { reason, .. }) => {
                let (fault, remedy) = (Fault::Damaged(reason), Remedy::Salvage);
                self.strays.push(Finding::wrong("index.json", fault, remedy, Target::Names));
            }
            Err(error) => return Err(error),
        }
        if !self.is_everything {
            let wanted = |root: &Descriptor| options.images.iter().any(|image| image.digest == root.digest);
            self.roots.retain(|(_, root)| wanted(root));
            for image in &options.images {
                if self.roots.iter().all(|(_, root)| root.digest != image.digest) {
                    self.roots.push((None, image.clone()));
                }
            }
        }
        Ok(())
    }

    fn read_images(&mut self, store: &Store) -> Result<()> {
        for (_, root) in self.roots.clone() {
            self.announce(&root);
            let visited = store.each_image(&root, &mut |image| {
                self.announce(&image.descriptor);
                self.announce(&image.manifest.config);
                self.chains.push(image.diff_ids().to_vec());
                for (layer, blob) in image.layers() {
                    self.announce(blob);
                    self.hold(layer, blob);
                    if !self.is_everything {
                        self.layers.insert(layer.clone());
                    }
                }
            });
            // A document that is damaged is found among the blobs.
            if let Err(error @ (Error::Filesystem { .. } | Error::NotAllowed { .. })) = visited {
                return Err(error);
            }
        }
        Ok(())
    }

    fn announce(&mut self, descriptor: &Descriptor) {
        self.announced.entry(descriptor.digest.clone()).or_insert_with(|| descriptor.clone());
        if !self.is_everything {
            self.blobs.insert(descriptor.digest.clone());
        }
    }

    fn hold(&mut self, layer: &DiffId, blob: &Descriptor) {
        self.announced.entry(blob.digest.clone()).or_insert_with(|| blob.clone());
        self.holds.entry(blob.digest.clone()).or_default().insert(layer.clone());
        self.held_by.entry(layer.clone()).or_default().insert(blob.digest.clone());
        if !self.is_everything {
            self.blobs.insert(blob.digest.clone());
        }
    }

    fn hold_plain(&mut self, layer: &DiffId) {
        self.holds.entry(layer.digest().clone()).or_default().insert(layer.clone());
        self.held_by.entry(layer.clone()).or_default().insert(layer.digest().clone());
        if !self.is_everything {
            self.blobs.insert(layer.digest().clone());
        }
    }

    fn read_blobs(&mut self, store: &Store) -> Result<()> {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            for path in names_in(&store.path("blobs").join(algorithm.name()))? {
                match digest_of_name(algorithm, &path) {
                    Some(digest) => drop(self.blobs.insert(digest)),
                    None => self.stray(store, &path),
                }
            }
        }
        Ok(())
    }

    fn read_layers(&mut self, store: &Store) -> Result<()> {
        for path in names_in(&store.path("layers"))? {
            match digest_of_name(Algorithm::Sha256, &path) {
                Some(digest) => drop(self.layers.insert(DiffId::new(digest))),
                None => self.stray(store, &path),
            }
        }
        Ok(())
    }

    fn keep_what_is_there(&mut self, store: &Store) -> Result<()> {
        let mut there = BTreeSet::new();
        for digest in &self.blobs {
            if store.has_blob(digest)? {
                there.insert(digest.clone());
            }
        }
        self.blobs = there;
        self.layers.retain(|layer| store.layer_folder(layer).exists());
        Ok(())
    }

    fn stray(&mut self, store: &Store, path: &Path) {
        let below = path.strip_prefix(store.root()).unwrap_or(path);
        let target = Target::Stray(path.to_owned());
        self.strays.push(Finding::leftover(below, Fault::Name, Remedy::Remove, target));
    }
}

/// The last part of a path as text.
pub(super) fn name_of(path: &Path) -> &str {
    path.file_name().and_then(OsStr::to_str).unwrap_or_default()
}
