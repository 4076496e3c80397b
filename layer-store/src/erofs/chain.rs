//! The table of a chain of layers, as if it were one layer whose tar is all their tars, one behind the other.
//!
//! Each tar begins at a block. What layers hide or remove is not in the table, and neither is any mark: nothing is below.

use std::collections::{HashMap, HashSet};

use super::IndexError;
use super::format::BlockSize;
use crate::entry::{Entry, EntryKind, join};
use crate::toc::{Record, RecordKind, Toc, TocTooLarge, TocWriter};
use crate::tree::Attributes;
use crate::view::{Found, Merged, Position};

/// The table of `chain`; `tar_sizes` are those of its layers.
pub(super) fn table(chain: &Merged, tar_sizes: &[u64]) -> Result<Toc, IndexError> {
    let mut writer = Writer {
        chain,
        bases: bases(tar_sizes),
        shared: shared(chain, tar_sizes.len()),
        names: HashMap::new(),
    };
    let mut toc = TocWriter::new();
    // One list for each directory on the way down; paths may be deeper than a stack is.
    let mut open = vec![(Vec::new(), chain.children(&chain.root()).into_iter())];
    while let Some((directory, children)) = open.last_mut() {
        let Some((name, found)) = children.next() else {
            open.pop();
            continue;
        };
        let path = join(directory, &name);
        let written = match found {
            Found::Directory(place) => {
                let Attributes { mode, uid, gid, mtime, xattrs } = chain.attributes(&place);
                let entry =
                    Entry { path: path.clone(), kind: EntryKind::Directory, mode, uid, gid, mtime, xattrs };
                let written = toc.entry(&entry, None);
                open.push((path, chain.children(&place).into_iter()));
                written
            }
            Found::Other(position) => writer.add(&mut toc, path, position)?,
        };
        written.map_err(|TocTooLarge| cannot_hold(b"", "the layers are too large together"))?;
    }
    Ok(toc.finish())
}

struct Writer<'a> {
    chain: &'a Merged,
    /// Where each tar begins and ends.
    bases: Vec<(u64, u64)>,
    /// What has several names in its layer.
    shared: HashSet<Position>,
    /// The first name of each of them that is left.
    names: HashMap<Position, Vec<u8>>,
}

impl Writer<'_> {
    fn add(
        &mut self,
        toc: &mut TocWriter,
        path: Vec<u8>,
        position: Position,
    ) -> Result<Result<(), TocTooLarge>, IndexError> {
        let position = self.chain.follow_hard_link(position);
        let record = self.chain.record(position);
        let kind = match self.names.get(&position) {
            Some(first) => EntryKind::HardLink { target: first.clone() },
            None => self.kind(&record, position.layer)?,
        };
        if self.shared.contains(&position) {
            self.names.entry(position).or_insert_with(|| path.clone());
        }
        let segments = match (&kind, record.kind) {
            (EntryKind::File { .. }, RecordKind::File(facts)) => facts.segments(),
            _ => None,
        };
        let Attributes { mode, uid, gid, mtime, xattrs } = Attributes::of(&record);
        Ok(toc.entry(&Entry { path, kind, mode, uid, gid, mtime, xattrs }, segments.as_deref()))
    }

    /// What it is, with its place among all tars.
    fn kind(&self, record: &Record<'_>, layer: usize) -> Result<EntryKind, IndexError> {
        let refused = |reason| cannot_hold(record.path, reason);
        let kind = record.kind.to_entry_kind().ok_or_else(|| refused("it is no file"))?;
        let (EntryKind::File { size, digest, offset }, RecordKind::File(facts)) = (&kind, record.kind) else {
            return Ok(kind);
        };
        let stored = facts.segments().map_or(facts.size, |pieces| pieces.iter().map(|it| it.length).sum());
        let (base, end) = *self.bases.get(layer).ok_or_else(|| refused("its layer has no tar"))?;
        let place = base.checked_add(*offset);
        match place.and_then(|place| place.checked_add(stored)) {
            Some(last) if last <= end || stored == 0 => {}
            _ => return Err(refused("its content is beyond the end of the tar")),
        }
        let offset = place.unwrap_or(base);
        Ok(EntryKind::File { size: *size, digest: digest.clone(), offset })
    }
}

fn bases(tar_sizes: &[u64]) -> Vec<(u64, u64)> {
    let mut next = 0_u64;
    let place = |&size: &u64| {
        let base = next;
        let end = base.saturating_add(size);
        next = BlockSize::OF_TARS.count(end).saturating_mul(BlockSize::OF_TARS.bytes());
        (base, end)
    };
    tar_sizes.iter().map(place).collect()
}

fn shared(chain: &Merged, layers: usize) -> HashSet<Position> {
    let mut shared = HashSet::new();
    for layer in 0..layers {
        let toc = chain.toc(layer);
        for target in toc.records().filter_map(|record| match record.kind {
            RecordKind::HardLink(target) => toc.find(target),
            _ => None,
        }) {
            shared.insert(Position { layer, record: target });
        }
    }
    shared
}

fn cannot_hold(path: &[u8], reason: &'static str) -> IndexError {
    IndexError::CannotHold { path: path.to_vec(), reason }
}
