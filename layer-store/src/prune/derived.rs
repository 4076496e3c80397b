//! Forms of layers that can be made again from another one that stays.
//!
//! | form                  | goes when there is                                   | and stays when                                   |
//! | --------------------- | ---------------------------------------------------- | ------------------------------------------------ |
//! | plain tar             | the compressed blob that the layer came as           | an index lies over it, or a manifest names it    |
//! | tree, with its additions for chains | the plain tar, or the compressed blob  |                                                  |
//!
//! A record says first that a form is gone, then the form goes: half a tree is never taken for a whole one.

use std::collections::HashSet;
use std::path::PathBuf;

use serde_json::Value;
use tug_oci::{Algorithm, DiffId, Digest};

use super::plan::{Planned, Prunable, Why};
use crate::error::Result;
use crate::file;
use crate::garbage::{digest_of_name, names_in};
use crate::image::DOCUMENT_LIMIT;
use crate::layer::Record;
use crate::store::Store;
use crate::usage::{DiskSize, folder_size};

const SUBFOLDERS: [&str; 2] = ["tree", "implied"];

impl Store {
    /// The forms that can go. Nobody may be making layers meanwhile; else this is only what could go.
    pub(super) fn derivable_forms(&self) -> Result<Vec<Planned>> {
        let needed = self.needed_as_blobs()?;
        let mut forms = Vec::new();
        for folder in names_in(&self.path("layers"))? {
            self.go_on()?;
            let Some(digest) = digest_of_name(Algorithm::Sha256, &folder) else { continue };
            let diff_id = DiffId::new(digest);
            let Some(record) = Record::read(&folder)?.filter(|record| record.diff_id == diff_id) else {
                continue;
            };
            let came_as = record.blob.as_ref().filter(|blob| blob.digest != *diff_id.digest());
            let has_blob = match came_as {
                Some(blob) => self.blob_size(&blob.digest)? == Some(blob.size),
                None => false,
            };
            let tar = self.blob_path(diff_id.digest());
            let has_tar = self.blob_size(diff_id.digest())? == Some(record.tar_size);
            let planned = |what, size: DiskSize| Planned {
                what,
                bytes: size.allocated,
                used: None,
                why: Why::Derivable,
            };
            let tree: DiskSize = SUBFOLDERS.iter().map(|name| folder_size(&folder.join(name)).size).sum();
            if tree.allocated > 0 && (has_blob || has_tar) {
                forms.push(planned(Prunable::Tree(diff_id.clone()), tree));
            }
            if has_tar && has_blob && record.index.is_none() && !needed.contains(diff_id.digest()) {
                forms.push(planned(Prunable::PlainTar(diff_id), DiskSize::at(&tar)));
            }
        }
        Ok(forms)
    }

    /// Removes the tree of a layer, with what was made for chains.
    pub(super) fn remove_tree(&self, diff_id: &DiffId) -> Result<()> {
        let _lock = self.lock_layer(diff_id)?;
        let folder = self.layer_folder(diff_id);
        let Some(record) = Record::read(&folder)? else { return Ok(()) };
        if record.tree.is_some() {
            Record { tree: None, ..record }.write(&folder)?;
        }
        for name in SUBFOLDERS {
            self.trash().bury(&folder.join(name))?;
        }
        Ok(())
    }

    /// Everything that documents name as a blob: a config names layers too, but by what is in them.
    fn needed_as_blobs(&self) -> Result<HashSet<Digest>> {
        let mut needed = HashSet::new();
        let mut add = |bytes: &[u8]| match serde_json::from_slice::<Value>(bytes) {
            Ok(document) => descriptors(&document, &mut needed),
            // What cannot be understood may mean anything.
            Err(_) => needed.extend(crate::garbage::digests_in(bytes)),
        };
        let mut files: Vec<PathBuf> = vec![self.path("index.json")];
        files.extend(self.record_files()?);
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            for path in names_in(&self.path("blobs").join(algorithm.name()))? {
                let Some(digest) = digest_of_name(algorithm, &path) else { continue };
                if self.begins_as_document(&digest)? {
                    files.push(path);
                }
            }
        }
        for path in files {
            if let Some(bytes) = file::read_small(&path, 4 * DOCUMENT_LIMIT)? {
                add(&bytes);
            }
        }
        Ok(needed)
    }
}

/// Whatever is called `digest` in a document, or in a part of it.
fn descriptors(value: &Value, found: &mut HashSet<Digest>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| descriptors(item, found)),
        Value::Object(fields) => {
            found.extend(fields.get("digest").and_then(Value::as_str).and_then(|text| text.parse().ok()));
            fields.values().for_each(|item| descriptors(item, found));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
