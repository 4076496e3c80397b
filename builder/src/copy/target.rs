//! Where sources land: the rules of COPY's destination, and the entries of the layer that come of them.
//!
//! | source    | destination                       | lands as                                   |
//! | --------- | --------------------------------- | ------------------------------------------ |
//! | file      | ends in `/` or is a directory     | `destination/name`                         |
//! | file      | anything else                     | `destination`                              |
//! | directory | anything                          | its content inside `destination`           |
//!
//! Links in the destination are followed inside the root, the last one too, unless `--link` was given. Directories that
//! have to be made are `0755`, or as `--chmod` says, and belong to `--chown`; a directory that is there already keeps its owner, mode and time,
//! except for one below a copied directory, which takes those of its source. With `--parents` that one takes only the
//! mode, so that `COPY --parents --chown=app etc/app.conf /` leaves `/etc` to root. Source: BuildKit's behaviour.
//!
//! Names and what they name are kept apart: when one name of a file is replaced, its other names still have the file.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use tug_layer_store::{Mtime, NewEntry, NewEntryKind};

use crate::error::Error;
use crate::files::{Files, Item, ItemKind, Layered, clean, join, name_of, parent_of, resolve_by};

/// Where the content of an entry comes from.
#[derive(Clone)]
pub(crate) enum Content {
    None,
    Item(Arc<dyn Files>, Arc<Item>),
    Bytes(Arc<Vec<u8>>),
    Member(Arc<super::archive::Archive>, super::archive::Member),
}

/// An entry that the layer will have.
pub(crate) struct Planned {
    pub entry: NewEntry,
    pub content: Content,
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
    /// The time that all sources get instead of their own.
    pub time: Option<Mtime>,
    /// `--parents`: a directory that is there already takes the mode of its source and keeps its owner.
    pub parents: bool,
}

/// What directories are that have to be made.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewDirectory {
    pub owner: (u32, u32),
    pub mode: u32,
}

/// A layer in the making: names and what they name, over the tree of the layers below.
pub(crate) struct Target {
    below: Option<Arc<Layered>>,
    /// By [`order`]; the value is a place in `things`.
    names: BTreeMap<Vec<u8>, usize>,
    things: Vec<Planned>,
    /// Which thing a file of the present source became, for its other names.
    links: HashMap<(u64, u64), usize>,
    now: Mtime,
}

/// What cannot land where it should.
#[derive(Debug)]
pub(crate) enum TargetError {
    /// A directory should be made where something else is.
    NotADirectory(String),
    /// A directory should replace something else.
    DirectoryOverFile(String),
    /// Something else should replace a directory.
    FileOverDirectory(String),
    /// Names of layers' own marks cannot be files.
    Reserved(String),
    /// A second file should land where the first one did.
    Several(String),
    /// A here-document in a directory is called something that is no name.
    NoName(String),
    /// An archive links to what is not there, or is a directory.
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
    pub(crate) fn new(below: Option<Arc<Layered>>, now: Mtime) -> Self {
        Self { below, names: BTreeMap::new(), things: Vec::new(), links: HashMap::new(), now }
    }

    /// The entries in canonical order. Of several names of one thing the first one has the content.
    pub(crate) fn into_entries(self) -> impl Iterator<Item = Planned> {
        let Self { names, mut things, .. } = self;
        let mut counts = vec![0_u32; things.len()];
        names.values().for_each(|number| counts[*number] += 1);
        let mut first_names: HashMap<usize, Vec<u8>> = HashMap::new();
        names.into_iter().map(move |(key, number)| {
            let (path, thing) = (path_of(key), &mut things[number]);
            let content = std::mem::replace(&mut thing.content, Content::None);
            let mut entry = NewEntry { path, ..thing.entry.clone() };
            match first_names.get(&number) {
                Some(first) => entry.kind = NewEntryKind::HardLink { target: first.clone() },
                None if counts[number] > 1 => drop(first_names.insert(number, entry.path.clone())),
                None => {}
            }
            Planned { entry, content }
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
    pub(crate) fn make_directories(&mut self, path: &[u8], new: NewDirectory) -> Result<(), TargetError> {
        if path.is_empty() || self.names.contains_key(&order(path)) && self.is_directory(path) {
            return Ok(());
        }
        self.make_directories(parent_of(path), new)?;
        match self.kind(path) {
            Some(ItemKind::Directory) => {
                self.keep(path);
            }
            Some(_) => return Err(TargetError::NotADirectory(shown(path))),
            None => self.put(Planned {
                entry: NewEntry {
                    path: path.to_vec(),
                    kind: NewEntryKind::Directory,
                    mode: new.mode,
                    uid: new.owner.0,
                    gid: new.owner.1,
                    mtime: self.now,
                    xattrs: BTreeMap::new(),
                },
                content: Content::None,
            }),
        }
        Ok(())
    }

    /// Puts a copy of `item` at `path`, whose parent was made before.
    pub(crate) fn copy(
        &mut self,
        files: &Arc<dyn Files>,
        item: &Arc<Item>,
        path: &[u8],
        ownership: &Ownership,
    ) -> Result<(), TargetError> {
        if name_of(path).starts_with(b".wh.") {
            return Err(TargetError::Reserved(shown(path)));
        }
        match (&item.kind, self.kind(path)) {
            (ItemKind::Directory, Some(other)) if other != ItemKind::Directory => {
                return Err(TargetError::DirectoryOverFile(shown(path)));
            }
            (kind, Some(ItemKind::Directory)) if *kind != ItemKind::Directory => {
                return Err(TargetError::FileOverDirectory(shown(path)));
            }
            (ItemKind::Directory, Some(_)) if ownership.parents => {
                self.make_directories(path, ownership.of_new())?;
                let kept = self.names.get(&order(path)).copied();
                let kept = kept.expect("a directory that is there is in this layer by now");
                self.things[kept].entry.mode = item.mode;
                return Ok(());
            }
            _ => {}
        }
        let link = item.link.filter(|_| matches!(item.kind, ItemKind::File { .. }));
        if let Some(known) = link.and_then(|link| self.links.get(&link)).copied() {
            self.name(path, known);
            return Ok(());
        }
        let (uid, gid) = ownership.owner_of(item.uid, item.gid);
        let is_link = matches!(item.kind, ItemKind::Symlink { .. });
        let mode = ownership.mode_of(item.mode, item.is_directory(), is_link);
        let xattrs = if ownership.keep { item.xattrs.clone() } else { BTreeMap::new() };
        let (kind, content) = new_kind(item, files);
        let mtime = ownership.time.unwrap_or(item.mtime);
        let entry = NewEntry { path: path.to_vec(), kind, mode, uid, gid, mtime, xattrs };
        self.put(Planned { entry, content });
        if let Some(link) = link {
            self.links.insert(link, self.things.len() - 1);
        }
        Ok(())
    }

    /// Gives what is at `first` the name `path` as well. A file of the layers below is then in this layer too.
    pub(crate) fn link(&mut self, path: &[u8], first: &[u8]) -> Result<(), TargetError> {
        let known = match self.names.get(&order(first)).copied() {
            _ if self.is_directory(first) => None,
            Some(known) => Some(known),
            None if self.kind(first).is_some() => {
                self.make_directories(parent_of(first), NewDirectory::plain((0, 0)))?;
                self.keep(first)
            }
            None => None,
        };
        let nothing = || TargetError::NothingToLink { path: shown(path), target: shown(first) };
        self.name(path, known.ok_or_else(nothing)?);
        Ok(())
    }

    /// Hard links are kept within one source: what comes next starts anew.
    pub(crate) fn forget_links(&mut self) {
        self.links.clear();
    }

    /// Puts an entry as it is; what was planned below its path goes when it is no directory.
    pub(crate) fn put(&mut self, mut planned: Planned) {
        // The path is with the names from now on.
        let path = std::mem::take(&mut planned.entry.path);
        self.things.push(planned);
        self.name(&path, self.things.len() - 1);
    }

    /// Lets `path` name a thing.
    fn name(&mut self, path: &[u8], thing: usize) {
        let key = order(path);
        if !matches!(self.things[thing].entry.kind, NewEntryKind::Directory) {
            let inside = [key.as_slice(), &[0]].concat()..[key.as_slice(), &[1]].concat();
            let gone: Vec<Vec<u8>> = self.names.range(inside).map(|(key, _)| key.clone()).collect();
            for key in gone {
                self.names.remove(&key);
            }
        }
        self.names.insert(key, thing);
    }

    /// The kind of what is at `path` by now: put here, or in the layers below.
    pub(crate) fn kind(&self, path: &[u8]) -> Option<ItemKind> {
        if let Some(entry) = self.planned(path) {
            return Some(match &entry.kind {
                NewEntryKind::Directory => ItemKind::Directory,
                NewEntryKind::Symlink { target } => ItemKind::Symlink { target: target.clone() },
                NewEntryKind::Fifo => ItemKind::Fifo,
                _ => ItemKind::File { size: 0 },
            });
        }
        let is_replaced =
            |above| self.planned(above).is_some_and(|entry| !matches!(entry.kind, NewEntryKind::Directory));
        match &self.below {
            Some(below) if !ancestors(path).any(is_replaced) => below.find(path).map(|item| item.kind),
            _ => None,
        }
    }

    /// Whether no file of an earlier source of this COPY lands at `path`.
    pub(crate) fn must_be_free(&self, path: &[u8]) -> Result<(), TargetError> {
        match self.planned(path).map(|entry| &entry.kind) {
            None | Some(NewEntryKind::Directory) => Ok(()),
            Some(_) => Err(TargetError::Several(shown(path))),
        }
    }

    fn planned(&self, path: &[u8]) -> Option<&NewEntry> {
        self.names.get(&order(path)).map(|thing| &self.things[*thing].entry)
    }

    /// Puts what the layers below have at `path` into this layer too, as it is: a directory that gets new content, or a
    /// file that gets another name.
    fn keep(&mut self, path: &[u8]) -> Option<usize> {
        let below = Arc::clone(self.below.as_ref()?);
        let item = Arc::new(below.find(path)?);
        let files: Arc<dyn Files> = below;
        let (kind, content) = new_kind(&item, &files);
        let (path, xattrs) = (path.to_vec(), item.xattrs.clone());
        let Item { mode, uid, gid, mtime, .. } = *item;
        self.put(Planned { entry: NewEntry { path, kind, mode, uid, gid, mtime, xattrs }, content });
        Some(self.things.len() - 1)
    }
}

impl NewDirectory {
    /// One without anything special about it.
    pub(crate) fn plain(owner: (u32, u32)) -> Self {
        Self { owner, mode: 0o755 }
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

    /// What directories are that have to be made. Whoever may read one may enter it: BuildKit takes `--chmod=644` for
    /// them as it is, and nobody can.
    pub(crate) fn of_new(&self) -> NewDirectory {
        let plain = self.of_archive();
        match &self.chmod {
            None => plain,
            Some(change) => {
                let mode = change.apply(plain.mode, true);
                NewDirectory { mode: mode | (mode & 0o444) >> 2, ..plain }
            }
        }
    }

    /// The same for an archive, in which modes are as they are.
    pub(crate) fn of_archive(&self) -> NewDirectory {
        NewDirectory::plain(self.chown.unwrap_or((0, 0)))
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

/// The path in which a single source lands. What is no directory takes one file only: BuildKit would keep the last.
pub(crate) fn landing(
    target: &Target,
    destination: &[u8],
    is_slashed: bool,
    name: &[u8],
) -> Result<Vec<u8>, TargetError> {
    if is_slashed || target.is_directory(destination) {
        return Ok(join(destination, name));
    }
    target.must_be_free(destination)?;
    Ok(destination.to_vec())
}

/// What an item is in a layer, and where its content comes from.
fn new_kind(item: &Arc<Item>, files: &Arc<dyn Files>) -> (NewEntryKind, Content) {
    let kind = match &item.kind {
        ItemKind::File { size } => {
            let content = Content::Item(Arc::clone(files), Arc::clone(item));
            return (NewEntryKind::File { size: *size }, content);
        }
        ItemKind::Socket => NewEntryKind::File { size: 0 },
        ItemKind::Directory => NewEntryKind::Directory,
        ItemKind::Symlink { target } => NewEntryKind::Symlink { target: target.clone() },
        ItemKind::Fifo => NewEntryKind::Fifo,
        ItemKind::CharDevice { major, minor } => NewEntryKind::CharDevice { major: *major, minor: *minor },
        ItemKind::BlockDevice { major, minor } => NewEntryKind::BlockDevice { major: *major, minor: *minor },
    };
    (kind, Content::None)
}

/// Makes byte order the order of a walk: a directory comes right before what is in it.
fn order(path: &[u8]) -> Vec<u8> {
    path.iter().map(|byte| if *byte == b'/' { 0 } else { *byte }).collect()
}

/// Takes [`order`] back: no path has a zero in it.
fn path_of(mut key: Vec<u8>) -> Vec<u8> {
    for byte in key.iter_mut().filter(|byte| **byte == 0) {
        *byte = b'/';
    }
    key
}

fn ancestors(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    let slashes = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
    slashes.map(|(at, _)| &path[..at])
}

fn shown(path: &[u8]) -> String {
    format!("/{}", String::from_utf8_lossy(path))
}
