//! Where sources land: the rules of COPY's destination, and the entries of the layer that come of them.
//!
//! | source    | destination                       | lands as                                   |
//! | --------- | --------------------------------- | ------------------------------------------ |
//! | file      | ends in `/` or is a directory     | `destination/name`                         |
//! | file      | anything else                     | `destination`                              |
//! | directory | anything                          | its content inside `destination`           |
//!
//! Links in the destination are followed inside the root, the last one too, unless `--link` was given. Directories that
//! have to be made are `0755` and belong to `--chown`; a directory that is there already keeps its owner, mode and time,
//! except for one below a copied directory, which takes those of its source. Source: BuildKit's behaviour.
//!
//! Names of one file are only marked as such here, each with the whole entry. Which of them is the file and which are
//! the links is decided in the end: until then any of them may be replaced, and a layer wants the file first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tug_layer_store::{Entry, EntryKind, Mtime, NewEntry, NewEntryKind, View};

use crate::error::Error;
use crate::files::{Files, Item, ItemKind, Layered, clean, join, name_of, parent_of, resolve_by};

/// Where the content of an entry comes from.
#[derive(Clone)]
pub(crate) enum Content {
    None,
    Item(Arc<dyn Files>, Item),
    Bytes(Arc<Vec<u8>>),
    Member(Arc<super::archive::Archive>, super::archive::Member),
}

/// An entry that the layer will have.
pub(crate) struct Planned {
    pub entry: NewEntry,
    pub content: Content,
    /// All names of one file have the same number.
    group: Option<usize>,
}

impl Planned {
    /// An entry that shares its file with no other.
    pub(crate) fn new(entry: NewEntry, content: Content) -> Self {
        Self { entry, content, group: None }
    }
}

/// What an owner and mode become on their way into the layer.
#[derive(Clone, Debug)]
pub(crate) struct Ownership {
    /// `--chown`, as numbers.
    pub chown: Option<(u32, u32)>,
    /// `--chmod`.
    pub chmod: Option<tug_dockerfile::Mode>,
    /// Whether sources keep their own owner when there is no `--chown`.
    pub keep: bool,
}

/// A layer in the making: entries by path, over the tree of the layers below.
pub(crate) struct Target {
    below: Option<View>,
    entries: BTreeMap<Vec<u8>, Planned>,
    /// The group of each file of the present source that may have several names.
    links: HashMap<(u64, u64), usize>,
    groups: usize,
    now: Mtime,
}

/// What cannot land where it should.
#[derive(Debug)]
pub(crate) enum TargetError {
    /// A directory should be made where something else is.
    NotADirectory(String),
    /// A file should replace a directory.
    IsADirectory(String),
    /// Names of layers' own marks cannot be files.
    Reserved(String),
    /// An archive links to what is not there.
    NothingToLink { path: String, target: String },
    /// Looking failed.
    Failed(Error),
}

impl From<Error> for TargetError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Target {
    /// Starts a layer over `below`; without it the layer stands alone (`--link`). New directories are dated `now`.
    pub(crate) fn new(below: Option<View>, now: Mtime) -> Self {
        Self { below, entries: BTreeMap::new(), links: HashMap::new(), groups: 0, now }
    }

    /// The entries in canonical order.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = Planned> {
        let mut files: HashMap<usize, Vec<u8>> = HashMap::new();
        self.entries.into_values().map(move |mut planned| {
            let Some(group) = planned.group else { return planned };
            match files.get(&group) {
                None => drop(files.insert(group, planned.entry.path.clone())),
                Some(file) => {
                    planned.entry.kind = NewEntryKind::HardLink { target: file.clone() };
                    planned.content = Content::None;
                }
            }
            planned
        })
    }

    /// Resolves `path` inside the root: links that are below or were put here are followed.
    pub(crate) fn resolve(&self, path: &[u8]) -> Result<Vec<u8>, Error> {
        match self.below {
            Some(_) => resolve_by(&|path| Ok(self.kind(path)), path),
            None => Ok(clean(path)),
        }
    }

    /// Whether `path` is a directory by now.
    pub(crate) fn is_directory(&self, path: &[u8]) -> bool {
        path.is_empty() || self.kind(path) == Some(ItemKind::Directory)
    }

    /// Makes the directory at `path`, which has no links in it, and what is missing above it.
    pub(crate) fn make_directories(&mut self, path: &[u8], owner: (u32, u32)) -> Result<(), TargetError> {
        if path.is_empty() || self.entries.contains_key(&order(path)) && self.is_directory(path) {
            return Ok(());
        }
        self.make_directories(parent_of(path), owner)?;
        match self.kind(path) {
            Some(ItemKind::Directory) => self.keep_directory(path),
            Some(_) => return Err(TargetError::NotADirectory(shown(path))),
            None => self.put(Planned::new(
                NewEntry {
                    path: path.to_vec(),
                    kind: NewEntryKind::Directory,
                    mode: 0o755,
                    uid: owner.0,
                    gid: owner.1,
                    mtime: self.now,
                    xattrs: BTreeMap::new(),
                },
                Content::None,
            )),
        }
        Ok(())
    }

    /// Puts a copy of `item` at `path`, whose parent was made before.
    pub(crate) fn copy(
        &mut self,
        files: &Arc<dyn Files>,
        item: &Item,
        path: &[u8],
        ownership: &Ownership,
    ) -> Result<(), TargetError> {
        if name_of(path).starts_with(b".wh.") {
            return Err(TargetError::Reserved(shown(path)));
        }
        let there = self.kind(path);
        match (&item.kind, &there) {
            (ItemKind::Directory, Some(other)) if *other != ItemKind::Directory => {
                return Err(TargetError::NotADirectory(shown(path)));
            }
            (kind, Some(ItemKind::Directory)) if *kind != ItemKind::Directory => {
                return Err(TargetError::IsADirectory(shown(path)));
            }
            _ => {}
        }
        let (kind, content) = match &item.kind {
            ItemKind::File { size } => {
                (NewEntryKind::File { size: *size }, Content::Item(Arc::clone(files), item.clone()))
            }
            ItemKind::Socket => (NewEntryKind::File { size: 0 }, Content::Bytes(Arc::default())),
            ItemKind::Directory => (NewEntryKind::Directory, Content::None),
            ItemKind::Symlink { target } => (NewEntryKind::Symlink { target: target.clone() }, Content::None),
            ItemKind::Fifo => (NewEntryKind::Fifo, Content::None),
            ItemKind::CharDevice { major, minor } => {
                (NewEntryKind::CharDevice { major: *major, minor: *minor }, Content::None)
            }
            ItemKind::BlockDevice { major, minor } => {
                (NewEntryKind::BlockDevice { major: *major, minor: *minor }, Content::None)
            }
        };
        let group = match (item.link, &item.kind) {
            (Some(link), ItemKind::File { .. }) => Some(self.group_of(link)),
            _ => None,
        };
        let (uid, gid) = ownership.owner_of(item.uid, item.gid);
        let mode =
            ownership.mode_of(item.mode, item.is_directory(), matches!(item.kind, ItemKind::Symlink { .. }));
        let xattrs = if ownership.keep { item.xattrs.clone() } else { BTreeMap::new() };
        let entry = NewEntry { path: path.to_vec(), kind, mode, uid, gid, mtime: item.mtime, xattrs };
        self.put(Planned { entry, content, group });
        Ok(())
    }

    /// Makes `path` another name of what is at `first`: put here, or in the layers below. Neither has links in it.
    pub(crate) fn link(&mut self, path: &[u8], first: &[u8]) -> Result<(), TargetError> {
        let missing = || TargetError::NothingToLink { path: shown(path), target: shown(first) };
        if !self.entries.contains_key(&order(first)) {
            self.take_up(first)?;
        }
        let next = self.groups;
        let planned = self.entries.get_mut(&order(first)).ok_or_else(missing)?;
        match planned.entry.kind {
            NewEntryKind::Directory => return Err(missing()),
            NewEntryKind::File { .. } => {
                self.groups += 1;
                planned.group.get_or_insert(next);
            }
            _ => {}
        }
        let entry = NewEntry { path: path.to_vec(), ..planned.entry.clone() };
        let (content, group) = (planned.content.clone(), planned.group);
        self.put(Planned { entry, content, group });
        Ok(())
    }

    /// Puts a file of the layers below once more, as it is.
    fn take_up(&mut self, path: &[u8]) -> Result<(), TargetError> {
        let Some(below) = &self.below else { return Ok(()) };
        let files: Arc<dyn Files> = Arc::new(Layered::new(below.clone()));
        let is_there = self.kind(path).is_some_and(|kind| kind != ItemKind::Directory);
        let Some(item) = files.item(path)?.filter(|_| is_there) else { return Ok(()) };
        self.make_directories(parent_of(path), (0, 0))?;
        let as_it_is = Ownership { chown: None, chmod: None, keep: true };
        self.copy(&files, &Item { link: None, ..item }, path, &as_it_is)
    }

    fn group_of(&mut self, link: (u64, u64)) -> usize {
        *self.links.entry(link).or_insert_with(|| {
            self.groups += 1;
            self.groups - 1
        })
    }

    /// Hard links are kept within one source: what comes next starts anew.
    pub(crate) fn forget_links(&mut self) {
        self.links.clear();
    }

    /// Puts an entry as it is; what was planned below its path goes when it is no directory.
    pub(crate) fn put(&mut self, planned: Planned) {
        let key = order(&planned.entry.path);
        if !matches!(planned.entry.kind, NewEntryKind::Directory) {
            let mut end = key.clone();
            end.push(1);
            let mut start = key.clone();
            start.push(0);
            let gone: Vec<Vec<u8>> = self.entries.range(start..end).map(|(key, _)| key.clone()).collect();
            for key in gone {
                self.entries.remove(&key);
            }
        }
        self.entries.insert(key, planned);
    }

    /// The kind of what is at `path` by now: put here, or in the layers below.
    pub(crate) fn kind(&self, path: &[u8]) -> Option<ItemKind> {
        if let Some(planned) = self.entries.get(&order(path)) {
            return Some(match &planned.entry.kind {
                NewEntryKind::Directory => ItemKind::Directory,
                NewEntryKind::Symlink { target } => ItemKind::Symlink { target: target.clone() },
                NewEntryKind::Fifo => ItemKind::Fifo,
                _ => ItemKind::File { size: 0 },
            });
        }
        let replaced = ancestors(path).any(|above| {
            self.entries
                .get(&order(above))
                .is_some_and(|planned| !matches!(planned.entry.kind, NewEntryKind::Directory))
        });
        match (&self.below, replaced) {
            (Some(below), false) => below.lookup(path).map(|node| crate::files::kind_of(node.entry())),
            _ => None,
        }
    }

    /// A directory of the layers below that gets new content is in the layer too, as it is.
    fn keep_directory(&mut self, path: &[u8]) {
        let Some(node) = self.below.as_ref().and_then(|below| below.lookup(path)) else { return };
        let Entry { mode, uid, gid, mtime, xattrs, kind, .. } = node.entry().clone();
        if kind == EntryKind::Directory {
            let entry = NewEntry {
                path: path.to_vec(),
                kind: NewEntryKind::Directory,
                mode,
                uid,
                gid,
                mtime,
                xattrs,
            };
            self.put(Planned::new(entry, Content::None));
        }
    }
}

impl Ownership {
    /// The owner of a source with these ids in the layer.
    pub(crate) fn owner_of(&self, uid: u32, gid: u32) -> (u32, u32) {
        match (self.chown, self.keep) {
            (Some(owner), _) => owner,
            (None, true) => (uid, gid),
            (None, false) => (0, 0),
        }
    }

    /// The owner of directories that have to be made.
    pub(crate) fn owner_of_new(&self) -> (u32, u32) {
        self.chown.unwrap_or((0, 0))
    }

    /// The mode of a source in the layer; links have none of their own.
    pub(crate) fn mode_of(&self, mode: u32, is_directory: bool, is_link: bool) -> u32 {
        match (&self.chmod, is_link) {
            (_, true) => 0o777,
            (Some(change), false) => change.apply(mode, is_directory),
            (None, false) => mode,
        }
    }
}

/// The path in which a single source lands.
pub(crate) fn landing(target: &Target, destination: &[u8], is_slashed: bool, name: &[u8]) -> Vec<u8> {
    match is_slashed || target.is_directory(destination) {
        true => join(destination, name),
        false => destination.to_vec(),
    }
}

/// Makes byte order the order of a walk: a directory comes right before what is in it.
fn order(path: &[u8]) -> Vec<u8> {
    path.iter().map(|byte| if *byte == b'/' { 0 } else { *byte }).collect()
}

fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(at, _)| &path[..at])
}

fn shown(path: &[u8]) -> String {
    format!("/{}", String::from_utf8_lossy(path))
}
