//! Uploads to real registries: `tug serve`, and Debian's docker-registry.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tug_oci::{Descriptor, Digest};
use tug_registry_client::{Client, Delivery, Kind, Repository, Target};
use tug_registry_server::{Options, Running, Server};
use tug_testdata::distribution::Distribution;
use tug_testdata::registry_peer::{LAYER, MANIFEST, noise};

use crate::relay::Relay;
use crate::source::Source;
use crate::support::{client, limits, repository, run};

const SIZE: usize = 5_000_000;

fn serve(root: &tempfile::TempDir) -> Running {
    Server::start(Options::new(root.path().join("registry"))).unwrap()
}

/// The ways of a blob into a registry where nothing goes wrong.
async fn blobs_come(client: &Client, address: &str) {
    let (app, base) = (repository(address, "some/app"), repository(address, "base"));
    let bytes = noise(SIZE, 1);
    let upload = |to: Repository, source: Arc<Source>, mounts: Vec<Repository>| async move {
        client.upload(&to, source, &mounts).await.unwrap()
    };
    let sent = upload(base.clone(), Source::new(&bytes), vec![]).await;
    assert_eq!(sent.how, Delivery::Sent { bytes: SIZE as u64 });
    assert_eq!(upload(base.clone(), Source::new(&bytes), vec![]).await.how, Delivery::Existed);
    let mounted = upload(app.clone(), Source::new(&bytes), vec![base.clone()]).await;
    assert_eq!(mounted.how, Delivery::Mounted { from: Some(base.clone()) });
    let blob = Descriptor::new(LAYER, mounted.digest, SIZE as u64);
    assert!(client.small_blob(&app, &blob, SIZE as u64).await.unwrap() == bytes);

    let growing = Source::growing(&noise(SIZE, 2), 1_000_000);
    let completing = Arc::clone(&growing);
    std::thread::spawn(move || completing.complete());
    let grown = upload(app.clone(), growing, vec![]).await;
    assert_eq!(client.blob_size(&app, &grown.digest).await.unwrap(), Some(SIZE as u64));
    let empty = upload(app.clone(), Source::new(b""), vec![]).await;
    assert_eq!(client.blob_size(&app, &empty.digest).await.unwrap(), Some(0));

    let liar = Source::lying(b"other bytes", Digest::of(b"these bytes"));
    let error = client.upload(&repository(address, "lies"), liar, &[]).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Digest, "{error}");
}

/// What is attached, and what refers to nothing.
async fn manifests_come(client: &Client, address: &str) {
    let app = repository(address, "some/app");
    let config = b"{}";
    let part = |bytes: &[u8]| json!({ "mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(bytes).to_string(), "size": bytes.len() });
    let manifest = |kind: &str, subject: Option<&Digest>| {
        let mut manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind, "config": part(config), "layers": [part(config)] });
        if let Some(subject) = subject {
            manifest["subject"] = json!({ "mediaType": MANIFEST, "digest": subject.to_string(), "size": 1 });
        }
        bytes::Bytes::from(manifest.to_string())
    };
    let fresh = manifest("test/image", None);
    let error =
        client.put_manifest(&app, &Target::Tag("v1".to_owned()), MANIFEST, fresh.clone()).await.unwrap_err();
    assert!(error.says_that_a_part_is_missing(), "{error:?}");
    client.upload(&app, Source::new(config), &[]).await.unwrap();
    let put = client.put_manifest(&app, &Target::Tag("v1".to_owned()), MANIFEST, fresh).await.unwrap();
    for kind in ["test/one", "test/two"] {
        client.push_referrer(&app, MANIFEST, manifest(kind, Some(&put.digest))).await.unwrap();
    }
    let attached = client.referrers(&app, &put.digest, None).await.unwrap();
    let mut kinds: Vec<_> = attached.iter().map(|entry| entry.artifact_type.clone().unwrap()).collect();
    kinds.sort();
    assert_eq!(kinds, ["test/one", "test/two"]);
    client.remove_referrer(&app, &attached[0].digest).await.unwrap();
    assert_eq!(client.referrers(&app, &put.digest, None).await.unwrap(), attached[1..]);
}

#[test]
fn tug_serve_takes_blobs_and_manifests() {
    let root = tempfile::tempdir().unwrap();
    let server = serve(&root);
    let (client, _) = client(limits());
    let address = server.address().to_string();
    run(async {
        blobs_come(&client, &address).await;
        manifests_come(&client, &address).await;
    });
    server.stop();
}

#[test]
fn uploads_to_tug_serve_go_on_after_cuts() {
    let root = tempfile::tempdir().unwrap();
    let server = serve(&root);
    let relay = Relay::start(&server.address().to_string(), &[1_500_000, 1_000_000, 1_000_000]);
    let (client, _) = client(limits());
    let app = repository(relay.address(), "app");
    let bytes = noise(SIZE, 3);
    let uploaded = run(client.upload(&app, Source::new(&bytes), &[])).unwrap();
    let blob = Descriptor::new(LAYER, uploaded.digest, SIZE as u64);
    assert!(run(client.small_blob(&app, &blob, SIZE as u64)).unwrap() == bytes);
    let most = 8_400_000; // without going on it would be more
    assert!(
        relay.sent() < most,
        "{} bytes went, of which what was under way at a cut may be lost",
        relay.sent()
    );
    server.stop();
}

#[test]
fn a_cancelled_upload_leaves_nothing_at_tug_serve() {
    let root = tempfile::tempdir().unwrap();
    let server = serve(&root);
    let (client, _) = client(limits());
    let app = repository(&server.address().to_string(), "app");
    let source = Source::growing(&noise(SIZE, 4), 100_000);
    run(async {
        let upload = tokio::spawn({
            let (client, source) = (client.clone(), Arc::clone(&source));
            async move { client.upload(&app, source, &[]).await }
        });
        wait_until(|| sessions(root.path()) == 1).await;
        client.cancel_uploads().await;
        assert_eq!(upload.await.unwrap().unwrap_err().kind(), Kind::Cancelled);
        wait_until(|| sessions(root.path()) == 0).await;
        // The thread that reads it waits for it.
        source.complete();
    });
    server.stop();
}

/// How many uploads are under way below a root.
fn sessions(root: &std::path::Path) -> usize {
    std::fs::read_dir(root.join("registry/_tug/uploads")).unwrap().count()
}

#[test]
#[ignore = "needs distribution"]
fn needs_distribution_it_takes_blobs_and_manifests() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Distribution::start(folder.path(), "");
    let (client, _) = client(limits());
    run(async {
        blobs_come(&client, registry.address()).await;
        manifests_come(&client, registry.address()).await;
    });
    assert_eq!(registry.open_sessions("some/app"), 0);
}

#[test]
#[ignore = "needs distribution"]
fn needs_distribution_its_dead_sessions_are_followed_by_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Distribution::start(folder.path(), "");
    let relay = Relay::start(registry.address(), &[1_500_000, 1_000_000]);
    let (client, heard) = client(limits());
    let app = repository(relay.address(), "app");
    let bytes = noise(SIZE, 5);
    let uploaded = run(client.upload(&app, Source::new(&bytes), &[])).unwrap();
    let blob = Descriptor::new(LAYER, uploaded.digest, SIZE as u64);
    assert!(run(client.small_blob(&app, &blob, SIZE as u64)).unwrap() == bytes);
    assert!(!heard.all().is_empty(), "it is told");
}

async fn wait_until(holds: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "waited in vain");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
