//! Images that leave the store and come back.

use std::fs;

use tug_testdata::web_server::{Answer, WebServer};

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

#[test]
fn an_archive_comes_from_a_server_even_when_it_breaks_off() {
    let tug = Tug::new();
    tug.base();
    let archive = tug.command(&["save", "base", "--compress", "gzip"]).output().unwrap().stdout;
    let half = archive.len() / 2;
    let server = WebServer::start(move |request| match (request.path.as_str(), request.earlier) {
        // This one cannot go on: the archive begins anew, and so does the load.
        ("/anew", 0) | ("/cut", _) => Answer::file(archive.clone()).break_after(half),
        ("/anew" | "/whole", _) => Answer::file(archive.clone()),
        _ => Answer::status(404),
    });
    let other = Tug::new();
    for (name, path) in [("a", "/whole"), ("b", "/anew")] {
        let shown = other.data(&["load", "--tag", name, "-i", &server.url(path)]);
        assert_eq!(shown, format!("Loaded image: {name}:latest\n"));
    }
    assert_eq!(server.requests().iter().filter(|request| request.path == "/anew").count(), 2);
    let shown = other.run(&["load", "-i", &server.url("/none")]);
    let expected =
        "exit code 1\n--- stderr\nerror: `[URL]` cannot be fetched: the server answered 404 (not found)\n";
    assert!(shown.replace(&server.url("/none"), "[URL]").starts_with(expected), "{shown}");
    let shown = other.run(&["import", &server.url("/none"), "x"]);
    assert!(shown.replace(&server.url("/none"), "[URL]").starts_with(expected), "{shown}");
    assert!(other.run(&["load", "-i", "git://example.org/a"]).starts_with("exit code 2"));
    assert_eq!(other.data(&["images", "--format", "{{.Repository}}"]), "a\nb\n");
}

#[test]
fn a_name_on_the_command_line_takes_the_place_of_those_in_the_archive() {
    let tug = Tug::new();
    tug.image(&["app", "app:1"]);
    tug.image(&["db"]);
    tug.data(&["save", "app", "-o", "one.tar"]);
    tug.data(&["save", "app", "db", "-o", "two.tar"]);
    let words = |file: &'static str| ["load", "--store", "other", "--tag", "x:1", "--tag", "y", "-i", file];
    insta::assert_snapshot!(tug.run(&words("two.tar")), @"
    exit code 1
    --- stderr
    error: `--tag` names one image, and the archive holds 2: nothing was loaded

    hint: it has `app:latest`, `db:latest`: load them with these names
    ");
    assert_eq!(tug.data(&words("one.tar")), "Loaded image: x:1\nLoaded image: y:latest\n");
    assert_eq!(tug.data(&["images", "--store", "other", "--format", "{{.Repository}}"]), "x\ny\n");
}

#[test]
fn images_are_converted_without_touching_their_files() {
    let tug = Tug::new();
    tug.base();
    let id = |name: &str| tug.data(&["inspect", "--format", "{{.Id}}", name]);
    let types = |name: &str| tug.data(&["inspect", "--format", "{{json .}}", name]);
    for how in ["gzip", "zstd", "zstd:chunked", "none"] {
        let name = format!("made:{}", how.replace(':', "-"));
        let digest = tug.data(&["convert", "base", "-q", "-t", &name, "--compression", how]);
        assert!(digest.starts_with("sha256:"), "{digest}");
        assert_eq!(id(&name), id("base"), "{how}: {}", types(&name));
        let again = tug.data(&["convert", &name, "-q", "--compression", how]);
        assert_eq!(again, digest, "{how}: nothing is left to be done");
        let layout = format!("oci:layout-{}:app", name.replace(':', "-"));
        assert_eq!(tug.data(&["convert", "-q", "base", &layout, "--compression", how]), digest);
        assert_eq!(tug.data(&["convert", "-q", &layout, "-t", "back", "--compression", how]), digest);
        let exported = |name: &str| tug.command(&["export", name]).output().unwrap().stdout;
        assert!(exported("back") == exported("base"), "{how}");
    }
    let docker = ["convert", "-q", "base", "docker-archive:docker.tar", "--media-types", "docker"];
    tug.data(&docker);
    assert_eq!(tug.data(&["load", "--store", "other", "-i", "docker.tar"]), "Loaded image: base:latest\n");
}

#[test]
fn what_cannot_be_converted_is_told() {
    let tug = Tug::new();
    tug.image(&["app"]);
    let mut shown = String::new();
    for words in [
        &["convert", "app"][..],
        &["convert", "app", "--compression", "lz4"],
        &["convert", "app", "--compression", "none", "--compression-level", "3"],
        &["convert", "app", "--compression", "zstd", "--compression-level", "30"],
        &["convert", "app", "--compression", "zstd", "--media-types", "docker"],
        &["convert", "app", "docker-archive:x.tar", "--compression", "zstd"],
        &["convert", "app", "oci:x", "-t", "y", "--compression", "zstd"],
        &["convert", "dir:x", "--compression", "zstd"],
        &["convert", "nothing", "--compression", "zstd"],
        &["convert", "oci:nothing", "--compression", "zstd"],
        &["save", "app", "--compression", "zstd", "-o", "x.tar"],
    ] {
        shown += &format!("$ tug {}\n{}\n", words.join(" "), tug.run(words));
    }
    insta::assert_snapshot!(shown);
    assert!(!tug.path("x.tar").exists() && !tug.path("x").exists());
}

#[test]
fn layers_of_an_archive_are_compressed_as_asked() {
    let tug = Tug::new();
    tug.base();
    let save = |how: &str, file: &str| {
        tug.data(&["save", "--format", "oci", "--compression", how, "base", "-o", file]);
        fs::read(tug.path(file)).unwrap()
    };
    let (gzip, zstd) = (save("gzip", "gzip.tar"), save("zstd", "zstd.tar"));
    let plain = save("none", "plain.tar");
    assert!(zstd.len() < plain.len() * 2 / 3 && gzip.len() < plain.len() * 2 / 3);
    assert!(save("zstd", "again.tar") == zstd, "the same input gives the same bytes");
    tug.data(&["save", "--format", "docker", "--compression", "gzip", "base", "-o", "docker.tar"]);
    for file in ["gzip.tar", "zstd.tar", "docker.tar"] {
        assert_eq!(
            tug.data(&["load", "--store", file.trim_end_matches(".tar"), "-i", file]),
            "Loaded image: base:latest\n"
        );
    }
}

#[test]
fn files_are_exported_to_a_folder_and_compressed() {
    let tug = Tug::new();
    tug.base();
    tug.data(&["export", "base", "--dir", "rootfs"]);
    assert!(tug.path("rootfs/bin").is_dir());
    let plain = tug.command(&["export", "base"]).output().unwrap().stdout;
    tug.data(&["export", "base", "--compress", "zstd", "-o", "files.tar.zst"]);
    tug.data(&["import", "files.tar.zst", "back"]);
    assert!(tug.command(&["export", "back"]).output().unwrap().stdout == plain);
    for command in [
        &["export", "base", "--platform", "linux/s390x"][..],
        &["convert", "base", "--platform", "linux/s390x", "--compression", "gzip"],
    ] {
        let shown = tug.run(command);
        assert!(
            shown.starts_with("exit code 1\n") && shown.contains("`base` has no image for linux/s390x"),
            "{shown}"
        );
    }
    let shown = tug.run(&["export", "base", "--dir", "x", "-o", "y"]);
    assert!(shown.contains("error: `--dir` does not go together with `--output`\n"), "{shown}");
}
