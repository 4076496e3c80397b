//! Tags that change, registries that fail.

use std::time::Duration;

use serde_json::json;
use tug_testdata::registry_peer::{Answer, Behaviour, End, INDEX, Peer, Rule, descriptor};

use super::support::Registry;
use super::{cache, counted, get};

const TAG: &str = "/v2/hub.example/app/manifests/1";

fn hub() -> (Peer, String) {
    let hub = Peer::start(Behaviour::default());
    let image = hub.add_image("app", "1", &[b"first".to_vec()]);
    (hub, image.digest)
}

/// What a tag is here, and whether there is a warning.
fn pulled(registry: &Registry) -> (u16, String, bool) {
    let answer = registry.client.get(TAG);
    let digest = answer.header("docker-content-digest").unwrap_or_default().to_owned();
    (answer.status, digest, answer.header("warning").is_some())
}

#[test]
fn a_tag_is_fetched_once_and_again_when_it_has_changed() {
    let (hub, first) = hub();
    let registry = cache(&[("hub.example", &hub)], |_| {});
    for _ in 0..3 {
        assert_eq!(pulled(&registry), (200, first.clone(), false));
    }
    assert_eq!(hub.asked("GET", "/manifests/").len(), 1);
    assert_eq!(hub.asked("HEAD", "/manifests/1").len(), 2);
    let second = hub.add_image("app", "1", &[b"second".to_vec()]).digest;
    assert_eq!(pulled(&registry), (200, second, false));
    assert_eq!(hub.asked("GET", "/manifests/").len(), 2);
    assert_eq!((counted(&registry, "miss"), counted(&registry, "hit")), (2, 2));
    // What it was before can still be had by its digest.
    let asked = hub.exchanges().len();
    assert_eq!(registry.client.get(format!("/v2/hub.example/app/manifests/{first}")).status, 200);
    assert_eq!(hub.exchanges().len(), asked);
}

#[test]
fn a_fresh_tag_is_not_looked_after() {
    let (hub, first) = hub();
    let registry = cache(&[("hub.example", &hub)], |proxy| proxy.fresh_for = Duration::from_secs(3600));
    assert_eq!(pulled(&registry).1, first);
    hub.add_image("app", "1", &[b"second".to_vec()]);
    let asked = hub.exchanges().len();
    assert_eq!(pulled(&registry), (200, first, false));
    assert_eq!(hub.exchanges().len(), asked);
}

#[test]
fn a_tag_that_never_changes_is_not_looked_after() {
    let (hub, first) = hub();
    let registry = Registry::with(|options| {
        options.proxy = Some(super::proxy(&[("hub.example", &hub)], |_| {}));
        options.access.immutable_tags = vec!["hub.example/*:1".to_owned()];
    });
    assert_eq!(pulled(&registry).1, first);
    hub.add_image("app", "1", &[b"second".to_vec()]);
    assert_eq!(pulled(&registry), (200, first, false));
    assert_eq!(hub.asked("HEAD", "/manifests/").len(), 0);
}

#[test]
fn while_a_registry_fails_what_is_here_is_served_with_a_warning() {
    let (hub, first) = hub();
    let registry = cache(&[("hub.example", &hub)], |_| {});
    assert_eq!(pulled(&registry), (200, first.clone(), false));
    for (fault, reason) in [
        (Rule::on("*", "/manifests/").answer(Answer::error(503, "UNKNOWN", "down")), "does not answer"),
        (Rule::on("*", "/manifests/").lose_answer(End::Reset), "does not answer"),
        (
            Rule::on("*", "/manifests/")
                .answer(Answer::error(429, "TOOMANYREQUESTS", "slow").header("Retry-After", "3000")),
            "allows no more questions",
        ),
    ] {
        hub.add(fault);
        let answer = registry.client.get(TAG);
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.header("docker-content-digest"), Some(first.as_str()));
        let warning = answer.header("warning").unwrap_or_default();
        assert!(warning.starts_with("110 - ") && warning.contains(reason), "{warning}");
        hub.clear_rules();
    }
    assert_eq!(counted(&registry, "stale"), 3);
    // Nobody asks a registry again that wants to be left alone.
    let asked = hub.exchanges().len();
    assert_eq!(pulled(&registry), (200, first, true));
    assert_eq!(hub.exchanges().len(), asked);
}

#[test]
fn news_are_served_as_soon_as_there_are_some() {
    let (hub, first) = hub();
    let registry = cache(&[("hub.example", &hub)], |_| {});
    assert_eq!(pulled(&registry).1, first);
    let second = hub.add_image("app", "1", &[b"second".to_vec()]).digest;
    hub.add(Rule::on("*", "/manifests/").answer(Answer::error(500, "UNKNOWN", "down")));
    assert_eq!(pulled(&registry), (200, first, true));
    hub.clear_rules();
    assert_eq!(pulled(&registry), (200, second, false));
}

#[test]
fn a_registry_that_is_too_slow_is_not_waited_for() {
    let (hub, first) = hub();
    let registry = cache(&[("hub.example", &hub)], |proxy| proxy.patience = Duration::from_millis(50));
    assert_eq!(pulled(&registry).1, first);
    hub.add(Rule::on("HEAD", "/manifests/").hold());
    assert_eq!(pulled(&registry), (200, first, true));
    hub.release();
}

#[test]
fn a_tag_that_was_taken_away_there_is_gone_here() {
    let (hub, first) = hub();
    let registry = cache(&[("hub.example", &hub)], |_| {});
    assert_eq!(pulled(&registry).1, first);
    hub.contents(|contents| contents.repository("app").tags.clear());
    let answer = registry.client.get(TAG);
    assert_eq!((answer.status, answer.code().as_str()), (404, "MANIFEST_UNKNOWN"));
    let tags = registry.client.get("/v2/hub.example/app/tags/list").json();
    assert_eq!(tags["tags"], json!([]));
    assert_eq!(registry.client.get(format!("/v2/hub.example/app/manifests/{first}")).status, 200);
}

#[test]
fn what_was_never_here_cannot_be_had_from_a_registry_that_fails() {
    for (answer, status, code) in [
        (Answer::error(404, "MANIFEST_UNKNOWN", "no"), 404, "MANIFEST_UNKNOWN"),
        (Answer::error(401, "UNAUTHORIZED", "who"), 403, "DENIED"),
        (Answer::error(403, "DENIED", "no"), 403, "DENIED"),
        (Answer::error(429, "TOOMANYREQUESTS", "x").header("Retry-After", "3000"), 429, "TOOMANYREQUESTS"),
        (Answer::error(503, "UNKNOWN", "down"), 503, "UNAVAILABLE"),
        (Answer::body("no manifest").header("Content-Type", "text/plain"), 502, "UNKNOWN"),
    ] {
        let (hub, _) = hub();
        let registry = cache(&[("hub.example", &hub)], |_| {});
        hub.add(Rule::on("*", "/manifests/").answer(answer));
        let answer = registry.client.get(TAG);
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text());
        assert!(!answer.text().contains(hub.address()), "{}", answer.text());
        assert_eq!(answer.header("www-authenticate"), None);
        if status == 429 {
            assert_eq!(answer.header("retry-after"), Some("3000"));
        }
        assert_eq!(counted(&registry, "failed"), 1);
    }
}

#[test]
fn wrong_bytes_are_not_kept() {
    let (hub, first) = hub();
    let registry = cache(&[("hub.example", &hub)], |_| {});
    let target = format!("/v2/hub.example/app/manifests/{first}");
    hub.add(Rule::on("GET", "/manifests/").once().corrupt(30));
    let answer = registry.client.get(&target);
    assert_eq!(answer.status, 502, "{}", answer.text());
    assert_eq!(registry.client.get(&target).status, 200);
}

#[test]
fn an_index_is_kept_before_its_images_and_nothing_of_it_is_collected() {
    let (hub, image) = hub();
    let index = hub.contents(|contents| {
        let app = contents.repository("app");
        let size = app.manifests[&image].1.len();
        let index = json!({
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [descriptor("application/vnd.oci.image.manifest.v1+json", &image, size)],
        });
        let digest = app.add_manifest(INDEX, index.to_string().as_bytes());
        app.tags.insert("1".to_owned(), digest.clone());
        digest
    });
    let registry = cache(&[("hub.example", &hub)], |_| {});
    assert_eq!(pulled(&registry), (200, index, false));
    let options = tug_registry_server::CollectOptions { grace: Duration::ZERO, ..Default::default() };
    let collected = tug_registry_server::collect(registry.root.path(), &options, &mut |_| {}).unwrap();
    assert_eq!(collected.blobs, 0, "{collected:?}");
    let answer = registry.client.send(&get(format!("/v2/hub.example/app/manifests/{image}")));
    assert_eq!(answer.status, 200);
}
