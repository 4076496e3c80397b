//! Lays tables of contents over each other. Pure: no file is touched.
//!
//! The rules are those of the image specification (`layer.md`) and of overlayfs, which agree:
//!
//! | in a layer                     | what is below it in the same place                                   |
//! | ------------------------------ | -------------------------------------------------------------------- |
//! | a directory                    | is merged with it, if it is a directory too; else hidden              |
//! | a directory with opaque mark   | hidden                                                               |
//! | an implied directory           | merged; metadata come from the uppermost layer that lists it          |
//! | anything else                  | hidden                                                               |
//! | a whiteout                     | hidden, and nothing is there                                         |

use std::ops::Range;
use std::sync::Arc;

use crate::entry::{Mtime, Xattrs, join, split};
use crate::toc::{Record, RecordKind, Toc};
use crate::tree::Attributes;

/// A chain of layers, lowest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Merged {
    tocs: Vec<Arc<Toc>>,
}

/// Where a record is: the layer, and its place in the table of contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Position {
    pub(crate) layer: usize,
    pub(crate) record: usize,
}

/// A directory of the merged tree: the layers that have it, uppermost first.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    path: Vec<u8>,
    sources: Vec<Source>,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    layer: usize,
    /// The record of the directory; the root has none.
    record: Option<usize>,
}

/// What is at a path of the merged tree.
#[derive(Clone, Debug)]
pub(crate) enum Found {
    Directory(Place),
    Other(Position),
}

impl Merged {
    pub(crate) fn new(tocs: Vec<Arc<Toc>>) -> Self {
        Self { tocs }
    }

    pub(crate) fn tocs(&self) -> &[Arc<Toc>] {
        &self.tocs
    }

    /// Whether these layers settle what is at `path`, so that none below them matters: it is there and no directory, it or
    /// something above it is removed, or a directory hides what is below it.
    pub(crate) fn settles(&self, path: &[u8]) -> bool {
        self.tocs.iter().any(|toc| {
            let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
            let is_hiding = |end: usize| {
                let Some(record) = toc.find(&path[..end]) else { return false };
                match toc.record(record).kind {
                    RecordKind::Directory | RecordKind::Implied => toc.is_opaque(record),
                    _ => true,
                }
            };
            toc.root_is_opaque() || ends.chain([path.len()]).any(|end| end > 0 && is_hiding(end))
        })
    }

    pub(crate) fn toc(&self, layer: usize) -> &Toc {
        &self.tocs[layer]
    }

    pub(crate) fn record(&self, position: Position) -> Record<'_> {
        self.tocs[position.layer].record(position.record)
    }

    /// The root of the merged tree.
    pub(crate) fn root(&self) -> Place {
        let mut sources = Vec::new();
        for (layer, toc) in self.tocs.iter().enumerate().rev() {
            sources.push(Source { layer, record: None });
            if toc.root_is_opaque() {
                break;
            }
        }
        Place { path: Vec::new(), sources }
    }

    /// What `directory` has under `name`.
    pub(crate) fn child(&self, directory: &Place, name: &[u8]) -> Option<Found> {
        let path = join(&directory.path, name);
        let mut sources = Vec::new();
        for source in &directory.sources {
            let toc = &self.tocs[source.layer];
            let Some(record) = toc.find_within(self.inside(source), directory.path.len(), &path) else {
                continue;
            };
            match toc.record(record).kind {
                RecordKind::Directory | RecordKind::Implied => {
                    sources.push(Source { layer: source.layer, record: Some(record) });
                    if toc.is_opaque(record) {
                        break;
                    }
                }
                RecordKind::Whiteout => break,
                _ if sources.is_empty() => {
                    return Some(Found::Other(Position { layer: source.layer, record }));
                }
                _ => break,
            }
        }
        (!sources.is_empty()).then_some(Found::Directory(Place { path, sources }))
    }

    /// What is at `path`; links are not followed.
    pub(crate) fn find(&self, path: &[u8]) -> Option<Found> {
        let mut place = self.root();
        if path.is_empty() {
            return Some(Found::Directory(place));
        }
        let (parent, name) = split(path);
        for component in parent.split(|&byte| byte == b'/').filter(|name| !name.is_empty()) {
            match self.child(&place, component)? {
                Found::Directory(inner) => place = inner,
                Found::Other(_) => return None,
            }
        }
        self.child(&place, name)
    }

    /// What is in a directory, sorted by the bytes of the names.
    pub(crate) fn children(&self, directory: &Place) -> Vec<(Vec<u8>, Found)> {
        let mut names: Vec<&[u8]> = Vec::new();
        for source in &directory.sources {
            let toc = &self.tocs[source.layer];
            let Range { start: mut record, end } = self.inside(source);
            while record < end {
                let path = toc.path(record);
                // An opaque mark has the path of the directory itself.
                if path.len() > directory.path.len() {
                    names.push(split(path).1);
                }
                record = toc.next_beside(record);
            }
        }
        names.sort_unstable();
        names.dedup();
        let child = |name: &[u8]| Some((name.to_vec(), self.child(directory, name)?));
        names.into_iter().filter_map(child).collect()
    }

    /// Metadata of a directory: from the uppermost layer that lists it. The root, and what no layer lists, belong to
    /// the root user, with mode 755 and the time 0.
    pub(crate) fn attributes(&self, directory: &Place) -> Attributes {
        match self.listing(directory) {
            Some(position) => Attributes::of(&self.record(position)),
            None => Attributes { mode: 0o755, uid: 0, gid: 0, mtime: Mtime::EPOCH, xattrs: Xattrs::new() },
        }
    }

    /// The layer that the metadata of a directory come from.
    pub(crate) fn listing_layer(&self, directory: &Place) -> Option<usize> {
        self.listing(directory).map(|position| position.layer)
    }

    fn listing(&self, directory: &Place) -> Option<Position> {
        let positions = directory
            .sources
            .iter()
            .filter_map(|source| source.record.map(|record| Position { layer: source.layer, record }));
        positions.into_iter().find(|position| self.record(*position).kind == RecordKind::Directory)
    }

    /// Whether the uppermost layer that has the directory does not list it, though one below does.
    pub(crate) fn is_implied_above_listed(&self, directory: &Place) -> bool {
        let mut kinds = directory
            .sources
            .iter()
            .filter_map(|source| source.record.map(|record| self.tocs[source.layer].record(record).kind));
        kinds.next() == Some(RecordKind::Implied) && kinds.any(|kind| kind == RecordKind::Directory)
    }

    /// The file itself, where `position` is one more name for it.
    pub(crate) fn follow_hard_link(&self, position: Position) -> Position {
        match self.record(position).kind {
            RecordKind::HardLink(target) => match self.tocs[position.layer].find(target) {
                Some(record) => Position { record, ..position },
                None => position,
            },
            _ => position,
        }
    }

    fn inside(&self, source: &Source) -> Range<usize> {
        let toc = &self.tocs[source.layer];
        source.record.map_or(0..toc.len(), |record| toc.inside(record))
    }
}

impl Place {
    pub(crate) fn path(&self) -> &[u8] {
        &self.path
    }
}
