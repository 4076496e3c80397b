//! Registries with ways of their own: entries 36, 39 and 41 of the list of faults.

use tug_registry_client::{Delivery, Kind};
use tug_testdata::registry_peer::{Access, Answer, Behaviour, End, Location, Peer, Rule, Uploads, noise};

use crate::source::Source;
use crate::support::{limits, repository, run};
use crate::{assert_complete, grow, me, open_sessions, peer_with, upload};

const MIB: usize = 1 << 20;

#[test]
fn pieces_are_short_where_longer_ones_are_refused() {
    let peer = peer_with(Uploads { largest_chunk: Some(4 << 20), ..Uploads::default() });
    peer.add(Rule::on("PUT", "/uploads/").once().cut_request(MIB as u64, End::Reset));
    let bytes = noise(11 * MIB, 1);
    upload(&peer, &bytes).unwrap();
    assert_complete(&peer, &bytes);
    let sizes: Vec<_> = peer.asked("PATCH", "").iter().map(|patch| patch.received / MIB as u64).collect();
    assert_eq!(sizes, [10, 4, 4, 2], "it is learned from the first");
    assert_eq!(peer.asked("POST", "").len(), 1);
}

#[test]
fn pieces_are_as_long_as_the_session_wants_them() {
    let peer = peer_with(Uploads { least_chunk: Some(6 << 20), ..Uploads::default() });
    peer.add(Rule::on("PUT", "/uploads/").once().cut_request(MIB as u64, End::Reset));
    peer.add(Rule::on("PATCH", "/uploads/").once().answer(Answer::status(416)));
    let bytes = noise(15 * MIB, 2);
    upload(&peer, &bytes).unwrap();
    assert_complete(&peer, &bytes);
    let sizes: Vec<_> = peer.asked("PATCH", "").iter().map(|patch| patch.received / MIB as u64).collect();
    assert_eq!(sizes, [14, 6, 6, 2]);
}

#[test]
fn registries_that_take_no_pieces_get_all_of_it_again() {
    let bytes = noise(300_000, 3);
    for refuses_status in [true, false] {
        let peer = peer_with(Uploads { refuses_chunks: refuses_status, ..Uploads::default() });
        peer.add(Rule::on("PUT", "/uploads/").once().cut_request(100_000, End::Reset));
        let refusal = Answer::error(400, "UNSUPPORTED", "chunked uploads are not supported");
        peer.add(Rule::on("PATCH", "/uploads/").with("content-range", "").answer(refusal));
        upload(&peer, &bytes).unwrap();
        assert_complete(&peer, &bytes);
        assert_eq!(peer.asked("POST", "").len(), 2);
        assert_eq!(peer.asked("PATCH", "").len(), usize::from(!refuses_status));
    }
}

#[test]
fn a_blob_that_is_complete_too_early_is_complete() {
    let peer = peer_with(Uploads { patch_completes: true, ..Uploads::default() });
    let bytes = noise(300_000, 4);
    grow(&peer, &bytes).unwrap();
    assert_complete(&peer, &bytes);
    assert!(peer.asked("PUT", "").is_empty(), "it would be refused");
}

#[test]
fn a_registry_that_wants_to_know_the_length_is_told_in_the_end() {
    for status in [411, 405, 400, 501] {
        let peer = Peer::start(Behaviour::default());
        peer.add(Rule::on("PATCH", "/uploads/").without("content-length").answer(Answer::status(status)));
        let bytes = noise(300_000, 5);
        grow(&peer, &bytes).unwrap();
        assert_complete(&peer, &bytes);
        assert_eq!(peer.asked("PATCH", "").len(), 1, "{status}");
        assert_eq!(peer.asked("PUT", "").last().unwrap().request.header("content-length"), Some("300000"));
    }
}

#[test]
fn the_last_answer_may_be_another_success() {
    for status in [200, 202, 204] {
        let peer = Peer::start(Behaviour::default());
        let bytes = noise(1000, 6);
        let digest = tug_oci::Digest::of(&bytes);
        let stored = bytes.clone();
        let answer = Rule::on("PUT", "/uploads/").answer(Answer::status(status)).then(move |contents| {
            contents.repository("app").add_blob(&stored);
            contents.lose_sessions();
        });
        peer.add(answer);
        assert_eq!(upload(&peer, &bytes).unwrap().digest, digest, "{status}");
        assert_eq!(peer.asked("HEAD", "/blobs/").len(), 2, "it is looked for");

        let peer = Peer::start(Behaviour::default());
        peer.add(Rule::on("PUT", "/uploads/").answer(Answer::status(status)));
        let error = upload(&peer, &bytes).unwrap_err();
        assert!(error.to_string().ends_with("and the blob is not there"), "{error}");
        assert_eq!(open_sessions(&peer), 0);
    }
}

#[test]
fn another_host_gets_the_bytes_and_no_credentials() {
    let store = Peer::start(Behaviour { refuses_authorization: true, ..Behaviour::default() });
    let uploads = Uploads { location: Location::UrlAt(store.url("")), ..Uploads::default() };
    let accounts = vec![("me".to_owned(), "secret".to_owned())];
    let behaviour = Behaviour { uploads, access: Access::Basic(accounts), ..Behaviour::default() };
    let peer = Peer::start_beside(&store, behaviour);
    store.add(Rule::on("PUT", "/uploads/").once().cut_request(100_000, End::Reset));
    let bytes = noise(300_000, 7);
    let app = repository(peer.address(), "app");
    run(me(limits()).upload(&app, Source::new(&bytes), &[])).unwrap();
    assert_complete(&store, &bytes);
    assert_eq!(peer.received("*", ""), 0);
    assert!(peer.asked("POST", "").last().unwrap().request.header("authorization").is_some());
    let asked = store.exchanges();
    assert!(asked.len() >= 4 && asked.iter().all(|one| one.request.header("authorization").is_none()));
}

#[test]
fn a_redirect_of_the_body_is_followed_without_credentials() {
    let store = Peer::start(Behaviour { refuses_authorization: true, ..Behaviour::default() });
    let accounts = vec![("me".to_owned(), "secret".to_owned())];
    let behaviour = Behaviour { access: Access::Basic(accounts), ..Behaviour::default() };
    let peer = Peer::start_beside(&store, behaviour);
    let base = store.url("");
    let elsewhere = move |request: &tug_testdata::registry_peer::Request| {
        Answer::redirect(&format!("{base}{}", request.target))
    };
    peer.add(Rule::on("PUT", "/uploads/").answer_by(elsewhere));
    let bytes = noise(300_000, 8);
    run(me(limits()).upload(&repository(peer.address(), "app"), Source::new(&bytes), &[])).unwrap();
    assert_complete(&store, &bytes);
    assert_eq!(store.asked("PUT", "")[0].request.header("authorization"), None);
}

#[test]
fn a_place_with_a_forgotten_slash_is_found() {
    let peer = Peer::start(Behaviour::default());
    peer.add(Rule::on("POST", "/uploads/").header("Location", "v2/app/blobs/uploads/upload-1"));
    let bytes = noise(1000, 9);
    upload(&peer, &bytes).unwrap();
    assert_complete(&peer, &bytes);
}

#[test]
fn places_that_must_not_be_asked_are_not() {
    for location in ["file:///etc/passwd", "http://169.254.169.254/latest", "http://[", "gopher://a/b"] {
        let peer = Peer::start(Behaviour::default());
        peer.add(Rule::on("POST", "/uploads/").header("Location", location));
        let error = upload(&peer, b"bytes").unwrap_err();
        assert_eq!(error.kind(), Kind::Protocol, "{error}");
        assert!(error.to_string().contains("the upload is to go on at an address"), "{error}");
    }
    let peer = Peer::start(Behaviour::default());
    peer.add(Rule::on("POST", "/uploads/").no_header("Location").no_header("Docker-Upload-UUID"));
    let error = upload(&peer, b"bytes").unwrap_err();
    assert!(error.to_string().ends_with("without saying where the upload goes on"), "{error}");
}

#[test]
fn a_query_that_belongs_to_the_registry_stays_as_it_is() {
    let peer = Peer::start(Behaviour::default());
    let place = "/v2/app/blobs/uploads/upload-1?_state=a%2Bb+c==&empty&x=%zz";
    peer.add(Rule::on("POST", "/uploads/").header("Location", place));
    assert_eq!(upload(&peer, b"bytes").unwrap().how, Delivery::Sent { bytes: 5 });
    let put = &peer.asked("PUT", "")[0].request.target;
    assert!(put.starts_with(&format!("{place}&digest=sha256")), "{put}");
}
