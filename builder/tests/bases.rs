//! FROM of images that lie in files.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

mod common;

use std::fs::File;
use std::path::Path;

use common::Place;
use tug_builder::Problem;
use tug_layer_store::{ArchiveCompression, ArchiveFormat, SaveImage, SaveOptions};
use tug_oci::Platform;
use tug_testdata::Tree;

/// Makes `layout`, `oci.tar` and `docker.tar` in `folder`, with the images `one:1` and `two:1`, or with the first alone.
fn save(folder: &Path, names: &[&str]) {
    let place = Place::new();
    let images: Vec<SaveImage> = names
        .iter()
        .map(|name| {
            let context = Tree::default().file("name", name).in_a_temporary_folder();
            let names = vec![format!("{name}:1").parse().unwrap()];
            let text = "FROM scratch\nCOPY name /\nENV WHO=from-the-file\n";
            let built = place.build(context.path(), text).unwrap().built;
            SaveImage { target: built.descriptor, names, written: None }
        })
        .collect();
    let platform = Platform::host();
    place.store.save_layout(&images, &platform, &folder.join("layout")).unwrap();
    for (name, format) in [("oci.tar", ArchiveFormat::Oci), ("docker.tar", ArchiveFormat::Docker)] {
        let options =
            SaveOptions { format, compression: ArchiveCompression::Plain, platform: platform.clone() };
        place.store.save(&images, &options, &mut File::create(folder.join(name)).unwrap()).unwrap();
    }
}

fn problem(text: &str) -> Problem {
    common::problem(Tree::default().in_a_temporary_folder().path(), text)
}

#[test]
fn a_build_starts_from_a_layout_or_an_archive_and_gives_it_no_name() {
    let context = Tree::default().file("more", "more").in_a_temporary_folder();
    let files = tempfile::tempdir().unwrap();
    save(files.path(), &["one"]);
    let shown = files.path().display();
    for base in [
        format!("oci:{shown}/layout"),
        format!("oci:{shown}/layout:one:1"),
        format!("oci-archive:{shown}/oci.tar"),
        format!("docker-archive:{shown}/docker.tar:docker.io/library/one:1"),
    ] {
        let place = Place::new();
        let outcome = place.build(context.path(), &format!("FROM {base}\nCOPY more /$WHO\n")).unwrap();
        assert_eq!(outcome.listing, "from-the-file 644 0:0 \"more\"\nname 644 0:0 \"one\"", "{base}");
        assert!(place.store.refs().unwrap().is_empty());
        assert_eq!(place.store.images(&Platform::host()).unwrap().len(), 1, "only what was built");
    }
}

#[test]
fn one_of_several_images_is_named() {
    let context = Tree::default().in_a_temporary_folder();
    let files = tempfile::tempdir().unwrap();
    save(files.path(), &["one", "two"]);
    let shown = files.path().display();
    let text = format!("FROM scratch\nCOPY --from=oci:{shown}/layout:two:1 /name /\n");
    assert_eq!(Place::new().build(context.path(), &text).unwrap().listing, "name 644 0:0 \"two\"");
    let several = problem(&format!("FROM oci:{shown}/layout\n"));
    assert_eq!(several.message, format!("there are 2 images in `{shown}/layout`"));
    assert!(several.help.unwrap().ends_with("`one:1`, `two:1`"));
    let none = problem(&format!("FROM oci-archive:{shown}/oci.tar:three\n"));
    assert!(none.message.ends_with("the archive holds no image `three`"), "{none:?}");
    assert_eq!(none.help.as_deref(), Some("it has `one:1`, `two:1`"));
}

#[test]
fn what_lies_at_the_path_is_told_where_it_is_named() {
    let folder = Tree::default().file("text", "no archive").dir("empty").in_a_temporary_folder();
    let shown = folder.path().display();
    let missing = problem(&format!("FROM oci:{shown}/nothing\n"));
    assert!(missing.message.contains("cannot open"), "{missing:?}");
    assert!(missing.message.contains("No such file"), "{missing:?}");
    assert!(!missing.span.is_empty());
    for name in ["text", "empty"] {
        let other = problem(&format!("FROM oci-archive:{shown}/{name}\n"));
        assert!(
            other.message.starts_with(&format!("cannot start from `oci-archive:{shown}/{name}`")),
            "{other:?}"
        );
    }
}

#[test]
fn an_image_of_the_store_wins_over_a_path() {
    let context = Tree::default().in_a_temporary_folder();
    let place = Place::new();
    let named = |options: &mut tug_builder::BuildOptions| options.tags = vec!["oci:latest".parse().unwrap()];
    place.build_with(context.path(), "FROM scratch\nLABEL a=b\n", named).unwrap();
    place.build(context.path(), "FROM oci:latest\n").unwrap();
}
