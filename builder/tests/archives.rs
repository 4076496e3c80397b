//! ADD of archives that are odd, damaged or hostile.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

mod common;

use std::io::Write;
use std::path::Path;

use common::Place;
use tempfile::TempDir;
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

/// Adds an archive to `/t/` in an image that has the file `/t/below`.
const ADD: &str = "FROM scratch\nCOPY below /t/below\nADD a.tar /t/\n";

/// A context with the archive `bytes`.
fn context(bytes: &[u8]) -> TempDir {
    Tree::default().file("below", "below").file("a.tar", bytes).in_a_temporary_folder()
}

fn add(bytes: &[u8]) -> Result<String, Error> {
    Ok(Place::new().build(context(bytes).path(), ADD)?.listing)
}

fn problem(bytes: &[u8]) -> Problem {
    common::problem(context(bytes).path(), ADD)
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

#[test]
fn zeros_in_an_archive_are_kept_wherever_they_stand() {
    let zeros = "\0".repeat(200_000);
    let (middle, end) = (format!("a{zeros}b"), format!("c{zeros}"));
    let archive = tar(&[file("end", &end), file("middle", &middle), file("only", &zeros), file("z", "z")]);
    let listing = add(&archive).unwrap();
    for content in [middle, end, zeros] {
        let shown = format!("\"{}\"", content.as_bytes().escape_ascii());
        assert!(listing.contains(&shown), "{} bytes, most of them zeros", content.len());
    }
    assert!(listing.ends_with("t/z 644 0:0 \"z\""), "what follows is where it should be");
}

#[test]
fn a_decompression_bomb_is_refused_before_it_fills_the_disk() {
    let entry = NewEntry::file("zeros", 0o644, 8 << 30);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let mut header = TarWriter::new(Vec::new());
    header.header(&entry).unwrap();
    encoder.write_all(header.out_mut()).unwrap();
    let zeros = vec![0; 1 << 20];
    for _ in 0..1100 {
        encoder.write_all(&zeros).unwrap();
    }
    let problem = problem(&encoder.finish().unwrap());
    assert!(problem.message.contains("`a.tar` cannot be unpacked"), "{}", problem.message);
    assert!(problem.message.contains("decompression bomb"), "{}", problem.message);
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

#[test]
fn entries_go_through_links_of_the_image_and_never_out_of_it() {
    let context = Tree::default()
        .dir("root")
        .dir("root/usr")
        .dir("root/usr/lib")
        .file("root/usr/lib/old", "old")
        .symlink("root/lib", "usr/lib")
        .symlink("root/up", "../../../..")
        .in_a_temporary_folder();
    let bytes = tar(&[file("lib/x", "x"), file("up/y", "y"), link("lib/z", "lib/old")]);
    std::fs::write(context.path().join("a.tar"), bytes).unwrap();
    let text = "FROM scratch\nCOPY root /\nADD a.tar /\n";
    insta::assert_snapshot!(Place::new().build(context.path(), text).unwrap().listing, @r#"
    lib -> usr/lib
    up -> ../../../..
    usr/ 755 0:0
    usr/lib/ 755 0:0
    usr/lib/old 644 0:0 "old" shared
    usr/lib/x 644 0:0 "x"
    usr/lib/z 644 0:0 "old" shared
    y 644 0:0 "y"
    "#);
}

#[test]
fn pipes_devices_and_links_are_unpacked_as_what_they_are() {
    let special = |name: &str, kind| (NewEntry { kind, ..NewEntry::file(name, 0o644, 0) }, "");
    let bytes = tar(&[
        special("console", NewEntryKind::CharDevice { major: 5, minor: 1 }),
        special("pipe", NewEntryKind::Fifo),
        (NewEntry::symlink("link", "/etc/passwd"), ""),
        link("again", "link"),
    ]);
    insta::assert_snapshot!(add(&bytes).unwrap(), @"
    t/ 755 0:0
    t/again -> /etc/passwd
    t/below 644 0:0 \"below\"
    t/console 644 0:0 CharDevice { major: 5, minor: 1 }
    t/link -> /etc/passwd
    t/pipe 644 0:0 Fifo
    ");
}

#[test]
fn an_archive_gives_the_same_image_in_another_store_when_the_time_is_given() {
    let make = || {
        let context = Tree::default().in_a_temporary_folder();
        let (mut young, content) = file("d/young", "x");
        young.mtime.seconds = 5_000_000_000;
        std::fs::write(context.path().join("a.tar"), tar(&[(young, content)])).unwrap();
        let text = "FROM scratch\nADD a.tar /new/\n";
        let place = Place::new();
        let built = place.build_with(context.path(), text, |options| options.source_date_epoch = Some(1000));
        built.unwrap().built.descriptor.digest
    };
    assert_eq!(make(), make());
}
