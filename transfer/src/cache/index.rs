//! The format of a cache: which results of steps there are, and which blob holds the layer of each.
//!
//! A cache is an OCI image manifest, so that every registry stores it, keeps its blobs, and any OCI tool copies it:
//!
//! | part           | what it is                                                                              |
//! | -------------- | --------------------------------------------------------------------------------------- |
//! | `artifactType` | [`ARTIFACT`]                                                                            |
//! | `config`       | the index, of type [`INDEX`]: a JSON object with `version` and `records`                |
//! | `layers`       | every blob that a record names, each once                                               |
//!
//! A record is `key`, `record` (of the builder, not looked into here), `layer` (the diff id), `blob` (type, digest and size
//! of the layer's blob) and `used`: when a build last had this result, in seconds since 1970.
//!
//! Nothing here is believed: a blob is checked against its digest and the layer against its diff id when they are fetched,
//! and all that is read has a limit.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tug_oci::{Algorithm, Descriptor, DiffId, Digest, Manifest, Raw, json_reason, media_type};

/// The `artifactType` of the manifest.
pub const ARTIFACT: &str = "application/vnd.tug.cache.v1";
/// The media type of the index.
pub const INDEX: &str = "application/vnd.tug.cache.index.v1+json";
/// The newest version that is understood, and the one that is written.
const VERSION: u32 = 1;

/// The most bytes of an index that are read or written.
pub(crate) const INDEX_LIMIT: u64 = 16 * 1024 * 1024;
/// The most records that are read or written. Their descriptors make a manifest of less than 4 MiB, which every registry
/// takes.
pub(crate) const MOST_RECORDS: usize = 10_000;

/// One result of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) key: Digest,
    pub(crate) record: Value,
    pub(crate) layer: DiffId,
    pub(crate) blob: Blob,
    pub(crate) used: u64,
}

/// What of a descriptor is needed: a cache cannot send us elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Blob {
    media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
}

impl From<&Descriptor> for Blob {
    fn from(blob: &Descriptor) -> Self {
        let Descriptor { media_type, digest, size, .. } = blob;
        Self { media_type: media_type.clone(), digest: digest.clone(), size: *size }
    }
}

impl Blob {
    pub(crate) fn descriptor(&self) -> Descriptor {
        Descriptor::new(&self.media_type, self.digest.clone(), self.size)
    }
}

/// All results of a cache, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CacheIndex {
    pub(crate) records: BTreeMap<Digest, Record>,
}

#[derive(Serialize, Deserialize)]
struct Document {
    version: u32,
    records: Vec<Record>,
}

/// Why an index cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unreadable {
    /// It is not what an index is.
    Damaged(String),
    /// A newer tug has written it.
    Newer(u32),
}

impl CacheIndex {
    /// Reads the index of a cache. Of two records with one key the later counts.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, Unreadable> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let damaged = |error: serde_json::Error| Unreadable::Damaged(json_reason(&error));
        let Version { version } = serde_json::from_slice(bytes).map_err(damaged)?;
        if version > VERSION {
            return Err(Unreadable::Newer(version));
        }
        let document: Document = serde_json::from_slice(bytes).map_err(damaged)?;
        if document.records.len() > MOST_RECORDS {
            return Err(Unreadable::Damaged(format!("it has more than {MOST_RECORDS} records")));
        }
        document.records.iter().try_for_each(check).map_err(Unreadable::Damaged)?;
        let records = document.records.into_iter().map(|record| (record.key.clone(), record));
        Ok(Self { records: records.collect() })
    }

    /// The index as it is written: the same records always give the same bytes.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let records = self.records.values().cloned().collect();
        let document = Document { version: VERSION, records };
        serde_json::to_vec(&document).expect("an index has string keys and no failing parts")
    }

    /// Every blob once, in order.
    pub(crate) fn blobs(&self) -> BTreeSet<&Blob> {
        self.records.values().map(|record| &record.blob).collect()
    }

    /// The manifest that holds this index, whose bytes are `encoded`, and its blobs.
    pub(crate) fn manifest(&self, encoded: &[u8]) -> Raw<Manifest> {
        let config = Descriptor::new(INDEX, Digest::of(encoded), encoded.len() as u64);
        let mut layers: Vec<Descriptor> = Vec::new();
        for blob in self.blobs() {
            if layers.last().is_none_or(|last| last.digest != blob.digest) {
                layers.push(blob.descriptor());
            }
        }
        let mut manifest = Manifest::new(config, layers);
        manifest.artifact_type = Some(ARTIFACT.to_owned());
        Raw::encode(manifest)
    }

    /// Drops records whose blob the manifest does not hold: nothing keeps such a blob where it is.
    pub(crate) fn keep_held(&mut self, manifest: &Manifest) {
        let held: BTreeSet<&Digest> = manifest.layers.iter().map(|layer| &layer.digest).collect();
        self.records.retain(|_, record| held.contains(&record.blob.digest));
    }

    /// The blob that holds a layer, if there is one.
    pub(crate) fn blob_of(&self, layer: &DiffId) -> Option<&Blob> {
        self.records.values().find(|record| record.layer == *layer).map(|record| &record.blob)
    }
}

/// Whether a record is one of ours: keys and layers are named by SHA-256, and blobs are layers.
pub(crate) fn check(record: &Record) -> Result<(), String> {
    let Record { key, layer, blob, .. } = record;
    if key.algorithm() != Algorithm::Sha256 || layer.digest().algorithm() != Algorithm::Sha256 {
        return Err(format!("the record `{}` does not use SHA-256", key.short()));
    }
    if !is_layer(&blob.media_type) {
        return Err(format!("the blob of the record `{}` is not a layer", key.short()));
    }
    match record.record {
        Value::Object(_) if has_control(&record.record) => {
            Err(format!("the record `{}` has control characters", key.short()))
        }
        Value::Object(_) => Ok(()),
        _ => Err(format!("the record `{}` is not an object", key.short())),
    }
}

/// Who made a result and when is shown to people.
fn has_control(value: &Value) -> bool {
    let is_control = |text: &str| text.contains(char::is_control);
    match value {
        Value::String(text) => is_control(text),
        Value::Array(items) => items.iter().any(has_control),
        Value::Object(fields) => fields.iter().any(|(name, value)| is_control(name) || has_control(value)),
        _ => false,
    }
}

fn is_layer(media_type: &str) -> bool {
    matches!(
        media_type,
        media_type::OCI_LAYER
            | media_type::OCI_LAYER_GZIP
            | media_type::OCI_LAYER_ZSTD
            | media_type::DOCKER_LAYER
            | media_type::DOCKER_LAYER_GZIP
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A record whose layer and blob are named after `layer`.
    pub(crate) fn record(key: &str, layer: &str, size: u64, used: u64) -> Record {
        Record {
            key: Digest::of(key.as_bytes()),
            record: serde_json::json!({ "layer": layer, "seconds": 1.5 }),
            layer: DiffId::new(Digest::of(layer.as_bytes())),
            blob: Blob {
                media_type: media_type::OCI_LAYER_GZIP.to_owned(),
                digest: Digest::of(format!("blob of {layer}").as_bytes()),
                size,
            },
            used,
        }
    }

    pub(crate) fn index(records: impl IntoIterator<Item = Record>) -> CacheIndex {
        let records = records.into_iter().map(|record| (record.key.clone(), record));
        CacheIndex { records: records.collect() }
    }

    #[test]
    fn what_is_written_is_read_and_always_the_same_bytes() {
        let (one, two) = (record("a", "x", 10, 5), record("b", "y", 20, 6));
        let cache = index([one.clone(), two.clone()]);
        let bytes = cache.encode();
        assert_eq!(CacheIndex::parse(&bytes).unwrap(), cache);
        assert_eq!(index([two, one]).encode(), bytes);
    }

    #[test]
    fn the_manifest_holds_every_blob_once_and_says_what_it_is() {
        let cache = index([record("a", "x", 10, 5), record("b", "x", 10, 5), record("c", "y", 20, 6)]);
        let bytes = cache.encode();
        let manifest = cache.manifest(&bytes);
        assert_eq!(manifest.layers.len(), 2);
        assert_eq!(manifest.artifact_type.as_deref(), Some(ARTIFACT));
        assert_eq!(
            (&manifest.config.digest, manifest.config.size),
            (&Digest::of(&bytes), bytes.len() as u64)
        );
        let parsed = Raw::<Manifest>::parse(manifest.bytes().to_vec()).unwrap();
        let mut held = cache.clone();
        held.keep_held(&parsed);
        assert_eq!(held, cache);
    }

    #[test]
    fn one_digest_with_two_sizes_is_one_layer_of_the_manifest() {
        let cache = index([record("a", "x", 10, 5), record("b", "x", 11, 5)]);
        assert_eq!(cache.manifest(&cache.encode()).layers.len(), 1);
    }

    #[test]
    fn a_record_whose_blob_is_not_held_is_dropped() {
        let mut cache = index([record("a", "x", 10, 5), record("b", "y", 20, 6)]);
        let less = index([record("a", "x", 10, 5)]);
        cache.keep_held(&less.manifest(&less.encode()));
        assert_eq!(cache, less);
    }

    #[test]
    fn a_newer_version_is_told_apart_from_damage() {
        let newer = br#"{"version": 2, "records": {"other": "shape"}}"#;
        assert_eq!(CacheIndex::parse(newer), Err(Unreadable::Newer(2)));
    }

    #[test]
    fn a_hostile_index_is_refused_with_the_reason() {
        let good = serde_json::to_string(&record("a", "x", 10, 5)).unwrap();
        let sha512 = format!("sha512:{}", "a".repeat(128));
        let key = Digest::of(b"a").to_string();
        let layer = Digest::of(b"x").to_string();
        let many = vec![good.as_str(); MOST_RECORDS + 1].join(",");
        let deep = "[".repeat(100_000);
        let mut reasons = Vec::new();
        for records in [
            good.replace(&key, "sha256:../../../../etc/passwd"),
            good.replace(&key, &sha512),
            good.replace(&layer, &sha512),
            good.replace(&layer, "sha256:ABC"),
            good.replace(media_type::OCI_LAYER_GZIP, "text/html"),
            good.replace("\"size\":10", "\"size\":-1"),
            good.replace("\"size\":10", "\"size\":1e400"),
            good.replace("\"used\":5", "\"used\":\"now\""),
            good.replace("{\"layer\":\"x\",\"seconds\":1.5}", "7"),
            good.replace("1.5}", "1.5,\"build\":[{\"a\":\"\\u001b[2J\"}]}"),
            format!("{{\"record\":{deep}"),
            many,
        ] {
            let text = format!("{{\"version\":1,\"records\":[{records}]}}");
            match CacheIndex::parse(text.as_bytes()) {
                Err(Unreadable::Damaged(reason)) => reasons.push(reason),
                other => panic!("{text:.200}: {other:?}"),
            }
        }
        assert!(
            reasons.iter().all(|reason| reason.len() < 300 && !reason.contains("struct")),
            "{reasons:#?}"
        );
        for text in ["", "[]", "{}", "null", r#"{"version":1}"#, r#"{"version":-1,"records":[]}"#] {
            assert!(matches!(CacheIndex::parse(text.as_bytes()), Err(Unreadable::Damaged(_))), "{text}");
        }
    }

    #[test]
    fn a_blob_cannot_name_other_places() {
        let record = serde_json::to_value(record("a", "x", 10, 5)).unwrap();
        let mut with_urls = record.clone();
        with_urls["blob"]["urls"] = serde_json::json!(["http://169.254.169.254/"]);
        let parsed: Record = serde_json::from_value(with_urls).unwrap();
        assert!(parsed.blob.descriptor().urls.is_empty());
        assert_eq!(serde_json::to_value(parsed).unwrap(), record);
    }
}
