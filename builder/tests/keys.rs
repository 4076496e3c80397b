//! What a key is made of: what must change it, and what must not.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use common::Place;
use tug_testdata::Tree;

/// Whether every step is known when `text` is built in `context`.
fn is_known(place: &Place, context: &Path, text: &str) -> bool {
    let built = place.build(context, text).unwrap().built;
    built.cached == built.steps
}

#[test]
fn the_mode_of_the_context_itself_does_not_count() {
    let context = Tree::default().dir("src").file("src/a", "a").in_a_temporary_folder();
    let (place, text) = (Place::new(), "FROM scratch\nCOPY . /app/\nCOPY src /src\n");
    place.build(context.path(), text).unwrap();
    let mode = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    mode(context.path(), 0o750);
    assert!(is_known(&place, context.path(), text), "nothing of the root of the context is in the image");
    mode(&context.path().join("src"), 0o700);
    assert!(!is_known(&place, context.path(), text), "`/app/src` has the mode of `src`");
}

#[test]
fn the_spelling_of_a_source_does_not_count() {
    let context = Tree::default().dir("src").file("src/a", "a").in_a_temporary_folder();
    let place = Place::new();
    place.build(context.path(), "FROM scratch\nCOPY src/a /app/\n").unwrap();
    assert!(is_known(&place, context.path(), "FROM scratch\nCOPY ./src//a /app/\n"));
    assert!(is_known(&place, context.path(), "FROM scratch\nCOPY src/* /app/\n"));
}

#[test]
fn attributes_of_sources_count_even_when_the_owner_is_given() {
    let context = Tree::default().in_a_temporary_folder();
    let place = Place::new();
    let build = |value: &str| {
        let inner = Tree::default().file("f", "f").xattr("user.note", value).in_a_temporary_folder();
        let tar = std::process::Command::new("tar")
            .args(["--xattrs", "--format=pax", "--mtime=@1", "-cf"])
            .arg(context.path().join("x.tar"))
            .arg("-C")
            .arg(inner.path())
            .arg("f")
            .status();
        assert!(tar.unwrap().success());
        let text = "FROM scratch AS files\nADD x.tar /\nFROM scratch\nCOPY --from=files --chown=1:1 /f /f\n";
        place.build(context.path(), text).unwrap().built.descriptor.digest
    };
    assert_ne!(build("one"), build("two"));
}

#[test]
fn a_linked_copy_is_known_on_another_base() {
    let context = Tree::default().file("a", "a").file("base", "1").in_a_temporary_folder();
    let (place, text) = (Place::new(), "FROM scratch\nCOPY base /base\nCOPY --link --chown=5:6 a /app/a\n");
    let first = place.build(context.path(), text).unwrap();
    std::fs::write(context.path().join("base"), "2").unwrap();
    let second = place.build(context.path(), text).unwrap();
    assert_eq!((first.built.cached, second.built.cached), (0, 1));
    assert_eq!(second.listing.lines().last(), Some("base 644 0:0 \"2\""));
    // A name is looked up in the layers below, so these count.
    let text = "FROM scratch\nCOPY base /base\nCOPY etc /etc\nCOPY --link --chown=me a /app/a\n";
    let etc = |id: u32| Tree::default().dir("etc").file("etc/passwd", format!("me:x:{id}:7::/:\n"));
    etc(5).write_to(context.path());
    assert!(place.build(context.path(), text).unwrap().listing.contains("app/a 644 5:7"));
    etc(6).write_to(context.path());
    assert!(place.build(context.path(), text).unwrap().listing.contains("app/a 644 6:7"));
}

#[test]
fn every_flag_counts() {
    let context = Tree::default().dir("d").file("d/a", "a").file("d/b", "b").in_a_temporary_folder();
    let place = Place::new();
    let mut seen = std::collections::BTreeSet::new();
    for line in [
        "COPY d /d",
        "COPY d /e",
        "COPY d /d/",
        "ADD d /d",
        "COPY --chown=1 d /d",
        "COPY --chown=1:1 d /d2",
        "COPY --chmod=600 d /d",
        "COPY --chmod=u=r d /d",
        "COPY --exclude=a d /d",
        "COPY d/a /d",
        "COPY d/a d/b /d/",
        "COPY --parents d /d",
        "COPY --parents d/a /d",
        "COPY --parents d/./a /d",
    ] {
        let listing = place.build(context.path(), &format!("FROM scratch\n{line}\n")).unwrap().listing;
        let alone = Place::new().build(context.path(), &format!("FROM scratch\n{line}\n")).unwrap().listing;
        assert_eq!(listing, alone, "`{line}` found the layer of another line");
        seen.insert(listing);
    }
    assert_eq!(seen.len(), 11, "these lines were to differ: {seen:#?}");
}

#[test]
fn the_same_files_with_and_without_parents_are_two_things() {
    let context = Tree::default().dir("d").file("d/a", "a").in_a_temporary_folder();
    let place = Place::new();
    // Only a plain copy gives a folder that is there to `--chown`.
    let build = |flags: &str| {
        let text = format!("FROM scratch\nCOPY --chown=5:5 d /t/d/\nCOPY {flags} --chown=6:6 . /t/\n");
        place.build(context.path(), &text).unwrap().listing
    };
    assert!(build("").contains("t/d/ 755 6:6"));
    assert!(build("--parents").contains("t/d/ 755 5:5"));
}

#[test]
fn with_a_time_given_an_image_without_layers_is_dated_too() {
    let context = Tree::default().in_a_temporary_folder();
    let place = Place::new();
    let given = |options: &mut tug_builder::BuildOptions| options.source_date_epoch = Some(1000);
    let built = place.build_with(context.path(), "FROM scratch\nLABEL a=b\n", given).unwrap().built;
    let image = place.store.image(&built.descriptor, &tug_oci::Platform::host()).unwrap();
    let dates: Vec<_> = image.config.history.iter().map(|line| line.created.as_deref()).collect();
    assert_eq!(dates, [Some("1970-01-01T00:16:40Z")]);
    assert_eq!(image.config.created.as_deref(), Some("1970-01-01T00:16:40Z"));
}

#[test]
fn times_and_here_documents_and_users_count() {
    let context = Tree::default().file("a", "a").in_a_temporary_folder();
    let place = Place::new();
    let text = "FROM scratch\nCOPY a /\nWORKDIR /w\nCOPY <<x /x\none\nx\n";
    let misses = |text: &str, epoch| {
        let built = place.build_with(context.path(), text, |options| options.source_date_epoch = epoch);
        let built = built.unwrap().built;
        built.steps - built.cached
    };
    assert_eq!(misses(text, None), 3);
    assert_eq!(misses(text, Some(1)), 3);
    assert_eq!(misses(text, Some(1)), 0);
    assert_eq!(misses(text, Some(2)), 3);
    assert_eq!(misses(&text.replace("one", "two"), Some(2)), 1);
    assert_eq!(misses(&text.replace("WORKDIR", "USER 7\nWORKDIR"), Some(2)), 2);
}
