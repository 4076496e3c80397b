//! Folders by their size: which are worth a line on a page, when there is room for only so many.

use std::cmp::Ordering;
use std::collections::{BinaryHeap, HashMap, HashSet};

use tug_layer_store::{EntryKind, View};

/// A file or folder with its size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sized {
    pub(super) path: Vec<u8>,
    pub(super) bytes: u64,
    /// How many files are in it; 1 for a file.
    pub(super) files: u64,
    pub(super) is_folder: bool,
}

/// What of a folder has a line.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Shown {
    /// The largest things in it.
    pub(super) children: Vec<Sized>,
    /// The rest: how many things, and their bytes.
    pub(super) rest: (usize, u64),
}

/// The folders of an image with their sizes.
#[derive(Debug, Default)]
pub(super) struct Tree {
    pub(super) root: Option<Sized>,
    /// What is in each folder.
    folders: HashMap<Vec<u8>, Vec<Sized>>,
}

impl Tree {
    /// Measures a merged tree. A file with several names counts once.
    pub(super) fn of(view: &View) -> Self {
        let mut sums: HashMap<Vec<u8>, (u64, u64)> = HashMap::new();
        let mut folders: HashMap<Vec<u8>, Vec<Sized>> = HashMap::new();
        let (mut linked, mut names) = (HashSet::new(), Vec::new());
        for node in view.walk(b"") {
            let path = node.path().to_vec();
            let size = match node.entry().kind {
                EntryKind::Directory => {
                    names.push(path);
                    continue;
                }
                EntryKind::File { size, .. } => size,
                _ => 0,
            };
            let bytes = if node.link().is_none_or(|link| linked.insert(link)) { size } else { 0 };
            let mut folder = path.as_slice();
            loop {
                folder = above(folder);
                let sum = sums.entry(folder.to_vec()).or_default();
                sum.0 += bytes;
                sum.1 += 1;
                if folder.is_empty() {
                    break;
                }
            }
            let parent = above(&path).to_vec();
            folders.entry(parent).or_default().push(Sized { path, bytes, files: 1, is_folder: false });
        }
        let sized = |path: Vec<u8>| {
            let (bytes, files) = sums.get(&path).copied().unwrap_or_default();
            Sized { path, bytes, files, is_folder: true }
        };
        for path in names {
            folders.entry(above(&path).to_vec()).or_default().push(sized(path));
        }
        for children in folders.values_mut() {
            children
                .sort_by(|one, other| other.bytes.cmp(&one.bytes).then_with(|| one.path.cmp(&other.path)));
        }
        Self { root: Some(sized(Vec::new())), folders }
    }

    /// The largest files, so many.
    pub(super) fn largest(&self, most: usize) -> Vec<&Sized> {
        let mut files: Vec<&Sized> =
            self.folders.values().flatten().filter(|sized| !sized.is_folder && sized.bytes > 0).collect();
        files.sort_by(|one, other| other.bytes.cmp(&one.bytes).then_with(|| one.path.cmp(&other.path)));
        files.truncate(most);
        files
    }

    /// Opens the largest folders, until there are `most` lines. Of each folder the `each` largest things are shown.
    pub(super) fn shown(&self, most: usize, each: usize, deepest: usize) -> HashMap<Vec<u8>, Shown> {
        let mut shown: HashMap<Vec<u8>, Shown> = HashMap::new();
        let mut waiting: BinaryHeap<Waiting> = BinaryHeap::new();
        if let Some(root) = &self.root {
            waiting.push(Waiting { bytes: root.bytes, path: Vec::new(), depth: 0 });
        }
        let mut lines = 0;
        while let Some(Waiting { path, depth, .. }) = waiting.pop() {
            let Some(children) = self.folders.get(&path) else { continue };
            let count = children.len().min(each);
            if depth >= deepest || lines + count > most {
                continue;
            }
            lines += count;
            let (own, rest) = children.split_at(count);
            let folders = own.iter().filter(|child| child.is_folder && child.files > 0);
            waiting.extend(folders.map(|child| Waiting {
                bytes: child.bytes,
                path: child.path.clone(),
                depth: depth + 1,
            }));
            let rest = (rest.len(), rest.iter().map(|child| child.bytes).sum());
            shown.insert(path, Shown { children: own.to_vec(), rest });
        }
        shown
    }
}

/// A folder that may be opened; the largest first.
#[derive(PartialEq, Eq)]
struct Waiting {
    bytes: u64,
    path: Vec<u8>,
    depth: usize,
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> Ordering {
        self.bytes.cmp(&other.bytes).then_with(|| other.path.cmp(&self.path))
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn above(path: &[u8]) -> &[u8] {
    path.iter().rposition(|&byte| byte == b'/').map_or(b"", |slash| &path[..slash])
}
