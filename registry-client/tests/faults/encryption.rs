//! Certificates that are not to be trusted, what must stay encrypted, and the way through a proxy.

use std::path::Path;
use std::sync::Arc;

use crate::support::{limits, repository, run};
use crate::{client_with, tag, user};
use tug_registry_client::hosts::{HostOptions, Hosts};
use tug_registry_client::proxies::{Proxies, ProxyOptions};
use tug_registry_client::{Error, FetchedManifest, Kind, Limits, Options};
use tug_testdata::proxy::Proxy;
use tug_testdata::registry_peer::{Access, Answer, Authority, Bearer, Behaviour, Peer, Rule, Tls, Validity};

/// A registry with a certificate for this name, and `app:latest`.
fn encrypted(authority: &Authority, name: &str, validity: Validity, clients: Option<&Authority>) -> Peer {
    encrypted_with(Behaviour::default(), &Tls::new(&authority.certificate(&[name], validity), clients))
}

fn encrypted_with(behaviour: Behaviour, tls: &Tls) -> Peer {
    let peer = Peer::start(Behaviour { tls: Some(tls.clone()), ..behaviour });
    peer.add_image("app", "latest", &[]);
    peer
}

/// A folder of certificates that has this authority's.
fn trusting(authority: &Authority) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
    folder
}

fn certificates(folder: &Path) -> Arc<Hosts> {
    Arc::new(Hosts::new(HostOptions { cert_folder: Some(folder.to_owned()), ..HostOptions::default() }))
}

fn fetch(peer: &Peer, change: impl FnOnce(&mut Options)) -> Result<FetchedManifest, Error> {
    fetch_from(peer.address(), change)
}

fn fetch_from(address: &str, change: impl FnOnce(&mut Options)) -> Result<FetchedManifest, Error> {
    let (client, _) = client_with(Limits { attempts: 2, ..limits() }, change);
    run(client.manifest(&repository(address, "app"), &tag("latest")))
}

#[test]
fn a_certificate_of_a_known_authority_is_trusted() {
    let authority = Authority::new();
    let peer = encrypted(&authority, "127.0.0.1", Validity::Now, None);
    let folder = trusting(&authority);
    fetch(&peer, |options| options.hosts = certificates(folder.path())).unwrap();
    assert!(peer.exchanges().len() <= 2, "{:#?}", peer.lines());
}

#[test]
fn a_certificate_that_is_not_to_be_trusted_is_one_clear_line_and_nothing_is_asked() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    for (peer, words) in [
        (
            encrypted(&theirs, "127.0.0.1", Validity::Now, None),
            "is signed by somebody who is not trusted here",
        ),
        (encrypted(&ours, "other.example", Validity::Now, None), "its certificate is for another name"),
        (encrypted(&ours, "127.0.0.1", Validity::Past, None), "its certificate has expired"),
    ] {
        let folder = trusting(&ours);
        let error = fetch(&peer, |options| options.hosts = certificates(folder.path())).unwrap_err();
        assert_eq!(error.kind(), Kind::Tls, "{error}");
        let message = error.to_string();
        assert!(message.contains(words) && message.contains(peer.address()), "{message}");
        assert!(!message.contains('\n'), "{message}");
        assert_eq!(peer.exchanges().len(), 0);
        let blindly = HostOptions { tls_verify: Some(false), ..HostOptions::default() };
        fetch(&peer, |options| options.hosts = Arc::new(Hosts::new(blindly))).unwrap();
    }
}

#[test]
fn a_registry_that_wants_a_certificate_of_its_clients_gets_the_one_of_the_folder() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let peer = encrypted(&authority, "127.0.0.1", Validity::Now, Some(&clients));
    let folder = trusting(&authority);
    let error = fetch(&peer, |options| options.hosts = certificates(folder.path())).unwrap_err();
    assert_eq!(error.kind(), Kind::Tls, "{error}");
    assert!(error.to_string().ends_with("a certificate of its clients, and there is none for it"), "{error}");
    let own = clients.certificate(&["client"], Validity::Now);
    std::fs::write(folder.path().join("client.cert"), own.certificate).unwrap();
    std::fs::write(folder.path().join("client.key"), own.key).unwrap();
    fetch(&peer, |options| options.hosts = certificates(folder.path())).unwrap();
}

#[test]
fn where_encryption_is_wanted_plain_http_is_named() {
    let peer = Peer::start(Behaviour::default());
    let strict = HostOptions { tls_verify: Some(true), ..HostOptions::default() };
    let error = fetch(&peer, |options| options.hosts = Arc::new(Hosts::new(strict))).unwrap_err();
    assert_eq!(error.kind(), Kind::Tls);
    assert!(error.to_string().ends_with("what answers there does not speak TLS"), "{error}");
    assert_eq!(peer.exchanges().len(), 0);
}

#[test]
fn a_redirect_that_turns_encryption_off_is_refused() {
    let authority = Authority::new();
    let plain = Peer::start(Behaviour::default());
    let peer = encrypted(&authority, "127.0.0.1", Validity::Now, None);
    peer.add(Rule::on("GET", "/manifests/").answer(Answer::redirect(&plain.url("/v2/app/manifests/latest"))));
    let folder = trusting(&authority);
    let error = fetch(&peer, |options| options.hosts = certificates(folder.path())).unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert!(error.to_string().ends_with("is not encrypted, and the registry is"), "{error}");
    assert_eq!(plain.exchanges().len(), 0);
}

#[test]
fn tokens_that_would_come_unencrypted_are_not_asked_for() {
    let authority = Authority::new();
    let plain = Peer::start(Behaviour::default());
    let bearer = Bearer {
        accounts: vec![("me".to_owned(), "secret".to_owned())],
        realm: Some(plain.url("/token")),
        allows_anonymous_pull: false,
        ..Bearer::default()
    };
    let behaviour = Behaviour { access: Access::Bearer(bearer), ..Behaviour::default() };
    let tls = Tls::new(&authority.certificate(&["127.0.0.1"], Validity::Now), None);
    let peer = encrypted_with(behaviour, &tls);
    let folder = trusting(&authority);
    let error = fetch(&peer, |options| {
        options.hosts = certificates(folder.path());
        options.credentials = user("me", "secret");
    })
    .unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert!(error.to_string().contains("is not encrypted, and the registry is"), "{error}");
    assert_eq!(plain.exchanges().len(), 0);
}

fn through(proxy: &str, none: Option<&str>) -> Arc<Proxies> {
    let (https, none) = (Some(proxy.to_owned()), none.map(str::to_owned));
    let options = ProxyOptions { http: https.clone(), https, none, ..ProxyOptions::default() };
    Arc::new(Proxies::new(&options).unwrap())
}

#[test]
fn a_registry_behind_a_proxy_is_reached_with_the_password_of_the_proxy() {
    let authority = Authority::new();
    let peer = encrypted(&authority, "registry.example", Validity::Now, None);
    let proxy = Proxy::start(Some(("me", "pass word")), &[("registry.example:443", peer.address())]);
    let folder = trusting(&authority);
    let way = format!("http://me:pass%20word@{}", proxy.address());
    fetch_from("registry.example", |options| {
        options.hosts = certificates(folder.path());
        options.proxies = through(&way, None);
    })
    .unwrap();
    assert!(proxy.asked().iter().all(|line| line == "CONNECT registry.example:443"), "{:?}", proxy.asked());
    let seen = peer.exchanges();
    assert!(seen.iter().all(|one| one.request.header("proxy-authorization").is_none()));
}

#[test]
fn a_proxy_that_refuses_is_told_apart_without_its_password() {
    let proxy = Proxy::start(Some(("me", "right")), &[]);
    let way = format!("http://me:5ecret@{}", proxy.address());
    let error = fetch_from("registry.example", |options| options.proxies = through(&way, None)).unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable);
    assert!(error.to_string().contains("proxy"), "{error}");
    assert!(!format!("{error:?}").contains("5ecret"));
}

#[test]
fn names_that_need_no_proxy_are_reached_without_one() {
    let peer = Peer::start(Behaviour::default());
    peer.add_image("app", "latest", &[]);
    let proxy = Proxy::start(None, &[]);
    let way = format!("http://{}", proxy.address());
    for none in [None, Some("127.0.0.0/8"), Some(peer.address())] {
        fetch(&peer, |options| options.proxies = through(&way, none)).unwrap();
    }
    assert_eq!(proxy.asked(), Vec::<String>::new());
}

#[test]
fn beyond_this_machine_nothing_is_asked_without_encryption_unless_told() {
    let proxy = Proxy::start(None, &[]);
    let way = format!("http://{}", proxy.address());
    fetch_from("registry.example", |options| options.proxies = through(&way, None)).unwrap_err();
    assert!(proxy.asked().iter().all(|line| line == "CONNECT registry.example:443"), "{:?}", proxy.asked());
    let told = HostOptions { tls_verify: Some(false), ..HostOptions::default() };
    fetch_from("registry.example", |options| {
        options.proxies = through(&way, None);
        options.hosts = Arc::new(Hosts::new(told));
    })
    .unwrap_err();
    assert!(proxy.asked().iter().any(|line| line.starts_with("GET http://registry.example/v2/")));
}
