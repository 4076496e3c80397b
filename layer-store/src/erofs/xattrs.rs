//! Extended attributes: behind the inode, or, where several inodes have the same, once for all of them.
//!
//! What a container itself calls `trusted.overlay.…` is stored under the name with which overlay escapes it, so that it
//! is an attribute of the file and no instruction to overlay (Linux 6.7, `fs/overlayfs/xattrs.c`).

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::format::{put_16, put_32};
use crate::toc::{Record, RecordKind};

const TRUSTED: u8 = 4;
/// The kinds of names, as `fs/erofs/erofs_fs.h` numbers them.
const PREFIXES: [(u8, &[u8]); 3] = [(1, b"user."), (TRUSTED, b"trusted."), (6, b"security.")];
const ACCESS_LISTS: [(u8, &[u8]); 2] = [(2, b"system.posix_acl_access"), (3, b"system.posix_acl_default")];
/// What precedes the attributes of an inode.
const HEADER: usize = 12;
/// An inode refers to no more shared attributes than this.
const MOST_SHARED: usize = 127;

/// One attribute.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Xattr<'a> {
    kind: u8,
    /// Without what the kind stands for.
    name: Cow<'a, [u8]>,
    value: &'a [u8],
}

impl<'a> Xattr<'a> {
    /// Fails for what no kernel would read back.
    fn new(name: &'a [u8], value: &'a [u8]) -> Result<Self, &'static str> {
        let after = |(kind, prefix): &(u8, &[u8])| Some((*kind, name.strip_prefix(*prefix)?));
        let listed = ACCESS_LISTS.iter().find(|(_, whole)| *whole == name).map(|(kind, _)| (*kind, &b""[..]));
        let found = PREFIXES.iter().find_map(after).filter(|(_, rest)| !rest.is_empty()).or(listed);
        let (kind, rest) = found.ok_or("an attribute of it has a name of an unknown kind")?;
        let name = match rest.strip_prefix(b"overlay.") {
            Some(_) if kind == TRUSTED => Cow::Owned([b"overlay.", rest].concat()),
            _ => Cow::Borrowed(rest),
        };
        if name.contains(&0) || name.len() > 255 {
            return Err("an attribute of it has a name that is too long or holds a zero");
        }
        if value.len() > usize::from(u16::MAX) {
            return Err("an attribute of it is too long");
        }
        Ok(Self { kind, name, value })
    }

    /// Overlay's mark for a directory that hides what is below it.
    fn opaque() -> Self {
        Self { kind: TRUSTED, name: Cow::Borrowed(b"overlay.opaque"), value: b"y" }
    }

    fn length(&self) -> usize {
        (4 + self.name.len() + self.value.len()).next_multiple_of(4)
    }

    fn append_to(&self, bytes: &mut Vec<u8>) {
        let end = bytes.len() + self.length();
        bytes.extend([self.name.len() as u8, self.kind]);
        put_16(bytes, self.value.len() as u16);
        bytes.extend_from_slice(&self.name);
        bytes.extend_from_slice(self.value);
        bytes.resize(end, 0);
    }
}

/// The attributes of one inode.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Body<'a> {
    shared: Vec<u32>,
    own: Vec<Xattr<'a>>,
}

impl Body<'_> {
    pub(super) fn length(&self) -> usize {
        match self.shared.is_empty() && self.own.is_empty() {
            true => 0,
            false => HEADER + 4 * self.shared.len() + self.own.iter().map(Xattr::length).sum::<usize>(),
        }
    }

    /// The length as inodes have it; `None` when it is too long for them.
    pub(super) fn count(&self) -> Option<u16> {
        match self.length() {
            0 => Some(0),
            length => u16::try_from((length - HEADER) / 4 + 1).ok(),
        }
    }

    pub(super) fn append_to(&self, bytes: &mut Vec<u8>) {
        if self.length() == 0 {
            return;
        }
        put_32(bytes, 0); // no filter of names
        bytes.push(self.shared.len() as u8);
        bytes.extend([0; 7]);
        self.shared.iter().for_each(|&place| put_32(bytes, place));
        self.own.iter().for_each(|xattr| xattr.append_to(bytes));
    }
}

/// The attributes that several inodes have.
#[derive(Debug, Default)]
pub(super) struct Shared<'a> {
    /// While they are counted, how many have it; then where it is, in units of four bytes.
    known: BTreeMap<Xattr<'a>, u32>,
    length: u64,
}

impl<'a> Shared<'a> {
    /// Counts the attributes of one more inode.
    pub(super) fn count(&mut self, xattrs: Vec<Xattr<'a>>) {
        for xattr in xattrs {
            *self.known.entry(xattr).or_default() += 1;
        }
    }

    /// Gives a place to all that were counted more than once. Fails when that needs too much room.
    pub(super) fn settle(&mut self) -> Option<()> {
        self.known.retain(|_, count| *count > 1);
        for (xattr, place) in &mut self.known {
            *place = u32::try_from(self.length / 4).ok()?;
            self.length += xattr.length() as u64;
        }
        Some(())
    }

    /// How they are kept with one inode.
    pub(super) fn body(&self, xattrs: Vec<Xattr<'a>>) -> Body<'a> {
        let mut body = Body::default();
        for xattr in xattrs {
            match self.known.get(&xattr) {
                Some(&place) if body.shared.len() < MOST_SHARED => body.shared.push(place),
                _ => body.own.push(xattr),
            }
        }
        body
    }

    /// The length of all of them.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// All of them, each as bytes.
    pub(super) fn all(&self) -> impl Iterator<Item = Vec<u8>> {
        self.known.keys().map(|xattr| {
            let mut bytes = Vec::with_capacity(xattr.length());
            xattr.append_to(&mut bytes);
            bytes
        })
    }
}

/// The attributes of a file or directory. Nothing else has any, as in a tree.
pub(super) fn of<'a>(record: &Record<'a>, is_opaque: bool) -> Result<Vec<Xattr<'a>>, &'static str> {
    if !record.is_directory() && !matches!(record.kind, RecordKind::File(_)) {
        return Ok(Vec::new());
    }
    let mut xattrs: Vec<_> =
        record.xattr_pairs().map(|(name, value)| Xattr::new(name, value)).collect::<Result<_, _>>()?;
    if is_opaque {
        xattrs.push(Xattr::opaque());
    }
    Ok(xattrs)
}

/// Those of the root, about which layers say nothing else.
pub(super) fn of_root<'a>(is_opaque: bool) -> Vec<Xattr<'a>> {
    Vec::from_iter(is_opaque.then(Xattr::opaque))
}
