//! COPY onto nothing: what lands where, what is known the next time, and what is refused.

mod common;

use common::Place;
use tug_testdata::Tree;

#[test]
fn files_of_the_context_belong_to_root_and_keep_their_modes() {
    let context = Tree::default()
        .file("run.sh", "#!/bin/sh\n")
        .mode(0o4755)
        .owner(1000, 1000)
        .dir("src")
        .mode(0o700)
        .file("src/a", "a")
        .symlink("src/link", "../run.sh")
        .in_a_temporary_folder();
    let outcome = Place::new().build(context.path(), "FROM scratch\nCOPY . /app/\n").unwrap();
    insta::assert_snapshot!(outcome.listing, @r##"
    app/ 755 0:0
    app/run.sh 4755 0:0 "#!/bin/sh\n"
    app/src/ 700 0:0
    app/src/a 644 0:0 "a"
    app/src/link -> ../run.sh
    "##);
}

#[test]
fn a_destination_is_a_folder_when_it_ends_in_a_slash_or_is_one_already() {
    let context = Tree::default().file("a", "a").file("b", "b").in_a_temporary_folder();
    let text = "FROM scratch\nWORKDIR /w\nCOPY a x\nCOPY a y/\nCOPY b y\nCOPY a b /several/\n";
    insta::assert_snapshot!(Place::new().build(context.path(), text).unwrap().listing, @r#"
    several/ 755 0:0
    several/a 644 0:0 "a"
    several/b 644 0:0 "b"
    w/ 755 0:0
    w/x 644 0:0 "a"
    w/y/ 755 0:0
    w/y/a 644 0:0 "a"
    w/y/b 644 0:0 "b"
    "#);
}

#[test]
fn links_in_the_destination_are_followed_inside_the_root() {
    let context = Tree::default()
        .file("a", "a")
        .dir("tree")
        .symlink("tree/up", "../../../../real")
        .symlink("tree/abs", "/real")
        .in_a_temporary_folder();
    let text = "FROM scratch\nCOPY tree /\nCOPY a /up/one\nCOPY a /abs/two\n";
    insta::assert_snapshot!(Place::new().build(context.path(), text).unwrap().listing, @r#"
    abs -> /real
    real/ 755 0:0
    real/one 644 0:0 "a"
    real/two 644 0:0 "a"
    up -> ../../../../real
    "#);
}

#[test]
fn wildcards_match_names_and_a_lone_one_may_match_nothing() {
    let context =
        Tree::default().file("a.txt", "a").file("b.txt", "b").file("c.md", "c").in_a_temporary_folder();
    let text = "FROM scratch\nCOPY *.txt /d/\nCOPY *.none /d/\n";
    let outcome = Place::new().build(context.path(), text).unwrap();
    insta::assert_snapshot!(outcome.listing, @r#"
    d/ 755 0:0
    d/a.txt 644 0:0 "a"
    d/b.txt 644 0:0 "b"
    "#);
    assert_eq!(outcome.warnings(), ["`*.none` matches nothing, so nothing is copied"]);
}

#[test]
fn several_matches_onto_what_is_no_folder_are_refused() {
    let context = Tree::default().file("a.txt", "a").file("b.txt", "b").in_a_temporary_folder();
    let problem = common::problem(context.path(), "FROM scratch\nCOPY *.txt /one\n");
    assert_eq!(problem.message, "several sources match, but `/one` is not a directory");
}

#[test]
fn hard_links_of_the_context_stay_links() {
    let context =
        Tree::default().dir("d").file("d/a", "text").hard_link("d/b", "d/a").in_a_temporary_folder();
    let outcome = Place::new().build(context.path(), "FROM scratch\nCOPY d /d\n").unwrap();
    insta::assert_snapshot!(outcome.listing, @r#"
    d/ 755 0:0
    d/a 644 0:0 "text" shared
    d/b 644 0:0 "text" shared
    "#);
}

#[test]
fn copies_from_a_stage_keep_owners_and_a_chown_changes_them() {
    let context = Tree::default().file("a", "a").in_a_temporary_folder();
    let text = "FROM scratch AS one\nCOPY --chown=7:8 a /x/a\nFROM scratch\nCOPY --from=one /x /kept\n\
                COPY --from=0 --chown=9 --chmod=600 /x/a /changed/\n";
    insta::assert_snapshot!(Place::new().build(context.path(), text).unwrap().listing, @r#"
    changed/ 700 9:9
    changed/a 600 9:9 "a"
    kept/ 755 0:0
    kept/a 644 7:8 "a"
    "#);
}

#[test]
fn here_documents_are_files_named_after_their_word() {
    let context = Tree::default().in_a_temporary_folder();
    let text = "FROM scratch\nARG V=1\nCOPY <<one <<'two' /d/\nv=$V\none\nv=$V\ntwo\n";
    insta::assert_snapshot!(Place::new().build(context.path(), text).unwrap().listing, @r#"
    d/ 755 0:0
    d/one 644 0:0 "v=1\n"
    d/two 644 0:0 "v=$V\n"
    "#);
}

#[test]
fn an_archive_is_unpacked_by_add_and_copied_by_copy() {
    let inner = Tree::default().dir("in").file("in/f", "f").owner(3, 4).in_a_temporary_folder();
    let context = Tree::default().file("not.tar", "no archive").in_a_temporary_folder();
    let archive = context.path().join("a.tar.gz");
    let made = std::process::Command::new("tar")
        .args(["--numeric-owner", "-czf"])
        .arg(&archive)
        .arg("-C")
        .arg(inner.path())
        .arg("in")
        .status()
        .unwrap();
    assert!(made.success());
    let text = "FROM scratch\nADD a.tar.gz not.tar /added/\nADD --chown=5 a.tar.gz /owned/\n";
    insta::assert_snapshot!(Place::new().build(context.path(), text).unwrap().listing, @r#"
    added/ 755 0:0
    added/in/ 755 0:0
    added/in/f 644 3:4 "f"
    added/not.tar 644 0:0 "no archive"
    owned/ 755 5:5
    owned/in/ 755 5:5
    owned/in/f 644 5:5 "f"
    "#);
}

#[test]
fn a_file_that_an_ignore_rule_hides_is_named_with_its_line() {
    let context =
        Tree::default().file("secret", "s").file(".dockerignore", "# no\nsec*\n").in_a_temporary_folder();
    let problem = common::problem(context.path(), "FROM scratch\nCOPY secret /\n");
    assert_eq!(problem.message, "`secret` is not in the context");
    assert_eq!(problem.label.as_deref(), Some("it is there, but excluded by `.dockerignore:2`"));
}

#[test]
fn a_link_to_nothing_is_not_said_to_be_like_itself() {
    let context = Tree::default().symlink("link", "/etc/passwd").in_a_temporary_folder();
    let problem = common::problem(context.path(), "FROM scratch\nCOPY link /\n");
    assert_eq!(problem.label.as_deref(), Some("it is a link to `/etc/passwd`, which leads to nothing there"));
    assert_eq!(problem.help, None);
}

#[test]
fn a_misspelled_source_is_told_with_a_similar_name() {
    let context = Tree::default().dir("src").file("src/main.rs", "").in_a_temporary_folder();
    let problem = common::problem(context.path(), "FROM scratch\nCOPY src/mian.rs /\n");
    assert_eq!(problem.help.as_deref(), Some("did you mean `src/main.rs`?"));
}

#[test]
fn paths_cannot_leave_the_context() {
    let context = Tree::default()
        .dir("inner")
        .symlink("inner/out", "/etc")
        .symlink("inner/up", "../../..")
        .file("passwd", "of the context")
        .in_a_temporary_folder();
    let place = Place::new();
    let outcome =
        place.build(context.path(), "FROM scratch\nCOPY ../../passwd /a\nCOPY inner/up/passwd /b\n").unwrap();
    insta::assert_snapshot!(outcome.listing, @r#"
    a 644 0:0 "of the context"
    b 644 0:0 "of the context"
    "#);
    let problem = common::problem(context.path(), "FROM scratch\nCOPY inner/out/hostname /\n");
    assert_eq!(problem.message, "`inner/out/hostname` is not in the context");
}

#[test]
fn a_loop_of_links_is_told_as_one() {
    let context = Tree::default().symlink("a", "b").symlink("b", "a").in_a_temporary_folder();
    let problem = common::problem(context.path(), "FROM scratch\nCOPY a /\n");
    assert!(problem.message.contains("loop of symbolic links"), "{problem:?}");
}

#[test]
fn names_that_mark_removals_cannot_be_copied() {
    let context = Tree::default().dir("d").file("d/.wh.x", "").in_a_temporary_folder();
    let problem = common::problem(context.path(), "FROM scratch\nCOPY d /d\n");
    assert!(problem.message.contains("`.wh.`"));
}

#[test]
fn sockets_become_empty_files_and_fifos_stay() {
    let context = Tree::default().dir("d").socket("d/s").fifo("d/p").in_a_temporary_folder();
    let outcome = Place::new().build(context.path(), "FROM scratch\nCOPY --chmod=600 d /d\n").unwrap();
    insta::assert_snapshot!(outcome.listing, @r#"
    d/ 700 0:0
    d/p 600 0:0 Fifo
    d/s 600 0:0 ""
    "#);
}

#[test]
fn names_that_are_not_utf_8_are_copied_as_they_are() {
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(b"d/a\xff b");
    let context = Tree::default().dir("d").file(name, "x").in_a_temporary_folder();
    let outcome = Place::new().build(context.path(), "FROM scratch\nCOPY d /d\n").unwrap();
    assert!(outcome.listing.contains(r"d/a\xff b 644"), "{}", outcome.listing);
}

#[test]
fn nothing_is_copied_again_when_nothing_changed() {
    let context = Tree::default().dir("src").file("src/a", "a").in_a_temporary_folder();
    let (place, text) = (Place::new(), "FROM scratch\nCOPY src /src\nWORKDIR /w\nLABEL a=b\n");
    let first = place.build(context.path(), text).unwrap();
    let second = place.build(context.path(), text).unwrap();
    assert_eq!((first.built.cached, second.built.cached), (0, 2));
    assert_eq!(
        first.built.descriptor, second.built.descriptor,
        "a build that is all known gives the same image"
    );
    std::fs::File::open(context.path().join("src/a")).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    assert_eq!(place.build(context.path(), text).unwrap().built.cached, 2, "times do not count");
}

#[test]
fn a_miss_says_what_changed() {
    let context = Tree::default().dir("src").file("src/a", "a").file("src/b", "b").in_a_temporary_folder();
    let place = Place::new();
    let text = "FROM scratch\nCOPY src /src\n";
    assert!(
        place.build(context.path(), text).unwrap().reasons().is_empty(),
        "there was nothing to compare with"
    );
    std::fs::write(context.path().join("src/b"), "another").unwrap();
    assert_eq!(place.build(context.path(), text).unwrap().reasons(), ["src/b changed"]);
    std::fs::write(context.path().join("src/c"), "c").unwrap();
    std::fs::remove_file(context.path().join("src/a")).unwrap();
    assert_eq!(place.build(context.path(), text).unwrap().reasons(), ["src/c is new (and 1 more)"]);
    let chowned = "FROM scratch\nCOPY --chown=5 src /src\n";
    assert_eq!(place.build(context.path(), chowned).unwrap().reasons(), ["--chown `` → `5`"]);
}

#[test]
fn with_a_source_date_epoch_two_stores_make_the_same_image() {
    let make = || {
        let context = Tree::default().dir("src").file("src/a", "a").in_a_temporary_folder();
        let text = "FROM scratch\nWORKDIR /w\nCOPY src .\nCOPY <<x /x\nhello\nx\n";
        let outcome =
            Place::new().build_with(context.path(), text, |options| options.source_date_epoch = Some(1000));
        outcome.unwrap().built.descriptor.digest
    };
    assert_eq!(make(), make());
}

#[test]
fn a_hard_link_keeps_its_content_when_its_first_name_is_replaced() {
    let context = Tree::default()
        .dir("d")
        .file("d/a", "old")
        .hard_link("d/b", "d/a")
        .dir("other")
        .file("other/a", "new")
        .in_a_temporary_folder();
    let outcome = Place::new().build(context.path(), "FROM scratch\nCOPY d other /d/\n").unwrap();
    insta::assert_snapshot!(outcome.listing, @r#"
    d/ 755 0:0
    d/a 644 0:0 "new"
    d/b 644 0:0 "old"
    "#);
}

#[test]
fn a_directory_cannot_be_made_where_a_file_is() {
    let context = Tree::default().file("a", "a").in_a_temporary_folder();
    let problem = common::problem(context.path(), "FROM scratch\nCOPY a /a\nWORKDIR /a/b\n");
    assert_eq!(problem.message, "cannot make the directory `/a`: something else is there");
}

#[test]
fn an_exclusion_may_have_exceptions() {
    let context = Tree::default()
        .dir("d")
        .dir("d/docs")
        .file("d/docs/a.md", "a")
        .file("d/docs/b.md", "b")
        .file("d/c.md", "c")
        .in_a_temporary_folder();
    let text = "FROM scratch\nCOPY --exclude=docs --exclude=!docs/b.md d /d\n";
    insta::assert_snapshot!(Place::new().build(context.path(), text).unwrap().listing, @r#"
    d/ 755 0:0
    d/c.md 644 0:0 "c"
    d/docs/ 755 0:0
    d/docs/b.md 644 0:0 "b"
    "#);
}

#[test]
fn a_backslash_is_a_part_of_names_without_wildcards() {
    let context = Tree::default().file(r"a\b", "odd").file("ab", "plain").in_a_temporary_folder();
    let outcome = Place::new().build(context.path(), "FROM scratch\nCOPY [\"a\\\\\\\\b\", \"/\"]\n").unwrap();
    insta::assert_snapshot!(outcome.listing, @r#"a\\b 644 0:0 "odd""#);
}

#[test]
fn a_pipe_in_the_place_of_the_ignore_file_does_not_hold_up_the_build() {
    let context = Tree::default().file("a", "a").fifo(".dockerignore").in_a_temporary_folder();
    let Err(error) = Place::new().build(context.path(), "FROM scratch\nCOPY a /\n") else { panic!("built") };
    assert!(error.to_string().ends_with("/.dockerignore` is not a file"), "{error}");
}

#[test]
fn a_here_document_does_not_replace_a_directory() {
    let context = Tree::default().dir("d").dir("d/x").file("d/x/a", "a").in_a_temporary_folder();
    let problem = common::problem(context.path(), "FROM scratch\nCOPY d /d\nCOPY <<x /d/\ntext\nx\n");
    assert_eq!(problem.message, "cannot copy a file to `/d/x`: a directory is there");
}

#[test]
fn what_matches_nothing_is_told_each_time() {
    let context = Tree::default().in_a_temporary_folder();
    let place = Place::new();
    for _ in 0..2 {
        let outcome = place.build(context.path(), "FROM scratch\nCOPY *.none /d/\n").unwrap();
        assert_eq!(outcome.warnings(), ["`*.none` matches nothing, so nothing is copied"]);
    }
}

#[test]
fn a_tar_that_is_cut_off_is_no_context() {
    let context = Tree::default().in_a_temporary_folder();
    let tar = |options: &mut tug_builder::BuildOptions| {
        let mut bytes = vec![0; 512];
        bytes[..10].copy_from_slice(b"Dockerfile");
        options.context =
            tug_builder::ContextSource::Tar(Box::new(std::io::Cursor::new(bytes[..300].to_vec())));
    };
    let Err(error) = Place::new().build_with(context.path(), "FROM scratch\n", tar) else { panic!("built") };
    assert_eq!(error.to_string(), "the context could not be read from its tar");
    assert!(std::error::Error::source(&error).is_some());
}
