//! Bytes of layers that nobody can reach, files that are there twice, and what was left behind.
//!
//! | waste      | what it is                                                                                  |
//! | ---------- | ------------------------------------------------------------------------------------------- |
//! | hidden     | a file of a layer that a later layer removes or replaces; its bytes are moved and kept anyway |
//! | duplicate  | files of the merged tree with the same content under names that are no hard links           |
//! | leftover   | see `leftovers`                                                                             |
//!
//! The *efficiency* is dive's, so that limits which people have carry over. For each path, over all layers that say
//! something about it: the sum of its sizes, and the smallest of them. The efficiency is the sum of all smallest sizes
//! divided by the sum of all sums. The removal of a file counts as size 0, that of a directory as the size of all that
//! is in it. Dive's *wasted bytes* are the sums of all paths that two layers or more speak of, with the copy that is
//! seen in the end; its *user wasted percent* is their share of all layers but the lowest.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use tug_oci::{DiffId, Digest};

use super::leftovers::{LeftoverKind, leftover};
use crate::error::{Error, Result};
use crate::store::Store;
use crate::toc::{RecordKind, Toc};

/// What is wasted in an image.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Waste {
    /// What later layers hide; the largest first.
    pub hidden: Vec<Hidden>,
    /// Files that are there several times; those that waste most first.
    pub duplicates: Vec<Duplicate>,
    /// What a build has left behind; the largest first.
    pub leftovers: Vec<Leftover>,
    /// The bytes of all files in all layers.
    pub content_size: u64,
    /// In dive's figures.
    pub score: Score,
}

/// Files of one layer that another one hides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hidden {
    /// The file, or the directory that was removed as a whole; without leading slash.
    pub path: Vec<u8>,
    /// The layer that has them, 0 for the lowest.
    pub layer: usize,
    /// The layer that hides them.
    pub by: usize,
    /// How it hides them.
    pub how: HiddenBy,
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// How a layer hides files of one below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HiddenBy {
    /// They are removed.
    Removal,
    /// Something else is in their place.
    Replacement,
    /// The same content is in their place, with another mode, owner or time.
    SameContent,
}

/// Files with the same content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duplicate {
    /// The content.
    pub digest: Digest,
    /// The length of one of them.
    pub size: u64,
    /// Where they are, with the layer of each, sorted; of each file one name.
    pub places: Vec<(Vec<u8>, usize)>,
}

/// Files that a build has left behind in one directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// What they are.
    pub kind: LeftoverKind,
    /// The directory.
    pub path: Vec<u8>,
    /// The layer that has most of their bytes.
    pub layer: usize,
    /// How many files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What dive would say, see the module.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// From 0 to 1.
    pub efficiency: f64,
    /// Bytes of paths that several layers speak of.
    pub wasted_bytes: u64,
    /// Their share of all layers but the lowest, from 0; may be more than 1.
    pub user_wasted_percent: f64,
}

impl Waste {
    /// The bytes that nobody can reach.
    pub fn hidden_bytes(&self) -> u64 {
        self.hidden.iter().map(|hidden| hidden.bytes).sum()
    }

    /// The bytes that would go if each content were there once.
    pub fn duplicate_bytes(&self) -> u64 {
        self.duplicates.iter().map(Duplicate::bytes).sum()
    }

    /// The bytes of what was left behind.
    pub fn leftover_bytes(&self) -> u64 {
        self.leftovers.iter().map(|leftover| leftover.bytes).sum()
    }
}

impl Duplicate {
    /// The bytes that would go if it were there once.
    pub fn bytes(&self) -> u64 {
        self.size.saturating_mul(self.places.len().saturating_sub(1) as u64)
    }
}

impl Store {
    /// What is wasted in an image of these layers, lowest first. All of them must be in the store.
    pub fn waste(&self, layers: &[DiffId]) -> Result<Waste> {
        let toc = |diff_id: &DiffId| {
            self.layer(diff_id)?.ok_or_else(|| Error::MissingLayer(diff_id.clone()))?.toc()
        };
        Ok(of(&layers.iter().map(toc).collect::<Result<Vec<_>>>()?))
    }
}

fn of(tocs: &[Arc<Toc>]) -> Waste {
    let mut seen = Seen::default();
    let mut sizes = Vec::new();
    for (layer, toc) in tocs.iter().enumerate() {
        sizes.push(seen.add(layer, toc));
    }
    let content_size = sizes.iter().sum();
    let score = seen.score(sizes.iter().skip(1).sum());
    let Seen { live, files, hidden, .. } = seen;
    let mut waste = Waste { content_size, score, ..Waste::default() };
    waste.hidden = hidden
        .into_iter()
        .map(|((path, layer, by, how), (files, bytes))| Hidden { path, layer, by, how, files, bytes })
        .collect();
    waste.hidden.sort_by(|one, other| other.bytes.cmp(&one.bytes).then_with(|| one.path.cmp(&other.path)));
    waste.duplicates = duplicates(&live, &files);
    waste.leftovers = leftovers(&live, &files);
    waste
}

/// A file of a layer: its bytes, and how many names of it can be seen.
struct File {
    layer: usize,
    size: u64,
    digest: [u8; 32],
    names: u64,
}

/// How many files, and their bytes.
type Sum = (u64, u64);
/// A content: its digest and its length.
type Content = ([u8; 32], u64);

/// What the layers so far say.
#[derive(Default)]
struct Seen {
    /// The names that can be seen, of files; `None` for links and the like, which have no bytes.
    live: BTreeMap<Vec<u8>, Option<usize>>,
    files: Vec<File>,
    /// By what hides them: path, their layer, the hiding layer, and how.
    hidden: BTreeMap<(Vec<u8>, usize, usize, HiddenBy), Sum>,
    /// Of each path: the sum of its sizes, the smallest, and how many layers speak of it.
    paths: HashMap<Vec<u8>, (u64, u64, u64)>,
}

impl Seen {
    /// Lays a layer over those before. Gives back the bytes of its files.
    fn add(&mut self, layer: usize, toc: &Toc) -> u64 {
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

    fn score(&self, user_bytes: u64) -> Score {
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

fn duplicates(live: &BTreeMap<Vec<u8>, Option<usize>>, files: &[File]) -> Vec<Duplicate> {
    let mut by_content: HashMap<Content, BTreeMap<usize, &[u8]>> = HashMap::new();
    for (path, file) in live {
        let Some(file) = *file else { continue };
        let File { size, digest, .. } = files[file];
        if size > 0 {
            by_content.entry((digest, size)).or_default().entry(file).or_insert(path);
        }
    }
    let several = by_content.into_iter().filter(|(_, places)| places.len() > 1);
    let mut duplicates: Vec<Duplicate> = several
        .map(|((digest, size), places)| {
            let places = places.into_iter().map(|(file, path)| (path.to_vec(), files[file].layer));
            let mut places: Vec<_> = places.collect();
            places.sort();
            Duplicate { digest: Digest::from_sha256(&digest), size, places }
        })
        .collect();
    duplicates
        .sort_by(|one, other| other.bytes().cmp(&one.bytes()).then_with(|| one.places.cmp(&other.places)));
    duplicates
}

fn leftovers(live: &BTreeMap<Vec<u8>, Option<usize>>, files: &[File]) -> Vec<Leftover> {
    let mut found: BTreeMap<(LeftoverKind, &[u8]), BTreeMap<usize, Sum>> = BTreeMap::new();
    for (path, file) in live {
        let (Some(file), Some((kind, end))) = (*file, leftover(path)) else { continue };
        let File { layer, size, .. } = files[file];
        let sum = found.entry((kind, &path[..end])).or_default().entry(layer).or_default();
        sum.0 += 1;
        sum.1 += size;
    }
    let mut leftovers: Vec<Leftover> = found
        .into_iter()
        .map(|((kind, path), layers)| {
            let most = layers.iter().max_by_key(|(_, (_, bytes))| *bytes);
            Leftover {
                kind,
                path: path.to_vec(),
                layer: most.map_or(0, |(layer, _)| *layer),
                files: layers.values().map(|(files, _)| files).sum(),
                bytes: layers.values().map(|(_, bytes)| bytes).sum(),
            }
        })
        .filter(|leftover| leftover.bytes > 0)
        .collect();
    leftovers.sort_by(|one, other| other.bytes.cmp(&one.bytes).then_with(|| one.path.cmp(&other.path)));
    leftovers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::store;
    use crate::view::tests::layer;

    fn told(waste: &Waste) -> Vec<String> {
        let hidden = waste.hidden.iter().map(|hidden| {
            let path = String::from_utf8_lossy(&hidden.path);
            let Hidden { layer, by, how, files, bytes, .. } = hidden;
            format!("{path} of {layer} by {by} {how:?}: {files} files, {bytes} bytes")
        });
        hidden.collect()
    }

    #[test]
    fn what_later_layers_remove_or_replace_is_counted_once() {
        let (_folder, store) = store();
        let low = layer(
            &store,
            &[
                ("d/", None),
                ("d/a", Some("12345")),
                ("d/b", Some("123")),
                ("e", Some("1234")),
                ("f", Some("1")),
                ("g", Some("12")),
            ],
        );
        let middle = layer(&store, &[("-d", None), ("e", Some("1234")), ("f", Some("22"))]);
        let high = layer(&store, &[("-f", None)]);
        let waste = store.waste(&[low, middle, high]).unwrap();
        assert_eq!(
            told(&waste),
            [
                "d of 0 by 1 Removal: 2 files, 8 bytes",
                "e of 0 by 1 SameContent: 1 files, 4 bytes",
                "f of 1 by 2 Removal: 1 files, 2 bytes",
                "f of 0 by 1 Replacement: 1 files, 1 bytes",
            ]
        );
        assert_eq!((waste.hidden_bytes(), waste.content_size), (15, 21));
    }

    /// By hand, as dive counts: a: 5; d (removed with 5 in it): 5; e: 4 + 4, at least 4; f: 1 + 2 + 0, at least 0.
    #[test]
    fn the_score_is_dives() {
        let (_folder, store) = store();
        let low =
            layer(&store, &[("d/", None), ("d/a", Some("12345")), ("e", Some("1234")), ("f", Some("1"))]);
        let middle = layer(&store, &[("-d", None), ("e", Some("4321")), ("f", Some("22"))]);
        let high = layer(&store, &[("-f", None)]);
        let score = store.waste(&[low, middle, high]).unwrap().score;
        assert_eq!(score.wasted_bytes, 8 + 3);
        assert!((score.efficiency - 14.0 / 21.0).abs() < 1e-9, "{score:?}");
        assert!((score.user_wasted_percent - 11.0 / 6.0).abs() < 1e-9, "{score:?}");
        let none = store.waste(&[]).unwrap();
        assert_eq!((none.score.efficiency, none.score.user_wasted_percent), (1.0, 0.0));
    }

    #[test]
    fn bytes_with_another_name_are_not_lost() {
        let (_folder, store) = store();
        let low = layer(&store, &[("a", Some("12345")), ("b", Some("=a"))]);
        let half = layer(&store, &[("-a", None)]);
        let waste = store.waste(&[low.clone(), half.clone()]).unwrap();
        assert_eq!((told(&waste), waste.duplicates), (vec![], vec![]));
        let rest = layer(&store, &[("-b", None)]);
        let waste = store.waste(&[low, half, rest]).unwrap();
        assert_eq!(told(&waste), ["b of 0 by 2 Removal: 1 files, 5 bytes"]);
    }

    #[test]
    fn the_same_content_twice_and_forgotten_caches_are_found() {
        let (_folder, store) = store();
        let low = layer(&store, &[("a", Some("same")), ("x", Some("other"))]);
        let lists = ["var/", "var/lib/", "var/lib/apt/", "var/lib/apt/lists/"];
        let mut entries: Vec<(&str, Option<&str>)> = vec![("b", Some("same")), ("c", Some("same"))];
        entries.extend(lists.map(|path| (path, None)));
        entries.push(("var/lib/apt/lists/index", Some("many packages")));
        let waste = store.waste(&[low, layer(&store, &entries)]).unwrap();
        assert_eq!(waste.duplicate_bytes(), 8);
        let places: Vec<_> =
            waste.duplicates[0].places.iter().map(|(path, layer)| (&path[..], *layer)).collect();
        assert_eq!(places, [(&b"a"[..], 0), (b"b", 1), (b"c", 1)]);
        let [lists] = waste.leftovers.as_slice() else { panic!("{:?}", waste.leftovers) };
        assert_eq!((lists.kind.name, lists.layer, lists.bytes), ("apt's package lists", 1, 13));
        assert_eq!(lists.path, b"var/lib/apt/lists");
    }
}
