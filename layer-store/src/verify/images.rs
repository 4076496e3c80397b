//! Images, and results of steps: whether what they lead to is here, or known to be elsewhere.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, Read};
use std::path::Path;

use serde::Deserialize;
use tug_oci::{Algorithm, Descriptor, DiffId, Digest, Index, Reference, media_type};

use super::Bad;
use super::finding::{Fault, Finding, LostImage, Remedy, Target};
use super::list::List;
use crate::error::{Error, Result};
use crate::file;
use crate::garbage::{digest_of_name, folders_in, names_in};
use crate::image::{DEEPEST_INDEX, DOCUMENT_LIMIT, Image};
use crate::layer::{Record, TreeForm};
use crate::store::Store;

/// What the builder keeps as the result of a step, as far as it is of interest here.
#[derive(Deserialize)]
struct StepResult {
    layer: DiffId,
    #[serde(default)]
    blob: Option<Descriptor>,
}

const RECORD_LIMIT: u64 = 64 * 1024 * 1024;

impl Store {
    /// Names that lead to nothing, and what images have lost.
    pub(super) fn check_images(&self, list: &List, bad: &Bad) -> Result<(Vec<Finding>, Vec<LostImage>)> {
        let mut findings = Vec::new();
        let mut lost = Vec::new();
        for (name, root) in &list.roots {
            let Some(what) = self.lost_of(root, bad, 0)? else { continue };
            lost.push(LostImage { name: name.clone(), digest: root.digest.clone(), what: what.clone() });
            let shown = name.as_ref().map_or_else(|| root.digest.to_string(), Reference::familiar);
            let target = Target::Name { name: name.clone(), digest: root.digest.clone() };
            let fault = Fault::LeadsNowhere { name: shown, what };
            let remedy = match self.origins(&root.digest)?.into_iter().next() {
                Some(origin) => Remedy::Fetch { origin },
                None => Remedy::Remove,
            };
            findings.push(Finding::wrong("index.json", fault, remedy, target));
        }
        Ok((findings, lost))
    }

    /// The first thing that an image, or the images of an index, have lost for good. An index may well lack images for
    /// other platforms, but not all.
    fn lost_of(&self, root: &Descriptor, bad: &Bad, depth: usize) -> Result<Option<String>> {
        if !self.has_good(&root.digest, bad)? {
            return Ok(Some(format!("the manifest `{}`", root.digest)));
        }
        if !media_type::is_index(&root.media_type) || depth >= DEEPEST_INDEX {
            return self.lost_of_image(root, bad);
        }
        let index = match self.document::<Index>(root) {
            Ok(index) => index.into_value(),
            Err(error) if super::layers::is_about_missing(&error) => {
                return Ok(Some(format!("the index `{}`", root.digest)));
            }
            Err(error) => return Err(error),
        };
        let mut is_any_here = index.manifests.is_empty();
        for child in &index.manifests {
            if self.has_blob(&child.digest)? {
                is_any_here = true;
                if let Some(what) = self.lost_of(child, bad, depth + 1)? {
                    return Ok(Some(what));
                }
            }
        }
        Ok(if is_any_here { None } else { Some("any image".to_owned()) })
    }

    fn lost_of_image(&self, root: &Descriptor, bad: &Bad) -> Result<Option<String>> {
        let mut images: Vec<Image> = Vec::new();
        match self.each_image(root, &mut |image| images.push(image)) {
            Err(error) if super::layers::is_about_missing(&error) => {}
            other => other?,
        }
        let Some(image) = images.pop() else {
            // It may be something else than an image: an attestation, or an artifact of another tool.
            return self.lost_of_artifact(root);
        };
        let count = image.diff_ids().len();
        for (place, (layer, blob)) in image.layers().enumerate() {
            if !self.can_have_layer(layer, blob, bad)? {
                return Ok(Some(format!("layer {} of {count}, `{layer}`", place + 1)));
            }
        }
        Ok(None)
    }

    fn lost_of_artifact(&self, root: &Descriptor) -> Result<Option<String>> {
        let manifest = match self.document::<tug_oci::Manifest>(root) {
            Ok(manifest) => manifest,
            Err(Error::Document { .. }) => return Ok(None),
            Err(error) if super::layers::is_about_missing(&error) => {
                return Ok(Some(format!("the manifest `{}`", root.digest)));
            }
            Err(error) => return Err(error),
        };
        let config = &manifest.config.digest;
        let is_gone = !self.has_blob(config)? && self.origins(config)?.is_empty();
        Ok(is_gone.then(|| format!("the config `{config}`")))
    }

    fn has_good(&self, digest: &Digest, bad: &Bad) -> Result<bool> {
        Ok(self.has_blob(digest)? && !bad.blobs.contains(digest))
    }

    fn can_have_layer(&self, layer: &DiffId, blob: &Descriptor, bad: &Bad) -> Result<bool> {
        for digest in [&blob.digest, layer.digest()] {
            if self.has_good(digest, bad)? || !self.origins(digest)?.is_empty() {
                return Ok(true);
            }
        }
        if bad.layers.contains(layer.digest()) {
            return Ok(false);
        }
        let record = Record::read(&self.layer_folder(layer))?;
        let Some(record) = record else { return Ok(false) };
        let other = match &record.blob {
            Some(blob) => self.has_good(&blob.digest, bad)? || !self.origins(&blob.digest)?.is_empty(),
            None => false,
        };
        // The tar of a layer that was made here can be written again.
        let has_good_tree = !bad.trees.contains(layer.digest());
        Ok(other
            || has_good_tree && record.blob.is_none() && record.tree == Some(TreeForm::of(self.options())))
    }

    /// Results of steps whose layers are nowhere: the steps are done again, so they only take room.
    pub(super) fn check_results(&self, bad: &Bad) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        for folder in folders_in(&self.path("cache"))? {
            if folder.file_name() == Some(OsStr::new("slots")) {
                continue;
            }
            for path in names_in(&folder)? {
                if path.extension() != Some(OsStr::new("json")) {
                    continue;
                }
                let bytes = match file::read_small(&path, RECORD_LIMIT) {
                    Ok(Some(bytes)) => bytes,
                    Ok(None) => continue,
                    Err(Error::Filesystem { source, .. }) if source.kind() == io::ErrorKind::IsADirectory => {
                        continue;
                    }
                    Err(error) => return Err(error),
                };
                let Ok(result) = serde_json::from_slice::<StepResult>(&bytes) else { continue };
                let plain = Descriptor::new(media_type::OCI_LAYER, result.layer.digest().clone(), 0);
                if !self.can_have_layer(&result.layer, result.blob.as_ref().unwrap_or(&plain), bad)? {
                    let below = path.strip_prefix(self.root()).unwrap_or(&path).to_owned();
                    let (fault, target) = (Fault::LayerGone(result.layer), Target::CacheRecord(path));
                    findings.push(Finding::leftover(below, fault, Remedy::Remove, target));
                }
            }
        }
        Ok(findings)
    }
}

impl Store {
    /// Images and indexes among the blobs that no index leads to, for when `index.json` is lost.
    pub(crate) fn images_without_index(&self) -> Result<Vec<Descriptor>> {
        let mut found: Vec<Descriptor> = Vec::new();
        let mut led_to: HashSet<Digest> = HashSet::new();
        for path in names_in(&self.path("blobs/sha256"))? {
            let Some(digest) = digest_of_name(Algorithm::Sha256, &path) else { continue };
            let Some(size) = self.blob_size(&digest)?.filter(|size| *size <= DOCUMENT_LIMIT) else {
                continue;
            };
            if !begins_as_document(&path) {
                continue;
            }
            let Ok(bytes) = self.read_blob(&digest, size) else { continue };
            let Ok(shape) = serde_json::from_slice::<Shape>(&bytes) else { continue };
            let guessed = match (&shape.manifests, &shape.config) {
                (Some(_), _) => media_type::OCI_INDEX,
                (None, Some(_)) => media_type::OCI_MANIFEST,
                (None, None) => continue,
            };
            led_to.extend(shape.manifests.into_iter().flatten().map(|child| child.digest));
            let media_type = shape.media_type.unwrap_or_else(|| guessed.to_owned());
            if media_type::is_index(&media_type) || media_type::is_manifest(&media_type) {
                found.push(Descriptor::new(&media_type, digest, size));
            }
        }
        found.retain(|image| !led_to.contains(&image.digest));
        Ok(found)
    }
}

/// What tells manifests and indexes from other documents.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Shape {
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    /// In manifests a descriptor; configs have something else there.
    #[serde(default, deserialize_with = "descriptor")]
    config: Option<Descriptor>,
}

fn descriptor<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<Descriptor>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// Large blobs are not read for one byte more than it takes.
fn begins_as_document(path: &Path) -> bool {
    let mut first = [0];
    let opened = std::fs::File::open(path);
    matches!(opened.and_then(|mut opened| opened.read(&mut first)), Ok(1)) && first[0] == b'{'
}
