//! Refusals while a body is sent, tokens that end, and cancelling: entries 20, 21, 25, 40 and 46 of the list of faults.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;
use std::time::Duration;

use tug_registry_client::{Delivery, Error, Kind, Limits};
use tug_testdata::registry_peer::{Access, Answer, Bearer, Behaviour, End, Mounts, Peer, Rule, noise};

use crate::source::Source;
use crate::support::{client, limits, repository, run};
use crate::{assert_complete, me, open_sessions};

const SIZE: usize = 3_000_000;

#[test]
fn an_early_refusal_is_shown_even_when_it_was_lost() {
    for (status, code, kind) in [(403, "DENIED", Kind::Denied), (413, "SIZE_INVALID", Kind::TooLarge)] {
        for first_is_lost in [true, false] {
            let peer = Peer::start(Behaviour::default());
            if first_is_lost {
                peer.add(Rule::on("PUT", "/uploads/").once().cut_request(100_000, End::Reset));
            }
            let answer = Answer::error(status, code, "the quota of this project is used up");
            peer.add(Rule::on("PUT", "/uploads/").answer_early(50_000, answer.clone()));
            // What says that it waits is answered before it sends anything.
            peer.add(Rule::on("PATCH", "/uploads/").with("expect", "100-continue").answer_early(0, answer));
            let limits = Limits {
                pause: Duration::from_millis(500),
                longest_pause: Duration::from_millis(500),
                ..limits()
            };
            let (client, _) = client(limits);
            let source = Source::new(&noise(SIZE, 1));
            let error = run(client.upload(&repository(peer.address(), "app"), source, &[])).unwrap_err();
            assert_eq!((error.kind(), error.status(), error.code()), (kind, Some(status), Some(code)));
            assert!(error.to_string().contains("the quota of this project is used up"), "{error}");
            assert_eq!(open_sessions(&peer), 0);
        }
    }
}

#[test]
fn a_session_that_says_why_is_believed() {
    let peer = Peer::start(Behaviour::default());
    peer.add(Rule::on("PUT", "/uploads/").cut_request(100_000, End::Reset));
    peer.add(Rule::on("GET", "/uploads/").answer(Answer::error(403, "DENIED", "read only since now")));
    let error = upload(&peer).unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    assert!(error.to_string().contains("read only since now"), "{error}");
    assert_eq!(open_sessions(&peer), 0);
}

#[test]
fn a_server_that_knows_nothing_of_waiting_gets_the_body_at_once() {
    let peer = Peer::start(Behaviour::default());
    peer.add(Rule::on("PUT", "/uploads/").once().cut_request(100_000, End::Reset));
    peer.add(Rule::on("*", "/uploads/").with("expect", "").answer(Answer::status(417)));
    let bytes = noise(SIZE, 10);
    crate::upload(&peer, &bytes).unwrap();
    assert_complete(&peer, &bytes);
    assert_eq!(peer.asked("PATCH", "").len(), 2);
}

#[test]
fn refusals_that_last_are_not_tried_again() {
    for status in [400, 403, 405, 413] {
        let peer = Peer::start(Behaviour::default());
        peer.add(Rule::on("PUT", "/uploads/").answer(Answer::error(status, "X", "never")));
        let error = upload(&peer).unwrap_err();
        assert_eq!(error.status(), Some(status), "{error}");
        assert_eq!(peer.asked("PUT", "").len(), 1);
        let peer = Peer::start(Behaviour::default());
        peer.add(Rule::on("POST", "/uploads/").answer(Answer::error(status, "X", "never")));
        assert_eq!(upload(&peer).unwrap_err().status(), Some(status));
        assert_eq!(peer.asked("PUT", "").len(), 0);
    }
}

fn with_tokens(bearer: Bearer) -> Peer {
    let accounts = vec![("me".to_owned(), "secret".to_owned())];
    let access = Access::Bearer(Bearer { accounts, ..bearer });
    Peer::start(Behaviour { access, mounts: Mounts::Work, ..Behaviour::default() })
}

#[test]
fn a_token_that_ends_in_the_middle_costs_one_more_and_no_session() {
    let peer = with_tokens(Bearer::default());
    // The registry looks at the token before it looks at the body.
    let refusal = Answer::error(401, "UNAUTHORIZED", "the token has expired")
        .header("WWW-Authenticate", &challenge(&peer));
    let expires = |contents: &mut tug_testdata::registry_peer::Contents| contents.expire_tokens();
    peer.add(Rule::on("PUT", "/uploads/").once().answer(refusal).then(expires));
    peer.add(Rule::on("PUT", "/uploads/").once().cut_request(1_000_000, End::Reset).then(expires));
    let bytes = noise(SIZE, 2);
    run(me(limits()).upload(&repository(peer.address(), "app"), Source::new(&bytes), &[])).unwrap();
    assert_complete(&peer, &bytes);
    assert_eq!(peer.asked("POST", "/uploads/").last().unwrap().status, Some(202));
    assert_eq!(peer.asked("POST", "/uploads/").iter().filter(|one| one.status == Some(202)).count(), 1);
    assert_eq!(peer.asked("*", "/token").len(), 2, "{:#?}", peer.lines());
}

#[test]
fn tokens_that_last_for_a_few_requests_are_enough() {
    let peer = with_tokens(Bearer { uses: Some(2), ..Bearer::default() });
    peer.add(Rule::on("PUT", "/uploads/").once().cut_request(1_000_000, End::Reset));
    let bytes = noise(SIZE, 3);
    run(me(limits()).upload(&repository(peer.address(), "app"), Source::new(&bytes), &[])).unwrap();
    assert_complete(&peer, &bytes);
}

#[test]
fn tokens_that_are_never_good_are_not_asked_for_for_ever() {
    let peer = with_tokens(Bearer::default());
    let refusal = Answer::error(401, "UNAUTHORIZED", "who?").header("WWW-Authenticate", &challenge(&peer));
    peer.add(Rule::on("PUT", "/uploads/").answer(refusal));
    let app = repository(peer.address(), "app");
    let error = run(me(limits()).upload(&app, Source::new(b"bytes"), &[])).unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthorized);
    assert!(error.hint().is_some_and(|hint| hint.contains("asked as `me`")), "{error:?}");
    assert!(peer.asked("PUT", "").len() <= 3, "{:#?}", peer.lines());
    assert_eq!(open_sessions(&peer), 0);
}

#[test]
fn a_mount_asks_for_both_repositories_and_the_wanted_one_first() {
    let peer = with_tokens(Bearer::default());
    let bytes = noise(5000, 4);
    peer.add_blob("base", &bytes);
    let (app, base) = (repository(peer.address(), "app"), repository(peer.address(), "base"));
    let uploaded = run(me(limits()).upload(&app, Source::new(&bytes), std::slice::from_ref(&base))).unwrap();
    assert_eq!(uploaded.how, Delivery::Mounted { from: Some(base) });
    let asked = peer.asked("*", "/token").pop().unwrap().request;
    let scopes: Vec<_> = asked.parameters().into_iter().filter(|(name, _)| name == "scope").collect();
    let scopes: Vec<_> = scopes.iter().map(|(_, scope)| scope.as_str()).collect();
    assert_eq!(scopes, ["repository:app:pull,push", "repository:base:pull"]);
}

#[test]
fn an_upload_that_is_dropped_leaves_no_session() {
    let peer = Peer::start(Behaviour::default());
    peer.add(Rule::on("PUT", "/uploads/").hold());
    let (client, _) = client(limits());
    let app = repository(peer.address(), "app");
    let source = Source::new(&noise(SIZE, 5));
    let deleted =
        |all: &[tug_testdata::registry_peer::Exchange]| all.iter().any(|one| one.is("DELETE", "/uploads/"));
    run(async {
        let upload = tokio::spawn(async move { client.upload(&app, source, &[]).await.map(drop) });
        wait(&peer, "it is sent", |all| all.iter().any(|one| one.is("PUT", "") && one.received > 0)).await;
        upload.abort();
        assert!(upload.await.unwrap_err().is_cancelled());
        wait(&peer, "it is deleted", deleted).await;
    });
    peer.release();
}

#[test]
fn all_uploads_can_be_cancelled_and_later_ones_work() {
    let peer = Peer::start(Behaviour::default());
    peer.add(Rule::on("PUT", "/uploads/").times(2).hold());
    let (client, _) = client(limits());
    let app = repository(peer.address(), "app");
    run(async {
        let uploads = [noise(SIZE, 6), noise(SIZE, 7)].map(|bytes| {
            let (client, app, source) = (client.clone(), app.clone(), Source::new(&bytes));
            tokio::spawn(async move { client.upload(&app, source, &[]).await })
        });
        let both = |all: &[tug_testdata::registry_peer::Exchange]| {
            all.iter().filter(|one| one.is("PUT", "") && one.received > 0).count() == 2
        };
        wait(&peer, "both are sent", both).await;
        client.cancel_uploads().await;
        assert_eq!(open_sessions(&peer), 0, "when it comes back, the registry knows");
        for upload in uploads {
            assert_eq!(upload.await.unwrap().unwrap_err().kind(), Kind::Cancelled);
        }
        assert_eq!(peer.asked("DELETE", "/uploads/").len(), 2);
        let later = client.upload(&app, Source::new(b"later"), &[]).await;
        assert_eq!(later.unwrap().how, Delivery::Sent { bytes: 5 });
        client.cancel_uploads().await;
        assert_eq!(peer.asked("DELETE", "/uploads/").len(), 2, "nothing is open");
    });
    peer.release();
}

#[test]
fn cancelling_does_not_wait_for_registries_that_are_gone() {
    let peer = Peer::start(Behaviour::default());
    peer.add(Rule::on("PUT", "/uploads/").hold());
    peer.add(Rule::on("DELETE", "/uploads/").hold());
    let (client, _) = client(Limits { connect: Duration::from_millis(200), ..limits() });
    let app = repository(peer.address(), "app");
    run(async {
        let upload = tokio::spawn({
            let client = client.clone();
            async move { client.upload(&app, Source::new(&noise(SIZE, 8)), &[]).await }
        });
        wait(&peer, "it is sent", |all| all.iter().any(|one| one.is("PUT", "") && one.received > 0)).await;
        client.cancel_uploads().await;
        assert_eq!(upload.await.unwrap().unwrap_err().kind(), Kind::Cancelled);
    });
    peer.release();
}

/// What takes nothing at all of a body is left, and named.
#[test]
fn a_registry_that_reads_nothing_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            thread::spawn(move || answer_all_but_bodies(socket));
        }
    });
    let short = Duration::from_millis(100);
    let limits = Limits { idle: short, connect: short * 20, attempts: 2, ..limits() };
    let (client, heard) = client(limits);
    let source = Source::new(&vec![7; 32 << 20]);
    let error = run(client.upload(&repository(&address, "app"), source, &[])).unwrap_err();
    assert_eq!(error.kind(), Kind::Stalled);
    assert!(error.to_string().ends_with("nothing was taken for 0.1 s"), "{error}");
    assert!(!heard.all().is_empty(), "the first time it was tried again");
}

fn answer_all_but_bodies(mut socket: std::net::TcpStream) {
    let mut head = Vec::new();
    let mut byte = [0];
    while socket.read(&mut byte).is_ok_and(|count| count == 1) {
        head.push(byte[0]);
        if !head[0].is_ascii_uppercase() {
            return; // TLS
        }
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        let answer = match head.split(|byte| *byte == b' ').next().unwrap() {
            b"PUT" | b"PATCH" => return thread::sleep(Duration::from_secs(60)),
            b"POST" => "202 Fine\r\nLocation: /v2/app/blobs/uploads/1\r\nContent-Length: 0",
            b"GET" if head.windows(8).any(|part| part == b"/uploads") => "204 Fine\r\nRange: 0-0",
            b"GET" => "200 Fine\r\nContent-Length: 0",
            _ => "404 No\r\nContent-Length: 0",
        };
        if socket.write_all(format!("HTTP/1.1 {answer}\r\n\r\n").as_bytes()).is_err() {
            return;
        }
        head.clear();
    }
}

fn upload(peer: &Peer) -> Result<(), Error> {
    crate::upload(peer, &noise(SIZE, 9)).map(drop)
}

fn challenge(peer: &Peer) -> String {
    format!("Bearer realm=\"{}\",service=\"peer\",error=\"invalid_token\"", peer.url("/token"))
}

/// Waits on the side.
async fn wait(
    peer: &Peer,
    what: &'static str,
    holds: impl Fn(&[tug_testdata::registry_peer::Exchange]) -> bool,
) {
    tokio::task::block_in_place(|| peer.wait_until(what, holds));
}
