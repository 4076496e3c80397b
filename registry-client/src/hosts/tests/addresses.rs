//! What names and flags lead to without any file.

use super::{DIGEST, Etc, PUSH, TAG, repository};
use crate::config_error::Origin;
use crate::hosts::{HostOptions, Hosts, HubMirror};

#[test]
fn names_lead_to_their_hosts_and_only_this_machine_may_speak_plain_http() {
    let etc = Etc::new();
    for (name, expected) in [
        ("ghcr.io/a/b", "https://ghcr.io/v2 a/b"),
        ("registry.example.com:5000/a", "https://registry.example.com:5000/v2 a"),
        ("docker.io/library/a", "https://registry-1.docker.io/v2 library/a as docker.io/library/a"),
        ("index.docker.io/library/a", "https://registry-1.docker.io/v2 library/a as docker.io/library/a"),
        ("localhost:5000/a", "https|http://localhost:5000/v2 a"),
        ("localhost/a", "https|http://localhost/v2 a"),
        ("127.0.0.1:5000/a", "https|http://127.0.0.1:5000/v2 a"),
        ("[::1]:5000/a", "https|http://[::1]:5000/v2 a"),
        ("192.168.1.5:5000/a", "https://192.168.1.5:5000/v2 a"),
        ("registry:5000/a", "https://registry:5000/v2 a"),
    ] {
        for operation in [TAG, DIGEST, PUSH] {
            assert_eq!(etc.places(name, operation), [expected], "{name}");
        }
    }
    assert_eq!(etc.error("127.1/a"), "error: `127.1` is not the address of a registry");
}

#[test]
fn roots_of_the_protocol_are_whole_addresses() {
    let roots = |name: &str| {
        let endpoints = Etc::new().hosts().endpoints(&repository(name), TAG).unwrap();
        endpoints[0].api_roots().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(roots("ghcr.io/a"), ["https://ghcr.io/v2"]);
    assert_eq!(roots("[::1]:5000/a"), ["https://[::1]:5000/v2", "http://[::1]:5000/v2"]);
}

#[test]
fn the_flag_about_certificates_wins_over_everything() {
    let etc = Etc::conf("[[registry]]\nlocation = 'weak.io'\ninsecure = true\n");
    for (verify, name, expected) in [
        (None, "weak.io/a", "https|http://weak.io/v2 a unverified"),
        (Some(true), "weak.io/a", "https://weak.io/v2 a"),
        (Some(true), "localhost:5000/a", "https://localhost:5000/v2 a"),
        (Some(false), "a.io/a", "https|http://a.io/v2 a unverified"),
        (Some(false), "localhost:5000/a", "https|http://localhost:5000/v2 a unverified"),
    ] {
        let hosts = Hosts::new(HostOptions { tls_verify: verify, ..etc.options() });
        assert_eq!(etc.lines(&hosts, name, TAG), [expected], "{verify:?} {name}");
    }
}

#[test]
fn mirrors_of_docker_hub_are_asked_first_and_for_it_only() {
    let etc = Etc::conf("[[registry]]\nlocation = 'docker.io'\n[[registry.mirror]]\nlocation = 'm.io/hub'\n");
    let mirror = |address: &str| HubMirror {
        address: address.to_owned(),
        origin: Origin::Flag("--registry-mirror".to_owned()),
    };
    let mirrors = ["http://cache:5000/", "https://b.io/hub", "c.io", "localhost:5000"].map(mirror).to_vec();
    let hosts = Hosts::new(HostOptions { hub_mirrors: mirrors, ..etc.options() });
    let itself = "https://registry-1.docker.io/v2 library/a as docker.io/library/a";
    assert_eq!(
        etc.lines(&hosts, "docker.io/library/a", TAG),
        [
            "mirror http://cache:5000/v2 library/a",
            "mirror https://b.io/hub/v2 library/a",
            "mirror https://c.io/v2 library/a",
            "mirror https|http://localhost:5000/v2 library/a",
            "mirror https://m.io/v2 hub/library/a",
            itself,
        ]
    );
    assert_eq!(etc.lines(&hosts, "docker.io/library/a", PUSH), [itself]);
    assert_eq!(etc.lines(&hosts, "ghcr.io/a", TAG), ["https://ghcr.io/v2 a"]);
    let hosts =
        Hosts::new(HostOptions { hub_mirrors: vec![mirror("https://u:hunter2@b.io")], ..etc.options() });
    assert_eq!(
        etc.lines(&hosts, "docker.io/library/a", TAG),
        ["error: `b.io` is not the address of a registry (this is about `--registry-mirror`)"]
    );
}

#[test]
fn a_registry_as_a_whole_has_one_place() {
    let etc = Etc::conf("[[registry]]\nlocation = 'a.io'\n[[registry.mirror]]\nlocation = 'm.io'\n");
    let found = etc.hosts().registry("a.io").unwrap();
    assert_eq!((found.address.to_string(), found.repository), ("a.io".to_owned(), String::new()));
    assert_eq!(etc.hosts().registry("docker.io").unwrap().address.to_string(), "registry-1.docker.io");
}
