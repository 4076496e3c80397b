//! Parts of blobs.

use crate::support::{Answer, Request, digest, noise};
use crate::{Case, checks};

checks! {
    ranges_within_the_blob
    ranges_outside_the_blob
    ranges_that_are_none
    a_range_of_another_version
}

const SIZE: usize = 2048;

fn ask(case: &Case, headers: &[(&str, &str)]) -> (Answer, Vec<u8>) {
    let bytes = noise(20, SIZE);
    let blob = digest(case.algorithm, &bytes);
    let post = Request::new("POST", "/v2/ranges/blobs/uploads/").query("digest", &blob).body(&*bytes);
    assert_eq!(case.registry.client.send(&post).status, 201);
    let get = headers
        .iter()
        .fold(Request::new("GET", format!("/v2/ranges/blobs/{blob}")), |request, (name, value)| {
            request.header(name, value)
        });
    (case.registry.client.send(&get), bytes)
}

fn ranges_within_the_blob(case: &Case) {
    for (range, start, end) in [
        ("bytes=500-1499", 500, 1500),
        ("bytes=500-", 500, SIZE),
        ("bytes=-500", SIZE - 500, SIZE),
        ("bytes=2000-5000", 2000, SIZE),
        ("bytes=0-0", 0, 1),
    ] {
        let (answer, bytes) = ask(case, &[("range", range)]);
        assert_eq!(answer.status, 206, "{range}");
        assert_eq!(answer.body, bytes[start..end], "{range}");
        assert_eq!(answer.header("content-length"), Some(&*(end - start).to_string()));
        let said = format!("bytes {start}-{}/{SIZE}", end - 1);
        assert_eq!(answer.header("content-range"), Some(&*said));
        case.check_digest(&answer, &digest(case.algorithm, &bytes));
    }
}

fn ranges_outside_the_blob(case: &Case) {
    for range in ["bytes=500-0", "bytes=5000-10000", "bytes=2048-", "bytes=-0"] {
        let (answer, _) = ask(case, &[("range", range)]);
        assert_eq!(answer.status, 416, "{range}");
        assert_eq!(answer.header("content-range"), Some("bytes */2048"));
    }
}

fn ranges_that_are_none(case: &Case) {
    for range in ["bytes=a-b", "items=0-1", "bytes=0-1,5-6", "bytes="] {
        let (answer, bytes) = ask(case, &[("range", range)]);
        assert_eq!((answer.status, answer.body), (200, bytes), "{range}");
    }
}

fn a_range_of_another_version(case: &Case) {
    let own = format!("\"{}\"", digest(case.algorithm, &noise(20, SIZE)));
    let (answer, _) = ask(case, &[("range", "bytes=0-9"), ("if-range", &own)]);
    assert_eq!(answer.status, 206);
    let (answer, bytes) = ask(case, &[("range", "bytes=0-9"), ("if-range", "\"sha256:other\"")]);
    assert_eq!((answer.status, answer.body), (200, bytes));
}
