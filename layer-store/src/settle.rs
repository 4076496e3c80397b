//! Makes layers durable, after the fact.
//!
//! A build does not wait for the disk. Its layers are on it a while later, when the kernel gets round to it; until
//! then, a power failure loses them, and their records say so. One `syncfs` for all of them costs as much as one for a
//! single one, so that is what happens, outside of every step: whatever layer was there before the call is on the
//! disk after it, and its record is changed to say that.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use rustix::fs::syncfs;

use crate::error::{Result, failed};
use crate::layer::Record;
use crate::lock::Lock;
use crate::store::Store;

/// Linux writes what is older than 30 seconds, and looks for that every 5.
const WRITTEN_BY_ITSELF: Duration = Duration::from_secs(60);

/// Its time says when somebody began to bound the build cache; locked while that is done.
const BOUNDED: &str = "locks/bounded";

impl Store {
    /// Waits until the disk has every layer that is in the store now. Returns how many were not there yet; none when
    /// another process is doing the same.
    pub fn settle(&self) -> Result<usize> {
        let Some(_lock) = Lock::try_exclusive(&self.path("locks/settle"))? else { return Ok(0) };
        let unsettled = self.unpinned().unsettled()?;
        if unsettled.is_empty() {
            return Ok(0);
        }
        let root = File::open(self.root()).map_err(failed("open", self.root()))?;
        syncfs(&root).map_err(failed("sync", self.root()))?;
        for before in &unsettled {
            // Nothing is pinned: who only waits for the disk keeps no garbage.
            let quiet = self.unpinned();
            let _lock = quiet.lock_layer(&before.diff_id)?;
            let folder = quiet.layer_folder(&before.diff_id);
            // It may have got a tree meanwhile, or be gone.
            if Record::read(&folder)?.as_ref() == Some(before) {
                let written = Record { durable: true, ..before.clone() }.write(&folder);
                if folder.exists() {
                    written?;
                }
            }
        }
        Ok(unsettled.len())
    }

    /// Whether [`Store::settle`] should be called: there are layers that are not durable though the kernel has had the
    /// time to write them by itself, so that waiting for the disk is short. Looks at the record of every layer.
    ///
    /// A process that waits for the disk cannot end, whatever thread does it, and nobody knows for how long when others
    /// write to the same disk. So it is best done in a process that nobody waits for.
    pub fn is_settling_due(&self) -> Result<bool> {
        let unsettled = self.unpinned().unsettled()?;
        let is_young = |record: &Record| {
            let modified = Record::modified(&self.unpinned().layer_folder(&record.diff_id));
            modified.is_some_and(|time| time.elapsed().is_ok_and(|age| age < WRITTEN_BY_ITSELF))
        };
        Ok(!unsettled.is_empty() && !unsettled.iter().any(is_young))
    }

    /// Whether it is `every` or longer ago that somebody began to bound the build cache. The first time that is asked, it is
    /// not: a new store is small.
    pub fn is_bounding_due(&self, every: Duration) -> bool {
        let path = self.path(BOUNDED);
        match std::fs::metadata(&path).and_then(|metadata| metadata.modified()) {
            Ok(modified) => modified.elapsed().is_ok_and(|age| age >= every),
            Err(_) => {
                // Where nothing can be written, nothing can be removed either.
                let _ = File::create(&path);
                false
            }
        }
    }

    /// Takes the task to bound the build cache, for as long as the answer lives; `None` when another process has it.
    pub fn begin_bounding(&self) -> Result<Option<Lock>> {
        let lock = Lock::try_exclusive(&self.path(BOUNDED))?;
        if lock.is_some()
            && let Ok(opened) = File::options().append(true).open(self.path(BOUNDED))
        {
            // If it fails, somebody looks again sooner.
            let _ = opened.set_modified(std::time::SystemTime::now());
        }
        Ok(lock)
    }

    /// Layers written on this boot of the machine and never synced. Those of an earlier one are not to be trusted.
    fn unsettled(&self) -> Result<Vec<Record>> {
        let layers = self.path("layers");
        let mut unsettled = Vec::new();
        for entry in std::fs::read_dir(&layers).map_err(failed("list", &layers))? {
            let folder = entry.map_err(failed("list", &layers))?.path();
            unsettled.extend(self.unsettled_record(&folder));
        }
        Ok(unsettled)
    }

    /// A record that cannot be read is for whoever needs the layer to complain about.
    fn unsettled_record(&self, folder: &Path) -> Option<Record> {
        let record = Record::read(folder).ok()??;
        let is_named_so = self.layer_folder(&record.diff_id) == folder;
        (is_named_so && !record.durable && record.boot_id == self.boot_id()).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use tug_oci::DiffId;

    use super::*;
    use crate::entry::NewEntry;
    use crate::layer::LayerWriterOptions;
    use crate::store::tests::store;

    fn layer(store: &Store, name: &str) -> DiffId {
        let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
        writer.add(&NewEntry::directory(name, 0o755), None).unwrap();
        writer.finish().unwrap().diff_id().clone()
    }

    fn record(store: &Store, layer: &DiffId) -> Record {
        Record::read(&store.layer_folder(layer)).unwrap().unwrap()
    }

    #[test]
    fn layers_are_durable_after_they_were_settled() {
        let (_folder, store) = store();
        let layers = ["a", "b"].map(|name| layer(&store, name));
        assert!(layers.iter().all(|layer| !record(&store, layer).durable));
        assert_eq!(store.settle().unwrap(), 2);
        assert!(layers.iter().all(|layer| record(&store, layer).durable));
        assert_eq!(store.settle().unwrap(), 0);
    }

    #[test]
    fn a_layer_of_an_earlier_boot_is_not_called_durable_without_a_look_at_it() {
        let (_folder, store) = store();
        let layer = layer(&store, "a");
        let blob = store.layer(&layer).unwrap().unwrap().blob();
        let earlier = grow_old(&store, &layer);
        assert_eq!(store.settle().unwrap(), 0);
        assert_eq!(record(&store, &layer), earlier);
        let renewed = store.layer(&layer).unwrap().expect("its blob is whole");
        assert_eq!(record(&store, &layer).boot_id, store.boot_id());
        assert_eq!(renewed.blob(), blob, "manifests must name it as before");
    }

    /// As if it had been written before the machine was started.
    fn grow_old(store: &Store, layer: &DiffId) -> Record {
        let earlier = Record { boot_id: "earlier".to_owned(), ..record(store, layer) };
        earlier.write(&store.layer_folder(layer)).unwrap();
        earlier
    }

    #[test]
    fn a_layer_that_came_compressed_is_made_again_of_either_form_and_still_came_so() {
        let (_folder, store) = store();
        let plain = crate::tar::TarWriter::new(Vec::new()).finish().unwrap();
        let compressed = zstd::encode_all(plain.as_slice(), 1).unwrap();
        let options = crate::ImportLayer { keep_plain_tar: true, ..crate::ImportLayer::default() };
        let layer = store.import_layer(&mut compressed.as_slice(), &options).unwrap();
        let (diff_id, blob) = (layer.diff_id().clone(), layer.blob());
        grow_old(&store, &diff_id);
        assert_eq!(store.layer(&diff_id).unwrap().unwrap().blob(), blob);
        // The plain tar was not waited for: the power took it, or half of it.
        for damage in [&b""[..], &[7; 1024]] {
            std::fs::write(store.blob_path(diff_id.digest()), damage).unwrap();
            grow_old(&store, &diff_id);
            assert_eq!(store.layer(&diff_id).unwrap().unwrap().blob(), blob);
            assert!(!store.has_blob(diff_id.digest()).unwrap());
        }
    }

    #[test]
    fn what_hinders_us_is_no_reason_to_take_a_good_blob_away() {
        let (_folder, store) = store();
        let layer = layer(&store, "a");
        grow_old(&store, &layer);
        // As with a full disk or too many open files, nothing can be written.
        std::fs::rename(store.path("ingest"), store.path("aside")).unwrap();
        assert!(store.layer(&layer).is_err());
        std::fs::rename(store.path("aside"), store.path("ingest")).unwrap();
        assert!(store.has_whole_blob(layer.digest()).unwrap());
    }

    #[test]
    fn one_process_tidies_for_all() {
        let (_folder, store) = store();
        layer(&store, "a");
        let held = Lock::exclusive(&store.path("locks/settle")).unwrap();
        assert_eq!(store.settle().unwrap(), 0);
        drop(held);
    }

    #[test]
    fn layers_are_settled_once_the_kernel_had_the_time_to_write_them() {
        let (_folder, store) = store();
        assert!(!store.is_settling_due().unwrap());
        let layers = ["a", "b"].map(|name| layer(&store, name));
        let grow_old = |layer: &DiffId| {
            let record = File::open(store.layer_folder(layer).join("record.json")).unwrap();
            record.set_modified(std::time::SystemTime::now() - 2 * WRITTEN_BY_ITSELF).unwrap();
        };
        grow_old(&layers[0]);
        assert!(!store.is_settling_due().unwrap(), "one is young");
        grow_old(&layers[1]);
        assert!(store.is_settling_due().unwrap());
        store.settle().unwrap();
        assert!(!store.is_settling_due().unwrap());
    }
}
