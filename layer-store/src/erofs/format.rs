//! The bytes of EROFS: superblock, device slot, inodes. Source: the Linux kernel, `fs/erofs/erofs_fs.h`; all numbers are
//! little-endian.
//!
//! | where                 | what                                                                     |
//! | --------------------- | ------------------------------------------------------------------------ |
//! | 0                     | nothing: room for boot loaders                                           |
//! | 1024                  | the superblock, 128 bytes                                                |
//! | 1152                  | the slots of the extra devices, 128 bytes each                           |
//! | next block after that | inodes, each with its attributes and what it holds inline                |
//! | next block after them | directories and links that are too long for that                         |
//! | next block after them | attributes that several files have                                       |

use crate::entry::Mtime;

/// Where the superblock begins.
pub(super) const SUPERBLOCK: u64 = 1024;
const SUPERBLOCK_SIZE: usize = 128;
/// Inodes are numbered by where they are, in units of this many bytes.
pub(super) const SLOT: u64 = 32;

const MAGIC: u32 = 0xe0f5_e1e2;
/// The superblock has a checksum.
const COMPAT_CHECKSUM: u32 = 0x1;
/// Times are those of the last modification.
const COMPAT_MTIME: u32 = 0x2;
/// Files may consist of chunks, each of which lies elsewhere.
const INCOMPAT_CHUNKS: u32 = 0x4;
/// Data may lie on another device.
const INCOMPAT_DEVICES: u32 = 0x8;

/// How long a block is: data lie at multiples of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BlockSize {
    pub(super) bits: u8,
}

impl BlockSize {
    /// 512 bytes, the unit of tars: all that a tar holds begins at a multiple of it.
    pub(super) const OF_TARS: Self = Self { bits: 9 };

    pub(super) fn bytes(self) -> u64 {
        1 << self.bits
    }

    /// How many blocks hold so many bytes.
    pub(super) fn count(self, bytes: u64) -> u64 {
        bytes.div_ceil(self.bytes())
    }

    pub(super) fn round_up(self, bytes: u64) -> u64 {
        bytes.next_multiple_of(self.bytes())
    }

    /// Where the first inode may be: behind the superblock, the slots of devices, and all that the checksum covers.
    pub(super) fn header(self, devices: usize) -> u64 {
        self.round_up(SUPERBLOCK + 128 + 128 * devices as u64)
    }
}

/// What a superblock says.
#[derive(Debug)]
pub(super) struct Superblock {
    pub(super) block: BlockSize,
    pub(super) root_slot: u16,
    pub(super) inodes: u64,
    /// The time of all compact inodes.
    pub(super) epoch: Mtime,
    /// How many blocks the index has. The data of the devices go on with this number.
    pub(super) blocks: u32,
    pub(super) shared_xattrs_block: u32,
    pub(super) uuid: [u8; 16],
    /// How many blocks each device has. They are numbered one behind the other.
    pub(super) devices: Vec<u32>,
}

impl Superblock {
    /// The first bytes of the index, up to [`BlockSize::header`].
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let start = SUPERBLOCK as usize;
        let header = self.block.header(self.devices.len()) as usize;
        let mut bytes = Vec::with_capacity(header);
        bytes.resize(start, 0);
        put_32(&mut bytes, MAGIC);
        put_32(&mut bytes, 0); // the checksum
        put_32(&mut bytes, COMPAT_CHECKSUM | COMPAT_MTIME);
        bytes.extend([self.block.bits, 0]);
        put_16(&mut bytes, self.root_slot);
        put_64(&mut bytes, self.inodes);
        put_64(&mut bytes, self.epoch.seconds as u64);
        put_32(&mut bytes, self.epoch.nanos);
        put_32(&mut bytes, self.blocks);
        put_32(&mut bytes, 0); // inodes are numbered from the beginning
        put_32(&mut bytes, self.shared_xattrs_block);
        bytes.extend(self.uuid);
        bytes.extend([0; 16]); // the name of the volume
        put_32(&mut bytes, INCOMPAT_CHUNKS | INCOMPAT_DEVICES);
        put_16(&mut bytes, 0); // compression
        put_16(&mut bytes, self.devices.len() as u16);
        put_16(&mut bytes, ((start + SUPERBLOCK_SIZE) / 128) as u16);
        bytes.resize(start + SUPERBLOCK_SIZE, 0);
        let mut first = self.blocks;
        for &blocks in &self.devices {
            bytes.extend([0; 64]); // a name for it
            put_32(&mut bytes, blocks);
            put_32(&mut bytes, first);
            bytes.extend([0; 56]);
            first += blocks;
        }
        bytes.resize(header, 0);
        // Over the block that the superblock begins in, or over 512 bytes where blocks are shorter than what is before.
        let covered = self.block.bytes() as usize;
        let covered = if covered > start { start..covered } else { start..start + covered };
        let checksum = crc32c(&bytes[covered]);
        bytes[start + 4..start + 8].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }
}

/// How the data of an inode are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// In blocks that follow each other.
    Plain = 0,
    /// The same, but the last piece stands behind the inode.
    Inline = 2,
    /// In chunks.
    Chunks = 4,
}

/// The fixed part of an inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Inode {
    pub(super) layout: Layout,
    /// Units of four bytes that the attributes take, in the kernel's way of counting.
    pub(super) xattr_count: u16,
    /// The kind of file and its permissions.
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) mtime: Mtime,
    pub(super) links: u32,
    pub(super) size: u64,
    /// By kind and layout: the first block, the device, the format of the chunks.
    pub(super) union: u32,
    /// A number for programs with 32 bits.
    pub(super) number: u32,
}

impl Inode {
    /// The length of its fixed part: it is the short one where that loses nothing.
    pub(super) fn length(&self, epoch: Mtime) -> u64 {
        if self.is_compact(epoch) { 32 } else { 64 }
    }

    pub(super) fn append_to(&self, bytes: &mut Vec<u8>, epoch: Mtime) {
        let is_compact = self.is_compact(epoch);
        put_16(bytes, u16::from(!is_compact) | (self.layout as u16) << 1);
        put_16(bytes, self.xattr_count);
        put_16(bytes, self.mode);
        if is_compact {
            put_16(bytes, self.links as u16);
            put_32(bytes, self.size as u32);
            put_32(bytes, 0); // seconds after the epoch; kernels before 6.16 do not look
            put_32(bytes, self.union);
            put_32(bytes, self.number);
            put_16(bytes, self.uid as u16);
            put_16(bytes, self.gid as u16);
            put_32(bytes, 0);
        } else {
            put_16(bytes, 0);
            put_64(bytes, self.size);
            put_32(bytes, self.union);
            put_32(bytes, self.number);
            put_32(bytes, self.uid);
            put_32(bytes, self.gid);
            put_64(bytes, self.mtime.seconds as u64);
            put_32(bytes, self.mtime.nanos);
            put_32(bytes, self.links);
            bytes.extend([0; 16]);
        }
    }

    fn is_compact(&self, epoch: Mtime) -> bool {
        self.mtime == epoch
            && self.size <= u64::from(u32::MAX)
            && [self.uid, self.gid, self.links].iter().all(|&number| number <= u32::from(u16::MAX))
    }
}

/// A device as inodes hold it (`new_encode_dev`, linux/kdev_t.h): 12 bits for the major number, 20 for the minor one.
pub(super) fn device(major: u32, minor: u32) -> Option<u32> {
    let fits = major < 1 << 12 && minor < 1 << 20;
    fits.then_some(minor & 0xff | major << 8 | (minor & !0xff) << 12)
}

pub(super) fn put_16(bytes: &mut Vec<u8>, number: u16) {
    bytes.extend(number.to_le_bytes());
}

pub(super) fn put_32(bytes: &mut Vec<u8>, number: u32) {
    bytes.extend(number.to_le_bytes());
}

pub(super) fn put_64(bytes: &mut Vec<u8>, number: u64) {
    bytes.extend(number.to_le_bytes());
}

/// CRC-32C without the inversion at the end, as the superblock has it.
fn crc32c(bytes: &[u8]) -> u32 {
    const POLYNOMIAL: u32 = 0x82f6_3b78;
    bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (POLYNOMIAL * (crc & 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_castagnoli() {
        // RFC 3720, B.4: the value is inverted there.
        assert_eq!(!crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(!crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn devices_are_packed_as_the_kernel_does() {
        assert_eq!(device(1, 3), Some(0x103));
        assert_eq!(device(0xfff, 0xf_ffff), Some(0xffff_ffff));
        assert_eq!(device(0x1000, 0), None);
        assert_eq!(device(0, 0x10_0000), None);
    }

    #[test]
    fn the_first_inode_is_behind_all_that_the_checksum_covers() {
        assert_eq!(BlockSize::OF_TARS.header(1), 1536);
        assert_eq!(BlockSize::OF_TARS.header(3), 1536);
        assert_eq!(BlockSize::OF_TARS.header(4), 2048);
        assert_eq!(BlockSize { bits: 12 }.header(1), 4096);
    }
}
