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
//!
//! | module  | is about                                                                    |
//! | ------- | --------------------------------------------------------------------------- |
//! | `seen`  | what each layer adds, hides and counts, one laid over the other             |
//! | `again` | what is found among the files that can be seen in the end                   |

mod again;
mod seen;

use std::sync::Arc;

use tug_oci::Digest;

use super::leftovers::LeftoverKind;
use crate::toc::Toc;
use crate::view::View;
use again::{duplicates, leftovers};
use seen::Seen;

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

impl View {
    /// What is wasted in an image of these layers.
    pub fn waste(&self) -> Waste {
        of(self.tocs())
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

#[cfg(test)]
mod tests;
