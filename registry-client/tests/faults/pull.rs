//! Blobs that come in pieces, too late, too slowly, too long, too short, or wrong.

use std::sync::Arc;
use std::time::Duration;

use crate::layer;
use crate::support::{Memory, client, limits, repository, run};
use tug_registry_client::{BlobSink, Client, Error, Kind, Limits};
use tug_testdata::registry_peer::{Answer, Behaviour, End, Exchange, Peer, Rule, noise};

const SIZE: usize = 400_000;

/// A registry that has one blob.
struct Blob {
    peer: Peer,
    bytes: Vec<u8>,
    digest: String,
}

impl Blob {
    fn new() -> Self {
        let (peer, bytes) = (Peer::start(Behaviour::default()), noise(SIZE, 5));
        let digest = peer.add_blob("app", &bytes);
        Self { peer, bytes, digest }
    }

    /// Fetches it into an empty file.
    fn fetch(&self, limits: Limits) -> (Result<String, Error>, Arc<Memory>) {
        let sink = Memory::new(SIZE);
        (self.fetch_into(&client(limits).0, &sink), sink)
    }

    fn fetch_into(&self, client: &Client, sink: &Arc<Memory>) -> Result<String, Error> {
        let app = repository(self.peer.address(), "app");
        let sink = Arc::clone(sink) as Arc<dyn BlobSink>;
        run(client.download(&app, &layer(&self.digest, SIZE), sink))
    }

    /// `Range` of each request for it; empty without.
    fn ranges(&self) -> Vec<String> {
        let range = |exchange: &Exchange| exchange.request.header("range").unwrap_or_default().to_owned();
        self.peer.asked("GET", "/blobs/").iter().map(range).collect()
    }

    fn sent(&self) -> u64 {
        self.peer.sent("GET", "/blobs/")
    }
}

fn nothing_was_kept(sink: &Memory) -> bool {
    sink.missing() == [0..SIZE as u64]
}

#[test]
fn a_body_that_is_cut_goes_on_from_the_byte_where_it_ended() {
    for after in [0, 1, SIZE as u64 / 2, SIZE as u64 - 1] {
        let blob = Blob::new();
        blob.peer.add(Rule::on("GET", "/blobs/").once().cut(after, End::Close));
        let (outcome, sink) = blob.fetch(limits());
        outcome.unwrap();
        assert!(sink.bytes() == blob.bytes, "cut after {after}");
        let second = if after == 0 { String::new() } else { format!("bytes={after}-{}", SIZE - 1) };
        assert_eq!(blob.ranges(), [String::new(), second]);
        assert_eq!(blob.sent(), SIZE as u64, "each byte once");
    }
}

#[test]
fn a_connection_that_is_reset_loses_at_most_what_was_under_way() {
    let blob = Blob::new();
    blob.peer.add(Rule::on("GET", "/blobs/").times(2).cut(100_000, End::Reset));
    let (outcome, sink) = blob.fetch(limits());
    outcome.unwrap();
    assert!(sink.bytes() == blob.bytes);
    assert!(blob.sent() <= SIZE as u64 + 200_000, "{}", blob.sent());
}

#[test]
fn a_body_that_is_cut_again_and_again_is_completed_all_the_same() {
    let blob = Blob::new();
    blob.peer.add(Rule::on("GET", "/blobs/").cut(30_000, End::Close));
    let (outcome, sink) = blob.fetch(Limits { attempts: 2, ..limits() });
    outcome.unwrap();
    assert!(sink.bytes() == blob.bytes);
    assert_eq!((blob.ranges().len(), blob.sent()), (SIZE.div_ceil(30_000), SIZE as u64));
}

#[test]
fn a_body_that_never_gets_further_is_given_up_and_what_came_is_kept() {
    let blob = Blob::new();
    blob.peer.add(Rule::on("GET", "/blobs/").once().cut(150_000, End::Close));
    blob.peer.add(Rule::on("GET", "/blobs/").cut(0, End::Close));
    let (outcome, sink) = blob.fetch(Limits { attempts: 3, ..limits() });
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable, "{error}");
    assert!(error.to_string().contains(&format!("/v2/app/blobs/{}", blob.digest)), "{error}");
    assert_eq!(sink.missing(), [150_000..SIZE as u64]);
    blob.peer.clear_rules();
    blob.fetch_into(&client(limits()).0, &sink).unwrap();
    assert!(sink.bytes() == blob.bytes);
    assert_eq!(blob.sent(), SIZE as u64, "each byte once");
}

#[test]
fn a_server_that_ignores_the_range_after_a_cut_sends_all_of_it_once() {
    let blob = Blob::new();
    blob.peer.add(Rule::on("GET", "/blobs/").once().cut(100_000, End::Close));
    blob.peer.add(Rule::on("GET", "/blobs/").ignore_range());
    let (outcome, sink) = blob.fetch(limits());
    outcome.unwrap();
    assert!(sink.bytes() == blob.bytes);
    assert_eq!(blob.sent(), SIZE as u64 + 100_000);
}

#[test]
fn a_server_that_knows_no_ranges_is_asked_for_the_whole_blob_over_one_connection() {
    let blob = Blob::new();
    blob.peer.add(Rule::on("GET", "/blobs/").ignore_range());
    let (outcome, sink) = blob.fetch(Limits { part: 100_000, ..limits() });
    outcome.unwrap();
    assert!(sink.bytes() == blob.bytes);
    assert_eq!((blob.ranges().len(), blob.sent()), (1, SIZE as u64));
}

#[test]
fn a_part_that_is_not_the_one_that_was_asked_for_is_refused() {
    let rules = [
        (Rule::on("GET", "/blobs/").shift_range(1, 0), Kind::Protocol, "asked for bytes=0-99999, and"),
        (
            Rule::on("GET", "/blobs/").shift_range(0, 5),
            Kind::Digest,
            "it has 400005 bytes, and the manifest says",
        ),
        (Rule::on("GET", "/blobs/").resize(10), Kind::Protocol, "more bytes came than were asked for"),
        (Rule::on("GET", "/blobs/").no_header("Content-Range"), Kind::Protocol, "that does not say which"),
    ];
    for (rule, kind, words) in rules {
        let blob = Blob::new();
        blob.peer.add(rule);
        let (outcome, sink) = blob.fetch(Limits { part: 100_000, ..limits() });
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert!(nothing_was_kept(&sink));
        assert_eq!(blob.ranges().len(), 1, "it is not asked again");
    }
}

#[test]
fn a_part_that_is_wrong_in_the_middle_leaves_the_others_as_they_are() {
    let blob = Blob::new();
    blob.peer.add(Rule::on("GET", "/blobs/").with("range", "bytes=200000-").shift_range(1, 0));
    let (outcome, sink) = blob.fetch(Limits { part: 100_000, connections_per_blob: 1, ..limits() });
    assert_eq!(outcome.unwrap_err().kind(), Kind::Protocol);
    assert!(sink.missing().contains(&(200_000..300_000)) || sink.missing() == [200_000..SIZE as u64]);
    assert!(sink.bytes()[..200_000] == blob.bytes[..200_000]);
}

#[test]
fn a_body_that_stalls_is_left_for_a_new_connection() {
    let blob = Blob::new();
    blob.peer.add(Rule::on("GET", "/blobs/").once().cut(100_000, End::Stall));
    let (outcome, sink) = blob.fetch(Limits { idle: Duration::from_millis(300), ..limits() });
    outcome.unwrap();
    assert!(sink.bytes() == blob.bytes);
    assert_eq!(blob.ranges(), [String::new(), format!("bytes=100000-{}", SIZE - 1)]);
    assert_eq!(blob.sent(), SIZE as u64);
    let asked = blob.peer.asked("GET", "/blobs/");
    assert_ne!(asked[0].connection, asked[1].connection);
}

#[test]
fn a_body_that_stalls_each_time_is_given_up_with_a_clear_word() {
    let blob = Blob::new();
    blob.peer.add(Rule::on("GET", "/blobs/").once().cut(100_000, End::Stall));
    blob.peer.add(Rule::on("GET", "/blobs/").cut(0, End::Stall));
    let (outcome, sink) = blob.fetch(Limits { idle: Duration::from_millis(200), attempts: 2, ..limits() });
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), Kind::Stalled);
    assert!(error.to_string().ends_with("nothing came for 0.2 s"), "{error}");
    assert_eq!(sink.missing(), [100_000..SIZE as u64]);
}

#[test]
fn a_server_that_never_answers_is_not_waited_for() {
    let blob = Blob::new();
    blob.peer.add(Rule::on("GET", "/blobs/").lose_answer(End::Stall));
    let (outcome, _) = blob.fetch(Limits { answer: Duration::from_millis(200), attempts: 2, ..limits() });
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), Kind::Stalled);
    assert!(error.to_string().ends_with("no answer came for 0.2 s"), "{error}");
    assert_eq!(blob.ranges().len(), 2);
}

#[test]
fn a_body_that_trickles_is_given_up_with_the_count_of_what_came() {
    let blob = Blob::new();
    blob.peer.add(Rule::on("GET", "/blobs/").trickle(1, Duration::from_millis(5)));
    let limits =
        Limits { rate_window: Duration::from_millis(150), rate_bytes: 10_000, attempts: 2, ..limits() };
    let (outcome, sink) = blob.fetch(limits);
    let error = outcome.unwrap_err();
    assert_eq!(error.kind(), Kind::Stalled);
    assert!(error.to_string().contains(" bytes came in "), "{error}");
    assert_eq!(blob.ranges().len(), 2);
    assert!(sink.missing().len() == 1 && sink.missing()[0].start > 0, "what came is kept");
}

#[test]
fn a_blob_of_another_size_than_the_manifest_says_is_refused() {
    for by in [-1, 1] {
        let blob = Blob::new();
        blob.peer.add(Rule::on("GET", "/blobs/").resize(by));
        let (outcome, sink) = blob.fetch(limits());
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), Kind::Digest);
        let words = format!("it has {} bytes, and the manifest says {SIZE}", SIZE as i64 + by);
        assert!(error.to_string().ends_with(&words), "{error}");
        assert!(nothing_was_kept(&sink));
        assert_eq!(blob.ranges().len(), 1);
    }
}

#[test]
fn a_body_without_a_length_is_held_against_the_size_as_well() {
    for (length, kind) in [(SIZE - 1, Kind::Digest), (SIZE + 1, Kind::Protocol)] {
        let blob = Blob::new();
        let body = noise(length, 5);
        blob.peer.add(Rule::on("GET", "/blobs/").answer(Answer::body(body).chunked()));
        let (outcome, _) = blob.fetch(limits());
        let error = outcome.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert_eq!(blob.ranges().len(), 1);
    }
}

#[test]
fn wrong_bytes_of_the_right_length_are_an_error_of_the_digest_and_asked_for_once() {
    let blob = Blob::new();
    blob.peer.add(Rule::on("GET", "/blobs/").corrupt(1000));
    let (client, _) = client(limits());
    let app = repository(blob.peer.address(), "app");
    let error = run(client.small_blob(&app, &layer(&blob.digest, SIZE), 1 << 20)).unwrap_err();
    assert_eq!(error.kind(), Kind::Digest);
    assert!(
        error.to_string().contains("was answered with something else: its digest is `sha256:"),
        "{error}"
    );
    assert_eq!(blob.ranges().len(), 1);
}

#[test]
fn an_encoding_that_was_not_asked_for_leaves_the_bytes_as_they_are() {
    let blob = Blob::new();
    blob.peer.add(Rule::on("GET", "/blobs/").header("Content-Encoding", "gzip"));
    let (outcome, sink) = blob.fetch(limits());
    outcome.unwrap();
    assert!(sink.bytes() == blob.bytes);
}

#[test]
fn a_download_that_is_dropped_goes_on_with_the_rest_in_another_client() {
    let blob = Blob::new();
    blob.peer.add(Rule::on("GET", "/blobs/").once().cut(250_000, End::Stall));
    let sink = Memory::new(SIZE);
    let (first, app) = (client(limits()).0, repository(blob.peer.address(), "app"));
    run(async {
        let (into, descriptor) = (Arc::clone(&sink) as Arc<dyn BlobSink>, layer(&blob.digest, SIZE));
        let download = first.download(&app, &descriptor, into);
        let half_is_there = async {
            while sink.missing() != [250_000..SIZE as u64] {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            outcome = download => panic!("it stalls: {outcome:?}"),
            () = half_is_there => {}
        }
    });
    blob.fetch_into(&client(limits()).0, &sink).unwrap();
    assert!(sink.bytes() == blob.bytes);
    assert_eq!(blob.ranges()[1], format!("bytes=250000-{}", SIZE - 1));
    assert_eq!(blob.sent(), SIZE as u64, "each byte once");
}
