//! The same tree must give the same listing from a folder and from a tar that another program has made of it.

use std::process::{Command, Stdio};

use tug_testdata::{Detail, Listing, Tree};

fn odd_tree() -> Tree {
    let long = "long/".repeat(30) + &"n".repeat(200);
    Tree::default()
        .file("plain", "hello")
        .mtime(1_700_000_000, 0)
        .file("old", "x")
        .mtime(-5, 0)
        .file("special", "#!")
        .mode(0o4751)
        .dir("sticky")
        .mode(0o1777)
        .mtime(1, 999_999_999)
        .file("with space, ünïcode and \n", "")
        .symlink("link", "/does/not/exist")
        .hard_link("second", "plain")
        .fifo("pipe")
        .hole("big", 3 << 20)
        .file(long, "deep")
        .xattr("user.note", "a\nb")
}

fn tar_of(folder: &std::path::Path, format: &str) -> Listing {
    let mut tar = Command::new("tar")
        .args(["--create", "--format", format, "--numeric-owner"])
        .args((format == "pax").then_some("--xattrs"))
        .arg("--directory")
        .arg(folder)
        .arg(".")
        .stdout(Stdio::piped())
        .spawn()
        .expect("GNU tar is there");
    let listing = Listing::of_tar(tar.stdout.take().expect("its output is a pipe"));
    assert!(tar.wait().expect("it was started").success());
    listing
}

#[test]
fn a_folder_and_its_pax_tar_are_listed_alike() {
    let folder = odd_tree().in_a_temporary_folder();
    assert_eq!(tar_of(folder.path(), "pax").lines(), Listing::of_folder(folder.path()).lines());
}

#[test]
fn a_folder_and_its_gnu_tar_are_listed_alike_but_for_what_the_format_lacks() {
    let folder = odd_tree().in_a_temporary_folder();
    let expected = Listing::of_folder(folder.path()).without(Detail::Xattrs);
    assert_eq!(tar_of(folder.path(), "gnu").lines(), expected.lines());
}

#[test]
fn a_line_tells_everything_about_an_entry() {
    let folder = odd_tree().in_a_temporary_folder();
    let lines = Listing::of_folder(folder.path()).without(Detail::Owners).lines();
    assert!(lines.contains("plain file 644 5 \"hello\" @1700000000\n"));
    assert!(lines.contains("second file 644 5 \"hello\" @1700000000 same=plain\n"));
    assert!(
        lines.contains("with\\x20space,\\x20\\xc3\\xbcn\\xc3\\xafcode\\x20and\\x20\\x0a file 644 0 \"\" @")
    );
    assert!(
        lines.contains(
            "big file 644 3145728 bbd05cf6097ac9b1f89ea29d2542c1b7b67ee46848393895f5a9e43fa1f621e5 @"
        )
    );
    assert!(lines.contains("link link -> /does/not/exist @"));
    assert!(lines.contains("sticky dir 1777 @1\n"));
    assert!(lines.contains(" user.note=a\\x0ab\n"));
}

#[test]
fn a_layer_removes_hides_and_replaces() {
    let below =
        Tree::default().file("gone", "").file("hidden/child", "").file("place/child", "").file("kept/a", "1");
    let above = Tree::default()
        .file(".wh.gone", "")
        .file("hidden/new", "")
        .file("hidden/.wh..wh..opq", "")
        .file("place", "now a file")
        .file("kept/b", "2");
    let mut merged = listing_of_names(&below);
    let layer = above.in_a_temporary_folder();
    merged.apply_layer(tar_bytes(layer.path()).as_slice()).expect("a good layer");

    let names: Vec<String> =
        merged.lines().lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        names,
        [". dir", "hidden dir", "hidden/new file", "kept dir", "kept/a file", "kept/b file", "place file"]
    );
}

#[test]
fn changes_are_new_changed_and_gone_entries() {
    let before = listing_of_names(&Tree::default().file("same", "1").file("changed", "1").file("gone", ""));
    let after = listing_of_names(&Tree::default().file("same", "1").file("changed", "2").dir("new"));
    let changes: Vec<String> = after
        .changes_since(&before)
        .lines()
        .map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(changes, ["changed file", "gone gone", "new dir"]);
}

fn listing_of_names(tree: &Tree) -> Listing {
    let folder = tree.in_a_temporary_folder();
    Listing::of_tar(tar_bytes(folder.path()).as_slice()).without(Detail::Times)
}

fn tar_bytes(folder: &std::path::Path) -> Vec<u8> {
    let output = Command::new("tar").arg("--create").arg("--directory").arg(folder).arg(".").output();
    output.expect("GNU tar is there").stdout
}
