//! Foreign tars as layers: what is there in the end, whatever order it came in, and what is refused.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]
#![allow(dead_code, reason = "the helpers are shared with other tests")]

#[path = "support/indexed.rs"]
mod indexed;
#[path = "support/layers.rs"]
mod layers;
#[path = "support/raw_tar.rs"]
mod raw_tar;

use std::io::Write;
use std::process::Command;

use indexed::IndexedStore;
use layers::{LowerDirs, Unprivileged, entries};
use raw_tar::{Raw, archive};
use tug_layer_store::{Error, ImportLayer, LayerError, Mountable, Owners, Store, StoreOptions};
use tug_oci::{Descriptor, DiffId, Digest, media_type};
use tug_testdata::Listing;

fn directory(path: &str) -> Raw {
    Raw { mode: b"0000755\0".to_vec(), ..Raw::new(b'5', path) }
}

fn whiteout(path: &str) -> Raw {
    Raw::file(path, "")
}

/// The tar, and the entries of the layer that comes of it. Directories that are implied are not entries.
fn cases() -> Vec<(&'static str, Vec<Raw>, &'static [&'static str])> {
    vec![
        (
            "any order",
            vec![Raw::file("d/b", "b"), directory("d"), Raw::file("a", "a"), Raw::file("d/a", "a")],
            &["a", "d/", "d/a", "d/b"],
        ),
        ("a path twice", vec![Raw::file("f", "first"), Raw::file("./f", "second")], &["f"]),
        (
            "a file, then a directory",
            vec![Raw::file("f", "x"), directory("f"), Raw::file("f/g", "x")],
            &["f/", "f opaque", "f/g"],
        ),
        (
            "a directory, then a file",
            vec![directory("d"), Raw::file("d/f", "x"), Raw::file("d", "x")],
            &["d"],
        ),
        ("a directory twice", vec![directory("d"), Raw::file("d/f", "x"), directory("d/")], &["d/", "d/f"]),
        ("below a file", vec![Raw::file("f", "x"), Raw::file("f/g/h", "x")], &["f opaque", "f/g/h"]),
        (
            "below a link out",
            vec![Raw::new(b'2', "l").link("/etc"), Raw::file("l/passwd", "x")],
            &["l opaque", "l/passwd"],
        ),
        (
            "below a link that is removed",
            vec![Raw::new(b'2', "l").link("/etc"), whiteout(".wh.l"), Raw::file("l/x", "x")],
            &["l opaque", "l/x"],
        ),
        ("without directories", vec![Raw::file("a/b/c", "x")], &["a/b/c"]),
        ("a directory behind what is in it", vec![Raw::file("a/b", "x"), directory("a")], &["a/", "a/b"]),
        ("a removal", vec![whiteout("d/.wh.f")], &["-d/f"]),
        ("a removal, then the file", vec![whiteout(".wh.f"), Raw::file("f", "x")], &["f"]),
        ("a file, then its removal", vec![Raw::file("f", "x"), whiteout(".wh.f")], &["f"]),
        ("a removal, then the directory", vec![whiteout(".wh.d"), directory("d")], &["d/", "d opaque"]),
        (
            "a directory, then its removal",
            vec![directory("d"), Raw::file("d/f", ""), whiteout(".wh.d")],
            &["d/", "d opaque", "d/f"],
        ),
        (
            "an opaque mark",
            vec![directory("d"), whiteout("d/.wh..wh..opq"), Raw::file("d/f", "")],
            &["d/", "d opaque", "d/f"],
        ),
        (
            "an opaque mark behind and before",
            vec![Raw::file("d/f", ""), whiteout("d/.wh..wh..opq"), directory("d")],
            &["d/", "d opaque", "d/f"],
        ),
        ("an opaque root", vec![whiteout(".wh..wh..opq"), Raw::file("f", "")], &[" opaque", "f"]),
        (
            "what aufs left",
            vec![
                whiteout(".wh..wh.aufs"),
                directory(".wh..wh.plnk"),
                Raw::file(".wh..wh.plnk/1.2", "x"),
                Raw::file("f", ""),
            ],
            &["f"],
        ),
        ("a hard link", vec![Raw::file("b", "x"), Raw::new(b'1', "a").link("./b")], &["a", "b = a"]),
        (
            "a hard link before its file",
            vec![Raw::new(b'1', "a").link("b"), Raw::file("b", "x")],
            &["a", "b = a"],
        ),
        (
            "hard links in a row, backwards",
            vec![Raw::new(b'1', "a").link("b"), Raw::new(b'1', "b").link("c"), Raw::file("c", "x")],
            &["a", "b = a", "c = a"],
        ),
        (
            "a hard link whose file is replaced",
            vec![Raw::file("f", "old"), Raw::new(b'1', "l").link("f"), Raw::file("f", "new")],
            &["f", "l"],
        ),
        (
            "a hard link to a symbolic one",
            vec![Raw::new(b'2', "s").link("/etc/passwd"), Raw::new(b'1', "h").link("s")],
            &["h -> /etc/passwd", "s = h"],
        ),
        (
            "a hard link over its own target",
            vec![Raw::file("f", "x"), Raw::new(b'1', "g").link("f"), Raw::new(b'1', "g").link("f")],
            &["f", "g = f"],
        ),
        ("the root", vec![directory("./"), Raw::file("f", "")], &["f"]),
        ("absolute names", vec![Raw::file("/etc/passwd", "x")], &["etc/passwd"]),
    ]
}

#[test]
fn tars_of_others_come_to_what_is_there_in_the_end() {
    for (name, raw, expected) in cases() {
        let ground = Unprivileged::new();
        let imported = ground.import(&archive(&raw)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(entries(&imported), expected, "{name}");
        let (at_once, later) = ground.trees(imported.diff_id());
        assert_eq!(
            at_once, later,
            "{name}: the tree made along, and the one made from the table of contents"
        );
    }
}

#[test]
#[ignore = "needs root and EROFS"]
fn tars_of_others_are_the_same_unpacked_and_over_an_index_needs_root_needs_erofs() {
    let folder = tempfile::tempdir().unwrap();
    let indexed = IndexedStore::new(folder.path());
    let options = StoreOptions { owners: Owners::Real, in_user_namespace: false, indexed_layers: false };
    let plain = Store::open(&folder.path().join("plain"), &options).unwrap();
    for (name, raw, _) in cases() {
        let layer = plain.import_layer(&mut &archive(&raw)[..], &ImportLayer::default()).unwrap();
        let layers = [layer.diff_id().clone()];
        indexed.take(&layers, &plain);
        let mounted = Listing::of_folder(indexed.mount_one(&layers[0]).path()).lines();
        let tree = Listing::of_folder(&plain.lower_dirs(&layers).unwrap()[0]).lines();
        // What a whiteout is beside being one is of no interest.
        let kept = |lines: &str| -> Vec<String> {
            lines
                .lines()
                .map(|line| line.split_once(" char 0:0 ").map_or(line, |(path, _)| path).to_owned())
                .collect()
        };
        assert_eq!(kept(&mounted), kept(&tree), "{name}");
    }
}

#[test]
fn the_content_of_a_hard_link_stays_when_its_file_is_replaced() {
    let ground = Unprivileged::new();
    let raw = [Raw::file("f", "old"), Raw::new(b'1', "l").link("f"), Raw::file("f", "new")];
    let layer = ground.import(&archive(&raw)).unwrap();
    let content = |path| layers::content(&ground.store, &[layer.diff_id().clone()], path);
    assert_eq!((content("f"), content("l")), (b"new".to_vec(), b"old".to_vec()));
}

#[test]
fn layers_that_make_no_sense_are_refused_and_leave_nothing() {
    let null = Raw::new(b'3', "null");
    for (name, raw) in [
        ("a hard link to nothing", vec![Raw::new(b'1', "a").link("b")]),
        ("a hard link to a directory", vec![directory("d"), Raw::new(b'1', "a").link("d")]),
        ("hard links to each other", vec![Raw::new(b'1', "a").link("b"), Raw::new(b'1', "b").link("a")]),
        ("a hard link to a removal", vec![whiteout(".wh.b"), Raw::new(b'1', "a").link("b")]),
        ("a device that is a removal", vec![null]),
        ("the removal of ..", vec![whiteout("d/.wh...")]),
        ("the removal of .", vec![whiteout("d/.wh..")]),
        ("the removal of nothing", vec![whiteout("d/.wh.")]),
        ("a name below a removal", vec![Raw::file(".wh.d/f", "")]),
        ("a link in the place of the root", vec![Raw::new(b'2', "./").link("/tmp")]),
        ("a name that leads out", vec![Raw::file("a/../../../tmp/x", "")]),
        ("a hard link that leads out", vec![Raw::new(b'1', "a").link("../../etc/passwd")]),
    ] {
        let ground = Unprivileged::new();
        let refused = ground.import(&archive(&raw));
        assert!(matches!(refused, Err(Error::Layer(_))), "{name}: {refused:?}");
        ground.assert_empty(name);
    }
}

#[test]
fn nothing_outside_of_a_tree_is_touched() {
    let ground = Unprivileged::new();
    let outside = ground.folder().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("marker"), "still here").unwrap();
    let target = outside.to_str().unwrap();
    let link = |path: &str| Raw::new(b'2', path).link(target);
    for raw in [
        vec![link("l"), Raw::file("l/marker", "changed")],
        vec![link("l"), directory("l"), Raw::file("l/marker", "changed")],
        vec![link("l"), directory("l/d"), whiteout("l/.wh.marker")],
        vec![link("l"), whiteout("l/.wh..wh..opq")],
        vec![link("d/l"), Raw::new(b'1', "d/h").link("d/l"), Raw::file("d/h/marker", "changed")],
        vec![link("l"), Raw::file("l", "over the link"), Raw::file("l/x", "x")],
        vec![
            Raw::new(b'2', "m").link(format!("{target}/marker")),
            Raw { mode: b"0004777\0".to_vec(), ..Raw::new(b'1', "h").link("m") },
        ],
    ] {
        ground.import(&archive(&raw)).unwrap();
    }
    let listing = Listing::of_folder(&outside).without(tug_testdata::Detail::Times);
    let text = listing.without(tug_testdata::Detail::Owners).lines();
    assert_eq!(text, ". dir 755\nmarker file 644 10 \"still here\"\n");
}

#[test]
fn truncated_and_damaged_streams_are_errors_and_leave_nothing() {
    let raw: Vec<Raw> = (0..20).map(|number| Raw::file(format!("f{number}"), vec![number; 5000])).collect();
    let plain = archive(&raw);
    let gzip = compressed("gzip", &plain);
    let zstd = zstd_of(&plain);
    let mut flipped = gzip.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0x55;
    for (name, bytes) in [
        ("gzip, cut", &gzip[..gzip.len() - 10]),
        ("gzip, cut early", &gzip[..20]),
        ("gzip, damaged", &flipped),
        ("zstd, cut", &zstd[..zstd.len() - 5]),
        ("xz, cut", &compressed("xz", &plain)[..100]),
        ("tar, cut", &plain[..plain.len() / 2 + 100]),
        (
            "gzip of no tar",
            &compressed("gzip", b"no tar at all, but long enough to be a block".repeat(20).as_slice()),
        ),
    ] {
        let ground = Unprivileged::new();
        let refused = ground.import(bytes);
        assert!(refused.is_err(), "{name}");
        ground.assert_empty(name);
    }
}

#[test]
fn a_tar_that_is_not_what_was_promised_is_not_kept() {
    let ground = Unprivileged::new();
    let expected = DiffId::new(Digest::of(b"something else"));
    let options = ImportLayer { expected: Some(expected.clone()), ..ImportLayer::default() };
    let bytes = archive(&[Raw::file("f", "x")]);
    let refused = ground.store.import_layer(&mut bytes.as_slice(), &options);
    let Err(Error::Layer(LayerError::Mismatch { expected: named, .. })) = refused else {
        panic!("{refused:?}")
    };
    assert_eq!(named, expected);
    ground.assert_empty("promised");
}

#[test]
fn what_came_compressed_is_kept_so_and_unpacks_to_the_same_layer() {
    let plain = archive(&[directory("d"), Raw::file("d/f", "content")]);
    let diff_id = DiffId::new(Digest::of(&plain));
    for (bytes, media_type, is_kept) in [
        (plain.clone(), media_type::OCI_LAYER, true),
        (compressed("gzip", &plain), media_type::OCI_LAYER_GZIP, true),
        (zstd_of(&plain), media_type::OCI_LAYER_ZSTD, true),
        (compressed("xz", &plain), media_type::OCI_LAYER, false),
        (compressed("bzip2", &plain), media_type::OCI_LAYER, false),
    ] {
        let ground = Unprivileged::new();
        let layer = ground.store.import_layer(&mut bytes.as_slice(), &ImportLayer::default()).unwrap();
        assert_eq!(layer.diff_id(), &diff_id);
        let blob = layer.blob();
        let came = if is_kept { &bytes } else { &plain };
        assert_eq!((blob.digest, blob.size), (Digest::of(came), came.len() as u64));
        assert_eq!(blob.media_type, media_type);
        let mut tar = Vec::new();
        ground.store.layer_tar(&diff_id).unwrap().read_to_end(&mut tar).unwrap();
        assert_eq!(tar, plain);
        assert_eq!(layers::content(&ground.store, std::slice::from_ref(&diff_id), "d/f"), b"content");
    }
}

#[test]
fn a_layer_is_derived_from_its_blob_once_whoever_asks() {
    let ground = Unprivileged::new();
    let plain = archive(&[Raw::file("f", "content")]);
    let gzip = compressed("gzip", &plain);
    let digest = ground.store.write_blob(&gzip).unwrap();
    let (diff_id, size) = (DiffId::new(Digest::of(&plain)), gzip.len() as u64);
    let blob = Descriptor::new(media_type::OCI_LAYER_GZIP, digest, size);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                ground.store.ensure_layers([(&diff_id, &blob)], Mountable::Later).unwrap();
                let layer = ground.store.layer(&diff_id).unwrap().unwrap();
                assert_eq!(entries(&layer), ["f"]);
                assert_eq!(ground.store.lower(std::slice::from_ref(&diff_id)).unwrap().len(), 1);
            });
        }
    });
    assert_eq!(ground.store.layer(&diff_id).unwrap().unwrap().blob(), blob);
    assert!(!ground.store.has_blob(diff_id.digest()).unwrap(), "nobody asked to keep the plain tar");

    let wrong = DiffId::new(Digest::of(b"wrong"));
    assert!(ground.store.ensure_layers([(&wrong, &blob)], Mountable::Later).is_err());
    assert!(ground.store.layer(&wrong).unwrap().is_none());
}

#[test]
fn a_bomb_is_refused_before_it_fills_the_disk() {
    let ground = Unprivileged::new();
    let mut options = ImportLayer { materialise: true, ..ImportLayer::default() };
    options.limits.plain_size = 64 << 20;
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.write_all(&Raw::file("f", "").size("77777777777\0").bytes()).unwrap();
    for _ in 0..1000 {
        encoder.write_all(&[0; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 200 << 10, "{}", bomb.len());
    assert!(ground.store.import_layer(&mut bomb.as_slice(), &options).is_err());
    options.limits.entries = 1000;
    let many = archive(&vec![Raw::file("f", ""); 2000]);
    assert!(ground.store.import_layer(&mut many.as_slice(), &options).is_err());
    ground.assert_empty("a bomb");
}

fn compressed(program: &str, bytes: &[u8]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plain");
    std::fs::write(&path, bytes).unwrap();
    let output = Command::new(program).arg("-c").arg(&path).output().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn zstd_of(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}

#[test]
fn a_damaged_table_of_contents_is_made_again() {
    let ground = Unprivileged::new();
    let raw = [directory("d"), Raw::file("d/f", "content")];
    let layer = ground.import(&archive(&raw)).unwrap();
    let path = ground.store.root().join("layers").join(layer.diff_id().hex()).join("toc");
    for damage in [Some(&b"tug-toc\x01\x03"[..]), Some(b""), None] {
        match damage {
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        // Another process has not read it yet.
        let options = ground.store.options().clone();
        let other = Store::open(ground.store.root(), &options).unwrap();
        assert_eq!(entries(&other.layer(layer.diff_id()).unwrap().unwrap()), ["d/", "d/f"]);
        assert_eq!(layers::content(&other, &[layer.diff_id().clone()], "d/f"), b"content");
    }
}
