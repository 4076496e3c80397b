//! Real overlays over layers of a store: what a step writes, what becomes of it, and four opinions about that.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, UnmountFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, unmount,
};
use tug_layer_store::{CommitOptions, ImportLayer, Layer, Lower, Mountable, Owners, Store, StoreOptions};
use tug_oci::DiffId;
use tug_testdata::{Detail, Listing};

use indexed::IndexedStore;

pub(crate) mod indexed;
pub(crate) mod layers;

pub(crate) use layers::LowerDirs;

/// With how many ids a test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ids {
    /// Root, in no user namespace.
    All,
    /// In a user namespace with a range of ids.
    Many,
    /// In a user namespace with one id.
    One,
}

impl Ids {
    /// With how many this process runs.
    pub(crate) fn here() -> Self {
        let map = fs::read_to_string("/proc/self/uid_map").unwrap();
        let counts = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse::<u64>().ok());
        match counts.sum() {
            4_294_967_295 => Self::All,
            1 => Self::One,
            _ => Self::Many,
        }
    }

    pub(crate) fn store_options(self) -> StoreOptions {
        let owners = if self == Self::One { Owners::Recorded } else { Owners::Real };
        StoreOptions { owners, in_user_namespace: self != Self::All, indexed_layers: false }
    }
}

/// A store, and a second one to import into.
pub(crate) struct Ground {
    pub(crate) ids: Ids,
    pub(crate) store: Store,
    other: Store,
    /// For root, where it is possible: gets the same layers, and mounts them over their indexes.
    indexed: Option<IndexedStore>,
    /// The mounts of indexes, by the path of the index; `None` where layers have trees.
    indexes: Option<RefCell<BTreeMap<PathBuf, Mounted>>>,
}

impl Ground {
    /// Makes both in `folder`.
    pub(crate) fn new(folder: &Path, ids: Ids) -> Self {
        let open = |name: &str| Store::open(&folder.join(name), &ids.store_options()).unwrap();
        let indexed =
            (ids == Ids::All && IndexedStore::is_possible(folder)).then(|| IndexedStore::new(folder));
        Self { ids, store: open("store"), other: open("other"), indexed, indexes: None }
    }

    /// The same with a first store whose layers are mounted over indexes, and no other index. Only root can.
    pub(crate) fn with_indexes(folder: &Path) -> Self {
        let options = StoreOptions { indexed_layers: true, ..Ids::All.store_options() };
        let store = Store::open(&folder.join("store"), &options).unwrap();
        let more = folder.join("more");
        fs::create_dir(&more).unwrap();
        let more = Self::new(&more, Ids::All);
        Self { store, indexes: Some(RefCell::default()), indexed: None, ..more }
    }

    /// Runs `step` in an overlay over `below`, and makes a layer of it. Checks that
    ///
    /// - the layers laid over each other show what the step left,
    /// - so do their tars, laid over each other by rules written down elsewhere,
    /// - a store that imports the tar makes the same tree of it.
    pub(crate) fn step(&self, below: &[DiffId], options: &CommitOptions, step: &dyn Fn(&Path)) -> Stepped {
        let scratch = self.store.scratch("step").unwrap();
        let upper = scratch.upper().unwrap();
        let overlay = Overlay::mount(&self.lower(below), Some((&upper, &scratch.work().unwrap())), self.ids);
        step(overlay.path());
        let left = Listing::of_folder(overlay.path());
        drop(overlay);
        let mut layer = self.store.commit_upper(&upper, below, options).unwrap();
        if self.indexes.is_some() {
            layer = self.without_tree(&layer);
        }
        let mut layers = below.to_vec();
        layers.push(layer.diff_id().clone());
        Stepped { layer, layers, left }
    }

    /// Whether layers are mounted over indexes.
    pub(crate) fn has_indexes(&self) -> bool {
        self.indexes.is_some()
    }

    /// What a step has left is a tree; of that the tar remains.
    fn without_tree(&self, layer: &Layer) -> Layer {
        let (diff_id, blob) = (layer.diff_id(), layer.blob());
        fs::remove_dir_all(self.store.root().join("layers").join(diff_id.hex())).unwrap();
        self.store.ensure_layers([(diff_id, &blob)], Mountable::Later).unwrap();
        self.store.layer(diff_id).unwrap().unwrap()
    }

    /// The folder of a layer, mounted if need be.
    fn folder(&self, lower: Lower) -> PathBuf {
        match (lower, &self.indexes) {
            (Lower::Tree(path), _) => path,
            (Lower::Indexed { index, data }, Some(indexes)) => {
                let mut indexes = indexes.borrow_mut();
                indexes
                    .entry(index.clone())
                    .or_insert_with(|| Mounted::index(&index, &data))
                    .path()
                    .to_owned()
            }
            (Lower::Indexed { index, .. }, None) => panic!("not unpacked: {}", index.display()),
        }
    }

    pub(crate) fn lower(&self, layers: &[DiffId]) -> Vec<PathBuf> {
        let lower = self.store.lower(layers).unwrap();
        let mut lower: Vec<PathBuf> = lower.into_iter().map(|lower| self.folder(lower)).collect();
        if lower.is_empty() {
            let empty = self.store.root().with_file_name("empty");
            let _ = fs::create_dir(&empty);
            lower.push(empty);
        }
        lower
    }

    /// What the layers show when they are mounted over each other. Checks that their indexes show the same.
    pub(crate) fn mounted(&self, layers: &[DiffId]) -> Listing {
        let show = |mut lower: Vec<PathBuf>| {
            while lower.len() < 2 {
                lower.push(self.lower(&[])[0].clone());
            }
            Listing::of_folder(Overlay::mount(&lower, None, self.ids).path())
        };
        let listing = show(self.lower(layers));
        if let Some(indexed) = &self.indexed {
            indexed.take(layers, &self.store);
            let places = indexed.mount(layers);
            let mounted = show(places.iter().map(|place| place.path().to_owned()).collect());
            let comparable = |listing: &Listing| with_near_times(&lines(listing));
            assert_eq!(comparable(&mounted), comparable(&listing), "over indexes");
        }
        listing
    }

    /// What the tars show when they are laid over each other.
    pub(crate) fn laid_over(&self, layers: &[DiffId]) -> Listing {
        let mut listing = Listing::default();
        for layer in layers {
            listing.apply_layer(self.store.layer_tar(layer).unwrap()).unwrap();
        }
        listing
    }

    /// The tree of a layer in this store, and in one that imported its tar. Checks that its index shows the same.
    pub(crate) fn trees(&self, layer: &DiffId) -> (Listing, Listing) {
        let ours = self.lower(std::slice::from_ref(layer));
        let mut tar = self.store.layer_tar(layer).unwrap();
        let expected = Some(layer.clone());
        let options = ImportLayer { expected, materialise: true, ..ImportLayer::default() };
        self.other.import_layer(&mut tar, &options).unwrap();
        let theirs = self.other.lower_dirs(std::slice::from_ref(layer)).unwrap();
        let (ours, theirs) = (Listing::of_folder(&ours[0]), Listing::of_folder(&theirs[0]));
        if let Some(indexed) = &self.indexed {
            indexed.take(std::slice::from_ref(layer), &self.store);
            let mounted = Listing::of_folder(indexed.mount_one(layer).path());
            let comparable = |listing: &Listing| with_near_times(&tree_lines(listing));
            assert_eq!(comparable(&mounted), comparable(&theirs), "over an index");
        }
        (ours, theirs)
    }
}

/// What became of a step.
pub(crate) struct Stepped {
    pub(crate) layer: Layer,
    /// Those below, and the new one.
    pub(crate) layers: Vec<DiffId>,
    /// What the step left in the overlay.
    pub(crate) left: Listing,
}

/// The listing without what layers say nothing about: the root.
pub(crate) fn lines(listing: &Listing) -> String {
    let lines = listing.lines();
    lines.lines().filter(|line| !line.starts_with(". ")).flat_map(|line| [line, "\n"]).collect()
}

/// A tree as text, whiteouts without what they are beside that: nobody looks at it.
pub(crate) fn tree_lines(listing: &Listing) -> String {
    let kept = |line: &str| line.split_once(" char 0:0 ").map_or(line, |(path, _)| path).to_owned() + "\n";
    listing.lines().lines().map(kept).collect()
}

/// The same with no time beyond what ext4 can hold; xfs ends later. An index holds every time.
fn with_near_times(lines: &str) -> String {
    let near = |word: &str| match word.strip_prefix('@').and_then(|seconds| seconds.parse::<i64>().ok()) {
        Some(seconds) if seconds >= 15_032_385_535 => "@far".to_owned(),
        _ => word.to_owned(),
    };
    lines
        .split(' ')
        .map(|word| word.split('\n').map(near).collect::<Vec<_>>().join("\n"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// What tars cannot show when there is one id only.
pub(crate) fn for_one_id(listing: Listing) -> Listing {
    listing.without(Detail::Owners).without(Detail::Xattrs)
}

/// A mounted file system, gone with the value.
pub(crate) struct Mounted {
    path: PathBuf,
    _folder: tempfile::TempDir,
}

/// A mounted overlay.
pub(crate) type Overlay = Mounted;

impl Mounted {
    /// Mounts the index of a layer over its tar.
    pub(crate) fn index(index: &Path, data: &[PathBuf]) -> Self {
        let context = fsopen("erofs", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
        fsconfig_set_string(&context, "source", index).unwrap();
        for path in data {
            fsconfig_set_string(&context, "device", path).unwrap();
        }
        Self::in_place(&context)
    }

    fn in_place(context: &OwnedFd) -> Self {
        let folder = tempfile::Builder::new().prefix("tug-mount-").tempdir().unwrap();
        fsconfig_create(context).unwrap();
        let mounted = fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, MountAttrFlags::empty()).unwrap();
        let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
        move_mount(&mounted, "", rustix::fs::CWD, folder.path(), flags).unwrap();
        Self { path: folder.path().to_owned(), _folder: folder }
    }

    /// Mounts `lower`, the uppermost first, and for writing the upper and the work directory.
    pub(crate) fn mount(lower: &[PathBuf], writable: Option<(&Path, &Path)>, ids: Ids) -> Self {
        let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC).unwrap();
        let mut held = Vec::new();
        let mut set = |key: &str, path: &Path| {
            let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
            let opened: OwnedFd = rustix::fs::open(path, flags, Mode::empty()).unwrap();
            let name = format!("/proc/self/fd/{}", opened.as_fd().as_raw_fd());
            fsconfig_set_string(&context, key, name.as_str()).unwrap();
            held.push(opened);
        };
        for path in lower {
            set("lowerdir+", path);
        }
        if let Some((upper, work)) = writable {
            set("upperdir", upper);
            set("workdir", work);
        }
        for (key, value) in
            [("redirect_dir", "nofollow"), ("metacopy", "off"), ("index", "off"), ("xino", "off")]
        {
            fsconfig_set_string(&context, key, value).unwrap();
        }
        if ids != Ids::All {
            fsconfig_set_flag(&context, "userxattr").unwrap();
        }
        Self::in_place(&context)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        unmount(&self.path, UnmountFlags::DETACH).unwrap();
    }
}

/// Opens for reading and writing, without making or cutting.
#[allow(dead_code, reason = "not every test writes")]
pub(crate) fn open_to_write(path: &Path) -> File {
    File::options().read(true).write(true).open(path).unwrap()
}
