//! Leases: what each process relies on, so that garbage can be collected while others work.
//!
//! Whoever opens a store has a lease, a file `locks/lease-<random>` that it holds a lock on for as long as it lives. Before a
//! process looks at a blob or a layer for the first time, whether to read it, to write it, or to find out that it is there,
//! it writes the digest into its lease: the digest is *pinned*. Whatever a live lease pins, and all that can be reached from
//! there, is not garbage. Paths of blobs and layers are only made by [`Store::blob_path`] and [`Store::layer_folder`], and
//! those pin, so nothing can be used by accident without.
//!
//! | file             | shared                                                        | exclusive                             |
//! | ---------------- | ------------------------------------------------------------- | ------------------------------------- |
//! | `locks/gate`     | for the moment in which something is pinned or a lease begins | collecting: reading leases, marking, moving to the trash |
//! | `locks/store`    | who needs everything, or cannot write a lease                 | the same                              |
//! | `locks/lease-…`  | –                                                             | whoever it belongs to, until its end  |
//!
//! # Why nothing that is needed goes
//!
//! - *A process finds something, and then it is gone.* It pins first and looks then. Either the pin was written before the
//!   collector had the gate: then the collector reads it. Or it waits at the gate until the collector is done: then the look
//!   says that it is gone, as if it had never been there, and it is fetched or made again.
//! - *What was found leads to something else* (a name to an image, a result to layers) *that goes before it is pinned itself.*
//!   What it leads to is reachable from what is pinned. Where what was found is no blob, as with a name or the result of a
//!   step, the look and the pin are one: both happen behind the gate ([`Store::pinning`]), in which no collection begins.
//! - *Something new that nothing leads to yet.* It is pinned before it gets its name in the store.
//! - *A process puts what it pinned under a name, and ends, while a collection goes on.* The collector reads the leases first
//!   and names and results afterwards. If it saw the lease no more, the name had been written before it looked.
//! - *A process names something that was garbage.* It had to pin it for that; the names of what is pinned may change at any
//!   time.
//! - *`rmi` beside a container, a prune beside a build.* Names and results go, and what they led to is still pinned by who uses
//!   it. The next collection after its end takes it.
//! - *Two collections.* They have the gate one after the other. Of itself a collector ignores its own lease: it relies on
//!   nothing while it collects, though it may have looked at much before.
//! - *A killed process, a number of a process that is used again, a clock that is set back.* The lock on a lease ends with its
//!   process. No number and no time is looked at.
//! - *No room, or no file descriptor left, for a pin.* Then the process holds `locks/store`, which needs neither, and nothing is
//!   collected until it ends. The same is true of who only reads the store and may not write to it.
//! - *Deadlocks.* Nobody waits for the gate with a lock in hand that a collector waits for: names and origins are pinned before
//!   their locks are taken, and of layers a collector takes the locks of those only that nobody has pinned, and whoever locks a
//!   layer pins it before.
//!
//! It keeps a little too much: what a process has looked at once stays pinned until it ends. Lists of everything do not pin
//! ([`Store::unpinned`]); else whoever runs for long and began with a list would hold it all.

use std::collections::HashSet;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tug_oci::Digest;

use crate::error::Result;
use crate::file;
use crate::garbage::{digests_in_file, names_in};
use crate::lock::{self, Lock, flock_is_free};
use crate::store::Store;

/// The names of leases begin with it.
const PREFIX: &str = "lease-";
const GATE: &str = "gate";
const EVERYTHING: &str = "store";

/// What this process relies on in one store.
#[derive(Debug)]
pub(crate) struct OwnLease {
    locks: PathBuf,
    pinned: Mutex<Pinned>,
    /// The file of `locks/store`, opened while there were descriptors.
    everything: File,
}

#[derive(Debug)]
struct Pinned {
    /// None where it could not be written.
    file: Option<LeaseFile>,
    digests: HashSet<Digest>,
    /// Whether the lock on `locks/store` is held, shared.
    is_everything: bool,
}

#[derive(Debug)]
struct LeaseFile {
    path: PathBuf,
    lock: Lock,
}

/// While it lives, its name goes with it; that of a killed process is for the next collection.
impl Drop for LeaseFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// What another process relies on.
#[derive(Clone, Debug)]
pub(crate) struct Lease {
    pub(crate) path: PathBuf,
    pub(crate) digests: Vec<Digest>,
}

impl OwnLease {
    /// A lease in the store with this folder of locks. Waits while another process collects garbage.
    pub(crate) fn begin(locks: &Path) -> Result<Self> {
        let everything = Lock::open(&locks.join(EVERYTHING))?;
        let gate = Lock::shared(&locks.join(GATE))?;
        let path = locks.join(file::unique_name(PREFIX.trim_end_matches('-')));
        let file = Lock::exclusive(&path).ok().map(|lock| LeaseFile { path, lock });
        let lease = Self {
            locks: locks.to_owned(),
            pinned: Mutex::new(Pinned { file, digests: HashSet::new(), is_everything: false }),
            everything,
        };
        let has_none = lease.pinned().file.is_none();
        drop(gate);
        if has_none {
            lease.hold_everything(&mut lease.pinned());
        }
        Ok(lease)
    }

    fn pinned(&self) -> MutexGuard<'_, Pinned> {
        self.pinned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn knows(&self, digest: &Digest) -> bool {
        let pinned = self.pinned();
        pinned.is_everything || pinned.digests.contains(digest)
    }

    /// Pins; the gate is held.
    fn write(&self, digests: &[Digest]) {
        let mut pinned = self.pinned();
        let new: Vec<&Digest> = digests.iter().filter(|digest| !pinned.digests.contains(*digest)).collect();
        if pinned.is_everything || new.is_empty() {
            return;
        }
        let lines: String = new.iter().map(|digest| format!("{digest}\n")).collect();
        let written =
            pinned.file.as_ref().is_some_and(|file| file.lock.file().write_all(lines.as_bytes()).is_ok());
        if written {
            pinned.digests.extend(new.into_iter().cloned());
        } else {
            self.hold_everything(&mut pinned);
        }
    }

    /// From now on nothing is collected until this process ends. Needs no room, and waits for no memory for ever.
    fn hold_everything(&self, pinned: &mut Pinned) {
        self.wait_for_everything();
        pinned.is_everything = true;
    }

    fn wait_for_everything(&self) {
        while lock::flock_shared(&self.everything).is_err() {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Store {
    /// The same store for looks that rely on nothing: what is found may be gone a moment later.
    pub(crate) fn unpinned(&self) -> Self {
        let mut store = self.clone();
        store.pins = false;
        store
    }

    /// Keeps what can be reached from these digests from being collected while this process lives.
    pub(crate) fn pin<'a>(&self, digests: impl IntoIterator<Item = &'a Digest>) {
        let Some(lease) = self.lease().filter(|_| self.pins) else { return };
        let new: Vec<Digest> = digests.into_iter().filter(|digest| !lease.knows(digest)).cloned().collect();
        if new.is_empty() {
            return;
        }
        match Lock::shared(&lease.locks.join(GATE)) {
            Ok(_gate) => lease.write(&new),
            Err(_) => lease.hold_everything(&mut lease.pinned()),
        }
    }

    /// Looks for something, and pins what `find` adds to its list, while nothing is collected. The store that `find` is given
    /// does not pin by itself.
    pub(crate) fn pinning<T>(&self, find: impl FnOnce(&Self, &mut Vec<Digest>) -> Result<T>) -> Result<T> {
        let mut found = Vec::new();
        let quiet = self.unpinned();
        let Some(lease) = self.lease().filter(|_| self.pins) else { return find(&quiet, &mut found) };
        match Lock::shared(&lease.locks.join(GATE)) {
            Ok(_gate) => {
                let outcome = find(&quiet, &mut found)?;
                lease.write(&found);
                Ok(outcome)
            }
            Err(_) => {
                lease.hold_everything(&mut lease.pinned());
                find(&quiet, &mut found)
            }
        }
    }

    /// Keeps everything from being collected while the answer lives; `None` in a store that is only read, where that is so
    /// already if it can be. For those who look at all there is for long.
    pub(crate) fn hold_everything(&self) -> Result<Option<Lock>> {
        match self.lease() {
            Some(lease) => Lock::shared(&lease.locks.join(EVERYTHING)).map(Some),
            None => Ok(None),
        }
    }

    /// Runs `work` while nobody can pin anything; it is given what others have pinned, and a store that does not pin. `None`
    /// when somebody needs everything.
    ///
    /// This process must rely on nothing that it has seen before: its own lease does not count.
    pub(crate) fn collecting<T>(&self, work: impl FnOnce(&Self, &[Lease]) -> Result<T>) -> Result<Option<T>> {
        let Some(lease) = self.lease() else { return Ok(None) };
        let _gate = Lock::exclusive(&lease.locks.join(GATE))?;
        let (own, held_everything) = {
            let pinned = lease.pinned();
            (pinned.file.as_ref().map(|file| file.path.clone()), pinned.is_everything)
        };
        // Of two who hold it because there is no room, each would be in the way of the other.
        lock::unlock(&lease.everything)?;
        let outcome = match Lock::try_exclusive(&lease.locks.join(EVERYTHING)) {
            Ok(None) => Ok(None),
            Ok(Some(_held)) => {
                // Before names and results are: see above.
                self.leases_but(own.as_deref()).and_then(|others| work(&self.unpinned(), &others).map(Some))
            }
            Err(error) => Err(error),
        };
        if held_everything {
            lease.wait_for_everything();
        }
        outcome
    }

    /// Runs `work` while nobody else, in this process or another, has the store open; `None` when somebody does. `work` must
    /// not rely on what was seen before.
    pub(crate) fn alone<T>(&self, work: impl FnOnce(&Self) -> Result<T>) -> Result<Option<T>> {
        let done = self
            .collecting(|store, others| if others.is_empty() { work(store).map(Some) } else { Ok(None) })?;
        Ok(done.flatten())
    }

    /// The leases of others that live. Without the gate they may just be changing.
    pub(crate) fn leases(&self) -> Result<Vec<Lease>> {
        let own = self.lease().and_then(|lease| lease.pinned().file.as_ref().map(|file| file.path.clone()));
        self.leases_but(own.as_deref())
    }

    fn leases_but(&self, own: Option<&Path>) -> Result<Vec<Lease>> {
        let mut leases = Vec::new();
        for path in names_in(&self.path("locks"))? {
            if is_lease(&path) && own != Some(&path) && is_held(&path) {
                leases.push(Lease { digests: digests_in_file(&path)?, path });
            }
        }
        Ok(leases)
    }
}

/// Whether a file in the folder of locks is a lease, alive or not.
pub(crate) fn is_lease(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with(PREFIX))
}

/// Whether somebody holds the lock of a file. One that cannot be opened may be held.
pub(crate) fn is_held(path: &Path) -> bool {
    match File::open(path) {
        Ok(opened) => !flock_is_free(&opened),
        Err(error) => error.kind() != std::io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tug_oci::{DiffId, ImageConfig, Platform};

    use super::*;
    use crate::layer::LayerWriterOptions;
    use crate::store::tests::{PLAIN, store};

    fn beside(store: &Store) -> Store {
        Store::open(store.root(), &PLAIN).unwrap()
    }

    fn removed(store: &Store) -> usize {
        store.remove_unreferenced().unwrap().expect("nobody needs everything").blobs.len()
    }

    #[test]
    fn whoever_looked_at_a_blob_finds_it_again() {
        let (_folder, store) = store();
        let digests = [b"kept", b"lost"].map(|bytes| store.write_blob(bytes).unwrap());
        let other = beside(&store);
        assert!(other.has_blob(&digests[0]).unwrap());
        assert_eq!(removed(&store), 1);
        assert_eq!(other.read_blob(&digests[0], 9).unwrap(), b"kept");
        assert!(!other.has_blob(&digests[1]).unwrap());
        drop(other);
        assert_eq!(removed(&store), 1);
    }

    #[test]
    fn what_an_image_leads_to_stays_for_who_found_it_by_its_name() {
        let (_folder, store) = store();
        let mut config = ImageConfig::empty(Platform::linux("amd64"));
        let layer = store.layer_writer(&LayerWriterOptions::default()).unwrap().finish().unwrap();
        config.rootfs.diff_ids = vec![layer.diff_id().clone()];
        let image = store.write_image(config, BTreeMap::new()).unwrap();
        let name = "app".parse().unwrap();
        store.tag(&name, &image.descriptor).unwrap();
        let other = beside(&store);
        let target = other.resolve(&name).unwrap().unwrap();
        store.untag(&name).unwrap();
        let collected = store.remove_unreferenced().unwrap().unwrap();
        assert_eq!((collected.blobs.len(), collected.in_use), (0, 4), "manifest, config, tar, layer");
        // What it has found it may name anew.
        other.tag(&"again".parse().unwrap(), &target).unwrap();
        drop(other);
        assert_eq!(removed(&store), 0);
        assert!(store.layer(layer.diff_id()).unwrap().is_some());
    }

    #[test]
    fn what_nothing_leads_to_yet_stays_while_whoever_made_it_lives() {
        let (_folder, store) = store();
        let other = beside(&store);
        let digest = other.write_blob(b"new").unwrap();
        let made = other.layer_writer(&LayerWriterOptions::default()).unwrap().finish().unwrap();
        let layer: DiffId = made.diff_id().clone();
        drop(made);
        assert_eq!(removed(&store), 0);
        assert!(other.has_blob(&digest).unwrap() && other.layer(&layer).unwrap().is_some());
        drop(other);
        let collected = store.remove_unreferenced().unwrap().unwrap();
        assert_eq!((collected.blobs.len(), collected.layers), (2, vec![layer]));
    }

    #[test]
    fn a_collector_does_not_keep_what_it_has_looked_at_itself() {
        let (_folder, store) = store();
        let digest = store.write_blob(b"mine").unwrap();
        assert!(store.has_blob(&digest).unwrap());
        assert_eq!(removed(&store), 1);
    }

    #[test]
    fn leases_of_the_dead_keep_nothing_and_are_removed() {
        let (_folder, store) = store();
        let digest = store.write_blob(b"garbage").unwrap();
        let dead = store.path("locks/lease-dead");
        std::fs::write(&dead, format!("{digest}\n")).unwrap();
        assert_eq!(removed(&store), 1);
        assert!(!dead.exists());
    }

    #[test]
    fn a_lease_goes_with_its_store() {
        let (_folder, store) = store();
        let count = || names_in(&store.path("locks")).unwrap().iter().filter(|path| is_lease(path)).count();
        let other = beside(&store);
        assert_eq!((count(), store.leases().unwrap().len()), (2, 1));
        drop(other);
        assert_eq!(count(), 1);
    }

    #[test]
    fn without_room_for_a_lease_nothing_is_collected() {
        let (_folder, store) = store();
        let digest = store.write_blob(b"needed").unwrap();
        let other = beside(&store);
        // Nothing can be written to it any more.
        let path = other.leases_but(None).unwrap().into_iter().map(|lease| lease.path);
        let own = other.lease().unwrap().pinned().file.as_ref().unwrap().path.clone();
        assert!(path.into_iter().any(|path| path == own));
        let full = File::options().append(true).open("/dev/full").unwrap();
        other.lease().unwrap().pinned().file.as_mut().unwrap().lock = Lock::of(full);
        assert!(other.has_blob(&digest).unwrap());
        assert_eq!(store.remove_unreferenced().unwrap(), None);
        // Nor does one keep itself from it.
        assert_eq!(
            other.remove_unreferenced().unwrap().unwrap().in_use,
            1,
            "the store that wrote it is open"
        );
        assert_eq!(store.remove_unreferenced().unwrap(), None);
        drop(other);
        assert!(store.remove_unreferenced().unwrap().is_some());
    }

    #[test]
    fn a_store_is_ours_alone_only_when_nobody_else_has_it_open() {
        let (_folder, first) = store();
        let second = beside(&first);
        assert_eq!(first.alone(|_| Ok(1)).unwrap(), None);
        drop(second);
        assert_eq!(first.alone(|_| Ok(1)).unwrap(), Some(1));
        let third = Store::open_read_only(first.root(), &PLAIN).unwrap();
        assert_eq!(first.alone(|_| Ok(1)).unwrap(), None);
        drop(third);
    }

    #[test]
    fn a_pin_waits_for_the_collector_and_then_sees_what_is_left() {
        let (_folder, store) = store();
        let digest = store.write_blob(b"garbage").unwrap();
        let other = beside(&store);
        let collected = store.collecting(|quiet, leases| {
            let waiting = std::thread::spawn({
                let digest = digest.clone();
                move || other.has_blob(&digest).unwrap()
            });
            let removed = quiet.collect(leases)?;
            Ok((removed.blobs.len(), waiting))
        });
        let (count, waiting) = collected.unwrap().unwrap();
        assert_eq!((count, waiting.join().unwrap()), (1, false));
    }
}
