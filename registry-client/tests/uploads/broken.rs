//! Connections that break, and registries that fail, while a blob is sent: entries 37 and 38 of the list of faults.

use std::sync::Arc;
use std::time::Duration;

use tug_oci::Digest;
use tug_registry_client::{Delivery, Kind, Limits};
use tug_testdata::registry_peer::{AfterCut, Answer, Behaviour, End, Peer, Rule, Uploads, noise};

use crate::source::Source;
use crate::support::{client, limits, repository, run};
use crate::{assert_complete, grow, open_sessions, peer_with, upload};

const SIZE: usize = 1_000_000;

fn after(after_cut: AfterCut) -> Uploads {
    Uploads { after_cut, ..Uploads::default() }
}

#[test]
fn a_cut_body_goes_on_where_the_registry_says() {
    for after_cut in [AfterCut::Keeps, AfterCut::Moves] {
        for how in [End::Reset, End::Close] {
            let peer = peer_with(after(after_cut));
            peer.add(Rule::on("PUT", "/uploads/").once().cut_request(400_000, how));
            peer.add(Rule::on("PATCH", "/uploads/").once().cut_request(200_000, how));
            let bytes = noise(SIZE, 1);
            upload(&peer, &bytes).unwrap();
            assert_complete(&peer, &bytes);
            assert_eq!(peer.received("*", "/uploads/"), SIZE as u64, "{:#?}", peer.lines());
            let ranges: Vec<_> = peer.asked("PATCH", "").iter().map(content_range).collect();
            assert_eq!(ranges, ["400000-999999", "600000-999999"], "{after_cut:?}");
            assert_eq!(peer.asked("POST", "").len(), 1);
            assert_eq!(peer.asked("PUT", "").last().unwrap().received, 0);
        }
    }
}

#[test]
fn what_grows_goes_on_too() {
    for after_cut in [AfterCut::Keeps, AfterCut::Moves] {
        let peer = peer_with(after(after_cut));
        peer.add(Rule::on("PATCH", "/uploads/").times(2).cut_request(300_000, End::Reset));
        let bytes = noise(SIZE, 2);
        let uploaded = grow(&peer, &bytes).unwrap();
        assert_eq!((uploaded.digest, uploaded.size), (Digest::of(&bytes), SIZE as u64));
        assert_complete(&peer, &bytes);
        assert_eq!(peer.received("*", "/uploads/"), SIZE as u64, "{:#?}", peer.lines());
        assert_eq!(peer.asked("POST", "").len(), 1);
    }
}

#[test]
fn a_session_that_forgot_gets_all_of_it_again() {
    let peer = peer_with(after(AfterCut::Forgets));
    peer.add(Rule::on("PUT", "/uploads/").once().cut_request(400_000, End::Reset));
    let bytes = noise(SIZE, 3);
    upload(&peer, &bytes).unwrap();
    assert_complete(&peer, &bytes);
    assert_eq!(peer.asked("POST", "").len(), 1, "`0-0` means that there is nothing, and the session lives");
    assert_eq!(peer.received("*", "/uploads/"), SIZE as u64 + 400_000);
}

#[test]
fn a_session_that_died_is_followed_by_a_new_one() {
    let peer = peer_with(after(AfterCut::Dies));
    peer.add(Rule::on("PUT", "/uploads/").times(2).cut_request(400_000, End::Reset));
    let bytes = noise(SIZE, 4);
    upload(&peer, &bytes).unwrap();
    assert_complete(&peer, &bytes);
    assert_eq!(peer.asked("POST", "").len(), 3);
}

#[test]
fn sessions_that_die_each_time_are_not_begun_for_ever() {
    let peer = peer_with(after(AfterCut::Dies));
    peer.add(Rule::on("PUT", "/uploads/").cut_request(400_000, End::Reset));
    let error = upload(&peer, &noise(SIZE, 5)).unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable, "{error}");
    assert_eq!(peer.asked("PUT", "").len(), 4, "as often as the limits say");
    assert_eq!(open_sessions(&peer), 0);
}

#[test]
fn attempts_that_move_are_not_counted() {
    let peer = peer_with(after(AfterCut::Keeps));
    peer.add(Rule::on("PUT", "/uploads/").once().cut_request(50_000, End::Reset));
    peer.add(Rule::on("PATCH", "/uploads/").times(12).cut_request(60_000, End::Reset));
    let bytes = noise(SIZE, 6);
    upload(&peer, &bytes).unwrap();
    assert_complete(&peer, &bytes);
    assert_eq!(peer.received("*", "/uploads/"), SIZE as u64);
}

#[test]
fn what_a_session_says_of_itself_may_be_nonsense() {
    let nonsense = [
        Answer::status(416),
        Answer::status(404),
        Answer::status(204),
        Answer::status(204).header("Range", "0-99999999"),
        Answer::status(204).header("Range", "400-500"),
        Answer::status(204).header("Range", "soon"),
    ];
    for answer in nonsense {
        let peer = peer_with(after(AfterCut::Keeps));
        peer.add(Rule::on("PUT", "/uploads/").once().cut_request(400_000, End::Reset));
        peer.add(Rule::on("GET", "/uploads/").answer(answer.clone()));
        let bytes = noise(SIZE, 7);
        upload(&peer, &bytes).unwrap();
        assert_complete(&peer, &bytes);
        assert_eq!(peer.asked("POST", "").len(), 2, "{answer:?}");
        assert_eq!(peer.asked("DELETE", "/uploads/").len(), 1, "{answer:?}");
    }
}

#[test]
fn a_wrong_range_that_could_be_true_is_found_out() {
    // It has 400,000 bytes, and says less, or more than that.
    for range in ["0-299999", "0-0"] {
        let peer = peer_with(after(AfterCut::Keeps));
        peer.add(Rule::on("PUT", "/uploads/").once().cut_request(400_000, End::Reset));
        peer.add(Rule::on("GET", "/uploads/").answer(Answer::status(204).header("Range", range)));
        let bytes = noise(SIZE, 8);
        upload(&peer, &bytes).unwrap();
        assert_complete(&peer, &bytes);
        assert_eq!(peer.asked("POST", "").len(), 2, "{range}");
    }
}

#[test]
fn what_the_registry_did_not_take_is_sent_again() {
    let peer = Peer::start(Behaviour::default());
    peer.add(Rule::on("PATCH", "/uploads/").once().take(300_000));
    let bytes = noise(SIZE, 9);
    grow(&peer, &bytes).unwrap();
    assert_complete(&peer, &bytes);
    assert_eq!(content_range(&peer.asked("PATCH", "")[1]), "300000-999999");

    let peer = Peer::start(Behaviour::default());
    peer.add(Rule::on("PUT", "/uploads/").take(300_000));
    let error = upload(&peer, &bytes).unwrap_err();
    assert_eq!(error.kind(), Kind::Digest, "{error}");
    assert_eq!(open_sessions(&peer), 0);
}

#[test]
fn a_registry_that_takes_nothing_is_given_up() {
    let peer = peer_with(after(AfterCut::Keeps));
    peer.add(Rule::on("PUT", "/uploads/").cut_request(400_000, End::Reset));
    peer.add(Rule::on("PATCH", "/uploads/").take(0));
    let error = upload(&peer, &noise(SIZE, 10)).unwrap_err();
    assert!(error.to_string().contains("has taken none of"), "{error}");
    assert_eq!(open_sessions(&peer), 0);
}

#[test]
fn an_answer_that_was_lost_is_looked_for() {
    let peer = Peer::start(Behaviour::default());
    peer.add(Rule::on("PUT", "/uploads/").once().lose_answer(End::Reset));
    let bytes = noise(SIZE, 11);
    let uploaded = upload(&peer, &bytes).unwrap();
    assert_eq!(uploaded.how, Delivery::Sent { bytes: SIZE as u64 });
    assert_complete(&peer, &bytes);
    assert_eq!(peer.asked("POST", "").len(), 1);
}

#[test]
fn failures_that_may_pass_are_waited_out() {
    for status in [500, 502, 503, 504, 408, 429] {
        let peer = Peer::start(Behaviour::default());
        let answer = Answer::error(status, "UNKNOWN", "later").header("Retry-After", "0");
        for method in ["POST", "PUT", "GET"] {
            peer.add(Rule::on(method, "/uploads/").without("x").once().answer(answer.clone()));
        }
        let bytes = noise(50_000, 12);
        let uploaded = upload(&peer, &bytes).unwrap();
        assert_eq!(uploaded.how, Delivery::Sent { bytes: 100_000 }, "{status}");
        assert_complete(&peer, &bytes);
    }
}

#[test]
fn a_registry_that_stalls_is_left() {
    let peer = Peer::start(Behaviour::default());
    peer.add(Rule::on("PUT", "/uploads/").once().cut_request(400_000, End::Stall));
    let short = Duration::from_millis(300);
    let (client, _) = client(Limits { answer: short, idle: short, ..limits() });
    let bytes = noise(SIZE, 13);
    run(client.upload(&repository(peer.address(), "app"), Source::new(&bytes), &[])).unwrap();
    assert_complete(&peer, &bytes);
    assert_eq!(peer.asked("POST", "").len(), 1);
}

#[test]
fn a_source_that_is_slow_is_no_stall() {
    let peer = Arc::new(Peer::start(Behaviour::default()));
    let bytes = noise(SIZE, 14);
    let source = Source::growing(&bytes, 10_000);
    let short = Duration::from_millis(50);
    let limits = Limits { idle: short, rate_window: short, rate_bytes: 1_000_000, ..limits() };
    let (client, heard) = client(limits);
    let completing = Arc::clone(&source);
    std::thread::spawn(move || {
        std::thread::sleep(short * 6);
        completing.complete();
    });
    run(client.upload(&repository(peer.address(), "app"), source, &[])).unwrap();
    assert_complete(&peer, &bytes);
    assert_eq!(peer.asked("PATCH", "").len(), 1, "{:?}", heard.all());
}

fn content_range(exchange: &tug_testdata::registry_peer::Exchange) -> String {
    exchange.request.header("content-range").unwrap_or_default().to_owned()
}
