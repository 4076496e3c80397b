//! Remembers the digests of files, so that a build reads only what changed since the last one.
//!
//! A file is known by device, inode, size, modification time and change time, as git's index knows it. Contents cannot
//! change without the change time, which no program can set. Only the grain of the clock is left: a file that changes
//! twice within one tick looks the same. So an entry is not kept when its times are not clearly older than the moment
//! this list was opened, which was before the file was looked at:
//!
//! | file system                                 | what "clearly older" means                                     |
//! | ------------------------------------------- | -------------------------------------------------------------- |
//! | any                                         | 100 ms: kernels count in ticks of up to 10 ms                  |
//! | with whole seconds only                     | 2 s                                                            |
//! | of another machine (NFS, SMB, FUSE, 9p, …)  | 10 minutes: its clock is not ours                              |
//!
//! There is one list for each context folder: sorted records of fixed length behind a head, and a checksum. A list that
//! is damaged is an empty list. An entry that was not asked for in eight saves is dropped, so lists do not grow.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use tug_oci::Digest;

use crate::error::{Result, failed};
use crate::file;
use crate::lock::Lock;
use crate::store::Store;

const MAGIC: &[u8; 8] = b"tugfile1";
const RECORD: usize = 76;
const CHECKSUM: usize = 64;
/// About three million files.
const LIST_LIMIT: u64 = 256 * 1024 * 1024;
const MOST_IDLE: u32 = 8;

/// What a file is known by. Times are nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileIdentity {
    /// The device that it is on.
    pub device: u64,
    /// Its number on the device.
    pub inode: u64,
    /// Its length in bytes.
    pub size: u64,
    /// When its content was changed, or what a program says about that.
    pub modified: i64,
    /// When anything about it was changed; only the kernel sets it.
    pub changed: i64,
}

impl From<&std::fs::Metadata> for FileIdentity {
    fn from(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

impl From<&rustix::fs::Stat> for FileIdentity {
    #[allow(clippy::unnecessary_cast, reason = "the types differ between processors")]
    fn from(status: &rustix::fs::Stat) -> Self {
        Self {
            device: status.st_dev as u64,
            inode: status.st_ino as u64,
            size: status.st_size as u64,
            modified: nanoseconds(status.st_mtime as i64, status.st_mtime_nsec as i64),
            changed: nanoseconds(status.st_ctime as i64, status.st_ctime_nsec as i64),
        }
    }
}

/// The remembered digests of the files of one context folder. May be asked and told from several threads.
#[derive(Debug)]
pub struct FileDigests {
    store: Store,
    path: PathBuf,
    opened: i64,
    /// How much older than `opened` the times of a file must be.
    margin: i64,
    known: Vec<Record>,
    asked: Vec<AtomicBool>,
    learnt: Mutex<BTreeMap<FileIdentity, [u8; 32]>>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    identity: FileIdentity,
    digest: [u8; 32],
    /// Saves since it was last asked for.
    idle: u32,
}

impl Store {
    /// The remembered digests of files below `folder`. Open the list before you look at any of the files.
    pub fn file_digests(&self, folder: &Path) -> Result<FileDigests> {
        let opened = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let folder = std::fs::canonicalize(folder).map_err(failed("find", folder))?;
        let name = Digest::of(folder.as_os_str().as_bytes());
        let path = self.path("cache/files").join(name.hex());
        let known = read_list(&path)?;
        Ok(FileDigests {
            store: self.clone(),
            asked: known.iter().map(|_| AtomicBool::new(false)).collect(),
            known,
            path,
            opened: opened.as_nanos() as i64,
            margin: margin_of(&folder).as_nanos() as i64,
            learnt: Mutex::default(),
        })
    }
}

impl FileDigests {
    /// The SHA-256 digest of the file's content, if it was seen before and cannot have changed since.
    pub fn get(&self, file: &FileIdentity) -> Option<Digest> {
        let place = self.known.binary_search_by(|record| record.identity.cmp(file)).ok()?;
        self.asked[place].store(true, Ordering::Relaxed);
        Some(Digest::from_sha256(&self.known[place].digest))
    }

    /// Remembers the SHA-256 digest of a file's content. `file` must have been looked at before the content was read.
    ///
    /// What changed too recently to be told apart from a later change is not remembered.
    pub fn put(&self, file: &FileIdentity, digest: &Digest) {
        let Some(digest) = hash_of(digest) else { return };
        if self.is_settled(file)
            && let Ok(mut learnt) = self.learnt.lock()
        {
            learnt.insert(*file, digest);
        }
    }

    /// Writes what was learnt, together with what other processes learnt meanwhile. Does nothing when nothing was.
    pub fn save(&self) -> Result<()> {
        let learnt = self.learnt.lock().map(|mut learnt| std::mem::take(&mut *learnt)).unwrap_or_default();
        if learnt.is_empty() {
            return Ok(());
        }
        let _lock = Lock::exclusive(&self.store.path("locks/files"))?;
        let mut merged: BTreeMap<FileIdentity, Record> = BTreeMap::new();
        for mut record in read_list(&self.path)? {
            record.idle += 1;
            merged.insert(record.identity, record);
        }
        for (record, asked) in self.known.iter().zip(&self.asked) {
            if asked.load(Ordering::Relaxed) {
                merged.insert(record.identity, Record { idle: 0, ..*record });
            }
        }
        for (identity, digest) in learnt {
            merged.insert(identity, Record { identity, digest, idle: 0 });
        }
        // A file that changed has another identity; the one it had will not come back.
        let kept = merged.into_values().filter(|record| record.idle <= MOST_IDLE);
        file::replace_in_folder(&self.path, &self.store.path("ingest"), &to_bytes(kept))
    }

    fn is_settled(&self, file: &FileIdentity) -> bool {
        const SECOND: i64 = 1_000_000_000;
        let whole_seconds = file.changed % SECOND == 0 && file.modified % SECOND == 0;
        let margin = if whole_seconds { self.margin.max(2 * SECOND) } else { self.margin };
        file.changed < self.opened.saturating_sub(margin)
    }
}

fn margin_of(folder: &Path) -> Duration {
    const OF_OTHER_MACHINES: &[u32] = &[
        0x6969,      // nfs
        0x517b,      // smb
        0xff53_4d42, // cifs
        0xfe53_4d42, // smb2
        0x6573_5546, // fuse
        0x0102_1997, // 9p
        0x00c3_6400, // ceph
        0x5346_414f, // afs
        0x7461_636f, // ocfs2
    ];
    match rustix::fs::statfs(folder) {
        Ok(status) if !OF_OTHER_MACHINES.contains(&(status.f_type as u32)) => Duration::from_millis(100),
        _ => Duration::from_secs(600),
    }
}

fn read_list(path: &Path) -> Result<Vec<Record>> {
    let bytes = match file::read_small(path, LIST_LIMIT) {
        Ok(Some(bytes)) => bytes,
        Ok(None) | Err(crate::Error::TooLarge { .. }) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    Ok(parse(&bytes).unwrap_or_default())
}

/// `None` when it is damaged.
fn parse(bytes: &[u8]) -> Option<Vec<Record>> {
    let (content, checksum) = bytes.split_at_checked(bytes.len().checked_sub(CHECKSUM)?)?;
    let records = content.strip_prefix(MAGIC)?;
    if Digest::of(content).hex().as_bytes() != checksum || records.len() % RECORD != 0 {
        return None;
    }
    Some(records.chunks_exact(RECORD).map(Record::parse).collect())
}

fn to_bytes(records: impl Iterator<Item = Record>) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    records.for_each(|record| record.write(&mut bytes));
    let checksum = Digest::of(&bytes);
    bytes.extend_from_slice(checksum.hex().as_bytes());
    bytes
}

impl Record {
    fn parse(bytes: &[u8]) -> Self {
        let number = |place: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[place * 8..place * 8 + 8]);
            number
        };
        let identity = FileIdentity {
            device: u64::from_le_bytes(number(0)),
            inode: u64::from_le_bytes(number(1)),
            size: u64::from_le_bytes(number(2)),
            modified: i64::from_le_bytes(number(3)),
            changed: i64::from_le_bytes(number(4)),
        };
        let (mut digest, mut idle) = ([0; 32], [0; 4]);
        digest.copy_from_slice(&bytes[40..72]);
        idle.copy_from_slice(&bytes[72..]);
        Self { identity, digest, idle: u32::from_le_bytes(idle) }
    }

    fn write(&self, out: &mut Vec<u8>) {
        let FileIdentity { device, inode, size, modified, changed } = self.identity;
        for number in [device, inode, size] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        for number in [modified, changed] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.digest);
        out.extend_from_slice(&self.idle.to_le_bytes());
    }
}

/// `None` for digests of other algorithms than SHA-256.
fn hash_of(digest: &Digest) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let hex = digest.hex().as_bytes();
    if hex.len() != 64 {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(hex.chunks_exact(2)) {
        let high = char::from(pair[0]).to_digit(16)?;
        let low = char::from(pair[1]).to_digit(16)?;
        *byte = (high * 16 + low) as u8;
    }
    Some(hash)
}

fn nanoseconds(seconds: i64, nanos: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::store;

    /// A file as it was two hours ago.
    fn old_file(inode: u64) -> FileIdentity {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as i64;
        let then = now - 2 * 3600 * 1_000_000_000;
        FileIdentity { device: 1, inode, size: 5, modified: then + 1, changed: then + 1 }
    }

    fn remember(store: &Store, folder: &Path, files: &[(FileIdentity, &str)]) {
        let digests = store.file_digests(folder).unwrap();
        files.iter().for_each(|(file, content)| digests.put(file, &Digest::of(content.as_bytes())));
        digests.save().unwrap();
    }

    #[test]
    fn a_file_that_did_not_change_keeps_its_digest() {
        let (folder, store) = store();
        let (one, two) = (old_file(1), old_file(2));
        remember(&store, folder.path(), &[(two, "two"), (one, "one")]);
        let digests = store.file_digests(folder.path()).unwrap();
        assert_eq!(digests.get(&one), Some(Digest::of(b"one")));
        assert_eq!(digests.get(&two), Some(Digest::of(b"two")));
    }

    #[test]
    fn any_difference_is_a_change() {
        let (folder, store) = store();
        let file = old_file(1);
        remember(&store, folder.path(), &[(file, "one")]);
        let digests = store.file_digests(folder.path()).unwrap();
        assert!(digests.get(&file).is_some());
        for other in [
            FileIdentity { device: 2, ..file },
            FileIdentity { inode: 2, ..file },
            FileIdentity { size: 6, ..file },
            FileIdentity { modified: file.modified + 1, ..file },
            FileIdentity { changed: file.changed - 1, ..file },
        ] {
            assert_eq!(digests.get(&other), None, "{other:?}");
        }
    }

    #[test]
    fn a_file_that_changed_just_now_is_not_remembered() {
        let (folder, store) = store();
        let path = folder.path().join("file");
        std::fs::write(&path, "one").unwrap();
        let fresh = FileIdentity::from(&std::fs::metadata(&path).unwrap());
        let hour = 3600 * 1_000_000_000;
        let in_whole_seconds = fresh.changed / 1_000_000_000 * 1_000_000_000 - 1_000_000_000;
        let from_the_future = FileIdentity { changed: fresh.changed + hour, ..fresh };
        let whole = FileIdentity { changed: in_whole_seconds, modified: in_whole_seconds, ..fresh };
        remember(&store, folder.path(), &[(fresh, "one"), (from_the_future, "one"), (whole, "one")]);
        let digests = store.file_digests(folder.path()).unwrap();
        assert!(digests.known.is_empty());
        std::thread::sleep(Duration::from_millis(150));
        remember(&store, folder.path(), &[(fresh, "one")]);
        assert_eq!(store.file_digests(folder.path()).unwrap().get(&fresh), Some(Digest::of(b"one")));
    }

    #[test]
    fn two_processes_do_not_forget_what_the_other_learnt() {
        let (folder, store) = store();
        let (first, second) =
            (store.file_digests(folder.path()).unwrap(), store.file_digests(folder.path()).unwrap());
        let (one, two) = (old_file(1), old_file(2));
        first.put(&one, &Digest::of(b"one"));
        second.put(&two, &Digest::of(b"two"));
        first.save().unwrap();
        second.save().unwrap();
        let digests = store.file_digests(folder.path()).unwrap();
        assert!(digests.get(&one).is_some() && digests.get(&two).is_some());
    }

    #[test]
    fn what_nobody_asks_for_is_forgotten_after_a_while() {
        let (folder, store) = store();
        let (idle, busy) = (old_file(1), old_file(2));
        remember(&store, folder.path(), &[(idle, "one"), (busy, "two")]);
        for round in 0..10 {
            let digests = store.file_digests(folder.path()).unwrap();
            assert!(digests.get(&busy).is_some(), "round {round}");
            digests.put(&old_file(100 + round), &Digest::of(b"new"));
            digests.save().unwrap();
        }
        let digests = store.file_digests(folder.path()).unwrap();
        assert!(digests.get(&idle).is_none() && digests.get(&busy).is_some());
    }

    #[test]
    fn a_damaged_list_is_an_empty_one() {
        let (folder, store) = store();
        let file = old_file(1);
        remember(&store, folder.path(), &[(file, "one")]);
        let path = store.file_digests(folder.path()).unwrap().path;
        let good = std::fs::read(&path).unwrap();
        let mut flipped = good.clone();
        flipped[60] ^= 1;
        for damaged in [&good[..good.len() - 1], &good[..10], b"", &flipped] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(store.file_digests(folder.path()).unwrap().get(&file), None);
        }
        remember(&store, folder.path(), &[(file, "one")]);
        assert!(store.file_digests(folder.path()).unwrap().get(&file).is_some());
    }

    #[test]
    fn folders_have_lists_of_their_own() {
        let (folder, store) = store();
        let other = tempfile::tempdir().unwrap();
        let file = old_file(1);
        remember(&store, folder.path(), &[(file, "one")]);
        assert_eq!(store.file_digests(other.path()).unwrap().get(&file), None);
    }
}
