use std::io::Read;
use std::time::SystemTime;

use tug_oci::{Descriptor, DiffId, media_type};

use super::*;
use crate::entry::NewEntry;
use crate::layer::ImportLayer;
use crate::store::tests::{PLAIN, store};

fn ours(store: &Store, bytes: &[u8]) -> Partial {
    match store.try_partial(&Digest::of(bytes), bytes.len() as u64).unwrap() {
        Claim::Ours(partial) => partial,
        other => panic!("{other:?}"),
    }
}

fn names(store: &Store) -> usize {
    std::fs::read_dir(store.path("ingest")).unwrap().count()
}

#[test]
fn bytes_that_came_in_any_order_become_a_blob() {
    let (_folder, store) = store();
    let partial = ours(&store, b"hello world");
    assert_eq!((partial.size(), partial.missing()), (11, vec![0..11]));
    partial.write_at(6, b"world").unwrap();
    partial.write_at(0, b"hel").unwrap();
    assert_eq!((partial.present(), partial.missing()), (8, vec![3..6]));
    assert!(matches!(partial.finish(), Err(Error::SizeMismatch { expected: 11, actual: 8, .. })));
    partial.write_at(3, b"lo ").unwrap();
    partial.finish().unwrap();
    assert_eq!(store.read_blob(partial.digest(), 11).unwrap(), b"hello world");
    assert_eq!(names(&store), 0);
    assert!(matches!(store.try_partial(partial.digest(), 11).unwrap(), Claim::Present));
}

#[test]
fn a_later_process_goes_on_where_the_last_one_was() {
    let (folder, store) = store();
    let partial = ours(&store, b"hello world");
    partial.write_at(0, b"hello").unwrap();
    drop(partial);
    let later = Store::open(&folder.path().join("store"), &PLAIN).unwrap();
    let partial = ours(&later, b"hello world");
    assert_eq!(partial.missing(), [5..11]);
    partial.write_at(5, b" world").unwrap();
    let mut text = String::new();
    partial.reader().read_to_string(&mut text).unwrap();
    assert_eq!(text, "hello world");
    partial.finish().unwrap();
}

#[test]
fn of_two_who_want_it_one_downloads_and_the_other_finds_it() {
    let (_folder, store) = store();
    let partial = ours(&store, b"hello");
    assert!(matches!(store.try_partial(partial.digest(), 5).unwrap(), Claim::Busy));
    let other = std::thread::spawn({
        let (store, digest) = (store.clone(), partial.digest().clone());
        move || store.partial(&digest, 5).unwrap()
    });
    partial.write_at(0, b"hello").unwrap();
    partial.finish().unwrap();
    drop(partial);
    assert!(other.join().unwrap().is_none());
    assert_eq!(names(&store), 0);
}

#[test]
fn whoever_waited_goes_on_when_the_other_gives_up() {
    let (_folder, store) = store();
    let partial = ours(&store, b"hello");
    partial.write_at(0, b"he").unwrap();
    let other = std::thread::spawn({
        let (store, digest) = (store.clone(), partial.digest().clone());
        move || store.partial(&digest, 5).unwrap().unwrap().missing()
    });
    drop(partial);
    assert_eq!(other.join().unwrap(), [2..5]);
}

#[test]
fn a_wrong_digest_keeps_nothing_once_it_is_begun_anew() {
    let (_folder, store) = store();
    let partial = ours(&store, b"hello");
    partial.write_at(0, b"HELLO").unwrap();
    assert!(matches!(partial.finish(), Err(Error::DigestMismatch { .. })));
    assert!(!store.has_blob(partial.digest()).unwrap());
    let mut reader = partial.reader();
    let mut byte = [0];
    reader.read_exact(&mut byte).unwrap();
    partial.restart().unwrap();
    assert!(reader.read(&mut byte).unwrap_err().to_string().contains("begun anew"));
    assert_eq!((partial.missing(), partial.round()), (vec![0..5], 1));
    partial.write_at(0, b"hello").unwrap();
    partial.finish().unwrap();
}

#[test]
fn a_reader_follows_and_fails_with_the_download() {
    let (_folder, store) = store();
    let partial = Arc::new(ours(&store, &[7; 100_000]));
    let following = std::thread::spawn({
        let mut reader = partial.reader();
        move || {
            let mut bytes = Vec::new();
            let outcome = reader.read_to_end(&mut bytes);
            (bytes.len(), outcome.map_err(|error| error.to_string()))
        }
    });
    partial.write_at(50_000, &[7; 10_000]).unwrap();
    partial.write_at(0, &[7; 50_000]).unwrap();
    partial.fail("the line is cut");
    assert_eq!(following.join().unwrap(), (60_000, Err("the line is cut".to_owned())));
    partial.resume();
    let mut rest = partial.reader();
    partial.write_at(60_000, &[7; 40_000]).unwrap();
    rest.read_to_the_end().unwrap();
    partial.finish().unwrap();
}

#[test]
fn a_reader_ends_when_the_work_is_given_up() {
    let (_folder, store) = store();
    let partial = ours(&store.stopping_when(|| true), b"hello");
    let error = partial.reader().read(&mut [0]).unwrap_err();
    assert_eq!(error.to_string(), "it was stopped");
}

#[test]
fn more_than_was_announced_is_refused() {
    let (_folder, store) = store();
    let partial = ours(&store, b"hello");
    assert!(partial.write_at(3, b"lo!").is_err() && partial.write_at(u64::MAX, b"x").is_err());
    assert_eq!(partial.missing(), [0..5]);
}

#[test]
fn an_empty_blob_is_whole_at_once() {
    let (_folder, store) = store();
    let partial = ours(&store, b"");
    assert_eq!(partial.reader().read(&mut [0]).unwrap(), 0);
    partial.finish().unwrap();
    assert!(store.has_blob(&Digest::of(b"")).unwrap());
}

#[test]
fn an_announcement_of_another_size_begins_anew() {
    let (_folder, store) = store();
    let partial = ours(&store, b"hello");
    partial.write_at(0, b"hell").unwrap();
    let digest = partial.digest().clone();
    drop(partial);
    let partial = store.partial(&digest, 4).unwrap().unwrap();
    assert_eq!(partial.missing(), [0..4]);
    partial.abandon().unwrap();
    assert_eq!(names(&store), 0);
}

#[test]
fn garbage_collection_leaves_a_download_alone_while_it_may_go_on() {
    let (_folder, store) = store();
    let partial = ours(&store, b"hello");
    partial.write_at(0, b"he").unwrap();
    let path = partial.shared.path.clone();
    let age = |days: u64| {
        let when = SystemTime::now() - Duration::from_secs(days * 24 * 60 * 60);
        File::options().write(true).open(&path).unwrap().set_modified(when).unwrap();
    };
    age(8);
    store.remove_unreferenced().unwrap().unwrap();
    assert_eq!(names(&store), 2, "it is locked");
    drop(partial);
    age(6);
    store.remove_unreferenced().unwrap().unwrap();
    assert_eq!(names(&store), 2, "somebody may go on with it");
    age(8);
    store.remove_unreferenced().unwrap().unwrap();
    assert_eq!(names(&store), 0);
    std::fs::write(store.path("ingest/partial-sha256-00.ranges"), "").unwrap();
    store.remove_left_behind().unwrap();
    assert_eq!(names(&store), 0, "ranges of nothing");
}

/// A compressed layer with one large file, and what it is when unpacked.
fn layer() -> (Vec<u8>, ImportLayer) {
    let mut tar = crate::tar::TarWriter::new(Vec::new());
    let content: Vec<u8> =
        (0..400_000_u32).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    tar.header(&NewEntry::file("large", 0o644, content.len() as u64)).unwrap();
    tar.content(&content).unwrap();
    let tar = tar.finish().unwrap();
    let expected = Some(DiffId::new(Digest::of(&tar)));
    let options = ImportLayer { expected, materialise: true, ..ImportLayer::default() };
    (zstd::encode_all(tar.as_slice(), 1).unwrap(), options)
}

fn descriptor(bytes: &[u8]) -> Descriptor {
    Descriptor::new(media_type::OCI_LAYER_ZSTD, Digest::of(bytes), bytes.len() as u64)
}

#[test]
fn a_layer_is_made_while_its_blob_arrives() {
    let (_folder, store) = store();
    let (blob, options) = layer();
    let partial = ours(&store, &blob);
    let made = std::thread::scope(|scope| {
        let made = scope.spawn(|| store.import_partial(&partial, &descriptor(&blob), &options).unwrap());
        let pieces: Vec<_> = blob.chunks(50_000).enumerate().collect();
        for (number, piece) in pieces.into_iter().rev() {
            partial.write_at(number as u64 * 50_000, piece).unwrap();
        }
        made.join().unwrap()
    });
    assert_eq!(Some(made.diff_id()), options.expected.as_ref());
    assert_eq!(made.blob(), descriptor(&blob));
    assert!(store.has_blob(&Digest::of(&blob)).unwrap());
    assert!(!store.has_blob(made.diff_id().digest()).unwrap(), "no second copy");
    assert!(store.layer_folder(made.diff_id()).join("tree/large").exists());
    assert_eq!(names(&store), 0);
}

#[test]
fn damaged_bytes_are_told_by_their_digest_whatever_they_lead_to() {
    let (_folder, store) = store();
    let (blob, options) = layer();
    for place in [0, 10, blob.len() / 2, blob.len() - 1] {
        let mut damaged = blob.clone();
        damaged[place] ^= 0x55;
        let partial = ours(&store, &blob);
        partial.write_at(0, &damaged).unwrap();
        let error = store.import_partial(&partial, &descriptor(&blob), &options).unwrap_err();
        assert!(matches!(error, Error::DigestMismatch { .. }), "{place}: {error}");
        partial.abandon().unwrap();
    }
    assert_eq!(names(&store), 0);
    let other = ImportLayer { expected: Some(DiffId::new(Digest::of(b""))), ..options };
    let partial = ours(&store, &blob);
    partial.write_at(0, &blob).unwrap();
    let error = store.import_partial(&partial, &descriptor(&blob), &other).unwrap_err();
    assert!(matches!(error, Error::Layer(_)), "the bytes are good, but another layer: {error}");
    assert!(!store.has_blob(&Digest::of(&blob)).unwrap());
    assert_eq!(std::fs::read_dir(store.path("layers")).unwrap().count(), 0);
}

#[test]
fn making_a_layer_ends_with_the_download() {
    let (_folder, store) = store();
    let (blob, options) = layer();
    let partial = ours(&store, &blob);
    partial.write_at(0, &blob[..100_000]).unwrap();
    partial.fail("the line is cut");
    let error = store.import_partial(&partial, &descriptor(&blob), &options).unwrap_err();
    assert!(matches!(error, Error::Stream { .. }), "{error}");
    drop(partial);
    assert_eq!(ours(&store, &blob).present(), 100_000, "what came is kept");
}
