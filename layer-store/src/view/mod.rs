//! The merged tree of a chain of layers, seen through their tables of contents: no mount, no unpacking, no privilege.

mod content;
mod merge;
mod resolve;
mod stream;

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use tug_oci::{Descriptor, DiffId};

use crate::entry::{Entry, EntryKind, Mtime, join};
use crate::error::{Error, Result};
use crate::layer::{Layer, Mountable};
use crate::listed::{Listed, Lists};
use crate::store::Store;
use crate::toc::{RecordKind, Toc};
use crate::tree::Attributes;

pub(crate) use merge::{Found, Merged, Place, Position};
pub use resolve::{LastLink, PathError};
use stream::Streams;

/// The merged tree of a chain of layers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct View {
    merged: Merged,
    sheets: Arc<Vec<Sheet>>,
    /// Whether content is never read from trees, so that none is made for it.
    only_looks: bool,
}

/// One layer of a view, lowest first.
#[derive(Debug)]
struct Sheet {
    source: Source,
    /// The plain tar, opened when first read; `None` inside when it is not kept.
    tar: OnceLock<Option<File>>,
    /// The tree, made when first needed.
    tree: OnceLock<PathBuf>,
    /// Records that hard links of the layer point to.
    shared: OnceLock<BTreeSet<usize>>,
    /// How far its blob was read, for those who only look.
    streams: Mutex<Streams>,
}

/// Where the content of a layer is.
#[derive(Debug)]
enum Source {
    /// In the store.
    Kept(Layer),
    /// Elsewhere: it is known by its own list.
    Listed(Arc<Listed>),
}

/// Something in a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    entry: Entry,
    position: Option<Position>,
    link: Option<(u64, u64)>,
}

impl Node {
    /// Its path.
    pub fn path(&self) -> &[u8] {
        &self.entry.path
    }

    /// What is there: neither a removal nor a hard link, but the file that it is a name of.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Nodes of one view with the same value are names of one file; `None` for files with one name.
    pub fn link(&self) -> Option<(u64, u64)> {
        self.link
    }

    /// The number of the layer that it comes from, 0 for the lowest; `None` for directories, which come from several.
    pub fn layer(&self) -> Option<usize> {
        self.position.map(|position| position.layer)
    }

    /// The same under another path.
    pub(crate) fn at(mut self, path: Vec<u8>) -> Self {
        self.entry.path = path;
        self
    }
}

impl Store {
    /// The merged tree of `layers`, lowest first. All of them must be in the store.
    pub fn view(&self, layers: &[DiffId]) -> Result<View> {
        View::of(self.find_layers(layers)?)
    }

    /// The merged tree of `layers`, lowest first, for somebody who only looks. A layer that is not in the store, and has a
    /// list that its annotations vouch for, stays where it is: its list is read, and of its files those that are opened.
    /// `lists` are those that were read before. Other layers that are missing are fetched.
    pub fn look_into<'a>(
        &self,
        layers: impl IntoIterator<Item = (&'a DiffId, &'a Descriptor)>,
        lists: &Lists,
    ) -> Result<View> {
        let layers: Vec<_> = layers.into_iter().collect();
        let mut missing = Vec::new();
        for (diff_id, blob) in &layers {
            if self.layer(diff_id)?.is_none() {
                missing.push((*diff_id, *blob));
            }
        }
        lists.read(self, &missing)?;
        missing.retain(|(diff_id, _)| lists.get(diff_id).is_none());
        self.ensure_layers(missing, Mountable::Later)?;
        let sources = layers.into_iter().map(|(diff_id, _)| match self.layer(diff_id)? {
            Some(layer) => Ok(Source::Kept(layer)),
            None => {
                let listed = lists.get(diff_id).map(Source::Listed);
                listed.ok_or_else(|| Error::MissingLayer(diff_id.clone()))
            }
        });
        Ok(View::of_sources(sources.collect::<Result<_>>()?)?.only_looking())
    }
}

impl View {
    /// The merged tree of `layers`, lowest first.
    pub(crate) fn of(layers: Vec<Layer>) -> Result<Self> {
        Self::of_sources(layers.into_iter().map(Source::Kept).collect())
    }

    fn of_sources(sources: Vec<Source>) -> Result<Self> {
        let toc = |source: &Source| match source {
            Source::Kept(layer) => layer.toc(),
            Source::Listed(listed) => Ok(listed.toc()),
        };
        let tocs = sources.iter().map(toc).collect::<Result<_>>()?;
        let sheet = |source| Sheet {
            source,
            tar: OnceLock::new(),
            tree: OnceLock::new(),
            shared: OnceLock::new(),
            streams: Mutex::default(),
        };
        let sheets = Arc::new(sources.into_iter().map(sheet).collect());
        Ok(Self { merged: Merged::new(tocs), sheets, only_looks: false })
    }

    /// The same for somebody who only looks: content comes from plain tars and blobs, and no tree is made for it, for
    /// which an ordinary user may lack the rights. Files are read fastest in the order of [`View::children`].
    #[must_use]
    pub fn only_looking(mut self) -> Self {
        self.only_looks = true;
        self
    }

    /// How many layers there are.
    pub fn layers(&self) -> usize {
        self.sheets.len()
    }

    /// What is at `path`; links are followed neither at its end nor before. The root is always there.
    pub fn lookup(&self, path: &[u8]) -> Option<Node> {
        self.merged.find(path).map(|found| self.node(path.to_vec(), &found))
    }

    /// What is in the directory at `path`, sorted by the bytes of the names; nothing if it is no directory.
    pub fn children(&self, path: &[u8]) -> Vec<Node> {
        let Some(Found::Directory(place)) = self.merged.find(path) else { return Vec::new() };
        let children = self.merged.children(&place).into_iter();
        children.map(|(name, found)| self.node(join(path, &name), &found)).collect()
    }

    /// Whether what is at `path` is known whatever layers may lie below these: a file, a removal, or a directory that hides
    /// those below. Links are not followed.
    pub fn settles(&self, path: &[u8]) -> bool {
        self.merged.settles(path)
    }

    /// The content of a regular file of this view.
    pub fn open(&self, node: &Node) -> Result<Box<dyn Read + Send>> {
        content::open(self, node)
    }

    /// What the layers say, lowest first.
    pub(crate) fn tocs(&self) -> &[Arc<Toc>] {
        self.merged.tocs()
    }

    pub(crate) fn merged(&self) -> &Merged {
        &self.merged
    }

    /// The time that something has on disk: file systems cannot hold every time.
    pub(crate) fn mtime_in_tree(&self, position: Position) -> Option<Mtime> {
        let record = self.merged.record(position);
        content::mtime_in_tree(&self.sheets[position.layer], record.path, record.mtime)
    }

    /// The same for a directory.
    pub(crate) fn mtime_of_directory_in_tree(&self, place: &Place) -> Option<Mtime> {
        let in_layer = self.merged.attributes(place).mtime;
        content::mtime_in_tree(&self.sheets[self.merged.listing_layer(place)?], place.path(), in_layer)
    }

    fn node(&self, path: Vec<u8>, found: &Found) -> Node {
        match found {
            Found::Directory(place) => {
                let Attributes { mode, uid, gid, mtime, xattrs } = self.merged.attributes(place);
                let entry = Entry { path, kind: EntryKind::Directory, mode, uid, gid, mtime, xattrs };
                Node { entry, position: None, link: None }
            }
            Found::Other(position) => {
                let position = self.merged.follow_hard_link(*position);
                let record = self.merged.record(position);
                let kind = record.kind.to_entry_kind().unwrap_or(EntryKind::Directory);
                let Attributes { mode, uid, gid, mtime, xattrs } = Attributes::of(&record);
                let entry = Entry { path, kind, mode, uid, gid, mtime, xattrs };
                Node { entry, position: Some(position), link: self.link(position) }
            }
        }
    }

    fn link(&self, position: Position) -> Option<(u64, u64)> {
        let shared = self.sheets[position.layer].shared.get_or_init(|| {
            let toc = self.merged.toc(position.layer);
            let targets = toc.records().filter_map(|record| match record.kind {
                RecordKind::HardLink(target) => toc.find(target),
                _ => None,
            });
            targets.collect()
        });
        shared.contains(&position.record).then_some((position.layer as u64, position.record as u64))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::entry::{NewEntry, NewEntryKind};
    use crate::layer::LayerWriterOptions;
    use crate::store::tests::store;

    /// A layer of directories (`name/`), removals (`-name`), hard links (`=target`), files, and links without content.
    pub(crate) fn layer(store: &Store, entries: &[(&str, Option<&str>)]) -> DiffId {
        let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
        for (path, content) in entries {
            match (content, path.strip_suffix('/'), path.strip_prefix('-')) {
                (_, Some(directory), _) => writer.add(&NewEntry::directory(directory, 0o750), None).unwrap(),
                (_, _, Some(gone)) => writer.add(&NewEntry::whiteout(gone), None).unwrap(),
                (Some(target), _, _) if target.starts_with('=') => {
                    let kind = NewEntryKind::HardLink { target: target[1..].into() };
                    writer.add(&NewEntry::new((*path).into(), kind, 0o644), None).unwrap()
                }
                (Some(text), _, _) => {
                    let entry = NewEntry::file(*path, 0o644, text.len() as u64);
                    writer.add(&entry, Some(&mut text.as_bytes())).unwrap()
                }
                (None, _, _) => writer.add(&NewEntry::symlink(*path, "target"), None).unwrap(),
            };
        }
        writer.finish().unwrap().diff_id().clone()
    }

    fn names(view: &View, path: &str) -> String {
        let children = view.children(path.as_bytes());
        let names: Vec<_> =
            children.iter().map(|node| String::from_utf8_lossy(node.path()).into_owned()).collect();
        names.join(" ")
    }

    fn text(view: &View, path: &str) -> Option<String> {
        let mut text = String::new();
        view.open(&view.lookup(path.as_bytes())?).unwrap().read_to_string(&mut text).unwrap();
        Some(text)
    }

    #[test]
    fn an_upper_layer_replaces_removes_and_adds() {
        let (_folder, store) = store();
        let low = layer(&store, &[("d/", None), ("d/a", Some("old")), ("d/b", Some("b")), ("e", Some("e"))]);
        let high = layer(
            &store,
            &[("d/", None), ("d/a", Some("new")), ("-d/b", None), ("d/c", Some("c")), ("-e", None)],
        );
        let view = store.view(&[low, high]).unwrap();
        assert_eq!(names(&view, ""), "d");
        assert_eq!(names(&view, "d"), "d/a d/c");
        assert_eq!(text(&view, "d/a").as_deref(), Some("new"));
        assert_eq!(text(&view, "d/b"), None);
        assert_eq!(text(&view, "e"), None);
    }

    #[test]
    fn what_is_below_a_removed_or_replaced_directory_is_gone_until_it_is_made_again() {
        let (_folder, store) = store();
        let low = layer(&store, &[("d/", None), ("d/a", Some("a")), ("f/", None), ("f/a", Some("a"))]);
        let middle = layer(&store, &[("-d", None), ("f", Some("a file now"))]);
        let high = layer(&store, &[("d/", None), ("d/b", Some("b"))]);
        let view = store.view(&[low.clone(), middle.clone()]).unwrap();
        assert_eq!((names(&view, ""), text(&view, "d/a"), text(&view, "f/a")), ("f".to_owned(), None, None));
        let view = store.view(&[low, middle, high]).unwrap();
        assert_eq!(names(&view, "d"), "d/b");
        assert_eq!(text(&view, "d/a"), None);
    }

    #[test]
    fn names_of_one_file_share_their_content_and_are_told_as_shared() {
        let (_folder, store) = store();
        let only = layer(&store, &[("a", Some("text")), ("b", Some("=a")), ("c", Some("text"))]);
        let view = store.view(&[only]).unwrap();
        let link = |path: &str| view.lookup(path.as_bytes()).unwrap().link();
        assert!(link("a").is_some());
        assert_eq!(link("a"), link("b"));
        assert_eq!(link("c"), None);
        assert_eq!(text(&view, "b").as_deref(), Some("text"));
    }

    #[test]
    fn the_root_of_no_layers_is_an_empty_directory() {
        let (_folder, store) = store();
        let view = store.view(&[]).unwrap();
        assert_eq!(view.lookup(b"").unwrap().entry().kind, EntryKind::Directory);
        assert_eq!(names(&view, ""), "");
        assert_eq!(view.lookup(b"a"), None);
    }
}
