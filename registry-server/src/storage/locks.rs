//! Locks for short work on one digest: giving a blob its name, leasing it, and taking it away.
//!
//! They hold between threads (a mutex) and between processes (flock), so that `tug serve gc` can work beside a server.
//! There is a fixed number of them and a digest always has the same one; nobody may hold two at once.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::fs::{FlockOperation, flock};
use rustix::io::retry_on_intr;
use tug_oci::Digest;

use super::error::{At, Error};

const LOCKS: usize = 64;

/// All locks of a root.
#[derive(Debug)]
pub(super) struct Locks(Vec<Mutex<File>>);

/// One lock that is held; falls with the value, and with the process.
#[derive(Debug)]
pub(super) struct Locked<'a>(MutexGuard<'a, File>);

impl Locks {
    /// Opens the files of the locks in `folder`, which must exist.
    pub(super) fn open(folder: &Path) -> Result<Self, Error> {
        let open = |number: usize| {
            let path = folder.join(format!("{number:02x}"));
            let file = OpenOptions::new().create(true).append(true).open(&path).at("open", &path)?;
            Ok(Mutex::new(file))
        };
        (0..LOCKS).map(open).collect::<Result<_, Error>>().map(Self)
    }

    /// Waits for the lock of `digest`.
    pub(super) fn of(&self, digest: &Digest) -> Result<Locked<'_>, Error> {
        self.at(usize::from_str_radix(&digest.hex()[..2], 16).unwrap_or(0))
    }

    /// Waits for the lock of any `text`.
    pub(super) fn of_text(&self, text: &str) -> Result<Locked<'_>, Error> {
        self.at(text.bytes().fold(5381_usize, |sum, byte| sum.wrapping_mul(33) ^ usize::from(byte)))
    }

    fn at(&self, number: usize) -> Result<Locked<'_>, Error> {
        let file = self.0[number % LOCKS].lock().unwrap_or_else(PoisonError::into_inner);
        retry_on_intr(|| flock(&*file, FlockOperation::LockExclusive)).at("lock", Path::new("_tug/locks"))?;
        Ok(Locked(file))
    }
}

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let _ = flock(&*self.0, FlockOperation::Unlock);
    }
}
