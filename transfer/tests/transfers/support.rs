//! A store, a remote that is told nothing of the machine, and images that are made here.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tug_layer_store::tar::TarWriter;
use tug_layer_store::{BlockWriter, NewEntry, Owners, Store, StoreOptions};
use tug_oci::{Descriptor, DiffId, Digest, Index, Manifest, Platform, Raw, Reference, media_type};
use tug_registry_client::{Limits, Options};
use tug_testdata::registry_peer::{Peer, noise};
use tug_transfer::{Event, Observer, Remote};

/// Everything that happened.
#[derive(Default)]
pub(crate) struct Recording(Mutex<Vec<Event>>);

impl Observer for Recording {
    fn event(&self, event: Event) {
        self.0.lock().unwrap().push(event);
    }
}

impl Recording {
    pub(crate) fn count(&self, fits: impl Fn(&Event) -> bool) -> usize {
        self.0.lock().unwrap().iter().filter(|event| fits(event)).count()
    }
}

pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) store: Store,
    pub(crate) remote: Remote,
    pub(crate) seen: Arc<Recording>,
}

pub(crate) fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store"));
    let (remote, seen) = remote();
    World { folder, store, remote, seen }
}

pub(crate) fn open(path: &Path) -> Store {
    let is_root = rustix_is_root(path);
    let owners = if is_root { Owners::Real } else { Owners::Recorded };
    Store::open(path, &StoreOptions { owners, in_user_namespace: !is_root, indexed_layers: false }).unwrap()
}

/// Only root may give files away.
fn rustix_is_root(path: &Path) -> bool {
    let beside = path.parent().unwrap().join("whose");
    std::fs::write(&beside, "").unwrap();
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&beside).unwrap());
    std::fs::remove_file(&beside).unwrap();
    owner == 0
}

pub(crate) fn remote() -> (Remote, Arc<Recording>) {
    let seen = Arc::new(Recording::default());
    let limits = Limits {
        pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(20),
        idle: Duration::from_secs(2),
        part: 256 * 1024,
        ..Limits::default()
    };
    let options = Options { limits, ..Options::default() };
    let remote = Remote::new(options, Arc::clone(&seen) as Arc<dyn Observer>).unwrap();
    (remote, seen)
}

pub(crate) fn platform() -> Platform {
    "linux/amd64".parse().unwrap()
}

pub(crate) fn name(peer: &Peer, name: &str) -> Reference {
    format!("{}/{name}", peer.address()).parse().unwrap()
}

/// A layer: one file of so many bytes that cannot be compressed. Its blob, and what it is unpacked.
pub(crate) fn layer(path: &str, length: usize, seed: u64) -> (Vec<u8>, DiffId) {
    let mut tar = TarWriter::new(Vec::new());
    tar.header(&NewEntry::file(path, 0o644, length as u64)).unwrap();
    tar.content(&noise(length, seed)).unwrap();
    tar.pad().unwrap();
    let tar = tar.finish().unwrap();
    let mut blob = BlockWriter::gzip(Vec::new(), 1);
    blob.write_all(&tar).unwrap();
    (blob.finish().unwrap(), DiffId::new(Digest::of(&tar)))
}

/// An image in a repository of the peer: its manifest and its layers.
pub(crate) struct Made {
    pub(crate) manifest: Descriptor,
    pub(crate) layers: Vec<Descriptor>,
    pub(crate) config: Digest,
}

pub(crate) fn add_image(peer: &Peer, repository: &str, platform: &str, layers: &[(Vec<u8>, DiffId)]) -> Made {
    let mut config = tug_oci::ImageConfig::empty(platform.parse().unwrap());
    config.rootfs.diff_ids = layers.iter().map(|(_, diff_id)| diff_id.clone()).collect();
    let config = Raw::encode(config);
    let descriptors: Vec<Descriptor> = layers
        .iter()
        .map(|(blob, _)| Descriptor::new(media_type::OCI_LAYER_GZIP, Digest::of(blob), blob.len() as u64))
        .collect();
    let about = Descriptor::new(media_type::OCI_CONFIG, config.digest().clone(), config.size());
    let manifest = Raw::encode(Manifest::new(about, descriptors.clone()));
    peer.contents(|contents| {
        let repository = contents.repository(repository);
        layers.iter().for_each(|(blob, _)| drop(repository.add_blob(blob)));
        repository.add_blob(config.bytes());
        repository.add_manifest(media_type::OCI_MANIFEST, manifest.bytes());
    });
    let mut target = Descriptor::new(media_type::OCI_MANIFEST, manifest.digest().clone(), manifest.size());
    target.platform = Some(platform.parse().unwrap());
    Made { manifest: target, layers: descriptors, config: config.digest().clone() }
}

pub(crate) fn add_index(peer: &Peer, repository: &str, children: Vec<Descriptor>) -> Descriptor {
    let index = Raw::encode(Index::new(children));
    peer.contents(|contents| {
        contents.repository(repository).add_manifest(media_type::OCI_INDEX, index.bytes())
    });
    Descriptor::new(media_type::OCI_INDEX, index.digest().clone(), index.size())
}

pub(crate) fn tag(peer: &Peer, repository: &str, tag: &str, target: &Descriptor) {
    peer.contents(|contents| {
        contents.repository(repository).tags.insert(tag.to_owned(), target.digest.to_string());
    });
}

/// Puts an artifact there that refers to something.
pub(crate) fn attach(peer: &Peer, subject: &Descriptor, kind: &str) -> Descriptor {
    let config = Descriptor::new("application/vnd.oci.empty.v1+json", Digest::of(b"{}"), 2);
    let mut manifest = Manifest::new(config, Vec::new());
    manifest.artifact_type = Some(kind.to_owned());
    manifest.subject = Some(subject.clone());
    let manifest = Raw::encode(manifest);
    peer.contents(|contents| {
        let repository = contents.repository("app");
        repository.add_blob(b"{}");
        repository.add_manifest(media_type::OCI_MANIFEST, manifest.bytes());
    });
    Descriptor::new(media_type::OCI_MANIFEST, manifest.digest().clone(), manifest.size())
}
