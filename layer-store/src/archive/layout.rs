//! Reads an OCI image layout: `index.json` leads to indexes and manifests, these to configs and layers.
//!
//! Source: image-spec `image-layout.md`. What is read of an index is bounded in depth and number.

use std::collections::HashSet;

use tug_oci::{
    Descriptor, Digest, Document, IMAGE_NAME, ImageConfig, Index, Manifest, Platform, REF_NAME, Raw,
    Reference, media_type,
};

use super::error::ArchiveError;
use super::load::{LoadOptions, LoadPlan, Names, PlannedImage};
use super::source::{Source, SourceFile, blob_name};
use crate::entry::shown;
use crate::error::{Error, Result};
use crate::image::{DEEPEST_INDEX, DOCUMENT_LIMIT, MOST_DOCUMENTS};
use crate::refs::names_of;

const INDEX_FILE: &str = "index.json";

/// Plans to load every image of the layout; `false` when there is none.
pub(super) fn plan(source: &mut Source, options: &LoadOptions, plan: &mut LoadPlan) -> Result<bool> {
    let Some(file) = source.find(INDEX_FILE)? else { return Ok(false) };
    let bytes = source.read(&file, DOCUMENT_LIMIT)?;
    let index = Raw::<Index>::parse(bytes)
        .map_err(|source| ArchiveError::Document { path: INDEX_FILE.to_owned(), source })?
        .into_value();
    for mut target in index.manifests {
        let called = take_names(&mut target);
        let is_named = options.only.as_ref() == Some(&target.digest.to_string());
        if !is_named && !options.wants(&called) {
            plan.passed_over.extend(called.into_iter().last());
            continue;
        }
        let names = parse_names(called, options)?;
        let mut walk = Walk {
            source,
            options,
            files: Vec::new(),
            configs: Vec::new(),
            seen: HashSet::new(),
            first_missing: None,
        };
        walk.visit(&target, 0)?;
        let Walk { files, configs, first_missing, .. } = walk;
        match first_missing {
            Some(missing) if configs.is_empty() => return Err(missing),
            // Something else than an image, such as a signature of one.
            _ if configs.is_empty() => continue,
            _ => {}
        }
        files.into_iter().for_each(|file| plan.add_file(file));
        plan.add_image(PlannedImage { target, configs, names });
    }
    Ok(true)
}

/// What it is called: by the name that containerd and docker write, and by the one that everybody writes.
fn take_names(target: &mut Descriptor) -> Vec<String> {
    let [full, short] = [IMAGE_NAME, REF_NAME].map(|key| target.annotations.remove(key));
    names_of(full, short)
}

/// The first name counts. One that nobody is to be given may be anything.
fn parse_names(called: Vec<String>, options: &LoadOptions) -> Result<Vec<Reference>> {
    let Some(name) = called.into_iter().next() else { return Ok(Vec::new()) };
    match (name.parse(), options.names) {
        (Ok(reference), _) => Ok(vec![reference]),
        (Err(_), Names::Leave) => Ok(Vec::new()),
        (Err(source), Names::Give) => Err(ArchiveError::Name { name: shown(name.as_bytes()), source }.into()),
    }
}

struct Walk<'a> {
    source: &'a mut Source,
    options: &'a LoadOptions,
    files: Vec<SourceFile>,
    configs: Vec<Digest>,
    seen: HashSet<Digest>,
    first_missing: Option<Error>,
}

impl Walk<'_> {
    fn visit(&mut self, target: &Descriptor, depth: usize) -> Result<()> {
        if depth > DEEPEST_INDEX {
            let what = format!("indexes around `{}`", target.digest);
            return Err(Error::TooMany { what, limit: DEEPEST_INDEX as u64 });
        }
        if !self.seen.insert(target.digest.clone()) {
            return Ok(());
        }
        if self.seen.len() as u64 > MOST_DOCUMENTS {
            return Err(Error::TooMany { what: "images in the archive".to_owned(), limit: MOST_DOCUMENTS });
        }
        match target.media_type.as_str() {
            kind if media_type::is_index(kind) => self.visit_index(target, depth),
            kind if media_type::is_manifest(kind) => self.visit_manifest(target),
            _ => {
                let file = self.blob(target, "a document")?;
                self.files.push(file);
                Ok(())
            }
        }
    }

    /// Docker and containerd save the whole index, but the images of one platform only.
    fn visit_index(&mut self, target: &Descriptor, depth: usize) -> Result<()> {
        let (file, bytes) = self.document(target, "the index")?;
        let index = parse::<Index>(target, bytes)?.into_value();
        self.files.push(file);
        for child in &index.manifests {
            let is_wanted = |own: &Platform| own.satisfies(&self.options.platform);
            let must_be_whole = child.platform.as_ref().is_some_and(is_wanted) && self.is_here(child)?;
            match self.visit(child, depth + 1) {
                Err(error) if error.is_missing_from_archive() && !must_be_whole => {
                    self.first_missing.get_or_insert(error);
                }
                other => other?,
            }
        }
        Ok(())
    }

    fn visit_manifest(&mut self, target: &Descriptor) -> Result<()> {
        let (file, bytes) = self.document(target, "the manifest")?;
        let manifest = parse::<Manifest>(target, bytes)?.into_value();
        let mut files = vec![file, self.blob(&manifest.config, "the config")?];
        let count = manifest.layers.len();
        for (number, layer) in manifest.layers.iter().enumerate() {
            match self.blob(layer, &format!("layer {} of {count}", number + 1)) {
                Err(error) if error.is_missing_from_archive() && is_foreign(layer) => {}
                other => files.push(other?),
            }
        }
        if matches!(manifest.config.media_type.as_str(), media_type::OCI_CONFIG | media_type::DOCKER_CONFIG) {
            let (_, bytes) = self.document(&manifest.config, "the config")?;
            let config = parse::<ImageConfig>(&manifest.config, bytes)?;
            agree(target, &manifest, &config)?;
            self.configs.push(config.digest().clone());
        }
        self.files.extend(files);
        Ok(())
    }

    fn is_here(&mut self, target: &Descriptor) -> Result<bool> {
        Ok(self.source.find_blob(&target.digest)?.is_some())
    }

    fn document(&mut self, target: &Descriptor, what: &str) -> Result<(SourceFile, Vec<u8>)> {
        let file = self.blob(target, what)?;
        let bytes = self.source.read(&file, DOCUMENT_LIMIT)?;
        Ok((file, bytes))
    }

    /// The blob in the archive, or in the store: archives may leave out what the other side has.
    fn blob(&mut self, target: &Descriptor, what: &str) -> Result<SourceFile> {
        let found = match self.source.find_blob(&target.digest)? {
            Some(file) => Some(file),
            None => self.source.find_held(&target.digest)?,
        };
        let file = found.ok_or_else(|| ArchiveError::Missing {
            what: what.to_owned(),
            path: blob_name(&target.digest),
        })?;
        if file.size == target.size {
            return Ok(file);
        }
        Err(Error::SizeMismatch { digest: target.digest.clone(), expected: target.size, actual: file.size })
    }
}

fn parse<T: Document>(target: &Descriptor, bytes: Vec<u8>) -> Result<Raw<T>> {
    let document = Raw::parse(bytes);
    document.map_err(|source| ArchiveError::Document { path: blob_name(&target.digest), source }.into())
}

/// Manifest and config must speak of the same layers; of plain ones the digests show it.
fn agree(target: &Descriptor, manifest: &Manifest, config: &ImageConfig) -> Result<()> {
    let diff_ids = &config.rootfs.diff_ids;
    if diff_ids.len() != manifest.layers.len() {
        let (layers, diff_ids) = (manifest.layers.len(), diff_ids.len());
        return Err(Error::LayerCount { digest: target.digest.clone(), layers, diff_ids });
    }
    for (layer, diff_id) in manifest.layers.iter().zip(diff_ids) {
        let is_plain = matches!(layer.media_type.as_str(), media_type::OCI_LAYER | media_type::DOCKER_LAYER);
        let is_comparable = layer.digest.algorithm() == diff_id.digest().algorithm();
        if is_plain && is_comparable && layer.digest != *diff_id.digest() {
            return Err(ArchiveError::LayerMismatch {
                path: blob_name(&layer.digest),
                expected: diff_id.digest().clone(),
                actual: layer.digest.clone(),
            }
            .into());
        }
    }
    Ok(())
}

/// A layer that may not be handed on, such as those of Windows; it is to be had elsewhere.
fn is_foreign(layer: &Descriptor) -> bool {
    layer.media_type.contains("nondistributable") || layer.media_type.contains("foreign")
}
