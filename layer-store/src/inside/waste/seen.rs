//! What the layers of an image say of each path, one laid over the other.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use super::{HiddenBy, Score};
use crate::toc::{RecordKind, Toc};

/// A file of a layer: its bytes, and how many names of it can be seen.
pub(super) struct File {
    pub(super) layer: usize,
    pub(super) size: u64,
    pub(super) digest: [u8; 32],
    names: u64,
}

/// How many files, and their bytes.
pub(super) type Sum = (u64, u64);

/// What the layers so far say.
#[derive(Default)]
pub(super) struct Seen {
    /// The names that can be seen, of files; `None` for links and the like, which have no bytes.
    pub(super) live: BTreeMap<Vec<u8>, Option<usize>>,
    pub(super) files: Vec<File>,
    /// By what hides them: path, their layer, the hiding layer, and how.
    pub(super) hidden: BTreeMap<(Vec<u8>, usize, usize, HiddenBy), Sum>,
    /// Of each path: the sum of its sizes, the smallest, and how many layers speak of it.
    paths: HashMap<Vec<u8>, (u64, u64, u64)>,
}

impl Seen {
    /// Lays a layer over those before. Gives back the bytes of its files.
    pub(super) fn add(&mut self, layer: usize, toc: &Toc) -> u64 {
        // Removals are of what is below, so they come first.
        for record in toc.records() {
            match record.kind {
                RecordKind::Whiteout => {
                    let inside = self.remove_inside(record.path, layer, record.path);
                    self.remove(record.path, layer, record.path, HiddenBy::Removal);
                    self.count(record.path, inside);
                }
                RecordKind::Opaque => {
                    self.remove_inside(record.path, layer, record.path);
                }
                _ => {}
            }
        }
        let mut bytes = 0;
        // Hard links may come before the file.
        let mut own: HashMap<&[u8], usize> = HashMap::new();
        for record in toc.records() {
            if let RecordKind::File(facts) = record.kind {
                bytes += facts.size;
                own.insert(record.path, self.files.len());
                self.files.push(File { layer, size: facts.size, digest: *facts.sha256, names: 0 });
            }
        }
        for record in toc.records() {
            let (file, size) = match record.kind {
                RecordKind::File(facts) => (own.get(record.path).copied(), facts.size),
                RecordKind::HardLink(target) => (own.get(target).copied(), 0),
                RecordKind::Directory => {
                    self.remove(record.path, layer, record.path, HiddenBy::Replacement);
                    continue;
                }
                RecordKind::Implied | RecordKind::Whiteout | RecordKind::Opaque => continue,
                _ => (None, 0),
            };
            self.remove_inside(record.path, layer, record.path);
            let how = match (self.live.get(record.path), file) {
                (Some(Some(before)), Some(file)) if self.files[*before].digest == self.files[file].digest => {
                    HiddenBy::SameContent
                }
                _ => HiddenBy::Replacement,
            };
            self.remove(record.path, layer, record.path, how);
            if let Some(file) = file {
                self.files[file].names += 1;
            }
            self.live.insert(record.path.to_vec(), file);
            self.count(record.path, size);
        }
        bytes
    }

    /// One name less.
    fn remove(&mut self, path: &[u8], by: usize, cause: &[u8], how: HiddenBy) {
        let Some(Some(file)) = self.live.remove(path) else { return };
        let file = &mut self.files[file];
        file.names = file.names.saturating_sub(1);
        // Bytes are lost when no name is left.
        if file.names == 0 && file.layer != by {
            let sum = self.hidden.entry((cause.to_vec(), file.layer, by, how)).or_default();
            sum.0 += 1;
            sum.1 += file.size;
        }
    }

    /// Removes all that is in a directory. Gives back the bytes of it.
    fn remove_inside(&mut self, directory: &[u8], by: usize, cause: &[u8]) -> u64 {
        let names: Vec<Vec<u8>> = if directory.is_empty() {
            self.live.keys().cloned().collect()
        } else {
            let (first, last) = ([directory, b"/"].concat(), [directory, b"0"].concat());
            let range = (Bound::Included(first), Bound::Excluded(last));
            self.live.range::<Vec<u8>, _>(range).map(|(name, _)| name.clone()).collect()
        };
        let mut bytes = 0;
        for name in names {
            if let Some(Some(file)) = self.live.get(&name) {
                bytes += self.files[*file].size;
            }
            self.remove(&name, by, cause, HiddenBy::Removal);
        }
        bytes
    }

    fn count(&mut self, path: &[u8], size: u64) {
        let (sum, least, layers) = self.paths.entry(path.to_vec()).or_insert((0, u64::MAX, 0));
        *sum += size;
        *least = (*least).min(size);
        *layers += 1;
    }

    pub(super) fn score(&self, user_bytes: u64) -> Score {
        let (mut sums, mut least, mut wasted_bytes) = (0_u64, 0_u64, 0_u64);
        for (sum, smallest, layers) in self.paths.values() {
            sums += sum;
            least += smallest;
            if *layers > 1 {
                wasted_bytes += sum;
            }
        }
        let efficiency = if sums == 0 { 1.0 } else { least as f64 / sums as f64 };
        let user_wasted_percent = match user_bytes {
            0 => 0.0,
            bytes => wasted_bytes as f64 / bytes as f64,
        };
        Score { efficiency, wasted_bytes, user_wasted_percent }
    }
}
