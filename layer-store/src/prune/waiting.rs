//! Who else works in the store, and waiting for them.
//!
//! The kernel says in `/proc/locks` which processes hold a lock. Of those, the name of the program and its command are
//! told, and nothing else of what they were started with: there may be secrets in it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::Result;
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

impl Store {
    /// The other processes that have this store open.
    pub fn users(&self) -> Vec<StoreUser> {
        let Ok(lock) = std::fs::metadata(self.path("locks/store")) else { return Vec::new() };
        let table = std::fs::read_to_string("/proc/locks").unwrap_or_default();
        let own = std::process::id();
        let (major, minor) = (rustix::fs::major(lock.dev()), rustix::fs::minor(lock.dev()));
        let exact = holders(&table, |device, inode| (device, inode) == ((major, minor), lock.ino()));
        // Some file systems have a device of their own for each subvolume, which this table does not know.
        let found = if exact.is_empty() { holders(&table, |_, inode| inode == lock.ino()) } else { exact };
        let mut users: Vec<StoreUser> = found
            .into_iter()
            .filter(|process| *process != own)
            .map(|process| StoreUser { process, command: command(process) })
            .collect();
        users.sort();
        users.dedup();
        users
    }

    /// Runs `work` once nobody else works in the store; `None` when the `patience` ends before.
    ///
    /// While it waits, it does not work in the store itself: of two who wait, one gets its turn.
    pub(crate) fn alone_within<T>(
        &self,
        patience: &Patience<'_>,
        mut work: impl FnMut() -> Result<T>,
    ) -> Result<Option<T>> {
        let begin = Instant::now();
        let mut was_told = false;
        loop {
            if let Some(done) = self.lock().alone(&mut work)? {
                return Ok(Some(done));
            }
            self.go_on()?;
            if begin.elapsed() >= patience.limit {
                return Ok(None);
            }
            if !was_told {
                was_told = true;
                (patience.tell)(&self.users());
            }
            self.lock().give_up()?;
            std::thread::sleep(LOOK_AGAIN);
        }
    }
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
