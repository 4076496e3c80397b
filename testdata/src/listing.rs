//! Decides how two trees are compared: as sorted lines of text, one for each entry.
//!
//! ```text
//! . dir 755 0:0 @1700000000
//! bin/su file 4755 0:0 90416 a948904f… @1700000000
//! etc/mtab link -> /proc/mounts 0:0 @1700000000
//! etc/motd file 644 0:0 6 "hello\n" @1700000000
//! usr/bin/su file 4755 0:0 90416 a948904f… @1700000000 same=bin/su
//! ```
//! A short text stands for itself, anything else for its SHA-256.
//! The same listing can be taken from a folder, from a tar, or from layers laid over each other by the rules of the
//! image specification, so each is an oracle for the others. Details that a comparison is not about are left
//! out with [`Listing::without`]. Times are in whole seconds. Bytes of names other than visible ASCII
//! are written as `\xNN`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use sha2::{Digest, Sha256};

use crate::tar::{self, Header};

/// Texts up to so many bytes are shown.
const SHORT: usize = 256;

/// Everything in a tree, by path.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    entries: BTreeMap<Vec<u8>, Entry>,
    links: usize,
}

/// What a comparison may leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Modification times.
    Times,
    /// User and group ids.
    Owners,
    /// Extended attributes.
    Xattrs,
    /// Which names are one file.
    HardLinks,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    kind: Kind,
    mode: u32,
    owner: Option<(u64, u64)>,
    mtime: Option<i64>,
    xattrs: BTreeMap<Vec<u8>, Vec<u8>>,
    /// Entries with the same number are one file.
    link: Option<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Directory,
    File { size: u64, content: String },
    Symlink { target: Vec<u8> },
    Fifo,
    Socket,
    CharacterDevice(u32, u32),
    BlockDevice(u32, u32),
}

impl Listing {
    /// Lists a folder; no link is followed, no file is held in memory.
    pub fn of_folder(root: &Path) -> Self {
        let root =
            File::open(root).unwrap_or_else(|error| panic!("could not list `{}`: {error}", root.display()));
        let mut walk = Walk::default();
        let stat = rustix::fs::fstat(&root).expect("an open directory has a status");
        walk.add(root.as_fd(), b".", b".".to_vec(), &stat).expect("the root of a tree can be read");
        walk.descend(root.as_fd(), b"").unwrap_or_else(|error| panic!("could not list the tree: {error}"));
        walk.listing
    }

    /// Lists a plain tar.
    pub fn of_tar(archive: impl Read) -> Self {
        let mut listing = Self::default();
        listing.apply_layer(archive).unwrap_or_else(|error| panic!("could not list the tar: {error}"));
        listing
    }

    /// Lists a layer's tar as it is: whiteouts are shown as the files they are.
    pub fn of_raw_tar(archive: impl Read) -> Self {
        let mut listing = Self::default();
        tar::for_each(archive, |header, content| listing.put(&clean(&header.path), header, content))
            .unwrap_or_else(|error| panic!("could not list the tar: {error}"));
        listing
    }

    /// Lays a layer over what is there: whiteouts remove, opaque directories hide what was below them.
    pub fn apply_layer(&mut self, archive: impl Read) -> io::Result<()> {
        let mut added = BTreeSet::new();
        let mut opaque = Vec::new();
        tar::for_each(archive, |header, content| {
            let path = clean(&header.path);
            let (parent, name) = split(&path);
            if name == b".wh..wh..opq" {
                opaque.push(parent.to_vec());
            } else if let Some(hidden) = name.strip_prefix(b".wh.") {
                self.remove(&join(parent, hidden), &added);
            } else {
                self.put(&path, header, content)?;
                added.insert(path);
            }
            Ok(())
        })?;
        for directory in opaque {
            self.remove_below(&directory, &added);
        }
        Ok(())
    }

    /// Leaves a detail out of the comparison.
    #[must_use]
    pub fn without(mut self, detail: Detail) -> Self {
        for entry in self.entries.values_mut() {
            match detail {
                Detail::Times => entry.mtime = None,
                Detail::Owners => entry.owner = None,
                Detail::Xattrs => entry.xattrs.clear(),
                Detail::HardLinks => entry.link = None,
            }
        }
        self
    }

    /// Leaves out a path and all below it.
    #[must_use]
    pub fn without_path(mut self, path: impl AsRef<[u8]>) -> Self {
        let path = path.as_ref();
        self.entries.remove(path);
        self.remove_below(path, &BTreeSet::new());
        self
    }

    /// Leaves out the root itself, which not every archive has an entry for.
    #[must_use]
    pub fn without_root(mut self) -> Self {
        self.entries.remove(b".".as_slice());
        self
    }

    /// Shows `name` for every file that holds what `path` holds in `original`: programs differ between machines.
    #[must_use]
    pub fn with_content_named(mut self, original: &Self, path: &str, name: &str) -> Self {
        let found = original.entries.get(path.as_bytes()).map(|entry| entry.kind.clone());
        let content = found.unwrap_or_else(|| panic!("there is no `{path}`"));
        for entry in self.entries.values_mut().filter(|entry| entry.kind == content) {
            entry.kind = Kind::File { size: 0, content: format!("<{name}>") };
        }
        self
    }

    /// What differs from a tree that was there before: lines of new and changed entries, and one line `PATH gone`
    /// for each that is not there any more.
    pub fn changes_since(&self, before: &Self) -> String {
        let mut lines: BTreeMap<&[u8], String> = BTreeMap::new();
        let (old_names, new_names) = (before.first_names(), self.first_names());
        for path in before.entries.keys().filter(|path| !self.entries.contains_key(*path)) {
            lines.insert(path, format!("{} gone\n", visible(path)));
        }
        for (path, entry) in &self.entries {
            let line = line(path, entry, &new_names);
            let same = before.entries.get(path).is_some_and(|old| self::line(path, old, &old_names) == line);
            if !same {
                lines.insert(path, line);
            }
        }
        lines.into_values().collect()
    }

    /// The listing as text, a line for each entry, sorted by the bytes of the paths.
    pub fn lines(&self) -> String {
        let names = self.first_names();
        self.entries.iter().map(|(path, entry)| line(path, entry, &names)).collect()
    }

    /// For each file with several names: the first of them.
    fn first_names(&self) -> BTreeMap<usize, (&[u8], usize)> {
        let mut names: BTreeMap<usize, (&[u8], usize)> = BTreeMap::new();
        for (path, entry) in &self.entries {
            if let Some(link) = entry.link {
                names.entry(link).or_insert((path, 0)).1 += 1;
            }
        }
        names
    }

    fn put(&mut self, path: &[u8], header: Header, content: &mut dyn Read) -> io::Result<()> {
        if header.kind == b'1' {
            let target = clean(&header.link);
            let next = self.links + 1;
            let Some(existing) = self.entries.get_mut(&target) else {
                return Err(io::Error::other(format!("a hard link to nothing: `{}`", visible(&target))));
            };
            self.links = next;
            existing.link = existing.link.or(Some(next));
            let entry = existing.clone();
            self.make_room(path, false);
            self.entries.insert(path.to_vec(), entry);
            return Ok(());
        }
        let kind = match header.kind {
            b'0' | b'7' => Kind::File { size: header.size, content: summary(content)? },
            b'2' => Kind::Symlink { target: header.link },
            b'3' => Kind::CharacterDevice(header.device.0, header.device.1),
            b'4' => Kind::BlockDevice(header.device.0, header.device.1),
            b'5' => Kind::Directory,
            b'6' => Kind::Fifo,
            other => return Err(io::Error::other(format!("an entry of kind {other}"))),
        };
        self.make_room(path, kind == Kind::Directory);
        let owner = Some((header.uid, header.gid));
        let (mode, mtime, xattrs) = (header.mode, Some(header.mtime), header.xattrs);
        self.entries.insert(path.to_vec(), Entry { kind, mode, owner, mtime, xattrs, link: None });
        Ok(())
    }

    /// A directory may take the place of a directory and keep what is in it; anything else clears the place.
    /// What is above and is no directory goes as well.
    fn make_room(&mut self, path: &[u8], for_directory: bool) {
        let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        for above in slashes.map(|at| &path[..at]) {
            if self.entries.get(above).is_some_and(|entry| entry.kind != Kind::Directory) {
                self.entries.remove(above);
            }
        }
        let keep = for_directory && self.entries.get(path).is_none_or(|entry| entry.kind == Kind::Directory);
        if !keep {
            self.remove(path, &BTreeSet::new());
        }
    }

    fn remove(&mut self, path: &[u8], but_not: &BTreeSet<Vec<u8>>) {
        if !but_not.contains(path) {
            self.entries.remove(path);
        }
        self.remove_below(path, but_not);
    }

    fn remove_below(&mut self, directory: &[u8], but_not: &BTreeSet<Vec<u8>>) {
        let prefix = if directory == b"." { Vec::new() } else { [directory, b"/"].concat() };
        self.entries.retain(|path, _| !path.starts_with(&prefix) || path == b"." || but_not.contains(path));
    }
}

#[derive(Default)]
struct Walk {
    listing: Listing,
    seen: BTreeMap<(u64, u64), usize>,
}

impl Walk {
    fn descend(&mut self, directory: BorrowedFd<'_>, prefix: &[u8]) -> io::Result<()> {
        let mut names = Vec::new();
        for entry in Dir::read_from(directory)? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(name);
            }
        }
        for name in names {
            let path = if prefix.is_empty() { name.clone() } else { join(prefix, &name) };
            let stat = rustix::fs::statat(directory, name.as_slice(), AtFlags::SYMLINK_NOFOLLOW)?;
            self.add(directory, &name, path.clone(), &stat)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let child = rustix::fs::openat(directory, name.as_slice(), flags, Mode::empty())?;
                self.descend(child.as_fd(), &path)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, directory: BorrowedFd<'_>, name: &[u8], path: Vec<u8>, stat: &Stat) -> io::Result<()> {
        let device = (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev));
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => Kind::Directory,
            FileType::RegularFile => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
                let mut file = File::from(rustix::fs::openat(directory, name, flags, Mode::empty())?);
                Kind::File { size: stat.st_size as u64, content: summary(&mut file)? }
            }
            FileType::Symlink => {
                Kind::Symlink { target: rustix::fs::readlinkat(directory, name, Vec::new())?.into_bytes() }
            }
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            FileType::CharacterDevice => Kind::CharacterDevice(device.0, device.1),
            FileType::BlockDevice => Kind::BlockDevice(device.0, device.1),
            FileType::Unknown => return Err(io::Error::other("a file of unknown type")),
        };
        let mut link = None;
        if kind != Kind::Directory && stat.st_nlink > 1 {
            let next = self.seen.len() + 1;
            link = Some(*self.seen.entry((stat.st_dev, stat.st_ino)).or_insert(next));
        }
        let entry = Entry {
            kind,
            mode: stat.st_mode & 0o7777,
            owner: Some((stat.st_uid.into(), stat.st_gid.into())),
            mtime: Some(stat.st_mtime),
            xattrs: xattrs(directory, name)?,
            link,
        };
        self.listing.entries.insert(path, entry);
        Ok(())
    }
}

/// All extended attributes that this process may see.
fn xattrs(directory: BorrowedFd<'_>, name: &[u8]) -> io::Result<BTreeMap<Vec<u8>, Vec<u8>>> {
    // There is no `listxattrat` on the kernels that matter; the detour also keeps long paths short.
    let mut path = format!("/proc/self/fd/{}/", directory.as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    let mut names = vec![0; 64 << 10];
    let length = match rustix::fs::llistxattr(path.as_slice(), &mut names) {
        Err(rustix::io::Errno::NOTSUP) => 0,
        other => other?,
    };
    let mut values = BTreeMap::new();
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 64 << 10];
        let length = rustix::fs::lgetxattr(path.as_slice(), name, &mut value)?;
        value.truncate(length);
        values.insert(name.to_vec(), value);
    }
    Ok(values)
}

fn line(path: &[u8], entry: &Entry, names: &BTreeMap<usize, (&[u8], usize)>) -> String {
    let mut line = format!("{} ", visible(path));
    // Writing into a string cannot fail.
    let _ = match &entry.kind {
        Kind::Directory => write!(line, "dir {:o}", entry.mode),
        Kind::File { .. } => write!(line, "file {:o}", entry.mode),
        Kind::Symlink { target } => write!(line, "link -> {}", visible(target)),
        Kind::Fifo => write!(line, "fifo {:o}", entry.mode),
        Kind::Socket => write!(line, "socket {:o}", entry.mode),
        Kind::CharacterDevice(major, minor) => write!(line, "char {major}:{minor} {:o}", entry.mode),
        Kind::BlockDevice(major, minor) => write!(line, "block {major}:{minor} {:o}", entry.mode),
    };
    if let Some((uid, gid)) = entry.owner {
        let _ = write!(line, " {uid}:{gid}");
    }
    if let Kind::File { size, content } = &entry.kind {
        let _ = write!(line, " {size} {content}");
    }
    if let Some(mtime) = entry.mtime {
        let _ = write!(line, " @{mtime}");
    }
    for (name, value) in &entry.xattrs {
        let _ = write!(line, " {}={}", visible(name), visible(value));
    }
    if let Some((first, count)) = entry.link.and_then(|link| names.get(&link))
        && *count > 1
        && *first != path
    {
        let _ = write!(line, " same={}", visible(first));
    }
    line.push('\n');
    line
}

fn visible(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'\\' => text.push_str("\\\\"),
            0x21..=0x7e => text.push(char::from(*byte)),
            _ => {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text
}

/// The text itself when it is short, or else its digest.
fn summary(content: &mut dyn Read) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let mut start = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = content.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        hasher.update(&buffer[..length]);
        let room = (SHORT + 1).saturating_sub(start.len());
        start.extend_from_slice(&buffer[..length.min(room)]);
    }
    match std::str::from_utf8(&start) {
        Ok(text) if start.len() <= SHORT => Ok(format!("{text:?}")),
        _ => Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()),
    }
}

/// `./a//b/` and `/a/b` are `a/b`; the root is `.`.
fn clean(path: &[u8]) -> Vec<u8> {
    let parts: Vec<&[u8]> =
        path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b".")).collect();
    if parts.is_empty() { b".".to_vec() } else { parts.join(&b'/') }
}

fn split(path: &[u8]) -> (&[u8], &[u8]) {
    match path.iter().rposition(|byte| *byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (b".", path),
    }
}

fn join(parent: &[u8], name: &[u8]) -> Vec<u8> {
    if parent == b"." { name.to_vec() } else { [parent, b"/", name].concat() }
}
