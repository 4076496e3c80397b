//! ADD of archives that are odd, damaged or hostile.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

mod common;

use std::io::Write;
use std::path::Path;

use common::Place;
use tug_builder::{Error, Problem};
use tug_layer_store::tar::TarWriter;
use tug_layer_store::{NewEntry, NewEntryKind};
use tug_testdata::Tree;

/// The tar of `entries`, in their order.
fn tar(entries: &[(NewEntry, &str)]) -> Vec<u8> {
    let mut writer = TarWriter::new(Vec::new());
    for (entry, content) in entries {
        writer.header(entry).unwrap();
        writer.content(content.as_bytes()).unwrap();
        writer.pad().unwrap();
    }
    writer.finish().unwrap()
}

fn file<'a>(name: &str, content: &'a str) -> (NewEntry, &'a str) {
    (NewEntry::file(name, 0o644, content.len() as u64), content)
}

fn link(name: &str, target: &str) -> (NewEntry, &'static str) {
    let kind = NewEntryKind::HardLink { target: target.as_bytes().to_vec() };
    (NewEntry { kind, ..NewEntry::file(name, 0o644, 0) }, "")
}

/// Adds the archive `bytes` to `/t/` in an image that has the file `/t/below`.
fn add(bytes: &[u8]) -> Result<String, Error> {
    let context = Tree::default().file("below", "below").in_a_temporary_folder();
    std::fs::write(context.path().join("a.tar"), bytes).unwrap();
    let text = "FROM scratch\nCOPY below /t/below\nADD a.tar /t/\n";
    Ok(Place::new().build(context.path(), text)?.listing)
}

fn problem(bytes: &[u8]) -> Problem {
    match add(bytes) {
        Err(Error::Dockerfile { problems, .. }) => problems[0].clone(),
        Err(Error::AtStep { span, error, .. }) => Problem::new(span, error.to_string()),
        Err(other) => panic!("without a place: {other}"),
        Ok(listing) => panic!("added:\n{listing}"),
    }
}

#[test]
fn a_link_whose_name_sorts_before_its_file_is_a_link() {
    insta::assert_snapshot!(add(&tar(&[file("z", "text"), link("a", "z"), link("m", "a")])).unwrap(), @r#"
    t/ 755 0:0
    t/a 644 0:0 "text" shared
    t/below 644 0:0 "below"
    t/m 644 0:0 "text" shared
    t/z 644 0:0 "text" shared
    "#);
}

#[test]
fn a_link_keeps_its_file_when_the_other_name_gets_a_new_one() {
    insta::assert_snapshot!(add(&tar(&[file("a", "old"), link("b", "a"), file("a", "new")])).unwrap(), @r#"
    t/ 755 0:0
    t/a 644 0:0 "new"
    t/b 644 0:0 "old"
    t/below 644 0:0 "below"
    "#);
}

#[test]
fn a_link_may_lead_to_a_file_of_the_image() {
    insta::assert_snapshot!(add(&tar(&[link("a", "below")])).unwrap(), @r#"
    t/ 755 0:0
    t/a 644 0:0 "below" shared
    t/below 644 0:0 "below" shared
    "#);
}

#[test]
fn a_link_to_nothing_is_told_at_its_instruction() {
    let problem = problem(&tar(&[link("a", "etc/passwd")]));
    let message = "`/t/a` is a link to `/t/etc/passwd` in the archive, and no file is there";
    assert_eq!((problem.message.as_str(), problem.span.start), (message, 33));
}

#[test]
fn an_archive_whose_first_name_leads_out_is_refused_and_not_taken_for_a_file() {
    let problem = problem(&tar(&[file("../../evil", "evil")]));
    assert_eq!(
        problem.message,
        "the archive `a.tar` cannot be unpacked: `../../evil` cannot be a name in an archive: it has `..` in it"
    );
}

#[test]
fn an_archive_that_ends_early_or_has_a_wrong_sum_is_refused() {
    let long = "x".repeat(100_000);
    let whole = tar(&[file("a", &long)]);
    assert!(problem(&whole[..5000]).message.contains("ends in the middle of an entry"));
    let mut gzip = gzipped(&whole);
    add(&gzip).unwrap();
    let sum = gzip.len() - 8;
    gzip[sum] ^= 1;
    assert!(problem(&gzip).message.contains("`a.tar` cannot be unpacked"));
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn names_of_one_file_that_several_sources_write_over_keep_their_own_content() {
    let context = Tree::default()
        .dir("one")
        .file("one/a", "one")
        .hard_link("one/b", "one/a")
        .dir("two")
        .file("two/a", "two")
        .in_a_temporary_folder();
    let listing = |text: &str| Place::new().build(Path::new(context.path()), text).unwrap().listing;
    insta::assert_snapshot!(listing("FROM scratch\nCOPY one two /d/\n"), @r#"
    d/ 755 0:0
    d/a 644 0:0 "two"
    d/b 644 0:0 "one"
    "#);
}
