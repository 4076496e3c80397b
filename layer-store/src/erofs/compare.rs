//! Holds an index, read back, against the table of contents that it was made of.

use std::collections::BTreeMap;

use super::format::device;
use super::reader::{Found, Image};
use super::{IndexError, write};
use crate::entry::{Mtime, Xattrs, shown};
use crate::toc::{Record, RecordKind, Toc};

/// Writes the index of a table and reads it back: it must hold exactly what the table says. Tables that an index cannot
/// hold are fine too.
pub(super) fn round_trip(toc: &Toc, tar_size: u64) -> Result<(), String> {
    let mut bytes = Vec::new();
    match write(toc, tar_size, &mut bytes) {
        Ok(length) if length == bytes.len() as u64 => same(toc, &bytes),
        Ok(length) => Err(format!("{length} bytes were written, {} arrived", bytes.len())),
        Err(IndexError::CannotHold { .. }) if bytes.is_empty() => Ok(()),
        Err(error) => Err(format!("{error}, after {} bytes", bytes.len())),
    }
}

/// Whether the index holds what the table says, and nothing else.
pub(super) fn same(toc: &Toc, index: &[u8]) -> Result<(), String> {
    let mut all = Image::new(index)?.walk()?;
    let root = all.remove(&b""[..]).ok_or("there is no root")?;
    let marks = opaque(toc.root_is_opaque(), Xattrs::new());
    if (root.mode, root.uid, root.gid, root.mtime, &root.xattrs) != (0o040_755, 0, 0, Mtime::EPOCH, &marks) {
        return Err(format!("the root is {root:?}"));
    }
    let mut inodes: BTreeMap<u64, (u32, u32)> = BTreeMap::new();
    for (number, record) in toc.records().enumerate() {
        if record.kind == RecordKind::Opaque {
            continue;
        }
        let found = all.remove(record.path).ok_or_else(|| format!("`{}` is missing", shown(record.path)))?;
        let file = match record.kind {
            RecordKind::HardLink(target) => toc.record(toc.find(target).ok_or("a link to nothing")?),
            _ => record,
        };
        let is_opaque = record.is_directory() && toc.is_opaque(number);
        let difference = differs(&file, &found, is_opaque);
        if let Some(what) = difference {
            return Err(format!("`{}`: {what} of {found:?}", shown(record.path)));
        }
        if !record.is_directory() {
            inodes.entry(found.inode).or_insert((found.links, 0)).1 += 1;
        }
    }
    if let Some(path) = all.keys().next() {
        return Err(format!("`{}` should not be there", shown(path)));
    }
    match inodes.iter().find(|(_, (links, names))| links != names) {
        Some((inode, (links, names))) => Err(format!("inode {inode} has {names} names and {links} links")),
        None => Ok(()),
    }
}

fn differs(record: &Record<'_>, found: &Found, is_opaque: bool) -> Option<&'static str> {
    if record.kind == RecordKind::Whiteout {
        return (found.mode != 0o020_000 || found.device != 0).then_some("the removal");
    }
    let (kind, permissions, size, number) = match record.kind {
        RecordKind::Directory | RecordKind::Implied => (0o040_000, record.mode, found.size, 0),
        RecordKind::File(facts) => (0o100_000, record.mode, facts.size, 0),
        RecordKind::Symlink(target) => (0o120_000, 0o777, target.len() as u64, 0),
        RecordKind::CharDevice(major, minor) => (0o020_000, record.mode, 0, device(major, minor)?),
        RecordKind::BlockDevice(major, minor) => (0o060_000, record.mode, 0, device(major, minor)?),
        RecordKind::Fifo => (0o010_000, record.mode, 0, 0),
        RecordKind::HardLink(_) | RecordKind::Whiteout | RecordKind::Opaque => return Some("the kind"),
    };
    let has_xattrs = record.is_directory() || matches!(record.kind, RecordKind::File(_));
    let xattrs = if has_xattrs { opaque(is_opaque, escaped(record.xattrs())) } else { Xattrs::new() };
    let target = if let RecordKind::Symlink(target) = record.kind { target } else { b"" };
    let checks = [
        ("the mode", u32::from(found.mode) == kind | permissions & 0o7777),
        ("the owner", (found.uid, found.gid) == (record.uid, record.gid)),
        ("the time", found.mtime == record.mtime),
        ("the size", found.size == size),
        ("the device", found.device == number),
        ("the target", found.target == target),
        ("the attributes", found.xattrs == xattrs),
        ("the content", found.extents == extents(record)),
    ];
    checks.iter().find(|(_, is_right)| !is_right).map(|(what, _)| *what)
}

/// Where the content of a file lies: place in the file, place in the tar, length.
fn extents(record: &Record<'_>) -> Vec<(u64, u64, u64)> {
    let RecordKind::File(facts) = record.kind else { return Vec::new() };
    let mut at = facts.offset;
    let mut extents: Vec<(u64, u64, u64)> = Vec::new();
    let whole = || vec![crate::tar::Segment { offset: 0, length: facts.size }];
    for piece in facts.segments().unwrap_or_else(whole).into_iter().filter(|piece| piece.length > 0) {
        match extents.last_mut() {
            Some(last) if last.0 + last.2 == piece.offset => last.2 += piece.length,
            _ => extents.push((piece.offset, at, piece.length)),
        }
        at += piece.length;
    }
    extents
}

fn escaped(xattrs: Xattrs) -> Xattrs {
    let rename = |name: Vec<u8>| match name.strip_prefix(b"trusted.overlay.") {
        Some(rest) => [b"trusted.overlay.overlay.", rest].concat(),
        None => name,
    };
    xattrs.into_iter().map(|(name, value)| (rename(name), value)).collect()
}

fn opaque(is_opaque: bool, mut xattrs: Xattrs) -> Xattrs {
    if is_opaque {
        xattrs.insert(b"trusted.overlay.opaque".to_vec(), b"y".to_vec());
    }
    xattrs
}
