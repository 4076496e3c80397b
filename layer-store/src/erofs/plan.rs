//! Decides what is where in an index, before its first byte is written.
//!
//! Everything that an index cannot hold is found here. Each record of the table is one node, hard links too: they share
//! the inode of the file whose names they are.

use std::cmp::Reverse;
use std::collections::HashMap;

use sha2::{Digest as _, Sha256};

use super::IndexError;
use super::chunks::{ChunkMap, Content};
use super::directory::{self, Name};
use super::format::{BlockSize, Inode, Layout, SLOT, Superblock, device};
use super::xattrs::{self, Body, Shared};
use crate::entry::Mtime;
use crate::toc::{Record, RecordKind, Toc};

/// The types of files in directories, as all file systems of Linux number them.
mod kind {
    pub(super) const NONE: u8 = 0;
    pub(super) const FILE: u8 = 1;
    pub(super) const DIRECTORY: u8 = 2;
    pub(super) const CHAR_DEVICE: u8 = 3;
    pub(super) const BLOCK_DEVICE: u8 = 4;
    pub(super) const FIFO: u8 = 5;
    pub(super) const SYMLINK: u8 = 7;
}

const LONGEST_NAME: usize = 255;
const LONGEST_LINK: usize = 4095;
const ROOT: usize = 0;
/// How many bytes the chunks of all files may take: archives can say with few bytes that there are many holes.
const MOST_CHUNKS: u64 = 32 << 20;
/// The inode of the root is behind the slots of all devices, and its number has 16 bits.
const MOST_TARS: usize = 10_000;

/// Where everything is.
pub(super) struct Plan<'a> {
    toc: &'a Toc,
    block: BlockSize,
    /// The root, and behind it one for each record.
    nodes: Vec<Node>,
    pub(super) shared: Shared<'a>,
    /// The most common time, which compact inodes have.
    pub(super) epoch: Mtime,
    inodes: u64,
    /// The first block behind the inodes.
    data_block: u32,
    /// How many blocks directories and long links take there.
    data_blocks: u32,
    /// All blocks of the index. The tars go on with this number, one behind the other.
    pub(super) blocks: u32,
    tars: &'a [u64],
}

/// A record, or the root.
#[derive(Clone, Copy, Default)]
struct Node {
    kind: u8,
    parent: u32,
    /// The node whose inode it has: itself, if it is no hard link.
    file: u32,
    links: u32,
    /// Where the inode is.
    slot: u32,
    /// The length of a directory.
    size: u32,
    /// Where the data begin that are behind all inodes, counted from there.
    block: u32,
}

/// An inode with all that follows it.
pub(super) struct Described<'a> {
    pub(super) inode: Inode,
    pub(super) xattrs: Body<'a>,
    pub(super) rest: Rest,
    /// The length of all three, in bytes.
    pub(super) length: u64,
    /// How many blocks it has behind all inodes.
    outside: u64,
}

/// What follows an inode and its attributes.
pub(super) enum Rest {
    Nothing,
    /// The last piece of a directory or link, of this length.
    Inline,
    Chunks(ChunkMap),
}

impl<'a> Plan<'a> {
    pub(super) fn new(toc: &'a Toc, tars: &'a [u64], block: BlockSize) -> Result<Self, IndexError> {
        let mut plan = Self {
            toc,
            block,
            nodes: vec![Node::default(); toc.len() + 1],
            shared: Shared::default(),
            epoch: Mtime::EPOCH,
            inodes: 0,
            data_block: 0,
            data_blocks: 0,
            blocks: 0,
            tars,
        };
        plan.tell_kinds()?;
        plan.resolve_links()?;
        plan.measure_directories()?;
        plan.tally()?;
        plan.place()?;
        Ok(plan)
    }

    pub(super) fn superblock(&self) -> Superblock {
        let shared = u64::from(self.data_block) + u64::from(self.data_blocks);
        let mut hasher = Sha256::new();
        hasher.update(self.toc.as_bytes());
        self.tars.iter().for_each(|size| hasher.update(size.to_le_bytes()));
        let mut uuid = [0; 16];
        uuid.copy_from_slice(&hasher.finalize()[..16]);
        // RFC 9562: version 8, "custom".
        uuid[6] = uuid[6] & 0x0f | 0x80;
        uuid[8] = uuid[8] & 0x3f | 0x80;
        Superblock {
            block: self.block,
            root_slot: self.nodes[ROOT].slot as u16,
            inodes: self.inodes,
            epoch: self.epoch,
            blocks: self.blocks,
            shared_xattrs_block: shared as u32,
            uuid,
            devices: self.tars.iter().map(|&size| self.block.count(size) as u32).collect(),
        }
    }

    /// The nodes that have an inode, in order.
    pub(super) fn with_inode(&self) -> impl Iterator<Item = usize> {
        let has_inode = |index: &usize| {
            let node = &self.nodes[*index];
            node.kind != kind::NONE && node.file as usize == *index
        };
        (0..self.nodes.len()).filter(has_inode)
    }

    /// Where the inode of a node begins.
    pub(super) fn offset(&self, node: usize) -> u64 {
        u64::from(self.nodes[node].slot) * SLOT
    }

    /// All blocks behind the inodes, in order, each as long as it is used.
    pub(super) fn outside(&self) -> impl Iterator<Item = Result<Vec<u8>, IndexError>> {
        self.with_inode().flat_map(|node| {
            let count = self.describe(node).map(|described| described.outside as usize);
            let (count, failed) = match count {
                Ok(count) => (count, None),
                Err(error) => (0, Some(Err(error))),
            };
            failed.into_iter().chain(self.pieces(node).take(count).map(Ok))
        })
    }

    /// The piece of a directory or link that stands behind its inode.
    pub(super) fn inline(&self, node: usize) -> Vec<u8> {
        self.pieces(node).last().unwrap_or_default()
    }

    /// An inode and what follows it. Fails for what an index cannot hold.
    pub(super) fn describe(&self, index: usize) -> Result<Described<'a>, IndexError> {
        let node = &self.nodes[index];
        let record = self.record(index);
        let refused = |reason| cannot_hold(record.map_or(b"", |record| record.path), reason);
        let xattrs = self.shared.body(self.xattrs(index).map_err(refused)?);
        let xattr_count = xattrs.count().ok_or_else(|| refused("its attributes are too long together"))?;
        let (bits, size, union) = match record.map(|record| record.kind) {
            None | Some(RecordKind::Directory | RecordKind::Implied) => (0o040_000, u64::from(node.size), 0),
            Some(RecordKind::File(facts)) => (0o100_000, facts.size, 0),
            Some(RecordKind::Symlink(target)) => (0o120_000, target.len() as u64, 0),
            Some(RecordKind::CharDevice(major, minor)) => (0o020_000, 0, packed(major, minor, refused)?),
            Some(RecordKind::BlockDevice(major, minor)) => (0o060_000, 0, packed(major, minor, refused)?),
            Some(RecordKind::Fifo) => (0o010_000, 0, 0),
            Some(RecordKind::Whiteout) => (0o020_000, 0, 0),
            Some(RecordKind::HardLink(_) | RecordKind::Opaque) => return Err(refused("it is no file")),
        };
        let (permissions, uid, gid, mtime) = match &record {
            None => (0o755, 0, 0, Mtime::EPOCH),
            // Nobody ever sees them.
            Some(Record { kind: RecordKind::Whiteout, .. }) => (0, 0, 0, self.epoch),
            Some(Record { kind: RecordKind::Symlink(_), uid, gid, mtime, .. }) => (0o777, *uid, *gid, *mtime),
            Some(record) => (record.mode & 0o7777, record.uid, record.gid, record.mtime),
        };
        let mut inode = Inode {
            layout: Layout::Plain,
            xattr_count,
            mode: (bits | permissions) as u16,
            uid,
            gid,
            mtime,
            links: node.links,
            size,
            union,
            number: index as u32 + 1,
        };
        let before = inode.length(self.epoch) + xattrs.length() as u64;
        let (mut rest, mut length, mut outside) = (Rest::Nothing, before, 0);
        match record.map(|record| record.kind) {
            Some(RecordKind::File(facts)) => match Content::of(&facts, self.block).map_err(refused)? {
                Content::Whole => {
                    self.check_place(facts.offset, facts.size).map_err(refused)?;
                    if facts.size > 0 {
                        inode.union = self.blocks + (facts.offset >> self.block.bits) as u32;
                    }
                }
                Content::Chunks(map) => {
                    self.check_place(facts.offset, map.stored()).map_err(refused)?;
                    (inode.layout, inode.union) = (Layout::Chunks, map.format());
                    length = before.next_multiple_of(8) + map.length();
                    rest = Rest::Chunks(map);
                }
            },
            None | Some(RecordKind::Directory | RecordKind::Implied | RecordKind::Symlink(_)) => {
                outside = self.block.count(size);
                let tail = size - (outside - 1) * self.block.bytes();
                if before + tail <= self.block.bytes() {
                    (inode.layout, rest) = (Layout::Inline, Rest::Inline);
                    length = before + tail;
                    outside -= 1;
                }
                if outside > 0 {
                    inode.union = self.data_block + node.block;
                }
            }
            Some(_) => {}
        }
        Ok(Described { inode, xattrs, rest, length, outside })
    }

    fn tell_kinds(&mut self) -> Result<(), IndexError> {
        self.nodes[ROOT] = Node { kind: kind::DIRECTORY, links: 2, ..Node::default() };
        for (index, record) in self.toc.records().enumerate() {
            let refused = |reason| Err(cannot_hold(record.path, reason));
            let kind = match record.kind {
                RecordKind::Directory | RecordKind::Implied => kind::DIRECTORY,
                RecordKind::File(_) => kind::FILE,
                RecordKind::Symlink(target) => {
                    if target.is_empty() || target.len() > LONGEST_LINK || target.contains(&0) {
                        return refused("its target is empty, too long, or holds a zero");
                    }
                    kind::SYMLINK
                }
                RecordKind::CharDevice(0, 0) => return refused("it would be taken for a removal"),
                RecordKind::CharDevice(..) | RecordKind::Whiteout => kind::CHAR_DEVICE,
                RecordKind::BlockDevice(..) => kind::BLOCK_DEVICE,
                RecordKind::Fifo => kind::FIFO,
                RecordKind::HardLink(_) | RecordKind::Opaque => kind::NONE,
            };
            let links = if kind == kind::DIRECTORY { 2 } else { 1 };
            self.nodes[index + 1] = Node { kind, links, file: index as u32 + 1, ..Node::default() };
        }
        Ok(())
    }

    fn resolve_links(&mut self) -> Result<(), IndexError> {
        for (index, record) in self.toc.records().enumerate() {
            let RecordKind::HardLink(target) = record.kind else { continue };
            let refused = || cannot_hold(record.path, "what it is linked to is no file of the layer");
            let found = self.toc.find(target).ok_or_else(refused)?;
            let file = &mut self.nodes[found + 1];
            let is_removal = self.toc.record(found).kind == RecordKind::Whiteout;
            if file.kind == kind::NONE || file.kind == kind::DIRECTORY || is_removal {
                return Err(refused());
            }
            file.links += 1;
            self.nodes[index + 1].file = found as u32 + 1;
        }
        Ok(())
    }

    fn measure_directories(&mut self) -> Result<(), IndexError> {
        for index in 0..self.nodes.len() {
            if self.nodes[index].kind != kind::DIRECTORY {
                continue;
            }
            let (toc, block) = (self.toc, self.block);
            let mut subdirectories = 0;
            for child in self.children(index).collect::<Vec<_>>() {
                let path = toc.path(child.node as usize - 1);
                let node = &mut self.nodes[child.node as usize];
                if node.kind == kind::NONE && node.file == child.node {
                    return Err(cannot_hold(path, "it marks what is no directory"));
                }
                check_name(child.name).map_err(|reason| cannot_hold(path, reason))?;
                node.parent = index as u32;
                subdirectories += u32::from(node.kind == kind::DIRECTORY);
            }
            let mut size = 0;
            for names in directory::in_blocks(self.names(index), block) {
                // All blocks but the last one count as a whole.
                size = block.round_up(size) + directory::used(&names) as u64;
            }
            let path = self.record(index).map_or(&b""[..], |record| record.path);
            let size = u32::try_from(size).map_err(|_| cannot_hold(path, "it holds too many names"))?;
            let node = &mut self.nodes[index];
            (node.size, node.links) = (size, 2 + subdirectories);
        }
        Ok(())
    }

    /// Finds the most common time, and the attributes that inodes share.
    fn tally(&mut self) -> Result<(), IndexError> {
        let mut times: HashMap<Mtime, u32> = HashMap::new();
        let mut shared = Shared::default();
        for index in self.with_inode() {
            self.inodes_seen(index, &mut times);
            let path = self.record(index).map_or(&b""[..], |record| record.path);
            shared.count(self.xattrs(index).map_err(|reason| cannot_hold(path, reason))?);
        }
        shared.settle().ok_or_else(|| cannot_hold(b"", "its attributes are too long together"))?;
        let most = times.into_iter().max_by_key(|&(time, count)| (count, Reverse(time)));
        (self.shared, self.epoch) = (shared, most.map_or(Mtime::EPOCH, |(time, _)| time));
        Ok(())
    }

    fn inodes_seen(&self, index: usize, times: &mut HashMap<Mtime, u32>) {
        let time = match self.record(index) {
            None => Some(Mtime::EPOCH),
            Some(record) => (record.kind != RecordKind::Whiteout).then_some(record.mtime),
        };
        if let Some(time) = time {
            *times.entry(time).or_default() += 1;
        }
    }

    fn place(&mut self) -> Result<(), IndexError> {
        let too_large = || cannot_hold(b"", "the layer is too large");
        let mut at = self.block.header(self.tars.len());
        if self.tars.len() > MOST_TARS {
            return Err(cannot_hold(b"", "there are too many layers"));
        }
        let (mut outside, mut chunks) = (0_u64, 0);
        for index in self.with_inode().collect::<Vec<_>>() {
            let described = self.describe(index)?;
            if let Rest::Chunks(map) = &described.rest {
                chunks += map.length();
                if chunks > MOST_CHUNKS {
                    return Err(cannot_hold(b"", "the holes of its files are too fine for their length"));
                }
            }
            let left = self.block.round_up(at + 1) - at;
            if matches!(described.rest, Rest::Inline) && described.length > left {
                at += left;
            }
            let node = &mut self.nodes[index];
            node.slot = u32::try_from(at / SLOT).map_err(|_| too_large())?;
            node.block = u32::try_from(outside).map_err(|_| too_large())?;
            at = (at + described.length).next_multiple_of(SLOT);
            outside += described.outside;
            self.inodes += 1;
        }
        let data = self.block.count(at);
        let all = data + outside + self.block.count(self.shared.length());
        // The number of the last block stands for holes.
        let tars = self.tars.iter().map(|&size| self.block.count(size));
        if tars.fold(all, u64::saturating_add) >= u64::from(u32::MAX) {
            return Err(too_large());
        }
        (self.data_block, self.data_blocks, self.blocks) = (data as u32, outside as u32, all as u32);
        Ok(())
    }

    /// Whether a piece of the tar is where blocks can be.
    fn check_place(&self, offset: u64, length: u64) -> Result<(), &'static str> {
        if length == 0 {
            return Ok(());
        }
        if !offset.is_multiple_of(self.block.bytes()) {
            return Err("its content begins at no block of the tar");
        }
        match offset.checked_add(length) {
            Some(end) if end <= self.tar_length() => Ok(()),
            _ => Err("its content is beyond the end of the tar"),
        }
    }

    /// The length of all tars together, each to the end of its last block but the last one.
    fn tar_length(&self) -> u64 {
        self.tars.iter().fold(0, |length, &size| self.block.round_up(length).saturating_add(size))
    }

    /// The content of a directory or link, divided as blocks are.
    fn pieces(&self, index: usize) -> Box<dyn Iterator<Item = Vec<u8>> + '_> {
        let target = |node: u32| {
            let file = &self.nodes[self.nodes[node as usize].file as usize];
            (u64::from(file.slot), file.kind)
        };
        match self.record(index).map(|record| record.kind) {
            None | Some(RecordKind::Directory | RecordKind::Implied) => {
                let blocks = directory::in_blocks(self.names(index), self.block);
                Box::new(blocks.map(move |names| {
                    let mut bytes = Vec::with_capacity(directory::used(&names));
                    directory::append_block(&mut bytes, &names, target);
                    bytes
                }))
            }
            Some(RecordKind::Symlink(target)) => {
                Box::new(target.chunks(self.block.bytes() as usize).map(<[u8]>::to_vec))
            }
            Some(_) => Box::new(std::iter::empty()),
        }
    }

    /// All names in a directory, in order.
    fn names(&self, index: usize) -> impl Iterator<Item = Name<'a>> {
        directory::with_dots(self.children(index), index as u32, self.nodes[index].parent)
    }

    /// What the layer has in a directory, in order, whatever the names are.
    fn children(&self, index: usize) -> impl Iterator<Item = Name<'a>> + use<'a> {
        let toc = self.toc;
        let (inside, prefix) = match index.checked_sub(1) {
            None => (usize::from(toc.root_is_opaque())..toc.len(), 0),
            Some(record) => {
                let inside = toc.inside(record);
                let mark = usize::from(toc.is_opaque(record));
                (inside.start + mark..inside.end, toc.path(record).len() + 1)
            }
        };
        let mut next = inside.start;
        std::iter::from_fn(move || {
            let record = (next < inside.end).then_some(next)?;
            next = toc.next_beside(record);
            let name = toc.path(record).get(prefix..).unwrap_or_default();
            Some(Name { name, node: record as u32 + 1 })
        })
    }

    fn xattrs(&self, index: usize) -> Result<Vec<xattrs::Xattr<'a>>, &'static str> {
        match index.checked_sub(1) {
            None => Ok(xattrs::of_root(self.toc.root_is_opaque())),
            Some(record) => xattrs::of(&self.toc.record(record), self.toc.is_opaque(record)),
        }
    }

    fn record(&self, index: usize) -> Option<Record<'a>> {
        index.checked_sub(1).map(|record| self.toc.record(record))
    }
}

fn packed(major: u32, minor: u32, refused: impl Fn(&'static str) -> IndexError) -> Result<u32, IndexError> {
    device(major, minor).ok_or_else(|| refused("the numbers of the device are too large"))
}

fn check_name(name: &[u8]) -> Result<(), &'static str> {
    match name {
        b"" | b"." | b".." => Err("it has no name"),
        name if name.contains(&b'/') => Err("what it is in is no directory"),
        name if name.contains(&0) => Err("its name holds a zero"),
        name if name.len() > LONGEST_NAME => Err("its name is too long"),
        _ => Ok(()),
    }
}

fn cannot_hold(path: &[u8], reason: &'static str) -> IndexError {
    IndexError::CannotHold { path: path.to_vec(), reason }
}
