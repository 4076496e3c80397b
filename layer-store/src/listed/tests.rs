use std::collections::BTreeMap;
use std::io::Write;
use std::ops::Range;
use std::sync::Mutex;

use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tug_oci::{Digest, media_type};

use super::*;
use crate::compression::{Decompressed, DecompressionLimits};
use crate::entry::{NewEntry, NewEntryKind};
use crate::fetch::{Fetcher, Wanted};
use crate::layer::ImportLayer;
use crate::store::tests::store;
use crate::tar::TarWriter;
use crate::view::View;

const STARGZ: &str = "containerd.io/snapshot/stargz/toc.digest";

/// One layer that is elsewhere, and what was asked of it.
struct Elsewhere {
    bytes: Vec<u8>,
    knows_ranges: bool,
    asked: Mutex<Vec<Range<u64>>>,
}

impl Fetcher for Elsewhere {
    fn fetch(&self, store: &Store, blobs: &[Wanted]) -> Result<()> {
        for _ in blobs {
            self.asked.lock().unwrap().push(0..self.bytes.len() as u64);
            store.import_layer(&mut self.bytes.as_slice(), &ImportLayer::default())?;
        }
        Ok(())
    }

    fn fetch_range(&self, _: &Store, _: &Descriptor, range: Range<u64>) -> Result<Option<Vec<u8>>> {
        self.asked.lock().unwrap().push(range.clone());
        Ok(self.knows_ranges.then(|| self.bytes[range.start as usize..range.end as usize].to_vec()))
    }
}

/// A layer, where its files come from, and the store that may ask.
struct Case {
    _folder: tempfile::TempDir,
    store: Store,
    diff_id: DiffId,
    blob: Descriptor,
    elsewhere: Arc<Elsewhere>,
}

impl Case {
    fn new(bytes: Vec<u8>, annotations: BTreeMap<String, String>, knows_ranges: bool) -> Self {
        let (folder, store) = store();
        let mut plain = Vec::new();
        let mut decompressed = Decompressed::new(bytes.as_slice(), DecompressionLimits::default()).unwrap();
        decompressed.read_to_end(&mut plain).unwrap();
        let mut blob = Descriptor::new(media_type::OCI_LAYER_ZSTD, Digest::of(&bytes), bytes.len() as u64);
        blob.annotations = annotations;
        store.note_origins([&blob.digest], "registry.example/app").unwrap();
        let elsewhere = Arc::new(Elsewhere { bytes, knows_ranges, asked: Mutex::default() });
        let store = store.with_fetcher(Arc::clone(&elsewhere) as Arc<dyn Fetcher>);
        Self { _folder: folder, store, diff_id: DiffId::new(Digest::of(&plain)), blob, elsewhere }
    }

    fn view(&self) -> (View, Lists) {
        let lists = Lists::default();
        let view = self.store.look_into([(&self.diff_id, &self.blob)], &lists).unwrap();
        (view, lists)
    }

    /// How many bytes were asked for.
    fn asked(&self) -> u64 {
        self.elsewhere.asked.lock().unwrap().iter().map(|range| range.end - range.start).sum()
    }
}

fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// What the layers of these tests hold, in this order.
fn entries() -> Vec<(NewEntry, Vec<u8>)> {
    let file = |name: &str, content: Vec<u8>| {
        let mut entry = NewEntry::file(name, 0o4755, content.len() as u64);
        (entry.uid, entry.gid, entry.mtime.seconds) = (5, 6, -7);
        entry.xattrs.insert(b"user.key".to_vec(), vec![0, 255]);
        (entry, content)
    };
    let hard = NewEntryKind::HardLink { target: b"etc/small".to_vec() };
    vec![
        (NewEntry::directory("etc", 0o755), vec![]),
        file("etc/small", b"text\n".to_vec()),
        file("etc/empty", vec![]),
        (NewEntry::symlink("link", "etc/small"), vec![]),
        (NewEntry::new("hard".into(), hard, 0o644), vec![]),
        (NewEntry::whiteout("gone"), vec![]),
        file("large", noise(1_100_000, 1)),
        file("usr/lib/one", noise(40_000, 2)),
        file("usr/lib/two", noise(40_000, 3)),
    ]
}

fn tar() -> Vec<u8> {
    let mut tar = TarWriter::new(Vec::new());
    for (entry, content) in entries() {
        tar.header(&entry).unwrap();
        tar.content(&content).unwrap();
        tar.pad().unwrap();
    }
    tar.finish().unwrap()
}

fn chunked() -> (Vec<u8>, BTreeMap<String, String>) {
    crate::chunked::write(tar().as_slice(), 3, Vec::new(), &|| Ok(())).unwrap()
}

/// As stargz-snapshotter writes it: content in gzip members of its own, the list as the last file. `change` is made to the
/// list before it is written.
fn stargz(change: impl Fn(&mut Value)) -> (Vec<u8>, BTreeMap<String, String>) {
    let member = |plain: &[u8]| {
        let mut gzip = GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(plain).unwrap();
        gzip.finish().unwrap()
    };
    let mut blob = Vec::new();
    let mut lines = Vec::new();
    // The tar is cut where content begins and ends; the end mark belongs to the list.
    let plain = tar();
    let mut reader = crate::tar::TarReader::new(plain.as_slice(), crate::tar::Limits::default());
    let mut written = 0;
    for (entry, content) in entries() {
        let found = reader.next_entry().unwrap().unwrap();
        let (name, kind, link) = match &entry.kind {
            NewEntryKind::Directory => ("etc/".to_owned(), "dir", None),
            NewEntryKind::Symlink { target } => ("link".to_owned(), "symlink", Some(target.clone())),
            NewEntryKind::HardLink { target } => ("hard".to_owned(), "hardlink", Some(target.clone())),
            _ => (String::from_utf8(found.path.clone()).unwrap(), "reg", None),
        };
        let mut line =
            json!({"name": name, "type": kind, "mode": entry.mode, "uid": entry.uid, "gid": entry.gid});
        line["modtime"] =
            if entry.mtime.seconds < 0 { "1969-12-31T23:59:53Z" } else { "1970-01-01T00:00:00Z" }.into();
        if let Some(link) = link {
            line["linkName"] = String::from_utf8(link).unwrap().into();
        }
        if !entry.xattrs.is_empty() {
            line["xattrs"] = json!({"user.key": "AP8="});
        }
        let start = reader.content_offset() as usize;
        if !content.is_empty() {
            blob.extend(member(&plain[written..start]));
            written = start + content.len();
            line["size"] = content.len().into();
            line["digest"] = Digest::of(&content).to_string().into();
        }
        let mut chunk_offset = 0;
        let pieces: Vec<&[u8]> = content.chunks(1 << 20).collect();
        for (number, piece) in pieces.iter().enumerate() {
            if number > 0 {
                lines.push(std::mem::replace(&mut line, json!({"name": name, "type": "chunk"})));
            }
            line["offset"] = blob.len().into();
            line["chunkOffset"] = chunk_offset.into();
            line["chunkSize"] = if number + 1 < pieces.len() { piece.len().into() } else { 0.into() };
            line["chunkDigest"] = Digest::of(piece).to_string().into();
            blob.extend(member(piece));
            chunk_offset += piece.len();
        }
        lines.push(line);
    }
    blob.extend(member(&plain[written..plain.len() - 1024]));
    let mut list = json!({"version": 1, "entries": lines});
    change(&mut list);
    let list = serde_json::to_vec_pretty(&list).unwrap();
    let mut end = TarWriter::new(Vec::new());
    end.header(&NewEntry::file("stargz.index.json", 0, list.len() as u64)).unwrap();
    end.content(&list).unwrap();
    end.pad().unwrap();
    let at = blob.len();
    blob.extend(member(&end.finish().unwrap()));
    let mut footer = vec![0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 26, 0, b'S', b'G', 22, 0];
    footer.extend(format!("{at:016x}STARGZ").as_bytes());
    footer.extend([1, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(footer.len(), 51);
    blob.extend(footer);
    (blob, BTreeMap::from([(STARGZ.to_owned(), Digest::of(&list).to_string())]))
}

/// All that can be seen, with all content; offsets are of no interest.
fn seen(view: &View) -> Vec<String> {
    let told = view.walk(b"").map(|node| {
        let mut content = Vec::new();
        if matches!(node.entry().kind, crate::EntryKind::File { .. }) {
            view.open(&node).unwrap().read_to_end(&mut content).unwrap();
        }
        let mut entry = node.entry().clone();
        if let crate::EntryKind::File { offset, .. } = &mut entry.kind {
            *offset = 0;
        }
        format!("{entry:?} {} {}", node.link().is_some(), Digest::of(&content))
    });
    told.collect()
}

#[test]
fn a_layer_that_is_only_listed_looks_as_the_whole_one_does() {
    for (bytes, annotations) in [chunked(), stargz(|_| {})] {
        let listed = Case::new(bytes.clone(), annotations.clone(), true);
        let (view, lists) = listed.view();
        assert_eq!(lists.count(), 1);
        let whole = Case::new(bytes, BTreeMap::new(), true);
        let (other, none) = whole.view();
        assert_eq!(none.count(), 0);
        assert_eq!(seen(&view), seen(&other));
        assert!(view.settles(b"gone") && view.settles(b"etc/small") && !view.settles(b"etc"));
        assert!(listed.store.layer(&listed.diff_id).unwrap().is_none(), "nothing of it is kept");
    }
}

#[test]
fn of_a_small_file_little_is_read_and_what_follows_it_comes_along() {
    for (bytes, annotations) in [chunked(), stargz(|_| {})] {
        let case = Case::new(bytes, annotations, true);
        let (view, _) = case.view();
        let read = |path: &str| {
            let mut content = Vec::new();
            view.open(&view.lookup(path.as_bytes()).unwrap()).unwrap().read_to_end(&mut content).unwrap();
            content
        };
        assert_eq!(read("etc/small"), b"text\n");
        assert!(case.asked() < 200_000, "{} bytes", case.asked());
        assert_eq!(read("usr/lib/one"), noise(40_000, 2));
        let before = case.elsewhere.asked.lock().unwrap().len();
        assert_eq!(read("usr/lib/two"), noise(40_000, 3));
        assert!(case.elsewhere.asked.lock().unwrap().len() <= before + 1);
    }
}

#[test]
fn what_nobody_vouches_for_is_fetched_whole() {
    let (bytes, annotations) = chunked();
    let checksum = "io.github.containers.zstd-chunked.manifest-checksum";
    let position = "io.github.containers.zstd-chunked.manifest-position";
    let wrong = |key: &str, value: &str| {
        let mut wrong = annotations.clone();
        wrong.insert(key.to_owned(), value.to_owned());
        wrong
    };
    let without = |key: &str| {
        let mut without = annotations.clone();
        without.remove(key);
        without
    };
    for annotations in [
        without(checksum),
        without(position),
        wrong(checksum, &Digest::of(b"other").to_string()),
        wrong(position, "1:2:3:1"),
        wrong(position, "18446744073709551615:2:3:1"),
        wrong(position, "0:99999999999:3:1"),
        wrong(position, "no"),
    ] {
        let case = Case::new(bytes.clone(), annotations.clone(), true);
        let (view, lists) = case.view();
        assert_eq!((lists.count(), seen(&view).len()), (0, 10), "{annotations:?}");
    }
    let case = Case::new(bytes, annotations, false);
    assert_eq!((case.view().1.count(), case.asked() > 1_100_000), (0, true), "no ranges");
}

/// What is made of a list before it is written.
type Change = Box<dyn Fn(&mut Value)>;

#[test]
fn odd_lists_are_none() {
    let entry = |number: usize, key: &'static str, value: Value| {
        move |list: &mut Value| list["entries"][number][key] = value.clone()
    };
    let cases: Vec<Change> = vec![
        Box::new(|list| list["version"] = 2.into()),
        Box::new(|list| list["entries"] = Value::Null),
        Box::new(|list| drop(list["entries"].as_array_mut().unwrap().remove(7))),
        Box::new(entry(1, "name", "../etc/small".into())),
        Box::new(entry(1, "size", (-1).into())),
        Box::new(entry(1, "offset", 0.into())),
        Box::new(entry(1, "offset", u64::MAX.into())),
        Box::new(entry(1, "innerOffset", u64::MAX.into())),
        Box::new(entry(1, "chunkDigest", "md5:0".into())),
        Box::new(entry(1, "digest", Value::Null)),
        Box::new(entry(1, "uid", u32::MAX.into())),
        Box::new(entry(1, "modtime", "yesterday".into())),
        Box::new(entry(1, "type", "sparse".into())),
        Box::new(entry(3, "linkName", "a\0b".into())),
        Box::new(entry(4, "linkName", "nowhere".into())),
        Box::new(entry(6, "chunkSize", (1_u64 << 40).into())),
    ];
    for (number, change) in cases.into_iter().enumerate() {
        let (bytes, annotations) = stargz(change);
        let case = Case::new(bytes, annotations, true);
        let (view, lists) = case.view();
        assert_eq!(lists.count(), 0, "case {number}");
        assert!(view.lookup(b"large").is_some(), "case {number}");
    }
}

#[test]
fn other_bytes_than_the_list_names_are_an_error_before_they_are_seen() {
    let changes: [fn(&mut Value); 2] = [
        // The content of another file: the piece is found out.
        |list| list["entries"][1]["offset"] = (list["entries"][9]["offset"]).clone(),
        // Pieces that are right, of a whole that is not.
        |list| list["entries"][6]["digest"] = list["entries"][1]["digest"].clone(),
    ];
    for (change, path) in changes.into_iter().zip(["etc/small", "large"]) {
        let (bytes, annotations) = stargz(change);
        let case = Case::new(bytes, annotations, true);
        let (view, lists) = case.view();
        assert_eq!(lists.count(), 1);
        let mut content = Vec::new();
        let mut file = view.open(&view.lookup(path.as_bytes()).unwrap()).unwrap();
        let error = file.read_to_end(&mut content).unwrap_err();
        assert_eq!(error.to_string(), "the registry has sent other bytes than the list of the layer names");
    }
}

/// What others write: holes that are in no frame, several files in one gzip member.
#[test]
fn zeros_are_not_fetched_and_files_may_share_a_member() {
    let content = [vec![0; 300_000], b"end".to_vec()].concat();
    let whole = Digest::of(&content).to_string();
    let text = json!({"version": 1, "entries": [
        {"type": "reg", "name": "hollow", "size": 300_003, "digest": whole, "offset": 10, "chunkSize": 300_000,
         "chunkType": "zeros", "chunkDigest": Digest::of(&vec![0; 300_000]).to_string(), "endOffset": 100},
        {"type": "chunk", "name": "hollow", "offset": 20, "chunkOffset": 300_000, "chunkDigest": Digest::of(b"end").to_string()},
        {"type": "reg", "name": "inner", "size": 3, "digest": Digest::of(b"end").to_string(), "offset": 30, "innerOffset": 9},
    ]});
    let list = place::List { text: serde_json::to_vec(&text).unwrap(), end: 1000, itself: None };
    let (toc, files) = entries::read(list).unwrap();
    assert_eq!(toc.len(), 2);
    let sources: Vec<String> = (0..3).map(|number| format!("{:?}", files.piece(number).source)).collect();
    assert_eq!(sources[0], "Zeros");
    assert!(sources[1].starts_with("Frame { offset: 20, end: 30, inner: 0"), "{}", sources[1]);
    assert!(sources[2].starts_with("Frame { offset: 30, end: 1000, inner: 9"), "{}", sources[2]);
}
