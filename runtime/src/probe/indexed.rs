//! Whether this host mounts layers that were never unpacked. It is tried with the smallest image that has what such
//! layers need: blocks of 512 bytes, and a file whose content is in another file.
//!
//! Sources: the kernel's `Documentation/filesystems/erofs.rst` and `fs/erofs/erofs_fs.h`.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;

use crate::Cause;
use crate::init::{Way, mount_indexed};
use crate::sys::errno_of;

const BLOCK: usize = 512;
const CONTENT: &[u8; 5] = b"below";

/// What came of it: how the kernel takes such layers, or why it does not.
pub(crate) fn try_indexed(folder: &Path) -> Result<Way, (&'static str, Cause)> {
    try_with(folder, mount_indexed)
}

fn try_with(
    folder: &Path,
    mount: impl FnOnce(&File, &[File]) -> Result<(OwnedFd, Way), Errno>,
) -> Result<Way, (&'static str, Cause)> {
    let file = |content: &[u8]| -> Result<File, Errno> {
        let file = scratch(folder)?;
        file.write_all_at(content, 0).map_err(|error| errno_of(&error))?;
        Ok(file)
    };
    let failed = |step: &'static str| move |errno: Errno| (step, Cause::from(errno));
    let index = file(&image()).map_err(failed("write a file"))?;
    let mut data = vec![0; 2 * BLOCK];
    data[BLOCK..BLOCK + CONTENT.len()].copy_from_slice(CONTENT);
    let data = file(&data).map_err(failed("write a file"))?;
    let (mount, way) = mount(&index, &[data]).map_err(failed("mount an image"))?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let opened = openat(&mount, "f", flags, Mode::empty()).map_err(failed("open a file of it"))?;
    let mut found = Vec::new();
    match File::from(opened).read_to_end(&mut found) {
        Ok(_) if found == CONTENT => Ok(way),
        Ok(_) => Err(("read a file of it: other bytes came", Cause::from(Errno::IO))),
        Err(error) => Err(("read a file of it", error.into())),
    }
}

/// A file without a name in `folder`, which is there as long as it is open.
fn scratch(folder: &Path) -> Result<File, Errno> {
    let of = |error: std::io::Error| errno_of(&error);
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    let nameless = options.clone().custom_flags((OFlags::TMPFILE).bits().cast_signed()).open(folder);
    match nameless {
        Ok(file) => Ok(file),
        Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => {
            let path = folder.join(format!(".tug-try-{}", std::process::id()));
            let file = options.create_new(true).open(&path).map_err(of)?;
            std::fs::remove_file(&path).map_err(of)?;
            Ok(file)
        }
        Err(error) => Err(of(error)),
    }
}

/// An image with one file, `f`, whose content is the second block of device 1.
fn image() -> Vec<u8> {
    let mut image = Image(vec![0; 4 * BLOCK]);
    let superblock = 1024;
    image.put(superblock, &0xe0f5_e1e2_u32.to_le_bytes());
    // Blocks of 512 bytes; the root is at 2 × 32 bytes of block 3; four blocks in all.
    image.put(superblock + 12, &[9]);
    image.put(superblock + 14, &2_u16.to_le_bytes());
    image.put(superblock + 16, &2_u64.to_le_bytes());
    image.put(superblock + 36, &4_u32.to_le_bytes());
    image.put(superblock + 40, &3_u32.to_le_bytes());
    // Chunked files, and a table of one device behind the superblock, at 9 × 128 bytes.
    image.put(superblock + 80, &0xc_u32.to_le_bytes());
    image.put(superblock + 86, &1_u16.to_le_bytes());
    image.put(superblock + 88, &9_u16.to_le_bytes());
    image.put(9 * 128 + 64, &2_u32.to_le_bytes());

    let (directory, file) = (3 * BLOCK + 64, 3 * BLOCK + 192);
    let names = [(".", 2, 2), ("..", 2, 2), ("f", 6, 1)];
    image.inode(directory, 1 | 2 << 1, 0o040_755, 3 * 12 + 4, 0, 2);
    let mut name_at = 3 * 12;
    for (place, (name, number, kind)) in names.into_iter().enumerate() {
        let entry = directory + 64 + place * 12;
        image.put(entry, &u64::to_le_bytes(number));
        image.put(entry + 8, &(name_at as u16).to_le_bytes());
        image.put(entry + 10, &[kind]);
        image.put(directory + 64 + name_at, name.as_bytes());
        name_at += name.len();
    }
    image.inode(file, 1 | 4 << 1, 0o100_644, CONTENT.len(), 0x20, 1);
    image.put(file + 64 + 2, &1_u16.to_le_bytes());
    image.put(file + 64 + 4, &1_u32.to_le_bytes());
    image.0
}

struct Image(Vec<u8>);

impl Image {
    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    /// An extended inode. `layout` also says how its data are found, `data` what is needed for that.
    fn inode(&mut self, at: usize, layout: u16, mode: u16, size: usize, data: u32, links: u32) {
        self.put(at, &layout.to_le_bytes());
        self.put(at + 4, &mode.to_le_bytes());
        self.put(at + 8, &(size as u64).to_le_bytes());
        self.put(at + 16, &data.to_le_bytes());
        self.put(at + 20, &links.to_le_bytes());
        self.put(at + 44, &links.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::init::mount_devices;

    #[test]
    #[ignore = "mounts"]
    fn a_host_that_mounts_images_reads_a_file_of_one_needs_root() {
        let folder = tempfile::tempdir().unwrap();
        let way = try_indexed(folder.path());
        assert!(way.is_ok(), "{way:?}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    #[ignore = "needs loop devices"]
    fn where_images_must_be_devices_they_are_loop_devices_needs_root_needs_loopfs() {
        let folder = tempfile::tempdir().unwrap();
        let over_devices = |index: &File, data: &[File]| Ok((mount_devices(index, data)?, Way::Devices));
        assert_eq!(
            try_with(folder.path(), over_devices).map_err(|(step, cause)| format!("{step}: {cause}")),
            Ok(Way::Devices)
        );
        // The devices are free again when nothing is mounted any more.
        assert_eq!(
            try_with(folder.path(), over_devices).map_err(|(step, cause)| format!("{step}: {cause}")),
            Ok(Way::Devices)
        );
    }

    #[test]
    fn who_may_not_mount_is_told_so() {
        if rustix::process::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        assert!(try_indexed(folder.path()).is_err());
    }
}
