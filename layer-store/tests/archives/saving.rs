//! What is saved is deterministic, minimal, and can be loaded.

use tug_layer_store::{ArchiveCompression, ArchiveFormat, Error, LoadOptions, SaveImage, SaveOptions};
use tug_oci::{Digest, Manifest, Raw, media_type};

use crate::making::*;

#[test]
fn what_is_saved_is_the_same_each_time_and_can_be_loaded() {
    let (_folder, store) = store();
    let (shared, own) = (layer("shared"), layer("own"));
    for (name, layers) in [("one", vec![&shared]), ("two", vec![&shared, &own])] {
        let config = config(&layers.iter().map(|layer| layer.as_slice()).collect::<Vec<_>>());
        for layer in layers {
            store.write_blob(layer).unwrap();
        }
        let image = store.write_image(config.into_value(), Default::default()).unwrap();
        store.tag(&name.parse().unwrap(), &image.descriptor).unwrap();
    }
    let images: Vec<SaveImage> = store
        .refs()
        .unwrap()
        .into_iter()
        .map(|(name, target)| SaveImage { target, names: vec![name], written: None })
        .collect();
    for format in [ArchiveFormat::Docker, ArchiveFormat::Oci] {
        for compression in [ArchiveCompression::Plain, ArchiveCompression::Gzip, ArchiveCompression::Zstd] {
            let options = SaveOptions { format, compression, platform: amd64() };
            let (mut first, mut second) = (Vec::new(), Vec::new());
            store.save(&images, &options, &mut first).unwrap();
            store.save(&images, &options, &mut second).unwrap();
            assert!(first == second, "{format:?} {compression:?} differs");
            let (_folder, other) = self::store();
            assert_eq!(load(&other, &first).unwrap().len(), 2);
            assert_eq!(other.refs().unwrap(), store.refs().unwrap());
            assert_eq!(diff_ids_of(&other, "two"), [Digest::of(&shared), Digest::of(&own)]);
            if compression == ArchiveCompression::Plain {
                let copies = first.windows(shared.len()).filter(|window| *window == shared).count();
                assert_eq!(copies, 1, "a shared layer is written once");
            }
        }
    }
}

#[test]
fn a_layout_folder_is_written_merged_and_loaded() {
    let (folder, store) = store();
    let plain = layer("layer");
    store.write_blob(&plain).unwrap();
    let image = store.write_image(config(&[&plain]).into_value(), Default::default()).unwrap();
    let save = |names: &[&str]| SaveImage {
        target: image.descriptor.clone(),
        names: names.iter().map(|name| name.parse().unwrap()).collect(),
        written: None,
    };
    let path = folder.path().join("layout");
    store.save_layout(&[save(&["a", "b"])], &amd64(), &path).unwrap();
    store.save_layout(&[save(&["b", "c"]), save(&[])], &amd64(), &path).unwrap();
    let (_folder, other) = self::store();
    other.load_path(&path, &options()).unwrap();
    let names: Vec<String> = other.refs().unwrap().iter().map(|(name, _)| name.familiar()).collect();
    assert_eq!(names, ["a:latest", "b:latest", "c:latest"]);
    assert_eq!(diff_ids_of(&other, "c"), [Digest::of(&plain)]);

    let written = SaveImage { written: Some("d".to_owned()), ..save(&["d"]) };
    store.save_layout(&[written], &amd64(), &path).unwrap();
    let text = std::fs::read_to_string(path.join("index.json")).unwrap();
    assert!(text.contains(r#""org.opencontainers.image.ref.name":"d""#), "{text}");
    assert!(text.contains(r#""io.containerd.image.name":"docker.io/library/d:latest""#), "{text}");
    assert!(text.contains(r#""org.opencontainers.image.ref.name":"c:latest""#), "{text}");
    other.load_path(&path, &LoadOptions { only: Some("d:latest".to_owned()), ..options() }).unwrap();
    assert!(other.resolve(&"d".parse().unwrap()).unwrap().is_some());

    let occupied = folder.path().join("occupied");
    std::fs::create_dir(&occupied).unwrap();
    std::fs::write(occupied.join("thesis.tex"), "").unwrap();
    let error = store.save_layout(&[save(&["a"])], &amd64(), &occupied).unwrap_err();
    assert!(error.to_string().contains("is not an image layout, and not empty"), "{error}");
}

#[test]
fn a_docker_archive_has_only_layers_that_every_docker_reads() {
    let (_folder, store) = store();
    let (old, new) = (layer("old"), layer("new"));
    let (old_blob, new_blob) = (gzip(&old), zstd(&new));
    let config = config(&[&old, &new]);
    let manifest = Raw::encode(Manifest::new(
        describe(media_type::OCI_CONFIG, config.bytes()),
        vec![
            describe(media_type::OCI_LAYER_GZIP, &old_blob),
            describe(media_type::OCI_LAYER_ZSTD, &new_blob),
        ],
    ));
    let target = describe(media_type::OCI_MANIFEST, manifest.bytes());
    let archive = Archive::new()
        .file("index.json", &index(&target))
        .blob(manifest.bytes())
        .blob(config.bytes())
        .blob(&old_blob)
        .blob(&new_blob)
        .finish();
    load(&store, &archive).unwrap();
    let image = SaveImage { target, names: vec!["app:2".parse().unwrap()], written: None };
    let mut saved = Vec::new();
    let options = SaveOptions {
        format: ArchiveFormat::Docker,
        compression: ArchiveCompression::Plain,
        platform: amd64(),
    };
    store.save(&[image], &options, &mut saved).unwrap();
    let (_folder, other) = self::store();
    load(&other, &saved).unwrap();
    let image = other.find_image("app:2", &amd64()).unwrap().unwrap();
    assert_eq!(image.id(), config.digest(), "the image id stays");
    let layers: Vec<&Digest> = image.manifest.layers.iter().map(|layer| &layer.digest).collect();
    assert_eq!(layers, [&Digest::of(&old_blob), &Digest::of(&new)]);
}

#[test]
fn a_damaged_blob_in_the_store_is_not_saved_as_if_it_were_good() {
    let (_folder, store) = store();
    let plain = layer("layer");
    let digest = store.write_blob(&plain).unwrap();
    let image = store.write_image(config(&[&plain]).into_value(), Default::default()).unwrap();
    let path = store.root().join("blobs/sha256").join(digest.hex());
    let options = SaveOptions {
        format: ArchiveFormat::Docker,
        compression: ArchiveCompression::Plain,
        platform: amd64(),
    };
    let save = || {
        let images = [SaveImage { target: image.descriptor.clone(), names: Vec::new(), written: None }];
        store.save(&images, &options, &mut std::io::sink())
    };
    save().unwrap();
    std::fs::write(&path, vec![0; plain.len()]).unwrap();
    assert!(matches!(save(), Err(Error::BlobDamaged { digest: damaged }) if damaged == digest));
    std::fs::write(&path, "short").unwrap();
    assert!(matches!(save(), Err(Error::BlobDamaged { .. })));
    std::fs::remove_file(&path).unwrap();
    let error = save().unwrap_err();
    assert!(error.to_string().starts_with("layer 1 of 1 `sha256:"), "{error}");
}

#[test]
fn a_full_disk_is_reported_as_such() {
    let (_folder, store) = store();
    let plain = vec![7; 8 << 20];
    store.write_blob(&plain).unwrap();
    let image = store.write_image(config(&[&plain]).into_value(), Default::default()).unwrap();
    let images = [SaveImage { target: image.descriptor, names: Vec::new(), written: None }];
    for compression in [ArchiveCompression::Plain, ArchiveCompression::Gzip] {
        let options = SaveOptions { format: ArchiveFormat::Docker, compression, platform: amd64() };
        let mut full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let error = store.save(&images, &options, &mut full).unwrap_err();
        assert!(error.is_disk_full() && error.hint().unwrap().contains("free some space"), "{error}");
    }
}
