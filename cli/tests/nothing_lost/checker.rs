//! Looks at a store from outside and says everything that is wrong in it.
//!
//! | what                    | when it is right                                                              |
//! | ----------------------- | ----------------------------------------------------------------------------- |
//! | `index.json`            | it is JSON; each entry leads to a manifest                                     |
//! | a manifest              | it, its config and its layers are there, all with the size that is told        |
//! | a blob                  | its bytes have the digest that is its name                                     |
//! | the record of a layer   | its plain tar or the blob it came as is there                                  |
//! | a table of contents     | it can be read, and each file has the digest that it says, in the plain tar    |
//! | a tree                  | each of its files has the size that the table says                             |
//!
//! It opens no store: whatever else is in the folder of a layer makes no difference to it.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tug_layer_store::{Decompressed, DecompressionLimits, EntryKind, Toc};
use tug_oci::{Algorithm, Digest, Hasher};

/// Everything that is wrong in the store at `root`; nothing when it is whole.
pub(crate) fn check(root: &Path) -> Vec<String> {
    let mut checker = Checker { root: root.to_owned(), findings: Vec::new(), seen: HashSet::new() };
    checker.check_index_of(None);
    checker.check_blobs();
    checker.check_layers();
    checker.findings
}

/// Everything that is wrong with the image called `name`, or below it, in the store at `root`.
pub(crate) fn check_image(root: &Path, name: &str) -> Vec<String> {
    let mut checker = Checker { root: root.to_owned(), findings: Vec::new(), seen: HashSet::new() };
    checker.check_index_of(Some(name));
    let mut seen: Vec<String> = checker.seen.iter().cloned().collect();
    seen.sort();
    for digest in seen {
        // One that is not there was told already.
        let Ok(mut blob) = File::open(checker.blob(&digest)) else { continue };
        if digest_of(&mut blob).to_string() != digest {
            checker.wrong(format!("{digest} has other bytes"));
        }
    }
    checker.findings
}

/// Every name in the store, and the digest that it leads to.
pub(crate) fn names(root: &Path) -> BTreeMap<String, String> {
    let bytes = fs::read(root.join("index.json")).unwrap_or_default();
    let index: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let entries = index["manifests"].as_array().cloned().unwrap_or_default();
    let named = entries.iter().filter_map(|entry| {
        let name = entry["annotations"]["org.opencontainers.image.ref.name"].as_str()?;
        Some((name.to_owned(), entry["digest"].as_str()?.to_owned()))
    });
    named.collect()
}

struct Checker {
    root: PathBuf,
    findings: Vec<String>,
    seen: HashSet<String>,
}

impl Checker {
    fn wrong(&mut self, what: impl Into<String>) {
        self.findings.push(what.into());
    }

    fn blob(&self, digest: &str) -> PathBuf {
        self.root.join("blobs").join(digest.replace(':', "/"))
    }

    /// What a name leads to, which must be there; what all of them lead to when there is none.
    fn check_index_of(&mut self, wanted: Option<&str>) {
        let bytes = match fs::read(self.root.join("index.json")) {
            Ok(bytes) => bytes,
            Err(error) => return self.wrong(format!("index.json: {error}")),
        };
        let index: Value = match serde_json::from_slice(&bytes) {
            Ok(index) => index,
            Err(error) => return self.wrong(format!("index.json: {error}")),
        };
        let mut found = false;
        for entry in index["manifests"].as_array().into_iter().flatten() {
            let name = entry["annotations"]["org.opencontainers.image.ref.name"].as_str();
            if wanted.is_none() || wanted == name {
                found = true;
                self.check_reachable(entry, "index.json");
            }
        }
        if let Some(name) = wanted.filter(|_| !found) {
            self.wrong(format!("{name} leads nowhere"));
        }
    }

    /// A descriptor, and all that it leads to.
    fn check_reachable(&mut self, descriptor: &Value, from: &str) {
        let Some(digest) = descriptor["digest"].as_str() else {
            return self.wrong(format!("{from}: {descriptor} has no digest"));
        };
        let size = fs::metadata(self.blob(digest)).map(|metadata| metadata.len());
        match size {
            Ok(size) if descriptor["size"].as_u64() == Some(size) => {}
            Ok(size) => self.wrong(format!("{from}: {digest} has {size} bytes: {descriptor}")),
            Err(error) => return self.wrong(format!("{from}: {digest}: {error}")),
        }
        if !self.seen.insert(digest.to_owned()) {
            return;
        }
        let kind = descriptor["mediaType"].as_str().unwrap_or_default();
        if !["manifest", "index"].iter().any(|word| kind.contains(word)) {
            return;
        }
        let document: Value = match serde_json::from_slice(&fs::read(self.blob(digest)).unwrap_or_default()) {
            Ok(document) => document,
            Err(error) => return self.wrong(format!("{digest}: {error}")),
        };
        let below = ["manifests", "layers"].iter().filter_map(|list| document[list].as_array()).flatten();
        for descriptor in below.chain(document.get("config")) {
            self.check_reachable(descriptor, digest);
        }
    }

    fn check_blobs(&mut self) {
        for path in names_in(&self.root.join("blobs/sha256")) {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // `tug settle` may collect garbage meanwhile, which nothing leads to.
            let Ok(mut blob) = File::open(&path) else { continue };
            match digest_of(&mut blob) {
                digest if digest.hex() == name => {}
                digest => self.wrong(format!("the blob {name} is {digest}")),
            }
        }
    }

    fn check_layers(&mut self) {
        for folder in names_in(&self.root.join("layers")) {
            if let Err(what) = self.check_layer(&folder)
                && folder.exists()
            {
                self.wrong(format!("{}: {what}", folder.display()));
            }
        }
    }

    fn check_layer(&self, folder: &Path) -> Result<(), String> {
        let text = |error: std::io::Error| error.to_string();
        let bytes = fs::read(folder.join("record.json")).map_err(|error| format!("record: {error}"))?;
        let record: Value = serde_json::from_slice(&bytes).map_err(|error| format!("record: {error}"))?;
        let diff_id = record["diff_id"].as_str().unwrap_or_default();
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if diff_id != format!("sha256:{name}") {
            return Err(format!("the record is of {diff_id}"));
        }
        let toc = fs::read(folder.join("toc")).map_err(|error| format!("toc: {error}"))?;
        let toc = Toc::from_bytes(toc).map_err(|error| format!("toc: {error}"))?;
        let mut tar = Vec::new();
        match File::open(self.blob(diff_id)) {
            Ok(mut plain) => drop(plain.read_to_end(&mut tar).map_err(text)?),
            Err(_) => {
                let blob = record["blob"]["digest"].as_str().ok_or("there is no tar, and no blob is told")?;
                let blob = File::open(self.blob(blob)).map_err(|error| format!("{blob}: {error}"))?;
                let mut plain = Decompressed::new(blob, DecompressionLimits::default()).map_err(text)?;
                plain.read_to_end(&mut tar).map_err(text)?;
            }
        }
        if digest_of(&mut tar.as_slice()).hex() != name {
            return Err("its tar is another one".to_owned());
        }
        let tree = Some(folder.join("tree")).filter(|_| !record["tree"].is_null());
        for entry in toc.entries() {
            let EntryKind::File { size, digest, offset } = &entry.kind else { continue };
            let path = String::from_utf8_lossy(&entry.path).into_owned();
            let (start, length) = (usize::try_from(*offset).unwrap(), usize::try_from(*size).unwrap());
            let content =
                tar.get(start..start + length).ok_or_else(|| format!("{path} is beyond the tar"))?;
            if digest_of(&mut &*content) != *digest {
                return Err(format!("{path} is not what the table says"));
            }
            let in_tree = tree.as_ref().map(|tree| fs::symlink_metadata(tree.join(&path)));
            match in_tree {
                Some(Err(error)) => return Err(format!("{path} in the tree: {error}")),
                Some(Ok(found)) if found.len() != *size => {
                    return Err(format!("{path} in the tree is short"));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What is in a folder; nothing when there is none.
pub(crate) fn names_in(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

fn digest_of(source: &mut dyn Read) -> Digest {
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = [0; 64 << 10];
    loop {
        match source.read(&mut buffer) {
            Ok(0) | Err(_) => return hasher.finish(),
            Ok(count) => hasher.update(&buffer[..count]),
        }
    }
}
