//! Several units in one build, and named contexts.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

mod common;

use std::path::Path;

use common::Place;
use tug_builder::{
    BuildOptions, Cancel, ContextSource, DockerfileSource, Error, Event, NamedContext, Recording, build_all,
};
use tug_runtime::{Mode, Runtime};
use tug_testdata::Tree;

fn unit(name: &str, context: &Path, text: &str) -> BuildOptions {
    let dockerfile =
        DockerfileSource::Text { name: "Dockerfile".to_owned(), text: text.as_bytes().to_vec(), path: None };
    let mut options = BuildOptions::new(ContextSource::Folder(context.to_owned()), dockerfile);
    name.clone_into(&mut options.name);
    options
}

#[test]
fn equal_steps_of_several_units_are_done_once() {
    let context = Tree::default().file("a", "a").in_a_temporary_folder();
    let place = Place::new();
    let names = ["one", "two", "three"];
    let text = |name: &str| format!("FROM scratch\nCOPY a /a\nWORKDIR /{name}\n");
    let units = names.iter().map(|name| unit(name, context.path(), &text(name))).collect();
    let recording = Recording::default();
    let runtime = Runtime::new(Mode::Root);
    let built = build_all(&place.store, &runtime, units, &recording, &Cancel::default()).unwrap();
    assert_eq!(built.len(), 3);
    let finished = recording.events().iter().filter(|event| matches!(event, Event::Finished { .. })).count();
    assert_eq!(finished, 4, "one COPY and three WORKDIRs");
    assert_eq!(built.iter().map(|built| built.steps).collect::<Vec<_>>(), [2, 2, 2]);
    let builds: std::collections::BTreeSet<_> = built.iter().map(|built| &built.build).collect();
    assert_eq!(builds.len(), 1, "one invocation is one build");
}

#[test]
fn a_unit_can_be_the_base_and_a_source_of_another() {
    let context = Tree::default().file("a", "a").in_a_temporary_folder();
    let place = Place::new();
    let first = unit("first", context.path(), "FROM scratch\nENV DIR=/data\nCOPY a /data/a\n");
    let mut second =
        unit("second", context.path(), "FROM first\nCOPY a $DIR/b\nCOPY --from=first /data/a /c\n");
    second.named_contexts = vec![("first".to_owned(), NamedContext::Unit(0))];
    let runtime = Runtime::new(Mode::Root);
    let built =
        build_all(&place.store, &runtime, vec![first, second], &Recording::default(), &Cancel::default());
    let built = built.unwrap();
    let image = place.store.image(&built[1].descriptor, &tug_oci::Platform::host()).unwrap();
    let view = place.store.view(image.diff_ids()).unwrap();
    for path in ["data/a", "data/b", "c"] {
        assert!(view.lookup(path.as_bytes()).is_some(), "{path}");
    }
}

#[test]
fn a_unit_cannot_stand_on_a_later_one() {
    let context = Tree::default().in_a_temporary_folder();
    let mut first = unit("first", context.path(), "FROM second\n");
    first.named_contexts = vec![("second".to_owned(), NamedContext::Unit(1))];
    let second = unit("second", context.path(), "FROM scratch\n");
    let place = Place::new();
    let runtime = Runtime::new(Mode::Root);
    let error =
        build_all(&place.store, &runtime, vec![first, second], &Recording::default(), &Cancel::default());
    assert!(matches!(error, Err(Error::Context(_))), "{error:?}");
}

#[test]
fn files_of_a_named_context_follow_its_own_ignore_file_and_are_in_the_key() {
    let context = Tree::default().file(".dockerignore", "keep\n").file("a", "a").in_a_temporary_folder();
    let more = Tree::default()
        .file(".dockerignore", "hidden\n")
        .file("keep", "1")
        .file("hidden", "x")
        .in_a_temporary_folder();
    let place = Place::new();
    let text = "FROM scratch\nCOPY --from=more . /more/\n";
    let build = || {
        place
            .build_with(context.path(), text, |options| {
                let files = NamedContext::Files(ContextSource::Folder(more.path().to_owned()));
                options.named_contexts = vec![("more".to_owned(), files)];
            })
            .unwrap()
    };
    let first = build();
    assert!(first.listing.contains("more/keep 644 0:0 \"1\""), "{}", first.listing);
    assert!(!first.listing.contains("hidden 644"), "{}", first.listing);
    assert_eq!(build().built.cached, 1);
    std::fs::write(more.path().join("keep"), "22").unwrap();
    let changed = build();
    assert_eq!(changed.built.cached, 0);
    assert_eq!(changed.reasons(), ["keep changed"]);
}

#[test]
fn a_tar_that_is_read_once_serves_several_units() {
    let folder = Tree::default()
        .file("Dockerfile", "FROM scratch\nARG N\nCOPY a /$N\n")
        .file("a", "a")
        .in_a_temporary_folder();
    let tar =
        std::process::Command::new("tar").arg("-cC").arg(folder.path()).arg(".").output().unwrap().stdout;
    let place = Place::new();
    let units = ["one", "two"].iter().enumerate().map(|(number, name)| {
        let context = match number {
            0 => ContextSource::Tar(Box::new(std::io::Cursor::new(tar.clone()))),
            _ => ContextSource::OfUnit(0),
        };
        let mut options = BuildOptions::new(context, DockerfileSource::InContext(None));
        options.build_args.insert("N".to_owned(), (*name).to_owned());
        options
    });
    let runtime = Runtime::new(Mode::Root);
    let units = units.collect();
    let built = build_all(&place.store, &runtime, units, &Recording::default(), &Cancel::default()).unwrap();
    for (built, name) in built.iter().zip(["one", "two"]) {
        let image = place.store.image(&built.descriptor, &tug_oci::Platform::host()).unwrap();
        let view = place.store.view(image.diff_ids()).unwrap();
        assert!(view.lookup(name.as_bytes()).is_some(), "{name}");
    }
}
