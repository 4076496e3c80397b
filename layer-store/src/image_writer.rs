//! Writes images: a config, and a manifest that names the blobs of its layers.

use std::collections::BTreeMap;

use tug_oci::{Descriptor, DiffId, ImageConfig, Manifest, Raw, media_type};

use crate::error::{Error, Result};
use crate::image::Image;
use crate::store::Store;

impl Store {
    /// Writes the config and a manifest for it, and waits until the disk has them. The layers must be in the store;
    /// `config.rootfs.diff_ids` says which. The image has no name yet: see [`Store::tag`] and [`Store::keep`].
    ///
    /// A layer that came compressed is named as it came, so that nobody has to move it again; ours are plain tars.
    pub fn write_image(&self, config: ImageConfig, annotations: BTreeMap<String, String>) -> Result<Image> {
        let layers = self.layer_blobs(&config.rootfs.diff_ids)?;
        let config = Raw::encode(config);
        self.write_image_of(config, layers, annotations)
    }

    /// Writes a config as it came, and a manifest that names `layers`.
    pub(crate) fn write_image_of(
        &self,
        config: Raw<ImageConfig>,
        layers: Vec<Descriptor>,
        annotations: BTreeMap<String, String>,
    ) -> Result<Image> {
        let config_descriptor =
            Descriptor::new(media_type::OCI_CONFIG, config.digest().clone(), config.size());
        let mut manifest = Manifest::new(config_descriptor, layers);
        manifest.annotations = annotations;
        let manifest = Raw::encode(manifest);
        self.write_documents(&[config.bytes(), manifest.bytes()])?;
        let mut descriptor =
            Descriptor::new(media_type::OCI_MANIFEST, manifest.digest().clone(), manifest.size());
        descriptor.platform = Some(config.platform.clone());
        Ok(Image { descriptor, manifest, config })
    }

    /// The blob that each layer is kept in.
    fn layer_blobs(&self, diff_ids: &[DiffId]) -> Result<Vec<Descriptor>> {
        let mut known: Option<BTreeMap<DiffId, Descriptor>> = None;
        let mut blobs = Vec::with_capacity(diff_ids.len());
        for diff_id in diff_ids {
            if let Some(size) = self.blob_size(diff_id.digest())? {
                blobs.push(Descriptor::new(media_type::OCI_LAYER, diff_id.digest().clone(), size));
                continue;
            }
            if known.is_none() {
                known = Some(self.compressed_layers()?);
            }
            let found = known.as_ref().and_then(|known| known.get(diff_id)).cloned();
            blobs.push(found.ok_or_else(|| Error::MissingLayer(diff_id.clone()))?);
        }
        Ok(blobs)
    }

    /// The blobs of all layers of all images, by what they are when unpacked.
    fn compressed_layers(&self) -> Result<BTreeMap<DiffId, Descriptor>> {
        let mut blobs = BTreeMap::new();
        for (_, target) in self.roots()? {
            self.each_image(&target, &mut |image| {
                for (diff_id, blob) in image.layers() {
                    if matches!(self.has_blob(&blob.digest), Ok(true)) {
                        let plain =
                            Descriptor::new(oci_layer_type(&blob.media_type), blob.digest.clone(), blob.size);
                        blobs.insert(diff_id.clone(), plain);
                    }
                }
            })?;
        }
        Ok(blobs)
    }
}

/// What OCI calls a layer that docker calls otherwise.
pub(crate) fn oci_layer_type(media_type: &str) -> &str {
    match media_type {
        media_type::DOCKER_LAYER => media_type::OCI_LAYER,
        media_type::DOCKER_LAYER_GZIP => media_type::OCI_LAYER_GZIP,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use tug_oci::{Digest, Platform};

    use super::*;
    use crate::store::tests::store;

    fn config_of(layers: &[&DiffId]) -> ImageConfig {
        let mut config = ImageConfig::empty(Platform::linux("amd64"));
        config.rootfs.diff_ids = layers.iter().copied().cloned().collect();
        config
    }

    #[test]
    fn a_layer_of_ours_is_named_as_a_plain_tar() {
        let (_folder, store) = store();
        let layer = DiffId::new(store.write_blob(b"a tar").unwrap());
        let image = store.write_image(config_of(&[&layer]), BTreeMap::new()).unwrap();
        assert_eq!(
            image.manifest.layers,
            [Descriptor::new(media_type::OCI_LAYER, layer.digest().clone(), 5)]
        );
        assert_eq!(store.image(&image.descriptor, &Platform::host()).unwrap(), image);
    }

    #[test]
    fn a_layer_that_came_compressed_keeps_its_blob() {
        let (_folder, store) = store();
        let layer = DiffId::new(Digest::of(b"a tar"));
        let compressed = store.write_blob(b"squeezed").unwrap();
        let blob = Descriptor::new(media_type::DOCKER_LAYER_GZIP, compressed.clone(), 8);
        let base =
            store.write_image_of(Raw::encode(config_of(&[&layer])), vec![blob], BTreeMap::new()).unwrap();
        store.tag(&"base".parse().unwrap(), &base.descriptor).unwrap();
        let own = DiffId::new(store.write_blob(b"another tar").unwrap());
        let image = store.write_image(config_of(&[&layer, &own]), BTreeMap::new()).unwrap();
        assert_eq!(image.manifest.layers[0], Descriptor::new(media_type::OCI_LAYER_GZIP, compressed, 8));
        assert_eq!(image.manifest.layers[1].media_type, media_type::OCI_LAYER);
    }

    #[test]
    fn an_image_of_a_layer_that_is_nowhere_is_refused() {
        let (_folder, store) = store();
        let layer = DiffId::new(Digest::of(b"a tar"));
        let error = store.write_image(config_of(&[&layer]), BTreeMap::new()).unwrap_err();
        assert!(matches!(error, Error::MissingLayer(missing) if missing == layer));
    }

    #[test]
    fn an_image_that_is_there_is_not_written_again_unless_it_is_damaged() {
        let (_folder, store) = store();
        let write = || store.write_image(config_of(&[]), BTreeMap::new()).unwrap();
        let image = write();
        let path = store.blob_path(image.id());
        let inode = || std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(&path).unwrap());
        let before = inode();
        assert_eq!(write(), image);
        assert_eq!(inode(), before);
        std::fs::write(&path, "").unwrap();
        assert_eq!(write(), image);
        assert_eq!(store.image(&image.descriptor, &Platform::host()).unwrap(), image);
    }

    #[test]
    fn annotations_are_written_into_the_manifest() {
        let (_folder, store) = store();
        let annotations = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        let image = store.write_image(config_of(&[]), annotations.clone()).unwrap();
        assert_eq!(image.manifest.annotations, annotations);
    }
}
