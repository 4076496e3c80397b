//! How a request says which registry it means, and who may ask.

use tug_registry_server::Rule;
use tug_testdata::registry_peer::{Access, Behaviour, Peer};

use super::support::{Registry, Request};
use super::{cache, get, proxy};

#[test]
fn a_registry_is_meant_by_ns_by_the_name_or_by_default() {
    let (hub, other) = (Peer::start(Behaviour::default()), Peer::start(Behaviour::default()));
    let image = hub.add_image("library/app", "1", &[b"of the hub".to_vec()]);
    let others = other.add_image("library/app", "1", &[b"of another".to_vec()]);
    let peers = [("docker.io", &hub), ("localhost:5000", &other)];
    let registry = cache(&peers, |proxy| proxy.default = Some("docker.io".to_owned()));
    for (target, digest, local) in [
        ("/v2/library/app/manifests/1?ns=docker.io", &image.digest, "docker.io/library/app"),
        ("/v2/app/manifests/1?ns=docker.io", &image.digest, "docker.io/library/app"),
        ("/v2/docker.io/library/app/manifests/1", &image.digest, "docker.io/library/app"),
        ("/v2/docker.io/app/manifests/1", &image.digest, "docker.io/library/app"),
        ("/v2/library/app/manifests/1", &image.digest, "docker.io/library/app"),
        ("/v2/library/app/manifests/1?ns=localhost:5000", &others.digest, "localhost_5000/library/app"),
        ("/v2/localhost_5000/library/app/manifests/1", &others.digest, "localhost_5000/library/app"),
    ] {
        let answer = registry.client.get(target);
        assert_eq!(answer.header("docker-content-digest"), Some(digest.as_str()), "{target}");
        let tags = registry.client.get(format!("/v2/{local}/tags/list?ns="));
        assert_eq!(tags.code(), "NAME_UNKNOWN", "an empty `ns` is no registry");
    }
    let catalog = registry.client.get("/v2/_catalog").json();
    let expected = serde_json::json!(["docker.io/library/app", "localhost_5000/library/app"]);
    assert_eq!(catalog["repositories"], expected);
    let tags = registry.client.get("/v2/library/app/tags/list?ns=docker.io").json();
    assert_eq!(tags["tags"], serde_json::json!(["1"]));
}

#[test]
fn the_next_page_of_a_list_is_of_the_same_registry() {
    let hub = Peer::start(Behaviour::default());
    let registry = cache(&[("hub.example", &hub)], |_| {});
    for tag in ["1", "2"] {
        hub.add_image("app", tag, &[b"layer".to_vec()]);
        assert_eq!(registry.client.get(format!("/v2/app/manifests/{tag}?ns=hub.example")).status, 200);
    }
    let first = registry.client.get("/v2/app/tags/list?n=1&ns=hub.example");
    let link = first.header("link").unwrap_or_default();
    let next = link.strip_prefix('<').and_then(|rest| rest.split_once('>')).map_or(link, |(next, _)| next);
    assert_eq!(registry.client.get(next).json()["tags"], serde_json::json!(["2"]), "{link}");
}

#[test]
fn a_registry_that_is_not_proxied_is_not_answered_for() {
    let hub = Peer::start(Behaviour::default());
    let registry = cache(&[("hub.example", &hub)], |_| {});
    let digest = registry.client.push_blob("team/app", b"our own");
    assert_eq!(registry.client.get(format!("/v2/team/app/blobs/{digest}")).status, 200);
    let answer = registry.client.get(format!("/v2/team/app/blobs/{digest}?ns=quay.io"));
    assert_eq!((answer.status, answer.code().as_str()), (404, "NAME_UNKNOWN"));
    assert!(answer.text().contains("quay.io"), "{}", answer.text());
    assert_eq!(hub.exchanges().len(), 0);
}

#[test]
fn what_belongs_to_another_registry_cannot_be_changed() {
    let hub = Peer::start(Behaviour::default());
    let image = hub.add_image("app", "1", &[b"layer".to_vec()]);
    let registry = cache(&[("hub.example", &hub)], |_| {});
    assert_eq!(registry.client.get("/v2/hub.example/app/manifests/1").status, 200);
    for (method, target) in [
        ("POST", "/v2/hub.example/app/blobs/uploads/".to_owned()),
        ("POST", "/v2/app/blobs/uploads/?ns=hub.example".to_owned()),
        ("PUT", "/v2/hub.example/app/manifests/2".to_owned()),
        ("DELETE", "/v2/hub.example/app/manifests/1".to_owned()),
        ("DELETE", format!("/v2/hub.example/app/blobs/{}", image.config.0)),
    ] {
        let answer = registry.client.send(&Request::new(method, &target).body("{}"));
        assert_eq!((answer.status, answer.code().as_str()), (405, "UNSUPPORTED"), "{method} {target}");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    }
    assert_eq!(registry.client.get("/v2/hub.example/app/manifests/1").status, 200);
    assert!(
        hub.exchanges().iter().all(|exchange| matches!(exchange.request.method.as_str(), "GET" | "HEAD"))
    );
}

#[test]
fn rules_count_before_anything_is_asked_and_no_password_goes_on() {
    let hub = Peer::start(Behaviour { access: Access::Open, ..Behaviour::default() });
    hub.add_image("open/app", "1", &[b"layer".to_vec()]);
    let registry = Registry::with(|options| {
        options.proxy = Some(proxy(&[("hub.example", &hub)], |_| {}));
        options.access.rules = vec![Rule::parse("@anyone:read:hub.example/open").unwrap()];
    });
    for target in ["/v2/hub.example/closed/manifests/1", "/v2/closed/manifests/1?ns=hub.example"] {
        assert_eq!(registry.client.get(target).status, 403);
    }
    assert_eq!(hub.exchanges().len(), 0);
    let request =
        get("/v2/open/app/manifests/1?ns=hub.example").header("authorization", "Basic bWU6c2VjcmV0");
    let answer = registry.client.send(&request);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(hub.exchanges().iter().all(|exchange| exchange.request.header("authorization").is_none()));
}
