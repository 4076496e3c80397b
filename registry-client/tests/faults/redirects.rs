//! Where a registry may lead, and what goes along.

use crate::support::{client, limits, repository, run};
use crate::{client_with, layer, tag, user};
use tug_registry_client::{Client, Error, Kind};
use tug_testdata::registry_peer::{Access, Answer, Behaviour, Peer, Rule, noise};

const SIGNATURE: &str = "X-Amz-Signature=5ecre7";

/// A registry that wants a password, and that has its blobs on another server. The digest of one.
fn pair() -> (Peer, Peer, String) {
    let access = Access::Basic(vec![("me".to_owned(), "secret".to_owned())]);
    let registry = Peer::start(Behaviour { access, ..Behaviour::default() });
    // It refuses what has credentials besides the signature, as stores of blobs do.
    let store = Peer::start(Behaviour { refuses_authorization: true, ..Behaviour::default() });
    let digest = registry.add_blob("app", &noise(5000, 1));
    store.add_blob("app", &noise(5000, 1));
    let target = store.url(&format!("/v2/app/blobs/{digest}?{SIGNATURE}&a=%2Fb"));
    let leads = Answer::redirect(&target).header("Set-Cookie", "session=5ecre7; Path=/");
    registry.add(Rule::on("GET", "/blobs/").with("authorization", "Basic").answer(leads));
    (registry, store, digest)
}

fn me() -> Client {
    client_with(limits(), |options| options.credentials = user("me", "secret")).0
}

fn fetch(client: &Client, registry: &Peer, digest: &str) -> Result<bytes::Bytes, Error> {
    run(client.small_blob(&repository(registry.address(), "app"), &layer(digest, 5000), 1 << 20))
}

#[test]
fn another_server_sees_the_signature_and_nothing_else() {
    let (registry, store, digest) = pair();
    let client = me();
    for _ in 0..2 {
        assert_eq!(fetch(&client, &registry, &digest).unwrap(), noise(5000, 1));
    }
    let seen = store.exchanges();
    assert_eq!(seen.len(), 2, "{seen:#?}");
    for one in seen {
        assert!(one.request.target.ends_with(&format!("?{SIGNATURE}&a=%2Fb")), "{}", one.request.target);
        for name in ["authorization", "cookie", "referer", "proxy-authorization"] {
            assert_eq!(one.request.header(name), None);
        }
    }
    let cookies = registry.exchanges().into_iter().filter(|one| one.request.header("cookie").is_some());
    assert_eq!(cookies.count(), 0);
}

#[test]
fn a_signature_is_not_in_what_is_said_of_a_failure() {
    let (registry, store, digest) = pair();
    store.add(Rule::on("GET", "/blobs/").answer(Answer::error(
        403,
        "AccessDenied",
        "the signature is too old",
    )));
    let error = fetch(&me(), &registry, &digest).unwrap_err();
    assert_eq!(error.kind(), Kind::Denied);
    let all = format!("{error} {error:?} {:?}", error.hint());
    assert!(all.contains(&format!("{}?…", store.url(&format!("/v2/app/blobs/{digest}")))), "{all}");
    assert!(!all.contains("5ecre7"), "{all}");
}

#[test]
fn another_server_that_asks_for_a_password_does_not_get_it() {
    let (registry, store, digest) = pair();
    let asks = Answer::status(401).header("WWW-Authenticate", "Basic realm=\"store\"");
    store.add(Rule::on("GET", "/blobs/").answer(asks));
    let error = fetch(&me(), &registry, &digest).unwrap_err();
    assert_eq!(error.kind(), Kind::Unauthorized);
    assert!(store.exchanges().iter().all(|one| one.request.header("authorization").is_none()));
}

#[test]
fn a_circle_of_redirects_ends() {
    let peer = Peer::start(Behaviour::default());
    peer.add(Rule::on("GET", "/manifests/").answer_by(|request| Answer::redirect(&request.target)));
    let error = run(client(limits()).0.manifest(&repository(peer.address(), "app"), &tag("v"))).unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert!(error.to_string().ends_with("redirected more than 8 times"), "{error}");
    assert_eq!(peer.asked("GET", "/manifests/").len(), 9);
}

#[test]
fn a_redirect_to_what_cannot_be_followed_is_refused() {
    for (location, words) in [
        ("http://169.254.169.254/latest/", "is an address of this link"),
        ("file:///etc/passwd", "is neither https nor http"),
        ("http://", "it cannot be read"),
    ] {
        let peer = Peer::start(Behaviour::default());
        peer.add(Rule::on("GET", "/manifests/").answer(Answer::redirect(location)));
        let error =
            run(client(limits()).0.manifest(&repository(peer.address(), "app"), &tag("v"))).unwrap_err();
        assert_eq!(error.kind(), Kind::Protocol);
        assert!(error.to_string().contains("redirected to an address that is not followed"), "{error}");
        assert!(error.to_string().contains(words), "{error}");
        assert_eq!(peer.asked("GET", "/manifests/").len(), 1);
    }
}
