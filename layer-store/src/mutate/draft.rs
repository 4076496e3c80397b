//! One image in the making: what can be changed of it.

use std::collections::BTreeMap;

use tug_oci::{BASE_DIGEST, BASE_NAME, Descriptor, DiffId, Digest, History, ImageConfig, Raw, media_type};

use super::history::{mark_squashed, settle_history};
use crate::error::{Error, Result};
use crate::image::Image;
use crate::image_form::docker_layer_type;
use crate::image_writer::oci_layer_type;
use crate::layer::Mountable;
use crate::store::Store;

/// An image that is being changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// How to run it, and how it was made. `rootfs.diff_ids` names the same layers as `layers`.
    pub config: ImageConfig,
    /// The blobs of its layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// The annotations of its manifest.
    pub annotations: BTreeMap<String, String>,
    /// Whether its documents are in docker's words.
    is_docker: bool,
}

impl Draft {
    /// The image as it is.
    pub fn of(image: &Image) -> Self {
        Self {
            config: (*image.config).clone(),
            layers: image.manifest.layers.clone(),
            annotations: image.manifest.annotations.clone(),
            is_docker: image.descriptor.media_type == media_type::DOCKER_MANIFEST,
        }
    }

    /// Puts a layer on top. `history` says how it came to be.
    pub fn append(&mut self, diff_id: DiffId, blob: Descriptor, history: History) {
        settle_history(&mut self.config);
        self.config.rootfs.diff_ids.push(diff_id);
        self.layers.push(blob);
        self.config.history.push(History { empty_layer: false, ..history });
    }

    /// Adds a line to the history that stands for no layer.
    pub fn note(&mut self, history: History) {
        settle_history(&mut self.config);
        self.config.history.push(History { empty_layer: true, ..history });
    }

    /// Puts a layer of the store on top.
    pub fn append_layer(&mut self, store: &Store, diff_id: &DiffId, history: History) -> Result<()> {
        let blob = store.layer_blob(diff_id)?.ok_or_else(|| Error::MissingLayer(diff_id.clone()))?;
        self.append(diff_id.clone(), blob, history);
        Ok(())
    }

    /// Makes one layer of all above the first `below`. Their blobs are fetched if need be, and read. Returns how many have
    /// become one; with one or none, nothing changes.
    ///
    /// What the annotations say of a base goes when its layers are among them.
    pub fn squash(&mut self, store: &Store, below: usize) -> Result<usize> {
        let count = self.config.rootfs.diff_ids.len().saturating_sub(below);
        if count < 2 {
            return Ok(count);
        }
        store.ensure_layers(self.config.rootfs.diff_ids.iter().zip(&self.layers), Mountable::Later)?;
        let layer = store.squash(&self.config.rootfs.diff_ids, below)?;
        let blob = store.layer_blob(layer.diff_id())?;
        let blob = blob.ok_or_else(|| Error::MissingLayer(layer.diff_id().clone()))?;
        settle_history(&mut self.config);
        self.config.rootfs.diff_ids.truncate(below);
        self.config.rootfs.diff_ids.push(layer.diff_id().clone());
        self.layers.truncate(below);
        self.layers.push(blob);
        mark_squashed(&mut self.config, count);
        if !self.has_whole_base(store, below) {
            self.annotations.retain(|key, _| !matches!(key.as_str(), BASE_NAME | BASE_DIGEST));
        }
        Ok(count)
    }

    /// The digest of the manifest of the base, as the annotations say it.
    pub fn base_digest(&self) -> Option<Digest> {
        self.annotations.get(BASE_DIGEST)?.parse().ok()
    }

    /// Whether all layers of the base that the annotations name are among the first `below`. What is not known is believed,
    /// unless there are no layers left that could be.
    fn has_whole_base(&self, store: &Store, below: usize) -> bool {
        let manifest = self.base_digest().map(|digest| Descriptor::new(media_type::OCI_MANIFEST, digest, 0));
        let base = manifest.and_then(|manifest| store.image(&manifest, &self.config.platform).ok());
        match base {
            Some(base) => base.diff_ids().len() <= below,
            None => below > 0,
        }
    }

    /// Writes the documents that are not as they were. A manifest of docker's that gets annotations or layers for which
    /// docker has no words is written in those of OCI.
    pub(super) fn write(mut self, store: &Store, before: &Image) -> Result<Image> {
        if self == Self::of(before) {
            return Ok(before.clone());
        }
        if self.layers.len() != self.config.rootfs.diff_ids.len() {
            return Err(Error::LayerCount {
                digest: before.descriptor.digest.clone(),
                layers: self.layers.len(),
                diff_ids: self.config.rootfs.diff_ids.len(),
            });
        }
        let new_annotations = self.annotations != before.manifest.annotations && !self.annotations.is_empty();
        let is_zstd = |layer: &Descriptor| layer.media_type == media_type::OCI_LAYER_ZSTD;
        let stays_docker = self.is_docker && !new_annotations && !self.layers.iter().any(is_zstd);
        for layer in &mut self.layers {
            layer.media_type = match stays_docker {
                true => docker_layer_type(&layer.media_type).to_owned(),
                false => oci_layer_type(&layer.media_type).to_owned(),
            };
        }
        let (own_type, config_type) = match stays_docker {
            true => (media_type::DOCKER_MANIFEST, media_type::DOCKER_CONFIG),
            false => (media_type::OCI_MANIFEST, media_type::OCI_CONFIG),
        };
        let config = match self.config == *before.config {
            true => before.config.clone(),
            false => Raw::encode(self.config),
        };
        let mut manifest = (*before.manifest).clone();
        manifest.config.media_type = config_type.to_owned();
        manifest.config.digest = config.digest().clone();
        manifest.config.size = config.size();
        manifest.layers = self.layers;
        manifest.annotations = self.annotations;
        if manifest.media_type.is_some() || before.descriptor.media_type != own_type {
            manifest.media_type = Some(own_type.to_owned());
        }
        let manifest = Raw::encode(manifest);
        store.write_documents(&[config.bytes(), manifest.bytes()])?;
        let mut descriptor = Descriptor::new(own_type, manifest.digest().clone(), manifest.size());
        descriptor.platform = Some(config.platform.clone());
        Ok(Image { descriptor, manifest, config })
    }
}
