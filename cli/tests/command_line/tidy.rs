//! What commands do for the store without letting anybody wait.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::tug::Tug;

/// The records of all layers.
fn records(tug: &Tug) -> Vec<PathBuf> {
    let folders = fs::read_dir(tug.path("store/layers")).expect("the store has layers");
    folders.map(|folder| folder.expect("it can be listed").path().join("record.json")).collect()
}

fn is_durable(record: &PathBuf) -> bool {
    fs::read_to_string(record).expect("the record can be read").contains("\"durable\":true")
}

#[test]
fn later_builds_make_layers_durable_and_remove_what_was_left_half_written() {
    let tug = Tug::new();
    tug.write("app/Dockerfile", "FROM scratch\nCOPY a /\nCOPY b /\n");
    tug.write("app/a", "a");
    tug.write("app/b", "b");
    tug.data(&["build", "-q", "app"]);
    let records = records(&tug);
    assert_eq!(records.len(), 2);
    assert!(!records.iter().any(is_durable), "nobody should have waited for the disk");
    for record in &records {
        let long_ago = SystemTime::now() - Duration::from_secs(3600);
        File::open(record).and_then(|record| record.set_modified(long_ago)).expect("records are ours");
    }
    let left = tug.write("store/ingest/left", "half");
    // Each of them may be too short to get to it.
    let is_tidy = (0..200).any(|_| {
        tug.data(&["build", "-q", "app"]);
        std::thread::sleep(Duration::from_millis(20));
        records.iter().all(is_durable) && !left.exists()
    });
    assert!(is_tidy, "it is still untidy after 200 builds");
}
