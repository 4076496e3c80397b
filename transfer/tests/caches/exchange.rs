//! What is the same wherever a cache is.

use tug_layer_store::ExportedResult;
use tug_oci::Digest;
use tug_transfer::cache::{Bounds, CacheMode, CachePlace, ExportOptions};

use crate::support::{Machine, NOW, folder, options};

/// Runs a test with a cache in each kind of place.
fn everywhere(test: impl Fn(&CachePlace)) {
    let place = tempfile::tempdir().unwrap();
    test(&folder(&place.path().join("a cache, 100%")));
    let server = crate::registry::server();
    test(&server.place("team/app:cache"));
}

#[test]
fn what_one_machine_has_made_another_one_has_and_fetches_when_it_reads() {
    everywhere(|place| {
        let (one, two) = (Machine::new(), Machine::new());
        assert!(two.find(place, "a").is_none());
        let notices = two.notices();
        assert!(notices.len() == 1 && notices[0].contains("there is no cache"), "{notices:?}");

        let results = [one.made("a", 200_000), one.made("b", 100_000)];
        let exported = one.export(place, &results);
        assert_eq!((exported.records, exported.new, exported.left_out, exported.removed), (2, 2, 0, 0));
        assert!(exported.is_written && exported.sent > 300_000 && exported.shared == 0, "{exported:?}");

        let found = two.find(place, "a").unwrap();
        assert_eq!((&found.record, &found.layer), (&results[0].record, &results[0].layer));
        assert!(two.find(place, "never built").is_none());
        assert_eq!(two.blobs(), 0, "a hit fetches nothing");
        assert!(two.store.can_bring(&found.blob.digest).unwrap());
        two.read(&found).unwrap();
        assert!(two.store.layer(&found.layer).unwrap().is_some());
        assert_eq!(two.blobs(), 1, "the other layer was not needed");
        assert_eq!(two.notices(), Vec::<String>::new());
    });
}

#[test]
fn exporting_again_sends_only_what_is_new_and_keeps_what_others_have_put_there() {
    everywhere(|place| {
        let (one, two) = (Machine::new(), Machine::new());
        one.export(place, &[one.made("a", 100_000)]);
        let again = one.export(place, &[one.made("a", 100_000)]);
        assert!(!again.is_written && again.sent == 0 && again.shared > 100_000, "{again:?}");
        let other = two.export(place, &[two.made("b", 50_000)]);
        assert_eq!((other.records, other.new), (2, 1));
        assert!(one.find(place, "b").is_some() && two.find(place, "a").is_some());

        // What was found there and never fetched is there already.
        let three = Machine::new();
        let found = three.find(place, "a").unwrap();
        let found = ExportedResult {
            key: Digest::of(b"a"),
            record: found.record,
            layer: found.layer,
            blob: Some(found.blob),
            in_image: false,
        };
        let exported = three.export(place, &[found, three.made("c", 50_000)]);
        assert_eq!((exported.records, exported.new, exported.left_out), (3, 1, 0));
        assert!(exported.sent < 60_000 && exported.shared > 100_000, "{exported:?}");
        assert_eq!(three.find(place, "c").unwrap().record, three.made("c", 50_000).record);
    });
}

#[test]
fn the_smaller_mode_has_what_is_in_images() {
    everywhere(|place| {
        let one = Machine::new();
        let hidden = ExportedResult { in_image: false, ..one.made("hidden", 1000) };
        let options = ExportOptions { mode: CacheMode::Min, ..options() };
        let exported = one.try_export(place, &[one.made("shown", 1000), hidden], &options).unwrap();
        assert_eq!((exported.records, exported.left_out), (1, 0));
        assert!(one.find(place, "shown").is_some() && one.find(place, "hidden").is_none());
    });
}

#[test]
fn it_stays_within_its_bounds() {
    everywhere(|place| {
        let one = Machine::new();
        one.export(place, &[one.made("old", 100_000)]);
        let options = ExportOptions {
            bounds: Bounds { max_size: 150_000, ..Bounds::default() },
            now: NOW + 10,
            ..options()
        };
        let exported = one.try_export(place, &[one.made("new", 100_000)], &options).unwrap();
        assert_eq!((exported.records, exported.new, exported.removed), (1, 1, 1));
        assert!(one.find(place, "old").is_none() && one.find(place, "new").is_some());
    });
}

#[test]
fn a_layer_that_is_nowhere_is_left_out() {
    everywhere(|place| {
        let (one, other) = (Machine::new(), Machine::new());
        let gone = other.made("gone", 1000);
        let exported = one.export(place, &[gone, one.made("here", 1000)]);
        assert_eq!((exported.records, exported.left_out), (1, 1));
    });
}

#[test]
fn from_one_cache_to_another_layers_go_without_being_made() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (from, to) = (folder(from.path()), folder(to.path()));
    let (one, two) = (Machine::new(), Machine::new());
    one.export(&from, &[one.made("a", 100_000)]);
    let found = two.find(&from, "a").unwrap();
    let (key, blob) = (Digest::of(b"a"), Some(found.blob.clone()));
    let result = ExportedResult { key, record: found.record, layer: found.layer, blob, in_image: true };
    let exported = two.export(&to, &[result]);
    assert_eq!((exported.records, exported.sent), (1, found.blob.size));
    let three = Machine::new();
    three.read(&three.find(&to, "a").unwrap()).unwrap();
}
