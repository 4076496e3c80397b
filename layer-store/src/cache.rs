//! Results of build steps, by key.
//!
//! A record is a small text of the builder: what a step resulted in, and what its key was made of. The store does not
//! look into it, with one exception: every digest that is spelled in it keeps its blob and layer from being garbage.
//! A record may be lost at any time; the step is then done again.
//!
//! | file                       | what it is                                                              |
//! | -------------------------- | ----------------------------------------------------------------------- |
//! | `cache/<xx>/<key>.json`    | the result of the step with this key; its mtime says when it was used   |
//! | `cache/slots/<slot>.json`  | the newest record for one place in one build, to explain a miss with    |

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tug_oci::Digest;

use crate::error::{Result, failed};
use crate::file;
use crate::garbage::{digests_in, names_in};
use crate::lock::Lock;
use crate::store::Store;

/// Records are a few kilobytes; one with a hundred thousand inputs is still below this.
pub(crate) const RECORD_LIMIT: u64 = 64 * 1024 * 1024;
/// How exactly the time of the last use is kept.
const USE_GRAIN: Duration = Duration::from_secs(60);

impl Store {
    /// The record of the step with this key. Reading it marks it as used.
    pub fn cache_record(&self, key: &Digest) -> Result<Option<Vec<u8>>> {
        let path = self.record_path(key);
        let bytes = self.pinning(|_, pinned| {
            let bytes = read_record(&path)?;
            pinned.extend(bytes.iter().flat_map(|bytes| digests_in(bytes)));
            Ok(bytes)
        })?;
        if bytes.is_some() {
            mark_as_used(&path);
            return Ok(bytes);
        }
        self.elsewhere(|other| read_record(&other.record_path(key)))
    }

    /// Writes the record of the step with this key. Does not wait for the disk.
    pub fn put_cache_record(&self, key: &Digest, bytes: &[u8]) -> Result<()> {
        self.pin(&digests_in(bytes));
        self.write_record(&self.record_path(key), bytes)
    }

    /// The newest record for this place in this build.
    pub fn last_record(&self, slot: &Digest) -> Result<Option<Vec<u8>>> {
        match read_record(&self.slot_path(slot))? {
            None => self.elsewhere(|other| other.last_record(slot)),
            found => Ok(found),
        }
    }

    /// Writes the newest record for this place in this build. Does not wait for the disk.
    pub fn put_last_record(&self, slot: &Digest, bytes: &[u8]) -> Result<()> {
        self.write_record(&self.slot_path(slot), bytes)
    }

    /// Shows all records that [`Store::last_record`] gives, in no order.
    pub fn each_last_record(&self, show: &mut dyn FnMut(&[u8])) -> Result<()> {
        for path in names_in(&self.path("cache/slots"))? {
            self.go_on()?;
            if let Some(bytes) = read_record(&path)? {
                show(&bytes);
            }
        }
        Ok(())
    }

    /// Forgets the result of the step with this key.
    pub(crate) fn remove_cache_record(&self, key: &Digest) -> Result<()> {
        let path = self.record_path(key);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
            _ => Ok(()),
        }
    }

    /// Forgets what explains misses, and digests of files, that were not written for `age`: builds that nobody repeats for so
    /// long need no explanation.
    pub fn forget_old_memory(&self, age: Duration) -> Result<()> {
        for folder in ["cache/slots", "cache/files"] {
            for path in names_in(&self.path(folder))? {
                let modified = std::fs::symlink_metadata(&path).and_then(|metadata| metadata.modified());
                if modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|elapsed| elapsed >= age)) {
                    self.trash().bury(&path)?;
                }
            }
        }
        Ok(())
    }

    /// Forgets what explains misses, and the digests of files.
    pub(crate) fn remove_cache_memory(&self) -> Result<()> {
        ["cache/slots", "cache/files"].iter().try_for_each(|name| self.trash().bury(&self.path(name)))
    }

    /// The files of all results, in the order of their keys.
    pub(crate) fn record_files(&self) -> Result<Vec<PathBuf>> {
        let is_of_results = |path: &PathBuf| {
            let name = path.file_name().map_or(&[][..], OsStrExt::as_bytes);
            name.len() == 2 && name.iter().all(u8::is_ascii_hexdigit) && path.is_dir()
        };
        let mut files = Vec::new();
        for folder in names_in(&self.path("cache"))?.into_iter().filter(is_of_results) {
            let names = names_in(&folder)?;
            files.extend(names.into_iter().filter(|path| path.extension() == Some("json".as_ref())));
        }
        Ok(files)
    }

    /// The right to do the step with this key; `None` while another process, or another thread, has it.
    ///
    /// Whoever gets it looks for the record once more: somebody may just have written it.
    pub fn try_lock_step(&self, key: &Digest) -> Result<Option<StepLock>> {
        let path = self.path("locks").join(format!("{STEP_LOCK}{}", key.hex()));
        let lock = Lock::try_exclusive(&path)?;
        Ok(lock.map(|lock| StepLock { path, _lock: lock }))
    }

    fn write_record(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        // A prune may take the folder away meanwhile.
        file::replace_in_folder(path, &self.path("ingest"), bytes)
    }

    fn record_path(&self, key: &Digest) -> PathBuf {
        self.path("cache").join(&key.hex()[..2]).join(format!("{}.json", key.hex()))
    }

    fn slot_path(&self, slot: &Digest) -> PathBuf {
        self.path("cache/slots").join(format!("{}.json", slot.hex()))
    }
}

/// The names of locks of steps begin with it.
pub(crate) const STEP_LOCK: &str = "step-";

/// The right to do a step, until this is dropped. Its file goes with it; that of a killed process is for the garbage
/// collection.
#[derive(Debug)]
pub struct StepLock {
    path: PathBuf,
    _lock: Lock,
}

impl Drop for StepLock {
    fn drop(&mut self) {
        // Whoever has opened it meanwhile sees that it lost its name, and makes another.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// An empty file is what a power failure leaves of a record.
fn read_record(path: &Path) -> Result<Option<Vec<u8>>> {
    Ok(file::read_small(path, RECORD_LIMIT)?.filter(|bytes| !bytes.is_empty()))
}

/// If it fails, the record only looks older than it is.
fn mark_as_used(path: &Path) {
    let Ok(opened) = std::fs::File::options().append(true).open(path) else { return };
    let is_recent = |modified: SystemTime| modified.elapsed().is_ok_and(|age| age < USE_GRAIN);
    if !opened.metadata().and_then(|metadata| metadata.modified()).is_ok_and(is_recent) {
        let _ = opened.set_modified(SystemTime::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::store;

    #[test]
    fn a_record_is_found_by_its_key_and_replaced_whole() {
        let (_folder, store) = store();
        let key = Digest::of(b"key");
        assert_eq!(store.cache_record(&key).unwrap(), None);
        store.put_cache_record(&key, b"{\"long\":1}").unwrap();
        store.put_cache_record(&key, b"{}").unwrap();
        assert_eq!(store.cache_record(&key).unwrap().unwrap(), b"{}");
        assert_eq!(store.last_record(&key).unwrap(), None);
        store.put_last_record(&key, b"[]").unwrap();
        assert_eq!(store.last_record(&key).unwrap().unwrap(), b"[]");
    }

    #[test]
    fn one_at_a_time_has_the_right_to_a_step() {
        let (_folder, store) = store();
        let key = Digest::of(b"key");
        let held = store.try_lock_step(&key).unwrap().unwrap();
        assert!(store.try_lock_step(&key).unwrap().is_none());
        assert!(store.try_lock_step(&Digest::of(b"other")).unwrap().is_some());
        drop(held);
        assert_eq!(
            std::fs::read_dir(store.path("locks"))
                .unwrap()
                .filter(|entry| {
                    entry.as_ref().unwrap().file_name().to_string_lossy().starts_with(STEP_LOCK)
                })
                .count(),
            0
        );
        // What a killed process leaves of it goes with the garbage.
        let left = store.path("locks").join(format!("{STEP_LOCK}{}", key.hex()));
        std::fs::write(&left, "").unwrap();
        assert!(store.try_lock_step(&key).unwrap().is_some());
        std::fs::write(&left, "").unwrap();
        store.remove_unreferenced().unwrap().unwrap();
        assert!(!left.exists());
    }

    #[test]
    fn reading_a_record_marks_it_as_used() {
        let (_folder, store) = store();
        let key = Digest::of(b"key");
        store.put_cache_record(&key, b"{}").unwrap();
        let path = store.record_path(&key);
        let age = || std::fs::metadata(&path).unwrap().modified().unwrap().elapsed().unwrap();
        let opened = std::fs::File::options().append(true).open(&path).unwrap();
        opened.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
        assert!(age() > Duration::from_secs(3000));
        store.cache_record(&key).unwrap();
        assert!(age() < Duration::from_secs(60));
    }

    #[test]
    fn a_record_that_a_power_failure_emptied_is_no_record() {
        let (_folder, store) = store();
        let key = Digest::of(b"key");
        store.put_cache_record(&key, b"").unwrap();
        assert_eq!(store.cache_record(&key).unwrap(), None);
    }
}
