//! Manifests that are put: entries 43 and 44 of the list of faults.

use tug_oci::Digest;
use tug_registry_client::{Kind, Target};
use tug_testdata::registry_peer::{Answer, Behaviour, End, MANIFEST, Peer, Rule};

use crate::support::{client, limits, repository, run};

fn put(peer: &Peer, target: &Target, text: &str) -> Result<Digest, tug_registry_client::Error> {
    let (client, _) = client(limits());
    let app = repository(peer.address(), "app");
    let put = run(client.put_manifest(&app, target, MANIFEST, text.to_owned().into()))?;
    Ok(put.digest)
}

#[test]
fn a_manifest_is_put_as_it_is() {
    let peer = Peer::start(Behaviour::default());
    let text = "{\n\t\"schemaVersion\":2 ,\"future\": [1.50, \"\\u00e4\"],\r\n \"layers\":[]}\n\n";
    let digest = put(&peer, &Target::Tag("v1".to_owned()), text).unwrap();
    assert_eq!(digest, Digest::of(text.as_bytes()));
    put(&peer, &Target::Digest(digest.clone()), text).unwrap();
    let stored = peer.contents(|contents| contents.repository("app").manifest("v1").unwrap());
    assert_eq!(
        (stored.0, stored.1.as_str(), stored.2.as_slice()),
        (digest.to_string(), MANIFEST, text.as_bytes())
    );
}

#[test]
fn a_part_that_is_missing_is_told_apart() {
    let missing = "{\"schemaVersion\":2,\"layers\":[{\"digest\":\"sha256:00\"}]}";
    let peer = Peer::start(Behaviour::default());
    let error = put(&peer, &Target::Tag("v1".to_owned()), missing).unwrap_err();
    assert!(error.says_that_a_part_is_missing());
    assert_eq!(error.code(), Some("MANIFEST_BLOB_UNKNOWN"));
    for (status, code, expected) in
        [(400, "MANIFEST_BLOB_UNKNOWN", true), (400, "MANIFEST_INVALID", false), (404, "NAME_UNKNOWN", false)]
    {
        let peer = Peer::start(Behaviour::default());
        peer.add(Rule::on("PUT", "/manifests/").answer(Answer::error(status, code, "no")));
        let error = put(&peer, &Target::Tag("v1".to_owned()), "{}").unwrap_err();
        assert_eq!(error.says_that_a_part_is_missing(), expected, "{code}");
        assert_eq!(peer.asked("PUT", "").len(), 1, "{code}");
    }
}

#[test]
fn a_manifest_whose_answer_is_lost_is_put_again() {
    let peer = Peer::start(Behaviour::default());
    peer.add(Rule::on("PUT", "/manifests/").once().lose_answer(End::Reset));
    peer.add(Rule::on("PUT", "/manifests/").once().answer(Answer::status(503)));
    put(&peer, &Target::Tag("v1".to_owned()), "{}").unwrap();
    assert_eq!(peer.asked("PUT", "").len(), 3);
    peer.add(Rule::on("PUT", "/manifests/").lose_answer(End::Reset));
    let error = put(&peer, &Target::Tag("v2".to_owned()), "{}").unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable, "{error}");
}
