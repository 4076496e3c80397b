//! The kernel has the last word: an index, mounted over its tar, is the tree.

use std::fs::File;
use std::io::Seek;
use std::path::{Path, PathBuf};

use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, unmount,
};
use tug_testdata::{Listing, bases};

use crate::layer::{ImportLayer, Layer};
use crate::store::Store;

/// A mounted index, gone with the value.
struct Mounted {
    folder: tempfile::TempDir,
}

impl Mounted {
    fn new(index: &Path, tar: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("tug-erofs-").tempdir().unwrap();
        let context = fsopen("erofs", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
        fsconfig_set_string(&context, "source", index).unwrap();
        fsconfig_set_string(&context, "device", tar).unwrap();
        fsconfig_set_flag(&context, "ro").unwrap();
        fsconfig_create(&context).unwrap();
        let mounted = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap();
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&mounted, "", rustix::fs::CWD, folder.path(), flags).unwrap();
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        unmount(self.path(), UnmountFlags::DETACH).unwrap();
    }
}

/// A store, and where its indexes go.
struct Ground {
    store: Store,
    folder: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        let (folder, store) = crate::store::tests::store();
        Self { folder, store }
    }

    fn import(&self, tar: impl std::io::Read) -> Layer {
        let mut tar = tar;
        let options = ImportLayer { materialise: true, ..ImportLayer::default() };
        self.store.import_layer(&mut tar, &options).unwrap()
    }

    /// Writes the index of a layer whose plain tar is in the store, and mounts it.
    fn mount(&self, layer: &Layer) -> Mounted {
        let tar = self.store.blob_path(layer.diff_id().digest());
        let index = self.index_path(layer);
        let mut out = File::create(&index).unwrap();
        let size = std::fs::metadata(&tar).unwrap().len();
        let written = crate::erofs::write(&layer.toc().unwrap(), size, &mut out).unwrap();
        assert_eq!(out.stream_position().unwrap(), written);
        Mounted::new(&index, &tar)
    }

    fn index_path(&self, layer: &Layer) -> PathBuf {
        self.folder.path().join(layer.diff_id().digest().hex())
    }

    fn assert_same(&self, layer: &Layer) {
        let mounted = self.mount(layer);
        let tree = layer.make_tree().unwrap();
        let (mounted, tree) = (Listing::of_folder(mounted.path()), Listing::of_folder(&tree));
        assert!(mounted.lines() == tree.lines(), "the index differs from the tree");
    }
}

#[test]
#[ignore = "needs root"]
fn a_small_root_is_the_same_mounted_and_unpacked_needs_root() {
    let ground = Ground::new();
    let layer = ground.import(File::open(bases::busybox()).unwrap());
    ground.assert_same(&layer);
}

#[test]
#[ignore = "needs root and a Debian base"]
fn a_large_root_is_the_same_mounted_and_unpacked_needs_root_needs_debian() {
    let ground = Ground::new();
    let layer = ground.import(File::open(bases::debian()).unwrap());
    ground.assert_same(&layer);
}
