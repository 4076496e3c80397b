//! Many processes in one store, and what is left when one is killed.
//!
//! The test binary starts itself again: [`a_process_of_its_own`] is what the others run.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tug_layer_store::{Owners, Store, StoreOptions};
use tug_oci::{ImageConfig, Platform, Reference};

const STORE: &str = "TUG_TEST_STORE";
const TASK: &str = "TUG_TEST_TASK";

fn open(root: &Path) -> Store {
    Store::open(root, &StoreOptions { owners: Owners::Real, in_user_namespace: false }).unwrap()
}

fn name(text: &str) -> Reference {
    text.parse().unwrap()
}

/// Writes and tags an image that no other round has.
fn build(store: &Store, who: &str, round: u32) {
    let mut config = ImageConfig::empty(Platform::linux("amd64"));
    config.author = Some(format!("{who}, round {round}"));
    let image = store.write_image(config, BTreeMap::new()).unwrap();
    store.tag(&name(&format!("app:{who}-{}", round % 4)), &image.descriptor).unwrap();
}

fn start(root: &Path, task: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "a_process_of_its_own", "--ignored", "--nocapture"]);
    command.env(STORE, root).env(TASK, task).stdout(Stdio::piped()).stderr(Stdio::null());
    command.spawn().unwrap()
}

#[test]
#[ignore = "the other tests start it"]
fn a_process_of_its_own() {
    let (Ok(root), Ok(task)) = (std::env::var(STORE), std::env::var(TASK)) else { return };
    let store = open(root.as_ref());
    match task.split_once(' ') {
        Some(("four", who)) => (0..4).for_each(|round| build(&store, who, round)),
        Some(("endless", who)) => (0..u32::MAX).for_each(|round| build(&store, who, round)),
        _ => {
            println!("\nopen");
            std::thread::sleep(Duration::from_secs(60));
        }
    }
}

#[test]
fn thirty_two_processes_tag_at_once_and_no_name_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("store");
    let processes: Vec<Child> = (0..32).map(|number| start(&root, &format!("four p{number}"))).collect();
    for mut process in processes {
        assert!(process.wait().unwrap().success());
    }
    let store = open(&root);
    assert_eq!(store.refs().unwrap().len(), 32 * 4);
    assert_eq!(store.images(&Platform::linux("amd64")).unwrap().len(), 32 * 4);
}

#[test]
fn a_killed_process_leaves_a_store_that_opens_and_garbage_that_goes() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("store");
    for round in 0..12 {
        let mut processes = ["a", "b"].map(|who| start(&root, &format!("endless {who}")));
        std::thread::sleep(Duration::from_millis(40 + 17 * round));
        for process in &mut processes {
            process.kill().unwrap();
            process.wait().unwrap();
        }
        let store = open(&root);
        let refs = store.refs().unwrap();
        for (name, target) in &refs {
            let image = store.image(target, &Platform::linux("amd64"));
            assert!(image.is_ok(), "{name} leads to an incomplete image: {image:?}");
        }
        store.remove_unreferenced().unwrap().expect("nobody else has it open");
        assert_eq!(std::fs::read_dir(root.join("ingest")).unwrap().count(), 0);
        assert_eq!(store.refs().unwrap(), refs);
    }
    assert!(!open(&root).refs().unwrap().is_empty(), "nothing was ever written");
}

#[test]
fn garbage_waits_until_no_other_process_has_the_store_open() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store"));
    let blob = store.write_blob(b"garbage").unwrap();
    let mut process = start(store.root(), "wait");
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap() == "open"));
    assert_eq!(store.remove_unreferenced().unwrap(), None);
    assert!(store.has_blob(&blob).unwrap());
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(store.remove_unreferenced().unwrap().unwrap().blobs, [blob]);
}
