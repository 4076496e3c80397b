//! Writes images: a config, and a manifest that names the blobs of its layers.

use std::collections::BTreeMap;

use tug_oci::{Descriptor, DiffId, ImageConfig, Manifest, Raw, media_type};

use crate::error::{Error, Result};
use crate::image::Image;
use crate::layer::Record;
use crate::second::Root;
use crate::store::Store;

impl Store {
    /// Writes the config and a manifest for it, and waits until the disk has them. The layers must be in the store;
    /// `config.rootfs.diff_ids` says which. The image has no name yet: see [`Store::tag`] and [`Store::keep`].
    ///
    /// A layer that came compressed is named as it came, so that nobody has to move it again; ours are plain tars.
    pub fn write_image(&self, config: ImageConfig, annotations: BTreeMap<String, String>) -> Result<Image> {
        self.write_image_with(config, annotations, &|_| None)
    }

    /// The same for layers of which some are not in the store: `elsewhere` says as which blobs they can be fetched.
    pub fn write_image_with(
        &self,
        config: ImageConfig,
        annotations: BTreeMap<String, String>,
        elsewhere: &dyn Fn(&DiffId) -> Option<Descriptor>,
    ) -> Result<Image> {
        let layers = self.layer_blobs(&config.rootfs.diff_ids, elsewhere)?;
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
    fn layer_blobs(
        &self,
        diff_ids: &[DiffId],
        elsewhere: &dyn Fn(&DiffId) -> Option<Descriptor>,
    ) -> Result<Vec<Descriptor>> {
        let mut of_images: Option<BTreeMap<DiffId, Descriptor>> = None;
        let mut blobs = Vec::with_capacity(diff_ids.len());
        for diff_id in diff_ids {
            let known = match self.known_blob(diff_id)? {
                Some(blob) => Some(blob),
                None => elsewhere(diff_id).map(|blob| in_oci_words(&blob)),
            };
            if let Some(blob) = known {
                blobs.push(blob);
                continue;
            }
            if of_images.is_none() {
                of_images = Some(self.pinning(|store, found| {
                    let known = store.layers_of_images()?;
                    let needed = diff_ids.iter().filter_map(|diff_id| known.get(diff_id));
                    found.extend(needed.map(|blob| blob.digest.clone()));
                    Ok(known)
                })?);
            }
            let found = of_images.as_ref().and_then(|known| known.get(diff_id)).cloned();
            blobs.push(found.ok_or_else(|| Error::MissingLayer(diff_id.clone()))?);
        }
        Ok(blobs)
    }

    /// The blob in which a layer is kept: as it came, else its plain tar. `None` when the store has neither.
    pub fn layer_blob(&self, diff_id: &DiffId) -> Result<Option<Descriptor>> {
        self.known_blob(diff_id)
    }

    /// What the record of the layer says, else its plain tar.
    fn known_blob(&self, diff_id: &DiffId) -> Result<Option<Descriptor>> {
        let record = match Record::read(&self.layer_folder(diff_id))? {
            None => self.elsewhere(|other| Record::read(&other.layer_folder(diff_id)))?,
            found => found,
        };
        if let Some(blob) = record.and_then(|record| record.blob)
            && self.has_blob(&blob.digest)?
        {
            return Ok(Some(in_oci_words(&blob)));
        }
        let size = self.blob_size(diff_id.digest())?;
        Ok(size.map(|size| Descriptor::new(media_type::OCI_LAYER, diff_id.digest().clone(), size)))
    }

    /// The blobs of all layers of all images, by what they are when unpacked. Those that are not here count where it is
    /// known who has them.
    fn layers_of_images(&self) -> Result<BTreeMap<DiffId, Descriptor>> {
        let mut blobs = BTreeMap::new();
        let seen = self.seen_elsewhere()?;
        for Root { target, .. } in self.all_roots()? {
            self.each_image(&target, &mut |image| {
                for (diff_id, blob) in image.layers() {
                    let is_here = matches!(self.has_blob(&blob.digest), Ok(true));
                    if is_here {
                        blobs.insert(diff_id.clone(), in_oci_words(blob));
                    } else if seen.contains(&blob.digest) {
                        blobs.entry(diff_id.clone()).or_insert_with(|| in_oci_words(blob));
                    }
                }
            })?;
        }
        Ok(blobs)
    }
}

fn in_oci_words(blob: &Descriptor) -> Descriptor {
    Descriptor::new(oci_layer_type(&blob.media_type), blob.digest.clone(), blob.size)
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
    fn a_layer_that_was_imported_compressed_is_named_as_it_came() {
        use std::io::Write;
        let (_folder, store) = store();
        let mut tar = crate::tar::TarWriter::new(crate::BlockWriter::gzip(Vec::new(), 1));
        tar.header(&crate::NewEntry::directory("etc", 0o755)).unwrap();
        let mut gzip = tar.finish().unwrap();
        gzip.flush().unwrap();
        let compressed = gzip.finish().unwrap();
        for keep_plain_tar in [false, true] {
            let options = crate::ImportLayer { keep_plain_tar, ..Default::default() };
            let layer = store.import_layer(&mut compressed.as_slice(), &options).unwrap();
            let image = store.write_image(config_of(&[layer.diff_id()]), BTreeMap::new()).unwrap();
            let blob =
                Descriptor::new(media_type::OCI_LAYER_GZIP, Digest::of(&compressed), compressed.len() as u64);
            assert_eq!(image.manifest.layers, [blob]);
        }
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
