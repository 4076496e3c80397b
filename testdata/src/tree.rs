//! Decides how a test says what lies in a folder: as a value, one call for each entry, written to disk at once.
//!
//! ```
//! use tug_testdata::{Listing, Tree};
//!
//! let folder = Tree::default().dir("etc").file("etc/motd", "hello").mode(0o600).in_a_temporary_folder();
//! let listing = Listing::of_folder(folder.path());
//! assert!(listing.lines().contains("etc/motd file 600 "));
//! ```
//! `mode`, `owner`, `xattr` and `mtime` change the entry named last.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, XattrFlags};
use tempfile::TempDir;

/// A folder to be: entries in the order in which they were named.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    entries: Vec<Entry>,
}

#[derive(Clone, Debug)]
struct Entry {
    path: OsString,
    content: Content,
    mode: Option<u32>,
    owner: Option<(u32, u32)>,
    xattrs: BTreeMap<OsString, Vec<u8>>,
    mtime: Option<Timespec>,
}

#[derive(Clone, Debug)]
enum Content {
    Directory,
    File(Vec<u8>),
    Hole(u64),
    Symlink(OsString),
    HardLink(OsString),
    Fifo,
    Socket,
    CharacterDevice(u32, u32),
}

impl Tree {
    /// Adds a directory, mode 0755.
    #[must_use]
    pub fn dir(self, path: impl AsRef<OsStr>) -> Self {
        self.with(path, Content::Directory)
    }

    /// Adds a regular file, mode 0644.
    #[must_use]
    pub fn file(self, path: impl AsRef<OsStr>, content: impl AsRef<[u8]>) -> Self {
        self.with(path, Content::File(content.as_ref().to_vec()))
    }

    /// Adds a regular file of `size` bytes, all zero, none of them stored.
    #[must_use]
    pub fn hole(self, path: impl AsRef<OsStr>, size: u64) -> Self {
        self.with(path, Content::Hole(size))
    }

    /// Adds a symbolic link.
    #[must_use]
    pub fn symlink(self, path: impl AsRef<OsStr>, target: impl AsRef<OsStr>) -> Self {
        self.with(path, Content::Symlink(target.as_ref().to_owned()))
    }

    /// Adds a second name for an entry of this tree.
    #[must_use]
    pub fn hard_link(self, path: impl AsRef<OsStr>, existing: impl AsRef<OsStr>) -> Self {
        self.with(path, Content::HardLink(existing.as_ref().to_owned()))
    }

    /// Adds a named pipe, mode 0644.
    #[must_use]
    pub fn fifo(self, path: impl AsRef<OsStr>) -> Self {
        self.with(path, Content::Fifo)
    }

    /// Adds a Unix socket that nobody listens on.
    #[must_use]
    pub fn socket(self, path: impl AsRef<OsStr>) -> Self {
        self.with(path, Content::Socket)
    }

    /// Adds a character device; only root can write such a tree.
    #[must_use]
    pub fn character_device(self, path: impl AsRef<OsStr>, major: u32, minor: u32) -> Self {
        self.with(path, Content::CharacterDevice(major, minor))
    }

    /// Sets the permission bits of the last entry, setuid, setgid and sticky included.
    #[must_use]
    pub fn mode(mut self, mode: u32) -> Self {
        self.last().mode = Some(mode);
        self
    }

    /// Sets the owner of the last entry.
    #[must_use]
    pub fn owner(mut self, uid: u32, gid: u32) -> Self {
        self.last().owner = Some((uid, gid));
        self
    }

    /// Sets an extended attribute of the last entry.
    #[must_use]
    pub fn xattr(mut self, name: impl AsRef<OsStr>, value: impl AsRef<[u8]>) -> Self {
        self.last().xattrs.insert(name.as_ref().to_owned(), value.as_ref().to_vec());
        self
    }

    /// Sets the modification time of the last entry, in seconds and nanoseconds since 1970.
    #[must_use]
    pub fn mtime(mut self, seconds: i64, nanoseconds: u32) -> Self {
        self.last().mtime = Some(Timespec { tv_sec: seconds, tv_nsec: nanoseconds.into() });
        self
    }

    /// Writes the tree into a new temporary folder, which goes when the value goes.
    pub fn in_a_temporary_folder(&self) -> TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        self.write_to(folder.path());
        folder
    }

    /// Writes the tree into a folder that exists. Missing parents are made.
    pub fn write_to(&self, root: &Path) {
        for entry in &self.entries {
            entry.create(root).unwrap_or_else(|error| panic!("could not write {:?}: {error}", entry.path));
        }
        // Times last, the deepest first: whatever is written into a directory changes its time.
        for entry in self.entries.iter().rev() {
            if let Some(mtime) = entry.mtime {
                let times = Timestamps { last_access: mtime, last_modification: mtime };
                rustix::fs::utimensat(CWD, root.join(&entry.path), &times, AtFlags::SYMLINK_NOFOLLOW)
                    .unwrap_or_else(|error| panic!("could not set the time of {:?}: {error}", entry.path));
            }
        }
    }

    fn with(mut self, path: impl AsRef<OsStr>, content: Content) -> Self {
        let path = path.as_ref().to_owned();
        self.entries.push(Entry {
            path,
            content,
            mode: None,
            owner: None,
            xattrs: BTreeMap::new(),
            mtime: None,
        });
        self
    }

    fn last(&mut self) -> &mut Entry {
        self.entries.last_mut().expect("an entry was named before it is changed")
    }
}

impl Entry {
    fn create(&self, root: &Path) -> std::io::Result<()> {
        let path = root.join(&self.path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        match &self.content {
            Content::Directory => fs::create_dir_all(&path)?,
            Content::File(bytes) => fs::write(&path, bytes)?,
            Content::Hole(size) => fs::File::create(&path)?.set_len(*size)?,
            Content::Symlink(target) => std::os::unix::fs::symlink(target, &path)?,
            Content::HardLink(existing) => fs::hard_link(root.join(existing), &path)?,
            Content::Fifo => rustix::fs::mknodat(CWD, &path, FileType::Fifo, Mode::from(0o644), 0)?,
            Content::Socket => drop(UnixListener::bind(&path)?),
            Content::CharacterDevice(major, minor) => {
                let device = rustix::fs::makedev(*major, *minor);
                rustix::fs::mknodat(CWD, &path, FileType::CharacterDevice, Mode::from(0o644), device)?;
            }
        }
        self.change(&path)
    }

    fn change(&self, path: &Path) -> std::io::Result<()> {
        for (name, value) in &self.xattrs {
            rustix::fs::lsetxattr(path, name.as_bytes(), value, XattrFlags::empty())?;
        }
        // The owner before the mode: a change of owner takes setuid and setgid away.
        if let Some((uid, gid)) = self.owner {
            std::os::unix::fs::lchown(path, Some(uid), Some(gid))?;
        }
        let usual = match self.content {
            Content::Directory => Some(0o755),
            Content::File(_) | Content::Hole(_) | Content::Fifo | Content::CharacterDevice(..) => Some(0o644),
            Content::Symlink(_) | Content::HardLink(_) | Content::Socket => None,
        };
        if let Some(mode) = self.mode.or(usual) {
            fs::set_permissions(path, Permissions::from_mode(mode))?;
        }
        Ok(())
    }
}
