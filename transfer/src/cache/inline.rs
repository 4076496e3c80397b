//! A cache inside an image: the results of the steps whose layers the image has.
//!
//! They are in a field of the config, [`FIELD`], as BuildKit has its own in another one: other tools keep fields that they
//! do not know, and every tool that moves an image keeps its config byte for byte, which is not so for annotations. A
//! record names its layer by its place among the layers, so it stays right when the layers are compressed otherwise.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tug_layer_store::ExportedResult;
use tug_oci::{Descriptor, Digest, ImageConfig, json_reason};

use super::index::{Blob, MOST_RECORDS, Record, Unreadable, check};

/// The field of the config.
pub const FIELD: &str = "tug.cache.v1";

#[derive(Serialize, Deserialize)]
struct Inlined {
    key: Digest,
    record: Value,
    layer: usize,
}

/// Puts the results whose layers the image has into its config, in place of what its base brought along. Nothing else
/// changes. The digest of the config is another one afterwards.
pub fn embed(config: &mut ImageConfig, results: &[ExportedResult]) {
    let layers = &config.rootfs.diff_ids;
    let mut records = Vec::new();
    for (place, layer) in layers.iter().enumerate() {
        // Two steps may have made the same layer.
        if layers[..place].contains(layer) {
            continue;
        }
        for result in results.iter().filter(|result| result.layer == *layer) {
            let Ok(record @ Value::Object(_)) = serde_json::from_slice(&result.record) else { continue };
            records.push(Inlined { key: result.key.clone(), record, layer: place });
        }
    }
    config.other.remove(FIELD);
    if !records.is_empty() {
        let value = serde_json::to_value(records).expect("records have string keys and no failing parts");
        config.other.insert(FIELD.to_owned(), value);
    }
}

/// The results inside an image whose manifest has these `layers`; `None` when it has no cache. A record that does not fit
/// the image is none.
pub(crate) fn read(config: &ImageConfig, layers: &[Descriptor]) -> Result<Option<Vec<Record>>, Unreadable> {
    let Some(field) = config.other.get(FIELD) else { return Ok(None) };
    let damaged = |error: serde_json::Error| Unreadable::Damaged(json_reason(&error));
    let inlined: Vec<Inlined> = serde_json::from_value(field.clone()).map_err(damaged)?;
    if inlined.len() > MOST_RECORDS {
        return Err(Unreadable::Damaged(format!("it has more than {MOST_RECORDS} records")));
    }
    let records = inlined.into_iter().filter_map(|inlined| {
        let layer = config.rootfs.diff_ids.get(inlined.layer)?.clone();
        let blob = layers.get(inlined.layer)?;
        let Inlined { key, record, .. } = inlined;
        let record = Record { key, record, layer, blob: Blob::from(blob), used: 0 };
        check(&record).is_ok().then_some(record)
    });
    Ok(Some(records.collect()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tug_oci::{DiffId, Platform, media_type};

    use super::*;

    fn layer(name: &str) -> DiffId {
        DiffId::new(Digest::of(name.as_bytes()))
    }

    fn result(key: &str, of: &str) -> ExportedResult {
        ExportedResult {
            key: Digest::of(key.as_bytes()),
            record: br#"{"seconds":1.5}"#.to_vec(),
            layer: layer(of),
            blob: None,
            in_image: true,
        }
    }

    fn config(layers: &[&str]) -> ImageConfig {
        let mut config = ImageConfig::empty(Platform::linux("amd64"));
        config.rootfs.diff_ids = layers.iter().map(|name| layer(name)).collect();
        config
    }

    fn blobs(count: usize) -> Vec<Descriptor> {
        let blob = |number: usize| Digest::of(format!("blob {number}").as_bytes());
        (0..count).map(|number| Descriptor::new(media_type::OCI_LAYER_GZIP, blob(number), 10)).collect()
    }

    #[test]
    fn what_is_embedded_is_read_with_the_blobs_that_the_image_has_now() {
        let mut image = config(&["base", "one", "two", "one"]);
        let before = serde_json::to_value(&image).unwrap();
        embed(&mut image, &[result("b", "two"), result("a", "one"), result("c", "elsewhere")]);
        let mut without = serde_json::to_value(&image).unwrap();
        without.as_object_mut().unwrap().remove(FIELD).unwrap();
        assert_eq!(without, before);

        let bytes = serde_json::to_vec(&image).unwrap();
        let image: ImageConfig = serde_json::from_slice(&bytes).unwrap();
        let layers = blobs(4);
        let records = read(&image, &layers).unwrap().unwrap();
        let found: Vec<_> = records.iter().map(|record| (&record.layer, record.blob.descriptor())).collect();
        assert_eq!(found, [(&layer("one"), layers[1].clone()), (&layer("two"), layers[2].clone())]);
        assert_eq!(records[0].record, json!({"seconds": 1.5}));
    }

    #[test]
    fn an_image_without_results_has_no_field_and_one_of_the_base_goes() {
        let mut image = config(&["base"]);
        assert_eq!(read(&image, &blobs(1)), Ok(None));
        image.other.insert(FIELD.to_owned(), json!([]));
        embed(&mut image, &[result("a", "elsewhere")]);
        assert!(!image.other.contains_key(FIELD));
    }

    #[test]
    fn what_does_not_fit_the_image_is_no_record() {
        let mut image = config(&["one"]);
        let key = Digest::of(b"a");
        let mut layers = blobs(1);
        image.other.insert(FIELD.to_owned(), json!([{"key": key, "record": {}, "layer": 7}]));
        assert_eq!(read(&image, &layers), Ok(Some(Vec::new())));
        image.other.insert(FIELD.to_owned(), json!([{"key": key, "record": {"a": "\u{1b}[2J"}, "layer": 0}]));
        assert_eq!(read(&image, &layers), Ok(Some(Vec::new())));
        layers[0].media_type = "text/html".to_owned();
        image.other.insert(FIELD.to_owned(), json!([{"key": key, "record": {}, "layer": 0}]));
        assert_eq!(read(&image, &layers), Ok(Some(Vec::new())));
        for damaged in [json!(7), json!([7]), json!([{"key": "../x", "record": {}, "layer": 0}])] {
            image.other.insert(FIELD.to_owned(), damaged.clone());
            assert!(matches!(read(&image, &layers), Err(Unreadable::Damaged(_))), "{damaged}");
        }
    }
}
