//! An index that is being made. Fields that we do not know stay as they are.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use tug_layer_store::Store;
use tug_oci::{Descriptor, Digest, Reference, media_type};

use crate::error::CommandError;

/// A list of images.
#[derive(Debug)]
pub(super) struct List {
    media_type: String,
    value: Map<String, Value>,
    /// As it is in the store.
    bytes: Vec<u8>,
}

/// Of a document.
const LIMIT: u64 = 16 << 20;

impl List {
    /// An empty one.
    pub(super) fn new(media_type: &str) -> Self {
        let value = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": [] });
        let value = value.as_object().cloned().unwrap_or_default();
        Self { media_type: media_type.to_owned(), value, bytes: Vec::new() }
    }

    /// The list of this name in the store; an error if there is none.
    pub(super) fn open(store: &Store, name: &Reference) -> Result<Self, CommandError> {
        match Self::find(store, name)? {
            Some(list) => Ok(list),
            None if store.resolve(name)?.is_some() => {
                Err(CommandError::failed(format_args!("`{}` is an image, not a list", name.familiar()))
                    .hint(format!("`tug manifest create NAME {}` makes a list of it", name.familiar())))
            }
            None => Err(no_such(name)),
        }
    }

    /// The list of this name in the store, if there is one.
    pub(super) fn find(store: &Store, name: &Reference) -> Result<Option<Self>, CommandError> {
        let target = store.resolve(name)?.filter(|target| media_type::is_index(&target.media_type));
        let Some(target) = target else { return Ok(None) };
        let bytes = store.read_blob(&target.digest, LIMIT)?;
        match serde_json::from_slice::<Value>(&bytes) {
            Ok(Value::Object(value)) if value.get("manifests").is_some_and(Value::is_array) => {
                Ok(Some(Self { media_type: target.media_type, value, bytes }))
            }
            _ => Err(CommandError::failed(format_args!("`{}` is not a list of images", name.familiar()))),
        }
    }

    /// Writes it into the store, under its name.
    pub(super) fn save(&self, store: &Store, name: &Reference) -> Result<Digest, CommandError> {
        let bytes = Value::Object(self.value.clone()).to_string();
        let digest = store.write_blob(bytes.as_bytes())?;
        store.tag(name, &Descriptor::new(&self.media_type, digest.clone(), bytes.len() as u64))?;
        Ok(digest)
    }

    /// As it was read.
    pub(super) fn bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The digests of its images.
    pub(super) fn digests(&self) -> impl Iterator<Item = Digest> + '_ {
        self.entries().iter().filter_map(digest_of)
    }

    /// Adds an image, in the place of the same one if it is there.
    pub(super) fn put(&mut self, entry: &Descriptor) {
        let value = json!(entry);
        match self.entries_mut().iter_mut().find(|old| digest_of(old).as_ref() == Some(&entry.digest)) {
            Some(old) => *old = value,
            None => self.entries_mut().push(value),
        }
    }

    /// Takes an image out.
    pub(super) fn remove(&mut self, digest: &Digest) {
        self.entries_mut().retain(|entry| digest_of(entry).as_ref() != Some(digest));
    }

    /// Changes what is said of an image.
    pub(super) fn change(
        &mut self,
        digest: &Digest,
        change: impl FnOnce(&mut Descriptor) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let Some(old) = self.entries_mut().iter_mut().find(|old| digest_of(old).as_ref() == Some(digest))
        else {
            return Ok(());
        };
        let mut entry: Descriptor = serde_json::from_value(old.clone())
            .map_err(|error| CommandError::failed("an entry of the list cannot be read").because(&error))?;
        change(&mut entry)?;
        if let (Value::Object(old), Value::Object(new)) = (old, json!(entry)) {
            old.extend(new);
        }
        Ok(())
    }

    /// Adds annotations to the list itself.
    pub(super) fn annotate(&mut self, annotations: &BTreeMap<String, String>) {
        if annotations.is_empty() {
            return;
        }
        let own = self.value.entry("annotations").or_insert_with(|| json!({}));
        if let Value::Object(own) = own {
            own.extend(annotations.iter().map(|(name, value)| (name.clone(), value.clone().into())));
        }
    }

    fn entries(&self) -> &[Value] {
        self.value.get("manifests").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    fn entries_mut(&mut self) -> &mut Vec<Value> {
        let entries = self.value.entry("manifests").or_insert_with(|| json!([]));
        if !entries.is_array() {
            *entries = json!([]);
        }
        entries.as_array_mut().expect("it was made one")
    }
}

/// The error that says that there is none.
pub(super) fn no_such(name: &Reference) -> CommandError {
    CommandError::failed(format_args!("no list `{}` in the store", name.familiar()))
        .hint(format!("`tug manifest create {}` makes one", name.familiar()))
}

fn digest_of(entry: &Value) -> Option<Digest> {
    entry.get("digest")?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(text: &str) -> Descriptor {
        Descriptor::new(media_type::OCI_MANIFEST, Digest::of(text.as_bytes()), 1)
    }

    #[test]
    fn an_image_is_in_a_list_once_and_unknown_fields_stay() {
        let mut list = List::new(media_type::OCI_INDEX);
        list.put(&entry("a"));
        list.put(&entry("b"));
        list.entries_mut()[0]["more"] = json!(1);
        let digest = entry("a").digest;
        list.change(&digest, |entry| {
            entry.annotations.insert("x".to_owned(), "y".to_owned());
            Ok(())
        })
        .unwrap();
        assert_eq!(list.entries()[0]["more"], 1);
        assert_eq!(list.entries()[0]["annotations"]["x"], "y");
        list.put(&entry("b"));
        assert_eq!(list.digests().count(), 2);
        list.remove(&digest);
        assert_eq!(list.digests().collect::<Vec<_>>(), [entry("b").digest]);
    }
}
