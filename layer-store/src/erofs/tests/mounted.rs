//! Files too large to be written by a test: the tar that they lie in is a hole, but for the bytes that are looked at.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen,
};

use super::{entry, file};
use crate::tar::Segment;
use crate::toc::TocWriter;

/// Mounts an index over its tars, nowhere.
pub(super) fn mount(index: &Path, tars: &[&Path]) -> OwnedFd {
    let context = fsopen("erofs", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
    fsconfig_set_string(&context, "source", index).unwrap();
    tars.iter().for_each(|tar| fsconfig_set_string(&context, "device", *tar).unwrap());
    fsconfig_set_flag(&context, "ro").unwrap();
    fsconfig_create(&context).unwrap();
    fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap()
}

#[test]
#[ignore = "needs root and EROFS"]
fn files_longer_than_any_disk_are_read_where_they_have_data_needs_root_needs_erofs() {
    const GIB: u64 = 1 << 30;
    let folder = tempfile::tempdir().unwrap();
    let (index, tar) = (folder.path().join("index"), folder.path().join("tar"));
    let data = File::create(&tar).unwrap();
    data.set_len(900 * GIB).unwrap();
    for (at, text) in [(512, "first"), (5 * GIB + 507, "last!"), (800 * GIB, "piece"), (801 * GIB, "other")] {
        data.write_all_at(text.as_bytes(), at).unwrap();
    }
    let mut toc = TocWriter::new();
    let pieces = [(0, 0), (600 * GIB, GIB), (1023 * GIB, GIB)];
    let pieces = pieces.map(|(offset, length)| Segment { offset, length });
    toc.entry(&entry("hole", file(1 << 45, 512)), Some(&[])).unwrap();
    toc.entry(&entry("pieces", file(1 << 40, 800 * GIB)), Some(&pieces)).unwrap();
    toc.entry(&entry("whole", file(5 * GIB, 512)), None).unwrap();
    super::super::write(&toc.finish(), 900 * GIB, File::create(&index).unwrap()).unwrap();

    let mounted = mount(&index, &[&tar]);
    let open = |name: &str| {
        let flags = rustix::fs::OFlags::RDONLY;
        File::from(rustix::fs::openat(&mounted, name, flags, rustix::fs::Mode::empty()).unwrap())
    };
    let read = |file: &File, at: u64| {
        let mut bytes = [b'?'; 5];
        let count = file.read_at(&mut bytes, at).unwrap();
        String::from_utf8(bytes[..count].to_vec()).unwrap()
    };
    let (hole, pieces, whole) = (open("hole"), open("pieces"), open("whole"));
    assert_eq!(
        [&hole, &pieces, &whole].map(|file| file.metadata().unwrap().size()),
        [1 << 45, 1 << 40, 5 * GIB]
    );
    assert_eq!(
        [0, 600 * GIB, 1023 * GIB, GIB].map(|at| read(&pieces, at)),
        ["\0\0\0\0\0", "piece", "other", "\0\0\0\0\0"]
    );
    assert_eq!([0, 5 * GIB - 5, 5 * GIB - 2].map(|at| read(&whole, at)), ["first", "last!", "t!"]);
    assert_eq!([0, (1 << 45) - 3].map(|at| read(&hole, at)), ["\0\0\0\0\0", "\0\0\0"]);
}
