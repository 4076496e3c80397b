//! `tug store`, and stores that are only read.

use std::fs;

use insta::assert_snapshot;

use crate::tug::Tug;

#[test]
fn a_store_that_is_whole_is_said_to_be_so() {
    let tug = Tug::new();
    tug.image(&["app:1"]);
    assert_snapshot!(tug.run(&["store", "verify", "--quick"]), @"
    exit code 0
    --- stderr
    1 image, 0 layers, 2 blobs: all is as it should be
    ");
    assert_eq!(tug.data(&["store", "verify", "--format", "json"]), "[]\n");
    assert_eq!(tug.data(&["store", "path"]).trim_end(), tug.path("store").to_str().expect("plain"));
}

#[test]
fn what_is_damaged_is_listed_with_its_remedy_and_exit_code_1() {
    let tug = Tug::new();
    tug.image(&["app:1"]);
    let config = tug.data(&["images", "-q", "--no-trunc"]).trim().replace("sha256:", "");
    fs::write(tug.path("store/blobs/sha256").join(&config), "{}").expect("it can be written");
    let words = ["store", "verify", "--format", "{{.Severity}} {{.Problem}} / {{.Repair}}"];
    let found = tug.run(&words);
    assert!(found.starts_with("exit code 1"), "{found}");
    assert!(found.contains("wrong its content has the digest `sha256:"), "{found}");
    assert!(found.contains("/ remove it"), "{found}");
    let mended = tug.run(&["store", "verify", "--repair"]);
    assert!(mended.starts_with("exit code 0"), "{mended}");
    assert!(mended.contains("warning: the image `app:1` was removed: it has lost"), "{mended}");
    assert!(tug.run(&["store", "verify"]).contains("all is as it should be"));
}

#[test]
fn images_of_a_second_store_are_listed_as_read_only_and_stay() {
    let tug = Tug::new();
    tug.image(&["app:1"]);
    let base = tug.path("base").display().to_string();
    assert!(tug.run(&["store", "move", &base]).starts_with("exit code 0"));
    let add = ["--add-store", &base];
    let images =
        tug.data(&[&["images", "--format", "table {{.Repository}}\t{{.ReadOnly}}"][..], &add].concat());
    assert_eq!(images, "REPOSITORY   READ-ONLY\napp          true\n");
    assert!(tug.data(&[&["images"][..], &add].concat()).contains("READ-ONLY"));
    assert!(
        tug.data(&[&["inspect", "app:1", "--format", "{{.Config.Env}}"][..], &add].concat())
            .contains("NAME=app:1")
    );
    let removed = tug.run(&[&["rmi", "app:1"][..], &add].concat());
    assert!(removed.starts_with("exit code 1") && removed.contains("which is only read"), "{removed}");
    assert_eq!(tug.data(&["images", "-q", "--store", &base]).lines().count(), 1);
    let other = tug.with("TUG_EXTRA_STORES", &base);
    assert_eq!(other.data(&["images", "-q"]).lines().count(), 1);
    let absent = other.run(&["images", "--add-store", "absent"]);
    assert!(absent.starts_with("exit code 1") && absent.contains("absent"), "{absent}");
}

#[test]
fn a_store_that_was_moved_is_found_where_it_is_now() {
    let tug = Tug::new();
    tug.image(&["app:1"]);
    let new = tug.path("new").display().to_string();
    let moved = tug.run(&["store", "move", &new]);
    assert!(moved.contains("the variable `TUG_STORE` still names the old folder"), "{moved}");
    assert!(!tug.path("store").exists());
    assert_eq!(tug.data(&["images", "-q", "--store", &new]).lines().count(), 1);
    let again = tug.run(&["--store", &new, "store", "move", &format!("{new}/inside")]);
    assert!(again.starts_with("exit code 2"), "{again}");
}
