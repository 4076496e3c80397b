//! Images that leave the store and come back.

use std::fs;

use crate::tug::Tug;

#[test]
fn what_was_saved_can_be_loaded_elsewhere() {
    let tug = Tug::new();
    tug.image(&["app", "app:1"]);
    for (format, compress) in [
        ("docker-archive", "none"),
        ("docker-archive", "gzip"),
        ("oci-archive", "zstd"),
        ("oci-archive", "none"),
    ] {
        let file = format!("{format}-{compress}.tar");
        tug.data(&["save", "--format", format, "--compress", compress, "app", "app:1", "-o", &file]);
        let other = Tug::new();
        fs::copy(tug.path(&file), other.path("in.tar")).unwrap();
        assert_eq!(other.data(&["load", "-i", "in.tar"]), "Loaded image: app:latest\nLoaded image: app:1\n");
        assert_eq!(other.data(&["images", "-q", "--no-trunc"]), tug.data(&["images", "-q", "--no-trunc"]));
    }
}

#[test]
fn a_layout_is_a_folder() {
    let tug = Tug::new();
    tug.image(&["app"]);
    tug.data(&["save", "--format", "oci-dir", "-o", "layout", "app"]);
    assert!(tug.path("layout/oci-layout").is_file());
    assert_eq!(tug.data(&["load", "--store", "other", "-i", "layout"]), "Loaded image: app:latest\n");
    insta::assert_snapshot!(tug.run(&["save", "--format", "oci-dir", "app"]), @"
    exit code 2
    --- stderr
    error: `--format oci-dir` needs a folder

    hint: name it with `-o DIR`
    ");
}

#[test]
fn archives_go_through_pipes() {
    let tug = Tug::new();
    tug.image(&["app"]);
    let archive = tug.command(&["save", "app"]).output().unwrap().stdout;
    let other = Tug::new();
    insta::assert_snapshot!(other.run_with_input(&["load"], &archive), @"
    exit code 0
    --- stdout
    Loaded image: app:latest
    ");
    insta::assert_snapshot!(other.run_with_input(&["load", "-q", "-i", "-"], &archive), @"
    exit code 0
    --- stdout
    app:latest
    ");
}

#[test]
fn an_image_saved_by_its_id_has_no_name() {
    let tug = Tug::new();
    tug.image(&["app"]);
    let id = tug.data(&["images", "-q"]);
    tug.data(&["save", id.trim(), "-o", "x.tar"]);
    let loaded = tug.data(&["load", "--store", "other", "-i", "x.tar"]);
    assert!(loaded.starts_with("Loaded image ID: sha256:"), "{loaded}");
}

#[test]
fn what_is_no_archive_is_refused_and_leaves_nothing() {
    let tug = Tug::new();
    tug.image(&["app"]);
    let archive = tug.command(&["save", "app"]).output().unwrap().stdout;
    tug.write("text", "this is not a tar, but a text that is long enough to be looked at".repeat(20));
    tug.write("half.tar", &archive[..archive.len() / 2]);
    tug.write("empty.tar", "");
    let mut shown = String::new();
    for words in [
        &["load", "-i", "no-such-file"][..],
        &["load", "-i", "text"],
        &["load", "-i", "half.tar"],
        &["load", "-i", "empty.tar"],
        &["load"],
        &["save", "nothing", "-o", "x.tar"],
        &["save", "app", "-o", "no-such-folder/x.tar"],
        &["save", "app", "-o", "."],
        &["save", "app", "--format", "tar", "-o", "x.tar"],
        &["save", "app", "--format", "oci-dir", "--compress", "gzip", "-o", "x"],
    ] {
        shown += &format!("$ tug {}\n{}\n", words.join(" "), tug.run(words));
    }
    insta::assert_snapshot!(shown);
    assert!(!tug.path("x.tar").exists());
    assert_eq!(tug.data(&["images", "--format", "{{.Repository}}"]), "app\n");
}
