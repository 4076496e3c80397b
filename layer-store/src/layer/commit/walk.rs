//! Walks an upper directory in canonical order, and brings entries and tree to agree.

use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::Path;
use std::vec::IntoIter;

use rustix::fs::{AtFlags, Dir, FileType, Mode, mknodat, unlinkat};

use super::CommitOptions;
use super::compare::Below;
use super::facts::{Facts, Kind};
use super::links::Links;
use crate::entry::{Mtime, NewEntry, NewEntryKind, join, shown};
use crate::error::{Result, failed};
use crate::folder::Folder;
use crate::layer::LayerError;
use crate::layer::sink::{Finished, LayerSink};
use crate::store::{Owners, Store, StoreOptions};
use crate::toc::RecordKind;
use crate::tree::Attributes;
use crate::view::{Found, Place, View};

pub(super) struct Walk<'a> {
    upper: &'a Path,
    folder: Folder,
    options: &'a CommitOptions,
    store_options: &'a StoreOptions,
    below: Below<'a>,
    sink: LayerSink,
    links: Links,
    /// The directories on the way to where we are, the root first.
    open: Vec<Level>,
}

/// A directory that we are in.
struct Level {
    path: Vec<u8>,
    names: IntoIter<Name>,
    /// What the layers below have here.
    below: Option<Place>,
    /// Whether it hides what it does not have itself.
    hides: bool,
    /// What becomes of it when something inside becomes an entry; `None` for the root and what is one already.
    entry: Option<NewEntry>,
    facts: Option<Facts>,
    mtime: Mtime,
}

/// A name in a directory.
struct Name {
    name: Vec<u8>,
    /// Only the layers below have it, and it is hidden.
    is_hidden: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        store: &'a Store,
        upper: &'a Path,
        folder: Folder,
        view: &'a View,
        options: &'a CommitOptions,
        sink: LayerSink,
    ) -> Self {
        let below = Below { view, clamp_mtime: options.clamp_mtime };
        let links = Links::default();
        Self { upper, folder, options, store_options: store.options(), below, sink, links, open: Vec::new() }
    }

    pub(super) fn run(mut self) -> Result<Finished> {
        let root = self.root()?;
        self.open.push(root);
        while let Some(level) = self.open.last_mut() {
            match level.names.next() {
                Some(Name { name, is_hidden: true }) => self.hidden(&name)?,
                Some(Name { name, is_hidden: false }) => self.visit(&name)?,
                None => self.leave()?,
            }
        }
        self.sink.finish()
    }

    fn root(&mut self) -> Result<Level> {
        let read = || Facts::read(self.folder.root(), b".", self.store_options);
        let facts = read().map_err(failed("read", self.upper))?;
        let settled = facts.settle(self.folder.root(), b".", Mtime::EPOCH);
        settled.map_err(failed("write", self.upper))?;
        let below = self.below.view.merged().root();
        let hides = facts.is_opaque;
        let names = self.names(b"", Some(&below), hides)?;
        let mtime = Mtime::EPOCH;
        Ok(Level { path: Vec::new(), names, below: Some(below), hides, entry: None, facts: None, mtime })
    }

    fn visit(&mut self, name: &[u8]) -> Result<()> {
        let level = self.open.last().expect("names come from the directory that we are in");
        let path = join(&level.path, name);
        if name.starts_with(b".wh.") {
            return Err(LayerError::WhiteoutName { path: shown(&path) }.into());
        }
        let merged = self.below.view.merged();
        let found = level.below.as_ref().and_then(|place| merged.child(place, name));
        let options = self.store_options;
        let mut facts = self.at(&path, |parent, name| Facts::read(parent, name, options), "read")?;
        if facts.is_redirected {
            return Err(LayerError::Redirected { path: shown(&path) }.into());
        }
        self.complete(&mut facts, found.as_ref());
        match facts.kind {
            Kind::Directory => self.directory(path, facts, found),
            Kind::Whiteout if found.is_some() => self.add(&whiteout(&path), None),
            Kind::Whiteout => self.remove(&path, AtFlags::empty()),
            Kind::Socket => {
                self.remove(&path, AtFlags::empty())?;
                if found.is_some() { self.hide(&path) } else { Ok(()) }
            }
            Kind::Thing(_) => self.thing(&path, &facts, found.as_ref()),
        }
    }

    /// Adds to what is on disk what is known otherwise: devices that are no devices, owners that are not there.
    fn complete(&self, facts: &mut Facts, found: Option<&Found>) {
        let record = match found {
            Some(Found::Other(position)) => {
                let merged = self.below.view.merged();
                Some(merged.record(merged.follow_hard_link(*position)))
            }
            _ => None,
        };
        if let Some(device) = facts.stands_for.take() {
            let is_device = |kind| matches!(kind, RecordKind::CharDevice(..) | RecordKind::BlockDevice(..));
            if self.store_options.in_user_namespace || record.is_some_and(|record| is_device(record.kind)) {
                facts.kind = Kind::Thing(device);
                // It has no content to compare, and keeps nothing but its own note.
                facts.attributes.xattrs.clear();
            } else {
                facts.is_no_device();
            }
        }
        if self.store_options.owners == Owners::Real || facts.file.is_some() {
            return;
        }
        let owner = self.options.owners.get(&(facts.inode, facts.born)).copied();
        // A link that was copied up cannot carry its owner: one that is otherwise as below has not changed it.
        let below = record.filter(|record| {
            let is_symlink = |target: &[u8]| matches!(&facts.kind, Kind::Thing(NewEntryKind::Symlink { target: ours }) if ours == target);
            record.mtime == facts.attributes.mtime && match record.kind {
                RecordKind::Symlink(target) => is_symlink(target),
                RecordKind::Fifo => facts.kind == Kind::Thing(NewEntryKind::Fifo),
                _ => false,
            }
        });
        let owner = owner.or(below.map(|record| (record.uid, record.gid)));
        (facts.attributes.uid, facts.attributes.gid) = owner.unwrap_or((0, 0));
    }

    fn directory(&mut self, path: Vec<u8>, mut facts: Facts, found: Option<Found>) -> Result<()> {
        // Trees may be deeper than descriptors are many.
        facts.file = None;
        let level = self.open.last().expect("the root is open until the end");
        let below = match found {
            Some(Found::Directory(place)) => Some(place),
            _ => None,
        };
        let hides = level.hides || facts.is_opaque;
        let is_same = below.as_ref().is_some_and(|place| self.below.same_directory(&facts.attributes, place));
        let mtime = match (&below, is_same) {
            (Some(place), true) => self.below.view.merged().attributes(place).mtime.whole_seconds(None),
            _ => facts.attributes.mtime.whole_seconds(self.options.clamp_mtime),
        };
        let mut entry = Some(entry(&path, NewEntryKind::Directory, &facts.attributes, mtime));
        if !is_same && let Some(entry) = entry.take() {
            self.add(&entry, None)?;
        }
        let names = self.names(&path, below.as_ref(), hides)?;
        self.open.push(Level { path, names, below, hides, entry, facts: Some(facts), mtime });
        Ok(())
    }

    /// Nothing more is in the directory: it stays in the tree if it became an entry.
    fn leave(&mut self) -> Result<()> {
        let Some(level) = self.open.pop() else { return Ok(()) };
        match (level.facts, level.entry) {
            (Some(facts), None) => {
                let mtime = level.mtime;
                self.at(&level.path, |parent, name| facts.settle(parent, name, mtime), "write")
            }
            (Some(_), Some(_)) => {
                self.folder.leave();
                self.remove(&level.path, AtFlags::REMOVEDIR)
            }
            (None, _) => Ok(()),
        }
    }

    fn thing(&mut self, path: &[u8], facts: &Facts, found: Option<&Found>) -> Result<()> {
        let Kind::Thing(kind) = &facts.kind else { return Ok(()) };
        let read_failed = || failed("read", self.upper.join(shown(path)));
        let mut is_same = self.below.same(facts, found).map_err(read_failed())?.is_some();
        if is_same && facts.link_count > 1 {
            let options = self.store_options;
            let as_below = self.links.are_as_below(facts, &self.folder, &self.below, options);
            is_same = as_below.map_err(read_failed())?;
        }
        if is_same {
            return self.remove(path, AtFlags::empty());
        }
        let mtime = facts.attributes.mtime.whole_seconds(self.options.clamp_mtime);
        let kind = match self.links.first_name(facts) {
            Some(first) => NewEntryKind::HardLink { target: first.clone() },
            None => kind.clone(),
        };
        self.add(&entry(path, kind, &facts.attributes, mtime), facts.file.as_ref())?;
        self.links.has_become_entry(facts, path);
        self.at(path, |parent, name| facts.settle(parent, name, mtime), "write")
    }

    /// Something that only the layers below have, in a directory that hides it.
    fn hidden(&mut self, name: &[u8]) -> Result<()> {
        let level = self.open.last().expect("names come from the directory that we are in");
        let path = join(&level.path, name);
        self.hide(&path)
    }

    fn hide(&mut self, path: &[u8]) -> Result<()> {
        let mode = Mode::empty();
        let make = |parent: BorrowedFd<'_>, name: &[u8]| {
            Ok(mknodat(parent, name, FileType::CharacterDevice, mode, 0)?)
        };
        self.at(path, make, "create")?;
        self.add(&whiteout(path), None)
    }

    /// Adds an entry, and before it the directories on the way that are none yet.
    fn add(&mut self, entry: &NewEntry, content: Option<&File>) -> Result<()> {
        for level in &mut self.open {
            if let Some(directory) = level.entry.take() {
                self.sink.add(&directory, None)?;
            }
        }
        let mut content = content;
        match &mut content {
            Some(file) if matches!(entry.kind, NewEntryKind::File { .. }) => self.sink.add(entry, Some(file)),
            _ => self.sink.add(entry, None),
        }?;
        Ok(())
    }

    fn remove(&mut self, path: &[u8], flags: AtFlags) -> Result<()> {
        self.at(path, |parent, name| Ok(unlinkat(parent, name, flags)?), "remove")
    }

    /// The names in a directory in order, and those that it hides.
    fn names(&mut self, path: &[u8], below: Option<&Place>, hides: bool) -> Result<IntoIter<Name>> {
        let shown_path = || self.upper.join(shown(path));
        let entered = self.folder.enter(path).and_then(names_in);
        let mut names = entered.map_err(failed("list", shown_path()))?;
        names.sort_unstable();
        let mut all: Vec<Name> = Vec::with_capacity(names.len());
        if let (Some(place), true) = (below, hides) {
            let children = self.below.view.merged().children(place).into_iter().map(|(name, _)| name);
            let hidden = children.filter(|name| names.binary_search(name).is_err());
            all.extend(hidden.map(|name| Name { name, is_hidden: true }));
        }
        all.extend(names.into_iter().map(|name| Name { name, is_hidden: false }));
        all.sort_unstable_by(|left, right| left.name.cmp(&right.name));
        Ok(all.into_iter())
    }

    /// Runs `action` on the directory that `path` is in and its name there.
    fn at<T>(
        &mut self,
        path: &[u8],
        action: impl FnOnce(BorrowedFd<'_>, &[u8]) -> io::Result<T>,
        what: &'static str,
    ) -> Result<T> {
        let (directory, name) = crate::entry::split(path);
        let done = self.folder.enter(directory).and_then(|parent| action(parent, name));
        done.map_err(failed(what, self.upper.join(shown(path))))
    }
}

/// The names in a directory, in no order.
pub(crate) fn names_in(directory: BorrowedFd<'_>) -> io::Result<Vec<Vec<u8>>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name != b"." && name != b".." {
            names.push(name.to_vec());
        }
    }
    Ok(names)
}

fn entry(path: &[u8], kind: NewEntryKind, attributes: &Attributes, mtime: Mtime) -> NewEntry {
    let Attributes { mode, uid, gid, ref xattrs, .. } = *attributes;
    NewEntry { path: path.to_vec(), kind, mode, uid, gid, mtime, xattrs: xattrs.clone() }
}

fn whiteout(path: &[u8]) -> NewEntry {
    NewEntry::whiteout(path)
}
