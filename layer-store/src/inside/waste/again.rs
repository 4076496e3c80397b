//! The same content twice, and what was left behind, among the files that can be seen.

use std::collections::{BTreeMap, HashMap};

use tug_oci::Digest;

use super::seen::{File, Sum};
use super::{Duplicate, Leftover};
use crate::inside::leftovers::{LeftoverKind, leftover};

/// A content: its digest and its length.
type Content = ([u8; 32], u64);

pub(super) fn duplicates(live: &BTreeMap<Vec<u8>, Option<usize>>, files: &[File]) -> Vec<Duplicate> {
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

pub(super) fn leftovers(live: &BTreeMap<Vec<u8>, Option<usize>>, files: &[File]) -> Vec<Leftover> {
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
