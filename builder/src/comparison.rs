//! Compares two images that should be the same: of two builds of one Dockerfile.

use serde_json::Value;
use tug_layer_store::{Image, LayerDifference, Store};
use tug_oci::DiffId;

use crate::error::Error;

/// How two images differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// The layers that are not the same in both, lowest first.
    pub layers: Vec<DifferentLayer>,
    /// The number of layers in the first image and in the second.
    pub counts: (usize, usize),
    /// The fields of the config that are not the same in both, those that name the layers left out.
    pub fields: Vec<DifferentField>,
}

/// A layer that is not the same in both images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferentLayer {
    /// Its number, from 1, lowest first.
    pub number: usize,
    /// What made it, as the history says.
    pub made_by: String,
    /// Its name in the first image and in the second.
    pub diff_ids: (DiffId, DiffId),
    /// How they differ; `None` when they have the same entries in another tar.
    pub difference: Option<LayerDifference>,
}

/// A field of the config that is not the same in both images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DifferentField {
    /// For example `created` or `history[2].created_by`.
    pub name: String,
    /// Its value in the first image, as JSON; `None` when it is not there.
    pub first: Option<String>,
    /// The same in the second image.
    pub second: Option<String>,
}

impl Comparison {
    /// Compares two images, layer by layer and field by field.
    pub fn of(store: &Store, first: &Image, second: &Image) -> Result<Self, Error> {
        let mut layers = Vec::new();
        let pairs = first.diff_ids().iter().zip(second.diff_ids()).enumerate();
        for (number, (one, other)) in pairs.filter(|(_, (one, other))| one != other) {
            layers.push(DifferentLayer {
                number: number + 1,
                made_by: made_by(first, number),
                diff_ids: (one.clone(), other.clone()),
                difference: store.compare_layers(one, other)?,
            });
        }
        let mut fields = Vec::new();
        compare(&config(first), &config(second), "", &mut fields);
        Ok(Self { layers, counts: (first.diff_ids().len(), second.diff_ids().len()), fields })
    }

    /// Whether there is no difference.
    pub fn is_same(&self) -> bool {
        self.layers.is_empty() && self.fields.is_empty() && self.counts.0 == self.counts.1
    }
}

/// The line of the history that belongs to a layer; empty when the history does not tell.
fn made_by(image: &Image, layer: usize) -> String {
    let with_layers = image.config.history.iter().filter(|line| !line.empty_layer);
    match with_layers.clone().count() == image.diff_ids().len() {
        true => with_layers.clone().nth(layer).and_then(|line| line.created_by.clone()).unwrap_or_default(),
        false => String::new(),
    }
}

fn config(image: &Image) -> Value {
    let mut value = serde_json::to_value(&*image.config).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("rootfs");
    }
    value
}

/// Adds the smallest fields that differ, each with the path that leads to it.
fn compare(first: &Value, second: &Value, path: &str, found: &mut Vec<DifferentField>) {
    let text = |value: &Value| Some(value.to_string()).filter(|_| !value.is_null());
    match (first, second) {
        (Value::Object(one), Value::Object(other)) => {
            let names = one.keys().chain(other.keys().filter(|name| !one.contains_key(*name)));
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let of = |map: &serde_json::Map<String, Value>| map.get(name).cloned().unwrap_or_default();
                compare(&of(one), &of(other), &path, found);
            }
        }
        (Value::Array(one), Value::Array(other)) => {
            for place in 0..one.len().max(other.len()) {
                let of = |list: &[Value]| list.get(place).cloned().unwrap_or_default();
                compare(&of(one), &of(other), &format!("{path}[{place}]"), found);
            }
        }
        (one, other) if one == other => {}
        (one, other) => {
            let (first, second) = (text(one), text(other));
            found.push(DifferentField { name: path.to_owned(), first, second });
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_smallest_fields_that_differ_are_named() {
        let first =
            json!({"created": "1", "config": {"Env": ["A=1", "B=2"], "Labels": {"x": "1"}}, "os": "linux"});
        let second = json!({"created": "2", "config": {"Env": ["A=1", "B=3", "C"]}, "os": "linux"});
        let mut found = Vec::new();
        compare(&first, &second, "", &mut found);
        let lines: Vec<String> = found
            .iter()
            .map(|field| {
                let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
                format!("{} {} {}", field.name, value(&field.first), value(&field.second))
            })
            .collect();
        assert_eq!(
            lines,
            [
                r#"created "1" "2""#,
                r#"config.Env[1] "B=2" "B=3""#,
                r#"config.Env[2] - "C""#,
                r#"config.Labels {"x":"1"} -"#
            ]
        );
    }
}
