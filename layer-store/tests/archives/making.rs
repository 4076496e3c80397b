//! Archives made by hand, and what becomes of them.

use std::io::Write;
use std::path::Path;

use tug_layer_store::tar::TarWriter;
use tug_layer_store::{BlockWriter, Error, LoadOptions, Loaded, NewEntry, Owners, Store, StoreOptions};
use tug_oci::{Descriptor, DiffId, Digest, ImageConfig, Index, Manifest, Platform, Raw, media_type};

pub(crate) fn open(root: &Path) -> Store {
    Store::open(root, &StoreOptions { owners: Owners::Real, in_user_namespace: false, indexed_layers: false })
        .unwrap()
}

pub(crate) fn store() -> (tempfile::TempDir, Store) {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store"));
    (folder, store)
}

pub(crate) fn amd64() -> Platform {
    Platform::linux("amd64")
}

pub(crate) fn options() -> LoadOptions {
    LoadOptions::new(amd64())
}

/// An archive in the making.
pub(crate) struct Archive(TarWriter<Vec<u8>>);

impl Archive {
    pub(crate) fn new() -> Self {
        Self(TarWriter::new(Vec::new()))
    }

    pub(crate) fn file(mut self, path: &str, content: &[u8]) -> Self {
        self.0.header(&NewEntry::file(path, 0o644, content.len() as u64)).unwrap();
        self.0.content(content).unwrap();
        self.0.pad().unwrap();
        self
    }

    pub(crate) fn blob(self, content: &[u8]) -> Self {
        let name = format!("blobs/sha256/{}", Digest::of(content).hex());
        self.file(&name, content)
    }

    pub(crate) fn link(mut self, path: &str, target: &str) -> Self {
        self.0.header(&NewEntry::symlink(path, target)).unwrap();
        self
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        self.0.finish().unwrap()
    }
}

/// The plain tar of a layer with one file.
pub(crate) fn layer(content: &str) -> Vec<u8> {
    Archive::new().file("motd", content.as_bytes()).finish()
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut writer = BlockWriter::gzip(Vec::new(), 1);
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

pub(crate) fn zstd(content: &[u8]) -> Vec<u8> {
    let mut writer = BlockWriter::zstd(Vec::new(), 1);
    writer.write_all(content).unwrap();
    writer.finish().unwrap()
}

/// An image whose layers have these plain tars.
pub(crate) fn config(layers: &[&[u8]]) -> Raw<ImageConfig> {
    let mut config = ImageConfig::empty(amd64());
    config.rootfs.diff_ids = layers.iter().map(|layer| DiffId::new(Digest::of(layer))).collect();
    Raw::encode(config)
}

/// The manifest of an image with these blobs.
pub(crate) fn manifest_of(config: &Raw<ImageConfig>, layers: Vec<Descriptor>) -> Raw<Manifest> {
    Raw::encode(Manifest::new(describe(media_type::OCI_CONFIG, config.bytes()), layers))
}

pub(crate) fn describe(kind: &str, content: &[u8]) -> Descriptor {
    Descriptor::new(kind, Digest::of(content), content.len() as u64)
}

/// `manifest.json` with one image.
pub(crate) fn docker_manifest(config: &str, layers: &[&str]) -> Vec<u8> {
    format!(r#"[{{"Config":{config:?},"RepoTags":["app:1"],"Layers":{layers:?}}}]"#).into_bytes()
}

/// `index.json` with one image, called `app:1`.
pub(crate) fn index(target: &Descriptor) -> Vec<u8> {
    let mut target = target.clone();
    target.annotations.insert(tug_oci::REF_NAME.to_owned(), "app:1".to_owned());
    Raw::encode(Index::new(vec![target])).bytes().to_vec()
}

pub(crate) fn load(store: &Store, archive: &[u8]) -> Result<Vec<Loaded>, Error> {
    store.load(&mut &archive[..], &options())
}

/// What a refused archive is refused with, once it is sure that nothing of it is in the store.
pub(crate) fn refusal(archive: &[u8]) -> String {
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

pub(crate) fn diff_ids_of(store: &Store, name: &str) -> Vec<Digest> {
    let image = store.find_image(name, &amd64()).unwrap().unwrap();
    for blob in &image.manifest.layers {
        store.read_blob(&blob.digest, 1 << 20).unwrap();
    }
    image.diff_ids().iter().map(|id| id.digest().clone()).collect()
}
