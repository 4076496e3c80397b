//! A little room that is kept for removing things when the disk is full.
//!
//! Taking a name away means writing `index.json` anew before the old one goes, so when not a byte is free, nothing could
//! be removed. So the store keeps a file, `reserve`, that nobody needs. When the disk is full it is given up, and what
//! frees room goes on; once there is room, it is made again.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;

use rustix::fs::{FallocateFlags, fallocate};

use crate::error::Result;
use crate::store::Store;

/// Room for an index of some thousand names, and for what a file system writes of its own.
const SIZE: u64 = 512 * 1024;
const FILE: &str = "reserve";

impl Store {
    /// Does `work`, which frees room in the end. When it fails because the disk is full, the reserve is given up, and it is
    /// done once more.
    pub(crate) fn with_reserve<T>(&self, mut work: impl FnMut() -> Result<T>) -> Result<T> {
        match work() {
            Err(error) if error.is_disk_full() && self.give_up_reserve() => work(),
            other => other,
        }
    }

    /// Makes the reserve, unless it is there. That it cannot be made is no error: there may be no room for it.
    pub fn make_reserve(&self) {
        let path = self.path(FILE);
        if path.exists() {
            return;
        }
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let Ok(file) = made else { return };
        if set_aside(&file).is_err() {
            let _ = std::fs::remove_file(&path);
        }
    }

    /// Whether there was one.
    fn give_up_reserve(&self) -> bool {
        let path = self.path(FILE);
        // Cut first: somebody may have it open.
        let cut = OpenOptions::new().write(true).truncate(true).open(&path).is_ok();
        std::fs::remove_file(&path).is_ok() && cut
    }
}

fn set_aside(mut file: &File) -> io::Result<()> {
    match fallocate(file, FallocateFlags::empty(), 0, SIZE) {
        Ok(()) => Ok(()),
        // A file system that cannot: bytes that are not zero take room on all of them.
        Err(rustix::io::Errno::OPNOTSUPP) => {
            io::Write::write_all(&mut file, &vec![0xff; usize::try_from(SIZE).unwrap_or(0)])
        }
        Err(error) => Err(error.into()),
    }
}
