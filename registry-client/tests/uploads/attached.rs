//! What is attached to an image, with registries that keep the list and those that do not: entry 45 of the list of
//! faults.

use serde_json::{Value, json};
use tug_oci::Digest;
use tug_registry_client::{Kind, PutManifest};
use tug_testdata::registry_peer::{Behaviour, Contents, Exchange, INDEX, MANIFEST, Peer, Referrers, Rule};

use crate::support::{client, limits, repository, run};

fn peer(referrers: Referrers, has_etags: bool) -> (Peer, Digest) {
    let peer = Peer::start(Behaviour { referrers, has_etags, ..Behaviour::default() });
    let image = peer.add_image("app", "v1", &[b"layer".to_vec()]);
    peer.add_blob("app", b"{}");
    (peer, image.digest.parse().unwrap())
}

/// A signature or the like.
fn artifact(subject: &Digest, kind: &str) -> String {
    let config = json!({ "mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}").to_string(), "size": 2 });
    let subject = json!({ "mediaType": MANIFEST, "digest": subject.to_string(), "size": 7 });
    json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": kind, "config": config, "layers": [],
        "subject": subject, "annotations": { "made": "here" },
    })
    .to_string()
}

fn push(peer: &Peer, artifact: &str) -> Result<PutManifest, tug_registry_client::Error> {
    let (client, _) = client(limits());
    run(client.push_referrer(&repository(peer.address(), "app"), MANIFEST, artifact.to_owned().into()))
}

fn tag(subject: &Digest) -> String {
    subject.to_string().replace(':', "-")
}

/// The list under the tag, as it is in the registry.
fn list(contents: &mut Contents, subject: &Digest) -> Option<Value> {
    let (_, media_type, bytes) = contents.repository("app").manifest(&tag(subject))?;
    assert_eq!(media_type, INDEX);
    Some(serde_json::from_slice(&bytes).unwrap())
}

fn listed(peer: &Peer, subject: &Digest) -> Vec<String> {
    let list = peer.contents(|contents| list(contents, subject)).unwrap();
    let all = list["manifests"].as_array().unwrap();
    all.iter().map(|entry| entry["digest"].as_str().unwrap().to_owned()).collect()
}

/// Somebody else attaches something, without asking anybody.
fn attach(contents: &mut Contents, subject: &Digest, kind: &str, forgets: bool) -> String {
    let digest = contents.repository("app").add_manifest(MANIFEST, artifact(subject, kind).as_bytes());
    let mut all = list(contents, subject).unwrap_or_else(|| json!({ "schemaVersion": 2, "manifests": [] }));
    if forgets {
        all["manifests"] = json!([]);
    }
    all["manifests"]
        .as_array_mut()
        .unwrap()
        .push(json!({ "mediaType": MANIFEST, "digest": digest, "size": 1 }));
    let repository = contents.repository("app");
    let index = repository.add_manifest(INDEX, all.to_string().as_bytes());
    repository.tags.insert(tag(subject), index);
    digest
}

fn is_of_list(exchange: &Exchange) -> bool {
    exchange.is("*", "/manifests/sha256-")
}

#[test]
fn a_registry_that_keeps_the_list_is_left_to_it() {
    let (peer, subject) = peer(Referrers::Listed, false);
    let put = push(&peer, &artifact(&subject, "a/b")).unwrap();
    assert_eq!(put.subject, Some(subject));
    assert!(!peer.exchanges().iter().any(is_of_list));
}

#[test]
fn for_one_that_does_not_the_list_is_kept_under_a_tag() {
    for referrers in [Referrers::Missing, Referrers::Html] {
        let (peer, subject) = peer(referrers, false);
        let texts = ["a/b", "c/d", "e/f"].map(|kind| artifact(&subject, kind));
        for text in &texts {
            assert_eq!(push(&peer, text).unwrap().subject, None);
        }
        push(&peer, &texts[0]).unwrap();
        let mut expected = texts.each_ref().map(|text| Digest::of(text.as_bytes()).to_string());
        expected.sort();
        assert_eq!(listed(&peer, &subject), expected, "each once, in order");
        let list = peer.contents(|contents| list(contents, &subject)).unwrap();
        let first = Digest::of(texts[0].as_bytes()).to_string();
        let first =
            list["manifests"].as_array().unwrap().iter().find(|entry| entry["digest"] == first).unwrap();
        assert_eq!((&first["artifactType"], &first["annotations"]["made"]), (&json!("a/b"), &json!("here")));
        let (client, _) = client(limits());
        let app = repository(peer.address(), "app");
        let found = run(client.referrers(&app, &subject, Some("c/d"))).unwrap();
        assert_eq!(found.len(), 1, "and it is found again");
    }
}

#[test]
fn others_who_are_quicker_lose_nothing() {
    // With `ETag` the registry refuses what is out of date; without, what was lost is seen afterwards.
    for has_etags in [true, false] {
        let (peer, subject) = peer(Referrers::Missing, has_etags);
        let before = peer.contents(|contents| attach(contents, &subject, "before", false));
        let of_rule = subject.clone();
        let quicker = move |contents: &mut Contents| drop(attach(contents, &of_rule, "quicker", !has_etags));
        let method = if has_etags { "GET" } else { "PUT" };
        peer.add(Rule::on(method, "/manifests/sha256-").once().then(quicker));
        let text = artifact(&subject, "mine");
        push(&peer, &text).unwrap();
        let all = listed(&peer, &subject);
        let theirs = Digest::of(artifact(&subject, "quicker").as_bytes()).to_string();
        assert!(all.contains(&Digest::of(text.as_bytes()).to_string()) && all.contains(&theirs), "{all:?}");
        assert_eq!(all.contains(&before), has_etags, "what others have lost is not ours to know");
        let refused =
            peer.asked("PUT", "/manifests/sha256-").iter().filter(|put| put.status == Some(412)).count();
        assert_eq!(refused, usize::from(has_etags));
    }
}

#[test]
fn a_list_that_changes_all_the_time_is_given_up() {
    let (peer, subject) = peer(Referrers::Missing, false);
    let of_rule = subject.clone();
    let change = move |contents: &mut Contents| drop(attach(contents, &of_rule, "other", true));
    peer.add(Rule::on("PUT", "/manifests/sha256-").then(change));
    let error = push(&peer, &artifact(&subject, "mine")).unwrap_err();
    assert_eq!(error.kind(), Kind::Server);
    assert!(error.to_string().contains("was changed by others"), "{error}");
}

#[test]
fn a_tag_that_is_no_list_is_left_alone() {
    let (peer, subject) = peer(Referrers::Missing, false);
    let image = peer.add_image("app", &tag(&subject), &[b"other".to_vec()]);
    let error = push(&peer, &artifact(&subject, "mine")).unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert!(error.to_string().contains("should be a list of what is attached"), "{error}");
    let now = peer.contents(|contents| contents.repository("app").tags[&tag(&subject)].clone());
    assert_eq!(now, image.digest);
}

#[test]
fn what_was_deleted_behind_the_back_of_the_list_does_not_block_it() {
    let (peer, subject) = peer(Referrers::Missing, false);
    let gone = peer.contents(|contents| attach(contents, &subject, "gone", false));
    peer.contents(|contents| contents.repository("app").manifests.remove(&gone));
    let text = artifact(&subject, "mine");
    push(&peer, &text).unwrap();
    assert_eq!(listed(&peer, &subject), [Digest::of(text.as_bytes()).to_string()]);
}

#[test]
fn what_is_removed_leaves_the_list() {
    for referrers in [Referrers::Missing, Referrers::Listed] {
        let (peer, subject) = peer(referrers, true);
        let texts = ["a/b", "c/d"].map(|kind| artifact(&subject, kind));
        texts.iter().for_each(|text| drop(push(&peer, text).unwrap()));
        let (client, _) = client(limits());
        let app = repository(peer.address(), "app");
        let first = Digest::of(texts[0].as_bytes());
        run(client.remove_referrer(&app, &first)).unwrap();
        let left = run(client.referrers(&app, &subject, None)).unwrap();
        assert_eq!(left.len(), 1);
        assert_ne!(left[0].digest, first);
        let error = run(client.remove_referrer(&app, &first)).unwrap_err();
        assert_eq!(error.kind(), Kind::NotFound);
    }
}

#[test]
fn what_names_no_subject_is_not_sent() {
    let (peer, _) = peer(Referrers::Missing, false);
    for text in ["{}", "no JSON", "{\"subject\":{\"digest\":\"nonsense\"}}"] {
        assert_eq!(push(&peer, text).unwrap_err().kind(), Kind::Protocol);
    }
    assert!(peer.asked("PUT", "").is_empty());
}
