//! Brings the entries of a foreign tar, which come in any order and more than once, to what is there in the end.
//!
//! | in the tar                                  | in the end                                                    |
//! | ------------------------------------------- | ------------------------------------------------------------- |
//! | a path twice                                | the later one; two directories keep what is in them           |
//! | an entry below something that is no directory | the directory, hiding what is below, and the entry         |
//! | something else, then a directory in its place | the directory, hiding what is below                         |
//! | an entry without its directory              | an implied directory                                          |
//! | a removal of a path that the tar has as well, before or behind it | the path, hiding what is below        |
//! | a removal below something that is removed or no directory | nothing                                       |
//! | a hard link before the file                 | the link                                                      |
//! | a hard link to nothing, or to a directory   | an error                                                      |
//! | a hard link to a link, a device, a pipe     | one more name for it; no link is followed                     |
//! | the root                                    | nothing: it is always there                                   |
//!
//! If a tree is made, it is changed along, so that it always is what the inventory says.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;

use rustix::fs::FileType;

use super::LayerError;
use super::meaning::{Meaning, meaning};
use crate::entry::{
    Entry, EntryKind, Mtime, NewEntry, NewEntryKind, Xattrs, canonical_order, is_inside, shown, split,
};
use crate::error::Result;
use crate::layer::sink::too_large;
use crate::tar::{Segment, TarError};
use crate::toc::{Toc, TocTooLarge, TocWriter};
use crate::tree::{Attributes, TreeWriter};
use crate::xattr;

/// What a layer has, so far.
pub(crate) struct Inventory {
    slots: BTreeMap<Path, Slot>,
    things: Vec<Thing>,
    root_is_opaque: bool,
    /// The bytes of the paths of implied directories: a path of some kilobytes stands for thousands of them.
    implied: usize,
    tree: Option<TreeWriter>,
}

/// Tars that list no directories at all need a hundredth of it.
const MOST_IMPLIED: usize = 16 << 20;

/// A path that sorts in canonical order.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Path(Vec<u8>);

impl Ord for Path {
    fn cmp(&self, other: &Self) -> Ordering {
        canonical_order(&self.0, &other.0)
    }
}

impl PartialOrd for Path {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

enum Slot {
    Directory {
        /// `None` when the tar does not list it.
        listed: Option<Box<Attributes>>,
        is_opaque: bool,
    },
    /// Something that may have several names.
    Thing(usize),
    /// A link whose target has not come yet.
    Link(Vec<u8>),
    Whiteout,
}

/// A file, link, device or pipe, whatever its names.
struct Thing {
    kind: EntryKind,
    segments: Option<Vec<Segment>>,
    attributes: Attributes,
}

impl Inventory {
    pub(crate) fn new(tree: Option<TreeWriter>) -> Self {
        Self { slots: BTreeMap::new(), things: Vec::new(), root_is_opaque: false, implied: 0, tree }
    }

    /// The tree that is made along.
    pub(super) fn tree(&mut self) -> Option<&mut TreeWriter> {
        self.tree.as_mut()
    }

    /// Takes in an entry, whatever its name means. A file comes back: it is for [`Self::add_file`], once its content is
    /// known.
    pub(crate) fn take(&mut self, mut entry: NewEntry) -> Result<Option<NewEntry>> {
        match meaning(&entry.path)? {
            Meaning::Nothing => {}
            Meaning::Whiteout(path) => self.remove(path)?,
            Meaning::Opaque(directory) => self.hide(directory)?,
            Meaning::Entry => match entry.kind {
                NewEntryKind::File { .. } => return Ok(Some(entry)),
                NewEntryKind::Directory => {
                    entry.xattrs = xattr::kept(&entry.xattrs).into_owned();
                    self.add(entry)?;
                }
                _ => {
                    entry.xattrs = Xattrs::new();
                    self.add(entry)?;
                }
            },
        }
        Ok(None)
    }

    /// Takes in anything but a file and a removal.
    pub(super) fn add(&mut self, entry: NewEntry) -> Result<()> {
        if entry.path.is_empty() {
            return Ok(());
        }
        self.add_parents(&entry.path)?;
        let attributes = Attributes {
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            mtime: entry.mtime,
            xattrs: entry.xattrs,
        };
        match entry.kind {
            NewEntryKind::Directory => self.add_directory(entry.path, attributes),
            NewEntryKind::HardLink { target } => self.add_link(entry.path, target),
            NewEntryKind::CharDevice { major: 0, minor: 0 } => {
                Err(LayerError::WhiteoutDevice { path: shown(&entry.path) }.into())
            }
            kind => {
                self.make_room(&entry.path)?;
                if let Some(tree) = &mut self.tree {
                    make(tree, &entry.path, &kind, &attributes)?;
                }
                self.put_thing(
                    entry.path,
                    Thing { kind: kind.without_content(), segments: None, attributes },
                );
                Ok(())
            }
        }
    }

    /// Removes what is in the place of a file that is about to come.
    pub(crate) fn before_file(&mut self, path: &[u8]) -> Result<()> {
        self.add_parents(path)?;
        self.make_room(path)
    }

    /// Takes in a file, whose content is in the tree already, if there is one.
    pub(crate) fn add_file(
        &mut self,
        path: Vec<u8>,
        kind: EntryKind,
        segments: Option<Vec<Segment>>,
        attributes: Attributes,
    ) {
        self.put_thing(path, Thing { kind, segments, attributes });
    }

    /// Takes in the removal of `path` from the layers below.
    pub(super) fn remove(&mut self, path: Vec<u8>) -> Result<()> {
        if self.is_covered(&path, |above| !matches!(above, Slot::Directory { .. })) {
            return Ok(());
        }
        self.add_parents(&path)?;
        match self.slots.get(&Path(path.clone())) {
            Some(Slot::Directory { .. }) if !self.is_made_of_removals(&path) => {
                if let Some(Slot::Directory { is_opaque, .. }) = self.slots.get_mut(&Path(path)) {
                    *is_opaque = true;
                }
                return Ok(());
            }
            Some(Slot::Directory { .. }) => self.make_room(&path)?,
            Some(_) => return Ok(()),
            None => {}
        }
        if let Some(tree) = &mut self.tree {
            tree.whiteout(&path)?;
        }
        self.slots.insert(Path(path), Slot::Whiteout);
        Ok(())
    }

    /// Takes in an opaque mark: `directory` hides what the layers below have in it.
    pub(super) fn hide(&mut self, directory: Vec<u8>) -> Result<()> {
        let is_something = |slot: &Slot| matches!(slot, Slot::Thing(_) | Slot::Link(_));
        let is_replaced = self.slots.get(&Path(directory.clone())).is_some_and(is_something);
        if is_replaced || self.is_covered(&directory, is_something) {
            return Ok(());
        }
        if directory.is_empty() {
            self.root_is_opaque = true;
            return Ok(());
        }
        self.add_parents(&directory)?;
        self.add_implied(&directory)?;
        if let Some(Slot::Directory { is_opaque, .. }) = self.slots.get_mut(&Path(directory)) {
            *is_opaque = true;
        }
        Ok(())
    }

    /// The table of contents, and the size of all files. The tree is complete then.
    pub(crate) fn finish(mut self) -> Result<(Toc, u64)> {
        self.settle_links()?;
        let mut toc = TocWriter::new();
        let mut first_names: Vec<Option<&[u8]>> = vec![None; self.things.len()];
        let mut content_size = 0_u64;
        if self.root_is_opaque {
            toc.entry(&mark(b""), None).map_err(|TocTooLarge| too_large())?;
        }
        for (Path(path), slot) in &self.slots {
            let written = match slot {
                Slot::Directory { listed, is_opaque } => {
                    let written = match listed {
                        Some(attributes) => toc.entry(&entry(path, EntryKind::Directory, attributes), None),
                        None => toc.implied(path),
                    };
                    match is_opaque {
                        true => written.and_then(|()| toc.entry(&mark(path), None)),
                        false => written,
                    }
                }
                Slot::Thing(number) => {
                    let thing = &self.things[*number];
                    match first_names[*number] {
                        Some(first) => {
                            let kind = EntryKind::HardLink { target: first.to_vec() };
                            toc.entry(&entry(path, kind, &thing.attributes), None)
                        }
                        None => {
                            first_names[*number] = Some(path);
                            if let EntryKind::File { size, .. } = thing.kind {
                                content_size += size;
                            }
                            let entry = entry(path, thing.kind.clone(), &thing.attributes);
                            toc.entry(&entry, thing.segments.as_deref())
                        }
                    }
                }
                Slot::Whiteout => {
                    let attributes = Attributes::none();
                    toc.entry(&entry(path, EntryKind::Whiteout, &attributes), None)
                }
                Slot::Link(target) => {
                    return Err(LayerError::LinkTarget { path: shown(path), target: shown(target) }.into());
                }
            };
            written.map_err(|TocTooLarge| too_large())?;
        }
        let toc = toc.finish();
        if let Some(tree) = self.tree {
            tree.finish(&toc)?;
        }
        Ok((toc, content_size))
    }

    fn add_directory(&mut self, path: Vec<u8>, attributes: Attributes) -> Result<()> {
        self.add_implied(&path)?;
        if let Some(Slot::Directory { listed, .. }) = self.slots.get_mut(&Path(path)) {
            *listed = Some(Box::new(attributes));
        }
        Ok(())
    }

    fn add_link(&mut self, path: Vec<u8>, target: Vec<u8>) -> Result<()> {
        if is_inside(&target, &path) {
            // The link would take the place of the directory that its target is in.
            return Err(LayerError::LinkTarget { path: shown(&path), target: shown(&target) }.into());
        }
        match self.slots.get(&Path(target.clone())) {
            Some(Slot::Thing(number)) => {
                let number = *number;
                if matches!(self.slots.get(&Path(path.clone())), Some(Slot::Thing(same)) if *same == number) {
                    return Ok(());
                }
                self.make_room(&path)?;
                if let Some(tree) = &mut self.tree {
                    tree.hard_link(&path, &target)?;
                }
                self.slots.insert(Path(path), Slot::Thing(number));
                Ok(())
            }
            Some(Slot::Directory { .. }) => {
                Err(LayerError::LinkTarget { path: shown(&path), target: shown(&target) }.into())
            }
            Some(Slot::Link(_) | Slot::Whiteout) | None => {
                self.make_room(&path)?;
                self.slots.insert(Path(path), Slot::Link(target));
                Ok(())
            }
        }
    }

    /// Makes the links whose targets came behind them. Links to links need several rounds.
    fn settle_links(&mut self) -> Result<()> {
        loop {
            let ready = self.slots.iter().filter_map(|(path, slot)| match slot {
                Slot::Link(target) => match self.slots.get(&Path(target.clone())) {
                    Some(Slot::Thing(number)) => Some((path.clone(), target.clone(), *number)),
                    _ => None,
                },
                _ => None,
            });
            let ready: Vec<_> = ready.collect();
            if ready.is_empty() {
                return Ok(());
            }
            for (path, target, number) in ready {
                if let Some(tree) = &mut self.tree {
                    tree.hard_link(&path.0, &target)?;
                }
                self.slots.insert(path, Slot::Thing(number));
            }
        }
    }

    /// Whether something above `path` is such that there is nothing at `path` to be removed.
    fn is_covered(&self, path: &[u8], covers: impl Fn(&Slot) -> bool) -> bool {
        ends_above(path).any(|end| self.slots.get(&Path(path[..end].to_vec())).is_some_and(&covers))
    }

    /// Whether a directory is there only because something in it is removed.
    fn is_made_of_removals(&self, directory: &[u8]) -> bool {
        let inside = self
            .slots
            .range(Path(directory.to_vec())..)
            .take_while(|(path, _)| path.0 == directory || is_inside(&path.0, directory));
        inside
            .map(|(_, slot)| slot)
            .all(|slot| matches!(slot, Slot::Whiteout | Slot::Directory { listed: None, is_opaque: false }))
    }

    /// Makes sure that everything above `path` is a directory.
    fn add_parents(&mut self, path: &[u8]) -> Result<()> {
        let parent = split(path).0;
        if parent.is_empty() || matches!(self.slots.get(&Path(parent.to_vec())), Some(Slot::Directory { .. }))
        {
            return Ok(());
        }
        for end in ends_above(path) {
            self.add_implied(&path[..end])?;
        }
        Ok(())
    }

    /// Makes sure that `path` is a directory; the one above it is.
    fn add_implied(&mut self, path: &[u8]) -> Result<()> {
        let key = Path(path.to_vec());
        let is_opaque = match self.slots.get(&key) {
            Some(Slot::Directory { .. }) => return Ok(()),
            // What is removed or replaced, and made again, hides what was there.
            Some(_) => true,
            None => false,
        };
        self.make_room(path)?;
        if let Some(tree) = &mut self.tree {
            tree.directory(path)?;
        }
        self.implied += path.len();
        if self.implied > MOST_IMPLIED {
            let what = "longer names of directories that it does not list";
            return Err(LayerError::from(TarError::Limit { what, limit: MOST_IMPLIED as u64 }).into());
        }
        self.slots.insert(key, Slot::Directory { listed: None, is_opaque });
        Ok(())
    }

    /// Removes what is at `path`, and everything inside of it.
    fn make_room(&mut self, path: &[u8]) -> Result<()> {
        let key = Path(path.to_vec());
        let Some(slot) = self.slots.remove(&key) else { return Ok(()) };
        if matches!(slot, Slot::Directory { .. }) {
            let behind = self.slots.range((Bound::Excluded(&key), Bound::Unbounded)).map(|(path, _)| path);
            let inside: Vec<Path> = behind.take_while(|inner| is_inside(&inner.0, path)).cloned().collect();
            for inner in inside {
                self.slots.remove(&inner);
            }
        }
        match (&mut self.tree, slot) {
            (None, _) | (_, Slot::Link(_)) => Ok(()),
            (Some(tree), _) => tree.remove(path),
        }
    }

    fn put_thing(&mut self, path: Vec<u8>, thing: Thing) {
        self.things.push(thing);
        self.slots.insert(Path(path), Slot::Thing(self.things.len() - 1));
    }
}

/// Where the paths of the directories above `path` end in it, the outermost first.
fn ends_above(path: &[u8]) -> impl Iterator<Item = usize> {
    path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at)
}

fn make(tree: &mut TreeWriter, path: &[u8], kind: &NewEntryKind, attributes: &Attributes) -> Result<()> {
    match kind {
        NewEntryKind::Symlink { target } => tree.symlink(path, target, attributes),
        NewEntryKind::CharDevice { major, minor } => {
            tree.device(path, FileType::CharacterDevice, (*major, *minor), attributes)
        }
        NewEntryKind::BlockDevice { major, minor } => {
            tree.device(path, FileType::BlockDevice, (*major, *minor), attributes)
        }
        NewEntryKind::Fifo => tree.fifo(path, attributes),
        NewEntryKind::Directory
        | NewEntryKind::File { .. }
        | NewEntryKind::HardLink { .. }
        | NewEntryKind::Whiteout => Ok(()),
    }
}

fn entry(path: &[u8], kind: EntryKind, attributes: &Attributes) -> Entry {
    let Attributes { mode, uid, gid, mtime, xattrs } = attributes.clone();
    Entry { path: path.to_vec(), kind, mode, uid, gid, mtime, xattrs }
}

fn mark(path: &[u8]) -> Entry {
    entry(path, EntryKind::Opaque, &Attributes::none())
}

impl Attributes {
    /// Those of a removal.
    fn none() -> Self {
        Self { mode: 0, uid: 0, gid: 0, mtime: Mtime::EPOCH, xattrs: Xattrs::new() }
    }
}
