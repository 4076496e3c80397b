//! What is kept of builds: events that can be read again, records, and what becomes of them.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

mod common;

use common::Place;
use tug_builder::{Build, BuildStatus, Error, Event};
use tug_layer_store::BuildLimits;
use tug_testdata::Tree;

const DOCKERFILE: &str = "FROM scratch AS files\nCOPY a /\nFROM scratch\nCOPY --from=files /a /b\n";

fn events(build: &Build) -> Vec<Event> {
    let mut replay = build.replay().unwrap();
    std::iter::from_fn(|| replay.next_event().unwrap()).map(|(_, event)| event).collect()
}

#[test]
fn a_build_is_recorded_as_it_was_told() {
    let (place, context) = (Place::new(), Tree::default().file("a", "1").in_a_temporary_folder());
    let tagged = |options: &mut tug_builder::BuildOptions| options.tags = vec!["app".parse().unwrap()];
    let outcome = place.build_with(context.path(), DOCKERFILE, tagged).unwrap();
    let build = Build::open(&place.store, &outcome.built.build).unwrap().unwrap();
    assert_eq!(events(&build), outcome.events);

    let record = &build.record;
    assert_eq!((record.status, record.id.as_str()), (BuildStatus::Done, outcome.built.build.as_str()));
    assert_eq!((record.steps, record.cached, record.new_bytes), (2, 0, outcome.built.new_bytes));
    let unit = &record.units[0];
    assert_eq!(
        (unit.tags.as_slice(), unit.dockerfile.as_str()),
        (&["app:latest".to_owned()][..], "Dockerfile")
    );
    assert_eq!(unit.context, context.path().to_string_lossy());
    assert_eq!(unit.manifest.as_ref(), Some(&outcome.built.descriptor.digest));
    assert!(record.seconds.is_some() && record.error.is_none());
}

#[test]
fn a_hit_says_who_made_the_result_and_a_miss_since_when() {
    let (place, context) = (Place::new(), Tree::default().file("a", "1").in_a_temporary_folder());
    let first = place.build(context.path(), DOCKERFILE).unwrap().built.build;
    let second = place.build(context.path(), DOCKERFILE).unwrap();
    let made_by = second.events.iter().filter_map(|event| match event {
        Event::Cached { made_by, .. } => made_by.as_ref().map(|by| by.build.as_str()),
        _ => None,
    });
    assert_eq!(made_by.collect::<Vec<_>>(), [first.as_str(), first.as_str()]);

    std::fs::write(context.path().join("a"), "2").unwrap();
    let third = place.build(context.path(), DOCKERFILE).unwrap();
    let missed = third.events.iter().find_map(|event| match event {
        Event::Missed { since, changes, .. } => Some((since.clone().unwrap(), changes.clone())),
        _ => None,
    });
    let (since, changes) = missed.unwrap();
    assert_eq!((since.build.as_str(), changes[0].name.as_str()), (first.as_str(), "a"));
    assert!(since.time.ends_with('Z'), "{}", since.time);
}

#[test]
fn a_build_that_fails_is_recorded_with_its_reason_and_place() {
    let (place, context) = (Place::new(), Tree::default().in_a_temporary_folder());
    assert!(place.build(context.path(), "FROM scratch\nCOPPY a /\n").is_err());
    assert!(place.build(context.path(), "FROM scratch\nCOPY nothing /\n").is_err());
    let builds = Build::all(&place.store).unwrap();
    let errors: Vec<_> = builds.iter().map(|build| build.record.error.clone().unwrap()).collect();
    let told: Vec<_> =
        errors.iter().map(|error| (error.message.as_str(), error.place.as_deref().unwrap())).collect();
    assert_eq!(
        told,
        [
            ("`nothing` is not in the context", "Dockerfile:2:6"),
            ("unknown instruction `COPPY`", "Dockerfile:2:1")
        ]
    );
    assert!(builds.iter().all(|build| build.record.status == BuildStatus::Failed));
}

#[test]
fn a_record_is_whole_whenever_its_process_is_killed() {
    let (place, context) = (Place::new(), Tree::default().file("a", "1").in_a_temporary_folder());
    let outcome = place.build(context.path(), DOCKERFILE).unwrap();
    let folder = place.store.open_build(&outcome.built.build).unwrap().unwrap();
    let (events_file, record_file) = (folder.events(), folder.path().join("build.json"));
    let bytes = std::fs::read(&events_file).unwrap();
    let record = std::fs::read_to_string(&record_file).unwrap();
    let running = record.replace("\"status\":\"done\"", "\"status\":\"running\"");
    assert_ne!(running, record);
    std::fs::write(&record_file, running).unwrap();
    let newer = b"{\"v\":1,\"at\":0.5,\"event\":\"later\"}\n{\"event\n";
    for end in (0..bytes.len()).step_by(7).chain([bytes.len()]) {
        std::fs::write(&events_file, [&bytes[..end], if end == bytes.len() { newer } else { &[] }].concat())
            .unwrap();
        let build = Build::open(&place.store, &outcome.built.build).unwrap().unwrap();
        assert_eq!(build.record.status, BuildStatus::Killed);
        let read = events(&build);
        assert_eq!(read, outcome.events[..read.len()], "cut at {end}");
    }
}

#[test]
fn builds_at_the_same_time_have_a_record_each_while_others_are_pruned() {
    let (place, context) = (Place::new(), Tree::default().file("a", "1").in_a_temporary_folder());
    let few = BuildLimits { builds: 3, ..BuildLimits::default() };
    let ids: Vec<String> = std::thread::scope(|scope| {
        let build = || {
            (0..10)
                .map(|_| {
                    let built = place.build(context.path(), DOCKERFILE).unwrap().built;
                    place.store.prune_builds(&few).unwrap();
                    built.build
                })
                .collect::<Vec<_>>()
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(build)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut unique = ids.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(unique.len(), 40);
    place.store.prune_builds(&few).unwrap();
    let left = Build::all(&place.store).unwrap();
    assert_eq!(left.len(), 3);
    for build in left {
        assert_eq!(build.record.status, BuildStatus::Done);
        assert!(matches!(events(&build).last(), Some(Event::Written { .. })));
    }
}

#[test]
fn a_build_that_is_given_up_says_so() {
    let (place, context) = (Place::new(), Tree::default().file("a", "1").in_a_temporary_folder());
    let cancel = tug_builder::Cancel::default();
    cancel.cancel();
    let dockerfile = tug_builder::DockerfileSource::Text {
        name: "Dockerfile".to_owned(),
        text: DOCKERFILE.into(),
        path: None,
    };
    let source = tug_builder::ContextSource::Folder(context.path().to_owned());
    let options = tug_builder::BuildOptions::new(source, dockerfile);
    let runtime = tug_runtime::Runtime::new(tug_runtime::Mode::Root);
    let outcome =
        tug_builder::build(&place.store, &runtime, options, &tug_builder::Recording::default(), &cancel);
    assert!(matches!(outcome, Err(Error::Cancelled)));
    assert_eq!(Build::all(&place.store).unwrap()[0].record.status, BuildStatus::Cancelled);
}
