use super::*;
use crate::store::tests::store;
use crate::view::tests::layer;

fn told(waste: &Waste) -> Vec<String> {
    let hidden = waste.hidden.iter().map(|hidden| {
        let path = String::from_utf8_lossy(&hidden.path);
        let Hidden { layer, by, how, files, bytes, .. } = hidden;
        format!("{path} of {layer} by {by} {how:?}: {files} files, {bytes} bytes")
    });
    hidden.collect()
}

#[test]
fn what_later_layers_remove_or_replace_is_counted_once() {
    let (_folder, store) = store();
    let low = layer(
        &store,
        &[
            ("d/", None),
            ("d/a", Some("12345")),
            ("d/b", Some("123")),
            ("e", Some("1234")),
            ("f", Some("1")),
            ("g", Some("12")),
        ],
    );
    let middle = layer(&store, &[("-d", None), ("e", Some("1234")), ("f", Some("22"))]);
    let high = layer(&store, &[("-f", None)]);
    let waste = store.view(&[low, middle, high]).unwrap().waste();
    assert_eq!(
        told(&waste),
        [
            "d of 0 by 1 Removal: 2 files, 8 bytes",
            "e of 0 by 1 SameContent: 1 files, 4 bytes",
            "f of 1 by 2 Removal: 1 files, 2 bytes",
            "f of 0 by 1 Replacement: 1 files, 1 bytes",
        ]
    );
    assert_eq!((waste.hidden_bytes(), waste.content_size), (15, 21));
}

/// By hand, as dive counts: a: 5; d (removed with 5 in it): 5; e: 4 + 4, at least 4; f: 1 + 2 + 0, at least 0.
#[test]
fn the_score_is_dives() {
    let (_folder, store) = store();
    let low = layer(&store, &[("d/", None), ("d/a", Some("12345")), ("e", Some("1234")), ("f", Some("1"))]);
    let middle = layer(&store, &[("-d", None), ("e", Some("4321")), ("f", Some("22"))]);
    let high = layer(&store, &[("-f", None)]);
    let score = store.view(&[low, middle, high]).unwrap().waste().score;
    assert_eq!(score.wasted_bytes, 8 + 3);
    assert!((score.efficiency - 14.0 / 21.0).abs() < 1e-9, "{score:?}");
    assert!((score.user_wasted_percent - 11.0 / 6.0).abs() < 1e-9, "{score:?}");
    let none = store.view(&[]).unwrap().waste();
    assert_eq!((none.score.efficiency, none.score.user_wasted_percent), (1.0, 0.0));
}

#[test]
fn bytes_with_another_name_are_not_lost() {
    let (_folder, store) = store();
    let low = layer(&store, &[("a", Some("12345")), ("b", Some("=a"))]);
    let half = layer(&store, &[("-a", None)]);
    let waste = store.view(&[low.clone(), half.clone()]).unwrap().waste();
    assert_eq!((told(&waste), waste.duplicates), (vec![], vec![]));
    let rest = layer(&store, &[("-b", None)]);
    let waste = store.view(&[low, half, rest]).unwrap().waste();
    assert_eq!(told(&waste), ["b of 0 by 2 Removal: 1 files, 5 bytes"]);
}

#[test]
fn the_same_content_twice_and_forgotten_caches_are_found() {
    let (_folder, store) = store();
    let low = layer(&store, &[("a", Some("same")), ("x", Some("other"))]);
    let lists = ["var/", "var/lib/", "var/lib/apt/", "var/lib/apt/lists/"];
    let mut entries: Vec<(&str, Option<&str>)> = vec![("b", Some("same")), ("c", Some("same"))];
    entries.extend(lists.map(|path| (path, None)));
    entries.push(("var/lib/apt/lists/index", Some("many packages")));
    let waste = store.view(&[low, layer(&store, &entries)]).unwrap().waste();
    assert_eq!(waste.duplicate_bytes(), 8);
    let places: Vec<_> = waste.duplicates[0].places.iter().map(|(path, layer)| (&path[..], *layer)).collect();
    assert_eq!(places, [(&b"a"[..], 0), (b"b", 1), (b"c", 1)]);
    let [lists] = waste.leftovers.as_slice() else { panic!("{:?}", waste.leftovers) };
    assert_eq!((lists.kind.name, lists.layer, lists.bytes), ("apt's package lists", 1, 13));
    assert_eq!(lists.path, b"var/lib/apt/lists");
}
