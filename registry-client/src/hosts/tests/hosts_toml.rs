//! What `hosts.toml` says.

use std::time::Duration;

use super::{DIGEST, Etc, PUSH, TAG, repository};
use crate::hosts::{ClientPair, HostOptions, Hosts};

fn file(text: &str) -> Etc {
    Etc::new().with("etc/certs.d/a.io/hosts.toml", text)
}

#[test]
fn hosts_are_asked_in_the_order_of_the_file_and_the_server_last() {
    let etc = file(
        r#"
server = "https://real.io"

[host."https://z.io"]
  capabilities = ["pull", "resolve"]
[host."http://b.io:5000"]
  capabilities = ["pull"]
[host."c.io/cache"]
[host."https://d.io/own/v2/a.io"]
  override_path = true
[host."https://e.io/x/v2"]
  capabilities = ["resolve"]
[host."https://push.io"]
  capabilities = ["push"]
"#,
    );
    let itself = "https://real.io/v2 x/y ns=a.io";
    assert_eq!(
        etc.places("a.io/x/y", TAG),
        [
            "mirror https://z.io/v2 x/y ns=a.io",
            "mirror https://c.io/cache/v2 x/y ns=a.io",
            "mirror https://d.io/own/v2/a.io x/y ns=a.io",
            "mirror https://e.io/x/v2 x/y ns=a.io",
            itself,
        ]
    );
    assert_eq!(
        etc.places("a.io/x/y", DIGEST),
        [
            "mirror https://z.io/v2 x/y ns=a.io",
            "mirror http://b.io:5000/v2 x/y ns=a.io",
            "mirror https://c.io/cache/v2 x/y ns=a.io",
            "mirror https://d.io/own/v2/a.io x/y ns=a.io",
            itself,
        ]
    );
    assert_eq!(etc.places("a.io/x/y", PUSH), ["https://push.io/v2 x/y"]);
    assert_eq!(etc.places("b.io/x", TAG), ["https://b.io/v2 x"]);
    // What is not said to take pushes gets none.
    let etc = file("server = 'https://real.io'\n[host.'https://m.io']\n");
    assert_eq!(etc.places("a.io/x", PUSH), ["https://real.io/v2 x ns=a.io"]);
}

#[test]
fn docker_hub_is_known_by_both_of_its_names() {
    let text = "server = 'https://registry-1.docker.io'\n[host.'https://m.io']\n";
    let etc = Etc::new().with("etc/certs.d/docker.io/hosts.toml", text);
    assert_eq!(
        etc.places("docker.io/library/a", TAG),
        [
            "mirror https://m.io/v2 library/a ns=docker.io",
            "https://registry-1.docker.io/v2 library/a as docker.io/library/a",
        ]
    );
}

#[test]
fn a_registry_without_a_file_takes_the_default_one() {
    let etc = Etc::new()
        .with("etc/certs.d/_default/hosts.toml", "[host.'https://m.io']")
        .with("etc/certs.d/b.io_5000_/hosts.toml", "[host.'https://n.io']")
        .with("etc/certs.d/c.io:5000/hosts.toml", "server = 'http://c.io:5000'")
        .with("user/certs.d/d.io/hosts.toml", "server = 'https://user.io'")
        .with("etc/certs.d/d.io/hosts.toml", "server = 'https://system.io'");
    assert_eq!(etc.places("a.io/x", TAG), ["mirror https://m.io/v2 x ns=a.io", "https://a.io/v2 x"]);
    assert_eq!(
        etc.places("b.io:5000/x", TAG),
        ["mirror https://n.io/v2 x ns=b.io:5000", "https://b.io:5000/v2 x"]
    );
    assert_eq!(etc.places("c.io:5000/x", TAG), ["http://c.io:5000/v2 x"]);
    assert_eq!(etc.places("d.io/x", TAG), ["https://user.io/v2 x ns=d.io"]);
}

#[test]
fn both_kinds_of_files_work_together() {
    let etc = file("[host.'https://second.io']").with(
        "etc/registries.conf",
        "[[registry]]\nprefix='old.io'\nlocation='a.io'\nblocked=true\n[[registry.mirror]]\nlocation='first.io'\n",
    );
    assert_eq!(
        etc.places("old.io/x", TAG),
        ["mirror https://first.io/v2 x", "mirror https://second.io/v2 x ns=a.io"]
    );
}

#[test]
fn certificates_headers_and_times_belong_to_their_host() {
    let etc = file(
        r#"
server = "https://a.io"
ca = "server.crt"
dial_timeout = "1m30s"

[host."https://m.io"]
  ca = ["one.crt", "/two.crt"]
  client = [["me.cert", "me.key"], "both.pem", ["alone.pem", ""]]
  skip_verify = true
  dial_timeout = "500ms"
  [host."https://m.io".header]
    authorization = "Bearer hunter2"
    x-team = ["a", "b"]
[host."https://n.io"]
  client = "/both.pem"
"#,
    );
    let endpoints = etc.hosts().endpoints(&repository("a.io/x"), TAG).unwrap();
    let folder = etc.path("etc/certs.d/a.io");
    let [first, second, itself] = endpoints.as_slice() else { panic!("{endpoints:?}") };
    assert_eq!(first.tls.ca_files, [folder.join("one.crt"), "/two.crt".into()]);
    let pair = |certificate: &str, key: &str| ClientPair {
        certificate: folder.join(certificate),
        key: folder.join(key),
    };
    assert_eq!(
        first.tls.clients,
        [pair("me.cert", "me.key"), pair("both.pem", "both.pem"), pair("alone.pem", "alone.pem")]
    );
    assert!(first.tls.skip_verify && !second.tls.skip_verify && !itself.tls.skip_verify);
    assert_eq!(first.dial_timeout, Some(Duration::from_millis(500)));
    assert_eq!((second.dial_timeout, itself.dial_timeout), (None, Some(Duration::from_secs(90))));
    let headers: Vec<_> = first.headers.iter().map(|(name, value)| (name.as_str(), value.reveal())).collect();
    assert_eq!(headers, [("authorization", "Bearer hunter2"), ("x-team", "a"), ("x-team", "b")]);
    assert!(second.headers.is_empty() && itself.headers.is_empty());
    assert_eq!(second.tls.clients, [pair("/both.pem", "/both.pem")]);
    assert_eq!((&itself.tls.ca_files, &itself.ns), (&vec![folder.join("server.crt")], &None));
    assert!(!format!("{endpoints:?}").contains("hunter2"));
}

#[test]
fn what_is_said_at_the_top_holds_for_the_registry_without_a_server() {
    let etc = file("skip_verify = true\nca = 'x.crt'\n[header]\nx-a = '1'\n");
    let endpoints = etc.hosts().endpoints(&repository("a.io/x"), PUSH).unwrap();
    assert!(endpoints[0].tls.skip_verify && endpoints[0].headers.len() == 1);
    assert_eq!(endpoints[0].tls.ca_files, [etc.path("etc/certs.d/a.io/x.crt")]);
    let hosts = Hosts::new(HostOptions { tls_verify: Some(true), ..etc.options() });
    assert!(!hosts.endpoints(&repository("a.io/x"), PUSH).unwrap()[0].tls.skip_verify);
}

#[test]
fn what_is_wrong_is_told_with_file_and_place_and_without_values() {
    for (text, expected) in [
        ("server = ", "line 1: "),
        ("server = 7", "`server` must be text"),
        ("server = 'ftp://a.io'", "`server` is not the address of a host"),
        ("server = 'https://u:hunter2@a.io'", "`server` is not the address of a host"),
        ("[host.'https://m.io?x=1']", "`host.\"https://m.io?x=1\"` is not the address of a host"),
        (
            "[host.'https://m.io']\ncapabilities = ['pull', 'dance']",
            "`host.\"https://m.io\".capabilities[1]` is none of `pull`, `resolve`, `push`, `referrers`",
        ),
        (
            "[host.'https://m.io']\ncapabilities = 'pull'",
            "`host.\"https://m.io\".capabilities` must be a list",
        ),
        (
            "[host.'https://m.io']\nclient = [['a','b','c']]",
            "`host.\"https://m.io\".client[0]` is not a pair of a certificate and a key",
        ),
        (
            "[host.'https://m.io']\nclient = 7",
            "`host.\"https://m.io\".client` is neither a file nor a pair of files",
        ),
        ("dial_timeout = 'soon'", "`dial_timeout` is not a time such as `3s` or `500ms`"),
        ("dial_timeout = '-1s'", "`dial_timeout` is not a time such as `3s` or `500ms`"),
        ("dial_timeout = '0s'", "`dial_timeout` is not a time such as `3s` or `500ms`"),
        ("[header]\nauthorization = \"hunter2\\n\"", "`header.authorization` is not a header"),
        ("[header]\n'a b' = \"hunter2\"", "`header.\"a b\"` is not a header"),
        ("skip_verify = 'hunter2'", "`skip_verify` must be `true` or `false`"),
        ("header = 'hunter2'", "`header` must be a table"),
    ] {
        let shown = file(text).error("a.io/x");
        assert!(shown.starts_with("error: `~/etc/certs.d/a.io/hosts.toml` is not valid: "), "{shown}");
        assert!(shown.contains(expected) && !shown.contains("hunter2"), "{text}\n{shown}");
    }
}
