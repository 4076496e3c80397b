//! The same Dockerfile, context and base give the same image, wherever and however it is built.

mod common;

use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

use common::Place;
use tug_builder::BuildOptions;
use tug_layer_store::EntryKind;

const DOCKERFILE: &str = "\
FROM scratch AS one
WORKDIR /made
COPY a.txt sub ./
FROM scratch
COPY --from=one /made /made
COPY . /all/
COPY <<END /inline
text
END
";

const EPOCH: i64 = 1_700_000_000;

/// A context whose files were changed `age` seconds ago, or will be.
fn context(age: i64) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    std::fs::create_dir(folder.path().join("sub")).expect("a folder can be made");
    for name in ["a.txt", "sub/b.txt", "sub", "."] {
        let path = folder.path().join(name);
        if !path.is_dir() {
            std::fs::write(&path, name).expect("a file can be written");
        }
        let opened = File::open(&path).expect("it is there");
        let now = SystemTime::now();
        let duration = Duration::from_secs(age.unsigned_abs());
        let time = if age < 0 { now + duration } else { now - duration };
        opened.set_modified(time).expect("times can be set");
    }
    folder
}

fn digest(place: &Place, context: &Path, dockerfile: &str, change: impl FnOnce(&mut BuildOptions)) -> String {
    let built = place.build_with(context, dockerfile, |options| {
        options.source_date_epoch = Some(EPOCH);
        change(options);
    });
    built.expect("it can be built").built.descriptor.digest.to_string()
}

#[test]
fn one_digest_from_a_miss_a_hit_another_store_other_times_and_any_number_of_threads() {
    let place = Place::new();
    let (new, old) = (context(-100_000), context(2_000_000_000 - EPOCH));
    let first = digest(&place, new.path(), DOCKERFILE, |_| {});
    assert_eq!(digest(&place, new.path(), DOCKERFILE, |_| {}), first, "all from the cache");
    assert_eq!(digest(&place, old.path(), DOCKERFILE, |_| {}), first, "checked out at another time");
    assert_eq!(digest(&place, new.path(), DOCKERFILE, |options| options.no_cache = true), first);
    for jobs in [1, 8] {
        for context in [&new, &old] {
            let other = digest(&Place::new(), context.path(), DOCKERFILE, |options| options.jobs = jobs);
            assert_eq!(other, first, "{jobs} threads in another store");
        }
    }
    assert_ne!(digest(&place, new.path(), DOCKERFILE, |options| options.source_date_epoch = Some(5)), first);
}

#[test]
fn files_of_the_context_have_the_time_and_those_of_the_base_keep_theirs() {
    let place = Place::new();
    let context = context(1_000_000_000);
    place
        .build_with(context.path(), "FROM scratch\nCOPY a.txt /base.txt\n", |options| {
            options.source_date_epoch = Some(EPOCH + 1_000);
            options.tags = vec!["base".parse().expect("it is a name")];
        })
        .expect("it can be built");
    let outcome = place
        .build_with(context.path(), "FROM base\nCOPY a.txt /own.txt\n", |options| {
            options.source_date_epoch = Some(EPOCH);
        })
        .expect("it can be built");
    let image =
        place.store.image(&outcome.built.descriptor, &tug_oci::Platform::host()).expect("it is in the store");
    let view = place.store.view(image.diff_ids()).expect("its layers are in the store");
    let time = |path: &str| {
        let node = view.lookup(path.as_bytes()).expect("it is there");
        assert!(matches!(node.entry().kind, EntryKind::File { .. }));
        node.entry().mtime.seconds
    };
    assert_eq!((time("base.txt"), time("own.txt")), (EPOCH + 1_000, EPOCH));
}

#[test]
fn the_dockerfile_may_say_the_time() {
    let place = Place::new();
    let context = context(0);
    let created = |dockerfile: &str, change: &dyn Fn(&mut BuildOptions)| {
        let outcome = place.build_with(context.path(), dockerfile, |options| change(options));
        let built = outcome.expect("it can be built").built;
        let platform = tug_oci::Platform::host();
        let image = place.store.image(&built.descriptor, &platform).expect("it is in the store");
        image.config.created.clone().unwrap_or_default()
    };
    let env = "FROM scratch\nENV SOURCE_DATE_EPOCH=1000000000\nCOPY a.txt /\n";
    let global = "ARG SOURCE_DATE_EPOCH=1000000000\nFROM scratch\nCOPY a.txt /\n";
    for dockerfile in [env, global] {
        assert_eq!(created(dockerfile, &|_| {}), "2001-09-09T01:46:40Z");
        let given = created(dockerfile, &|options| options.source_date_epoch = Some(0));
        assert_eq!(given, "1970-01-01T00:00:00Z", "what the caller says counts before it");
    }
    let problem = common::problem(context.path(), "FROM scratch\nENV SOURCE_DATE_EPOCH=soon\n");
    assert_eq!(problem.message, "`SOURCE_DATE_EPOCH` in the Dockerfile is `soon`, which is not a time");
}
