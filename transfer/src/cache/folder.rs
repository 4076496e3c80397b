//! A cache in a folder: an OCI image layout, which `skopeo` and others copy.
//!
//! Several processes may read and write it at once:
//!
//! - A blob is written under another name and renamed when it is whole; nobody sees half of one.
//! - `index.json` is replaced by a rename, under a lock of the file [`LOCK`], after all that it leads to.
//! - A blob that nothing leads to any more stays for [`GRACE`]: somebody may have just read an index that leads to it, or
//!   be about to write one.
//!
//! What is not ours in the index, such as images that other tools have put there, stays as it is.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tug_oci::{Algorithm, Descriptor, Digest, Hasher, REF_NAME, media_type};

use super::error::{CacheError, Result};
use super::index::Blob;

/// Held while `index.json` is replaced. The kernel takes it back when a process ends.
const LOCK: &str = ".tug-cache.lock";
/// How long a blob stays that nothing leads to any more.
pub(crate) const GRACE: Duration = Duration::from_secs(60 * 60);
/// The largest document that is read here.
pub(crate) const DOCUMENT_LIMIT: u64 = 4 * 1024 * 1024;
const TEMPORARY: &str = ".tmp-";

/// A folder with a cache, or one that will have one.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(crate) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What has this tag. `None` when there is nothing, or no layout at all.
    pub(crate) fn tagged(&self, tag: &str) -> Result<Option<Descriptor>> {
        let Some(index) = self.index()? else { return Ok(None) };
        let entry = entries(&index).iter().find(|entry| tag_of(entry) == Some(tag));
        match entry.map(|entry| serde_json::from_value(entry.clone())) {
            None => Ok(None),
            Some(Ok(descriptor)) => Ok(Some(descriptor)),
            Some(Err(error)) => Err(self.damaged("index.json", &tug_oci::json_reason(&error))),
        }
    }

    /// A small blob, checked. `None` when it is not there.
    pub(crate) fn document(&self, digest: &Digest, limit: u64) -> Result<Option<Vec<u8>>> {
        let path = self.blob_path(digest);
        let Some(file) = open_file(&path, None) else { return Ok(None) };
        let mut bytes = Vec::new();
        let read = file.take(limit + 1).read_to_end(&mut bytes);
        read.map_err(CacheError::folder("read", &path))?;
        if bytes.len() as u64 > limit {
            return Err(self.damaged(digest.short(), "it is too large"));
        }
        let mut hasher = Hasher::new(digest.algorithm());
        hasher.update(&bytes);
        match hasher.finish() == *digest {
            true => Ok(Some(bytes)),
            false => Err(self.damaged(digest.short(), "its content has another digest")),
        }
    }

    /// A blob, unchecked; only one of this size, where one is given.
    pub(crate) fn open(&self, digest: &Digest, size: Option<u64>) -> Option<File> {
        open_file(&self.blob_path(digest), size)
    }

    pub(crate) fn has(&self, blob: &Blob) -> bool {
        self.open(&blob.digest, Some(blob.size)).is_some()
    }

    /// Writes a blob and returns its digest and size. `from` is read to its end.
    pub(crate) fn put(&self, from: &mut dyn Read) -> Result<(Digest, u64)> {
        let folder = self.path.join("blobs/sha256");
        fs::create_dir_all(&folder).map_err(CacheError::folder("create", &folder))?;
        let mut temporary = Temporary::create(&folder)?;
        let mut hasher = Hasher::sha256();
        let mut buffer = vec![0; 1 << 20];
        let mut size = 0;
        loop {
            let count = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(CacheError::folder("write a blob to", &folder)(error)),
            };
            hasher.update(&buffer[..count]);
            temporary.write(&buffer[..count])?;
            size += count as u64;
        }
        let digest = hasher.finish();
        temporary.keep_as(&self.blob_path(&digest))?;
        Ok((digest, size))
    }

    /// Waits until nobody else replaces the index, and keeps others from it until the answer is dropped.
    pub(crate) fn lock(&self) -> Result<File> {
        fs::create_dir_all(&self.path).map_err(CacheError::folder("create", &self.path))?;
        let path = self.path.join(LOCK);
        let opened = File::options().write(true).create(true).truncate(false).open(&path);
        let locked = opened.and_then(|file| file.lock().map(|()| file));
        locked.map_err(CacheError::folder("lock", path))
    }

    /// Gives a manifest a tag. All that it leads to is there already; the lock is held.
    pub(crate) fn tag(&self, tag: &str, manifest: &Descriptor) -> Result<()> {
        let mut index = self.index()?.unwrap_or_else(
            || json!({"schemaVersion": 2, "mediaType": media_type::OCI_INDEX, "manifests": []}),
        );
        let mut entry = serde_json::to_value(manifest).expect("a descriptor has no failing parts");
        entry["annotations"][REF_NAME] = json!(tag);
        let manifests = index["manifests"].as_array_mut().expect("it was checked when it was read");
        match manifests.iter_mut().find(|entry| tag_of(entry) == Some(tag)) {
            Some(known) => *known = entry,
            None => manifests.push(entry),
        }
        let bytes = serde_json::to_vec(&index).expect("JSON stays JSON");
        self.replace("oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#)?;
        self.replace("index.json", &bytes)
    }

    /// Removes blobs that nothing has led to since [`GRACE`]; those of `before`, which the index led to until now, count
    /// from now. The lock is held. When anything cannot be read, nothing is removed. Returns how many bytes are gone.
    pub(crate) fn collect_garbage(&self, before: &BTreeSet<Digest>, grace: Duration) -> Result<u64> {
        let Some(index) = self.index()? else { return Ok(0) };
        let mut reachable = BTreeSet::new();
        let mut pending = digests_in(&index);
        if pending.iter().any(|digest| self.open(digest, None).is_none()) {
            // What that one leads to is not known.
            return Ok(0);
        }
        while let Some(digest) = pending.pop() {
            if !reachable.insert(digest.clone()) {
                continue;
            }
            let Some(mut file) = self.open(&digest, None) else { continue };
            let unreadable = CacheError::folder("read", self.blob_path(&digest));
            let mut bytes = Vec::new();
            let size = file.metadata().map_or(u64::MAX, |metadata| metadata.len());
            if size > super::index::INDEX_LIMIT {
                continue;
            }
            let mut first = [0];
            let begins =
                file.read(&mut first).map_err(CacheError::folder("read", self.blob_path(&digest)))?;
            if begins == 1 && (first[0] == b'{' || first[0].is_ascii_whitespace()) {
                bytes.push(first[0]);
                file.read_to_end(&mut bytes).map_err(unreadable)?;
                if let Ok(document) = serde_json::from_slice::<Value>(&bytes) {
                    pending.extend(digests_in(&document));
                }
            }
        }
        let folder = self.path.join("blobs/sha256");
        let listed = fs::read_dir(&folder).map_err(CacheError::folder("read", &folder))?;
        let mut gone = 0;
        for entry in listed {
            let entry = entry.map_err(CacheError::folder("read", &folder))?;
            let name = entry.file_name();
            let digest = digest_of(&name);
            let is_ours = digest.is_some() || name.to_string_lossy().starts_with(TEMPORARY);
            if !is_ours || digest.as_ref().is_some_and(|digest| reachable.contains(digest)) {
                continue;
            }
            if digest.is_some_and(|digest| before.contains(&digest)) {
                // From now on it is left over.
                let opened = File::options().append(true).open(entry.path());
                let _ = opened.and_then(|file| file.set_modified(SystemTime::now()));
                if !grace.is_zero() {
                    continue;
                }
            }
            let Ok(metadata) = entry.metadata() else { continue };
            let age = metadata.modified().ok().and_then(|modified| modified.elapsed().ok());
            if metadata.is_file()
                && age.is_some_and(|age| age >= grace)
                && fs::remove_file(entry.path()).is_ok()
            {
                gone += metadata.len();
            }
        }
        Ok(gone)
    }

    fn index(&self) -> Result<Option<Value>> {
        let path = self.path.join("index.json");
        let Some(file) = open_file(&path, None) else { return Ok(None) };
        let mut bytes = Vec::new();
        let read = file.take(DOCUMENT_LIMIT + 1).read_to_end(&mut bytes);
        read.map_err(CacheError::folder("read", &path))?;
        if bytes.len() as u64 > DOCUMENT_LIMIT {
            return Err(self.damaged("index.json", "it is too large"));
        }
        let index: Value = serde_json::from_slice(&bytes)
            .map_err(|error| self.damaged("index.json", &tug_oci::json_reason(&error)))?;
        match index.get("manifests").is_some_and(Value::is_array) {
            true => Ok(Some(index)),
            false => Err(self.damaged("index.json", "it has no list of manifests")),
        }
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(name);
        let mut temporary = Temporary::create(&self.path)?;
        temporary.write(bytes)?;
        temporary.keep_as(&path)
    }

    fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.path.join("blobs").join(digest.algorithm().name()).join(digest.hex())
    }

    fn damaged(&self, what: &str, reason: &str) -> CacheError {
        CacheError::Damaged { name: self.path.display().to_string(), reason: format!("`{what}`: {reason}") }
    }
}

/// A file without its final name yet; it goes when it does not get it.
struct Temporary {
    path: PathBuf,
    file: File,
}

impl Temporary {
    fn create(folder: &Path) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = folder.join(format!("{TEMPORARY}{}-{number}", std::process::id()));
            match File::options().write(true).create_new(true).open(&path) {
                Ok(file) => return Ok(Self { path, file }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(CacheError::folder("write to", folder)(error)),
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(CacheError::folder("write", &self.path))
    }

    fn keep_as(self, path: &Path) -> Result<()> {
        self.file.sync_data().map_err(CacheError::folder("write", &self.path))?;
        fs::rename(&self.path, path).map_err(CacheError::folder("write", path))
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // After the rename there is nothing of this name.
        let _ = fs::remove_file(&self.path);
    }
}

/// A plain file; nothing that could wait, such as a pipe.
fn open_file(path: &Path, size: Option<u64>) -> Option<File> {
    let metadata = fs::symlink_metadata(path).ok()?;
    let fits = metadata.is_file() && size.is_none_or(|size| metadata.len() == size);
    fits.then(|| File::open(path).ok()).flatten()
}

fn entries(index: &Value) -> &[Value] {
    index["manifests"].as_array().map_or(&[], Vec::as_slice)
}

fn tag_of(entry: &Value) -> Option<&str> {
    entry.get("annotations")?.get(REF_NAME)?.as_str()
}

fn digest_of(name: &OsStr) -> Option<Digest> {
    format!("{}:{}", Algorithm::Sha256.name(), name.to_str()?).parse().ok()
}

/// Every digest that is spelled in a document: erring on the side of keeping.
fn digests_in(document: &Value) -> Vec<Digest> {
    let mut found = Vec::new();
    let mut pending = vec![document];
    while let Some(value) = pending.pop() {
        match value {
            Value::String(text) => found.extend(text.parse::<Digest>()),
            Value::Array(items) => pending.extend(items),
            Value::Object(fields) => pending.extend(fields.values()),
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path().join("cache"));
        (place, folder)
    }

    fn put(folder: &Folder, bytes: &[u8]) -> Digest {
        folder.put(&mut &bytes[..]).unwrap().0
    }

    /// A document that leads to `blobs`, with a tag.
    fn tag(folder: &Folder, name: &str, blobs: &[&Digest]) -> Digest {
        let document = serde_json::to_vec(&json!({ "layers": blobs })).unwrap();
        let digest = put(folder, &document);
        let size = document.len() as u64;
        folder.tag(name, &Descriptor::new(media_type::OCI_MANIFEST, digest.clone(), size)).unwrap();
        digest
    }

    #[test]
    fn what_is_tagged_is_found_and_others_stay() {
        let (_place, folder) = folder();
        assert!(folder.tagged("one").unwrap().is_none());
        let blob = put(&folder, b"blob");
        let one = tag(&folder, "one", &[&blob]);
        let two = tag(&folder, "two", &[]);
        let newer = tag(&folder, "one", &[]);
        assert_ne!(one, newer);
        assert_eq!(folder.tagged("one").unwrap().unwrap().digest, newer);
        assert_eq!(folder.tagged("two").unwrap().unwrap().digest, two);
        assert!(folder.path().join("oci-layout").is_file());
        assert!(folder.document(&blob, 100).unwrap().unwrap() == b"blob");
        assert!(folder.document(&Digest::of(b"other"), 100).unwrap().is_none());
    }

    #[test]
    fn entries_that_we_do_not_know_are_kept_as_they_are() {
        let (_place, folder) = folder();
        fs::create_dir_all(folder.path()).unwrap();
        let foreign = r#"{"schemaVersion":2,"x":[1.50],"manifests":[{"odd":true}]}"#;
        fs::write(folder.path().join("index.json"), foreign).unwrap();
        tag(&folder, "one", &[]);
        let index = folder.index().unwrap().unwrap();
        assert_eq!((&index["x"][0], &index["manifests"][0]), (&json!(1.5), &json!({"odd": true})));
        assert_eq!(entries(&index).len(), 2);
    }

    #[test]
    fn damage_is_told() {
        let (_place, folder) = folder();
        let blob = put(&folder, b"blob");
        fs::write(folder.blob_path(&blob), b"bolb").unwrap();
        let reasons = [
            folder.document(&blob, 100).unwrap_err().to_string(),
            folder.document(&blob, 2).unwrap_err().to_string(),
        ];
        assert!(reasons[0].contains("another digest") && reasons[1].contains("too large"), "{reasons:?}");
        for text in ["{", "[]", "{}", r#"{"manifests":5}"#] {
            fs::write(folder.path().join("index.json"), text).unwrap();
            assert!(folder.tagged("one").is_err(), "{text}");
            assert!(folder.tag("one", &Descriptor::new("x", blob.clone(), 4)).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_file_is_not_opened() {
        let (_place, folder) = folder();
        let blob = put(&folder, b"blob");
        assert!(folder.open(&blob, Some(4)).is_some());
        assert!(folder.open(&blob, Some(5)).is_none());
        let path = folder.blob_path(&blob);
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(folder.open(&blob, None).is_none());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(folder.open(&blob, None).is_none());
    }

    #[test]
    fn only_what_nothing_leads_to_for_a_while_is_removed() {
        let (_place, folder) = folder();
        let (kept, left, fresh) = (put(&folder, b"kept"), put(&folder, b"left"), put(&folder, b"fresh"));
        let first = tag(&folder, "one", &[&kept, &left]);
        let other = tag(&folder, "two", &[&left]);
        fs::write(folder.path().join("blobs/sha256/README"), "of somebody").unwrap();
        fs::write(folder.path().join("blobs/sha256/.tmp-1-1"), "half").unwrap();
        let _lock = folder.lock().unwrap();
        let all = [&kept, &left, &fresh, &first, &other];
        let there = || all.map(|digest| folder.open(digest, None).is_some());

        assert_eq!(folder.collect_garbage(&BTreeSet::new(), GRACE).unwrap(), 0);
        assert_eq!(there(), [true; 5]);
        tag(&folder, "one", &[&kept]);
        tag(&folder, "two", &[]);
        let before = BTreeSet::from([left.clone()]);
        let hour = SystemTime::now() - GRACE;
        File::options().append(true).open(folder.blob_path(&left)).unwrap().set_modified(hour).unwrap();
        folder.collect_garbage(&before, GRACE).unwrap();
        assert_eq!(there(), [true; 5], "it is left over only from now on");
        let gone = folder.collect_garbage(&BTreeSet::new(), Duration::ZERO).unwrap();
        assert_eq!(there(), [true, false, false, false, false]);
        assert!(gone > 8);
        assert!(folder.path().join("blobs/sha256/README").exists());
        assert!(!folder.path().join("blobs/sha256/.tmp-1-1").exists());
    }

    #[test]
    fn an_index_that_cannot_be_read_removes_nothing() {
        let (_place, folder) = folder();
        let blob = put(&folder, b"blob");
        fs::write(folder.path().join("index.json"), "{").unwrap();
        assert!(folder.collect_garbage(&BTreeSet::new(), Duration::ZERO).is_err());
        assert!(folder.open(&blob, None).is_some());
    }
}
