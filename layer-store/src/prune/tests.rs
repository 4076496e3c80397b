use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use tug_oci::{DiffId, ImageConfig, Platform};

use super::*;
use crate::cache_mounts::{CacheId, CacheSharing};
use crate::entry::NewEntry;
use crate::image::Image;
use crate::layer::{ImportLayer, LayerWriterOptions};
use crate::store::tests::{PLAIN, store};
use crate::usage::folder_size;

const STEP: &dyn Fn(&[u8]) -> ResultKind = &|_| ResultKind::Step;
const NOBODY: &Patience<'static> = &Patience::NONE;

fn layer(store: &Store, content: &str) -> DiffId {
    let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
    let bytes = content.repeat(20_000);
    let file = NewEntry::file("file", 0o644, bytes.len() as u64);
    writer.add(&file, Some(&mut bytes.as_bytes())).unwrap();
    writer.finish().unwrap().diff_id().clone()
}

fn image(store: &Store, layers: &[&str]) -> Image {
    let mut config = ImageConfig::empty(Platform::linux("amd64"));
    config.rootfs.diff_ids = layers.iter().map(|content| layer(store, content)).collect();
    store.write_image(config, BTreeMap::new()).unwrap()
}

fn tag(store: &Store, name: &str, image: &Image) {
    store.tag(&name.parse().unwrap(), &image.descriptor).unwrap();
}

/// The result of a step, used so many hours ago.
fn result(store: &Store, key: &str, layer: &DiffId, hours: u64) {
    let key = Digest::of(key.as_bytes());
    store.put_cache_record(&key, format!(r#"{{"layer":"{layer}"}}"#).as_bytes()).unwrap();
    let path =
        store.record_files().unwrap().into_iter().find(|path| path.ends_with(format!("{}.json", key.hex())));
    let opened = std::fs::File::options().append(true).open(path.unwrap()).unwrap();
    opened.set_modified(hours_ago(hours)).unwrap();
}

fn hours_ago(hours: u64) -> SystemTime {
    SystemTime::now() - Duration::from_secs(hours * 3600)
}

fn cache(all: bool) -> PruneOptions<'static> {
    PruneOptions { cache: Some(CachePrune { all, ..CachePrune::default() }), ..PruneOptions::default() }
}

fn images(all: bool, spare: &dyn Fn(&crate::usage::ImageUsage) -> Option<String>) -> PruneOptions<'_> {
    PruneOptions { images: Some(ImagePrune { all, spare }), ..PruneOptions::default() }
}

/// Prunes, and checks that the plan was right to the byte.
fn prune(store: &Store, options: &PruneOptions<'_>) -> PrunePlan {
    let taken = || {
        // Names are not removed; their file becomes shorter.
        let size = store.survey(STEP).unwrap();
        assert_eq!(size.total().allocated, folder_size(store.root()).size.allocated);
        size.total().allocated - size.rest.allocated
    };
    // What other parts of the store throw away is unlinked on a thread.
    store.remove_left_behind().unwrap();
    let before = taken();
    let planned = store.plan_prune(options, STEP).unwrap();
    let pruned = store.prune(options, STEP, NOBODY).unwrap();
    assert_eq!(pruned.busy, None);
    assert_eq!(pruned.plan, planned, "a dry run says what happens");
    assert_eq!(before - taken(), pruned.plan.frees(), "what is said to be free is free");
    pruned.plan
}

fn has(store: &Store, layer: &DiffId) -> bool {
    store.layer(layer).unwrap().is_some()
}

#[test]
fn nameless_images_go_and_what_others_share_stays() {
    let (_folder, store) = store();
    let (named, nameless) = (image(&store, &["base", "one"]), image(&store, &["base", "two"]));
    image(&store, &["nobody's"]);
    tag(&store, "named", &named);
    store.keep(&nameless.descriptor).unwrap();
    let plan = prune(&store, &images(false, &|_| None));
    assert_eq!(
        plan.removed.iter().map(|planned| &planned.why).collect::<Vec<_>>(),
        [&Why::Unreferenced, &Why::Nameless]
    );
    assert!(matches!(&plan.kept[..], [Planned { why: Why::Named, .. }]), "{:?}", plan.kept);
    assert_eq!(named.diff_ids().iter().map(|layer| has(&store, layer)).collect::<Vec<_>>(), [true, true]);
    assert!(!has(&store, &nameless.diff_ids()[1]));
    let spares = |_: &crate::usage::ImageUsage| Some("too dear".to_owned());
    let plan = prune(&store, &images(true, &spares));
    assert!(plan.removed.is_empty() && plan.kept[0].why.to_string() == "too dear");
    let plan = prune(&store, &images(true, &|_| None));
    assert!(
        plan.frees() > 2 * 80_000 && store.refs().unwrap().is_empty() && !has(&store, &named.diff_ids()[0])
    );
}

#[test]
fn results_whose_layers_are_in_images_go_only_when_all_do() {
    let (_folder, store) = store();
    let image = image(&store, &["image"]);
    tag(&store, "app", &image);
    let lone = layer(&store, "lone");
    result(&store, "of the image", &image.diff_ids()[0], 1);
    result(&store, "lone", &lone, 1);
    result(&store, "lone, quick key", &lone, 2);
    store.put_last_record(&Digest::of(b"slot"), b"{}").unwrap();
    let plan = prune(&store, &cache(false));
    assert!(
        matches!(&plan.removed[..], [Planned { what: Prunable::Result { keys, .. }, .. }] if keys.len() == 2)
    );
    assert!(!has(&store, &lone) && has(&store, &image.diff_ids()[0]));
    assert_eq!(plan.kept[0].why, Why::InImage);
    let plan = prune(&store, &cache(true));
    assert_eq!(plan.removed.len(), 2, "the result, and what explains misses");
    assert!(has(&store, &image.diff_ids()[0]) && store.record_files().unwrap().is_empty());
}

#[test]
fn the_least_recently_used_go_first_until_the_cache_is_small_enough() {
    let (_folder, store) = store();
    let layers: Vec<DiffId> = ["a", "b", "c", "d"].iter().map(|name| layer(&store, name)).collect();
    // One of them was used again under another key.
    for (key, layer, hours) in [("a", 0, 4), ("b", 1, 9), ("c", 2, 2), ("d", 3, 8), ("b again", 1, 1)] {
        result(&store, key, &layers[layer], hours);
    }
    let size = store.survey(STEP).unwrap().cache_size().allocated;
    let most = |most| PruneOptions {
        cache: Some(CachePrune {
            limits: CacheLimits { most: Some(most), ..CacheLimits::default() },
            ..CachePrune::default()
        }),
        ..PruneOptions::default()
    };
    assert!(prune(&store, &most(size)).removed.is_empty(), "it is small enough");
    let plan = prune(&store, &most(size - 1));
    assert_eq!(plan.removed.len(), 1);
    assert_eq!(layers.iter().map(|layer| has(&store, layer)).collect::<Vec<_>>(), [true, true, true, false]);
    prune(&store, &most(size * 2 / 3));
    assert_eq!(layers.iter().map(|layer| has(&store, layer)).collect::<Vec<_>>(), [false, true, true, false]);
    let young =
        CachePrune { unused_since: Some(hours_ago(1) - Duration::from_secs(60)), ..CachePrune::default() };
    prune(&store, &PruneOptions { cache: Some(young), ..PruneOptions::default() });
    assert_eq!(
        layers.iter().map(|layer| has(&store, layer)).collect::<Vec<_>>(),
        [false, true, false, false]
    );
}

#[test]
fn results_that_would_free_nothing_stay_until_the_others_are_gone() {
    let (_folder, store) = store();
    let (one, two) = (layer(&store, "one"), layer(&store, "two"));
    let both = format!(r#"["{one}","{two}"]"#);
    store.put_cache_record(&Digest::of(b"both"), both.as_bytes()).unwrap();
    result(&store, "one", &one, 5);
    let options = |most| PruneOptions {
        cache: Some(CachePrune {
            limits: CacheLimits { most: Some(most), ..CacheLimits::default() },
            ..CachePrune::default()
        }),
        ..PruneOptions::default()
    };
    let size = store.survey(STEP).unwrap().cache_size().allocated;
    prune(&store, &options(size - 1));
    assert_eq!(
        (has(&store, &one), has(&store, &two)),
        (true, false),
        "the older one alone would free nothing"
    );
    prune(&store, &options(0));
    assert!(!has(&store, &one));
}

#[test]
fn only_the_kinds_that_were_asked_for_go() {
    let (_folder, store) = store();
    let lone = layer(&store, "lone");
    result(&store, "lone", &lone, 1);
    let id = CacheId { id: "npm".to_owned(), variant: String::new() };
    let mount = store.try_cache(&id, CacheSharing::Shared).unwrap().unwrap();
    let make = |path: &std::path::Path| std::fs::create_dir(path).map_err(failed("create", path));
    std::fs::write(mount.directory(make).unwrap().join("a"), vec![1; 100_000]).unwrap();
    std::fs::create_dir_all(store.path("git/ab12")).unwrap();
    std::fs::write(store.path("git/ab12/HEAD"), "x").unwrap();
    let kinds = |kinds: &[CacheKind]| PruneOptions {
        cache: Some(CachePrune {
            kinds: kinds.iter().copied().collect::<BTreeSet<_>>(),
            ..CachePrune::default()
        }),
        ..PruneOptions::default()
    };
    let plan = prune(&store, &kinds(&[CacheKind::Mount, CacheKind::Git]));
    assert_eq!(plan.removed.len(), 1, "{:?}", plan.removed);
    assert!(plan.kept.iter().any(|kept| kept.what == Prunable::Mount(id.clone()) && kept.why == Why::InUse));
    drop(mount);
    prune(&store, &kinds(&[CacheKind::Mount]));
    assert!(store.caches().unwrap().is_empty() && has(&store, &lone));
}

#[test]
fn builds_and_what_failed_steps_left_go_unless_they_are_in_use() {
    let (_folder, store) = store();
    for id in ["1", "2", "3"] {
        let (build, _events) = store.create_build(id).unwrap().unwrap();
        std::fs::create_dir_all(build.leftover()).unwrap();
        std::fs::write(build.leftover().join("file"), vec![1; 50_000]).unwrap();
    }
    let read = store.open_build("1").unwrap().unwrap();
    let leftovers = PruneOptions { leftovers: true, ..PruneOptions::default() };
    let plan = prune(&store, &leftovers);
    assert_eq!((plan.removed.len(), plan.kept.len()), (2, 1));
    assert!(plan.frees() > 100_000 && read.leftover().exists());
    drop(read);
    let keep = PruneOptions { builds: Some(BuildPrune { keep: 1, before: None }), ..leftovers };
    let plan = prune(&store, &keep);
    assert_eq!(store.build_ids().unwrap(), ["3"]);
    assert_eq!(plan.kept[0].why, Why::AmongNewest);
}

#[test]
fn forms_go_only_when_they_can_be_made_again() {
    let (_folder, store) = store();
    let made = image(&store, &["made here"]);
    tag(&store, "made", &made);
    let tar = std::fs::read(store.blob_path(layer(&store, "pulled").digest())).unwrap();
    let compressed = zstd::encode_all(&tar[..], 1).unwrap();
    let keep_plain_tar = ImportLayer { keep_plain_tar: true, ..ImportLayer::default() };
    let elsewhere = crate::store::tests::store();
    let pulled =
        elsewhere.1.import_layer(&mut compressed.as_slice(), &keep_plain_tar).unwrap().diff_id().clone();
    store.trash().throw(&store.layer_folder(&pulled)).unwrap();
    store.trash().throw(&store.blob_path(pulled.digest())).unwrap();
    store.import_layer(&mut compressed.as_slice(), &keep_plain_tar).unwrap();
    let mut config = ImageConfig::empty(Platform::linux("amd64"));
    config.rootfs.diff_ids = vec![pulled.clone()];
    let image = store.write_image(config, BTreeMap::new()).unwrap();
    tag(&store, "pulled", &image);
    store.lower(&[made.diff_ids()[0].clone(), pulled.clone()]).unwrap();

    let derived = PruneOptions { derived: true, ..PruneOptions::default() };
    let plan = prune(&store, &derived);
    let goes = |what: &Prunable| plan.removed.iter().any(|planned| planned.what == *what);
    assert!(goes(&Prunable::Tree(made.diff_ids()[0].clone())) && goes(&Prunable::Tree(pulled.clone())));
    assert!(
        goes(&Prunable::PlainTar(pulled.clone())) && !goes(&Prunable::PlainTar(made.diff_ids()[0].clone()))
    );
    let lower = store.lower(&[made.diff_ids()[0].clone(), pulled.clone()]).unwrap();
    assert_eq!(lower.len(), 2, "they are made again");
    let mut again = Vec::new();
    std::io::Read::read_to_end(&mut store.layer_tar(&pulled).unwrap(), &mut again).unwrap();
    assert_eq!(again, tar);
}

#[test]
fn while_somebody_needs_everything_only_what_nobody_uses_goes() {
    let (_folder, store) = store();
    let lone = layer(&store, "lone");
    result(&store, "lone", &lone, 1);
    store.create_build("1").unwrap().unwrap();
    std::fs::write(store.path("ingest/blob-dead"), "half").unwrap();
    let other = Store::open_read_only(store.root(), &PLAIN).unwrap();
    let all = PruneOptions { builds: Some(BuildPrune::default()), ..cache(true) };
    let pruned = store.prune(&all, STEP, NOBODY).unwrap();
    assert_eq!(pruned.busy, Some(Vec::new()), "it is this process itself");
    assert!(
        has(&store, &lone)
            && store.build_ids().unwrap().is_empty()
            && !store.path("ingest/blob-dead").exists()
    );
    assert!(pruned.plan.kept.iter().all(|kept| kept.why == Why::StoreBusy), "{:?}", pruned.plan.kept);
    drop(other);
    store.prune(&all, STEP, NOBODY).unwrap();
    assert!(!has(&store, &lone));
}

#[test]
fn what_others_have_looked_at_stays_and_everything_else_goes() {
    let (_folder, store) = store();
    let (used, unused) = (image(&store, &["base", "used"]), image(&store, &["base", "unused"]));
    tag(&store, "used", &used);
    tag(&store, "unused", &unused);
    let (seen, unseen) = (layer(&store, "seen"), layer(&store, "unseen"));
    result(&store, "seen", &seen, 1);
    result(&store, "unseen", &unseen, 1);
    let other = Store::open(store.root(), &PLAIN).unwrap();
    assert!(other.resolve(&"used".parse().unwrap()).unwrap().is_some());
    assert!(other.cache_record(&Digest::of(b"seen")).unwrap().is_some());
    // It has seen them in a list only.
    assert_eq!(other.images(&Platform::linux("amd64")).unwrap().len(), 2);
    let everything = PruneOptions { cache: cache(true).cache, ..images(true, &|_| None) };
    let pruned = store.prune(&everything, STEP, NOBODY).unwrap();
    let in_use = pruned.plan.kept.iter().filter(|kept| kept.why == Why::InUse);
    let in_use: Vec<_> = in_use.map(|kept| kept.what.clone()).collect();
    let image = |image: &Image, name: &str| Prunable::Image {
        digest: image.descriptor.digest.clone(),
        names: vec![name.parse().unwrap()],
    };
    let result = |key: &[u8]| Prunable::Result { keys: vec![Digest::of(key)], kind: CacheKind::Step };
    assert_eq!(in_use, [image(&used, "used"), result(b"seen")]);
    let removed: Vec<_> = pruned.plan.removed.into_iter().map(|removed| removed.what).collect();
    assert!(
        removed.contains(&image(&unused, "unused")) && removed.contains(&result(b"unseen")),
        "{removed:?}"
    );
    for layer in [&used.diff_ids()[0], &used.diff_ids()[1], &seen] {
        assert!(has(&other, layer), "somebody uses it");
    }
    for layer in [&unused.diff_ids()[1], &unseen] {
        assert!(!has(&other, layer), "nobody uses it");
    }
    drop(other);
    store.prune(&everything, STEP, NOBODY).unwrap();
    assert_eq!(folder_size(&store.path("layers")).entries, 0, "something is left");
}

#[test]
fn users_are_waited_for_and_named_once() {
    let (_folder, store) = store();
    let lone = layer(&store, "lone");
    result(&store, "lone", &lone, 1);
    let other = Store::open(store.root(), &PLAIN).unwrap();
    assert!(has(&other, &lone));
    let told = std::cell::Cell::new(0);
    let other = std::cell::RefCell::new(Some(other));
    // Whoever uses it ends while it is waited for.
    let tell = |_: &[StoreUser]| {
        told.set(told.get() + 1);
        drop(other.take());
    };
    let patience = Patience { limit: Duration::from_secs(60), tell: &tell };
    let pruned = store.prune(&cache(false), STEP, &patience).unwrap();
    assert_eq!((pruned.busy, told.get(), has(&store, &lone)), (None, 1, false));
}

#[test]
fn two_prunes_do_not_wait_for_each_other() {
    let (_folder, first) = store();
    let second = Store::open(first.root(), &PLAIN).unwrap();
    let reader = Store::open_read_only(first.root(), &PLAIN).unwrap();
    let layers = [&first, &second].map(|store| layer(store, "lone"));
    std::thread::scope(|scope| {
        for store in [first, second] {
            scope.spawn(move || {
                let patience = Patience { limit: Duration::from_secs(60), tell: &|_| {} };
                assert_eq!(store.prune(&cache(false), STEP, &patience).unwrap().busy, None);
            });
        }
        drop(reader);
    });
    assert_eq!(layers[0], layers[1]);
}
