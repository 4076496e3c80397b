//! Where a blob may be besides its registry: mirrors, and addresses that a manifest names.

use std::net::TcpListener;
use std::sync::Arc;

use crate::support::{Memory, limits, run};
use crate::{client_with, layer, registries, tag, user};
use tug_registry_client::{BlobSink, Client, Error, Event, Kind, Limits, Repository};
use tug_testdata::registry_peer::{Access, Answer, Behaviour, Peer, Rule, noise};

const SIZE: usize = 100_000;

/// A registry and a mirror of it, both with `app:latest` and one blob.
struct Pair {
    registry: Peer,
    mirror: Peer,
    digest: String,
}

impl Pair {
    fn new() -> Self {
        let peers = [(); 2].map(|()| Peer::start(Behaviour::default()));
        for peer in &peers {
            peer.add_image("app", "latest", &[noise(SIZE, 1)]);
        }
        let digest = peers[0].add_blob("app", &noise(SIZE, 1));
        let [registry, mirror] = peers;
        Self { registry, mirror, digest }
    }

    fn client(&self) -> (Client, Arc<crate::support::Heard>, tempfile::TempDir) {
        client_of(self.registry.address(), self.mirror.address())
    }
}

fn client_of(registry: &str, mirror: &str) -> (Client, Arc<crate::support::Heard>, tempfile::TempDir) {
    let text = format!(
        "[[registry]]\nprefix = \"registry.example\"\nlocation = \"{registry}\"\n\
         [[registry.mirror]]\nlocation = \"{mirror}\"\n"
    );
    let (hosts, folder) = registries(&text);
    let limits = Limits { attempts: 2, mirror_attempts: 1, ..limits() };
    let (client, heard) = client_with(limits, |options| options.hosts = hosts);
    (client, heard, folder)
}

fn app() -> Repository {
    Repository { registry: "registry.example".to_owned(), name: "app".to_owned() }
}

fn fetch(client: &Client, digest: &str) -> Result<String, Error> {
    let sink = Memory::new(SIZE);
    let into = Arc::clone(&sink) as Arc<dyn BlobSink>;
    let from = run(client.download(&app(), &layer(digest, SIZE), into))?;
    assert!(sink.bytes() == noise(SIZE, 1));
    Ok(from)
}

fn skipped(heard: &crate::support::Heard) -> usize {
    heard.all().iter().filter(|event| matches!(event, Event::MirrorSkipped { .. })).count()
}

#[test]
fn what_the_mirror_has_is_not_fetched_from_the_registry() {
    let pair = Pair::new();
    pair.registry.add(Rule::on("GET", "/blobs/").answer(Answer::status(404)));
    let (client, heard, _folder) = pair.client();
    assert_eq!(fetch(&client, &pair.digest).unwrap(), pair.mirror.address());
    assert_eq!((pair.registry.exchanges().len(), skipped(&heard)), (0, 0));
}

#[test]
fn what_the_mirror_lacks_is_fetched_from_the_registry() {
    let pair = Pair::new();
    pair.mirror.add(Rule::on("GET", "/v2/app/").answer(Answer::status(404)));
    let (client, heard, _folder) = pair.client();
    run(client.manifest(&app(), &tag("latest"))).unwrap();
    assert_eq!(fetch(&client, &pair.digest).unwrap(), pair.registry.address());
    assert_eq!(pair.registry.sent("GET", "/blobs/"), SIZE as u64);
    assert_eq!(skipped(&heard), 2);
}

#[test]
fn a_mirror_that_breaks_off_is_completed_by_the_registry() {
    let pair = Pair::new();
    pair.mirror.add(Rule::on("GET", "/blobs/").once().cut(40_000, tug_testdata::registry_peer::End::Close));
    pair.mirror.add(Rule::on("GET", "/blobs/").answer(Answer::status(503)));
    let (client, _, _folder) = pair.client();
    assert_eq!(fetch(&client, &pair.digest).unwrap(), pair.registry.address());
    assert_eq!(pair.registry.sent("GET", "/blobs/"), SIZE as u64 - 40_000, "only the rest");
}

#[test]
fn a_mirror_that_is_not_there_is_asked_once() {
    let pair = Pair::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (client, heard, _folder) = client_of(pair.registry.address(), &closed);
    for _ in 0..3 {
        run(client.manifest(&app(), &tag("latest"))).unwrap();
        fetch(&client, &pair.digest).unwrap();
    }
    assert_eq!(skipped(&heard), 1, "{:?}", heard.all());
}

#[test]
fn a_mirror_with_another_manifest_under_the_digest_is_not_asked_again() {
    let pair = Pair::new();
    pair.mirror.add(Rule::on("GET", "/manifests/").corrupt(20));
    let digest = pair.registry.add_image("app", "latest", &[noise(SIZE, 1)]).digest;
    let (client, heard, _folder) = pair.client();
    let target = tug_registry_client::Target::Digest(crate::digest(&digest));
    let found = run(client.manifest(&app(), &target)).unwrap();
    assert_eq!(found.digest.to_string(), digest);
    assert_eq!(skipped(&heard), 1);
    assert_eq!(fetch(&client, &pair.digest).unwrap(), pair.registry.address());
    assert_eq!(pair.mirror.asked("GET", "/blobs/").len(), 0);
}

#[test]
fn a_small_blob_that_the_mirror_has_wrong_comes_from_the_registry() {
    let pair = Pair::new();
    pair.mirror.add(Rule::on("GET", "/blobs/").corrupt(20));
    let (client, _, _folder) = pair.client();
    let bytes = run(client.small_blob(&app(), &layer(&pair.digest, SIZE), 1 << 20)).unwrap();
    assert!(bytes == noise(SIZE, 1));
    assert_eq!(pair.mirror.asked("GET", "/blobs/").len(), 1);
}

#[test]
fn a_blob_that_nobody_has_is_the_registrys_word() {
    let pair = Pair::new();
    let (client, _, _folder) = pair.client();
    let error = fetch(&client, &tug_testdata::registry_peer::sha256(b"nobody's")).unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::NotFound, Some("BLOB_UNKNOWN")));
    assert!(error.to_string().contains(pair.registry.address()), "{error}");
}

#[test]
fn a_layer_that_lies_elsewhere_is_fetched_there_without_credentials() {
    let access = Access::Basic(vec![("me".to_owned(), "secret".to_owned())]);
    let registry = Peer::start(Behaviour { access, ..Behaviour::default() });
    let elsewhere = Peer::start(Behaviour { refuses_authorization: true, ..Behaviour::default() });
    let digest = elsewhere.add_blob("foreign", &noise(SIZE, 1));
    let (client, _) = client_with(limits(), |options| options.credentials = user("me", "secret"));
    let mut blob = layer(&digest, SIZE);
    blob.urls =
        vec!["ftp://files.example/x".to_owned(), elsewhere.url(&format!("/v2/foreign/blobs/{digest}"))];
    let sink = Memory::new(SIZE);
    let app = Repository { registry: registry.address().to_owned(), name: "app".to_owned() };
    run(client.download(&app, &blob, Arc::clone(&sink) as Arc<dyn BlobSink>)).unwrap();
    assert!(sink.bytes() == noise(SIZE, 1));
    let seen = elsewhere.exchanges();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].request.header("authorization"), None);
    assert!(registry.asked("GET", "/blobs/").iter().any(|one| one.request.header("authorization").is_some()));
}
