//! What happens when nothing goes wrong.

use std::sync::Arc;

use tug_oci::Digest;
use tug_registry_client::{Delivery, Kind, Uploaded};
use tug_testdata::registry_peer::{Answer, Behaviour, Location, Mounts, Peer, Rule, Uploads, noise};

use crate::source::Source;
use crate::support::{client, limits, repository, run};
use crate::{blob, open_sessions, upload};

#[test]
fn a_blob_is_sent_once_in_one_request() {
    let peer = Peer::start(Behaviour::default());
    let bytes = noise(700_000, 1);
    let uploaded = upload(&peer, &bytes).unwrap();
    let digest = Digest::of(&bytes);
    let how = Delivery::Sent { bytes: 700_000 };
    assert_eq!(uploaded, Uploaded { digest: digest.clone(), size: 700_000, how });
    assert!(blob(&peer, "app", &digest) == Some(bytes));
    assert_eq!(peer.received("*", ""), 700_000);
    let lines = peer.lines();
    let [head, mount, put] = &lines[lines.len() - 3..] else { unreachable!() };
    assert_eq!(*head, format!("HEAD /v2/app/blobs/{digest} 404"));
    assert!(mount.starts_with("POST /v2/app/blobs/uploads/") && mount.ends_with(" 202"), "{mount}");
    assert!(put.starts_with("PUT /v2/app/blobs/uploads/upload-1?digest=sha256") && put.ends_with(" 201"));
    assert_eq!(peer.asked("PUT", "")[0].request.header("content-length"), Some("700000"));
    assert_eq!(open_sessions(&peer), 0);
}

#[test]
fn an_empty_blob_is_one_too() {
    let peer = Peer::start(Behaviour::default());
    let uploaded = upload(&peer, b"").unwrap();
    assert_eq!(uploaded.how, Delivery::Sent { bytes: 0 });
    assert_eq!(blob(&peer, "app", &Digest::of(b"")), Some(Vec::new()));
}

#[test]
fn what_is_there_is_not_sent() {
    let peer = Peer::start(Behaviour::default());
    let bytes = noise(5000, 2);
    peer.add_blob("app", &bytes);
    assert_eq!(upload(&peer, &bytes).unwrap().how, Delivery::Existed);
    assert_eq!(peer.received("*", ""), 0);
    assert!(peer.asked("POST", "").is_empty());
}

#[test]
fn a_blob_that_grows_is_sent_while_it_does_and_named_in_the_end() {
    let peer = Peer::start(Behaviour::default());
    let bytes = noise(600_000, 3);
    let source = Source::growing(&bytes, 200_000);
    let (client, _) = client(limits());
    let app = repository(peer.address(), "app");
    let uploaded = run(async {
        let upload = tokio::spawn({
            let (client, source) = (client.clone(), Arc::clone(&source));
            async move { client.upload(&app, source, &[]).await }
        });
        let waiting = tokio::task::spawn_blocking(move || {
            peer.wait_until("the first part has come", |all| {
                all.iter().any(|exchange| exchange.is("PATCH", "") && exchange.received == 200_000)
            });
            peer
        });
        let peer = waiting.await.unwrap();
        source.complete();
        (upload.await.unwrap().unwrap(), peer)
    });
    let (uploaded, peer) = uploaded;
    assert_eq!((uploaded.digest.clone(), uploaded.size), (Digest::of(&bytes), 600_000));
    assert_eq!(uploaded.how, Delivery::Sent { bytes: 600_000 });
    assert!(blob(&peer, "app", &uploaded.digest) == Some(bytes));
    let put = &peer.asked("PUT", "/blobs/uploads/")[0];
    assert_eq!((put.received, put.status), (0, Some(201)));
    assert!(peer.asked("HEAD", "").is_empty(), "there is nothing to ask for");
}

#[test]
fn a_blob_beside_is_mounted() {
    let peer = Peer::start(Behaviour::default());
    let bytes = noise(5000, 4);
    peer.add_blob("base", &bytes);
    let (client, _) = client(limits());
    let (app, base) = (repository(peer.address(), "app"), repository(peer.address(), "base"));
    let elsewhere = repository("registry.example", "base");
    let mounts = [elsewhere, app.clone(), base.clone()];
    let uploaded = run(client.upload(&app, Source::new(&bytes), &mounts)).unwrap();
    assert_eq!(uploaded.how, Delivery::Mounted { from: Some(base) });
    assert_eq!(peer.received("*", ""), 0);
    assert_eq!(peer.asked("POST", "from=base").len(), 1);
    assert_eq!(peer.asked("POST", "").len(), 1);
}

#[test]
fn the_session_of_a_mount_that_did_not_work_is_used() {
    let peer = Peer::start(Behaviour { mounts: Mounts::BecomeSessions, ..Behaviour::default() });
    let bytes = noise(5000, 5);
    let (client, _) = client(limits());
    let (app, base) = (repository(peer.address(), "app"), repository(peer.address(), "base"));
    let uploaded = run(client.upload(&app, Source::new(&bytes), &[base])).unwrap();
    assert_eq!(uploaded.how, Delivery::Sent { bytes: 5000 });
    assert_eq!(peer.asked("POST", "").len(), 1);
    assert_eq!(open_sessions(&peer), 0);
}

#[test]
fn of_two_sessions_for_mounts_one_is_used_and_one_deleted() {
    let peer = Peer::start(Behaviour { mounts: Mounts::BecomeSessions, ..Behaviour::default() });
    let (client, _) = client(limits());
    let app = repository(peer.address(), "app");
    let mounts = ["one", "two", "three"].map(|name| repository(peer.address(), name));
    run(client.upload(&app, Source::new(b"bytes"), &mounts)).unwrap();
    assert_eq!((peer.asked("POST", "").len(), peer.asked("DELETE", "").len()), (2, 1));
    assert_eq!(open_sessions(&peer), 0);
}

#[test]
fn registries_without_mounts_are_asked_once() {
    for status in [401, 405, 400, 404] {
        let peer = Peer::start(Behaviour { mounts: Mounts::Fail(status), ..Behaviour::default() });
        let (client, _) = client(limits());
        let (app, base) = (repository(peer.address(), "app"), repository(peer.address(), "base"));
        for bytes in [noise(3000, 6), noise(3000, 7)] {
            let uploaded = run(client.upload(&app, Source::new(&bytes), std::slice::from_ref(&base)));
            assert_eq!(uploaded.unwrap().how, Delivery::Sent { bytes: 3000 }, "{status}");
        }
        let asked = if matches!(status, 405 | 400) { 1 } else { 2 };
        assert_eq!(peer.asked("POST", "mount=").len(), asked, "{status}");
        assert_eq!(open_sessions(&peer), 0);
    }
}

#[test]
fn sessions_are_found_wherever_the_registry_says() {
    for location in [Location::Path, Location::Url, Location::Query, Location::LastPart, Location::Missing] {
        let uploads = Uploads { location: location.clone(), ..Uploads::default() };
        let peer = Peer::start(Behaviour { uploads, ..Behaviour::default() });
        let bytes = noise(200_000, 8);
        let uploaded = upload(&peer, &bytes);
        assert_eq!(uploaded.unwrap().how, Delivery::Sent { bytes: 200_000 }, "{location:?}");
        let (client, _) = client(limits());
        let growing = Source::growing(&noise(200_000, 9), 100_000);
        let completing = Arc::clone(&growing);
        std::thread::spawn(move || completing.complete());
        let uploaded = run(client.upload(&repository(peer.address(), "app"), growing, &[]));
        assert_eq!(uploaded.unwrap().size, 200_000, "{location:?}");
        assert_eq!(open_sessions(&peer), 0);
    }
}

#[test]
fn head_that_fails_is_no_reason_not_to_push() {
    for status in [405, 500, 403] {
        let peer = Peer::start(Behaviour::default());
        peer.add(Rule::on("HEAD", "/blobs/").answer(Answer::status(status)));
        assert_eq!(upload(&peer, b"some bytes").unwrap().how, Delivery::Sent { bytes: 10 });
        assert_eq!(peer.asked("HEAD", "/blobs/").len(), 1, "{status}");
    }
}

#[test]
fn a_source_that_cannot_be_read_is_named_and_leaves_no_session() {
    let peer = Peer::start(Behaviour::default());
    let (client, _) = client(limits());
    let source = Source::failing(&noise(500_000, 10), 300_000);
    let error = run(client.upload(&repository(peer.address(), "app"), source, &[])).unwrap_err();
    assert_eq!(error.kind(), Kind::File);
    assert_eq!(error.to_string(), "cannot read what is uploaded: the disk is gone");
    assert!(peer.asked("PUT", "").len() <= 1, "it is not tried again");
    assert_eq!(open_sessions(&peer), 0);
}

#[test]
fn what_is_not_what_it_says_is_refused() {
    let peer = Peer::start(Behaviour::default());
    let (client, _) = client(limits());
    let source = Source::lying(b"other bytes", Digest::of(b"bytes"));
    let error = run(client.upload(&repository(peer.address(), "app"), source, &[])).unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Digest, Some("DIGEST_INVALID")), "{error}");
    assert_eq!(peer.asked("PUT", "").len(), 1);
    assert_eq!(open_sessions(&peer), 0);
}

#[test]
fn a_registry_that_is_busy_is_asked_again_whether_the_blob_is_there() {
    let peer = Peer::start(Behaviour::default());
    peer.add_blob("app", b"some bytes");
    let busy = Answer::error(429, "TOOMANYREQUESTS", "later").header("Retry-After", "0");
    peer.add(Rule::on("HEAD", "/blobs/").times(2).answer(busy));
    assert_eq!(upload(&peer, b"some bytes").unwrap().how, Delivery::Existed);
}
