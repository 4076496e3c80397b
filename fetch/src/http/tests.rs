//! Files over http, from a server on this machine that misbehaves as told.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tug_testdata::web_server::{Answer, WebServer};

use super::*;

/// A sink that counts how often it was made to forget.
#[derive(Debug, Default, PartialEq)]
struct Memory {
    bytes: Vec<u8>,
    restarts: usize,
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Sink for Memory {
    fn restart(&mut self) -> std::io::Result<()> {
        self.restarts += 1;
        self.bytes.clear();
        Ok(())
    }
}

fn impatient() -> HttpOptions {
    HttpOptions { pause: Duration::from_millis(1), attempts: 3, ..HttpOptions::default() }
}

fn get(options: HttpOptions, url: &str, known: &Known) -> (Result<Outcome, Error>, Memory) {
    let mut memory = Memory::default();
    let outcome = Client::new(options).get(&url.parse().unwrap(), known, &mut memory, &Stop::never());
    (outcome, memory)
}

fn fetched(outcome: Result<Outcome, Error>) -> Fetched {
    match outcome {
        Ok(Outcome::Fetched(fetched)) => fetched,
        other => panic!("expected a file, found {other:?}"),
    }
}

const DATE: &str = "Tue, 14 Nov 2023 22:13:20 GMT";

#[test]
fn a_file_comes_with_its_facts() {
    let server =
        WebServer::start(|_| Answer::file("hello").header("ETag", "\"1\"").header("Last-Modified", DATE));
    let (outcome, memory) = get(impatient(), &server.url("/a"), &Known::default());
    let fetched = fetched(outcome);
    assert_eq!((fetched.size, fetched.modified), (5, Some(1_700_000_000)));
    assert_eq!(memory, Memory { bytes: b"hello".to_vec(), restarts: 0 });
    let agent = &server.requests()[0].headers["user-agent"];
    assert!(agent.starts_with("tug/"), "{agent}");

    let (outcome, memory) = {
        let server =
            WebServer::start(|request| match request.headers.get("if-none-match").map(String::as_str) {
                Some("\"1\"") => Answer::status(304),
                other => panic!("expected the tag, found {other:?}"),
            });
        get(impatient(), &server.url("/a"), &fetched.known)
    };
    assert_eq!(outcome.unwrap(), Outcome::Unchanged);
    assert_eq!(memory, Memory::default());
}

#[test]
fn without_a_tag_the_date_tells_whether_something_changed() {
    let server = WebServer::start(|request| match request.headers.contains_key("if-modified-since") {
        true => Answer::status(304),
        false => Answer::file("x").header("Last-Modified", DATE),
    });
    let known = fetched(get(impatient(), &server.url("/"), &Known::default()).0).known;
    assert_eq!(known, Known { etag: None, last_modified: Some(DATE.to_owned()) });
    assert_eq!(get(impatient(), &server.url("/"), &known).0.unwrap(), Outcome::Unchanged);
}

#[test]
fn what_broke_is_taken_up_where_it_broke() {
    let server = WebServer::start(|request| match request.headers.get("range") {
        None => Answer::file("hello, world").header("ETag", "\"1\"").break_after(5),
        Some(range) => {
            assert_eq!((range.as_str(), request.headers["if-range"].as_str()), ("bytes=5-", "\"1\""));
            Answer::file(", world").header("Content-Range", "bytes 5-11/12").header("ETag", "\"1\"").partial()
        }
    });
    let (outcome, memory) = get(impatient(), &server.url("/a"), &Known::default());
    assert_eq!(fetched(outcome).size, 12);
    assert_eq!(memory, Memory { bytes: b"hello, world".to_vec(), restarts: 0 });
}

#[test]
fn what_broke_begins_anew_when_the_server_cannot_go_on() {
    for tag in [Some("\"1\""), Some("W/\"1\""), None] {
        let server = WebServer::start(move |request| {
            let answer = Answer::file("hello, world");
            let answer = tag.map_or(answer.clone(), |tag| answer.header("ETag", tag));
            if request.earlier == 0 { answer.break_after(5) } else { answer }
        });
        let (outcome, memory) = get(impatient(), &server.url("/a"), &Known::default());
        assert_eq!(fetched(outcome).size, 12);
        assert_eq!(memory, Memory { bytes: b"hello, world".to_vec(), restarts: 1 });
    }
}

#[test]
fn a_server_in_trouble_is_asked_again() {
    let server = WebServer::start(|request| match request.earlier {
        0 => Answer::status(503).header("Retry-After", "0"),
        1 => Answer::status(429),
        _ => Answer::file("there"),
    });
    let (outcome, memory) = get(impatient(), &server.url("/a"), &Known::default());
    assert_eq!(fetched(outcome).size, 5);
    assert_eq!(memory.bytes, b"there");
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn patience_ends() {
    let server = WebServer::start(|request| match request.path.as_str() {
        "/trouble" => Answer::status(500),
        "/later" => Answer::status(503).header("Retry-After", "86400"),
        "/broken" => Answer::file("hello").break_after(0),
        _ => Answer::status(404),
    });
    let error = |path| get(impatient(), &server.url(path), &Known::default()).0.unwrap_err();
    assert!(matches!(error("/trouble"), Error::Status { status: 500, attempts: 3, .. }));
    assert!(matches!(error("/later"), Error::Status { status: 503, attempts: 1, .. }));
    assert!(matches!(error("/none"), Error::Status { status: 404, attempts: 1, .. }));
    assert!(matches!(error("/broken"), Error::Connection { attempts: 3, .. }));
    let text = error("/none").to_string();
    assert_eq!(
        text,
        format!("`{}` cannot be fetched: the server answered 404 (not found)", server.url("/none"))
    );
}

#[test]
fn a_server_that_falls_silent_does_not_hold_us_up() {
    let server = WebServer::start(|_| Answer::file("hello").stall_after(2));
    let options = HttpOptions { idle: Duration::from_millis(50), ..impatient() };
    let (outcome, _) = get(options, &server.url("/a"), &Known::default());
    assert!(matches!(outcome, Err(Error::Connection { attempts: 3, .. })), "{outcome:?}");
}

#[test]
fn giving_up_ends_a_transfer_that_hangs() {
    let asked = Arc::new(AtomicBool::new(false));
    let server = {
        let asked = Arc::clone(&asked);
        WebServer::start(move |_| {
            asked.store(true, Ordering::SeqCst);
            Answer::file("hello").stall_after(2)
        })
    };
    let stop = Stop::when(move || asked.load(Ordering::SeqCst));
    let url = server.url("/a").parse().unwrap();
    let outcome =
        Client::new(HttpOptions::default()).get(&url, &Known::default(), &mut Memory::default(), &stop);
    assert!(matches!(outcome, Err(Error::Stopped)), "{outcome:?}");
}

#[test]
fn redirects_are_followed_but_not_everywhere() {
    let server = WebServer::start(|request| match request.path.as_str() {
        "/file" => Answer::redirect("file:///etc/passwd"),
        "/there" => Answer::redirect("/a/b?c"),
        "/a/b?c" => Answer::file("found"),
        "/nowhere" => Answer::status(302),
        _ => Answer::redirect("/round"),
    });
    let (outcome, memory) = get(impatient(), &server.url("/there"), &Known::default());
    assert_eq!(fetched(outcome).size, 5);
    assert_eq!(memory.bytes, b"found");
    let error = |path| get(impatient(), &server.url(path), &Known::default()).0.unwrap_err();
    let text = error("/file").to_string();
    assert_eq!(
        text,
        format!("`{}` redirects to `file:///etc/passwd`, which is no web address", server.url("/file"))
    );
    assert!(matches!(error("/round"), Error::Redirect { .. }));
    assert!(matches!(error("/nowhere"), Error::Answer { .. }));
}

#[test]
fn a_token_goes_only_to_its_host() {
    let other = WebServer::start(|_| Answer::file("x"));
    let elsewhere = other.url("/x");
    let server = WebServer::start(move |_| Answer::redirect(&elsewhere));
    let credential = Credential::bearer(server.address(), "hunter2");
    let options = HttpOptions { credentials: vec![credential], ..impatient() };
    fetched(get(options, &server.url("/a"), &Known::default()).0);
    assert_eq!(server.requests()[0].headers["authorization"], "Bearer hunter2");
    assert!(!other.requests()[0].headers.contains_key("authorization"));

    let url = server.url("/a").replace("http://", "http://me:hunter2@");
    fetched(get(impatient(), &url, &Known::default()).0);
    assert_eq!(server.requests()[1].headers["authorization"], "Basic bWU6aHVudGVyMg==");
    assert!(!other.requests()[1].headers.contains_key("authorization"));
}

#[test]
fn what_is_too_large_is_refused_whether_the_server_says_so_or_not() {
    let server = WebServer::start(|request| {
        let answer = Answer::file(vec![b'x'; 1000]);
        if request.path == "/chunked" { answer.without_length() } else { answer }
    });
    for path in ["/told", "/chunked"] {
        let options = HttpOptions { limit: 999, ..impatient() };
        let (outcome, memory) = get(options, &server.url(path), &Known::default());
        assert!(matches!(outcome, Err(Error::TooLarge { limit: 999, .. })), "{path}: {outcome:?}");
        assert!(memory.bytes.len() <= 999);
    }
}

#[test]
fn a_body_that_is_shorter_than_told_is_no_file() {
    let server = WebServer::start(|_| Answer::file("hello").header("Content-Length", "50"));
    let (outcome, _) = get(impatient(), &server.url("/a"), &Known::default());
    assert!(matches!(outcome, Err(Error::Connection { .. } | Error::Length { .. })), "{outcome:?}");
}

#[test]
fn a_proxy_is_asked_and_its_password_not_told() {
    let proxies = Proxies { http: Some("http://me:hunter2@127.0.0.1:1".to_owned()), ..Proxies::default() };
    let options = HttpOptions { proxies, attempts: 1, ..impatient() };
    let (outcome, _) = get(options, "http://example.invalid/a", &Known::default());
    let text = outcome.unwrap_err().to_string();
    assert!(text.contains("connection refused") && !text.contains("hunter2"), "{text}");
}

#[test]
fn passwords_are_in_no_message() {
    let server = WebServer::start(|request| match request.path.as_str() {
        "/redirect" => Answer::redirect("ftp://you:hunter2@example.org/"),
        _ => Answer::status(404),
    });
    for path in ["/a?token=hunter2", "/redirect"] {
        let url = server.url(path).replace("http://", "http://me:hunter2@");
        let error = get(impatient(), &url, &Known::default()).0.unwrap_err();
        let text = format!("{error} {error:?} {:?}", error.hint());
        assert!(!text.contains("hunter2"), "{text}");
    }
}
