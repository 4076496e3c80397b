//! What others have: images that are pulled, results of steps that were made on another machine.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

mod common;

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Arc, Mutex};

use common::Place;
use tug_builder::{
    Elsewhere, Error, ImageSource, InlineCache, LayerListener, NotPulled, PullPolicy, ResultSink,
    ResultSource,
};
use tug_layer_store::{
    Claim, ExportedResult, Fetcher, FoundResult, Image, ImportLayer, Mountable, Store, Wanted,
};
use tug_oci::{Descriptor, DiffId, Digest, ImageConfig, Platform, Reference, media_type};
use tug_testdata::Tree;

/// What one machine gives to others.
#[derive(Default)]
struct Shared {
    results: Mutex<HashMap<Digest, ExportedResult>>,
    asked: Mutex<Vec<Digest>>,
    told: Mutex<Vec<DiffId>>,
}

impl ResultSink for Shared {
    fn results(&self, results: Vec<ExportedResult>) {
        self.results.lock().unwrap().extend(results.into_iter().map(|result| (result.key.clone(), result)));
    }
}

impl LayerListener for Shared {
    fn layer(&self, layer: &DiffId, _blob: Option<&Descriptor>) {
        self.told.lock().unwrap().push(layer.clone());
    }
}

/// Gives the results of `shared`, whose layers are in `from`, to a build in `to`.
struct Exchange {
    shared: Arc<Shared>,
    from: Store,
    to: Store,
}

impl Exchange {
    fn blob(&self, layer: &DiffId) -> Descriptor {
        let mut tar = Vec::new();
        self.from.layer_tar(layer).unwrap().read_to_end(&mut tar).unwrap();
        Descriptor::new(media_type::OCI_LAYER, layer.digest().clone(), tar.len() as u64)
    }
}

impl ResultSource for Exchange {
    fn look_up(&self, key: &Digest) -> Option<FoundResult> {
        self.shared.asked.lock().unwrap().push(key.clone());
        let results = self.shared.results.lock().unwrap();
        let ExportedResult { record, layer, .. } = results.get(key)?.clone();
        let blob = self.blob(&layer);
        self.to.note_origin(&blob.digest, "registry.example/cache").unwrap();
        Some(FoundResult { record, layer, blob })
    }
}

/// Fetches layers out of another store, and remembers which.
struct Other {
    store: Store,
    fetched: Mutex<Vec<Digest>>,
    /// Nothing can be fetched any more.
    is_lost: bool,
}

impl Fetcher for Other {
    fn fetch(&self, store: &Store, blobs: &[Wanted]) -> Result<(), tug_layer_store::Error> {
        if self.is_lost {
            return Err(tug_layer_store::Error::Fetch("the registry has lost it".into()));
        }
        for wanted in blobs {
            let blob = &wanted.descriptor;
            self.fetched.lock().unwrap().push(blob.digest.clone());
            let bytes = self.store.read_blob(&blob.digest, blob.size).unwrap();
            let Claim::Ours(partial) = store.try_partial(&blob.digest, blob.size)? else { panic!() };
            partial.write_at(0, &bytes).unwrap();
            let materialise = wanted.mountable == Mountable::Now;
            let options =
                ImportLayer { expected: wanted.diff_id.clone(), materialise, ..ImportLayer::default() };
            drop(store.import_partial(&partial, blob, &options)?);
        }
        Ok(())
    }
}

impl ImageSource for Other {
    fn pull(&self, store: &Store, reference: &Reference, platform: &Platform) -> Result<Image, NotPulled> {
        let Some(target) = self.store.resolve(reference).unwrap() else {
            let message = format!("the registry has no `{}`", reference.familiar());
            return Err(NotPulled::Absent { message, help: None });
        };
        let image = self.store.image(&target, platform).unwrap();
        store.write_blob(image.config.bytes()).unwrap();
        store.write_blob(image.manifest.bytes()).unwrap();
        let layers: Vec<_> = image.manifest.layers.iter().map(|layer| &layer.digest).collect();
        store.note_origins(layers, "registry.example/base").unwrap();
        store.tag(reference, &image.descriptor).unwrap();
        Ok(image)
    }
}

const DOCKERFILE: &str = "FROM scratch AS build\nCOPY a /out/a\nCOPY b /out/b\nFROM scratch\n\
                          COPY --from=build /out/a /a\nWORKDIR /w\n";

#[test]
fn a_build_that_another_machine_has_made_needs_no_layer_of_it() {
    let context = Tree::default().file("a", "a").file("b", "b").in_a_temporary_folder();
    let (one, mut two) = (Place::new(), Place::new());
    let shared = Arc::new(Shared::default());
    let first = one.build_with(context.path(), DOCKERFILE, |options| {
        options.elsewhere.exports = Some(shared.clone());
        options.elsewhere.layers = Some(shared.clone());
    });
    let first = first.unwrap();
    let told = shared.told.lock().unwrap().clone();
    assert_eq!(told.len(), 2, "the layers of the image, and of no other stage");
    let in_image = shared.results.lock().unwrap().values().filter(|result| result.in_image).count();
    assert_eq!(in_image, 3, "COPY --from has two keys");

    let other = Arc::new(Other { store: one.store.clone(), fetched: Mutex::default(), is_lost: false });
    two.store = two.store.with_fetcher(other.clone());
    let source = Exchange { shared, from: one.store.clone(), to: two.store.clone() };
    let results: Vec<Arc<dyn ResultSource>> = vec![Arc::new(source)];
    let elsewhere = Elsewhere { results, ..Elsewhere::default() };
    let change = |options: &mut tug_builder::BuildOptions| options.elsewhere = elsewhere.clone();
    let second = two.build_quietly(context.path(), DOCKERFILE, change);
    assert_eq!((second.cached, second.new_bytes), (4, 0));
    assert_eq!(second.config, first.built.config, "the same image");
    assert!(other.fetched.lock().unwrap().is_empty(), "nobody has read a layer");
    // Known from now on, without the other machine being asked.
    let third = two.build_quietly(context.path(), DOCKERFILE, |_| {});
    assert_eq!((third.cached, &third.config), (4, &first.built.config));
    assert!(other.fetched.lock().unwrap().is_empty());
    // Somebody reads the image: its layers come, and those of the other stage do not.
    let image = two.store.image(&third.descriptor, &Platform::host()).unwrap();
    two.store.ensure_layers(image.layers(), Mountable::Later).unwrap();
    let fetched = other.fetched.lock().unwrap().clone();
    let wanted: Vec<Digest> = image.layers().map(|(_, blob)| blob.digest.clone()).collect();
    assert_eq!(fetched, wanted);
}

/// Notes in the config of an image what it was given.
struct Inside;

impl InlineCache for Inside {
    fn embed(&self, config: &mut ImageConfig, results: &[ExportedResult]) {
        let own = results.iter().filter(|result| config.rootfs.diff_ids.contains(&result.layer));
        let records = own.map(|result| serde_json::from_slice(&result.record).unwrap());
        config.other.insert("inside".to_owned(), serde_json::Value::Array(records.collect()));
    }
}

#[test]
fn an_image_may_hold_its_results_and_stays_the_same_on_every_machine() {
    let context = Tree::default().file("a", "a").file("b", "b").in_a_temporary_folder();
    let change = |options: &mut tug_builder::BuildOptions| {
        options.inline_cache = Some(Arc::new(Inside));
        options.source_date_epoch = Some(1_000_000_000);
    };
    let (one, two) = (Place::new(), Place::new());
    let built = one.build_quietly(context.path(), DOCKERFILE, change);
    let image = one.store.image(&built.descriptor, &Platform::host()).unwrap();
    assert_eq!(image.config.other["inside"].as_array().unwrap().len(), 3, "COPY --from has two keys");
    let other = two.build_quietly(context.path(), DOCKERFILE, change);
    assert_eq!(other.config, built.config);
    assert_eq!(
        one.build_quietly(context.path(), DOCKERFILE, change).config,
        built.config,
        "also when cached"
    );
}

#[test]
fn a_step_that_is_new_gets_the_layers_below_it_from_the_other_machine() {
    let context = Tree::default().file("a", "a").file("b", "b").in_a_temporary_folder();
    let (one, mut two) = (Place::new(), Place::new());
    let shared = Arc::new(Shared::default());
    one.build_with(context.path(), DOCKERFILE, |options| options.elsewhere.exports = Some(shared.clone()))
        .unwrap();
    let other = Arc::new(Other { store: one.store.clone(), fetched: Mutex::default(), is_lost: false });
    two.store = two.store.with_fetcher(other.clone());
    let source = Exchange { shared, from: one.store.clone(), to: two.store.clone() };
    let elsewhere = Elsewhere { results: vec![Arc::new(source)], ..Elsewhere::default() };
    let changed = DOCKERFILE.replace("/out/a /a", "/out/b /b");
    let outcome = two.build_with(context.path(), &changed, |options| options.elsewhere = elsewhere).unwrap();
    assert_eq!(outcome.built.cached, 2, "{:?}", outcome.events);
    assert!(outcome.listing.contains("b 644 0:0 \"b\""), "{}", outcome.listing);
    assert_eq!(other.fetched.lock().unwrap().len(), 2, "both layers of the first stage are looked into");
}

#[test]
fn a_layer_that_a_cache_has_told_of_and_nobody_has_is_made_here() {
    let context = Tree::default().file("a", "a").file("b", "b").in_a_temporary_folder();
    let (one, mut two) = (Place::new(), Place::new());
    let shared = Arc::new(Shared::default());
    let exports = Some(shared.clone() as Arc<dyn ResultSink>);
    one.build_with(context.path(), DOCKERFILE, |options| options.elsewhere.exports = exports).unwrap();
    two.store = two.store.with_fetcher(Arc::new(Other {
        store: one.store.clone(),
        fetched: Mutex::default(),
        is_lost: true,
    }));
    let source = Exchange { shared, from: one.store.clone(), to: two.store.clone() };
    let elsewhere = Elsewhere { results: vec![Arc::new(source)], ..Elsewhere::default() };
    let changed = DOCKERFILE.replace("/out/a /a", "/out/b /b");
    let outcome = two.build_with(context.path(), &changed, |options| options.elsewhere = elsewhere).unwrap();
    assert!(outcome.listing.contains("b 644 0:0 \"b\""), "{}", outcome.listing);
    assert_eq!(outcome.warnings().len(), 1, "{:?}", outcome.warnings());
    assert_eq!(outcome.built.cached, 0, "nothing of the cache can be had");
}

#[test]
fn a_base_image_is_pulled_by_its_documents_and_its_layers_come_when_they_are_read() {
    let context = Tree::default().file("a", "a").in_a_temporary_folder();
    let (one, mut two) = (Place::new(), Place::new());
    let base: Reference = "base:1".parse().unwrap();
    one.build_with(context.path(), "FROM scratch\nCOPY a /base\n", |options| {
        options.tags = vec![base.clone()];
    })
    .unwrap();
    let other = Arc::new(Other { store: one.store.clone(), fetched: Mutex::default(), is_lost: false });
    two.store = two.store.with_fetcher(other.clone());
    let pulling = |pull| Elsewhere { images: Some(other.clone()), pull, ..Elsewhere::default() };
    let refused = two.build_with(context.path(), "FROM base:1\n", |_| {});
    assert!(matches!(refused, Err(Error::Dockerfile { .. })), "nobody can be asked");
    let refused = two.build_with(context.path(), "FROM base:1\n", |options| {
        options.elsewhere = pulling(PullPolicy::Never);
    });
    assert!(matches!(refused, Err(Error::Dockerfile { .. })), "nobody may be asked");
    let built = two.build_quietly(context.path(), "FROM base:1\nENV A=b\n", |options| {
        options.elsewhere = pulling(PullPolicy::Missing);
    });
    assert!(other.fetched.lock().unwrap().is_empty(), "only the config changes");
    assert_eq!(built.steps, 1);
    // It has its name here now; whether the registry has a newer one is asked when that is wished.
    one.build_with(context.path(), "FROM scratch\nCOPY a /newer\n", |options| {
        options.tags = vec![base.clone()];
    })
    .unwrap();
    for (pull, expected) in
        [(PullPolicy::Missing, "base"), (PullPolicy::Newer, "newer"), (PullPolicy::Always, "newer")]
    {
        let outcome = two.build_with(context.path(), "FROM base:1\nCOPY a /top\n", |options| {
            options.elsewhere = pulling(pull);
        });
        assert!(outcome.unwrap().listing.starts_with(expected), "{pull:?}");
    }
    let local = |options: &mut tug_builder::BuildOptions| options.tags = vec!["local:1".parse().unwrap()];
    two.build_with(context.path(), "FROM scratch\nCOPY a /\n", local).unwrap();
    for (pull, works) in [(PullPolicy::Newer, true), (PullPolicy::Always, false)] {
        let outcome =
            two.build_with(context.path(), "FROM local:1\n", |options| options.elsewhere = pulling(pull));
        assert_eq!(outcome.is_ok(), works, "{pull:?}");
    }
}
