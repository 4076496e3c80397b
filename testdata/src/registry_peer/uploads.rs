//! What a registry answers to uploads: the right one, and the peculiar ones.

use std::sync::Arc;

use super::answer::Answer;
use super::behaviour::{AfterCut, Behaviour, Location, Mounts};
use super::contents::{self, Contents, Session};
use super::protocol::Place;
use super::tokens::Caller;
use super::wire::Request;

/// A POST: a mount, a whole blob, or a new session.
pub(super) fn begin(
    behaviour: &Behaviour,
    contents: &mut Contents,
    base: &str,
    request: &Request,
    body: &[u8],
    name: &str,
    caller: &Caller,
) -> Answer {
    if let Some(digest) = request.parameter("mount") {
        let from = request.parameter("from");
        match behaviour.mounts {
            Mounts::Fail(status) => return Answer::error(status, "UNSUPPORTED", "no mounts here"),
            Mounts::Work => {
                let source = from.filter(|from| caller.may(&format!("repository:{from}:pull")));
                let source = source.and_then(|from| contents.repositories.get(&from));
                if let Some(bytes) = source.and_then(|source| source.blobs.get(&digest)).map(Arc::clone) {
                    contents.repository(name).blobs.insert(digest.clone(), bytes);
                    return created(name, &digest);
                }
            }
            Mounts::BecomeSessions => {}
        }
    } else if let Some(digest) = request.parameter("digest").filter(|_| behaviour.uploads.takes_post) {
        return complete(contents, name, body.to_vec(), &digest);
    }
    let id = contents.new_name("upload");
    contents.sessions.insert(id.clone(), Session { repository: name.to_owned(), ..Session::default() });
    let mut answer = Answer::status(202).header("Docker-Upload-UUID", &id).header("Range", "0-0");
    if let Some(least) = behaviour.uploads.least_chunk {
        answer = answer.header("OCI-Chunk-Min-Length", &least.to_string());
    }
    with_location(answer, behaviour, base, name, &id, 0)
}

/// A request to a session: PATCH, PUT, GET or DELETE.
pub(super) fn go_on(
    behaviour: &Behaviour,
    contents: &mut Contents,
    base: &str,
    request: &Request,
    body: &[u8],
    name: &str,
    id: &str,
) -> Answer {
    let unknown = || Answer::error(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
    let needs_query = matches!(behaviour.uploads.location, Location::Query);
    let Some(session) = contents.sessions.get_mut(id) else { return unknown() };
    if session.is_dead || session.repository != name || needs_query && request.parameter("_state").is_none() {
        return unknown();
    }
    match request.method.as_str() {
        "GET" if behaviour.uploads.refuses_chunks => Answer::status(404),
        "GET" => {
            let length = session.bytes.len();
            with_location(
                Answer::status(204).header("Range", &range(length)),
                behaviour,
                base,
                name,
                id,
                length,
            )
        }
        "DELETE" => {
            contents.sessions.remove(id);
            Answer::status(204)
        }
        "PATCH" | "PUT" => take(behaviour, contents, base, request, body, name, id),
        _ => Answer::error(405, "UNSUPPORTED", "the operation is unsupported"),
    }
}

fn take(
    behaviour: &Behaviour,
    contents: &mut Contents,
    base: &str,
    request: &Request,
    body: &[u8],
    name: &str,
    id: &str,
) -> Answer {
    let rules = &behaviour.uploads;
    let session = contents.sessions.get_mut(id).expect("it was found");
    let length = session.bytes.len();
    let out_of_order = || {
        let answer =
            Answer::error(416, "BLOB_UPLOAD_INVALID", "the chunk does not begin where the upload ends");
        with_location(answer.header("Range", &range(length)), behaviour, base, name, id, length)
    };
    let is_stale = rules.after_cut == AfterCut::Moves
        && request.parameter("_state").is_some_and(|state| state != length.to_string());
    if is_stale {
        return out_of_order();
    }
    let chunk = request.header("content-range");
    if let Some(chunk) = chunk.filter(|_| !rules.ignores_content_range) {
        if rules.refuses_chunks {
            return Answer::error(400, "UNSUPPORTED", "chunked uploads are not supported");
        }
        let ends =
            chunk.split_once('-').and_then(|(a, b)| Some((a.parse::<u64>().ok()?, b.parse::<u64>().ok()?)));
        if ends.is_none_or(|(start, _)| start != length as u64) {
            return out_of_order();
        }
        if request.method == "PATCH" && rules.largest_chunk.is_some_and(|largest| body.len() as u64 > largest)
        {
            return Answer::error(416, "BLOB_UPLOAD_INVALID", "body too large");
        }
    }
    if session.was_short && !body.is_empty() {
        return Answer::error(416, "BLOB_UPLOAD_INVALID", "a chunk before was shorter than the least length");
    }
    if chunk.is_some() && request.method == "PATCH" {
        session.was_short = rules.least_chunk.is_some_and(|least| (body.len() as u64) < least);
    }
    session.bytes.extend_from_slice(body);
    if request.method == "PUT" {
        let Some(digest) = request.parameter("digest") else {
            return Answer::error(400, "DIGEST_INVALID", "no digest was given");
        };
        let bytes = contents.sessions.remove(id).expect("it was found").bytes;
        return complete(contents, name, bytes, &digest);
    }
    if rules.patch_completes {
        let bytes = contents.sessions.remove(id).expect("it was found").bytes;
        let digest = contents::sha256(&bytes);
        return complete(contents, name, bytes, &digest);
    }
    let length = session.bytes.len();
    with_location(Answer::status(202).header("Range", &range(length)), behaviour, base, name, id, length)
}

/// What becomes of a request to a session whose body ended too early, with what of it came.
pub(super) fn cut(behaviour: &Behaviour, contents: &mut Contents, request: &Request, body: &[u8]) {
    let Place::Session(name, id) = Place::of(request.path()) else { return };
    let Some(session) = contents.sessions.get_mut(id).filter(|session| session.repository == name) else {
        return;
    };
    let goes_on = request
        .header("content-range")
        .and_then(|range| range.split_once('-'))
        .is_none_or(|(start, _)| start == session.bytes.len().to_string());
    match behaviour.uploads.after_cut {
        AfterCut::Keeps | AfterCut::Moves if goes_on => session.bytes.extend_from_slice(body),
        AfterCut::Keeps | AfterCut::Moves | AfterCut::Forgets => {}
        AfterCut::Dies => session.is_dead = true,
    }
}

fn complete(contents: &mut Contents, name: &str, bytes: Vec<u8>, digest: &str) -> Answer {
    if !contents::has_digest(&bytes, digest) {
        return Answer::error(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    contents.repository(name).blobs.insert(digest.to_owned(), Arc::new(bytes));
    created(name, digest)
}

fn created(name: &str, digest: &str) -> Answer {
    Answer::status(201)
        .header("Location", &format!("/v2/{name}/blobs/{digest}"))
        .header("Docker-Content-Digest", digest)
}

fn with_location(
    answer: Answer,
    behaviour: &Behaviour,
    base: &str,
    name: &str,
    id: &str,
    length: usize,
) -> Answer {
    let query = match (&behaviour.uploads.location, behaviour.uploads.after_cut) {
        (Location::Query, _) | (_, AfterCut::Moves) => format!("?_state={length}"),
        _ => String::new(),
    };
    let path = format!("/v2/{name}/blobs/uploads/{id}{query}");
    match &behaviour.uploads.location {
        Location::Path | Location::Query => answer.header("Location", &path),
        Location::Url => answer.header("Location", &format!("{base}{path}")),
        Location::UrlAt(other) => answer.header("Location", &format!("{other}{path}")),
        Location::LastPart => answer.header("Location", &format!("{id}{query}")),
        Location::Missing => answer,
    }
}

/// `0-99` for 100 bytes. There is no way to say that there are none.
fn range(length: usize) -> String {
    format!("0-{}", length.saturating_sub(1))
}
