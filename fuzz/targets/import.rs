//! Takes any tar as a layer, into a store that unpacks layers and into one that indexes them: both take it or refuse it
//! alike, with the same table of contents; the tree and the index say what the table says, and so does what is read through
//! a view. What is refused leaves nothing.

#![no_main]

mod support;

use std::io::Read;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;
use tug_layer_store::tar::Limits;
use tug_layer_store::{
    EntryKind, Error, ImportLayer, Layer, Store, VerifyOptions, canonical_order, index_round_trip,
};
use tug_oci::Digest;

/// Enough for anything that a fuzzer thinks of, and little enough to be quick.
const MOST: u64 = 1 << 20;

struct Stores {
    _folder: TempDir,
    trees: Store,
    indexes: Store,
}

fn stores() -> &'static Stores {
    static STORES: OnceLock<Stores> = OnceLock::new();
    STORES.get_or_init(|| {
        let folder = support::folder();
        let trees = support::store(&folder.path().join("trees"), false);
        let indexes = support::store(&folder.path().join("indexes"), true);
        Stores { _folder: folder, trees, indexes }
    })
}

fuzz_target!(|bytes: &[u8]| {
    let tar = support::with_checksums(bytes);
    let Stores { trees, indexes, .. } = stores();
    let (unpacked, indexed) = (import(trees, &tar), import(indexes, &tar));
    match (&unpacked, &indexed) {
        (Ok(unpacked), Ok(indexed)) => {
            assert_eq!(unpacked.diff_id(), indexed.diff_id());
            let (one, other) = (unpacked.toc().expect("it was made"), indexed.toc().expect("it was made"));
            assert_eq!(one.as_bytes(), other.as_bytes(), "the tables differ");
            index_round_trip(&one, unpacked.tar_size()).expect("the index says what the table says");
            for (store, layer) in [(trees, unpacked), (indexes, indexed)] {
                look(store, layer);
                let verified = store.verify(&VerifyOptions::default(), &|_| ()).expect("it can be read");
                assert_eq!(verified.wrong(), 0, "{:?}", verified.findings);
            }
        }
        (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string(), "refused for two reasons"),
        // A file system has bounds that an index has not.
        (Err(Error::Filesystem { .. } | Error::Layer(_)), Ok(_)) => {}
        (one, other) => panic!("a tree: {one:?}, an index: {other:?}"),
    }
    drop((unpacked, indexed));
    for store in [trees, indexes] {
        store.remove_unreferenced().expect("it is ours").expect("nobody else is there");
        for folder in ["layers", "ingest", "trash", "blobs/sha256"] {
            let left = std::fs::read_dir(store.root().join(folder)).expect("it is there").count();
            assert_eq!(left, 0, "something is left in {folder}");
        }
    }
});

fn import(store: &Store, tar: &[u8]) -> Result<Layer, Error> {
    let mut options = ImportLayer { materialise: true, keep_plain_tar: true, ..ImportLayer::default() };
    let mut limits = Limits::default();
    (limits.plain_size, limits.content_size, limits.entries) = (MOST, MOST, 1000);
    options.limits = limits;
    store.import_layer(&mut &*tar, &options)
}

/// Everything in the table is in the view, with the content that the table says, and nothing else.
fn look(store: &Store, layer: &Layer) {
    let view = store.view(&[layer.diff_id().clone()]).expect("the layer is there");
    let toc = layer.toc().expect("it was made");
    let mut expected: Vec<Vec<u8>> = Vec::new();
    for entry in toc.entries() {
        if matches!(entry.kind, EntryKind::Whiteout | EntryKind::Opaque) {
            continue;
        }
        expected.push(entry.path.clone());
        let node = view.lookup(&entry.path).expect("what is in the table is in the view");
        if let EntryKind::File { size, digest, .. } = &entry.kind {
            let mut content = Vec::new();
            view.open(&node).expect("a file can be opened").read_to_end(&mut content).expect("and read");
            assert_eq!((content.len() as u64, Digest::of(&content)), (*size, digest.clone()));
        }
    }
    expected.extend(toc.implied().map(<[u8]>::to_vec));
    let mut found = Vec::new();
    let mut pending = vec![Vec::new()];
    while let Some(path) = pending.pop() {
        for node in view.children(&path) {
            pending.push(node.path().to_vec());
            found.push(node.path().to_vec());
        }
    }
    expected.sort_by(|one, other| canonical_order(one, other));
    found.sort_by(|one, other| canonical_order(one, other));
    assert_eq!(found, expected, "the view and the table name other paths");
}
