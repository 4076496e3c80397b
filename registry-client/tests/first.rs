//! The client at work with a registry that is right, and with one whose connections break.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

mod support;

use std::sync::Arc;

use support::{Memory, client, limits, repository, run};
use tug_oci::Descriptor;
use tug_registry_client::{Event, Kind, Limits, Target};
use tug_testdata::registry_peer::{Behaviour, End, LAYER, Peer, Rule, noise};

#[test]
fn manifests_blobs_and_lists_are_read() {
    let peer = Peer::start(Behaviour::default());
    let layer = noise(50_000, 1);
    let image = peer.add_image("app", "latest", std::slice::from_ref(&layer));
    let (client, _) = client(limits());
    let app = repository(peer.address(), "app");
    run(async {
        let manifest = client.manifest(&app, &Target::Tag("latest".to_owned())).await.unwrap();
        assert_eq!(manifest.digest.to_string(), image.digest);
        let pointer = client.head_manifest(&app, &Target::Tag("latest".to_owned())).await.unwrap().unwrap();
        assert_eq!(pointer, manifest.descriptor());
        assert_eq!(client.head_manifest(&app, &Target::Tag("other".to_owned())).await.unwrap(), None);
        let blob = Descriptor::new(LAYER, image.layers[0].0.parse().unwrap(), 50_000);
        assert_eq!(client.blob_size(&app, &blob.digest).await.unwrap(), Some(50_000));
        assert_eq!(client.small_blob(&app, &blob, 1 << 20).await.unwrap(), layer);
        assert_eq!(client.tags(&app, None).await.unwrap(), ["latest"]);
        assert_eq!(client.catalog(peer.address(), None).await.unwrap(), ["app"]);
        let error = client.manifest(&app, &Target::Tag("other".to_owned())).await.unwrap_err();
        assert_eq!((error.kind(), error.status()), (Kind::NotFound, Some(404)), "{error}");
    });
}

#[test]
fn a_large_blob_comes_in_parts_and_each_goes_on_where_it_broke() {
    let peer = Peer::start(Behaviour::default());
    let bytes = noise(1_000_000, 2);
    let digest = peer.add_blob("app", &bytes);
    peer.add(Rule::on("GET", "/blobs/").times(5).cut(60_000, End::Close));
    let limits = Limits { part: 200_000, connections_per_blob: 3, ..limits() };
    let (client, heard) = client(limits);
    let blob = Descriptor::new(LAYER, digest.parse().unwrap(), bytes.len() as u64);
    let sink = Memory::with(&bytes, 0..100);
    run(client.download(&repository(peer.address(), "app"), &blob, Arc::clone(&sink) as Arc<_>)).unwrap();
    assert!(sink.bytes() == bytes);
    assert!(peer.sent("GET", "/blobs/") < 1_100_000, "{:#?}", peer.lines());
    assert!(peer.most_requests() <= 3);
    let resumed = Event::Resumed { digest: blob.digest.clone(), have: 100, size: 1_000_000 };
    assert!(heard.all().contains(&resumed));
}
