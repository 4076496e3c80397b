//! Many processes in one store, and what is left when one is killed.
//!
//! The test binary starts itself again: [`a_process_of_its_own`] is what the others run.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tug_layer_store::tar::TarWriter;
use tug_layer_store::{LoadOptions, NewEntry, Owners, Store, StoreOptions};
use tug_oci::{ImageConfig, Platform, Reference};

const STORE: &str = "TUG_TEST_STORE";
const TASK: &str = "TUG_TEST_TASK";

fn open(root: &Path) -> Store {
    Store::open(root, &StoreOptions { owners: Owners::Real, in_user_namespace: false, indexed_layers: false })
        .unwrap()
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
    command
        .env(STORE, root)
        .env(TASK, task)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

#[test]
#[ignore = "the other tests start it"]
fn a_process_of_its_own() {
    let (Ok(root), Ok(task)) = (std::env::var(STORE), std::env::var(TASK)) else { return };
    let store = open(root.as_ref());
    match task.split_once(' ') {
        Some(("four", who)) => (0..4).for_each(|round| build(&store, who, round)),
        Some(("load", _)) => {
            let options = LoadOptions::new(Platform::linux("amd64"));
            drop(store.load(&mut std::io::stdin(), &options));
        }
        Some(("endless", who)) => (0..u32::MAX).for_each(|round| build(&store, who, round)),
        _ => {
            println!("\nmade {}", store.write_blob(b"work").unwrap());
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
fn what_another_process_has_made_waits_until_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store"));
    let blob = store.write_blob(b"garbage").unwrap();
    let mut process = start(store.root(), "wait");
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let made = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("made ").map(str::to_owned));
    let made: tug_oci::Digest = made.unwrap().parse().unwrap();
    assert_eq!(store.remove_unreferenced().unwrap().unwrap().blobs, [blob]);
    assert!(store.has_blob(&made).unwrap());
    process.kill().unwrap();
    process.wait().unwrap();
    assert_eq!(store.remove_unreferenced().unwrap().unwrap().blobs, [made]);
}

#[test]
fn a_load_that_is_killed_half_way_leaves_nothing_but_garbage() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store"));
    let ingest = store.root().join("ingest");
    let mut process = start(store.root(), "load it");
    let mut archive = TarWriter::new(process.stdin.take().unwrap());
    archive.header(&NewEntry::file("layer.tar", 0o644, 8 << 20)).unwrap();
    archive.content(&vec![7; 4 << 20]).unwrap();
    let written = |path: &Path| -> u64 {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.flat_map(|entry| std::fs::read_dir(entry.path())).flatten().flatten().count() as u64
    };
    while written(&ingest) == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    assert!(written(&ingest) > 0);
    store.remove_unreferenced().unwrap().expect("nobody else has it open");
    for emptied in ["ingest", "trash", "blobs/sha256"] {
        assert_eq!(std::fs::read_dir(store.root().join(emptied)).unwrap().count(), 0, "{emptied}");
    }
    assert!(store.refs().unwrap().is_empty());
}

#[test]
#[ignore = "needs root"]
fn a_full_disk_is_named_and_the_store_goes_on_needs_root() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("store");
    std::fs::create_dir(&root).unwrap();
    let mount = |arguments: &[&str]| {
        let status = Command::new(arguments[0]).args(&arguments[1..]).arg(&root).status().unwrap();
        assert!(status.success(), "{arguments:?}");
    };
    mount(&["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs"]);
    let outcome = std::panic::catch_unwind(|| {
        let store = open(&root);
        build(&store, "before", 0);
        let mut archive = TarWriter::new(Vec::new());
        archive.header(&NewEntry::file("layer.tar", 0o644, 8 << 20)).unwrap();
        archive.content(&vec![7; 8 << 20]).unwrap();
        let archive = archive.finish().unwrap();
        let options = LoadOptions::new(Platform::linux("amd64"));
        let error = store.load(&mut archive.as_slice(), &options).unwrap_err();
        assert!(error.is_disk_full() && error.hint().unwrap().contains("free some space"), "{error}");
        assert!(error.to_string().starts_with("no space is left to write"), "{error}");
        let mut writer = store.blob_writer(tug_layer_store::Durability::Synced).unwrap();
        let error = writer.write_all(&vec![7; 8 << 20]).map_err(|error| writer.failure(error)).unwrap_err();
        assert!(error.is_disk_full(), "{error}");
        drop(writer);
        // What the load left is unlinked in the background; this waits for it.
        store.remove_unreferenced().unwrap().expect("nobody else has it open");
        build(&store, "after", 0);
        assert_eq!(store.refs().unwrap().len(), 2);
    });
    mount(&["umount", "-l"]);
    outcome.unwrap();
}

#[test]
#[ignore = "needs root"]
fn a_folder_that_cannot_be_written_to_is_no_place_for_a_store_needs_root() {
    let folder = tempfile::tempdir().unwrap();
    let mount = |arguments: &[&str]| {
        let status = Command::new(arguments[0]).args(&arguments[1..]).arg(folder.path()).status().unwrap();
        assert!(status.success(), "{arguments:?}");
    };
    mount(&["mount", "-t", "tmpfs", "-o", "ro", "tmpfs"]);
    let options = StoreOptions { owners: Owners::Real, in_user_namespace: false, indexed_layers: false };
    let refused =
        [folder.path().to_owned(), folder.path().join("new")].map(|root| Store::open(&root, &options));
    mount(&["umount"]);
    for outcome in refused {
        let error = outcome.unwrap_err();
        assert!(error.to_string().ends_with("its file system is read-only"), "{error}");
        assert!(error.hint().unwrap().contains("may write to"));
    }
}
