//! Layers that come from elsewhere than a build: from a folder, from another layer, or only removing what is below.

use std::collections::HashMap;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, readlinkat, statat};

use crate::entry::{EntryKind, Mtime, NewEntry, NewEntryKind, canonical_order, join, shown, split};
use crate::error::{Error, Result};
use crate::folder::Folder;
use crate::layer::{ImportLayer, Layer, LayerWriter, LayerWriterOptions};
use crate::store::Store;
use crate::tar::TarWriter;

/// What a folder for a layer may hold at most.
const MOST_ENTRIES: usize = 10_000_000;

/// Where something lands in a layer, and how it is changed on its way.
pub struct Placement<'a> {
    /// The directory, as paths of layers are written: without a slash at the ends, empty for the root.
    pub destination: &'a [u8],
    /// The directories above, and that directory itself, by their paths: they come into the layer as this says.
    pub above: &'a dyn Fn(&[u8]) -> NewEntry,
    /// Changes owner, mode or time of what lands there.
    pub adjust: &'a dyn Fn(&mut NewEntry),
}

/// Why a folder cannot become a layer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FolderError {
    /// Something in it cannot be read.
    #[error("cannot read `{}`", path.display())]
    Read {
        /// What.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It was changed while it was read.
    #[error("`{}` was changed while it was read", path.display())]
    Changed {
        /// What.
        path: PathBuf,
    },
    /// A layer hides everything that is below in a directory, which cannot be said of another place.
    #[error("`{path}` is opaque in the layer: it hides what is below it, and such a layer cannot be changed")]
    Opaque {
        /// The directory.
        path: String,
    },
}

impl Store {
    /// A layer of what is in a folder. As in COPY, owners are root's unless the placement says otherwise, and attributes
    /// stay behind. Sockets are left out, and links are not followed.
    pub fn layer_of_folder(&self, folder: &Path, placement: &Placement<'_>) -> Result<Layer> {
        let root =
            Folder::open(folder).map_err(|source| FolderError::Read { path: folder.to_owned(), source })?;
        let mut walk = Walk {
            store: self,
            root,
            shown: folder,
            placement,
            writer: self.begin(placement)?,
            names: HashMap::new(),
            count: 0,
        };
        walk.write()?;
        walk.writer.finish()
    }

    /// The same layer in another place, or with other owners, modes or times.
    pub fn placed_layer(&self, layer: &Layer, placement: &Placement<'_>) -> Result<Layer> {
        let view = self.view(std::slice::from_ref(layer.diff_id()))?;
        let mut writer = self.begin(placement)?;
        let toc = layer.toc()?;
        // Directories that the tar did not list are listed: what is above an entry must be there.
        let implied = toc.implied().map(|path| NewEntry::directory(path, 0o755));
        let mut entries = Vec::new();
        for entry in toc.entries() {
            let kind = match entry.kind.clone() {
                EntryKind::Opaque => return Err(FolderError::Opaque { path: shown(&entry.path) }.into()),
                EntryKind::Whiteout => NewEntryKind::Whiteout,
                EntryKind::HardLink { target } => {
                    NewEntryKind::HardLink { target: join(placement.destination, &target) }
                }
                other => match other.to_new() {
                    Some(kind) => kind,
                    None => continue,
                },
            };
            entries.push(entry.to_new(kind));
        }
        entries.extend(implied);
        entries.sort_by(|one, other| canonical_order(&one.path, &other.path));
        for mut entry in entries {
            self.go_on()?;
            let source = entry.path.clone();
            entry.path = join(placement.destination, &source);
            if entry.kind != NewEntryKind::Whiteout {
                (placement.adjust)(&mut entry);
            }
            match (&entry.kind, view.lookup(&source)) {
                (NewEntryKind::File { .. }, Some(node)) => {
                    writer.add(&entry, Some(&mut view.open(&node)?))?;
                }
                _ => drop(writer.add(&entry, None)?),
            }
        }
        writer.finish()
    }

    /// A layer that does nothing but remove paths, given as paths of layers are written. It says nothing of the directories
    /// above them, which stay as they are.
    pub fn removing_layer(&self, paths: &[Vec<u8>]) -> Result<Layer> {
        let mut sorted: Vec<&Vec<u8>> = paths.iter().collect();
        sorted.sort_by(|one, other| canonical_order(one, other));
        sorted.dedup();
        let mut tar = TarWriter::new(Vec::new());
        for path in sorted {
            crate::layer::check_entry(&NewEntry::whiteout(path.clone()))?;
            tar.header(&NewEntry::whiteout(path.clone()))?;
        }
        let tar = tar.finish()?;
        self.import_layer(&mut tar.as_slice(), &ImportLayer::default())
    }

    /// A layer with the directories that lead to the destination.
    fn begin(&self, placement: &Placement<'_>) -> Result<LayerWriter> {
        let mut writer = self.layer_writer(&LayerWriterOptions::default())?;
        let destination = placement.destination;
        let ends = destination.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(end, _)| end);
        for end in ends.chain([destination.len()]).filter(|end| *end > 0) {
            let path = &destination[..end];
            let directory =
                NewEntry { path: path.to_vec(), kind: NewEntryKind::Directory, ..(placement.above)(path) };
            writer.add(&directory, None)?;
        }
        Ok(writer)
    }
}

/// A walk through a folder.
struct Walk<'a> {
    store: &'a Store,
    root: Folder,
    /// The folder, for messages.
    shown: &'a Path,
    placement: &'a Placement<'a>,
    writer: LayerWriter,
    /// The first name of each file that has several, by device and inode.
    names: HashMap<(u64, u64), Vec<u8>>,
    count: usize,
}

impl Walk<'_> {
    /// One list of names for each directory on the way down: paths may be deeper than a stack is.
    fn write(&mut self) -> Result<()> {
        let mut open = vec![self.names_in(b"")?.into_iter()];
        while let Some(names) = open.last_mut() {
            let Some(path) = names.next() else {
                open.pop();
                continue;
            };
            self.store.go_on()?;
            self.count += 1;
            if self.count > MOST_ENTRIES {
                let what = format!("files in `{}`", self.shown.display());
                return Err(Error::TooMany { what, limit: MOST_ENTRIES as u64 });
            }
            if self.entry(&path)? {
                open.push(self.names_in(&path)?.into_iter());
            }
        }
        Ok(())
    }

    /// The paths of what is in a directory, by name.
    fn names_in(&mut self, directory: &[u8]) -> Result<Vec<Vec<u8>>> {
        let opened = self.root.open_directory(directory);
        let read = opened.and_then(|opened| {
            let mut paths = Vec::new();
            for entry in Dir::new(opened)? {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                if !matches!(name, b"." | b"..") {
                    paths.push(join(directory, name));
                }
            }
            Ok(paths)
        });
        let mut paths = read.map_err(|source| self.unreadable(directory, source))?;
        paths.sort_unstable();
        Ok(paths)
    }

    /// Adds one entry. Returns whether it is a directory.
    fn entry(&mut self, path: &[u8]) -> Result<bool> {
        let (directory, name) = split(path);
        let parent: OwnedFd = match self.root.enter(directory).and_then(|parent| parent.try_clone_to_owned())
        {
            Ok(parent) => parent,
            Err(source) => return Err(self.unreadable(path, source)),
        };
        let failed = |walk: &Self, error: rustix::io::Errno| walk.unreadable(path, error.into());
        let stat = statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW).map_err(|error| failed(self, error))?;
        let inode = (stat.st_dev, stat.st_ino);
        let place = join(self.placement.destination, path);
        let kind = FileType::from_raw_mode(stat.st_mode);
        let is_linked = kind != FileType::Directory && stat.st_nlink > 1;
        let known = if is_linked { self.names.get(&inode).cloned() } else { None };
        let new_kind = match (known, kind) {
            (Some(target), _) => NewEntryKind::HardLink { target },
            (None, FileType::Directory) => NewEntryKind::Directory,
            (None, FileType::RegularFile) => NewEntryKind::File { size: stat.st_size as u64 },
            (None, FileType::Symlink) => {
                let target = readlinkat(&parent, name, Vec::new()).map_err(|error| failed(self, error))?;
                NewEntryKind::Symlink { target: target.into_bytes() }
            }
            (None, FileType::Fifo) => NewEntryKind::Fifo,
            (None, FileType::CharacterDevice) => {
                let (major, minor) = device(&stat);
                NewEntryKind::CharDevice { major, minor }
            }
            (None, FileType::BlockDevice) => {
                let (major, minor) = device(&stat);
                NewEntryKind::BlockDevice { major, minor }
            }
            (None, _) => return Ok(false),
        };
        if is_linked {
            self.names.entry(inode).or_insert_with(|| place.clone());
        }
        let mtime = Mtime { seconds: stat.st_mtime, nanos: stat.st_mtime_nsec as u32 };
        let mut entry = NewEntry {
            mtime: mtime.whole_seconds(None),
            ..NewEntry::new(place, new_kind, stat.st_mode & 0o7777)
        };
        match entry.kind {
            NewEntryKind::File { .. } => {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let file =
                    openat(&parent, name, flags, Mode::empty()).map_err(|error| failed(self, error))?;
                (self.placement.adjust)(&mut entry);
                self.add(&entry, path, Some(&mut std::fs::File::from(file)))?;
            }
            _ => {
                (self.placement.adjust)(&mut entry);
                self.add(&entry, path, None)?;
            }
        }
        Ok(kind == FileType::Directory)
    }

    fn add(&mut self, entry: &NewEntry, path: &[u8], content: Option<&mut dyn Read>) -> Result<()> {
        match self.writer.add(entry, content) {
            Err(Error::Layer(crate::layer::LayerError::ContentLength { .. })) => {
                Err(FolderError::Changed { path: self.path(path) }.into())
            }
            other => other.map(drop),
        }
    }

    fn path(&self, path: &[u8]) -> PathBuf {
        use std::os::unix::ffi::OsStrExt;
        self.shown.join(std::ffi::OsStr::from_bytes(path))
    }

    fn unreadable(&self, path: &[u8], source: io::Error) -> Error {
        FolderError::Read { path: self.path(path), source }.into()
    }
}

fn device(stat: &Stat) -> (u32, u32) {
    (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev))
}
