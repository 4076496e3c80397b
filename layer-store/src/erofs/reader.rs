//! Reads an index back, by the rules of the format alone, and doubts everything: a second opinion about the writer.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::entry::{Mtime, Xattrs, join};

/// What is at a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// The inode: the same for all names of a file.
    pub(super) inode: u64,
    /// The kind of file and its permissions.
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: Mtime,
    pub(super) links: u32,
    pub(super) size: u64,
    /// The device, as the kernel packs it.
    pub(super) device: u32,
    pub(super) xattrs: Xattrs,
    /// What a symbolic link holds.
    pub(super) target: Vec<u8>,
    /// Where a file lies in the tar: place in the file, place in the tar, length. Nothing else is a hole.
    pub(super) extents: Vec<(u64, u64, u64)>,
}

/// An index in memory.
pub(super) struct Image<'a> {
    bytes: &'a [u8],
    block: u64,
    root: u64,
    epoch: Mtime,
    shared_xattrs: u64,
    /// Where the tar begins for inodes without chunks, and how many blocks it has.
    device: (u64, u64),
}

/// An inode whose fixed part was read.
struct Inode {
    layout: u16,
    /// Where what follows it begins: its chunks, or the last piece of its data.
    behind: u64,
    union: u32,
    found: Found,
}

type Result<T> = std::result::Result<T, String>;

const DIRECTORY: u16 = 0o040_000;

impl<'a> Image<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Result<Self> {
        let image = Self { bytes, block: 0, root: 0, epoch: Mtime::EPOCH, shared_xattrs: 0, device: (0, 0) };
        let number = |at: u64| image.u32(1024 + at);
        expect("magic", number(0)?, 0xe0f5_e1e2)?;
        expect("incompatible features", number(80)?, 0xc)?;
        let devices = u64::from(number(86)? & 0xffff);
        expect("device slot", number(88)? & 0xffff, 9)?;
        let block = 1_u64 << (number(12)? & 0xff);
        let covered = if block > 1024 { 1024..block } else { 1024..1024 + block };
        let mut sealed = image.bytes(covered.start, covered.end - covered.start)?.to_vec();
        sealed[4..8].fill(0);
        expect("checksum", number(4)?, slow_crc(&sealed))?;
        let blocks = u64::from(number(36)?);
        expect("length", blocks * block, bytes.len() as u64)?;
        let epoch = Mtime { seconds: image.u64(1024 + 24)? as i64, nanos: number(32)? };
        let mut end = blocks;
        for slot in (0..devices).map(|number| 128 + 128 * number) {
            expect("first block of a device", u64::from(number(slot + 68)?), end)?;
            end += u64::from(number(slot + 64)?);
        }
        let device = (blocks, end - blocks);
        let root = u64::from(number(12)? >> 16);
        let shared_xattrs = u64::from(number(44)?) * block;
        Ok(Self { bytes, block, root, epoch, shared_xattrs, device })
    }

    /// Everything, by path; the root has the empty one.
    pub(super) fn walk(&self) -> Result<BTreeMap<Vec<u8>, Found>> {
        let mut all = BTreeMap::new();
        let root = self.inode(self.root)?;
        let mut open = vec![(Vec::new(), root, self.root)];
        while let Some((path, inode, parent)) = open.pop() {
            let shown = String::from_utf8_lossy(&path).into_owned();
            let number = inode.found.inode;
            let mut subdirectories = 0;
            for (name, target, kind) in self.names(&inode)? {
                match &name[..] {
                    b"." => expect("`.`", target, number)?,
                    b".." => expect("`..`", target, parent)?,
                    _ => {
                        let child = self.inode(target)?;
                        let types = [0, 0o10, 0o4, 0o2, 0o6, 0o1, 0o14, 0o12];
                        expect("type of a name", types[usize::from(kind & 7)], child.found.mode >> 12)?;
                        let path = join(&path, &name);
                        if child.found.mode & 0o170_000 == DIRECTORY {
                            subdirectories += 1;
                            open.push((path, child, number));
                        } else if all.insert(path, child.found).is_some() {
                            return Err(format!("{shown} has a name twice"));
                        }
                    }
                }
            }
            expect("links of a directory", inode.found.links, 2 + subdirectories)?;
            if all.insert(path, inode.found).is_some() {
                return Err(format!("{shown} is there twice"));
            }
        }
        Ok(all)
    }

    fn inode(&self, number: u64) -> Result<Inode> {
        let at = number * 32;
        let format = self.u16(at)?;
        let (is_long, layout) = (format & 1 == 1, format >> 1);
        let (mode, union) = (self.u16(at + 4)?, self.u32(at + 16)?);
        let found = |uid, gid, mtime, links, size| Found {
            inode: number,
            mode,
            uid,
            gid,
            mtime,
            links,
            size,
            device: 0,
            xattrs: Xattrs::new(),
            target: Vec::new(),
            extents: Vec::new(),
        };
        let mut found = if is_long {
            let mtime = Mtime { seconds: self.u64(at + 32)? as i64, nanos: self.u32(at + 40)? };
            found(self.u32(at + 24)?, self.u32(at + 28)?, mtime, self.u32(at + 44)?, self.u64(at + 8)?)
        } else {
            expect("time of a short inode", self.u32(at + 12)?, 0)?;
            let (uid, gid) = (self.u16(at + 24)?.into(), self.u16(at + 26)?.into());
            found(uid, gid, self.epoch, self.u16(at + 6)?.into(), self.u32(at + 8)?.into())
        };
        let union = if is_long { union } else { self.u32(at + 16)? };
        let behind = at + if is_long { 64 } else { 32 };
        let length = match self.u16(at + 2)? {
            0 => 0,
            count => 12 + 4 * (u64::from(count) - 1),
        };
        found.xattrs = self.xattrs(behind, length)?;
        let mut inode = Inode { layout, behind: behind + length, union, found };
        match inode.found.mode >> 12 {
            0o10 => inode.found.extents = self.extents(&inode)?,
            0o12 => inode.found.target = self.content(&inode)?,
            0o2 | 0o6 => inode.found.device = union,
            0o1 | 0o4 => {}
            other => return Err(format!("inode {number} has the type {other:o}")),
        }
        Ok(inode)
    }

    /// The data of a directory or link.
    fn content(&self, inode: &Inode) -> Result<Vec<u8>> {
        let size = inode.found.size;
        let (whole, inline) = match inode.layout {
            0 => (size, 0),
            2 => {
                let inline = (size + self.block - 1) % self.block + 1;
                (size - inline, inline)
            }
            other => return Err(format!("inode {} has the layout {other}", inode.found.inode)),
        };
        let mut content = self.bytes(u64::from(inode.union) * self.block, whole)?.to_vec();
        let first = inode.found.inode * 32 / self.block;
        if inline > 0 && (inode.behind + inline - 1) / self.block != first {
            return Err(format!("inode {} and its data are not in one block", inode.found.inode));
        }
        content.extend(self.bytes(inode.behind, inline)?);
        Ok(content)
    }

    fn names(&self, inode: &Inode) -> Result<Vec<(Vec<u8>, u64, u8)>> {
        let mut names: Vec<(Vec<u8>, u64, u8)> = Vec::new();
        for block in self.content(inode)?.chunks(self.block as usize) {
            let block = Image { bytes: block, ..*self };
            let first = u64::from(block.u16(8)?);
            for at in (0..first).step_by(12) {
                let start = u64::from(block.u16(at + 8)?);
                let is_last = at + 12 == first;
                let end = if is_last { block.bytes.len() as u64 } else { block.u16(at + 20)?.into() };
                let name = block.bytes(start, end.saturating_sub(start))?;
                let name = match is_last {
                    true => name.split(|&byte| byte == 0).next().unwrap_or_default(),
                    false => name,
                };
                if names.last().is_some_and(|(last, ..)| last.as_slice().cmp(name) != Ordering::Less) {
                    return Err(format!("{name:?} is out of order"));
                }
                if name.is_empty() || name.len() > 255 || name.contains(&0) || name.contains(&b'/') {
                    return Err(format!("{name:?} is no name"));
                }
                names.push((name.to_vec(), block.u64(at)?, block.bytes(at + 10, 1)?[0]));
            }
        }
        let dots = names.iter().filter(|(name, ..)| name == b"." || name == b"..").count();
        expect("dots of a directory", dots, 2)?;
        Ok(names)
    }

    fn extents(&self, inode: &Inode) -> Result<Vec<(u64, u64, u64)>> {
        let size = inode.found.size;
        if inode.layout == 0 {
            let extents = Vec::from_iter((size > 0).then_some((0, u64::from(inode.union), size)));
            let (start, blocks) = self.device;
            return extents
                .into_iter()
                .map(|(place, block, length)| {
                    let end = block + length.div_ceil(self.block);
                    if block < start || end > start + blocks {
                        return Err(format!("inode {} lies beside the device", inode.found.inode));
                    }
                    Ok((place, (block - start) * self.block, length))
                })
                .collect();
        }
        expect("layout of a file", inode.layout, 4)?;
        expect("format of chunks", inode.union & !0x1f, 0x20)?;
        let chunk = self.block << (inode.union & 0x1f);
        let mut extents: Vec<(u64, u64, u64)> = Vec::new();
        for number in 0..size.div_ceil(chunk) {
            let at = inode.behind.next_multiple_of(8) + number * 8;
            let (device, address) = (self.u16(at + 2)?, self.u32(at + 4)?);
            if address == u32::MAX {
                continue;
            }
            expect("device of a chunk", device, 0)?;
            let (place, length) = (number * chunk, chunk.min(size - number * chunk));
            let (address, (start, blocks)) = (u64::from(address), self.device);
            if address < start || address + length.div_ceil(self.block) > start + blocks {
                return Err(format!("inode {} lies beside the device", inode.found.inode));
            }
            let address = (address - start) * self.block;
            match extents.last_mut() {
                Some(last) if last.0 + last.2 == place && last.1 + last.2 == address => last.2 += length,
                _ => extents.push((place, address, length)),
            }
        }
        Ok(extents)
    }

    fn xattrs(&self, at: u64, length: u64) -> Result<Xattrs> {
        let mut xattrs = Xattrs::new();
        if length == 0 {
            return Ok(xattrs);
        }
        let shared = u64::from(self.bytes(at + 4, 1)?[0]);
        for place in (0..shared).map(|number| at + 12 + number * 4) {
            let place = self.shared_xattrs + u64::from(self.u32(place)?) * 4;
            self.xattr(place, &mut xattrs)?;
        }
        let mut next = at + 12 + shared * 4;
        while next < at + length {
            next += self.xattr(next, &mut xattrs)?;
        }
        expect("end of the attributes", next, at + length)?;
        Ok(xattrs)
    }

    /// Takes in the attribute at `at`. Returns how long it is.
    fn xattr(&self, at: u64, xattrs: &mut Xattrs) -> Result<u64> {
        let (head, value) = (self.bytes(at, 2)?, u64::from(self.u16(at + 2)?));
        let (name, kind) = (u64::from(head[0]), head[1]);
        let prefix: &[u8] = match kind {
            1 => b"user.",
            2 => b"system.posix_acl_access",
            3 => b"system.posix_acl_default",
            4 => b"trusted.",
            6 => b"security.",
            other => return Err(format!("an attribute of the kind {other}")),
        };
        let full = [prefix, self.bytes(at + 4, name)?].concat();
        if xattrs.insert(full, self.bytes(at + 4 + name, value)?.to_vec()).is_some() {
            return Err("an attribute is there twice".into());
        }
        Ok((4 + name + value).next_multiple_of(4))
    }

    fn bytes(&self, at: u64, length: u64) -> Result<&'a [u8]> {
        let end = at.checked_add(length).and_then(|end| usize::try_from(end).ok());
        let found = end.and_then(|end| self.bytes.get(usize::try_from(at).ok()?..end));
        found.ok_or_else(|| format!("{length} bytes at {at} are beyond the end"))
    }

    fn u16(&self, at: u64) -> Result<u16> {
        Ok(u16::from_le_bytes(self.bytes(at, 2)?.try_into().map_err(|_| "no number")?))
    }

    fn u32(&self, at: u64) -> Result<u32> {
        Ok(u32::from_le_bytes(self.bytes(at, 4)?.try_into().map_err(|_| "no number")?))
    }

    fn u64(&self, at: u64) -> Result<u64> {
        Ok(u64::from_le_bytes(self.bytes(at, 8)?.try_into().map_err(|_| "no number")?))
    }
}

fn expect<T: Copy + PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<()> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} instead of {expected:?}")) }
}

/// CRC-32C by long division, one bit after the other.
fn slow_crc(bytes: &[u8]) -> u32 {
    let mut rest = u32::MAX;
    for bit in bytes.iter().flat_map(|byte| (0..8).map(move |shift| u32::from(byte >> shift & 1))) {
        let carries = (rest ^ bit) & 1 == 1;
        rest >>= 1;
        if carries {
            rest ^= 0x82f6_3b78;
        }
    }
    rest
}
