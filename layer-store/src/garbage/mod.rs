//! Removes what nothing refers to.
//!
//! What is kept is everything that can be reached:
//!
//! | from                          | by                                                                           |
//! | ----------------------------- | ---------------------------------------------------------------------------- |
//! | `index.json`                  | every digest spelled in it: named, nameless, or put there by another tool    |
//! | the result of a build step    | every digest spelled in it                                                   |
//! | a kept blob that is JSON      | every digest spelled in it: index → manifest → config, layers → diff ids     |
//! | the record of a kept layer    | every digest spelled in it: the blob that the layer came in                  |
//! | the lease of a live process   | every digest in it: what it has looked at, see [`crate::lease`]              |
//!
//! What steps had as inputs (`cache/slots/`) explains a miss and holds nothing: else no result could ever be let go.
//!
//! What a process that has the store open relies on is pinned by its lease, and what can be reached from there is kept as well:
//! see [`crate::lease`]. Garbage is marked and renamed into `trash/` while nobody can pin anything, so nothing is removed under
//! somebody's hands, and everybody else may go on working. What is in `trash/` is unlinked without a lock.

mod spelled;

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tug_oci::{Algorithm, DiffId, Digest};

use crate::cache::STEP_LOCK;
use crate::error::{Result, failed};
use crate::file;
use crate::image::DOCUMENT_LIMIT;
use crate::lease::{Lease, is_held, is_lease};
use crate::lock::{Lock, try_flock};
use crate::partial;
use crate::prune::Patience;
use crate::store::Store;
pub(crate) use spelled::{digests_in, digests_in_file};

/// Is there while there is garbage that could not be collected.
const PUT_OFF: &str = "locks/garbage";

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// The blobs.
    pub blobs: Vec<Digest>,
    /// The layers: records, tables of contents and trees.
    pub layers: Vec<DiffId>,
    /// The bytes of the blobs.
    pub blob_bytes: u64,
    /// So many blobs and layers stay, though nothing leads to them, because others use them right now.
    pub in_use: usize,
}

impl Store {
    /// Removes blobs and layers that no ref and no cache record leads to, and what killed processes left.
    ///
    /// What others who have the store open have looked at stays. Returns `None`, and removes nothing that others might have
    /// seen, when somebody has the store open who cannot say what that is: a later call will. The caller must not be using the
    /// store at the same time on another thread.
    pub fn remove_unreferenced(&self) -> Result<Option<Removed>> {
        let removed = self.collecting(Self::collect)?;
        self.remove_left_behind()?;
        Ok(removed)
    }

    /// The same, but unlinks nothing: what is gone lies in the trash, until [`Store::remove_left_behind`]. So it takes the
    /// same time however many files a layer has.
    pub fn bury_unreferenced(&self) -> Result<Option<Removed>> {
        let removed = self.collecting(Self::collect)?;
        self.mark_garbage(removed.as_ref().is_none_or(|removed| removed.in_use > 0));
        Ok(removed)
    }

    /// Collects what an earlier [`Store::bury_unreferenced`] had to leave, as far as nobody uses it any more.
    pub fn collect_what_was_put_off(&self, patience: &Patience<'_>) -> Result<()> {
        if self.path(PUT_OFF).exists()
            && let Some(removed) = self.collecting_within(patience, Self::collect)?
        {
            self.mark_garbage(removed.in_use > 0);
        }
        Ok(())
    }

    /// Notes that there is garbage that could not be collected, for others who can.
    pub(crate) fn mark_garbage(&self, is_left: bool) {
        let path = self.path(PUT_OFF);
        // If it fails, the garbage stays until the next removal.
        let _ = if is_left { std::fs::write(&path, "").map(drop) } else { std::fs::remove_file(&path) };
    }

    /// Moves what nothing leads to, and no lease, into the trash: see [`Store::collecting`].
    pub(crate) fn collect(&self, leases: &[Lease]) -> Result<Removed> {
        let reachable = self.reachable(leases)?;
        let mut removed = Removed::default();
        // A layer says that its blob is there: so it goes first, wherever this is killed.
        self.remove_layers(&reachable, &mut removed)?;
        self.remove_blobs(&reachable, &mut removed)?;
        self.remove_idle_locks()?;
        match self.with_reserve(|| self.forget_origins(&reachable.all)) {
            // It is only a hint, and others forget it the next time.
            Err(error) if error.is_disk_full() => {}
            other => other?,
        }
        Ok(removed)
    }

    /// Removes what killed processes left half written, and what is in the trash. Safe at any time.
    ///
    /// Whoever writes something holds a lock on it, and looks again after locking whether it still has its name.
    /// A download that nobody is at stays for a while: see [`crate::Partial`].
    pub fn remove_left_behind(&self) -> Result<()> {
        if self.is_read_only() {
            return Ok(());
        }
        for path in names_in(&self.path("ingest"))? {
            if is_kept_download(&path) {
                continue;
            }
            if let Ok(opened) = File::open(&path)
                && try_flock(&opened, &path)?
            {
                self.trash().bury(&path)?;
            }
        }
        self.trash().empty()
    }

    /// The leases have been read before.
    fn reachable(&self, leases: &[Lease]) -> Result<Reachable> {
        // Where the names cannot be read, everything could be needed.
        self.roots()?;
        let mut reachable = HashSet::new();
        let mut roots: Vec<Digest> = digests_in_file(&self.path("index.json"))?;
        for record in self.record_files()? {
            roots.extend(digests_in_file(&record)?);
        }
        self.reach(roots, &mut reachable)?;
        let without_leases = reachable.len();
        let mut all = reachable.clone();
        self.reach(leases.iter().flat_map(|lease| lease.digests.iter().cloned()).collect(), &mut all)?;
        let only_leased = all.len() > without_leases;
        Ok(Reachable { led_to: only_leased.then_some(reachable), all })
    }

    fn reach(&self, mut pending: Vec<Digest>, reachable: &mut HashSet<Digest>) -> Result<()> {
        while let Some(digest) = pending.pop() {
            if reachable.contains(&digest) {
                continue;
            }
            pending.extend(self.digests_in_blob(&digest)?);
            pending.extend(self.digests_in_layer(&DiffId::new(digest.clone()))?);
            reachable.insert(digest);
        }
        Ok(())
    }

    /// What the record of a layer names; nothing when there is no such layer.
    pub(crate) fn digests_in_layer(&self, diff_id: &DiffId) -> Result<Vec<Digest>> {
        digests_in_file(&self.layer_folder(diff_id).join("record.json"))
    }

    /// What a document names; nothing when the blob is none, or not there.
    pub(crate) fn digests_in_blob(&self, digest: &Digest) -> Result<Vec<Digest>> {
        if self.begins_as_document(digest)? {
            digests_in_file(&self.blob_path(digest))
        } else {
            Ok(Vec::new())
        }
    }

    /// Whether a blob may name others. Only documents do: they are small and begin with a brace.
    ///
    /// Of one that cannot be read, nobody knows what it needs. That is an error, for then nothing may go.
    pub(crate) fn begins_as_document(&self, digest: &Digest) -> Result<bool> {
        let path = self.blob_path(digest);
        let Some(opened) = file::open(&path)? else { return Ok(false) };
        if opened.metadata().map_err(failed("look at", &path))?.len() > DOCUMENT_LIMIT {
            return Ok(false);
        }
        let mut first = Vec::with_capacity(1);
        opened.take(1).read_to_end(&mut first).map_err(failed("read", &path))?;
        Ok(first.first().is_some_and(|byte| *byte == b'{' || byte.is_ascii_whitespace()))
    }

    fn remove_blobs(&self, reachable: &Reachable, removed: &mut Removed) -> Result<()> {
        for algorithm in [Algorithm::Sha256, Algorithm::Sha512] {
            for path in names_in(&self.path("blobs").join(algorithm.name()))? {
                let Some(digest) = digest_of_name(algorithm, &path) else { continue };
                removed.in_use += usize::from(reachable.is_only_leased(&digest));
                if !reachable.all.contains(&digest) {
                    removed.blob_bytes += self.blob_size(&digest)?.unwrap_or(0);
                    self.trash().bury(&path)?;
                    removed.blobs.push(digest);
                }
            }
        }
        Ok(())
    }

    fn remove_layers(&self, reachable: &Reachable, removed: &mut Removed) -> Result<()> {
        for path in names_in(&self.path("layers"))? {
            let Some(digest) = digest_of_name(Algorithm::Sha256, &path) else { continue };
            removed.in_use += usize::from(reachable.is_only_leased(&digest));
            if !reachable.all.contains(&digest) {
                self.trash().bury(&path)?;
                removed.layers.push(DiffId::new(digest));
            }
        }
        Ok(())
    }

    pub(crate) fn remove_idle_locks(&self) -> Result<()> {
        for path in self.idle_locks()? {
            if let Some(_held) = Lock::try_exclusive(&path)? {
                std::fs::remove_file(&path).map_err(failed("remove", &path))?;
            }
        }
        Ok(())
    }

    /// Locks of layers and cache mounts that are gone, and leases of processes that were killed.
    pub(crate) fn idle_locks(&self) -> Result<Vec<PathBuf>> {
        let mut paths = names_in(&self.path("locks"))?;
        paths.retain(|path| {
            let Some(name) = path.file_name().and_then(OsStr::to_str) else { return false };
            if is_lease(path) {
                return !is_held(path);
            }
            let layer = name.strip_prefix("layer-").map(|hex| self.path("layers").join(hex));
            let cache = name.strip_prefix("cache-").and_then(|name| name.split('-').next());
            let cache = cache.map(|name| self.path("mounts").join(name));
            name.starts_with(STEP_LOCK) || layer.or(cache).is_some_and(|folder| !folder.exists())
        });
        Ok(paths)
    }
}

/// What is not garbage.
struct Reachable {
    /// By what the store says, if that is not all.
    led_to: Option<HashSet<Digest>>,
    /// Also by leases.
    all: HashSet<Digest>,
}

impl Reachable {
    fn is_only_leased(&self, digest: &Digest) -> bool {
        self.all.contains(digest) && self.led_to.as_ref().is_some_and(|led_to| !led_to.contains(digest))
    }
}

/// Whether somebody may go on with this download; what says which bytes are there stays as long as the bytes.
pub(crate) fn is_kept_download(path: &Path) -> bool {
    let Some(name) = path.file_name().and_then(OsStr::to_str) else { return false };
    if !name.starts_with(partial::PREFIX) {
        return false;
    }
    match name.strip_suffix(partial::RANGES) {
        Some(bytes) => path.with_file_name(bytes).exists(),
        None => {
            let changed = std::fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
            let age = changed.ok().and_then(|changed| changed.elapsed().ok());
            age.is_none_or(|age| age < partial::KEPT_FOR)
        }
    }
}

/// The digest that a file or folder is called by.
pub(crate) fn digest_of_name(algorithm: Algorithm, path: &Path) -> Option<Digest> {
    let name = path.file_name()?.to_str()?;
    format!("{}:{name}", algorithm.name()).parse().ok()
}

pub(crate) fn folders_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = names_in(folder)?;
    paths.retain(|path| path.is_dir());
    Ok(paths)
}

/// What is in a folder, sorted; nothing when there is no such folder.
pub(crate) fn names_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed("list", folder))?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = paths.collect::<io::Result<_>>().map_err(failed("list", folder))?;
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write;

    use tug_oci::{Descriptor, ImageConfig, Index, Platform, Raw, media_type};

    use super::*;
    use crate::file::Durability;
    use crate::image::Image;
    use crate::layer::ImportLayer;
    use crate::store::tests::{PLAIN, store};

    fn image(store: &Store, layers: &[&str]) -> Image {
        let mut config = ImageConfig::empty(Platform::linux("amd64"));
        for layer in layers {
            let diff_id = DiffId::new(store.write_blob(layer.as_bytes()).unwrap());
            std::fs::create_dir_all(store.layer_folder(&diff_id).join("tree/etc")).unwrap();
            config.rootfs.diff_ids.push(diff_id);
        }
        store.write_image(config, BTreeMap::new()).unwrap()
    }

    fn has_all(store: &Store, image: &Image) -> bool {
        let blobs = [&image.descriptor.digest, image.id()]
            .into_iter()
            .chain(image.diff_ids().iter().map(DiffId::digest));
        let mut present = blobs.map(|digest| store.has_blob(digest).unwrap());
        present.all(|is_there| is_there) && image.diff_ids().iter().all(|id| store.layer_folder(id).is_dir())
    }

    fn tag(store: &Store, name: &str, target: &Descriptor) {
        store.tag(&name.parse().unwrap(), target).unwrap();
    }

    #[test]
    fn what_the_last_name_led_to_is_removed_and_what_others_share_stays() {
        let (_folder, store) = store();
        let (one, two) = (image(&store, &["base", "one"]), image(&store, &["base", "two"]));
        tag(&store, "one", &one.descriptor);
        tag(&store, "two", &two.descriptor);
        assert_eq!(store.remove_unreferenced().unwrap(), Some(Removed::default()));
        store.untag(&"one".parse().unwrap()).unwrap();
        let removed = store.remove_unreferenced().unwrap().unwrap();
        assert_eq!(removed.layers, [DiffId::new(Digest::of(b"one"))]);
        assert_eq!(removed.blobs.len(), 3, "manifest, config, layer");
        assert_eq!(removed.blob_bytes, one.manifest.size() + one.config.size() + 3);
        assert!(has_all(&store, &two) && !has_all(&store, &one));
        assert_eq!(std::fs::read_dir(store.path("trash")).unwrap().count(), 0);
    }

    #[test]
    fn everything_below_an_index_is_kept() {
        let (_folder, store) = store();
        let image = image(&store, &["layer"]);
        let inner = Raw::encode(Index::new(vec![image.descriptor.clone()]));
        let inner =
            Descriptor::new(media_type::OCI_INDEX, store.write_blob(inner.bytes()).unwrap(), inner.size());
        let outer = Raw::encode(Index::new(vec![inner]));
        let outer =
            Descriptor::new(media_type::OCI_INDEX, store.write_blob(outer.bytes()).unwrap(), outer.size());
        store.keep(&outer).unwrap();
        assert_eq!(store.remove_unreferenced().unwrap(), Some(Removed::default()));
        assert!(has_all(&store, &image));
    }

    #[test]
    fn what_a_cache_record_names_is_kept() {
        let (_folder, store) = store();
        let (kept, lost) = (image(&store, &["kept"]), image(&store, &["lost"]));
        let record = format!(r#"{{"layer":["{}"]}}"#, kept.diff_ids()[0]);
        store.put_cache_record(&Digest::of(b"key"), record.as_bytes()).unwrap();
        let other = format!("not JSON, {} all the same", kept.descriptor.digest);
        store.put_cache_record(&Digest::of(b"other"), other.as_bytes()).unwrap();
        let explains = format!(r#"{{"layer":["{}"]}}"#, lost.descriptor.digest);
        store.put_last_record(&Digest::of(b"slot"), explains.as_bytes()).unwrap();
        store.remove_unreferenced().unwrap().unwrap();
        assert!(has_all(&store, &kept) && !has_all(&store, &lost));
    }

    #[test]
    fn the_blob_that_a_kept_layer_came_in_is_kept() {
        let (_folder, store) = store();
        let compressed = zstd::encode_all(&[0; 1024][..], 1).unwrap();
        let layer = store.import_layer(&mut compressed.as_slice(), &ImportLayer::default()).unwrap();
        let record = format!(r#"{{"layer":"{}"}}"#, layer.diff_id());
        store.put_cache_record(&Digest::of(b"key"), record.as_bytes()).unwrap();
        store.remove_unreferenced().unwrap().unwrap();
        assert!(store.has_blob(&Digest::of(&compressed)).unwrap());
    }

    #[test]
    fn nothing_is_removed_while_somebody_needs_everything() {
        let (_folder, store) = store();
        let image = image(&store, &["layer"]);
        let other = Store::open_read_only(store.root(), &PLAIN).unwrap();
        assert_eq!(store.remove_unreferenced().unwrap(), None);
        assert!(has_all(&store, &image));
        drop(other);
        assert_eq!(store.remove_unreferenced().unwrap().unwrap().blobs.len(), 3);
    }

    #[test]
    fn what_killed_processes_left_is_removed_and_what_is_being_written_is_not() {
        let (_folder, store) = store();
        std::fs::write(store.path("ingest/blob-dead"), "half").unwrap();
        std::fs::create_dir_all(store.path("ingest/run-dead/upper")).unwrap();
        std::fs::write(store.path("locks/layer-0123"), "").unwrap();
        std::fs::write(store.path("trash/left"), "").unwrap();
        let scratch = store.scratch("run").unwrap();
        let mut writer = store.blob_writer(Durability::Deferred).unwrap();
        writer.write_all(b"whole").unwrap();
        store.remove_unreferenced().unwrap().unwrap();
        let left: Vec<_> =
            ["ingest", "trash"].iter().flat_map(|name| names_in(&store.path(name)).unwrap()).collect();
        assert_eq!(left.len(), 2, "{left:?}");
        assert!(scratch.path().is_dir() && !store.path("locks/layer-0123").exists());
        writer.finish_as(&Digest::of(b"whole")).unwrap();
    }

    #[test]
    fn nothing_is_removed_when_a_document_cannot_be_read() {
        let (_folder, store) = store();
        let image = image(&store, &["layer"]);
        tag(&store, "one", &image.descriptor);
        let garbage = store.write_blob(b"garbage").unwrap();
        // Reading a folder fails, as reading from a broken disk does.
        let manifest = store.blob_path(&image.descriptor.digest);
        std::fs::rename(&manifest, store.path("manifest")).unwrap();
        std::fs::create_dir(&manifest).unwrap();
        assert!(store.remove_unreferenced().is_err());
        std::fs::remove_dir(&manifest).unwrap();
        std::fs::rename(store.path("manifest"), &manifest).unwrap();
        assert!(has_all(&store, &image) && store.has_blob(&garbage).unwrap());
    }

    #[test]
    fn files_of_others_in_the_blob_folder_are_left_alone() {
        let (_folder, store) = store();
        std::fs::write(store.path("blobs/sha256/README"), "").unwrap();
        store.remove_unreferenced().unwrap().unwrap();
        assert!(store.path("blobs/sha256/README").exists());
    }
}
