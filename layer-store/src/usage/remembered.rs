//! The size of a layer's folder, without a walk each time.
//!
//! The tree of a layer has as many files as the layer, and does not change once it is there. So its size is measured
//! once and written down beside it, in `sizes.json`, for as long as the tree is the same folder, unchanged: its inode
//! number, and the time at which it was changed last, which no program can set.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk_size::{DiskSize, folder_size};
use crate::file::{self, Durability};

/// Where the sizes of the subfolders are written down.
const FILE: &str = "sizes.json";
const LIMIT: u64 = 64 * 1024;

/// The size of one subfolder, and which one that was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Measured {
    inode: u64,
    changed: (i64, i64),
    allocated: u64,
    apparent: u64,
}

type Sizes = BTreeMap<String, Measured>;

/// The size of a folder with all that is in it, of which the subfolders are not expected to change.
///
/// Sizes that were not known are written down, if that is possible.
pub(crate) fn remembered_size(folder: &Path) -> DiskSize {
    let mut total = DiskSize::at(folder);
    let Ok(entries) = std::fs::read_dir(folder) else { return total };
    let mut folders = Vec::new();
    for entry in entries.flatten() {
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => folders.push((entry, metadata)),
            Ok(metadata) => total += DiskSize::of(&metadata),
            // Removed meanwhile.
            Err(_) => {}
        }
    }
    if folders.is_empty() {
        return total;
    }
    let known = read(folder);
    let mut sizes = Sizes::new();
    for (entry, metadata) in folders {
        let Ok(name) = entry.file_name().into_string() else {
            total += folder_size(&entry.path()).size;
            continue;
        };
        let measured = match known.get(&name) {
            Some(measured) if measured.is_of(&metadata) => measured.clone(),
            _ => Measured::now(&entry.path(), &metadata),
        };
        total += DiskSize { allocated: measured.allocated, apparent: measured.apparent };
        sizes.insert(name, measured);
    }
    if sizes != known {
        let before = DiskSize::at(&folder.join(FILE));
        write(folder, &sizes);
        let after = DiskSize::at(&folder.join(FILE));
        total.allocated = total.allocated + after.allocated - before.allocated;
        total.apparent = total.apparent + after.apparent - before.apparent;
    }
    total
}

impl Measured {
    /// What is added while it is measured is noticed the next time: the folder has changed then.
    fn now(path: &Path, metadata: &Metadata) -> Self {
        let DiskSize { allocated, apparent } = folder_size(path).size;
        Self {
            inode: metadata.ino(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
            allocated,
            apparent,
        }
    }

    fn is_of(&self, metadata: &Metadata) -> bool {
        self.inode == metadata.ino() && self.changed == (metadata.ctime(), metadata.ctime_nsec())
    }
}

fn read(folder: &Path) -> Sizes {
    let bytes = file::read_small(&folder.join(FILE), LIMIT).ok().flatten();
    bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

/// If it fails, they are measured again the next time.
fn write(folder: &Path, sizes: &Sizes) {
    let bytes = serde_json::to_vec(sizes).expect("sizes are numbers under texts");
    let _ = file::replace(&folder.join(FILE), folder, &bytes, Durability::Deferred);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_walked_once_until_it_is_another_one() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        std::fs::create_dir(tree.join("inner")).unwrap();
        std::fs::write(tree.join("inner/file"), vec![1; 50_000]).unwrap();
        std::fs::write(folder.path().join("toc"), "x").unwrap();
        let first = remembered_size(folder.path());
        assert_eq!(first.allocated, folder_size(folder.path()).size.allocated, "what du says, exactly");
        // Nobody changes a tree; only so can it be seen that it is not walked again.
        std::fs::write(tree.join("inner/more"), vec![1; 50_000]).unwrap();
        assert_eq!(remembered_size(folder.path()), first);
        std::fs::rename(&tree, folder.path().join("old")).unwrap();
        std::fs::create_dir(&tree).unwrap();
        let second = remembered_size(folder.path());
        assert_eq!(second.allocated, folder_size(folder.path()).size.allocated);
        std::fs::write(folder.path().join(FILE), "damaged").unwrap();
        assert_eq!(remembered_size(folder.path()).allocated, second.allocated);
    }
}
