//! Stores that need no rights, and what is in their layers.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};

use tug_layer_store::{Entry, EntryKind, Error, ImportLayer, Layer, Lower, Owners, Store, StoreOptions};
use tug_oci::DiffId;
use tug_testdata::Listing;

/// Stores that were opened without [`StoreOptions::indexed_layers`] mount directories only.
pub(crate) trait LowerDirs {
    fn lower_dirs(&self, layers: &[DiffId]) -> Result<Vec<PathBuf>, Error>;
}

impl LowerDirs for Store {
    fn lower_dirs(&self, layers: &[DiffId]) -> Result<Vec<PathBuf>, Error> {
        let tree = |lower| match lower {
            Lower::Tree(path) => path,
            Lower::Indexed { index, .. } => panic!("not unpacked: {}", index.display()),
        };
        Ok(self.lower(layers)?.into_iter().map(tree).collect())
    }
}

/// Two stores in which files belong to whoever runs the test, and devices are files that stand for them.
pub(crate) struct Unprivileged {
    folder: tempfile::TempDir,
    pub(crate) store: Store,
    /// Gets its trees later than `store`.
    slow: Store,
}

impl Unprivileged {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options =
            StoreOptions { owners: Owners::Recorded, in_user_namespace: true, indexed_layers: false };
        let open = |name: &str| Store::open(&folder.path().join(name), &options).unwrap();
        Self { store: open("store"), slow: open("slow"), folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Imports a tar, with a tree into one store and without into the other.
    pub(crate) fn import(&self, mut bytes: &[u8]) -> Result<Layer, Error> {
        let options = ImportLayer { keep_plain_tar: true, ..ImportLayer::default() };
        let slow = self.slow.import_layer(&mut &*bytes, &options);
        let options = ImportLayer { materialise: true, ..ImportLayer::default() };
        let layer = self.store.import_layer(&mut bytes, &options);
        assert_eq!(slow.is_ok(), layer.is_ok(), "whether a tree is made must not matter: {layer:?}");
        layer
    }

    /// The tree of a layer as it was made along, and as it is made later.
    pub(crate) fn trees(&self, layer: &DiffId) -> (String, String) {
        let tree =
            |store: &Store| Listing::of_folder(&store.lower_dirs(std::slice::from_ref(layer)).unwrap()[0]);
        // What a whiteout is beside being one is of no interest.
        let kept =
            |line: &str| line.split_once(" char 0:0 ").map_or(line, |(path, _)| path).to_owned() + "\n";
        let lines = |store: &Store| tree(store).lines().lines().map(kept).collect();
        (lines(&self.store), lines(&self.slow))
    }

    /// Nothing is in the store, and nothing was left by what failed.
    pub(crate) fn assert_empty(&self, what: &str) {
        for name in ["layers", "blobs/sha256", "ingest"] {
            let left = std::fs::read_dir(self.store.root().join(name)).unwrap().count();
            assert_eq!(left, 0, "{what}: something is left in {name}");
        }
    }
}

/// One line for each entry: `d/` a directory, `-f` a removal, `l -> t` a link, `b = a` a hard link.
pub(crate) fn entries(layer: &Layer) -> Vec<String> {
    layer.toc().unwrap().entries().map(|entry| line(&entry)).collect()
}

fn line(entry: &Entry) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let path = text(&entry.path);
    match &entry.kind {
        EntryKind::Directory => format!("{path}/"),
        EntryKind::File { .. } => path,
        EntryKind::Symlink { target } => format!("{path} -> {}", text(target)),
        EntryKind::HardLink { target } => format!("{path} = {}", text(target)),
        EntryKind::CharDevice { major, minor } => format!("{path} c {major}:{minor}"),
        EntryKind::BlockDevice { major, minor } => format!("{path} b {major}:{minor}"),
        EntryKind::Fifo => format!("{path} p"),
        EntryKind::Whiteout => format!("-{path}"),
        EntryKind::Opaque => format!("{path} opaque"),
        other => format!("{path} {other:?}"),
    }
}

/// The content of a file of the merged tree.
pub(crate) fn content(store: &Store, layers: &[DiffId], path: impl AsRef<OsStr>) -> Vec<u8> {
    let view = store.view(layers).unwrap();
    let node = view.lookup(path.as_ref().as_encoded_bytes()).unwrap();
    let mut content = Vec::new();
    view.open(&node).unwrap().read_to_end(&mut content).unwrap();
    content
}
