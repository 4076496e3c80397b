//! What is in the registry of a peer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256, Sha512};

/// The media type of an image manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an image index.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
/// The media type of an image config.
pub const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// The media type of a plain layer.
pub const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
/// The media type of a layer compressed with gzip.
pub const GZIP_LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Repositories, uploads that go on, and tokens that were given.
#[derive(Debug, Default)]
pub struct Contents {
    pub(super) repositories: BTreeMap<String, Repository>,
    pub(super) sessions: BTreeMap<String, Session>,
    pub(super) tokens: BTreeMap<String, Grant>,
    pub(super) made: usize,
}

/// One repository.
#[derive(Clone, Debug, Default)]
pub struct Repository {
    /// By their digests.
    pub blobs: BTreeMap<String, Arc<Vec<u8>>>,
    /// Media types and bytes by their digests.
    pub manifests: BTreeMap<String, (String, Arc<Vec<u8>>)>,
    /// Digests by tags.
    pub tags: BTreeMap<String, String>,
}

/// An upload that goes on.
#[derive(Clone, Debug, Default)]
pub(super) struct Session {
    pub(super) repository: String,
    pub(super) bytes: Vec<u8>,
    pub(super) is_dead: bool,
    /// A chunk came that had to be the last one.
    pub(super) was_short: bool,
}

/// What a token is good for.
#[derive(Clone, Debug, Default)]
pub(super) struct Grant {
    /// `repository:app:pull` and the like, one action in each.
    pub(super) scopes: BTreeSet<String>,
    pub(super) uses: Option<usize>,
}

/// An image in a repository.
#[derive(Clone, Debug)]
pub struct Image {
    /// Of its manifest.
    pub digest: String,
    /// As it was put there.
    pub manifest: Vec<u8>,
    /// Digest and bytes of its config.
    pub config: (String, Vec<u8>),
    /// Digests and bytes of its layers.
    pub layers: Vec<(String, Vec<u8>)>,
}

impl Contents {
    /// A repository, which is made if it is not there.
    pub fn repository(&mut self, name: &str) -> &mut Repository {
        self.repositories.entry(name.to_owned()).or_default()
    }

    /// How many uploads go on.
    pub fn open_sessions(&self) -> usize {
        self.sessions.values().filter(|session| !session.is_dead).count()
    }

    /// Makes all tokens that were given worthless.
    pub fn expire_tokens(&mut self) {
        self.tokens.clear();
    }

    /// Ends all uploads that go on, without a word to anybody.
    pub fn lose_sessions(&mut self) {
        self.sessions.clear();
    }

    pub(super) fn new_name(&mut self, kind: &str) -> String {
        self.made += 1;
        format!("{kind}-{}", self.made)
    }
}

impl Repository {
    /// Puts a blob there and gives its digest.
    pub fn add_blob(&mut self, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        self.blobs.insert(digest.clone(), Arc::new(bytes.to_vec()));
        digest
    }

    /// Puts a manifest there and gives its digest.
    pub fn add_manifest(&mut self, media_type: &str, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        self.manifests.insert(digest.clone(), (media_type.to_owned(), Arc::new(bytes.to_vec())));
        digest
    }

    /// Puts an image for `linux/amd64` of plain layers there. Each layer is a tar as it is.
    pub fn add_image(&mut self, tag: &str, layers: &[Vec<u8>]) -> Image {
        let digests: Vec<String> = layers.iter().map(|layer| self.add_blob(layer)).collect();
        let config = json!({
            "architecture": "amd64",
            "os": "linux",
            "config": { "Cmd": ["/bin/true"] },
            "rootfs": { "type": "layers", "diff_ids": digests },
        });
        let config = serde_json::to_vec(&config).expect("it is a value");
        let config_digest = self.add_blob(&config);
        let descriptors =
            digests.iter().zip(layers).map(|(digest, layer)| descriptor(LAYER, digest, layer.len()));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, &config_digest, config.len()),
            "layers": descriptors.collect::<Vec<_>>(),
        });
        let manifest = serde_json::to_vec(&manifest).expect("it is a value");
        let digest = self.add_manifest(MANIFEST, &manifest);
        self.tags.insert(tag.to_owned(), digest.clone());
        let layers = digests.into_iter().zip(layers.iter().cloned()).collect();
        Image { digest, manifest, config: (config_digest, config), layers }
    }

    /// A manifest by tag or digest: its digest, media type and bytes.
    pub fn manifest(&self, reference: &str) -> Option<(String, String, Arc<Vec<u8>>)> {
        let digest = self.tags.get(reference).map_or(reference, String::as_str);
        let (media_type, bytes) = self.manifests.get(digest)?;
        Some((digest.to_owned(), media_type.clone(), Arc::clone(bytes)))
    }
}

/// The three fields of a descriptor.
pub fn descriptor(media_type: &str, digest: &str, size: usize) -> Value {
    json!({ "mediaType": media_type, "digest": digest, "size": size })
}

/// `sha256:…` of these bytes.
pub fn sha256(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(&Sha256::digest(bytes)))
}

/// Whether bytes are what their digest, sha256 or sha512, promises.
pub(super) fn has_digest(bytes: &[u8], digest: &str) -> bool {
    match digest.starts_with("sha512:") {
        true => digest == format!("sha512:{}", hex(&Sha512::digest(bytes))),
        false => digest == sha256(bytes),
    }
}

/// Bytes that look like nothing in particular, the same for the same `seed`.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
