//! Manifests that are too large, not what they are called, or not what was asked for.

use crate::support::{client, limits, repository, run};
use crate::{digest, tag};
use tug_registry_client::{Error, FetchedManifest, Kind, Limits, Target};
use tug_testdata::registry_peer::{Answer, Behaviour, INDEX, MANIFEST, Peer, Rule, sha256};

fn fetch(peer: &Peer, target: &Target, limits: Limits) -> Result<FetchedManifest, Error> {
    run(client(limits).0.manifest(&repository(peer.address(), "app"), target))
}

/// A registry with one image, `app:latest`, and one rule.
fn peer(rule: Rule) -> (Peer, String) {
    let peer = Peer::start(Behaviour::default());
    let image = peer.add_image("app", "latest", &[b"layer".to_vec()]);
    peer.add(rule);
    (peer, image.digest)
}

#[test]
fn a_manifest_that_says_it_is_too_large_is_not_read() {
    let (peer, _) = peer(Rule::on("GET", "/manifests/").answer(Answer::body(vec![b' '; 3_000_000])));
    let error = fetch(&peer, &tag("latest"), Limits { manifest: 1000, ..limits() }).unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert!(error.to_string().ends_with("the manifest is larger than 1000 bytes"), "{error}");
}

#[test]
fn a_manifest_without_an_end_is_read_up_to_the_limit() {
    let (peer, _) = peer(Rule::on("GET", "/manifests/").answer(Answer::body(vec![b' '; 60_000]).endless()));
    let error = fetch(&peer, &tag("latest"), Limits { manifest: 100_000, ..limits() }).unwrap_err();
    assert_eq!(error.kind(), Kind::TooLarge);
    assert_eq!(peer.asked("GET", "/manifests/").len(), 1);
    // More than the limit was on its way; the rest was never sent.
    assert!(peer.sent("GET", "/manifests/") < 64 << 20, "{}", peer.sent("GET", "/manifests/"));
}

#[test]
fn a_manifest_that_is_not_the_one_of_its_digest_is_refused() {
    let (peer, name) = peer(Rule::on("GET", "/manifests/").corrupt(20));
    let error = fetch(&peer, &Target::Digest(digest(&name)), limits()).unwrap_err();
    assert_eq!(error.kind(), Kind::Digest);
    assert!(
        error.to_string().contains(&format!("/v2/app/manifests/{name}` was answered with something else"))
    );
    assert_eq!(peer.asked("GET", "/manifests/").len(), 1);
}

#[test]
fn a_digest_that_the_server_makes_up_is_not_believed() {
    let (peer, name) =
        peer(Rule::on("GET", "/manifests/").header("Docker-Content-Digest", &sha256(b"other")));
    assert_eq!(fetch(&peer, &tag("latest"), limits()).unwrap().digest, digest(&name));
}

#[test]
fn a_document_that_calls_itself_something_else_than_its_header_is_refused() {
    let (peer, _) = peer(Rule::on("GET", "/manifests/").header("Content-Type", INDEX));
    let error = fetch(&peer, &tag("latest"), limits()).unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert!(error.to_string().contains(&format!("`{INDEX}` whose document says that it is `{MANIFEST}`")));
}

#[test]
fn without_a_type_in_the_header_the_document_is_asked() {
    for rule in [
        Rule::on("GET", "/manifests/").no_header("Content-Type"),
        Rule::on("GET", "/manifests/").header("Content-Type", "application/json"),
        Rule::on("GET", "/manifests/").header("Content-Type", &format!("{MANIFEST}; charset=utf-8")),
    ] {
        let (peer, _) = peer(rule);
        assert_eq!(fetch(&peer, &tag("latest"), limits()).unwrap().media_type, MANIFEST);
    }
    let untyped = r#"{"schemaVersion":2,"manifests":[]}"#;
    let (peer, _) = peer(Rule::on("GET", "/manifests/").answer(Answer::body(untyped)));
    assert_eq!(fetch(&peer, &tag("latest"), limits()).unwrap().media_type, INDEX);
}

#[test]
fn schema_1_is_refused_by_its_name() {
    let signed = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    for answer in [
        Answer::body(r#"{"schemaVersion":1,"fsLayers":[]}"#).header("Content-Type", signed),
        Answer::body(r#"{"schemaVersion":1,"fsLayers":[]}"#),
    ] {
        let (peer, _) = peer(Rule::on("GET", "/manifests/").answer(answer));
        let error = fetch(&peer, &tag("latest"), limits()).unwrap_err();
        assert_eq!(error.kind(), Kind::Unsupported);
        assert!(error.to_string().ends_with("an image in docker's schema 1, which is no longer supported"));
        assert!(error.hint().is_some());
    }
}

#[test]
fn a_page_for_people_is_no_manifest() {
    let page = Answer::body("<!doctype html>").header("Content-Type", "text/html");
    let (peer, _) = peer(Rule::on("GET", "/manifests/").answer(page));
    let error = fetch(&peer, &tag("latest"), limits()).unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert!(error.to_string().ends_with("was answered with something that is no manifest"), "{error}");
}
