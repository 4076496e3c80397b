//! Decides whether something in an upper directory is as the layers below have it.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use sha2::{Digest as _, Sha256};

use super::facts::{Facts, Kind};
use crate::entry::{Mtime, NewEntryKind};
use crate::toc::{Record, RecordKind};
use crate::tree::Attributes;
use crate::view::{Found, Place, Position, View};

/// What is compared with.
pub(super) struct Below<'a> {
    pub(super) view: &'a View,
    pub(super) clamp_mtime: Option<i64>,
}

impl Below<'_> {
    /// The record of a thing that is the same in every way that a layer can say; `None` when there is none.
    ///
    /// Content is read last, and only when all else is equal.
    pub(super) fn same(&self, facts: &Facts, found: Option<&Found>) -> io::Result<Option<Position>> {
        let (Some(Found::Other(position)), Kind::Thing(kind)) = (found, &facts.kind) else { return Ok(None) };
        let position = self.view.merged().follow_hard_link(*position);
        let record = self.view.merged().record(position);
        let is_same = same_kind(kind, &record)
            && same_owner_and_mode(&facts.attributes, &Attributes::of(&record))
            && self.same_mtime(&facts.attributes, record.mtime, || self.view.mtime_in_tree(position))
            && same_content(facts.file.as_ref(), &record)?;
        Ok(is_same.then_some(position))
    }

    /// Whether a directory has the same metadata.
    pub(super) fn same_directory(&self, attributes: &Attributes, place: &Place) -> bool {
        let below = self.view.merged().attributes(place);
        same_owner_and_mode(attributes, &below)
            && self.same_mtime(attributes, below.mtime, || self.view.mtime_of_directory_in_tree(place))
    }

    /// A copy has the time of the original to the nanosecond; a new file with the same time is the same when a layer
    /// could not tell the difference. File systems hold times in a limited range, and some only seconds, so a time that
    /// may not fit is compared with what the tree has.
    fn same_mtime(
        &self,
        attributes: &Attributes,
        below: Mtime,
        in_tree: impl FnOnce() -> Option<Mtime>,
    ) -> bool {
        let mtime = attributes.mtime;
        let is_same = mtime == below || mtime.whole_seconds(self.clamp_mtime) == below;
        let may_not_fit = below.nanos != 0 || !(0..=i64::from(i32::MAX)).contains(&below.seconds);
        is_same || may_not_fit && in_tree() == Some(mtime)
    }
}

fn same_owner_and_mode(left: &Attributes, right: &Attributes) -> bool {
    (left.mode, left.uid, left.gid) == (right.mode, right.uid, right.gid) && left.xattrs == right.xattrs
}

fn same_kind(kind: &NewEntryKind, record: &Record<'_>) -> bool {
    match (kind, record.kind) {
        (NewEntryKind::File { size }, RecordKind::File(facts)) => *size == facts.size,
        (NewEntryKind::Symlink { target }, RecordKind::Symlink(below)) => target == below,
        (NewEntryKind::CharDevice { major, minor }, RecordKind::CharDevice(below, number)) => {
            (*major, *minor) == (below, number)
        }
        (NewEntryKind::BlockDevice { major, minor }, RecordKind::BlockDevice(below, number)) => {
            (*major, *minor) == (below, number)
        }
        (NewEntryKind::Fifo, RecordKind::Fifo) => true,
        _ => false,
    }
}

fn same_content(file: Option<&File>, record: &Record<'_>) -> io::Result<bool> {
    let (Some(file), RecordKind::File(facts)) = (file, record.kind) else { return Ok(true) };
    let mut hash = Sha256::new();
    let mut buffer = vec![0; usize::try_from(facts.size).unwrap_or(usize::MAX).clamp(1, 256 * 1024)];
    let mut at = 0;
    loop {
        let count = file.read_at(&mut buffer, at)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
        at += count as u64;
    }
    Ok(hash.finalize().as_slice() == facts.sha256)
}
