//! What a manifest says, as far as a registry must know: what it refers to.
//!
//! Lenient on purpose: unknown fields and kinds are kept as they came, for the bytes are what counts. Source: image-spec
//! `manifest.md`, `image-index.md`; the docker types have the same fields.

use serde::Deserialize;
use serde_json::{Map, Value};
use tug_oci::{Digest, media_type};

/// What a manifest refers to, and what it says of itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Document {
    #[serde(default)]
    schema_version: Option<u64>,
    /// What it says that it is.
    #[serde(default)]
    pub(crate) media_type: Option<String>,
    #[serde(default)]
    artifact_type: Option<String>,
    #[serde(default)]
    config: Option<Link>,
    #[serde(default)]
    layers: Option<Vec<Link>>,
    /// Of the artifact manifests that a draft of the image spec had.
    #[serde(default)]
    blobs: Option<Vec<Link>>,
    #[serde(default)]
    manifests: Option<Vec<Link>>,
    #[serde(default)]
    subject: Option<Link>,
    #[serde(default)]
    annotations: Option<Map<String, Value>>,
}

/// One thing that a manifest refers to.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Link {
    /// What it is.
    #[serde(default)]
    pub(crate) media_type: String,
    /// Its name.
    pub(crate) digest: Digest,
    /// Its size in bytes, as the manifest says.
    #[serde(default)]
    pub(crate) size: Option<u64>,
}

impl Link {
    /// Whether the blob need not be in the registry: its owner does not allow that it is handed on.
    pub(crate) fn is_not_distributable(&self) -> bool {
        self.media_type.starts_with("application/vnd.oci.image.layer.nondistributable.")
            || self.media_type.starts_with("application/vnd.docker.image.rootfs.foreign.")
    }
}

impl Document {
    /// Reads a manifest; the error says what is wrong with it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        // A list would pass for the fields in order.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err("it is no JSON object".to_owned());
        }
        let document: Self = serde_json::from_slice(bytes).map_err(|error| tug_oci::json_reason(&error))?;
        match document.schema_version {
            Some(1) => Err("its schema version is 1, which no client has written for years".to_owned()),
            _ if document.layers.is_some() && document.manifests.is_some() => {
                Err("it has both `layers` and `manifests`, so that nobody can tell what it is".to_owned())
            }
            _ => Ok(document),
        }
    }

    /// What it is, as far as the document itself tells.
    pub(crate) fn own_media_type(&self) -> Option<&str> {
        match &self.media_type {
            Some(own) => Some(own),
            None if self.manifests.is_some() => Some(media_type::OCI_INDEX),
            None if self.config.is_some() => Some(media_type::OCI_MANIFEST),
            None => None,
        }
    }

    /// The blobs that it is made of.
    pub(crate) fn blobs(&self) -> impl Iterator<Item = &Link> {
        self.config.iter().chain(self.layers.iter().flatten()).chain(self.blobs.iter().flatten())
    }

    /// The manifests that it lists.
    pub(crate) fn children(&self) -> impl Iterator<Item = &Link> {
        self.manifests.iter().flatten()
    }

    /// What it is attached to.
    pub(crate) fn subject(&self) -> Option<&Digest> {
        self.subject.as_ref().map(|subject| &subject.digest)
    }

    /// The kind of artifact: as it says, else what kind of config it has. An index has no config.
    pub(crate) fn artifact_type(&self) -> Option<&str> {
        let own = self.artifact_type.as_deref().filter(|own| !own.is_empty());
        own.or_else(|| self.config.as_ref().map(|config| config.media_type.as_str()))
    }

    /// Its annotations.
    pub(crate) fn annotations(&self) -> Option<&Map<String, Value>> {
        self.annotations.as_ref()
    }

    /// The entries of an index as they stand there, for lists that repeat them. Parsed anew: nothing may be lost.
    pub(crate) fn raw_children(bytes: &[u8]) -> Vec<Value> {
        match serde_json::from_slice::<Value>(bytes) {
            Ok(Value::Object(mut fields)) => match fields.remove("manifests") {
                Some(Value::Array(entries)) => entries,
                _ => Vec::new(),
            },
            _ => Vec::new(),
        }
    }
}
