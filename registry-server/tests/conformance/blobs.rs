//! Every way to bring a blob in, and to take it away again.

use tug_oci::Digest;

use crate::support::{Answer, Request, digest, noise};
use crate::{Case, checks};

checks! {
    a_blob_that_was_never_pushed_is_not_there
    post_only
    post_and_put
    chunked_with_a_single_chunk
    chunked_with_several_chunks
    chunked_with_the_last_chunk_in_the_put
    chunked_out_of_order
    chunked_out_of_order_with_the_last_chunk_in_the_put
    streamed
    mounted_from_a_repository
    mounted_from_anywhere
    a_mount_of_what_nobody_has_becomes_an_upload
    an_upload_that_is_cancelled_is_gone
    the_empty_blob
    the_empty_json_blob
    post_only_with_a_wrong_digest
    post_and_put_with_a_wrong_digest
    chunked_with_a_wrong_digest
    chunked_with_the_last_chunk_in_the_put_and_a_wrong_digest
    streamed_with_a_wrong_digest
}

const REPOSITORY: &str = "conformance/repo1";
const OTHER: &str = "conformance/repo2";

/// The smallest chunk that the suite sends.
const CHUNK: usize = 1024;

/// How chunks are sent.
#[derive(Clone, Copy, PartialEq)]
enum Last {
    InPatch,
    InPut,
}

fn uploads(repository: &str) -> Request {
    Request::new("POST", format!("/v2/{repository}/blobs/uploads/"))
}

/// Follows the location of the answer that ended an upload, asks for the blob in all ways, and deletes it.
fn check_and_delete(case: &Case, repository: &str, answer: &Answer, bytes: &[u8]) {
    let expected = digest(case.algorithm, bytes);
    assert_eq!(answer.status, 201, "{}", answer.text());
    case.check_digest(answer, &expected);
    let location = case.registry.client.get(answer.location());
    assert_eq!((location.status, location.body.as_slice()), (200, bytes));
    check_blob(case, repository, bytes);
    delete(case, repository, &expected);
}

fn check_blob(case: &Case, repository: &str, bytes: &[u8]) {
    let expected = digest(case.algorithm, bytes);
    let target = format!("/v2/{repository}/blobs/{expected}");
    let head = case.registry.client.head(&*target);
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), Some(&*bytes.len().to_string()));
    case.check_digest(&head, &expected);
    let got = case.registry.client.get(&*target);
    assert_eq!((got.status, got.body.as_slice()), (200, bytes));
    assert_eq!(got.header("content-length"), Some(&*bytes.len().to_string()));
    case.check_digest(&got, &expected);
    let mut headers: Vec<_> = head.headers.iter().filter(|(name, _)| name != "date").collect();
    let mut same: Vec<_> = got.headers.iter().filter(|(name, _)| name != "date").collect();
    headers.sort();
    same.sort();
    assert_eq!(headers, same, "HEAD and GET say the same");
}

fn delete(case: &Case, repository: &str, blob: &Digest) {
    let target = format!("/v2/{repository}/blobs/{blob}");
    assert_eq!(case.registry.client.delete(&*target).status, 202);
    assert_eq!(case.registry.client.head(&*target).status, 404);
    assert_eq!(case.registry.client.delete(&*target).status, 404);
}

fn a_blob_that_was_never_pushed_is_not_there(case: &Case) {
    let missing = digest(case.algorithm, &noise(1, 512));
    let answer = case.registry.client.get(format!("/v2/{REPOSITORY}/blobs/{missing}"));
    assert_eq!((answer.status, &*answer.code()), (404, "NAME_UNKNOWN"));
    case.registry.client.push_blob(REPOSITORY, b"something");
    let answer = case.registry.client.get(format!("/v2/{REPOSITORY}/blobs/{missing}"));
    assert_eq!((answer.status, &*answer.code()), (404, "BLOB_UNKNOWN"));
}

fn post_only(case: &Case) {
    let bytes = noise(2, 512);
    let answer = post_whole(case, &bytes, &digest(case.algorithm, &bytes));
    check_and_delete(case, REPOSITORY, &answer, &bytes);
}

fn post_whole(case: &Case, bytes: &[u8], said: &Digest) -> Answer {
    let post = uploads(REPOSITORY).query("digest", said).header("content-type", "application/octet-stream");
    case.registry.client.send(&post.body(bytes))
}

fn post_and_put(case: &Case) {
    let bytes = noise(3, 512);
    let answer = post_then_put(case, REPOSITORY, &bytes, &digest(case.algorithm, &bytes));
    check_and_delete(case, REPOSITORY, &answer, &bytes);
}

fn post_then_put(case: &Case, repository: &str, bytes: &[u8], said: &Digest) -> Answer {
    let put = Request::new("PUT", case.registry.client.begin(repository)).query("digest", said);
    case.registry.client.send(&put.body(bytes))
}

fn chunked_with_a_single_chunk(case: &Case) {
    let bytes = noise(4, 512);
    let answer = in_chunks(case, &bytes, &digest(case.algorithm, &bytes), Last::InPatch, false);
    check_and_delete(case, REPOSITORY, &answer, &bytes);
}

fn chunked_with_several_chunks(case: &Case) {
    let bytes = noise(5, 3 * CHUNK - 5);
    let answer = in_chunks(case, &bytes, &digest(case.algorithm, &bytes), Last::InPatch, false);
    check_and_delete(case, REPOSITORY, &answer, &bytes);
}

fn chunked_with_the_last_chunk_in_the_put(case: &Case) {
    let bytes = noise(6, 3 * CHUNK - 5);
    let answer = in_chunks(case, &bytes, &digest(case.algorithm, &bytes), Last::InPut, false);
    check_and_delete(case, REPOSITORY, &answer, &bytes);
}

fn chunked_out_of_order(case: &Case) {
    let bytes = noise(7, 3 * CHUNK - 5);
    let answer = in_chunks(case, &bytes, &digest(case.algorithm, &bytes), Last::InPatch, true);
    check_and_delete(case, REPOSITORY, &answer, &bytes);
}

fn chunked_out_of_order_with_the_last_chunk_in_the_put(case: &Case) {
    let bytes = noise(8, 3 * CHUNK - 5);
    let answer = in_chunks(case, &bytes, &digest(case.algorithm, &bytes), Last::InPut, true);
    check_and_delete(case, REPOSITORY, &answer, &bytes);
}

/// Sends `bytes` in chunks. With `disordered`, a chunk that does not belong there comes before each, and the upload is
/// asked how to go on.
fn in_chunks(case: &Case, bytes: &[u8], said: &Digest, last: Last, disordered: bool) -> Answer {
    let client = case.registry.client;
    let mut location = client.begin(REPOSITORY);
    let chunks = bytes.len().div_ceil(CHUNK);
    for (number, chunk) in bytes.chunks(CHUNK).enumerate() {
        let start = number * CHUNK;
        if disordered {
            location = send_where_it_does_not_belong(case, &location, bytes, start, said, last);
        }
        let is_in_put = last == Last::InPut && number + 1 == chunks;
        let answer = client.send(&chunk_request(&location, start, chunk, is_in_put.then_some(said)));
        if is_in_put {
            return answer;
        }
        assert_eq!(answer.status, 202, "{}", answer.text());
        assert_eq!(answer.header("range"), Some(&*format!("0-{}", start + chunk.len() - 1)));
        location = answer.location();
    }
    client.send(&Request::new("PUT", location).query("digest", said))
}

/// Skips a chunk, or goes back to the beginning where there is none left to skip.
fn send_where_it_does_not_belong(
    case: &Case,
    location: &str,
    bytes: &[u8],
    start: usize,
    said: &Digest,
    last: Last,
) -> String {
    let wrong = if start + CHUNK < bytes.len() { start + CHUNK } else { 0 };
    let end = bytes.len().min(wrong + CHUNK);
    let in_put = (last == Last::InPut && end == bytes.len()).then_some(said);
    let answer = case.registry.client.send(&chunk_request(location, wrong, &bytes[wrong..end], in_put));
    assert_eq!((answer.status, &*answer.code()), (416, "BLOB_UPLOAD_INVALID"));
    let status = case.registry.client.get(answer.location());
    assert_eq!(status.status, 204);
    assert_eq!(status.header("range"), Some(&*format!("0-{}", start.saturating_sub(1))));
    status.location()
}

fn chunk_request(location: &str, start: usize, chunk: &[u8], in_put: Option<&Digest>) -> Request {
    let request = match in_put {
        Some(said) => Request::new("PUT", location).query("digest", said),
        None => Request::new("PATCH", location),
    };
    let range = format!("{start}-{}", start + chunk.len() - 1);
    request.header("content-type", "application/octet-stream").header("content-range", range).body(chunk)
}

fn streamed(case: &Case) {
    let bytes = noise(9, 5000);
    let answer = in_a_stream(case, &bytes, &digest(case.algorithm, &bytes));
    check_and_delete(case, REPOSITORY, &answer, &bytes);
}

fn in_a_stream(case: &Case, bytes: &[u8], said: &Digest) -> Answer {
    let location = case.registry.client.begin(REPOSITORY);
    let answer = case.registry.client.send(&Request::new("PATCH", location).streamed(bytes));
    assert_eq!(answer.status, 202, "{}", answer.text());
    case.registry.client.send(&Request::new("PUT", answer.location()).query("digest", said))
}

fn mounted_from_a_repository(case: &Case) {
    mounted(case, |request| request.query("from", OTHER));
}

fn mounted_from_anywhere(case: &Case) {
    mounted(case, |request| request);
}

fn mounted(case: &Case, from: impl FnOnce(Request) -> Request) {
    let bytes = noise(10, 512);
    let blob = digest(case.algorithm, &bytes);
    assert_eq!(post_then_put(case, OTHER, &bytes, &blob).status, 201);
    assert_eq!(case.registry.client.head(format!("/v2/{REPOSITORY}/blobs/{blob}")).status, 404);
    let answer = case.registry.client.send(&from(uploads(REPOSITORY).query("mount", &blob)));
    check_and_delete(case, REPOSITORY, &answer, &bytes);
    check_blob(case, OTHER, &bytes);
    delete(case, OTHER, &blob);
}

fn a_mount_of_what_nobody_has_becomes_an_upload(case: &Case) {
    let bytes = noise(11, 512);
    let blob = digest(case.algorithm, &bytes);
    let request = uploads(REPOSITORY).query("mount", &blob).query("from", OTHER);
    let answer = case.registry.client.send(&request);
    assert_eq!(answer.status, 202, "{}", answer.text());
    let put = Request::new("PUT", answer.location()).query("digest", &blob).body(&*bytes);
    check_and_delete(case, REPOSITORY, &case.registry.client.send(&put), &bytes);
}

fn an_upload_that_is_cancelled_is_gone(case: &Case) {
    let client = case.registry.client;
    let location = client.begin(REPOSITORY);
    assert_eq!(client.send(&Request::new("PATCH", &*location).body("part")).status, 202);
    assert_eq!(client.delete(&*location).status, 204);
    for request in [
        Request::new("GET", &*location),
        Request::new("PATCH", &*location).body("more"),
        Request::new("PUT", &*location).query("digest", digest(case.algorithm, b"part")),
        Request::new("DELETE", &*location),
    ] {
        let answer = client.send(&request);
        assert_eq!((answer.status, &*answer.code()), (404, "BLOB_UPLOAD_UNKNOWN"));
    }
}

fn the_empty_blob(case: &Case) {
    let empty = digest(case.algorithm, b"");
    check_and_delete(case, REPOSITORY, &post_whole(case, b"", &empty), b"");
    check_and_delete(case, REPOSITORY, &post_then_put(case, REPOSITORY, b"", &empty), b"");
    check_and_delete(case, REPOSITORY, &in_a_stream(case, b"", &empty), b"");
    check_and_delete(case, REPOSITORY, &in_chunks(case, b"", &empty, Last::InPatch, false), b"");
}

fn the_empty_json_blob(case: &Case) {
    let answer = post_then_put(case, REPOSITORY, b"{}", &digest(case.algorithm, b"{}"));
    check_and_delete(case, REPOSITORY, &answer, b"{}");
}

fn post_only_with_a_wrong_digest(case: &Case) {
    refused(case, &post_whole(case, b"oh no", &wrong(case)));
}

fn post_and_put_with_a_wrong_digest(case: &Case) {
    refused(case, &post_then_put(case, REPOSITORY, b"oh no", &wrong(case)));
}

fn chunked_with_a_wrong_digest(case: &Case) {
    refused(case, &in_chunks(case, &noise(12, 3 * CHUNK), &wrong(case), Last::InPatch, false));
}

fn chunked_with_the_last_chunk_in_the_put_and_a_wrong_digest(case: &Case) {
    refused(case, &in_chunks(case, &noise(12, 3 * CHUNK), &wrong(case), Last::InPut, false));
}

fn streamed_with_a_wrong_digest(case: &Case) {
    refused(case, &in_a_stream(case, b"oh no", &wrong(case)));
}

fn wrong(case: &Case) -> Digest {
    digest(case.algorithm, b"something else")
}

fn refused(case: &Case, answer: &Answer) {
    assert_eq!((answer.status, &*answer.code()), (400, "DIGEST_INVALID"));
    for target in [wrong(case), digest(case.algorithm, b"oh no")] {
        let answer = case.registry.client.head(format!("/v2/{REPOSITORY}/blobs/{target}"));
        assert_eq!(answer.status, 404, "nothing of it was kept");
    }
}
