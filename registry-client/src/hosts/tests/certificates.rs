//! What `certs.d` has.

use super::{Etc, TAG, repository};
use crate::hosts::{ClientPair, HostOptions, Hosts};

#[test]
fn each_host_has_its_own_with_the_port_as_it_is_written() {
    let etc = Etc::new()
        .with("etc/certs.d/a.io:5000/ca.crt", "")
        .with("etc/certs.d/a.io:5000/me.cert", "")
        .with("etc/certs.d/a.io:5000/me.key", "")
        .with("etc/certs.d/a.io:5000/README", "")
        .with("user/certs.d/a.io:5000/mine.crt", "")
        .with("etc/certs.d/docker.io/hub.crt", "")
        .with("etc/certs.d/registry-1.docker.io/server.crt", "");
    let tls = |name: &str| etc.hosts().endpoints(&repository(name), TAG).unwrap().remove(0).tls;
    let found = tls("a.io:5000/x");
    assert_eq!(
        found.ca_files,
        [etc.path("user/certs.d/a.io:5000/mine.crt"), etc.path("etc/certs.d/a.io:5000/ca.crt")]
    );
    assert_eq!(
        found.clients,
        [ClientPair {
            certificate: etc.path("etc/certs.d/a.io:5000/me.cert"),
            key: etc.path("etc/certs.d/a.io:5000/me.key")
        }]
    );
    assert!(tls("a.io/x").ca_files.is_empty());
    assert!(tls("a.io:443/x").ca_files.is_empty());
    assert_eq!(tls("docker.io/library/x").ca_files.len(), 2);
}

#[test]
fn mirrors_have_theirs() {
    let etc = Etc::conf("[[registry]]\nlocation='a.io'\n[[registry.mirror]]\nlocation='m.io/x'\n")
        .with("etc/certs.d/m.io/ca.crt", "");
    let endpoints = etc.hosts().endpoints(&repository("a.io/x"), TAG).unwrap();
    assert_eq!(endpoints[0].tls.ca_files, [etc.path("etc/certs.d/m.io/ca.crt")]);
    assert!(endpoints[1].tls.ca_files.is_empty());
}

#[test]
fn half_a_pair_is_told() {
    let etc = Etc::new().with("etc/certs.d/a.io/me.cert", "");
    assert_eq!(
        etc.error("a.io/x"),
        "error: `~/etc/certs.d/a.io/me.cert` cannot be used: its other half `~/etc/certs.d/a.io/me.key` is not there"
    );
    let etc = Etc::new().with("etc/certs.d/a.io/me.key", "");
    assert!(etc.error("a.io/x").ends_with("me.cert` is not there"));
}

#[test]
fn a_folder_that_was_named_stands_for_all_and_must_be_there() {
    let etc = Etc::new().with("etc/certs.d/a.io/ca.crt", "").with("mine/own.crt", "");
    let hosts = |name: &str| Hosts::new(HostOptions { cert_folder: Some(etc.path(name)), ..etc.options() });
    let endpoints = hosts("mine").endpoints(&repository("a.io/x"), TAG).unwrap();
    assert_eq!(endpoints[0].tls.ca_files, [etc.path("mine/own.crt")]);
    assert_eq!(etc.lines(&hosts("none"), "a.io/x", TAG), ["error: cannot read `~/none`"]);
}
