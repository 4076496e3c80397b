//! Time, connections, bytes. Nothing here looks at a clock: what is waited for is an answer, or the end of a connection.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::support::{Answer, Registry, Request, noise};
use super::{get, upload, with_users};

/// Short enough that no test waits long for it.
const SHORT: Duration = Duration::from_millis(150);

fn connect(registry: &Registry) -> TcpStream {
    TcpStream::connect(registry.running.address()).unwrap()
}

#[test]
fn those_who_send_nothing_or_half_a_head_do_not_block_others() {
    let registry = Registry::start();
    let idle: Vec<TcpStream> = (0..60)
        .map(|number| {
            let mut stream = connect(&registry);
            if number % 2 == 0 {
                stream.write_all(b"GET /v2/ HTTP/1.1\r\nhost: a\r\nx-slow").unwrap();
            }
            stream
        })
        .collect();
    let place = registry.client.begin("app");
    let chunk = Request::new("PATCH", place).body(noise(1, 1000));
    let half: Vec<TcpStream> = (0..3).map(|_| registry.client.send_part(&chunk, 500)).collect();
    assert_eq!(registry.client.get("/v2/").status, 200);
    registry.client.push_blob("other", &noise(2, 1000));
    drop((idle, half));
}

#[test]
fn who_sends_no_head_is_not_waited_for() {
    let registry = Registry::with(|options| options.limits.head = SHORT);
    for start in ["", "P", "GET /v2/ HTTP/1.1\r\nhost: a\r\nx-slow", "PRI * HTTP/2.0\r\n"] {
        let mut stream = connect(&registry);
        let _ = stream.write_all(start.as_bytes());
        let mut answer = Vec::new();
        // The end, not an answer.
        let _ = stream.read_to_end(&mut answer);
        assert_eq!(answer, b"", "{start}");
    }
}

#[test]
fn a_kept_connection_ends_when_nothing_more_is_asked() {
    let registry = Registry::with(|options| options.limits.keep_alive = SHORT);
    let mut stream = connect(&registry);
    stream.write_all(b"GET /v2/ HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[test]
fn a_body_that_stops_is_cut_and_the_upload_can_go_on() {
    let registry = Registry::with(|options| options.limits.pace_window = SHORT);
    let place = registry.client.begin("app");
    let bytes = noise(1, 10_000);
    let stream = registry.client.send_part(&Request::new("PATCH", &place).body(bytes.clone()), 6000);
    let answer = Answer::read(stream, false);
    assert_eq!((answer.status, answer.header("range")), (416, Some("0-5999")));
    let rest = Request::new("PATCH", &place).header("content-range", "6000-9999").body(&bytes[6000..]);
    assert_eq!(registry.client.send(&rest).status, 202);
    let end = Request::new("PUT", place).query("digest", tug_oci::Digest::of(&bytes));
    assert_eq!(registry.client.send(&end).status, 201);
}

#[test]
fn an_answer_that_nobody_takes_is_given_up() {
    let registry = Registry::with(|options| options.limits.pace_window = SHORT);
    // More than the buffers of a connection hold.
    let digest = registry.client.push_blob("app", &noise(1, 24 << 20));
    let mut stream = connect(&registry);
    write!(stream, "GET /v2/app/blobs/{digest} HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    // The server stops waiting and closes; only then we look.
    let gauge = "tug_requests_under_way 1";
    let is_alone = || registry.client.get("/metrics").text().lines().any(|line| line == gauge);
    while !is_alone() {
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut taken = Vec::new();
    let _ = stream.read_to_end(&mut taken);
    assert!(taken.len() < 24 << 20, "{} bytes came", taken.len());
}

#[test]
fn one_address_has_so_many_connections_and_no_more() {
    let registry = Registry::with(|options| options.limits.connections_per_address = 2);
    let first = connect(&registry);
    let second = connect(&registry);
    let mut third = connect(&registry);
    let mut answer = String::new();
    third.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1"), "{answer}");
    drop((first, second));
    // The server sees their end in its own time.
    while registry.client.try_get("/v2/").is_none_or(|answer| answer.status != 200) {
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn too_many_uploads_are_sent_away() {
    let registry = Registry::with(|options| {
        options.limits.uploads = 1;
        options.limits.upload_wait = SHORT;
    });
    let place = registry.client.begin("app");
    let half = registry.client.send_part(&Request::new("PATCH", &place).body(noise(1, 1000)), 500);
    while registry.client.get(&place).header("range") != Some("0-499") {
        std::thread::sleep(Duration::from_millis(10));
    }
    let bytes = noise(2, 100);
    let other = upload("app").query("digest", tug_oci::Digest::of(&bytes)).body(bytes);
    let answer = registry.client.send(&other);
    assert_eq!((answer.status, answer.code().as_str()), (429, "TOOMANYREQUESTS"));
    assert_eq!(answer.header("retry-after"), Some("1"));
    drop(half);
}

#[test]
fn sizes_end_somewhere() {
    let registry = Registry::with(|options| options.limits.max_blob = 1000);
    let bytes = noise(1, 1001);
    let digest = tug_oci::Digest::of(&bytes);
    let whole = registry.client.send(&upload("app").query("digest", &digest).body(bytes.clone()));
    assert_eq!((whole.status, whole.code().as_str()), (413, "SIZE_INVALID"));
    let streamed = Request::new("PATCH", registry.client.begin("app")).streamed(bytes);
    assert_eq!(registry.client.send(&streamed).status, 413);
    registry.client.push_blob("app", &noise(2, 1000));
    let long = format!("/v2/app/tags/list?last={}", "x".repeat(20_000));
    assert_eq!(registry.client.get(long).status, 414);
    let form = Request::new("POST", "/token").body("x=".repeat(40_000));
    assert_eq!(registry.client.send(&form).status, 413);
}

#[test]
fn a_quota_is_told_before_the_body_comes() {
    let registry = Registry::with(|options| {
        options.limits.repository_quota = Some(10_000);
        options.limits.quota = Some(15_000);
    });
    registry.client.push_blob("one", &noise(1, 6000));
    let bytes = noise(2, 4001);
    let digest = tug_oci::Digest::of(&bytes);
    let push = |repository: &str| upload(repository).query("digest", &digest).body(bytes.clone());
    // Only the head goes out: the answer does not wait for the body.
    let stream = registry.client.send_part(&push("one"), 0);
    stream.peek(&mut [0]).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let refused = Answer::read(stream, false);
    assert_eq!((refused.status, refused.code().as_str()), (403, "DENIED"));
    let detail = refused.json()["errors"][0]["detail"].clone();
    assert_eq!(
        detail,
        serde_json::json!({ "reason": "repository-quota", "limit": 10_000, "used": 6000, "asked": 4001 })
    );
    let place = registry.client.begin("one");
    let streamed = registry.client.send(&Request::new("PATCH", &place).streamed(bytes.clone()));
    assert_eq!((streamed.status, streamed.code().as_str()), (403, "DENIED"));
    assert_eq!(registry.client.get(place).status, 404, "what cannot fit is not kept");
    assert_eq!(registry.client.send(&push("two")).status, 201, "another repository has room");
    assert_eq!(registry.client.send(&upload("one").query("mount", &digest)).status, 403);
    let all = registry
        .client
        .send(&upload("three").query("digest", tug_oci::Digest::of(b"x")).body(noise(3, 5000)));
    assert_eq!(all.json()["errors"][0]["detail"]["reason"], "quota");
    let held = tug_oci::Digest::of(&noise(1, 6000));
    assert_eq!(registry.client.delete(format!("/v2/one/blobs/{held}")).status, 202);
    assert_eq!(registry.client.send(&push("one")).status, 201, "it is counted anew");
}

#[test]
fn who_is_refused_early_still_reads_why() {
    let registry = with_users(&[], |_| {});
    let bytes = noise(1, 8 << 20);
    let push = upload("app").query("digest", tug_oci::Digest::of(&bytes)).body(bytes);
    let answer = registry.client.send(&push);
    assert_eq!((answer.status, answer.code().as_str()), (401, "UNAUTHORIZED"));
}

#[test]
fn tricks_with_paths_are_refused_by_a_whole_server() {
    let registry = Registry::start();
    registry.client.push_blob("app", b"x");
    for path in [
        "/v2/../_tug/root.json",
        "/v2/app/../../etc/passwd",
        "/v2/app%2f..%2f_tug/tags/list",
        "/v2/app/%00/tags/list",
        "/v2//app/tags/list",
        "/v2/app//tags/list",
        "/v2/_tug/tags/list",
        "/v2/app/manifests/..%2f..%2froot.json",
        "/v2/app/blobs/sha256:..%2f..",
        "/v2/app/blobs/uploads/..%2f",
        "/v2/%c0%ae%c0%ae/tags/list",
        "/healthz/../v2/app",
    ] {
        let status = registry.client.get(path).status;
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
    assert_eq!(registry.client.send(&get(&format!("/v2/{}/tags/list", "a/".repeat(200)))).status, 400);
}
