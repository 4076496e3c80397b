//! Passwords, tokens and signatures go where they belong, and nowhere else.

use tug_testdata::registry_peer::{Answer, Behaviour, Peer, Rule, base64};

use super::{PASSWORD, ends, layer, peer, private};
use crate::tug::Tug;

/// A home with a `config.json` for this registry.
fn logged_in(registry: &str) -> Tug {
    let tug = Tug::new();
    let auth = base64(format!("me:{PASSWORD}").as_bytes());
    tug.write(".docker/config.json", format!(r#"{{"auths":{{"{registry}":{{"auth":"{auth}"}}}}}}"#));
    tug
}

#[test]
fn no_command_shows_a_password_or_a_token_however_much_it_tells() {
    let (peer, image, name) = peer(private());
    let tug = logged_in(peer.address());
    let auth = base64(format!("me:{PASSWORD}").as_bytes());
    let target = format!("{}/app:2", peer.address());
    for words in [
        &["pull", "--progress", "plain", &name][..],
        &["pull", "--progress", "rawjson", &name],
        &["tag", &name, &target],
        &["push", "--progress", "rawjson", &target],
        &["copy", &name, &format!("{}/copy:1", peer.address())],
    ] {
        let shown = ends(&tug, words, 0, &[]);
        assert!(!shown.contains(&auth) && !shown.contains("Bearer") && !shown.contains("token-"), "{shown}");
    }
    peer.add(Rule::on("*", "/manifests/").answer(Answer::error(403, "DENIED", "no")));
    let config = tug.path(".docker/config.json");
    let failed = ends(&tug, &["pull", &name], 3, &["asked as `me`"]);
    assert!(!failed.contains(&auth), "{failed}");
    assert!(failed.contains("config.json"), "where the credentials came from is told: {failed}");
    assert!(config.exists() && !image.digest.is_empty());
}

#[test]
fn where_a_registry_leads_gets_its_signature_and_no_password() {
    let (registry, image, name) = peer(private());
    let store = Peer::start(Behaviour { refuses_authorization: true, ..Behaviour::default() });
    store.add_blob("app", &layer(300_000, 1));
    let (digest, base) = (image.layers[0].0.clone(), store.url(""));
    let leads = format!("{base}/v2/app/blobs/{digest}?X-Amz-Signature=5ecre7-s1gn");
    registry.add(Rule::on("GET", &digest).with("authorization", "Bearer").answer(Answer::redirect(&leads)));
    let tug = logged_in(registry.address());
    let shown = ends(&tug, &["pull", "--progress", "rawjson", &name], 0, &[&image.digest]);
    assert!(!shown.contains("5ecre7"), "{shown}");
    assert!(store.exchanges().iter().all(|one| one.request.header("authorization").is_none()));
    store.add(Rule::on("GET", "/blobs/").answer(Answer::error(403, "AccessDenied", "too old")));
    let failed = ends(&logged_in(registry.address()), &["pull", &name], 3, &["AccessDenied: too old"]);
    assert!(!failed.contains("5ecre7"), "{failed}");
}

#[test]
fn what_a_registry_says_cannot_write_over_the_terminal() {
    let (peer, _, name) = peer(Behaviour::default());
    let answer = Answer::error(403, "DENIED", "\u{1b}[2J\u{1b}]0;title\u{7}gone\r\nhint: run this");
    peer.add(Rule::on("GET", "/manifests/").answer(answer));
    let shown = ends(&Tug::new(), &["pull", &name], 3, &["gone hint: run this"]);
    assert!(!shown.contains(['\u{1b}', '\u{7}', '\r']), "{shown:?}");
}
