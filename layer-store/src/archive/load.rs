//! Loads images from archives and layouts into the store.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

use tug_oci::{Descriptor, DiffId, Digest, Platform, Reference};

use super::error::ArchiveError;
use super::source::{Source, SourceFile};
use super::{docker, layout, legacy};
use crate::error::{Error, Result, failed};
use crate::layer::Mountable;
use crate::store::Store;

/// How to load.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadOptions {
    /// An image for this platform must be complete; those for others may be missing, as docker leaves them out.
    pub platform: Platform,
    /// The name of the only image that is wanted: as it stands in the archive, or in full; of a layout also its digest.
    pub only: Option<String>,
    /// What becomes of the names in the archive.
    pub names: Names,
    /// Whether it becomes known what is in the layers of the image for the platform, and whether they can be mounted then.
    /// Without it they stay packed until somebody needs them.
    pub unpacked: Option<Mountable>,
}

/// What becomes of the names in an archive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Names {
    /// The images have them in the store from now on.
    Give,
    /// The store's names stay as they are. Nothing refers to the images: without a name they last until the next prune.
    Leave,
}

impl LoadOptions {
    /// Loads everything, with its names.
    pub fn new(platform: Platform) -> Self {
        Self { platform, only: None, names: Names::Give, unpacked: None }
    }

    /// Whether an image that has these names in the archive is wanted.
    pub(super) fn wants(&self, names: &[String]) -> bool {
        let Some(only) = &self.only else { return true };
        let in_full = |name: &String| name.parse::<Reference>().ok();
        let wanted = in_full(only);
        names.iter().any(|name| name == only || wanted.is_some() && in_full(name) == wanted)
    }
}

/// An image that was loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The names that it came with.
    pub names: Vec<Reference>,
    /// The manifest or index.
    pub target: Descriptor,
}

impl Store {
    /// Loads the images of an archive. It is read to its end, once, in order.
    ///
    /// Unless they are to be left alone, names that the store has already point to the loaded images afterwards, and an
    /// image without a name is kept as if by [`Store::keep`]. When anything is wrong with the archive, nothing is loaded.
    pub fn load(&self, archive: &mut dyn Read, options: &LoadOptions) -> Result<Vec<Loaded>> {
        self.load_source(Source::archive(self, archive)?, options)
    }

    /// Loads the images of an archive, or of an OCI image layout in a folder.
    pub fn load_path(&self, path: &Path, options: &LoadOptions) -> Result<Vec<Loaded>> {
        if path.is_dir() {
            return self.load_source(Source::folder(self, path)?, options);
        }
        let mut archive = File::open(path).map_err(failed("open", path))?;
        self.load(&mut archive, options)
    }

    fn load_source(&self, mut source: Source, options: &LoadOptions) -> Result<Vec<Loaded>> {
        let mut plan = LoadPlan::default();
        let is_layout = layout::plan(&mut source, options, &mut plan)?;
        let is_docker = docker::plan(&mut source, options, &mut plan)?;
        let is_known = is_layout || is_docker || legacy::plan(&mut source, options, &mut plan)?;
        if !is_known {
            let is_root_file_system = source.looks_like_a_root();
            return Err(ArchiveError::NotImages { is_root_file_system }.into());
        }
        match &options.only {
            _ if !plan.images.is_empty() => plan.carry_out(self, &source, options),
            Some(wanted) => {
                let available = std::mem::take(&mut plan.passed_over);
                Err(ArchiveError::NotIn { wanted: wanted.clone(), available }.into())
            }
            None => Err(ArchiveError::Empty.into()),
        }
    }
}

/// What is to be done, once everything has been found good.
#[derive(Default)]
pub(super) struct LoadPlan {
    /// Files of the archive that become blobs.
    pub(super) files: BTreeMap<Digest, SourceFile>,
    /// Files that are known to unpack to a layer.
    pub(super) checked: BTreeSet<(Digest, DiffId)>,
    /// Blobs that were made from files of the archive.
    pub(super) documents: Vec<Vec<u8>>,
    pub(super) images: Vec<PlannedImage>,
    /// Names of images that nobody wants.
    pub(super) passed_over: Vec<String>,
}

pub(super) struct PlannedImage {
    pub(super) target: Descriptor,
    /// The configs of the images below `target`.
    pub(super) configs: Vec<Digest>,
    pub(super) names: Vec<Reference>,
}

impl LoadPlan {
    pub(super) fn add_file(&mut self, file: SourceFile) {
        self.files.insert(file.digest.clone(), file);
    }

    /// Adds an image, or names to it when it is there already.
    pub(super) fn add_image(&mut self, image: PlannedImage) {
        match self.images.iter_mut().find(|other| other.target.digest == image.target.digest) {
            Some(other) => other.add_names(image.names),
            None => self.images.push(image),
        }
    }

    fn carry_out(self, store: &Store, source: &Source, options: &LoadOptions) -> Result<Vec<Loaded>> {
        for file in self.files.values() {
            source.keep(file)?;
        }
        for document in &self.documents {
            store.write_blob(document)?;
        }
        if let Some(mountable) = options.unpacked {
            self.unpack(store, &options.platform, mountable)?;
        }
        if options.names == Names::Give {
            self.give_names(store)?;
        }
        Ok(self.images.into_iter().map(|image| Loaded { names: image.names, target: image.target }).collect())
    }
}

impl LoadPlan {
    /// Takes apart the layers of the images for the platform, several at once.
    fn unpack(&self, store: &Store, platform: &Platform, mountable: Mountable) -> Result<()> {
        for planned in &self.images {
            match store.image(&planned.target, platform) {
                Ok(image) => store.ensure_layers(image.layers(), mountable).map_err(|error| match error {
                    Error::Layer(_) | Error::Stream { .. } if !error.is_disk_full() => {
                        ArchiveError::Layers { image: planned.shown(), source: Box::new(error) }.into()
                    }
                    other => other,
                })?,
                // It is for another machine, or no image, and here only to be handed on.
                Err(Error::NoSuchPlatform { .. } | Error::NotAnImage { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn give_names(&self, store: &Store) -> Result<()> {
        let mut refs = Vec::new();
        for image in &self.images {
            if image.names.is_empty() {
                store.keep(&image.target)?;
            }
            refs.extend(image.names.iter().map(|name| (name.clone(), image.target.clone())));
        }
        store.tag_all(&refs)
    }
}

impl PlannedImage {
    /// What it is called in messages.
    fn shown(&self) -> String {
        let name = self.names.first().map(Reference::familiar);
        format!("`{}`", name.unwrap_or_else(|| self.target.digest.to_string()))
    }

    pub(super) fn add_names(&mut self, names: Vec<Reference>) {
        for name in names {
            if !self.names.contains(&name) {
                self.names.push(name);
            }
        }
    }
}
