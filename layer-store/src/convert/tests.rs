use std::collections::BTreeMap;

use tug_oci::{DiffId, ImageConfig, Platform};

use super::*;
use crate::compression::BlockWriter;
use crate::entry::NewEntry;
use crate::layer::{ImportLayer, LayerWriterOptions};
use crate::store::tests::store;

/// An image for `architecture` with a layer that came as gzip and one that was made here.
fn image(store: &Store, architecture: &str) -> Image {
    let mut came = crate::tar::TarWriter::new(BlockWriter::gzip(Vec::new(), 1));
    came.header(&NewEntry::directory("base", 0o755)).unwrap();
    let came = came.finish().unwrap().finish().unwrap();
    let came = store.import_layer(&mut came.as_slice(), &ImportLayer::default()).unwrap();
    let mut own = store.layer_writer(&LayerWriterOptions::default()).unwrap();
    own.add(&NewEntry::directory(architecture, 0o755), None).unwrap();
    let own = own.finish().unwrap();
    let mut config = ImageConfig::empty(Platform::linux(architecture));
    config.rootfs.diff_ids = vec![came.diff_id().clone(), own.diff_id().clone()];
    store.write_image(config, BTreeMap::from([("a".to_owned(), "1".to_owned())])).unwrap()
}

/// What BuildKit adds to an index about an image.
fn attestation(store: &Store, about: &Descriptor) -> Descriptor {
    let statement = store.write_blob(b"{}").unwrap();
    let mut config = ImageConfig::empty(Platform::linux("unknown"));
    config.rootfs.diff_ids = vec![DiffId::new(statement.clone())];
    let config = Raw::encode(config);
    store.write_blob(config.bytes()).unwrap();
    let layer = Descriptor::new("application/vnd.in-toto+json", statement, 2);
    let config = Descriptor::new(media_type::OCI_CONFIG, config.digest().clone(), config.size());
    let manifest = Raw::encode(Manifest::new(config, vec![layer]));
    store.write_blob(manifest.bytes()).unwrap();
    let mut made = Descriptor::new(media_type::OCI_MANIFEST, manifest.digest().clone(), manifest.size());
    made.annotations.insert("vnd.docker.reference.digest".to_owned(), about.digest.to_string());
    made
}

fn zstd() -> Conversion {
    Conversion { compression: Some(LayerCompression::Zstd(1)), media_types: None }
}

fn images_of(store: &Store, index: &Descriptor) -> Index {
    store.document::<Index>(index).unwrap().into_value()
}

#[test]
fn every_image_of_an_index_is_converted_and_nothing_else() {
    let (_folder, store) = store();
    let images = ["amd64", "arm64"].map(|architecture| image(&store, architecture));
    let about = attestation(&store, &images[0].descriptor);
    let mut children: Vec<Descriptor> = images.iter().map(|image| image.descriptor.clone()).collect();
    children.push(about.clone());
    let annotations = BTreeMap::from([("b".to_owned(), "2".to_owned())]);
    let index = store.write_index(children, annotations.clone(), MediaTypes::Oci).unwrap();
    let made = store.convert(&index, &zstd()).unwrap();
    let after = images_of(&store, &made);
    assert_eq!(after.annotations, annotations);
    for (image, child) in images.iter().zip(&after.manifests) {
        let converted = store.image(child, &image.config.platform).unwrap();
        assert_eq!(converted.id(), image.id());
        assert_eq!(converted.manifest.annotations, image.manifest.annotations);
        assert_eq!(child.platform, image.descriptor.platform);
        assert!(converted.manifest.layers.iter().all(|layer| layer.media_type == media_type::OCI_LAYER_ZSTD));
    }
    let kept = &after.manifests[2];
    assert_eq!(kept.digest, about.digest);
    assert_eq!(
        kept.annotations["vnd.docker.reference.digest"],
        after.manifests[0].digest.to_string(),
        "it is about the image as it is now"
    );
    assert_eq!(store.convert(&made, &zstd()).unwrap(), made, "the second time nothing is left to do");
    assert_eq!(store.convert(&index, &Conversion::default()).unwrap(), index);
}

#[test]
fn words_are_changed_where_asked_and_only_where_there_are_some() {
    let (_folder, store) = store();
    let oci = image(&store, "amd64").descriptor;
    let docker = Conversion { media_types: Some(MediaTypes::Docker), ..Conversion::default() };
    let made = store.convert(&oci, &docker).unwrap();
    assert_eq!(made.media_type, media_type::DOCKER_MANIFEST);
    let back = Conversion { media_types: Some(MediaTypes::Oci), ..Conversion::default() };
    assert_eq!(store.convert(&made, &back).unwrap().digest, oci.digest);
    let error = store.convert(&oci, &Conversion { compression: zstd().compression, ..docker }).unwrap_err();
    assert!(matches!(error, Error::NoMediaType { .. }) && error.hint().is_some(), "{error}");
    // Nobody asked for docker's words to stay.
    assert_eq!(store.convert(&made, &zstd()).unwrap().media_type, media_type::OCI_MANIFEST);
    let gzip = Conversion { compression: Some(LayerCompression::Gzip(6)), media_types: None };
    assert_eq!(store.convert(&made, &gzip).unwrap().media_type, media_type::DOCKER_MANIFEST);
    let list = store.write_index(vec![made], BTreeMap::new(), MediaTypes::Docker).unwrap();
    assert_eq!(store.convert(&list, &gzip).unwrap().media_type, media_type::DOCKER_LIST);
    assert_eq!(store.convert(&list, &zstd()).unwrap().media_type, media_type::OCI_INDEX);
}

#[test]
fn what_an_image_is_attached_to_and_what_layers_say_stays() {
    let (_folder, store) = store();
    let image = image(&store, "amd64");
    let mut manifest = (*image.manifest).clone();
    manifest.subject = Some(image.descriptor.clone());
    for (key, value) in [("own", "kept"), ("io.github.containers.zstd-chunked.manifest-checksum", "stale")] {
        manifest.layers[0].annotations.insert(key.to_owned(), value.to_owned());
    }
    let manifest = Raw::encode(manifest);
    store.write_blob(manifest.bytes()).unwrap();
    let attached = Descriptor::new(media_type::OCI_MANIFEST, manifest.digest().clone(), manifest.size());
    let made = store.convert(&attached, &zstd()).unwrap();
    let after: Raw<Manifest> = store.document(&made).unwrap();
    assert_eq!(after.subject, Some(image.descriptor));
    assert_eq!(after.layers[0].annotations, BTreeMap::from([("own".to_owned(), "kept".to_owned())]));
}

#[test]
fn an_index_that_is_not_whole_is_told_and_nothing_is_made() {
    let (_folder, store) = store();
    let here = image(&store, "amd64").descriptor;
    let away = Descriptor::new(media_type::OCI_MANIFEST, Digest::of(b"away"), 4);
    let index = store.write_index(vec![here, away], BTreeMap::new(), MediaTypes::Oci).unwrap();
    assert!(matches!(store.convert(&index, &zstd()), Err(Error::MissingBlob { .. })));
}
