//! Layers: one download for all, and no byte that was not checked.

use std::thread;

use tug_testdata::registry_peer::{Answer, Behaviour, End, Peer, Rule, noise, sha256};

use super::support::Request;
use super::{cache, counted, get};

fn hub() -> (Peer, Vec<u8>, String) {
    let hub = Peer::start(Behaviour::default());
    let layer = noise(300_000, 1);
    let digest = hub.add_blob("app", &layer);
    let target = format!("/v2/hub.example/app/blobs/{digest}");
    (hub, layer, target)
}

#[test]
fn many_who_want_one_layer_fetch_it_once() {
    let (hub, layer, target) = hub();
    let registry = cache(&[("hub.example", &hub)], |_| {});
    hub.add(Rule::on("GET", "/blobs/").hold());
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (client, target) = (registry.client, target.clone());
            thread::spawn(move || client.get(target))
        })
        .collect();
    // All of them, and the one who asks for this page.
    while !registry.client.get("/metrics").text().lines().any(|line| line == "tug_requests_under_way 9") {
        thread::yield_now();
    }
    hub.release();
    for client in clients {
        let answer = client.join().unwrap();
        assert_eq!((answer.status, answer.body == layer), (200, true));
    }
    assert_eq!(hub.asked("GET", "/blobs/").len(), 1);
    assert_eq!(hub.sent("GET", "/blobs/"), layer.len() as u64);
    let asked = hub.exchanges().len();
    assert_eq!(registry.client.get(&target).body, layer);
    assert_eq!(hub.exchanges().len(), asked);
}

#[test]
fn a_part_is_served_and_the_whole_is_kept() {
    let (hub, layer, target) = hub();
    let registry = cache(&[("hub.example", &hub)], |_| {});
    let answer = registry.client.send(&get(&target).header("range", "bytes=100-199"));
    assert_eq!((answer.status, answer.body.as_slice()), (206, &layer[100..200]));
    drop(hub);
    assert_eq!(registry.client.get(&target).body, layer);
}

#[test]
fn whether_a_layer_is_there_is_known_without_fetching_it() {
    let (hub, layer, target) = hub();
    let registry = cache(&[("hub.example", &hub)], |_| {});
    let answer = registry.client.head(&target);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-length"), Some(layer.len().to_string().as_str()));
    assert_eq!(hub.asked("GET", "/blobs/").len(), 0);
    let missing = format!("/v2/hub.example/app/blobs/{}", sha256(b"nothing"));
    assert_eq!(registry.client.head(&missing).status, 404);
    let answer = registry.client.get(&missing);
    assert_eq!((answer.status, answer.code().as_str()), (404, "BLOB_UNKNOWN"));
}

#[test]
fn wrong_bytes_reach_nobody() {
    let (hub, layer, target) = hub();
    let registry = cache(&[("hub.example", &hub)], |_| {});
    hub.add(Rule::on("GET", "/blobs/").times(2).corrupt(200_000));
    let answer = registry.client.get(&target);
    assert_eq!((answer.status, answer.code().as_str()), (502, "DIGEST_INVALID"));
    assert_eq!(counted(&registry, "failed"), 1);
    assert_eq!(registry.client.get(&target).body, layer);
    assert_eq!(std::fs::read_dir(registry.root.path().join("_tug/ingest")).unwrap().count(), 0);
}

#[test]
fn a_cut_is_mended_and_a_registry_that_is_down_is_told() {
    let (hub, layer, target) = hub();
    let registry = cache(&[("hub.example", &hub)], |_| {});
    hub.add(Rule::on("GET", "/blobs/").once().cut(100_000, End::Reset));
    assert_eq!(registry.client.get(&target).body, layer);
    let other = hub.add_blob("app", b"another");
    let target = format!("/v2/hub.example/app/blobs/{other}");
    hub.add(Rule::on("*", "/blobs/").answer(Answer::error(503, "UNKNOWN", "down")));
    let answer = registry.client.get(&target);
    assert_eq!((answer.status, answer.code().as_str()), (503, "UNAVAILABLE"));
    hub.clear_rules();
    assert_eq!(registry.client.get(&target).body, b"another");
}

#[test]
fn a_layer_that_another_repository_has_here_is_not_fetched_but_asked_for() {
    let (hub, layer, target) = hub();
    let registry = cache(&[("hub.example", &hub)], |_| {});
    registry.client.push_blob("mine", &layer);
    assert_eq!(registry.client.get(&target).body, layer);
    assert_eq!(hub.asked("HEAD", "/blobs/").len(), 1);
    assert_eq!(hub.asked("GET", "/blobs/").len(), 0);
    // Who does not have it there does not get it here.
    let theirs = target.replace("/app/", "/other/");
    assert_eq!(registry.client.get(&theirs).status, 404);
}

#[test]
fn what_was_fetched_can_be_mounted_into_a_repository_of_ours() {
    let (hub, layer, target) = hub();
    let registry = cache(&[("hub.example", &hub)], |_| {});
    assert_eq!(registry.client.get(&target).status, 200);
    let digest = sha256(&layer);
    let mount = Request::new("POST", "/v2/mine/blobs/uploads/").query("mount", &digest);
    assert_eq!(registry.client.send(&mount.query("from", "hub.example/app")).status, 201);
}
