//! Locks between processes.
//!
//! All are flock(2) locks: the kernel takes them back when a process ends, however it ends, so no lock is ever stale.
//! They count for each opened file, so they also hold two threads of one process apart.
//!
//! | file                 | shared                  | exclusive                                        |
//! | -------------------- | ----------------------- | ------------------------------------------------ |
//! | `locks/gate`         | pinning what is needed, for a moment | marking garbage and moving it to `trash/` |
//! | `locks/store`        | who needs everything    | the same                                         |
//! | `locks/lease-…`      | –                       | every open [`Store`], see [`crate::lease`]       |
//! | `locks/index`        | –                       | changing `index.json`                            |
//! | `locks/layer-<id>`   | –                       | making one layer, so that it is made once        |
//! | `locks/step-<key>`   | –                       | doing one step of a build, so that it is done once |
//! | `locks/origins`      | –                       | adding to `origins`, and making it short         |
//! | `ingest/partial-<blob>` | –                    | downloading one blob, so that it is downloaded once |
//! | `locks/settle`       | –                       | making written layers durable                    |
//! | `locks/bounded`      | –                       | making the build cache smaller                   |
//! | `locks/cache-<name>…` | steps that share a cache mount | those that have it alone, see `cache_mounts` |
//! | `locks/<cache file>` | –                       | merging remembered file digests                  |
//! | `builds/<id>`        | using a build           | removing it; see [`crate::BuildFolder`]          |
//!
//! [`Store`]: crate::Store

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::retry_on_intr;

use crate::error::{Result, failed};

/// A lock that is held until this is dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
}

impl Lock {
    /// Waits until nobody else holds `path`, and holds it alone. The file is made when missing.
    pub(crate) fn exclusive(path: &Path) -> Result<Self> {
        loop {
            let file = open(path)?;
            retry_on_intr(|| flock(&file, FlockOperation::LockExclusive)).map_err(failed("lock", path))?;
            if still_named(&file, path) {
                return Ok(Self { file });
            }
        }
    }

    /// Waits until nobody holds `path` alone, and holds it together with others who do so.
    pub(crate) fn shared(path: &Path) -> Result<Self> {
        loop {
            let file = open(path)?;
            flock_shared(&file).map_err(failed("lock", path))?;
            if still_named(&file, path) {
                return Ok(Self { file });
            }
        }
    }

    /// The file of a lock, which is not taken. It is made when missing.
    pub(crate) fn open(path: &Path) -> Result<File> {
        open(path)
    }

    #[cfg(test)]
    pub(crate) fn of(file: File) -> Self {
        Self { file }
    }

    /// What is locked.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Holds `path` alone if nobody else does now.
    pub(crate) fn try_exclusive(path: &Path) -> Result<Option<Self>> {
        Self::try_to(path, FlockOperation::NonBlockingLockExclusive)
    }

    /// Holds `path` together with others who do so, if nobody holds it alone now.
    pub(crate) fn try_shared(path: &Path) -> Result<Option<Self>> {
        Self::try_to(path, FlockOperation::NonBlockingLockShared)
    }

    fn try_to(path: &Path, operation: FlockOperation) -> Result<Option<Self>> {
        loop {
            let file = open(path)?;
            if !flock_now(&file, path, operation)? {
                return Ok(None);
            }
            if still_named(&file, path) {
                return Ok(Some(Self { file }));
            }
        }
    }
}

/// A process that another thread starts has the file open too until it executes its program: closing ours would give
/// the lock back only then.
impl Drop for Lock {
    fn drop(&mut self) {
        let _ = flock(&self.file, FlockOperation::Unlock);
    }
}

/// Takes an exclusive lock on an opened file or folder; `false` when somebody else holds one.
pub(crate) fn try_flock(file: &File, path: &Path) -> Result<bool> {
    flock_now(file, path, FlockOperation::NonBlockingLockExclusive)
}

/// Whether nobody holds a lock on an opened file or folder. A lock that cannot be asked for counts as held.
pub(crate) fn flock_is_free(file: &File) -> bool {
    retry_on_intr(|| flock(file, FlockOperation::NonBlockingLockShared)).is_ok()
        && flock(file, FlockOperation::Unlock).is_ok()
}

fn flock_now(file: &File, path: &Path, operation: FlockOperation) -> Result<bool> {
    match retry_on_intr(|| flock(file, operation)) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(failed("lock", path)(error)),
    }
}

/// Whether `path` still names the opened `file`: garbage collection may have moved it away between open and lock.
pub(crate) fn still_named(file: &File, path: &Path) -> bool {
    match (file.metadata(), std::fs::symlink_metadata(path)) {
        (Ok(held), Ok(named)) => (held.dev(), held.ino()) == (named.dev(), named.ino()),
        _ => false,
    }
}

/// Takes a shared lock on an opened file, which changes one that it holds.
pub(crate) fn flock_shared(file: &File) -> rustix::io::Result<()> {
    retry_on_intr(|| flock(file, FlockOperation::LockShared))
}

/// Gives up the lock that an opened file holds, if any.
pub(crate) fn unlock(file: &File) -> Result<()> {
    retry_on_intr(|| flock(file, FlockOperation::Unlock)).map_err(failed("unlock", "locks/store"))
}

/// For a store that is only read: nothing is made. Whoever may read the file of the lock has it, which works on a read-only
/// file system as well; everybody else has none.
pub(crate) fn shared_if_possible(path: &Path) -> Option<File> {
    File::open(path).ok().filter(|file| flock_shared(file).is_ok())
}

fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let opened = options.open(path);
    opened.map_err(|error: io::Error| failed("open", path)(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_until_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = Lock::exclusive(&path).unwrap();
        assert!(Lock::try_exclusive(&path).unwrap().is_none());
        drop(held);
        assert!(Lock::try_exclusive(&path).unwrap().is_some());
    }

    #[test]
    fn a_lock_is_given_back_although_somebody_else_has_the_file_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = Lock::exclusive(&path).unwrap();
        let _of_a_child = held.file.try_clone().unwrap();
        drop(held);
        assert!(Lock::try_exclusive(&path).unwrap().is_some());
    }

    #[test]
    fn a_lock_file_that_was_removed_while_we_waited_is_made_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let held = Lock::exclusive(&path).unwrap();
        let waiting = std::thread::spawn({
            let path = path.clone();
            move || Lock::exclusive(&path).unwrap()
        });
        std::thread::sleep(std::time::Duration::from_millis(50));
        std::fs::remove_file(&path).unwrap();
        drop(held);
        let second = waiting.join().unwrap();
        assert!(path.exists());
        assert!(Lock::try_exclusive(&path).unwrap().is_none());
        drop(second);
    }
}
