//! Which images of the store FROM names.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

mod common;

use std::collections::BTreeMap;

use common::Place;
use tug_builder::Error;
use tug_oci::{ImageConfig, Platform};
use tug_testdata::Tree;

#[test]
fn an_image_for_another_platform_than_from_asks_for_is_refused() {
    let place = Place::new();
    let config = ImageConfig::empty("linux/s390x".parse().unwrap());
    let image = place.store.write_image(config, BTreeMap::new()).unwrap();
    place.store.tag(&"base".parse().unwrap(), &image.descriptor).unwrap();
    let context = Tree::default().in_a_temporary_folder();
    let build = |text: &str| place.build(context.path(), text);
    let Err(Error::Dockerfile { problems, .. }) = build("FROM --platform=linux/arm64 base\n") else {
        panic!("built")
    };
    assert_eq!(problems[0].message, "image `base` is for `linux/s390x`, not for `linux/arm64`");
    assert_eq!(problems[0].span, 16..27);
    assert!(build("FROM --platform=linux/s390x base\n").is_ok());
    assert!(build("FROM base\n").is_ok(), "nobody asked for a platform");
}

#[test]
fn a_few_letters_that_an_id_begins_with_are_not_taken_for_that_image() {
    let place = Place::new();
    let image = place.store.write_image(ImageConfig::empty(Platform::host()), BTreeMap::new()).unwrap();
    place.store.tag(&"base".parse().unwrap(), &image.descriptor).unwrap();
    let context = Tree::default().in_a_temporary_folder();
    let build = |name: &str| place.build(context.path(), &format!("FROM {name}\n"));
    let id = image.id().hex();
    let short = &id[..4];
    let Err(Error::Dockerfile { problems, .. }) = build(short) else { panic!("built") };
    assert_eq!(problems[0].message, format!("no image `{short}:latest` in the store"));
    assert!(build(&id[..12]).is_ok() && build("base").is_ok());
    place.store.tag(&short.parse().unwrap(), &image.descriptor).unwrap();
    assert!(build(short).is_ok(), "it is a name now");
}
