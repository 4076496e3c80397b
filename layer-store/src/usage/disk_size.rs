//! How much room files and folders take, counted exactly.

use std::collections::HashSet;
use std::ffi::CString;
use std::fs::Metadata;
use std::iter::Sum;
use std::ops::{Add, AddAssign};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::rc::Rc;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, openat, statat};

/// Room that files take, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct DiskSize {
    /// What the file system set aside for them: what is free once they are gone.
    pub allocated: u64,
    /// How long they are. More than `allocated` for files with holes, mostly less for small ones.
    pub apparent: u64,
}

impl DiskSize {
    /// The size of one file or of the folder itself, without what is in it.
    pub(crate) fn of(metadata: &Metadata) -> Self {
        Self { allocated: metadata.blocks() * BLOCK, apparent: metadata.len() }
    }

    /// The size of what is at `path`, without what is in it; nothing when there is nothing.
    pub(crate) fn at(path: &Path) -> Self {
        std::fs::symlink_metadata(path).map_or_else(|_| Self::default(), |metadata| Self::of(&metadata))
    }

    #[allow(clippy::unnecessary_cast, reason = "the types differ between processors")]
    fn of_status(status: &Stat) -> Self {
        Self { allocated: status.st_blocks as u64 * BLOCK, apparent: status.st_size as u64 }
    }
}

impl Add for DiskSize {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { allocated: self.allocated + other.allocated, apparent: self.apparent + other.apparent }
    }
}

impl AddAssign for DiskSize {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for DiskSize {
    fn sum<I: Iterator<Item = Self>>(sizes: I) -> Self {
        sizes.fold(Self::default(), Add::add)
    }
}

/// The unit in which the kernel says how much is set aside, whatever the file system's own is.
const BLOCK: u64 = 512;

/// What is in a folder.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FolderSize {
    pub(crate) size: DiskSize,
    /// Files, folders and everything else in it, not itself.
    pub(crate) entries: u64,
}

/// The size of a folder with all that is in it; a file with several names counts once. Nothing when there is no such
/// folder.
///
/// Others may be at work in it, so what vanishes or cannot be entered counts as nothing, and is no error. It goes
/// through open folders and follows no link.
pub(crate) fn folder_size(path: &Path) -> FolderSize {
    let mut total = FolderSize::default();
    let Ok(top) = openat(rustix::fs::CWD, path, FOLDER, Mode::empty()) else { return total };
    if let Ok(status) = rustix::fs::fstat(&top) {
        total.size += DiskSize::of_status(&status);
    }
    let mut seen = HashSet::new();
    let mut pending = Vec::new();
    let mut open = Some(Rc::new(top));
    while let Some(folder) = open.take().or_else(|| next(&mut pending)) {
        let Ok(entries) = Dir::read_from(&*folder) else { continue };
        for entry in entries.flatten() {
            if matches!(entry.file_name().to_bytes(), b"." | b"..") {
                continue;
            }
            let found = statat(&*folder, entry.file_name(), AtFlags::SYMLINK_NOFOLLOW);
            let Ok(status) = found else { continue };
            total.entries += 1;
            let is_folder = FileType::from_raw_mode(status.st_mode) == FileType::Directory;
            if is_folder {
                pending.push((Rc::clone(&folder), entry.file_name().to_owned()));
            } else if status.st_nlink > 1 && !seen.insert((status.st_dev, status.st_ino)) {
                continue;
            }
            total.size += DiskSize::of_status(&status);
        }
    }
    total
}

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The next folder that can be entered. The folder above it stays open only for as long as others wait in it.
fn next(pending: &mut Vec<(Rc<OwnedFd>, CString)>) -> Option<Rc<OwnedFd>> {
    loop {
        let (above, name) = pending.pop()?;
        if let Ok(opened) = openat(&*above, &name, FOLDER, Mode::empty()) {
            return Some(Rc::new(opened));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holes_take_no_room_and_names_of_one_file_count_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tree");
        std::fs::create_dir_all(path.join("a/b")).unwrap();
        let empty = folder_size(&path);
        assert_eq!(empty.entries, 2);
        std::fs::write(path.join("a/b/file"), vec![1; 100_000]).unwrap();
        std::fs::hard_link(path.join("a/b/file"), path.join("other")).unwrap();
        std::os::unix::fs::symlink("/", path.join("a/root")).unwrap();
        let sparse = std::fs::File::create(path.join("sparse")).unwrap();
        sparse.set_len(1 << 30).unwrap();
        let full = folder_size(&path);
        assert_eq!(full.entries, 6);
        let grown = full.size.allocated - empty.size.allocated;
        assert!((100_000..150_000).contains(&grown), "{grown}");
        assert!(full.size.apparent >= (1 << 30) + 100_000);
        assert_eq!(folder_size(&path.join("other")), FolderSize::default(), "a file is no folder");
        assert_eq!(folder_size(&path.join("none")), FolderSize::default());
    }

    #[test]
    fn a_deep_tree_needs_few_descriptors() {
        let folder = tempfile::tempdir().unwrap();
        let mut current = openat(rustix::fs::CWD, folder.path(), FOLDER, Mode::empty()).unwrap();
        for _ in 0..3000 {
            rustix::fs::mkdirat(&current, "folder", Mode::from_raw_mode(0o755)).unwrap();
            current = openat(&current, "folder", FOLDER, Mode::empty()).unwrap();
        }
        assert_eq!(folder_size(folder.path()).entries, 3000);
        crate::trash::remove(&folder.path().join("folder")).unwrap();
    }
}
