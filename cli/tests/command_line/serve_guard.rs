//! `tug serve` with users, rules, TLS and limits: what is refused before it starts, what is written down, and how it
//! hears of changes.

use rustix::process::Signal;
use tug_testdata::registry_peer::{Authority, Validity};

use crate::serve::Server;
use crate::tug::Tug;

/// `pw-alice`, as `htpasswd -nbB -C 4` writes it.
const ALICE: &str = "alice:$2y$04$zL//FCstA6V8.vdRv5Jxh.jCTcLcBguobGaE67MZeFQ7BDPhT40O.\n";

/// `alice:pw-alice` in base64.
const CREDENTIALS: &str = "authorization: Basic YWxpY2U6cHctYWxpY2U=";

#[test]
fn users_that_cannot_be_used_are_named_and_nothing_starts() {
    let tug = Tug::new();
    tug.write("users", "alice:$apr1$x$y\n");
    let said = tug.run(&["serve", "--addr", "127.0.0.1:0", "--root", "registry", "--htpasswd", "users"]);
    let expected = "`users`, line 1: the password of `alice` is hashed with MD5; only bcrypt is taken";
    assert!(said.contains(expected) && said.starts_with("exit code 1\n"), "{said}");
    let said = tug.run(&["serve", "--allow", "alice:all"]);
    assert!(said.contains("`all` cannot be allowed: expected `read`, `write` or `delete`"), "{said}");
}

#[test]
fn a_stranger_reads_what_is_open_and_each_request_is_written_down() {
    let tug = Tug::new();
    let server = Server::start(&tug, &["--allow", "@anyone:read", "--access-log=json"]);
    assert_eq!(server.ask("GET /v2/_catalog", b"").0, 200);
    assert_eq!(server.ask("POST /v2/app/blobs/uploads/", b"").0, 403);
    let (_, said) = server.end(Signal::TERM);
    assert!(said.contains(r#""path":"/v2/app/blobs/uploads/","status":403"#), "{said}");
}

#[test]
fn what_cannot_guard_is_named_before_anything_is_served() {
    let tug = Tug::new();
    let authority = Authority::new();
    let certificate = authority.certificate(&["127.0.0.1"], Validity::Now);
    let other = authority.certificate(&["127.0.0.1"], Validity::Now);
    tug.write("cert.pem", &certificate.certificate);
    tug.write("other.key", &other.key);
    tug.write("users", ALICE);
    tug.write("bad.toml", "read-only = false\nreadonly = true\n");
    tug.write("tags.toml", "immutable-tags = [\"a:b:c\"]\n");
    tug.write("users.toml", "[[rules]]\nusers = [\"alice\"]\nallow = [\"read\"]\n");
    let mut shown = String::new();
    for words in [
        &["--htpasswd", "nowhere"][..],
        &["--htpasswd", "bad.toml"],
        &["--allow", "alice"],
        &["--allow", "alice:read"],
        &["--rules", "users.toml"],
        &["--rules", "nowhere"],
        &["--rules", "bad.toml"],
        &["--rules", "tags.toml"],
        &["--anonymous-pull"],
        &["--immutable-tag", ""],
        &["--public-url", "registry.example.com"],
        &["--tls-cert", "cert.pem"],
        &["--tls-key", "other.key"],
        &["--tls-client-ca", "cert.pem"],
        &["--tls-cert", "nowhere", "--tls-key", "other.key"],
        &["--tls-cert", "cert.pem", "--tls-key", "other.key"],
        &["--tls-cert", "other.key", "--tls-key", "other.key"],
        &["--tls-cert", "cert.pem", "--tls-key", "cert.pem"],
        &["--quota", "lots"],
        &["--max-blob", "0"],
        &["--max-connections", "0"],
        &["--max-uploads", "many"],
        &["--access-log=xml"],
    ] {
        let all = [&["serve", "--addr", "127.0.0.1:0", "--root", "registry"], words].concat();
        shown += &format!("$ tug serve {}\n{}\n\n", words.join(" "), tug.run(&all));
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn a_user_comes_in_with_the_password_and_strangers_may_pull() {
    let tug = Tug::new();
    tug.write("users", ALICE);
    let server = Server::start(&tug, &["--htpasswd", "users", "--anonymous-pull", "--access-log"]);
    assert_eq!(server.ask("GET /v2/_catalog", b"").0, 200);
    assert_eq!(server.ask("POST /v2/app/blobs/uploads/", b"").0, 401);
    assert_eq!(server.ask("GET /metrics", b"").0, 401);
    assert_eq!(server.ask("GET /healthz", b"").0, 200);
    let (status, head, _) = server.ask_with("POST /v2/app/blobs/uploads/", CREDENTIALS);
    assert_eq!(status, 202, "{head}");
    assert_eq!(server.ask_with("GET /token?service=tug-registry", CREDENTIALS).0, 200);
    // Asked for a password by `--basic-auth`, some clients send an empty one when they have none.
    let nobody = "authorization: Basic Og==";
    assert_eq!(server.ask_with("GET /v2/_catalog", nobody).0, 200);
    assert_eq!(server.ask_with("POST /v2/app/blobs/uploads/", nobody).0, 401);
    let (status, said) = server.end(Signal::INT);
    assert!(status.success(), "{status}");
    assert!(said.contains(" 127.0.0.1 alice POST /v2/app/blobs/uploads/ 202 in=0 "), "{said}");
    assert!(said.contains(" 127.0.0.1 alice GET /token 200 "), "{said}");
    assert!(!said.contains("pw-alice") && !said.contains("YWxpY2U"), "{said}");
}

#[test]
fn a_hangup_reads_the_files_again_and_ends_nothing() {
    let tug = Tug::new();
    tug.write("users", ALICE);
    let mut server = Server::start(&tug, &["--htpasswd", "users"]);
    server.signal(Signal::HUP);
    assert_eq!(server.told_line(), "users, rules and certificates are up to date\n");
    tug.write("users", "alice\n");
    server.signal(Signal::HUP);
    let said = server.told_line();
    assert!(said.starts_with("warning: `users`, line 1: expected `USER:HASH`"), "{said}");
    assert_eq!(server.told_line(), "warning: users, rules or certificates cannot be used as they are now\n");
    assert_eq!(server.ask_with("GET /v2/", CREDENTIALS).0, 200, "what was read before counts");
    assert!(server.end(Signal::TERM).0.success());
}
