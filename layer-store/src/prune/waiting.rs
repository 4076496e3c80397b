//! Who else works in the store, and waiting for them.
//!
//! The kernel says in `/proc/locks` which processes hold a lock. Of those, the name of the program and its command are
//! told, and nothing else of what they were started with: there may be secrets in it.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::lease::{Lease, is_held};
use crate::store::Store;

/// How often is looked whether the others are gone.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A process that works in the store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoreUser {
    /// Its number; 0 for one in a container, of which the kernel does not say it.
    pub process: u32,
    /// What it is, such as `tug build`; nothing when that cannot be seen.
    pub command: String,
}

/// How long to wait for others, and who is told of that.
pub struct Patience<'a> {
    /// Not longer than this.
    pub limit: Duration,
    /// Called once, when there is somebody to wait for.
    pub tell: &'a dyn Fn(&[StoreUser]),
}

impl Patience<'_> {
    /// Waits for nobody.
    pub const NONE: Patience<'static> = Patience { limit: Duration::ZERO, tell: &|_| {} };
}

/// Waits for others, not longer than there is patience for all of it, and tells that once.
pub(super) struct Waiting<'a> {
    store: &'a Store,
    patience: &'a Patience<'a>,
    begin: Instant,
    was_told: bool,
}

impl<'a> Waiting<'a> {
    pub(super) fn new(store: &'a Store, patience: &'a Patience<'a>) -> Self {
        Self { store, patience, begin: Instant::now(), was_told: false }
    }

    /// Waits until these leases have ended.
    pub(super) fn for_leases(&mut self, leases: &[PathBuf]) -> Result<()> {
        while leases.iter().any(|lease| is_held(lease)) && self.waits_for(leases)? {}
        Ok(())
    }

    /// Runs `work` as [`Store::collecting`] does, once nobody needs everything in the store; `None` when the patience ends
    /// before.
    pub(super) fn collecting<T>(
        &mut self,
        mut work: impl FnMut(&Store, &[Lease]) -> Result<T>,
    ) -> Result<Option<T>> {
        loop {
            if let Some(done) = self.store.collecting(&mut work)? {
                return Ok(Some(done));
            }
            if !self.waits_for(&[self.store.path("locks/store")])? {
                return Ok(None);
            }
        }
    }

    /// Waits for a moment; `false` when there is no patience left.
    fn waits_for(&mut self, files: &[PathBuf]) -> Result<bool> {
        self.store.go_on()?;
        if self.begin.elapsed() >= self.patience.limit {
            return Ok(false);
        }
        if !self.was_told {
            self.was_told = true;
            (self.patience.tell)(&self.store.users_of(files));
        }
        std::thread::sleep(LOOK_AGAIN);
        Ok(true)
    }
}

impl Store {
    /// [`Store::collecting`] with patience.
    pub(crate) fn collecting_within<T>(
        &self,
        patience: &Patience<'_>,
        work: impl FnMut(&Self, &[Lease]) -> Result<T>,
    ) -> Result<Option<T>> {
        Waiting::new(self, patience).collecting(work)
    }

    /// The other processes that hold a lock on one of these files.
    pub(super) fn users_of(&self, files: &[PathBuf]) -> Vec<StoreUser> {
        let table = std::fs::read_to_string("/proc/locks").unwrap_or_default();
        let mut users: Vec<StoreUser> = files.iter().flat_map(|path| users_in(&table, path)).collect();
        users.sort();
        users.dedup();
        users
    }
}

fn users_in(table: &str, path: &Path) -> Vec<StoreUser> {
    let Ok(lock) = std::fs::metadata(path) else { return Vec::new() };
    let own = std::process::id();
    let (major, minor) = (rustix::fs::major(lock.dev()), rustix::fs::minor(lock.dev()));
    let exact = holders(table, |device, inode| (device, inode) == ((major, minor), lock.ino()));
    // Some file systems have a device of their own for each subvolume, which this table does not know.
    let found = if exact.is_empty() { holders(table, |_, inode| inode == lock.ino()) } else { exact };
    let others = found.into_iter().filter(|process| *process != own);
    others.map(|process| StoreUser { process, command: command(process) }).collect()
}

/// The processes that hold a lock on the file, as `/proc/locks` has it:
/// `1: FLOCK  ADVISORY  READ 4711 fe:00:1234 0 EOF`. Those with `->` wait for it.
fn holders(table: &str, is_file: impl Fn((u32, u32), u64) -> bool) -> Vec<u32> {
    let holder = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        if words.next()? != "FLOCK" {
            return None;
        }
        let process = words.nth(2)?.parse::<i64>().ok()?;
        let mut file = words.next()?.split(':');
        let mut number = || u32::from_str_radix(file.next()?, 16).ok();
        let device = (number()?, number()?);
        let inode = file.next()?.parse().ok()?;
        is_file(device, inode).then(|| u32::try_from(process).unwrap_or(0))
    };
    table.lines().filter_map(holder).collect()
}

/// The program and its command: words without anything but letters.
fn command(process: u32) -> String {
    let bytes =
        std::fs::read(Path::new("/proc").join(process.to_string()).join("cmdline")).unwrap_or_default();
    let mut words = bytes.split(|byte| *byte == 0);
    let program = words.next().unwrap_or_default();
    let program = program.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let is_plain = |word: &[u8]| !word.is_empty() && word.iter().all(u8::is_ascii_alphabetic);
    let shown = |word: &[u8]| String::from_utf8_lossy(word).into_owned();
    match words.next().filter(|word| is_plain(word)) {
        _ if !is_plain(program) => String::new(),
        Some(command) => format!("{} {}", shown(program), shown(command)),
        None => shown(program),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holders_of_a_lock_are_found_and_not_those_who_wait() {
        let table = "\
1: FLOCK  ADVISORY  READ 4711 fe:00:1234 0 EOF
2: FLOCK  ADVISORY  READ 4712 fe:0a:1234 0 EOF
3: POSIX  ADVISORY  WRITE 4713 fe:00:1234 0 EOF
4: FLOCK  ADVISORY  READ 0 fe:00:1234 0 EOF
4: -> FLOCK  ADVISORY  WRITE 4714 fe:00:1234 0 EOF
strange
5: FLOCK  ADVISORY  READ -1 fe:00:1234 0 EOF
";
        let of = |device, inode| holders(table, move |found, number| (found, number) == (device, inode));
        assert_eq!(of((0xfe, 0), 1234), [4711, 0, 0]);
        assert_eq!(of((0xfe, 10), 1234), [4712]);
        assert_eq!(of((0xfe, 0), 1), [0; 0]);
    }
}
