//! A cache in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use tug_oci::Digest;
use tug_transfer::cache::CachePlace;

use crate::support::{Machine, folder};

fn blob(place: &Path, digest: &Digest) -> PathBuf {
    place.join("blobs/sha256").join(digest.hex())
}

/// What is told about a cache in `place` that gives nothing.
fn notice(machine: &Machine, place: &Path) -> String {
    let source = machine.source(&folder(place));
    for key in ["a", "b", "a"] {
        assert!(source.look_up(&Digest::of(key.as_bytes())).is_none());
    }
    let notices = machine.notices();
    assert_eq!(notices.len(), 1, "it is told once: {notices:?}");
    notices[0].replace(&place.display().to_string(), "DIR")
}

#[test]
fn whatever_is_wrong_is_told_once_and_gives_nothing() {
    let machine = Machine::new();
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let mut told = vec![notice(&machine, place)];
    for text in ["{", r#"{"manifests":[{"annotations":{"org.opencontainers.image.ref.name":"latest"}}]}"#] {
        fs::write(place.join("index.json"), text).unwrap();
        told.push(notice(&machine, place));
    }
    fs::remove_file(place.join("index.json")).unwrap();
    machine.export(&folder(place), &[machine.made("a", 1000)]);
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(place.join("index.json")).unwrap()).unwrap();
    let manifest: Digest = index["manifests"][0]["digest"].as_str().unwrap().parse().unwrap();
    let manifest_bytes = fs::read(blob(place, &manifest)).unwrap();
    fs::write(blob(place, &manifest), "{}").unwrap();
    told.push(notice(&machine, place));
    fs::write(blob(place, &manifest), &manifest_bytes).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&manifest_bytes).unwrap();
    let config: Digest = config["config"]["digest"].as_str().unwrap().parse().unwrap();
    fs::remove_file(blob(place, &config)).unwrap();
    told.push(notice(&machine, place));
    let shown = told.join("\n").replace(manifest.hex(), "MANIFEST").replace(config.hex(), "CONFIG");
    let shown = shown.replace(manifest.short(), "MANIFEST");
    insta::assert_snapshot!(shown);
    // It is written anew.
    let exported = machine.export(&folder(place), &[machine.made("b", 1000)]);
    assert_eq!((exported.records, exported.is_written), (1, true));
    assert!(machine.find(&folder(place), "b").is_some());
}

/// Puts a manifest with this config into the layout.
fn put_manifest(place: &Path, config: &serde_json::Value, media_type: &str) {
    fs::create_dir_all(place.join("blobs/sha256")).unwrap();
    let config = serde_json::to_vec(config).unwrap();
    let digest = Digest::of(&config);
    fs::write(blob(place, &digest), &config).unwrap();
    let manifest = json!({
        "schemaVersion": 2,
        "config": {"mediaType": media_type, "digest": digest, "size": config.len()},
        "layers": [],
    });
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let digest = Digest::of(&manifest);
    fs::write(blob(place, &digest), &manifest).unwrap();
    let index = json!({"schemaVersion": 2, "manifests": [{
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": digest,
        "size": manifest.len(),
        "annotations": {"org.opencontainers.image.ref.name": "latest"},
    }]});
    fs::write(place.join("index.json"), index.to_string()).unwrap();
}

#[test]
fn what_others_have_put_there_is_neither_read_nor_overwritten() {
    let machine = Machine::new();
    let place = tempfile::tempdir().unwrap();
    let place = place.path();
    let mut told = Vec::new();
    let image = json!({"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}});
    for (config, media_type) in [
        (image, "application/vnd.oci.image.config.v1+json"),
        (json!({"layers": [], "records": []}), "application/vnd.buildkit.cacheconfig.v0"),
        (json!({}), "application/vnd.cncf.helm.config.v1+json"),
        (json!({"version": 2, "records": 7}), "application/vnd.tug.cache.index.v1+json"),
    ] {
        put_manifest(place, &config, media_type);
        let before = fs::read(place.join("index.json")).unwrap();
        told.push(notice(&machine, place));
        let error = machine.try_export(&folder(place), &[machine.made("a", 10)], &crate::support::options());
        told.push(error.unwrap_err().replace(&place.display().to_string(), "DIR"));
        assert_eq!(fs::read(place.join("index.json")).unwrap(), before);
    }
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_blob_that_is_gone_is_no_hit_and_comes_back_with_the_next_export() {
    let place = tempfile::tempdir().unwrap();
    let (one, two) = (Machine::new(), Machine::new());
    let cache = folder(place.path());
    one.export(&cache, &[one.made("a", 1000), one.made("b", 1000)]);
    let found = two.find(&cache, "a").unwrap();
    fs::remove_file(blob(place.path(), &found.blob.digest)).unwrap();
    assert!(two.find(&cache, "a").is_none() && two.find(&cache, "b").is_some());
    let exported = one.export(&cache, &[one.made("a", 1000)]);
    assert_eq!((exported.records, exported.is_written), (2, false), "the index was right all the time");
    assert!(exported.sent > 1000);
    two.read(&two.find(&cache, "a").unwrap()).unwrap();
}

#[test]
fn wrong_bytes_never_become_a_layer() {
    let place = tempfile::tempdir().unwrap();
    let (one, two) = (Machine::new(), Machine::new());
    let cache = folder(place.path());
    one.export(&cache, &[one.made("a", 1000), one.made("b", 1000)]);
    let (found, other) = (two.find(&cache, "a").unwrap(), two.find(&cache, "b").unwrap());
    let path = blob(place.path(), &found.blob.digest);
    let good = fs::read(&path).unwrap();
    let mut wrong = good.clone();
    wrong[good.len() / 2] ^= 1;
    fs::write(&path, &wrong).unwrap();
    let error = two.read(&found).unwrap_err();
    assert!(error.contains("digest") || error.contains(found.blob.digest.hex()), "{error}");
    assert!(two.store.layer(&found.layer).unwrap().is_none());
    assert_eq!(two.blobs(), 0);
    // A right blob under the name of another layer is no layer either.
    fs::write(&path, &good).unwrap();
    let lie = tug_layer_store::FoundResult { layer: other.layer, ..found.clone() };
    assert!(two.read(&lie).is_err());
    assert!(two.store.layer(&lie.layer).unwrap().is_none());
    two.read(&found).unwrap();
}

#[test]
fn without_registries_layers_come_at_once_and_damaged_ones_are_no_hits() {
    let place = tempfile::tempdir().unwrap();
    let (one, two) = (Machine::new(), Machine::new());
    let cache = folder(place.path());
    let made = [one.made("a", 1000), one.made("b", 1000)];
    let exported = cache.export_offline(&one.store, &made, &crate::support::options()).unwrap().unwrap();
    assert_eq!(exported.records, 2);
    let found = two.find(&cache, "b").unwrap();
    fs::write(blob(place.path(), &found.blob.digest), vec![0; found.blob.size as usize]).unwrap();
    let source = cache.source_offline(&two.store, Vec::new(), std::sync::Arc::new(drop)).unwrap();
    assert!(source.look_up(&Digest::of(b"a")).is_some() && source.look_up(&Digest::of(b"b")).is_none());
    assert!(two.store.layer(&made[0].layer).unwrap().is_some());
    let registry = CachePlace::Registry("registry.example/app:cache".parse().unwrap());
    assert!(registry.source_offline(&two.store, Vec::new(), std::sync::Arc::new(drop)).is_none());
}

#[test]
fn a_digest_names_one_state_and_tags_are_apart() {
    let place = tempfile::tempdir().unwrap();
    let machine = Machine::new();
    let at = |tag: &str, digest: Option<&str>| CachePlace::Folder {
        path: place.path().to_owned(),
        tag: tag.to_owned(),
        digest: digest.map(|digest| digest.parse().unwrap()),
    };
    machine.export(&at("main", None), &[machine.made("a", 1000)]);
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(place.path().join("index.json")).unwrap()).unwrap();
    let first = index["manifests"][0]["digest"].as_str().unwrap().to_owned();
    machine.export(&at("main", None), &[machine.made("b", 1000)]);
    machine.export(&at("branch", None), &[machine.made("c", 1000)]);
    let has = |place: &CachePlace| ["a", "b", "c"].map(|key| machine.find(place, key).is_some());
    assert_eq!(has(&at("main", None)), [true, true, false]);
    assert_eq!(has(&at("branch", None)), [false, false, true]);
    assert_eq!(has(&at("branch", Some(&first))), [true, false, false]);
    assert_eq!(has(&at("main", Some(&Digest::of(b"none").to_string()))), [false; 3]);
}

#[test]
fn several_machines_write_one_folder_at_once_and_nothing_is_lost() {
    let place = tempfile::tempdir().unwrap();
    let cache = folder(place.path());
    let keys: Vec<String> = (0..4).map(|number| format!("key {number}")).collect();
    std::thread::scope(|scope| {
        for key in &keys {
            let cache = &cache;
            scope.spawn(move || {
                let machine = Machine::new();
                machine.export(cache, &[machine.made(key, 10_000), machine.made("shared", 10_000)]);
            });
        }
    });
    let machine = Machine::new();
    for key in keys.iter().map(String::as_str).chain(["shared"]) {
        machine.read(&machine.find(&cache, key).unwrap()).unwrap();
    }
}
