//! A folder on disk as a tree of items: the build context.
//!
//! Directories are opened beneath the root with `openat2`, never through a symbolic link, so that a link that is
//! swapped in while we look cannot lead outside. Digests are remembered by device, inode, size and times, as git's
//! index does, so that a build without changes reads no file.
//!
//! Files may change while we read. Of a file that grows, such as a log, what was there when we looked counts. Anything
//! else is noticed by whoever copies, because the digest is another one.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, ResolveFlags, Statx, StatxFlags};
use rustix::io::Errno;
use tug_dockerfile::Ignore;
use tug_layer_store::{FileDigests, FileIdentity, Mtime};
use tug_oci::{Digest, Hasher};

use super::{Files, Item, ItemKind, changed, is_another_thing, join, parent_of};
use crate::cancel::Cancel;
use crate::error::Error;

const BUFFER: usize = 256 * 1024;

/// What is in a directory.
type Listed = Arc<[Arc<Item>]>;

/// A folder with the rules of its ignore file.
pub(crate) struct Folder {
    path: PathBuf,
    root: OwnedFd,
    ignore: Option<IgnoreFile>,
    digests: FileDigests,
    listed: Mutex<HashMap<Vec<u8>, Listed>>,
}

/// An ignore file with the name that messages show.
pub(crate) struct IgnoreFile {
    pub name: String,
    pub rules: Ignore,
}

impl Folder {
    /// Opens the folder at `path`. `ignore` hides items; `digests` remembers the content of files.
    pub(crate) fn open(path: &Path, ignore: Option<IgnoreFile>, digests: FileDigests) -> Result<Self, Error> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let root = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| Error::Io {
            action: "open",
            path: path.to_owned(),
            source: error.into(),
        })?;
        Ok(Self { path: path.to_owned(), root, ignore, digests, listed: Mutex::default() })
    }

    /// The rules of the ignore file.
    pub(crate) fn ignore(&self) -> Option<&Ignore> {
        self.ignore.as_ref().map(|ignore| &ignore.rules)
    }

    /// Writes down the digests learned meanwhile. Losing them costs time only, so failing is no error of the build.
    pub(crate) fn remember(&self) {
        self.digests.save().ok();
    }

    fn open_below(&self, path: &[u8], flags: OFlags) -> io::Result<OwnedFd> {
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let name = if path.is_empty() { c".".to_owned() } else { CString::new(path)? };
        Ok(rustix::fs::openat2(&self.root, name, flags | OFlags::CLOEXEC, Mode::empty(), beneath)?)
    }

    fn failed(&self, action: &'static str, path: &[u8], source: impl Into<io::Error>) -> Error {
        Error::Io { action, path: self.shown(path), source: source.into() }
    }

    fn list(&self, path: &[u8]) -> Result<Listed, Error> {
        if let Some(known) = self.listed.lock().expect("nobody panics while holding it").get(path) {
            return Ok(Arc::clone(known));
        }
        let items: Listed = self.read_directory(path)?.into();
        self.listed.lock().expect("nobody panics while holding it").insert(path.to_vec(), Arc::clone(&items));
        Ok(items)
    }

    fn read_directory(&self, path: &[u8]) -> Result<Vec<Arc<Item>>, Error> {
        let failed = |error: io::Error| self.failed("read the folder", path, error);
        let directory = self.open_below(path, OFlags::DIRECTORY | OFlags::RDONLY).map_err(failed)?;
        let mut items = Vec::new();
        let mut buffer = Vec::with_capacity(32 * 1024);
        let mut entries = rustix::fs::RawDir::new(&directory, buffer.spare_capacity_mut());
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(|error| failed(error.into()))?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            if let Some(item) = self.inspect(&directory, name, join(path, name.to_bytes()))? {
                items.push(Arc::new(item));
            }
        }
        items.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        Ok(items)
    }

    /// The item called `name` in `directory`, unless it is ignored or vanished meanwhile.
    fn inspect(&self, directory: &OwnedFd, name: &CStr, path: Vec<u8>) -> Result<Option<Item>, Error> {
        let wanted = StatxFlags::BASIC_STATS;
        let stat = match rustix::fs::statx(directory, name, AtFlags::SYMLINK_NOFOLLOW, wanted) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(error) => return Err(self.failed("look at", &path, error)),
        };
        if !self.is_visible(&path, FileType::from_raw_mode(u32::from(stat.stx_mode)).is_dir())? {
            return Ok(None);
        }
        let target = match FileType::from_raw_mode(u32::from(stat.stx_mode)) {
            FileType::Symlink => rustix::fs::readlinkat(directory, name, Vec::new())
                .map_err(|error| self.failed("read the link", &path, error))?
                .into_bytes(),
            _ => Vec::new(),
        };
        Ok(Some(item_of(&stat, path, target)))
    }

    /// An ignored directory is there all the same when a rule brings something below it back.
    fn is_visible(&self, path: &[u8], is_directory: bool) -> Result<bool, Error> {
        let Some(ignore) = &self.ignore else { return Ok(true) };
        if !ignore.rules.matches(path).ignored {
            return Ok(true);
        }
        if !is_directory || !ignore.rules.may_have_exceptions_below(path) {
            return Ok(false);
        }
        Ok(!self.list(path)?.is_empty())
    }
}

impl Files for Folder {
    fn item(&self, path: &[u8]) -> Result<Option<Item>, Error> {
        if path.is_empty() {
            let stat = rustix::fs::statx(&self.root, c"", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)
                .map_err(|error| self.failed("look at", path, error))?;
            return Ok(Some(item_of(&stat, Vec::new(), Vec::new())));
        }
        let parent = match self.open_below(parent_of(path), OFlags::DIRECTORY | OFlags::PATH) {
            Ok(parent) => parent,
            Err(error) => {
                return match Errno::from_io_error(&error) {
                    Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(None),
                    _ => Err(self.failed("open", parent_of(path), error)),
                };
            }
        };
        let Ok(name) = CString::new(super::name_of(path)) else { return Ok(None) };
        self.inspect(&parent, &name, path.to_vec())
    }

    fn children(&self, path: &[u8]) -> Result<Vec<Arc<Item>>, Error> {
        self.list(path).map(|items| items.to_vec())
    }

    fn remembers(&self) -> bool {
        true
    }

    fn digest(&self, item: &Item, cancel: &Cancel) -> Result<Digest, Error> {
        if let Some(known) = item.identity.and_then(|identity| self.digests.get(&identity)) {
            return Ok(known);
        }
        let mut file = self.open_file(item)?;
        let mut hasher = Hasher::sha256();
        let mut left = item.size();
        let mut buffer = vec![0; BUFFER.min(usize::try_from(left).unwrap_or(BUFFER))];
        while left > 0 {
            if cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let room = buffer.len().min(usize::try_from(left).unwrap_or(BUFFER));
            match file.read(&mut buffer[..room]) {
                Ok(0) => return Err(changed(self, item)),
                Ok(count) => {
                    hasher.update(&buffer[..count]);
                    left -= count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_another_thing(&error) => return Err(changed(self, item)),
                Err(error) => return Err(self.failed("read", &item.path, error)),
            }
        }
        let digest = hasher.finish();
        if let Some(identity) = &item.identity {
            self.digests.put(identity, &digest);
        }
        Ok(digest)
    }

    fn open(&self, item: &Item) -> Result<Box<dyn Read + Send>, Error> {
        Ok(Box::new(self.open_file(item)?.take(item.size())))
    }

    fn shown(&self, path: &[u8]) -> PathBuf {
        self.path.join(OsStr::from_bytes(path))
    }

    fn refresh(&self) {
        self.listed.lock().expect("nobody panics while holding it").clear();
    }

    fn hidden(&self, path: &[u8]) -> Option<String> {
        let ignore = self.ignore.as_ref()?;
        self.open_below(path, OFlags::PATH | OFlags::NOFOLLOW).ok()?;
        let decision = ignore.rules.matches(path);
        let line = decision.ignored.then_some(decision.line)?;
        Some(match line {
            Some(line) => format!("it is there, but excluded by `{}:{line}`", ignore.name),
            None => format!("it is there, but excluded by `{}`", ignore.name),
        })
    }
}

impl Folder {
    /// Opens a file where it was seen. That nothing is there now, or what cannot be opened, means that it changed; other
    /// things are noticed when they are read.
    fn open_file(&self, item: &Item) -> Result<File, Error> {
        let opened = self.open_below(&item.path, OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK);
        opened.map(File::from).map_err(|error| match Errno::from_io_error(&error) {
            Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::NXIO) => {
                changed(self, item)
            }
            _ => self.failed("read", &item.path, error),
        })
    }
}

fn item_of(stat: &Statx, path: Vec<u8>, target: Vec<u8>) -> Item {
    let mode = u32::from(stat.stx_mode);
    let kind = match FileType::from_raw_mode(mode) {
        FileType::Directory => ItemKind::Directory,
        FileType::Symlink => ItemKind::Symlink { target },
        FileType::Fifo => ItemKind::Fifo,
        FileType::CharacterDevice => {
            ItemKind::CharDevice { major: stat.stx_rdev_major, minor: stat.stx_rdev_minor }
        }
        FileType::BlockDevice => {
            ItemKind::BlockDevice { major: stat.stx_rdev_major, minor: stat.stx_rdev_minor }
        }
        FileType::Socket => ItemKind::Socket,
        _ => ItemKind::File { size: stat.stx_size },
    };
    let device = u64::from(stat.stx_dev_major) << 32 | u64::from(stat.stx_dev_minor);
    let nanoseconds =
        |seconds: i64, nanos: u32| seconds.wrapping_mul(1_000_000_000).wrapping_add(i64::from(nanos));
    let is_shared = stat.stx_nlink > 1 && matches!(kind, ItemKind::File { .. });
    Item {
        path,
        kind,
        mode: mode & 0o7777,
        uid: stat.stx_uid,
        gid: stat.stx_gid,
        mtime: Mtime { seconds: stat.stx_mtime.tv_sec, nanos: stat.stx_mtime.tv_nsec },
        xattrs: BTreeMap::new(),
        link: is_shared.then_some((device, stat.stx_ino)),
        identity: Some(FileIdentity {
            device,
            inode: stat.stx_ino,
            size: stat.stx_size,
            modified: nanoseconds(stat.stx_mtime.tv_sec, stat.stx_mtime.tv_nsec),
            changed: nanoseconds(stat.stx_ctime.tv_sec, stat.stx_ctime.tv_nsec),
        }),
        digest: OnceLock::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;

    use tug_layer_store::{Owners, Store, StoreOptions};

    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let place = tempfile::tempdir().unwrap();
        let options = StoreOptions { owners: Owners::Real, in_user_namespace: false, indexed_layers: false };
        let store = Store::open(&place.path().join("store"), &options).unwrap();
        let context = place.path().join("context");
        fs::create_dir(&context).unwrap();
        let digests = store.file_digests(&context).unwrap();
        let folder = Folder::open(&context, None, digests).unwrap();
        (place, folder)
    }

    fn content(folder: &Folder, item: &Item) -> Vec<u8> {
        let mut bytes = Vec::new();
        folder.open(item).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn of_a_file_that_grows_what_was_there_at_first_counts() {
        let (place, folder) = folder();
        let path = place.path().join("context/log");
        fs::write(&path, "one\n").unwrap();
        let item = folder.item(b"log").unwrap().unwrap();
        File::options().append(true).open(&path).unwrap().write_all(b"two\n").unwrap();
        assert_eq!(folder.digest(&item, &Cancel::default()).unwrap(), Digest::of(b"one\n"));
        assert_eq!(content(&folder, &item), b"one\n");
    }

    #[test]
    fn a_file_that_shrank_vanished_or_became_something_else_has_changed() {
        let (place, folder) = folder();
        let path = place.path().join("context/file");
        fs::write(&path, "content").unwrap();
        let item = folder.item(b"file").unwrap().unwrap();
        let has_changed = || matches!(folder.digest(&item, &Cancel::default()), Err(Error::Changed { .. }));
        fs::write(&path, "c").unwrap();
        assert!(has_changed());
        fs::remove_file(&path).unwrap();
        assert!(has_changed());
        std::os::unix::fs::symlink("/etc/passwd", &path).unwrap();
        assert!(has_changed());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(has_changed());
    }

    #[test]
    fn hashing_stops_when_it_is_cancelled() {
        let (place, folder) = folder();
        fs::write(place.path().join("context/file"), "content").unwrap();
        let item = folder.item(b"file").unwrap().unwrap();
        let cancel = Cancel::default();
        cancel.cancel();
        assert!(matches!(folder.digest(&item, &cancel), Err(Error::Cancelled)));
    }

    #[test]
    fn a_folder_is_listed_once_until_it_is_refreshed() {
        let (place, folder) = folder();
        assert!(folder.children(b"").unwrap().is_empty());
        fs::write(place.path().join("context/file"), "content").unwrap();
        assert!(folder.children(b"").unwrap().is_empty(), "steps must see the same files");
        folder.refresh();
        assert_eq!(folder.children(b"").unwrap().len(), 1);
    }
}
