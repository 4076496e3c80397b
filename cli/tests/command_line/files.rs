//! Files and folders that are not what they should be: the store, the context, the Dockerfile.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use crate::tug::Tug;

#[test]
fn a_store_that_is_a_file_is_refused() {
    let tug = Tug::new();
    tug.write("store", "not a folder");
    insta::assert_snapshot!(tug.run(&["images"]), @"
    exit code 1
    --- stderr
    error: `[HOME]/store` cannot be a store: a file is in its place

    hint: give an empty or new folder as the store
    ");
}

#[test]
fn a_folder_with_other_files_is_not_taken_for_a_store() {
    let tug = Tug::new();
    tug.write("store/letter.txt", "hello");
    insta::assert_snapshot!(tug.run(&["images"]), @"
    exit code 1
    --- stderr
    error: `[HOME]/store` is not a store: it has other files in it, for example `letter.txt`

    hint: give an empty or new folder as the store
    ");
    assert_eq!(fs::read_dir(tug.path("store")).unwrap().count(), 1);
}

#[test]
fn the_flag_wins_over_the_variable() {
    let tug = Tug::new();
    tug.image(&["app"]);
    assert_eq!(tug.data(&["images", "-q", "--store", "other"]), "");
    assert!(tug.path("other/oci-layout").is_file());
}

#[test]
fn without_any_place_for_the_store_it_is_asked_for() {
    let tug = Tug::new();
    let mut command = tug.command(&["images"]);
    let output = command.env_remove("TUG_STORE").env_remove("HOME").output().unwrap();
    let shown = tug.shown(&output);
    // Root has a place of its own.
    if !shown.starts_with("exit code 0") {
        insta::assert_snapshot!(shown, @"");
    }
}

#[test]
#[ignore = "needs users"]
fn an_unreadable_store_is_a_matter_of_the_host_needs_users() {
    use tug_testdata::place::Place;
    let home = Place::UserWithOneId.home();
    let program = home.bring(std::path::Path::new(env!("CARGO_BIN_EXE_tug")));
    let store = home.path().join("store");
    fs::create_dir(&store).unwrap();
    fs::set_permissions(&store, Permissions::from_mode(0o700)).unwrap();
    let mut command = Place::UserWithOneId.command(&program);
    let output = command.args(["images", "--store"]).arg(&store).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).replace(&*home.path().to_string_lossy(), "[HOME]");
    assert_eq!(output.status.code(), Some(4), "{stderr}");
    insta::assert_snapshot!(stderr, @"
    error: cannot list `[HOME]/store`: permission denied

    hint: choose a folder that you may write to as the store
    ");
}

#[test]
#[ignore = "needs root, users"]
fn root_does_not_meddle_with_the_store_of_a_user_needs_root_needs_users() {
    use std::os::unix::fs::MetadataExt;
    use tug_testdata::place::Place;
    let home = Place::UserWithOneId.home();
    let program = home.bring(std::path::Path::new(env!("CARGO_BIN_EXE_tug")));
    let store = home.path().join("store");
    let mut command = Place::UserWithOneId.command(&program);
    assert!(command.args(["images", "--store"]).arg(&store).output().unwrap().status.success());
    let owner = fs::metadata(&store).unwrap().uid().to_string();
    let shown = Tug::new().run(&["rmi", "app", "--store", &store.to_string_lossy()]);
    let shown = shown.replace(&*home.path().to_string_lossy(), "[HOME]").replace(&owner, "[ID]");
    insta::assert_snapshot!(shown, @"
    exit code 4
    --- stderr
    error: the store `[HOME]/store` belongs to the user with the id [ID]

    hint: use it as that user: what root makes in it, the owner could not change
    ");
}

#[test]
fn a_build_without_its_files_says_which() {
    let tug = Tug::new();
    tug.write("a-file", "x");
    fs::create_dir(tug.path("empty")).unwrap();
    tug.write("context/Dockerfile", "FROM scratch\n");
    let mut shown = String::new();
    for words in [
        &["build", "no-such-folder"][..],
        &["build", "a-file"],
        &["build", "empty"],
        &["build", "-f", "no-such-file", "context"],
        &["build", "-f", "empty", "context"],
        &["build", "-f", "-", "-"],
        &["build", "https://example.com/app.git#-x"],
        &["build", "-"],
    ] {
        shown += &format!("$ tug {}\n{}\n", words.join(" "), tug.run(words));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn the_doctor_looks_at_everything_and_gives_a_verdict() {
    let tug = Tug::new();
    let output = tug.command(&["doctor", "--format", "json"]).output().unwrap();
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    assert!(checks.len() > 4, "{report:#}");
    for check in checks {
        assert!(matches!(check["outcome"].as_str(), Some("ok" | "degraded" | "missing")), "{check:#}");
        assert!(!check["found"].as_str().unwrap().is_empty(), "{check:#}");
    }
    let expected = if report["canBuild"] == true { 0 } else { 4 };
    assert_eq!(output.status.code(), Some(expected));
}

#[test]
#[ignore = "needs users"]
fn the_doctor_says_how_layers_are_mounted_and_why_needs_users() {
    use tug_testdata::place::Place;
    let home = Place::UserWithManyIds.home();
    let program = home.bring(std::path::Path::new(env!("CARGO_BIN_EXE_tug")));
    let output = Place::UserWithManyIds.command(&program).arg("doctor").output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    let expected = "layers: are unpacked into directories before they are mounted: only root, in no user namespace, may \
                    mount an image\n          why it matters: ";
    assert!(shown.contains(expected), "{shown}");
}

#[test]
#[ignore = "needs users"]
fn where_nothing_can_be_built_the_doctor_ends_with_4_needs_users() {
    use tug_testdata::place::Place;
    let home = Place::UserWithOneId.home();
    let program = home.bring(std::path::Path::new(env!("CARGO_BIN_EXE_tug")));
    let mut command = Place::UserWithOneId.command(&program);
    let output = command.args(["doctor", "--store", "/nonexistent/store"]).output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(4), "{shown}");
    assert!(shown.contains("tug cannot build here"), "{shown}");
}
