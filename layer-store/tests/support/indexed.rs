//! Layers mounted over their index and their plain tar, without being unpacked.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, unmount,
};
use tug_layer_store::{ImportLayer, Lower, Owners, Store, StoreOptions};
use tug_oci::DiffId;

/// A store whose layers get an index where others get a tree.
pub(crate) struct IndexedStore {
    pub(crate) store: Store,
}

impl IndexedStore {
    /// Whether the kernel mounts images that lie in `folder`: since Linux 6.12, but not from a tmpfs.
    pub(crate) fn is_possible(folder: &Path) -> bool {
        const TMPFS: i64 = 0x0102_1994;
        let uname = rustix::system::uname();
        let release = uname.release().to_string_lossy().into_owned();
        let mut numbers = release.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
        let version = (numbers.next(), numbers.next());
        version >= (Some(6), Some(12))
            && std::fs::read_to_string("/proc/filesystems").unwrap().contains("\terofs\n")
            && rustix::fs::statfs(folder).unwrap().f_type != TMPFS
    }

    pub(crate) fn new(folder: &Path) -> Self {
        let options = StoreOptions { owners: Owners::Real, in_user_namespace: false, indexed_layers: true };
        Self { store: Store::open(&folder.join("indexed"), &options).unwrap() }
    }

    /// Takes in layers that it does not have yet from another store.
    pub(crate) fn take(&self, layers: &[DiffId], from: &Store) {
        for layer in layers {
            if self.store.layer(layer).unwrap().is_none() {
                let expected = Some(layer.clone());
                let import = ImportLayer { expected, materialise: true, ..ImportLayer::default() };
                self.store.import_layer(&mut from.layer_tar(layer).unwrap(), &import).unwrap();
            }
        }
    }

    /// Mounts what overlay would merge, the uppermost first.
    pub(crate) fn mount(&self, layers: &[DiffId]) -> Vec<Place> {
        let place = |lower| match lower {
            Lower::Tree(path) => Place::Tree(path),
            Lower::Indexed { index, data } => Place::Mounted(Mounted::new(&index, &data).unwrap()),
        };
        self.store.lower(layers).unwrap().into_iter().map(place).collect()
    }

    /// Mounts the index of a layer, which must have one.
    pub(crate) fn mount_one(&self, layer: &DiffId) -> Mounted {
        match self.mount(std::slice::from_ref(layer)).pop() {
            Some(Place::Mounted(mounted)) => mounted,
            _ => panic!("{layer} has no index"),
        }
    }
}

/// A lower directory.
pub(crate) enum Place {
    Tree(PathBuf),
    Mounted(Mounted),
}

impl Place {
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Tree(path) => path,
            Self::Mounted(mounted) => mounted.path(),
        }
    }
}

/// A mounted index, gone with the value.
pub(crate) struct Mounted {
    folder: tempfile::TempDir,
}

impl Mounted {
    pub(crate) fn new(index: &Path, tars: &[PathBuf]) -> Result<Self, Errno> {
        let folder = tempfile::Builder::new().prefix("tug-erofs-").tempdir().unwrap();
        let context = fsopen("erofs", FsOpenFlags::FSOPEN_CLOEXEC)?;
        // As text they would be cut off at 255 bytes.
        let mut opened = Vec::new();
        for path in std::iter::once(index).chain(tars.iter().map(PathBuf::as_path)) {
            let key = if opened.is_empty() { "source" } else { "device" };
            let file = File::open(path).unwrap();
            fsconfig_set_string(&context, key, format!("/proc/self/fd/{}", file.as_raw_fd()))?;
            opened.push(file);
        }
        fsconfig_set_flag(&context, "ro")?;
        fsconfig_create(&context)?;
        let mounted = fsmount(&context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty())?;
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&mounted, "", rustix::fs::CWD, folder.path(), flags)?;
        Ok(Self { folder })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        unmount(self.path(), UnmountFlags::DETACH).unwrap();
    }
}
