//! Descriptors, manifests and indexes. Source: image-spec `descriptor.md`, `manifest.md`, `image-index.md`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::Digest;
use crate::media_type;
use crate::platform::Platform;
use crate::raw::Document;

/// Annotation of a ref in the index of an image layout: its name.
pub const REF_NAME: &str = "org.opencontainers.image.ref.name";
/// Annotation that containerd and docker write beside [`REF_NAME`]: the full name.
pub const IMAGE_NAME: &str = "io.containerd.image.name";
/// Annotation of an image: the name of the image that it was built from. Source: image-spec `annotations.md`.
pub const BASE_NAME: &str = "org.opencontainers.image.base.name";
/// Annotation of an image: the digest of the manifest of the image that it was built from.
pub const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// What points to a blob: its digest, its size and what it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What the blob is.
    pub media_type: String,
    /// The name of the blob.
    pub digest: Digest,
    /// The length of the blob in bytes.
    pub size: u64,
    /// For images in an index: what they run on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
    /// Free text under well-known keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// What kind of artifact it points to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// Other places where the blob may be had.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
}

impl Descriptor {
    /// A descriptor with nothing but the three facts that each must have.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest,
            size,
            platform: None,
            annotations: BTreeMap::new(),
            artifact_type: None,
            urls: Vec::new(),
        }
    }
}

/// An image: its config and its layers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always 2.
    pub schema_version: u32,
    /// Its own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What kind of artifact it is, when it is not an image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The config.
    pub config: Descriptor,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
    /// What this is attached to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Free text under well-known keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Only indexes have this; a document with both is refused.
    #[serde(default, skip_serializing)]
    manifests: Option<Value>,
    /// What we do not know stays when the document is written anew.
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Manifest {
    /// An OCI manifest of `config` and `layers`, lowest first.
    pub fn new(config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::OCI_MANIFEST.to_owned()),
            artifact_type: None,
            config,
            layers,
            subject: None,
            annotations: BTreeMap::new(),
            manifests: None,
            others: Map::new(),
        }
    }
}

impl Document for Manifest {
    const WHAT: &'static str = "the image manifest";

    fn check(&self) -> Result<(), String> {
        check_version(self.schema_version)?;
        if self.manifests.is_some() {
            return Err("it has both `layers` and `manifests`, so that nobody can tell what it is".to_owned());
        }
        match self.media_type.as_deref() {
            None => Ok(()),
            Some(own) if media_type::is_manifest(own) => Ok(()),
            Some(other) => Err(format!("its media type is `{}`", shortened(other))),
        }
    }
}

/// A list of images, one for each platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Index {
    /// Always 2.
    pub schema_version: u32,
    /// Its own media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// What kind of artifact it is, when it is not a list of images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The images.
    pub manifests: Vec<Descriptor>,
    /// What this is attached to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Descriptor>,
    /// Free text under well-known keys.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Only manifests have this; a document with both is refused.
    #[serde(default, skip_serializing)]
    layers: Option<Value>,
    /// What we do not know stays when the document is written anew.
    #[serde(flatten)]
    others: Map<String, Value>,
}

impl Index {
    /// An OCI index of `manifests`.
    pub fn new(manifests: Vec<Descriptor>) -> Self {
        Self {
            schema_version: 2,
            media_type: Some(media_type::OCI_INDEX.to_owned()),
            artifact_type: None,
            manifests,
            subject: None,
            annotations: BTreeMap::new(),
            layers: None,
            others: Map::new(),
        }
    }
}

impl Document for Index {
    const WHAT: &'static str = "the image index";

    fn check(&self) -> Result<(), String> {
        check_version(self.schema_version)?;
        if self.layers.is_some() {
            return Err("it has both `layers` and `manifests`, so that nobody can tell what it is".to_owned());
        }
        match self.media_type.as_deref() {
            None => Ok(()),
            Some(own) if media_type::is_index(own) => Ok(()),
            Some(other) => Err(format!("its media type is `{}`", shortened(other))),
        }
    }
}

fn check_version(version: u32) -> Result<(), String> {
    match version {
        2 => Ok(()),
        other => Err(format!("its schema version is {other}, and only 2 is in use")),
    }
}

fn shortened(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(80).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::raw::Raw;

    fn layer() -> String {
        serde_json::to_string(&Descriptor::new(media_type::OCI_LAYER, Digest::of(b""), 0)).unwrap()
    }

    #[test]
    fn the_digest_of_a_manifest_is_of_the_bytes_as_they_came() {
        let text =
            format!("{{ \"schemaVersion\":2, \"config\": {0},\n\"layers\":[{0}], \"x\": 1 }}", layer());
        let manifest = Raw::<Manifest>::parse(text.clone().into_bytes()).unwrap();
        assert_eq!(manifest.digest(), &Digest::of(text.as_bytes()));
        assert_eq!(manifest.bytes(), text.as_bytes());
    }

    #[test]
    fn a_document_that_is_manifest_and_index_at_once_is_refused() {
        let text =
            format!("{{\"schemaVersion\":2,\"config\":{0},\"layers\":[{0}],\"manifests\":[{0}]}}", layer());
        let manifest = Raw::<Manifest>::parse(text.clone().into_bytes()).unwrap_err();
        assert!(manifest.to_string().contains("both `layers` and `manifests`"), "{manifest}");
        assert!(Raw::<Index>::parse(text.into_bytes()).is_err());
    }

    #[test]
    fn a_wrong_media_type_or_version_is_refused() {
        let wrong_type = format!(
            "{{\"schemaVersion\":2,\"mediaType\":\"{}\",\"manifests\":[]}}",
            media_type::OCI_MANIFEST
        );
        assert!(Raw::<Index>::parse(wrong_type.into_bytes()).is_err());
        assert!(Raw::<Index>::parse(b"{\"schemaVersion\":1,\"manifests\":[]}".to_vec()).is_err());
    }

    #[test]
    fn what_is_not_known_stays_when_a_document_is_written_anew() {
        let index = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","artifactType":"a/b","manifests":[{1}],"subject":{1},"annotations":{{"k":"v"}},"org.x":{{"n":[1,2.5]}}}}"#,
            media_type::OCI_INDEX,
            layer()
        );
        let mut value = Raw::<Index>::parse(index.clone().into_bytes()).unwrap().into_value();
        assert_eq!(value.artifact_type.as_deref(), Some("a/b"));
        assert_eq!(Raw::encode(value.clone()).bytes(), index.as_bytes());
        value.manifests.clear();
        let shorter = index.replacen(&layer(), "", 1);
        assert_eq!(String::from_utf8_lossy(Raw::encode(value).bytes()), shorter);
        let manifest = format!(r#"{{"schemaVersion":2,"config":{0},"layers":[{0}],"org.x":null}}"#, layer());
        let value = Raw::<Manifest>::parse(manifest.clone().into_bytes()).unwrap().into_value();
        assert_eq!(Raw::encode(value).bytes(), manifest.as_bytes());
    }

    #[test]
    fn what_is_encoded_can_be_parsed_again() {
        let descriptor = Descriptor::new(media_type::OCI_CONFIG, Digest::of(b"{}"), 2);
        let manifest = Raw::encode(Manifest::new(descriptor.clone(), vec![descriptor]));
        assert_eq!(Raw::<Manifest>::parse(manifest.bytes().to_vec()).unwrap(), manifest);
    }
}
