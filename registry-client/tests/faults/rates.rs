//! Registries that have enough for now, fail for now, or are not there; and how many connections they get.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::support::{Memory, client, limits, repository, run};
use crate::{client_with, layer, tag};
use tug_registry_client::hosts::{HostOptions, Hosts};
use tug_registry_client::{BlobSink, Event, Kind, Limits};
use tug_testdata::registry_peer::{Answer, Behaviour, MANIFEST, Peer, Rule, noise};

fn peer(rule: Rule) -> Peer {
    let peer = Peer::start(Behaviour::default());
    peer.add_image("app", "latest", &[]);
    peer.add(rule);
    peer
}

fn too_many(retry_after: Option<&str>) -> Answer {
    let answer = Answer::error(429, "TOOMANYREQUESTS", "slow down");
    match retry_after {
        Some(value) => answer.header("Retry-After", value),
        None => answer,
    }
}

#[test]
fn a_registry_that_says_when_to_come_back_is_asked_again_then() {
    for (value, wait) in [("1", 1000), ("Wed, 21 Oct 2015 07:28:00 GMT", 10), ("0", 10)] {
        let peer = peer(Rule::on("GET", "/manifests/").once().answer(too_many(Some(value))));
        let (client, heard) = client(limits());
        let started = std::time::Instant::now();
        run(client.manifest(&repository(peer.address(), "app"), &tag("latest"))).unwrap();
        assert!(started.elapsed() >= Duration::from_millis(wait), "{value}");
        assert_eq!(peer.asked("GET", "/manifests/").len(), 2);
        let told = Event::Throttled { host: peer.address().to_owned(), wait: Duration::from_millis(wait) };
        assert!(heard.all().contains(&told), "{value}: {:?}", heard.all());
    }
}

#[test]
fn without_a_word_when_or_with_a_senseless_one_the_own_pauses_count() {
    for value in [None, Some("-3"), Some("soon")] {
        let peer = peer(Rule::on("GET", "/manifests/").times(2).answer(too_many(value)));
        let (client, heard) = client(limits());
        run(client.manifest(&repository(peer.address(), "app"), &tag("latest"))).unwrap();
        assert_eq!(peer.asked("GET", "/manifests/").len(), 3);
        assert!(heard.all().iter().any(|event| matches!(event, Event::Throttled { .. })), "{value:?}");
    }
}

#[test]
fn a_registry_that_wants_more_patience_than_there_is_gets_no_second_request() {
    for value in ["3600", "Tue, 31 Dec 2199 23:59:59 GMT"] {
        let peer = peer(Rule::on("GET", "/manifests/").answer(too_many(Some(value))));
        let (client, _) = client(limits());
        let error = run(client.manifest(&repository(peer.address(), "app"), &tag("latest"))).unwrap_err();
        assert_eq!((error.kind(), error.status()), (Kind::RateLimited, Some(429)));
        assert!(error.wait().unwrap() >= Duration::from_secs(3600), "{error:?}");
        assert!(error.to_string().contains("TOOMANYREQUESTS: slow down"), "{error}");
        assert!(error.hint().unwrap().contains("it may be asked again in "), "{error:?}");
        assert_eq!(peer.asked("GET", "/manifests/").len(), 1);
    }
}

#[test]
fn a_pause_that_one_request_was_told_holds_for_all_of_the_host() {
    let peer = peer(Rule::on("GET", "/tags/list").answer(too_many(Some("200"))));
    let (client, heard) = client(limits());
    let app = repository(peer.address(), "app");
    run(async {
        let (listing, app_of_it) = (client.clone(), app.clone());
        let waits = tokio::spawn(async move { listing.tags(&app_of_it, None).await });
        while !heard.all().iter().any(|event| matches!(event, Event::Throttled { .. })) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let latest = tag("latest");
        let other = client.manifest(&app, &latest);
        tokio::time::timeout(Duration::from_millis(300), other).await.expect_err("it waits with the first");
        waits.abort();
    });
    assert_eq!((peer.asked("GET", "/manifests/").len(), peer.asked("GET", "/tags/").len()), (0, 1));
}

#[test]
fn a_status_that_may_pass_is_tried_again_for_every_method() {
    for status in [408, 429, 500, 502, 503, 504, 522] {
        let peer = peer(Rule::on("GET", "/manifests/").once().answer(Answer::status(status)));
        peer.add(Rule::on("HEAD", "/manifests/").once().answer(Answer::status(status)));
        peer.add(Rule::on("PUT", "/manifests/").once().answer(Answer::status(status)));
        let (client, heard) = client(limits());
        let app = repository(peer.address(), "app");
        run(async {
            let found = client.manifest(&app, &tag("latest")).await.unwrap();
            assert!(client.head_manifest(&app, &tag("latest")).await.unwrap().is_some());
            client.put_manifest(&app, &tag("new"), MANIFEST, found.bytes).await.unwrap();
        });
        for method in ["GET", "HEAD", "PUT"] {
            let asked = peer.asked(method, "/manifests/");
            assert_eq!(asked.len(), 2, "{method} {status}");
            assert_eq!(asked[0].body, asked[1].body);
        }
        let told = |event: &&Event| matches!(event, Event::Retrying { .. } | Event::Throttled { .. });
        assert_eq!(heard.all().iter().filter(told).count(), 3, "{status}");
    }
}

#[test]
fn a_status_that_does_not_pass_is_asked_for_once() {
    let kinds = [
        (400, Kind::Protocol),
        (403, Kind::Denied),
        (404, Kind::NotFound),
        (405, Kind::Unsupported),
        (413, Kind::TooLarge),
        (418, Kind::Protocol),
    ];
    for (status, kind) in kinds {
        let peer = peer(Rule::on("*", "/manifests/").answer(Answer::error(status, "", "no")));
        let (client, _) = client(limits());
        let app = repository(peer.address(), "app");
        let error = run(client.manifest(&app, &tag("latest"))).unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, Some(status)), "{error}");
        let bytes = Bytes::from_static(b"{}");
        let error = run(client.put_manifest(&app, &tag("new"), MANIFEST, bytes)).unwrap_err();
        assert_eq!((error.kind(), error.status()), (kind, Some(status)), "{error}");
        assert_eq!(peer.asked("*", "/manifests/").len(), 2, "{status}");
    }
}

#[test]
fn a_failure_that_does_not_pass_ends_after_the_last_attempt_with_the_registrys_own_words() {
    let failing = Answer::error(503, "UNAVAILABLE", "the disk is full");
    let peer = peer(Rule::on("GET", "/manifests/").answer(failing));
    let (client, _) = client(Limits { attempts: 3, ..limits() });
    let error = run(client.manifest(&repository(peer.address(), "app"), &tag("latest"))).unwrap_err();
    assert_eq!((error.kind(), error.status(), error.code()), (Kind::Server, Some(503), Some("UNAVAILABLE")));
    let message = format!(
        "`GET {}` was answered 503 Service Unavailable: UNAVAILABLE: the disk is full",
        peer.url("/v2/app/manifests/latest")
    );
    assert_eq!(error.to_string(), message);
    assert_eq!(peer.asked("GET", "/manifests/").len(), 3);
}

#[test]
fn nobody_on_the_port_is_one_clear_line() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (client, _) = client(Limits { attempts: 1, ..limits() });
    let error = run(client.manifest(&repository(&closed, "app"), &tag("latest"))).unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    let message = error.to_string();
    assert!(message.ends_with("failed: the connection was refused"), "{message}");
    assert!(message.contains(&closed) && !message.contains('\n'), "{message}");
    assert_eq!(error.hint(), Some("is a registry running there, on that port?"));
}

#[test]
fn a_name_that_nobody_knows_is_one_clear_line() {
    // Longer than a part of a name can be: no server of names has to be asked.
    let name = format!("{}.invalid", "a".repeat(70));
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join(&name)).unwrap();
    let file = format!("server = \"http://{name}\"\n");
    std::fs::write(folder.path().join(&name).join("hosts.toml"), file).unwrap();
    let hosts = HostOptions { certs_folders: vec![folder.path().to_owned()], ..HostOptions::default() };
    let limits = Limits { attempts: 1, ..limits() };
    let (client, _) = client_with(limits, |options| options.hosts = Arc::new(Hosts::new(hosts)));
    let error = run(client.manifest(&repository(&name, "app"), &tag("latest"))).unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.to_string().ends_with("failed: its name is not known here"), "{error}");
}

#[test]
fn many_layers_share_the_connections_of_a_host() {
    let peer = Peer::start(Behaviour::default());
    let blobs: Vec<Vec<u8>> = (0..32).map(|seed| noise(20_000, seed + 1)).collect();
    let digests: Vec<String> = blobs.iter().map(|bytes| peer.add_blob("app", bytes)).collect();
    // Each takes a while, so that they would pile up if nothing held them.
    peer.add(Rule::on("GET", "/blobs/").trickle(1_000, Duration::from_millis(3)));
    let (client, _) = client(Limits { connections: 3, part: 5_000, connections_per_blob: 4, ..limits() });
    let app = repository(peer.address(), "app");
    run(async {
        let mut downloads = Vec::new();
        for (bytes, digest) in blobs.iter().zip(&digests) {
            let sink = Memory::new(bytes.len());
            let (client, app, blob) = (client.clone(), app.clone(), layer(digest, bytes.len()));
            let into = Arc::clone(&sink) as Arc<dyn BlobSink>;
            downloads.push((sink, tokio::spawn(async move { client.download(&app, &blob, into).await })));
        }
        for ((sink, download), bytes) in downloads.into_iter().zip(&blobs) {
            download.await.unwrap().unwrap();
            assert!(sink.bytes() == *bytes);
        }
    });
    let asked = peer.asked("GET", "/blobs/");
    assert!((2..=3).contains(&peer.most_requests()), "{} at once", peer.most_requests());
    let knocks = peer.exchanges().iter().filter(|one| one.request.target == "/v2/").count();
    assert_eq!(knocks, 1, "whether it speaks http is found out once");
    let mut connections: Vec<usize> = asked.iter().map(|one| one.connection).collect();
    connections.sort_unstable();
    connections.dedup();
    assert!(connections.len() <= 8, "they are kept: {} for {} requests", connections.len(), asked.len());
}
