//! Archives of images: every form is loaded, what is saved can be loaded, and what is wrong is refused without a trace.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

use std::io::{Read, Write};
use std::path::Path;

use proptest::prelude::*;
use tug_layer_store::tar::TarWriter;
use tug_layer_store::{
    ArchiveCompression, ArchiveFormat, BlockWriter, Error, LoadOptions, Loaded, NewEntry, Owners, SaveImage,
    SaveOptions, Store, StoreOptions,
};
use tug_oci::{
    Descriptor, DiffId, Digest, ImageConfig, Index, Manifest, Platform, Raw, Reference, media_type,
};

fn open(root: &Path) -> Store {
    Store::open(root, &StoreOptions { owners: Owners::Real, in_user_namespace: false }).unwrap()
}

fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store"));
    (folder, store)
}

fn amd64() -> Platform {
    Platform::linux("amd64")
}

fn options() -> LoadOptions {
    LoadOptions { platform: amd64() }
}

/// An archive in the making.
struct Archive(TarWriter<Vec<u8>>);

impl Archive {
    fn new() -> Self {
        Self(TarWriter::new(Vec::new()))
    }

    fn file(mut self, path: &str, content: &[u8]) -> Self {
        self.0.header(&NewEntry::file(path, 0o644, content.len() as u64)).unwrap();
        self.0.content(content).unwrap();
        self.0.pad().unwrap();
        self
    }

    fn blob(self, content: &[u8]) -> Self {
        let name = format!("blobs/sha256/{}", Digest::of(content).hex());
        self.file(&name, content)
    }

    fn link(mut self, path: &str, target: &str) -> Self {
        self.0.header(&NewEntry::symlink(path, target)).unwrap();
        self
    }

    fn finish(self) -> Vec<u8> {
        self.0.finish().unwrap()
    }
}

/// The plain tar of a layer with one file.
fn layer(content: &str) -> Vec<u8> {
    Archive::new().file("motd", content.as_bytes()).finish()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut writer = BlockWriter::gzip(Vec::new(), 1);
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

fn zstd(content: &[u8]) -> Vec<u8> {
    let mut writer = BlockWriter::zstd(Vec::new(), 1);
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

/// An image whose layers have these plain tars.
fn config(layers: &[&[u8]]) -> Raw<ImageConfig> {
    let mut config = ImageConfig::empty(amd64());
    config.rootfs.diff_ids = layers.iter().map(|layer| DiffId::new(Digest::of(layer))).collect();
    Raw::encode(config)
}

fn describe(kind: &str, content: &[u8]) -> Descriptor {
    Descriptor::new(kind, Digest::of(content), content.len() as u64)
}

/// `manifest.json` with one image.
fn docker_manifest(config: &str, layers: &[&str]) -> Vec<u8> {
    format!(r#"[{{"Config":{config:?},"RepoTags":["app:1"],"Layers":{layers:?}}}]"#).into_bytes()
}

/// `index.json` with one image, called `app:1`.
fn index(target: &Descriptor) -> Vec<u8> {
    let mut target = target.clone();
    target.annotations.insert(tug_oci::REF_NAME.to_owned(), "app:1".to_owned());
    Raw::encode(Index::new(vec![target])).bytes().to_vec()
}

fn load(store: &Store, archive: &[u8]) -> Result<Vec<Loaded>, Error> {
    store.load(&mut &archive[..], &options())
}

/// What a refused archive is refused with, once it is sure that nothing of it is in the store.
fn refusal(archive: &[u8]) -> String {
    let (_folder, store) = store();
    let error = load(&store, archive).unwrap_err();
    assert!(store.refs().unwrap().is_empty());
    for folder in ["blobs/sha256", "ingest"] {
        let left = std::fs::read_dir(store.root().join(folder)).unwrap().count();
        assert_eq!(left, 0, "something is left in {folder} after: {error}");
    }
    let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

fn diff_ids_of(store: &Store, name: &str) -> Vec<Digest> {
    let image = store.find_image(name, &amd64()).unwrap().unwrap();
    for blob in &image.manifest.layers {
        store.read_blob(&blob.digest, 1 << 20).unwrap();
    }
    image.diff_ids().iter().map(|id| id.digest().clone()).collect()
}

#[test]
fn an_old_docker_archive_is_loaded_through_the_links_in_it() {
    let (_folder, store) = store();
    let (base, top) = (layer("base"), layer("top"));
    let config = config(&[&base, &top, &base]);
    let name = format!("{}.json", config.digest().hex());
    let archive = Archive::new()
        .file("aaa/layer.tar", &base)
        .file("aaa/json", b"{}")
        .link("ccc/layer.tar", "../aaa/layer.tar")
        .file(&name, config.bytes())
        .file("bbb/layer.tar", &top)
        .file("manifest.json", &docker_manifest(&name, &["aaa/layer.tar", "bbb/layer.tar", "ccc/layer.tar"]))
        .file("repositories", b"{}")
        .finish();
    let loaded = load(&store, &archive).unwrap();
    assert_eq!(loaded[0].names, ["app:1".parse::<Reference>().unwrap()]);
    assert_eq!(diff_ids_of(&store, "app:1"), [&base, &top, &base].map(|layer| Digest::of(layer)));
    let image = store.find_image("app:1", &amd64()).unwrap().unwrap();
    assert_eq!(image.id(), config.digest());
    assert!(image.manifest.layers.iter().all(|layer| layer.media_type == media_type::OCI_LAYER));
}

#[test]
fn compressed_layers_of_a_docker_archive_are_held_against_their_diff_ids() {
    let (_folder, store) = store();
    let plain = layer("layer");
    let mut xz = liblzma_encoder();
    xz.write_all(&plain).unwrap();
    let files = [gzip(&plain), zstd(&plain), xz.finish().unwrap()];
    let config = config(&[&plain, &plain, &plain]);
    let archive = Archive::new()
        .file("manifest.json", &docker_manifest("c.json", &["0.tar.gz", "1", "2.tar"]))
        .file("c.json", config.bytes())
        .file("0.tar.gz", &files[0])
        .file("1", &files[1])
        .file("2.tar", &files[2])
        .finish();
    load(&store, &archive).unwrap();
    let image = store.find_image("app:1", &amd64()).unwrap().unwrap();
    let kinds: Vec<&str> = image.manifest.layers.iter().map(|layer| layer.media_type.as_str()).collect();
    assert_eq!(kinds, [media_type::OCI_LAYER_GZIP, media_type::OCI_LAYER_ZSTD, media_type::OCI_LAYER]);
    assert_eq!(image.manifest.layers[2].digest, Digest::of(&plain));

    let wrong = Archive::new()
        .file("manifest.json", &docker_manifest("c.json", &["0", "1", "2"]))
        .file("c.json", config.bytes())
        .file("0", &files[0])
        .file("1", &gzip(&layer("another")))
        .file("2", &files[2])
        .finish();
    let text = refusal(&wrong);
    assert!(text.starts_with("layer `1` should unpack to `sha256:"), "{text}");
}

fn liblzma_encoder() -> liblzma::write::XzEncoder<Vec<u8>> {
    liblzma::write::XzEncoder::new(Vec::new(), 1)
}

#[test]
fn an_oci_archive_is_loaded_in_any_order_and_compressed_with_anything() {
    let plain = layer("layer");
    let compressed = gzip(&plain);
    let config = config(&[&plain]);
    let manifest = Raw::encode(Manifest::new(
        describe(media_type::OCI_CONFIG, config.bytes()),
        vec![describe(media_type::OCI_LAYER_GZIP, &compressed)],
    ));
    let target = describe(media_type::OCI_MANIFEST, manifest.bytes());
    let forwards = Archive::new()
        .file("oci-layout", b"{}")
        .file("index.json", &index(&target))
        .blob(manifest.bytes())
        .blob(config.bytes())
        .blob(&compressed)
        .finish();
    let backwards = Archive::new()
        .blob(&compressed)
        .blob(config.bytes())
        .blob(manifest.bytes())
        .file("./index.json", &index(&target))
        .finish();
    for archive in [forwards.clone(), backwards, gzip(&forwards), zstd(&forwards)] {
        let (_folder, store) = store();
        let loaded = load(&store, &archive).unwrap();
        assert_eq!(loaded[0].target.digest, target.digest);
        assert_eq!(diff_ids_of(&store, "app:1"), [Digest::of(&plain)]);
        load(&store, &archive).unwrap();
        assert_eq!(store.refs().unwrap().len(), 1);
    }
}

#[test]
fn an_archive_of_both_forms_is_loaded_as_layout_with_the_names_of_both() {
    let (_folder, store) = store();
    let plain = layer("layer");
    let config = config(&[&plain]);
    let manifest = Raw::encode(Manifest::new(
        describe(media_type::OCI_CONFIG, config.bytes()),
        vec![describe(media_type::OCI_LAYER, &plain)],
    ));
    let target = describe(media_type::OCI_MANIFEST, manifest.bytes());
    let nameless = Raw::encode(Index::new(vec![target.clone()]));
    let blob = |content: &[u8]| format!("blobs/sha256/{}", Digest::of(content).hex());
    let archive = Archive::new()
        .file("index.json", nameless.bytes())
        .file("manifest.json", &docker_manifest(&blob(config.bytes()), &[&blob(&plain)]))
        .blob(&plain)
        .blob(config.bytes())
        .blob(manifest.bytes())
        .finish();
    let loaded = load(&store, &archive).unwrap();
    assert_eq!(loaded.len(), 1);
    assert_eq!(loaded[0].target.digest, target.digest, "the manifest of the layout is kept");
    assert_eq!(store.resolve(&"app:1".parse().unwrap()).unwrap().unwrap().digest, target.digest);
}

#[test]
fn of_an_index_only_the_images_that_are_there_are_needed() {
    let plain = layer("layer");
    let config = config(&[&plain]);
    let manifest = Raw::encode(Manifest::new(
        describe(media_type::OCI_CONFIG, config.bytes()),
        vec![describe(media_type::OCI_LAYER, &plain)],
    ));
    let child = |platform: &str, content: &[u8]| {
        let mut child = describe(media_type::OCI_MANIFEST, content);
        child.platform = Some(platform.parse().unwrap());
        child
    };
    let both = Raw::encode(Index::new(vec![
        child("linux/arm64", b"left out"),
        child("linux/amd64", manifest.bytes()),
    ]));
    let target = describe(media_type::OCI_INDEX, both.bytes());
    let documents =
        || Archive::new().file("index.json", &index(&target)).blob(both.bytes()).blob(config.bytes());

    let (_folder, store) = store();
    load(&store, &documents().blob(manifest.bytes()).blob(&plain).finish()).unwrap();
    assert_eq!(diff_ids_of(&store, "app:1"), [Digest::of(&plain)]);

    let text = refusal(&documents().blob(manifest.bytes()).finish());
    assert!(
        text.starts_with("layer 1 of 1, `blobs/sha256/") && text.ends_with("is missing from the archive"),
        "{text}"
    );
    let text = refusal(&documents().finish());
    assert!(text.starts_with("the manifest, `blobs/sha256/"), "{text}");
}

#[test]
fn what_is_no_image_is_left_out() {
    let plain = layer("layer");
    let config = config(&[&plain]);
    let manifest = Raw::encode(Manifest::new(
        describe(media_type::OCI_CONFIG, config.bytes()),
        vec![describe(media_type::OCI_LAYER, &plain)],
    ));
    let signature = Raw::encode(Manifest::new(describe("application/vnd.signature", b"{}"), Vec::new()));
    let entries = [
        describe("application/vnd.other", b"other"),
        describe(media_type::OCI_MANIFEST, signature.bytes()),
        describe(media_type::OCI_MANIFEST, manifest.bytes()),
    ];
    let archive = |count: usize| {
        let index = Raw::encode(Index::new(entries[..count].to_vec()));
        let archive = Archive::new().file("index.json", index.bytes()).blob(b"other").blob(b"{}");
        archive.blob(signature.bytes()).blob(manifest.bytes()).blob(config.bytes()).blob(&plain).finish()
    };
    let (_folder, store) = store();
    let loaded = load(&store, &archive(3)).unwrap();
    assert_eq!(loaded.len(), 1);
    assert!(!store.has_blob(signature.digest()).unwrap());
    assert_eq!(refusal(&archive(2)), "the archive holds no images");
}

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
        .map(|(name, target)| SaveImage { target, names: vec![name] })
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
    };
    let path = folder.path().join("layout");
    store.save_layout(&[save(&["a", "b"])], &amd64(), &path).unwrap();
    store.save_layout(&[save(&["b", "c"]), save(&[])], &amd64(), &path).unwrap();
    let (_folder, other) = self::store();
    other.load_path(&path, &options()).unwrap();
    let names: Vec<String> = other.refs().unwrap().iter().map(|(name, _)| name.familiar()).collect();
    assert_eq!(names, ["a:latest", "b:latest", "c:latest"]);
    assert_eq!(diff_ids_of(&other, "c"), [Digest::of(&plain)]);

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
    let image = SaveImage { target, names: vec!["app:2".parse().unwrap()] };
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
        let images = [SaveImage { target: image.descriptor.clone(), names: Vec::new() }];
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
fn an_archive_that_is_cut_anywhere_is_refused() {
    let plain = layer("layer");
    let config = config(&[&plain]);
    let archive = Archive::new()
        .file("l", &plain)
        .file("c.json", config.bytes())
        .file("manifest.json", &docker_manifest("c.json", &["l"]))
        .finish();
    let compressed = gzip(&archive);
    for length in (1..compressed.len()).step_by(compressed.len() / 12) {
        let text = refusal(&compressed[..length]);
        assert!(
            text.contains("cannot be read") || text.contains("not an archive"),
            "cut at {length}: {text}"
        );
    }
    for length in (1..archive.len() - 1024).step_by(512 + 100) {
        refusal(&archive[..length]);
    }
}

/// A docker-archive that is a layout too, with a compressed layer.
fn archive_of_both_forms() -> Vec<u8> {
    let plain = layer("layer");
    let compressed = gzip(&plain);
    let config = config(&[&plain]);
    let manifest = Raw::encode(Manifest::new(
        describe(media_type::OCI_CONFIG, config.bytes()),
        vec![describe(media_type::OCI_LAYER_GZIP, &compressed)],
    ));
    let blob = |content: &[u8]| format!("blobs/sha256/{}", Digest::of(content).hex());
    Archive::new()
        .file("index.json", &index(&describe(media_type::OCI_MANIFEST, manifest.bytes())))
        .file("manifest.json", &docker_manifest(&blob(config.bytes()), &[&blob(&compressed)]))
        .blob(config.bytes())
        .blob(manifest.bytes())
        .blob(&compressed)
        .finish()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_damaged_archive_is_refused_or_what_it_loads_is_whole(
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut archive = archive_of_both_forms();
        for (place, value) in places {
            let length = archive.len();
            archive[place.index(length)] = value;
        }
        let (_folder, store) = store();
        match load(&store, &archive) {
            Ok(loaded) => {
                for image in loaded {
                    let found = store.image(&image.target, &amd64()).unwrap();
                    for blob in &found.manifest.layers {
                        store.read_blob(&blob.digest, 1 << 20).unwrap();
                    }
                }
            }
            Err(_) => {
                prop_assert!(store.refs().unwrap().is_empty());
                prop_assert_eq!(std::fs::read_dir(store.root().join("blobs/sha256")).unwrap().count(), 0);
            }
        }
    }
}

#[test]
fn archives_that_lie_are_refused_by_name() {
    let plain = layer("layer");
    let config = config(&[&plain]);
    let manifest = |kind: &str, size: u64| {
        let mut blob = describe(kind, &plain);
        blob.size = size;
        Raw::encode(Manifest::new(describe(media_type::OCI_CONFIG, config.bytes()), vec![blob]))
    };
    let good = manifest(media_type::OCI_LAYER, plain.len() as u64);
    let oci = |manifest: &Raw<Manifest>| {
        let target = describe(media_type::OCI_MANIFEST, manifest.bytes());
        Archive::new().file("index.json", &index(&target)).blob(manifest.bytes()).blob(config.bytes())
    };
    let docker = |config_name: &str, layers: &[&str]| {
        Archive::new()
            .file("manifest.json", &docker_manifest(config_name, layers))
            .file("c.json", config.bytes())
    };
    let blob_name = format!("blobs/sha256/{}", Digest::of(&plain).hex());
    let wrong_config = format!("{}.json", Digest::of(b"other").hex());
    let two_layers = {
        let layers = vec![describe(media_type::OCI_LAYER, &plain); 2];
        Raw::encode(Manifest::new(describe(media_type::OCI_CONFIG, config.bytes()), layers))
    };
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (Vec::new(), "not an archive of images"),
        (Archive::new().file("etc/passwd", b"").finish(), "not an archive of images"),
        (b"no tar at all, but text that is longer than a tar header".repeat(20), "cannot be read"),
        (
            Archive::new().file("repositories", b"{}").file("a/layer.tar", b"").finish(),
            "docker before version 1.10",
        ),
        (Archive::new().file("manifest.json", b"[]").finish(), "holds no images"),
        (
            Archive::new().file("manifest.json", b"{").finish(),
            "`manifest.json` in the archive cannot be read",
        ),
        (Archive::new().file("index.json", b"[]").finish(), "`index.json` in the archive cannot be read"),
        (oci(&good).finish(), "layer 1 of 1, `blobs/sha256/"),
        (oci(&good).file(&blob_name, b"other").finish(), "arrived as `sha256:"),
        (oci(&manifest(media_type::OCI_LAYER, 5)).blob(&plain).finish(), "but 5 were announced"),
        (oci(&two_layers).blob(&plain).finish(), "2 layers in its manifest, 1 in its config"),
        (docker("c.json", &["l"]).finish(), "layer 1 of 1, `l`, is missing from the archive"),
        (docker("c.json", &["l"]).file("l", &layer("other")).finish(), "layer `l` should unpack to `sha256:"),
        (docker("c.json", &[]).finish(), "0 layers in its manifest, 1 in its config"),
        (docker("/etc/passwd", &["l"]).finish(), "the config of image 1, `/etc/passwd`, is missing"),
        (docker("../c.json", &["l"]).finish(), "the config of image 1, `../c.json`, is missing"),
        (docker(&wrong_config, &["l"]).file(&wrong_config, config.bytes()).finish(), "arrived as `sha256:"),
        (
            docker("c.json", &["l"]).link("l", "../../etc/passwd").finish(),
            "the link `l` in the archive leads nowhere",
        ),
        (
            docker("c.json", &["l"]).link("l", "/etc/passwd").finish(),
            "the link `l` in the archive leads nowhere",
        ),
        (
            docker("c.json", &["l"]).link("l", "m").link("m", "l").finish(),
            "the link `l` in the archive leads nowhere",
        ),
        (docker("c.json", &["l"]).link("l", "nothing").finish(), "the link `l` in the archive leads nowhere"),
        (docker("c.json", &["l"]).file("l", &plain).file("l", b"x").finish(), "`l` is in the archive twice"),
        (docker("l", &["l"]).file("l", &plain).finish(), "`l` in the archive cannot be read"),
    ];
    for (archive, expected) in cases {
        let text = refusal(&archive);
        assert!(text.contains(expected), "expected `{expected}`, found `{text}`");
    }
}

#[test]
fn names_that_lead_out_are_refused_or_become_names_inside() {
    let plain = layer("layer");
    let config = config(&[&plain]);
    let archive = |name: &str| {
        let mut archive = Archive::new()
            .file("manifest.json", &docker_manifest("c.json", &["l"]))
            .file("c.json", config.bytes())
            .finish();
        archive.truncate(archive.len() - 1024);
        archive.extend_from_slice(&raw_entry(name, &plain));
        archive
    };
    for name in ["../l", "a/../../l", "a/.."] {
        let text = refusal(&archive(name));
        assert!(text.contains("cannot be a name in an archive"), "{text}");
    }
    for name in ["/l", "./l", "//l"] {
        let (folder, store) = store();
        load(&store, &archive(name)).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "something is beside the store");
    }
}

/// An entry with a name that no writer of ours would write.
fn raw_entry(name: &str, content: &[u8]) -> Vec<u8> {
    let mut entry = Archive::new().file("x", content).finish();
    entry[..name.len()].copy_from_slice(name.as_bytes());
    entry[148..156].fill(b' ');
    let sum: u32 = entry[..512].iter().map(|byte| u32::from(*byte)).sum();
    entry[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    entry
}

#[test]
fn huge_documents_and_bombs_are_refused_in_time() {
    let huge = vec![b' '; 17 << 20];
    let text = refusal(&Archive::new().file("manifest.json", &huge).finish());
    assert!(text.contains("is larger than 16777216 bytes"), "{text}");
    let text = refusal(&Archive::new().file("index.json", &huge).finish());
    assert!(text.contains("is larger than 16777216 bytes"), "{text}");

    let many = (0..20_001).fold(TarWriter::new(Vec::new()), |mut tar, number| {
        tar.header(&NewEntry::file(number.to_string(), 0o644, 0)).unwrap();
        tar
    });
    let text = refusal(&many.finish().unwrap());
    assert!(text.contains("more entries than the limit of 20000"), "{text}");

    // A layer of zeros without end, in a few kilobytes.
    let mut bomb = BlockWriter::zstd(Vec::new(), 1);
    std::io::copy(&mut std::io::repeat(0).take((1 << 30) + (1 << 26)), &mut bomb).unwrap();
    let bomb = bomb.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let config = config(&[&[]]);
    let archive = Archive::new()
        .file("manifest.json", &docker_manifest("c.json", &["l"]))
        .file("c.json", config.bytes())
        .file("l", &bomb)
        .finish();
    let text = refusal(&archive);
    assert!(text.contains("decompression bomb"), "{text}");
}

#[test]
fn holes_that_stand_for_a_terabyte_are_not_filled() {
    let folder = tempfile::tempdir().unwrap();
    let hollow = std::fs::File::create(folder.path().join("layer.tar")).unwrap();
    hollow.set_len(1 << 40).unwrap();
    for format in ["gnu", "pax"] {
        let mut tar = std::process::Command::new("tar");
        tar.current_dir(&folder).args(["--sparse", "--format", format, "-cf", "-", "layer.tar"]);
        let text = refusal(&tar.output().unwrap().stdout);
        assert!(text.contains("`layer.tar` in the archive cannot be read: it is a sparse file"), "{text}");
    }
}

#[test]
fn a_layout_folder_cannot_lead_out_of_itself() {
    let plain = layer("layer");
    let config = config(&[&plain]);
    let manifest = Raw::encode(Manifest::new(
        describe(media_type::OCI_CONFIG, config.bytes()),
        vec![describe(media_type::OCI_LAYER, &plain)],
    ));
    let (folder, store) = store();
    let layout = folder.path().join("layout");
    std::fs::create_dir_all(layout.join("blobs/sha256")).unwrap();
    let blob = |content: &[u8]| layout.join("blobs/sha256").join(Digest::of(content).hex());
    std::fs::write(layout.join("index.json"), index(&describe(media_type::OCI_MANIFEST, manifest.bytes())))
        .unwrap();
    std::fs::write(blob(manifest.bytes()), manifest.bytes()).unwrap();
    std::fs::write(blob(config.bytes()), config.bytes()).unwrap();
    let outside = folder.path().join("outside");
    std::fs::write(&outside, &plain).unwrap();
    let load = || store.load_path(&layout, &options()).unwrap_err().to_string();

    assert!(load().contains("layer 1 of 1, `blobs/sha256/"));
    std::os::unix::fs::symlink(&outside, blob(&plain)).unwrap();
    assert!(load().contains("is not a file of its own"), "a link out of the folder was followed");
    std::fs::remove_file(blob(&plain)).unwrap();
    std::fs::create_dir(blob(&plain)).unwrap();
    assert!(load().contains("is not a file of its own"));
    std::fs::remove_dir(blob(&plain)).unwrap();
    std::fs::write(blob(&plain), b"other").unwrap();
    assert!(load().contains("arrived as `sha256:"));
    std::fs::write(blob(&plain), &plain).unwrap();
    store.load_path(&layout, &options()).unwrap();
    assert_eq!(diff_ids_of(&store, "app:1"), [Digest::of(&plain)]);
}

#[test]
fn a_full_disk_is_reported_as_such() {
    let (_folder, store) = store();
    let plain = vec![7; 8 << 20];
    store.write_blob(&plain).unwrap();
    let image = store.write_image(config(&[&plain]).into_value(), Default::default()).unwrap();
    let images = [SaveImage { target: image.descriptor, names: Vec::new() }];
    for compression in [ArchiveCompression::Plain, ArchiveCompression::Gzip] {
        let options = SaveOptions { format: ArchiveFormat::Docker, compression, platform: amd64() };
        let mut full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let error = store.save(&images, &options, &mut full).unwrap_err();
        assert!(error.is_disk_full() && error.hint().unwrap().contains("free some space"), "{error}");
    }
}
