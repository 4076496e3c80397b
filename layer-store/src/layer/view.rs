//! The merged tree of a chain of layers, from their tables of contents: no mount, no tree, no privilege.
//!
//! A path belongs to the top-most layer that says anything about it. Looking from the top down, the search ends where a
//! layer removes the path or a directory above it, has something else than a directory above it, or is opaque there.
//! Source: image-spec `layer.md`, "Applying Changesets".

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::{Arc, OnceLock};

use tug_oci::DiffId;

use super::Layer;
use super::content::lost;
use crate::entry::{Entry, EntryKind, Mtime, Xattrs, split};
use crate::error::{Error, Result};
use crate::store::Store;
use crate::toc::{Record, RecordKind, Toc};

/// The mode of a directory that no layer lists although something is in it.
const IMPLIED_MODE: u32 = 0o755;

/// The merged tree of a chain of layers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct View(Arc<Vec<Sheet>>);

/// One layer of a view; the top one comes first.
#[derive(Debug)]
struct Sheet {
    layer: Layer,
    toc: Arc<Toc>,
    /// Records that hard links of the layer point to.
    shared: OnceLock<BTreeSet<usize>>,
}

/// Something in a view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    entry: Entry,
    sheet: usize,
    record: Option<usize>,
    link: Option<(u64, u64)>,
}

impl Node {
    /// Its path.
    pub fn path(&self) -> &[u8] {
        &self.entry.path
    }

    /// What is there. For a hard link, the file that it is a name of.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Nodes of one view with the same value are names of one file; `None` for files with one name.
    pub fn link(&self) -> Option<(u64, u64)> {
        self.link
    }
}

impl Store {
    /// The merged tree of `layers`, lowest first.
    pub fn view(&self, layers: &[DiffId]) -> Result<View> {
        let sheets = layers.iter().rev().map(|diff_id| {
            let layer = self.layer(diff_id)?.ok_or_else(|| Error::MissingLayer(diff_id.clone()))?;
            let toc = layer.toc()?;
            Ok(Sheet { layer, toc, shared: OnceLock::new() })
        });
        Ok(View(Arc::new(sheets.collect::<Result<_>>()?)))
    }
}

/// What one layer says about a path.
enum Said {
    /// It has it.
    Record(usize),
    /// Nothing: ask the layer below.
    Nothing,
    /// It is not there, and not in any layer below.
    Gone,
}

impl View {
    /// What is at `path`; links are not followed. The root is always there.
    pub fn lookup(&self, path: &[u8]) -> Option<Node> {
        let mut implied = None;
        for (index, sheet) in self.0.iter().enumerate() {
            match sheet.says(path) {
                Said::Gone => break,
                Said::Nothing => {}
                Said::Record(record) => match sheet.toc.record(record).kind {
                    RecordKind::Implied => {
                        implied.get_or_insert(index);
                        if sheet.toc.is_opaque(record) {
                            break;
                        }
                    }
                    RecordKind::Directory => return Some(self.node(index, record)),
                    // A directory of a layer above hides what is not one here.
                    _ if implied.is_some() => break,
                    _ => return Some(self.node(index, record)),
                },
            }
        }
        let sheet = match (implied, path.is_empty()) {
            (Some(sheet), _) => sheet,
            (None, true) => 0,
            (None, false) => return None,
        };
        Some(implied_directory(path, sheet))
    }

    /// What is in the directory at `path`, sorted by the bytes of the names; nothing if it is no directory.
    pub fn children(&self, path: &[u8]) -> Vec<Node> {
        // For each name, the layer that decides about it; `None` when that layer removed it.
        let mut names: BTreeMap<Vec<u8>, Option<(usize, usize)>> = BTreeMap::new();
        for (index, sheet) in self.0.iter().enumerate() {
            let toc = &sheet.toc;
            let (mut at, end, is_last) = match sheet.says(path) {
                Said::Gone => break,
                Said::Nothing if !path.is_empty() => continue,
                Said::Nothing => (0, toc.len(), toc.root_is_opaque()),
                Said::Record(record) if !toc.record(record).is_directory() => break,
                Said::Record(record) => {
                    let is_last = toc.is_opaque(record) || path.is_empty() && toc.root_is_opaque();
                    (toc.inside(record).start, toc.inside(record).end, is_last)
                }
            };
            while at < end {
                let record = toc.record(at);
                if record.kind != RecordKind::Opaque && !record.path.is_empty() {
                    let is_there = record.kind != RecordKind::Whiteout;
                    names.entry(split(record.path).1.to_vec()).or_insert(is_there.then_some((index, at)));
                }
                at = if record.path.is_empty() { at + 1 } else { toc.next_beside(at) };
            }
            if is_last {
                break;
            }
        }
        let found = names.into_values().flatten();
        found.filter_map(|(sheet, record)| self.settled(sheet, record)).collect()
    }

    /// The content of a file of this view; nothing for what is not a regular file.
    pub fn open(&self, node: &Node) -> Result<Box<dyn Read + Send>> {
        let (Some(sheet), Some(record)) = (self.0.get(node.sheet), node.record) else {
            return Err(lost(node.path()));
        };
        sheet.layer.open(&sheet.toc.record(record))
    }

    /// A record as a node; an implied directory takes its metadata from the layers below.
    fn settled(&self, sheet: usize, record: usize) -> Option<Node> {
        let found = self.0[sheet].toc.record(record);
        match found.kind {
            RecordKind::Implied => self.lookup(found.path),
            _ => Some(self.node(sheet, record)),
        }
    }

    fn node(&self, sheet: usize, record: usize) -> Node {
        let toc = &self.0[sheet].toc;
        let found = toc.record(record);
        let target = match found.kind {
            RecordKind::HardLink(target) => toc.find(target).unwrap_or(record),
            _ => record,
        };
        let mut entry =
            toc.record(target).to_entry().unwrap_or_else(|| implied_directory(found.path, sheet).entry);
        entry.path = found.path.to_vec();
        let is_shared =
            matches!(entry.kind, EntryKind::File { .. }) && self.0[sheet].shared().contains(&target);
        Node { entry, sheet, record: Some(target), link: is_shared.then_some((sheet as u64, target as u64)) }
    }
}

impl Sheet {
    fn says(&self, path: &[u8]) -> Said {
        if let Some(record) = self.toc.find(path) {
            return match self.toc.record(record).kind {
                RecordKind::Whiteout => Said::Gone,
                RecordKind::Opaque if path.is_empty() => Said::Nothing,
                _ => Said::Record(record),
            };
        }
        if !path.is_empty() && self.toc.root_is_opaque() {
            return Said::Gone;
        }
        let mut above = path;
        while !above.is_empty() {
            above = split(above).0;
            let Some(record) = self.toc.find(above) else { continue };
            let ends = above.is_empty() && self.toc.root_is_opaque()
                || !above.is_empty()
                    && (!self.toc.record(record).is_directory() || self.toc.is_opaque(record));
            return if ends { Said::Gone } else { Said::Nothing };
        }
        Said::Nothing
    }

    fn shared(&self) -> &BTreeSet<usize> {
        self.shared.get_or_init(|| {
            let targets = self.toc.records().filter_map(|record: Record<'_>| match record.kind {
                RecordKind::HardLink(target) => self.toc.find(target),
                _ => None,
            });
            targets.collect()
        })
    }
}

fn implied_directory(path: &[u8], sheet: usize) -> Node {
    let entry = Entry {
        path: path.to_vec(),
        kind: EntryKind::Directory,
        mode: IMPLIED_MODE,
        uid: 0,
        gid: 0,
        mtime: Mtime::EPOCH,
        xattrs: Xattrs::new(),
    };
    Node { entry, sheet, record: None, link: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::{NewEntry, NewEntryKind};
    use crate::layer::LayerWriterOptions;
    use crate::store::tests::store;

    fn layer(store: &Store, entries: &[(&str, Option<&str>)]) -> DiffId {
        let mut writer = store.layer_writer(&LayerWriterOptions { materialise: false }).unwrap();
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
