//! Content to push: blobs, the manifests over them, and who is attached to whom.

#![allow(clippy::needless_pass_by_value, reason = "calls read better without `&`")]

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tug_oci::{Algorithm, Digest, media_type};

use crate::support::{digest, noise};

pub(crate) const EXAMPLE_1: &str = "application/vnd.example.oci.conformance.v1";
pub(crate) const EXAMPLE_2: &str = "application/vnd.example.oci.conformance.v2";
pub(crate) const EMPTY_JSON: &str = "application/vnd.oci.empty.v1+json";

/// All that one shape of data is made of.
pub(crate) struct Content {
    pub(crate) algorithm: Algorithm,
    pub(crate) blobs: BTreeMap<Digest, Vec<u8>>,
    /// In the order in which they can be pushed.
    pub(crate) manifests: Vec<Manifest>,
    pub(crate) tags: Vec<(String, Digest)>,
    /// What must be listed, by subject.
    pub(crate) referrers: Vec<(Digest, Value)>,
    /// That digests of blobs stand in the manifest as data, too.
    pub(crate) data_fields: bool,
    seed: u64,
}

/// A manifest as it is pushed.
#[derive(Clone)]
pub(crate) struct Manifest {
    pub(crate) digest: Digest,
    pub(crate) bytes: Vec<u8>,
    pub(crate) media_type: String,
}

/// What is special about an image or index.
#[derive(Clone, Default)]
pub(crate) struct Traits {
    pub(crate) tag: Option<&'static str>,
    pub(crate) artifact_type: Option<&'static str>,
    pub(crate) annotations: Map<String, Value>,
    pub(crate) subject: Option<Value>,
    pub(crate) extra_fields: bool,
}

impl Content {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        Self {
            algorithm,
            blobs: BTreeMap::new(),
            manifests: Vec::new(),
            tags: Vec::new(),
            referrers: Vec::new(),
            data_fields: false,
            seed: 100,
        }
    }

    /// A blob; its descriptor.
    pub(crate) fn blob(&mut self, media_type: &str, bytes: &[u8]) -> Value {
        let name = digest(self.algorithm, bytes);
        self.blobs.insert(name.clone(), bytes.to_vec());
        let mut descriptor =
            json!({ "mediaType": media_type, "digest": name.to_string(), "size": bytes.len() });
        if self.data_fields {
            descriptor["data"] = json!("e30=");
        }
        descriptor
    }

    /// A blob that no other is like.
    pub(crate) fn unique_blob(&mut self, media_type: &str) -> Value {
        self.seed += 1;
        self.blob(media_type, &noise(self.seed, 300))
    }

    /// An image with a config of its own and `layers` layers of `layer_type`.
    pub(crate) fn image(&mut self, layers: usize, layer_type: &str, traits: &Traits) -> Value {
        self.seed += 1;
        let config = format!("{{\"author\":\"conformance {}\",\"os\":\"linux\"}}", self.seed);
        let config = self.blob(media_type::OCI_CONFIG, config.as_bytes());
        let layers: Vec<Value> = (0..layers).map(|_| self.unique_blob(layer_type)).collect();
        self.manifest(config, layers, traits)
    }

    /// An artifact: no config worth the name, one layer.
    pub(crate) fn artifact(&mut self, layer_type: &str, traits: &Traits) -> Value {
        let config = self.blob(EMPTY_JSON, b"{}");
        let layer = self.unique_blob(layer_type);
        self.manifest(config, vec![layer], traits)
    }

    /// A manifest over what is there; its descriptor.
    pub(crate) fn manifest(&mut self, config: Value, layers: Vec<Value>, traits: &Traits) -> Value {
        let falls_back_to = config["mediaType"].clone();
        let fields = json!({ "config": config, "layers": layers });
        self.document(media_type::OCI_MANIFEST, fields, falls_back_to, traits)
    }

    /// An index of `manifests`; its descriptor.
    pub(crate) fn index(&mut self, manifests: &[Value], traits: &Traits) -> Value {
        self.document(media_type::OCI_INDEX, json!({ "manifests": manifests }), Value::Null, traits)
    }

    /// An index of two images.
    pub(crate) fn index_of_two(&mut self, traits: &Traits) -> Value {
        let plain = Traits { extra_fields: traits.extra_fields, ..Traits::default() };
        let mut images = Vec::new();
        for architecture in ["amd64", "arm64"] {
            let mut image = self.image(2, media_type::OCI_LAYER_GZIP, &plain);
            image["platform"] = json!({ "os": "linux", "architecture": architecture });
            images.push(image);
        }
        self.index(&images, traits)
    }

    fn document(&mut self, media_type: &str, fields: Value, falls_back_to: Value, traits: &Traits) -> Value {
        let mut document = json!({ "schemaVersion": 2, "mediaType": media_type });
        if let Some(artifact_type) = traits.artifact_type {
            document["artifactType"] = json!(artifact_type);
        }
        for (name, value) in fields.as_object().expect("fields are an object") {
            document[name] = value.clone();
        }
        if let Some(subject) = &traits.subject {
            document["subject"] = subject.clone();
        }
        if !traits.annotations.is_empty() {
            document["annotations"] = Value::Object(traits.annotations.clone());
        }
        if traits.extra_fields {
            document["org.example.field"] = json!({ "nobody": ["knows", 1.50, null] });
        }
        let bytes = document.to_string().into_bytes();
        let name = digest(self.algorithm, &bytes);
        let descriptor = json!({ "mediaType": media_type, "digest": name.to_string(), "size": bytes.len() });
        if let Some(subject) = &traits.subject {
            let mut listed = descriptor.clone();
            let artifact_type = traits.artifact_type.map_or(falls_back_to, |own| json!(own));
            if !artifact_type.is_null() {
                listed["artifactType"] = artifact_type;
            }
            if !traits.annotations.is_empty() {
                listed["annotations"] = Value::Object(traits.annotations.clone());
            }
            let subject = subject["digest"].as_str().and_then(|digest| digest.parse().ok());
            self.referrers.push((subject.expect("a subject has a digest"), listed));
        }
        if let Some(tag) = traits.tag {
            self.tags.push((tag.to_owned(), name.clone()));
        }
        self.manifests.push(Manifest { digest: name, bytes, media_type: media_type.to_owned() });
        descriptor
    }
}

impl Traits {
    pub(crate) fn tagged(tag: &'static str) -> Self {
        Self { tag: Some(tag), ..Self::default() }
    }

    /// An artifact that is attached to `subject`, with annotations.
    pub(crate) fn attached(artifact_type: &'static str, subject: &Value, number: u32) -> Self {
        let annotations =
            json!({ "org.opencontainers.conformance": "hello", "org.example.number": number.to_string() });
        let annotations = annotations.as_object().cloned().unwrap_or_default();
        Self {
            artifact_type: Some(artifact_type),
            subject: Some(subject.clone()),
            annotations,
            ..Self::default()
        }
    }
}
