//! FROM of images for other machines.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

mod common;

use std::collections::BTreeMap;

use common::Place;
use tug_builder::Error;
use tug_oci::ImageConfig;
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
