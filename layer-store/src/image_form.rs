//! Other forms of an image: its layers compressed, its documents in docker's words, with annotations, in an index.
//!
//! | layer                        | `compression` given, `all_layers` not | `all_layers` given    |
//! | ---------------------------- | ------------------------------------- | --------------------- |
//! | kept as a plain tar          | compressed                            | compressed            |
//! | came compressed in this way  | as it came                            | as it came            |
//! | came compressed otherwise    | as it came                            | compressed anew       |
//!
//! The bytes depend on the layer, the format and the level, and not on the number of threads. What was compressed once is
//! remembered, so that a second output of the same image costs nothing.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::ops::Deref;

use tug_oci::{BASE_DIGEST, BASE_NAME, Descriptor, DiffId, Digest, Index, Raw, media_type};

use crate::chunked::{self, Annotations};
use crate::compression::BlockWriter;
use crate::error::{Error, Result};
use crate::file::Durability;
use crate::image::Image;
use crate::image_writer::oci_layer_type;
use crate::layer::Mountable;
use crate::store::Store;

/// What layers are compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerCompression {
    /// Nothing: plain tars.
    Plain,
    /// gzip, with a level from 1 (fast) to 12 (small).
    Gzip(i32),
    /// Zstandard, with a level from 1 (fast) to 19 (small).
    Zstd(i32),
    /// The same, with a list of what is in it, so that podman fetches only files that it does not have.
    ZstdChunked(i32),
}

impl LayerCompression {
    /// Whether a layer is to be compressed anew. What is no tar, such as an attestation, stays as it is.
    ///
    /// `all_layers` is for those that are compressed in another way; plain ones are compressed in any case.
    pub fn changes(self, layer: &Descriptor, all_layers: bool) -> bool {
        match oci_layer_type(&layer.media_type) {
            media_type::OCI_LAYER => self != Self::Plain,
            known @ (media_type::OCI_LAYER_GZIP | media_type::OCI_LAYER_ZSTD) => {
                all_layers && (known != self.media_type() || !self.is_told_by(layer))
            }
            _ => false,
        }
    }

    /// Whether the annotations of a layer say what its media type does not.
    fn is_told_by(self, layer: &Descriptor) -> bool {
        !matches!(self, Self::ZstdChunked(_)) || chunked::is_chunked(&layer.annotations)
    }

    /// What OCI calls a layer that is compressed so.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Plain => media_type::OCI_LAYER,
            Self::Gzip(_) => media_type::OCI_LAYER_GZIP,
            Self::Zstd(_) | Self::ZstdChunked(_) => media_type::OCI_LAYER_ZSTD,
        }
    }
}

/// Whose media types the documents of an image have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MediaTypes {
    /// Those of the image specification.
    #[default]
    Oci,
    /// Those of docker's older format, which has none for Zstandard.
    Docker,
}

/// In which form an image is written. By default: as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageForm {
    /// What layers are compressed with; without it they stay as they are kept.
    pub compression: Option<LayerCompression>,
    /// Whether layers that came compressed in another way are compressed anew.
    pub all_layers: bool,
    /// Whose words the documents use.
    pub media_types: MediaTypes,
    /// Annotations that are added to the manifest.
    pub annotations: BTreeMap<String, String>,
}

impl Store {
    /// The same image in another form. It is put into the store without a name; where nothing differs, it is the
    /// image itself.
    pub fn image_in_form(&self, image: &Image, form: &ImageForm) -> Result<Image> {
        let layers = image.layers().map(|(diff_id, blob)| self.layer_in_form(diff_id, blob, form));
        let layers = layers.collect::<Result<Vec<_>>>()?;
        let (manifest_type, config_type) = match form.media_types {
            MediaTypes::Oci => (media_type::OCI_MANIFEST, media_type::OCI_CONFIG),
            MediaTypes::Docker => (media_type::DOCKER_MANIFEST, media_type::DOCKER_CONFIG),
        };
        let mut manifest = image.manifest.deref().clone();
        manifest.layers = layers;
        manifest.config.media_type = config_type.to_owned();
        // Documents of the first version of the specification do not say what they are.
        if manifest.media_type.is_some() || form.media_types == MediaTypes::Docker {
            manifest.media_type = Some(manifest_type.to_owned());
        }
        if form.media_types == MediaTypes::Docker {
            // Docker's manifests have none, so only those are in them that somebody asked for.
            manifest.annotations.retain(|key, _| !matches!(key.as_str(), BASE_NAME | BASE_DIGEST));
        }
        manifest.annotations.extend(form.annotations.clone());
        if manifest == *image.manifest {
            return Ok(image.clone());
        }
        let manifest = Raw::encode(manifest);
        self.write_documents(&[manifest.bytes()])?;
        let mut descriptor = Descriptor::new(manifest_type, manifest.digest().clone(), manifest.size());
        descriptor.platform = Some(image.config.platform.clone());
        Ok(Image { descriptor, manifest, config: image.config.clone() })
    }

    /// Writes an index of images, in the order given. It is put into the store without a name.
    pub fn write_index(
        &self,
        images: Vec<Descriptor>,
        annotations: BTreeMap<String, String>,
        media_types: MediaTypes,
    ) -> Result<Descriptor> {
        let own_type = match media_types {
            MediaTypes::Oci => media_type::OCI_INDEX,
            MediaTypes::Docker => media_type::DOCKER_LIST,
        };
        let mut index = Index::new(images);
        index.media_type = Some(own_type.to_owned());
        index.annotations = annotations;
        let index = Raw::encode(index);
        self.write_documents(&[index.bytes()])?;
        Ok(Descriptor::new(own_type, index.digest().clone(), index.size()))
    }

    fn layer_in_form(&self, diff_id: &DiffId, blob: &Descriptor, form: &ImageForm) -> Result<Descriptor> {
        let mut layer = match form.compression {
            Some(wanted) if wanted.changes(blob, form.all_layers) => {
                let mut made = self.compressed(diff_id, blob, wanted)?;
                let kept = blob.annotations.iter().filter(|(key, _)| !is_about_bytes(key));
                for (key, value) in kept {
                    made.annotations.entry(key.clone()).or_insert_with(|| value.clone());
                }
                made
            }
            _ => blob.clone(),
        };
        layer.media_type = match form.media_types {
            MediaTypes::Oci => oci_layer_type(&layer.media_type).to_owned(),
            MediaTypes::Docker => docker_layer_type(&layer.media_type).to_owned(),
        };
        Ok(layer)
    }

    /// The layer in the wanted form, which is made unless it is known.
    pub(crate) fn compressed(
        &self,
        diff_id: &DiffId,
        blob: &Descriptor,
        wanted: LayerCompression,
    ) -> Result<Descriptor> {
        if let Some(known) = self.known_form(diff_id, blob, wanted)? {
            return Ok(known);
        }
        self.ensure_layers([(diff_id, blob)], Mountable::Later)?;
        let out = self.blob_writer(Durability::Deferred)?;
        let (out, annotations) = self.write_form(diff_id, wanted, out)?;
        self.remember_form(diff_id, wanted, out.finish()?, annotations)
    }

    /// The blob of a layer in the wanted form, if there is one: the one that it has, or one that was made before.
    pub fn known_form(
        &self,
        diff_id: &DiffId,
        blob: &Descriptor,
        wanted: LayerCompression,
    ) -> Result<Option<Descriptor>> {
        match oci_layer_type(&blob.media_type) == wanted.media_type() && wanted.is_told_by(blob) {
            true => Ok(Some(blob.clone())),
            false => self.remembered_form(&form_key(diff_id, wanted)),
        }
    }

    /// Writes a layer in the wanted form. Returns the annotations that belong to it, too.
    pub(crate) fn write_form<W: Write>(
        &self,
        diff_id: &DiffId,
        wanted: LayerCompression,
        out: W,
    ) -> Result<(W, Annotations)> {
        let tar = self.layer_tar(diff_id)?;
        let out = match wanted {
            LayerCompression::Plain => self.copy(tar, out)?,
            LayerCompression::Gzip(level) => {
                self.copy(tar, BlockWriter::gzip(out, level))?.finish().map_err(unwritable)?
            }
            LayerCompression::Zstd(level) => {
                self.copy(tar, BlockWriter::zstd(out, level))?.finish().map_err(unwritable)?
            }
            LayerCompression::ZstdChunked(level) => {
                return chunked::write(tar, level, out, &|| self.go_on());
            }
        };
        Ok((out, Annotations::new()))
    }

    /// Remembers the blob that a layer has in the wanted form.
    pub(crate) fn remember_form(
        &self,
        diff_id: &DiffId,
        wanted: LayerCompression,
        (digest, size): (Digest, u64),
        annotations: Annotations,
    ) -> Result<Descriptor> {
        let made = Descriptor { annotations, ..Descriptor::new(wanted.media_type(), digest, size) };
        let record = serde_json::to_vec(&made).expect("a descriptor has string keys and no failing parts");
        self.put_cache_record(&form_key(diff_id, wanted), &record)?;
        Ok(made)
    }

    fn remembered_form(&self, key: &Digest) -> Result<Option<Descriptor>> {
        let record = self.cache_record(key)?;
        let known = record.and_then(|bytes| serde_json::from_slice::<Descriptor>(&bytes).ok());
        match known {
            Some(known) if self.blob_size(&known.digest)? == Some(known.size) => Ok(Some(known)),
            _ => Ok(None),
        }
    }

    fn copy<W: Write>(&self, mut from: impl Read, mut to: W) -> Result<W> {
        let mut buffer = vec![0; 256 * 1024];
        loop {
            self.go_on()?;
            match from.read(&mut buffer) {
                Ok(0) => return Ok(to),
                Ok(count) => to.write_all(&buffer[..count]).map_err(unwritable)?,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::Stream { action: "read a layer", source }),
            }
        }
    }
}

/// One that is compressed with another level, or by another version of this program, is another blob.
fn form_key(diff_id: &DiffId, wanted: LayerCompression) -> Digest {
    Digest::of(format!("layer in form 1 {wanted:?} {diff_id}").as_bytes())
}

fn unwritable(source: std::io::Error) -> Error {
    Error::Stream { action: "write a layer", source }
}

/// Whether an annotation of a layer says how its blob is made up, and so nothing about another blob of the same layer.
fn is_about_bytes(key: &str) -> bool {
    const ABOUT_BYTES: [&str; 4] = [
        "io.github.containers.zstd-chunked.",
        "containerd.io/snapshot/stargz/",
        "io.containers.estargz.",
        "io.containers.zstd-chunked.",
    ];
    ABOUT_BYTES.iter().any(|prefix| key.starts_with(prefix))
}

/// What docker calls a layer that OCI calls otherwise.
pub(crate) fn docker_layer_type(media_type: &str) -> &str {
    match media_type {
        media_type::OCI_LAYER => media_type::DOCKER_LAYER,
        media_type::OCI_LAYER_GZIP => media_type::DOCKER_LAYER_GZIP,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use tug_oci::{ImageConfig, Platform};

    use super::*;
    use crate::compression::{Compression, Decompressed, DecompressionLimits};
    use crate::entry::NewEntry;
    use crate::image::DOCUMENT_LIMIT;
    use crate::layer::LayerWriterOptions;
    use crate::store::tests::store;

    /// An image with a layer that came as gzip and one that was made here.
    fn image(store: &Store) -> Image {
        let mut base = crate::tar::TarWriter::new(BlockWriter::gzip(Vec::new(), 1));
        base.header(&NewEntry::directory("base", 0o755)).unwrap();
        let base = base.finish().unwrap().finish().unwrap();
        let base = store.import_layer(&mut base.as_slice(), &crate::ImportLayer::default()).unwrap();
        let mut own = store.layer_writer(&LayerWriterOptions::default()).unwrap();
        own.add(&NewEntry::file("own", 0o644, 100_000), Some(&mut std::io::repeat(7).take(100_000))).unwrap();
        let own = own.finish().unwrap();
        let mut config = ImageConfig::empty(Platform::linux("amd64"));
        config.rootfs.diff_ids = vec![base.diff_id().clone(), own.diff_id().clone()];
        store.write_image(config, BTreeMap::from([("a".to_owned(), "1".to_owned())])).unwrap()
    }

    fn types(image: &Image) -> Vec<&str> {
        image
            .manifest
            .layers
            .iter()
            .map(|layer| layer.media_type.rsplit_once('.').map_or("", |(_, kind)| kind))
            .collect()
    }

    fn content(store: &Store, layer: &Descriptor) -> (Compression, Digest) {
        let bytes = store.read_blob(&layer.digest, DOCUMENT_LIMIT).unwrap();
        assert_eq!(bytes.len() as u64, layer.size);
        let mut plain = Vec::new();
        let mut reader = Decompressed::new(bytes.as_slice(), DecompressionLimits::default()).unwrap();
        reader.read_to_end(&mut plain).unwrap();
        (reader.compression(), Digest::of(&plain))
    }

    #[test]
    fn the_form_of_an_image_that_is_right_already_is_the_image() {
        let (_folder, store) = store();
        let image = image(&store);
        assert_eq!(store.image_in_form(&image, &ImageForm::default()).unwrap(), image);
        assert_eq!(types(&image), ["tar+gzip", "tar"]);
    }

    #[test]
    fn new_layers_are_compressed_and_old_ones_only_when_all_are() {
        let (_folder, store) = store();
        let image = image(&store);
        let form = |compression, all_layers| {
            let form = ImageForm { compression: Some(compression), all_layers, ..ImageForm::default() };
            store.image_in_form(&image, &form).unwrap()
        };
        for (compression, all_layers, expected) in [
            (LayerCompression::Gzip(6), false, [Compression::Gzip, Compression::Gzip]),
            (LayerCompression::Zstd(3), false, [Compression::Gzip, Compression::Zstd]),
            (LayerCompression::Zstd(3), true, [Compression::Zstd, Compression::Zstd]),
            (LayerCompression::Plain, false, [Compression::Gzip, Compression::Plain]),
            (LayerCompression::Plain, true, [Compression::Plain, Compression::Plain]),
        ] {
            let other = form(compression, all_layers);
            assert_eq!(other.id(), image.id(), "the config does not know how layers travel");
            for ((diff_id, layer), expected) in other.layers().zip(expected) {
                let found = content(&store, layer);
                assert_eq!(found, (expected, diff_id.digest().clone()), "{compression:?} {all_layers}");
            }
            assert_eq!(form(compression, all_layers), other, "the second time");
            assert_eq!(store.image(&other.descriptor, &Platform::linux("amd64")).unwrap(), other);
        }
        assert_ne!(
            form(LayerCompression::Gzip(1), false).manifest.layers[1].digest,
            form(LayerCompression::Gzip(12), false).manifest.layers[1].digest
        );
    }

    #[test]
    fn a_compressed_layer_that_got_lost_is_made_again() {
        let (_folder, store) = store();
        let image = image(&store);
        let form = ImageForm { compression: Some(LayerCompression::Zstd(3)), ..ImageForm::default() };
        let first = store.image_in_form(&image, &form).unwrap();
        std::fs::remove_file(store.blob_path(&first.manifest.layers[1].digest)).unwrap();
        assert_eq!(store.image_in_form(&image, &form).unwrap(), first);
        assert!(store.has_blob(&first.manifest.layers[1].digest).unwrap());
    }

    #[test]
    fn documents_may_be_in_dockers_words_and_carry_annotations() {
        let (_folder, store) = store();
        let annotations = BTreeMap::from([("b".to_owned(), "2".to_owned())]);
        let form = ImageForm { media_types: MediaTypes::Docker, annotations, ..ImageForm::default() };
        let docker = store.image_in_form(&image(&store), &form).unwrap();
        assert_eq!(docker.descriptor.media_type, media_type::DOCKER_MANIFEST);
        assert_eq!(docker.manifest.media_type.as_deref(), Some(media_type::DOCKER_MANIFEST));
        assert_eq!(docker.manifest.config.media_type, media_type::DOCKER_CONFIG);
        assert_eq!(types(&docker), ["gzip", "tar"]);
        assert_eq!(docker.manifest.annotations.len(), 2);
        let found = store.image(&docker.descriptor, &Platform::linux("amd64")).unwrap();
        assert_eq!(found, docker);
    }

    #[test]
    fn an_index_has_its_images_in_order() {
        let (_folder, store) = store();
        let image = image(&store);
        let mut other = image.descriptor.clone();
        other.platform = Some(Platform::linux("arm64"));
        for media_types in [MediaTypes::Oci, MediaTypes::Docker] {
            let children = vec![other.clone(), image.descriptor.clone()];
            let index = store.write_index(children.clone(), BTreeMap::new(), media_types).unwrap();
            let read: Raw<Index> = store.document(&index).unwrap();
            assert_eq!(read.manifests, children);
            assert_eq!(read.media_type.as_deref(), Some(index.media_type.as_str()));
        }
    }
}
