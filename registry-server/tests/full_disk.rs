//! A disk that is full: clients hear of it, nothing half is left, and it goes on when there is room.

mod support;

use std::fs;
use std::sync::{Arc, Mutex};

use serde_json::json;
use support::{Client, Request, noise};
use tug_oci::{Digest, media_type};
use tug_registry_server::{Event, Observer, Options, Server};
use tug_testdata::loop_file_system::{Kind, LoopFileSystem};

/// Keeps what it hears.
#[derive(Debug, Default)]
struct Ear(Mutex<Vec<String>>);

impl Observer for Ear {
    fn event(&self, event: Event) {
        if let Event::Problem { what } = event {
            self.0.lock().expect("nobody panics with it").push(what);
        }
    }
}

#[test]
#[ignore = "needs root, loopfs"]
fn a_full_disk_is_said_and_leaves_nothing_half_needs_root_needs_loopfs() {
    let disk = LoopFileSystem::new(Kind::Ext4, 64);
    let ear = Arc::new(Ear::default());
    let mut options = Options::new(disk.path().join("registry"));
    options.observer = ear.clone();
    let running = Server::start(options).unwrap();
    let client = Client(running.address());
    let kept = noise(1, 8_000_000);
    let digest = client.push_blob("app", &kept);

    let large = noise(2, 1_000_000).repeat(100);
    let name = Digest::of(&large);
    let uploads = "/v2/app/blobs/uploads/";
    let requests: [&dyn Fn() -> Request; 3] = [
        &|| Request::new("POST", uploads).query("digest", &name).body(&*large),
        &|| Request::new("PATCH", client.begin("app")).streamed(&*large),
        &|| Request::new("PUT", client.begin("app")).query("digest", &name).body(&*large),
    ];
    for request in requests {
        let request = request();
        let answer = client.send(&request);
        assert_eq!((answer.status, &*answer.code()), (507, "UNKNOWN"), "{}", answer.text());
        assert!(answer.text().contains("the disk of the registry is full"), "{}", answer.text());
        assert_eq!(client.head(format!("/v2/app/blobs/{name}")).status, 404);
        for folder in ["_tug/uploads", "_tug/ingest"] {
            let left = fs::read_dir(disk.path().join("registry").join(folder)).unwrap().count();
            assert_eq!(left, 0, "{folder}");
        }
        // There is room for others again, at once.
        let other = client.push_blob("app", &noise(3, 8_000_000));
        assert_eq!(client.delete(format!("/v2/app/blobs/{other}")).status, 202);
    }
    assert!(ear.0.lock().unwrap().iter().any(|what| what.contains("No space left on device")), "{ear:?}");

    // Not even a manifest fits.
    let filler = disk.path().join("filler");
    let _ = fs::write(&filler, noise(4, 1_000_000).repeat(100));
    let config =
        json!({ "mediaType": media_type::OCI_CONFIG, "digest": digest.to_string(), "size": kept.len() });
    let image = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "config": config, "layers": [],
        "annotations": { "long": "x".repeat(1_000_000) },
    });
    let answer = client.push_manifest("app", "latest", &image);
    assert_eq!((answer.status, &*answer.code()), (507, "UNKNOWN"), "{}", answer.text());
    assert_eq!(client.head("/v2/app/manifests/latest").status, 404);
    assert_eq!(client.get(format!("/v2/app/blobs/{digest}")).body, kept, "reading needs no room");
    fs::remove_file(filler).unwrap();
    assert_eq!(client.push_manifest("app", "latest", &image).status, 201);
    assert_eq!(client.get("/v2/app/manifests/latest").text(), image.to_string());
    running.stop();
}
