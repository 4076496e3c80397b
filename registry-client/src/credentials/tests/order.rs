//! Which of several places counts.

use super::{Home, auths, repository, revealed};
use crate::credentials::{CredentialOptions, Credentials, GivenCredential, InlineAuth};
use crate::hosts::{HostOptions, Hosts, Operation, RegistriesOptions};
use crate::secret::Secret;

fn full() -> Home {
    Home::new()
        .with("run/auth.json", &auths(&[("a.io", "run:1")]))
        .with("containers/auth.json", &auths(&[("a.io", "config:1"), ("b.io", "config:2")]))
        .with(
            ".docker/config.json",
            &auths(&[("a.io", "docker:1"), ("b.io", "docker:2"), ("c.io", "docker:3")]),
        )
        .with("mine.json", &auths(&[("b.io", "mine:2")]))
}

fn given(registry: Option<&str>) -> GivenCredential {
    GivenCredential {
        registry: registry.map(str::to_owned),
        user: "given".to_owned(),
        password: Secret::new("0"),
        flag: "--creds".to_owned(),
    }
}

fn inline(text: &str) -> Option<InlineAuth> {
    Some(InlineAuth { variable: "DOCKER_AUTH_CONFIG".to_owned(), text: Secret::new(text) })
}

#[test]
fn the_first_file_that_has_something_counts() {
    let home = full();
    let credentials = home.credentials();
    assert_eq!(home.found(&credentials, "a.io/x"), "run:1 from `~/run/auth.json` (`a.io`)");
    assert_eq!(home.found(&credentials, "b.io/x"), "config:2 from `~/containers/auth.json` (`b.io`)");
    assert_eq!(home.found(&credentials, "c.io/x"), "docker:3 from `~/.docker/config.json` (`c.io`)");
    assert_eq!(home.found(&credentials, "d.io/x"), "nobody");
}

#[test]
fn a_named_file_is_the_only_one_and_must_be_there() {
    let home = full();
    let credentials = home.with_authfile("mine.json");
    assert_eq!(home.found(&credentials, "b.io/x"), "mine:2 from `~/mine.json` (`b.io`)");
    assert_eq!(home.found(&credentials, "a.io/x"), "nobody");
    let shown = home.found(&home.with_authfile("none.json"), "a.io/x");
    assert_eq!(shown, "error: there is no `~/none.json`, which `--authfile` names");
}

#[test]
fn a_variable_comes_before_files_and_what_is_given_before_all() {
    let home = full();
    let text = auths(&[("a.io", "inline:1")]);
    let options = CredentialOptions { inline: inline(&text), ..home.options() };
    let credentials = Credentials::new(options.clone());
    assert_eq!(
        home.found(&credentials, "a.io/x"),
        "inline:1 from the variable `DOCKER_AUTH_CONFIG` (`a.io`)"
    );
    assert_eq!(home.found(&credentials, "b.io/x"), "config:2 from `~/containers/auth.json` (`b.io`)");
    let credentials = Credentials::new(CredentialOptions { given: vec![given(None)], ..options.clone() });
    assert_eq!(home.found(&credentials, "a.io/x"), "given:0 from `--creds`");
    let for_a = CredentialOptions { given: vec![given(Some("a.io"))], ..options };
    let credentials = Credentials::new(for_a);
    assert_eq!(home.found(&credentials, "a.io/x"), "given:0 from `--creds`");
    assert_eq!(home.found(&credentials, "b.io/x"), "config:2 from `~/containers/auth.json` (`b.io`)");
}

#[test]
fn what_is_wrong_with_a_variable_is_told_without_its_text() {
    let home = Home::new();
    let options = CredentialOptions { inline: inline("{\"auths\": hunter2}"), ..home.options() };
    let shown = home.found(&Credentials::new(options), "a.io/x");
    assert_eq!(
        shown,
        "error: the variable `DOCKER_AUTH_CONFIG` is not valid: expected value at line 1 column 11"
    );
}

#[test]
fn what_is_given_for_a_registry_needs_no_files() {
    let home = Home::new().with("run/auth.json", "{").with("containers/registries.conf", "[");
    let options = CredentialOptions { given: vec![given(Some("a.io"))], ..home.options() };
    let credentials = Credentials::new(options);
    assert_eq!(home.found(&credentials, "a.io/x"), "given:0 from `--creds`");
    assert!(
        home.found(&credentials, "b.io/x").starts_with("error: `~/containers/registries.conf` is not valid")
    );
}

#[test]
fn mirrors_get_their_own_credentials_and_never_those_that_were_given() {
    let conf = "[[registry]]\nlocation = 'a.io'\n[[registry.mirror]]\nlocation = 'b.io/copy'\n\
                [[registry.mirror]]\nlocation = 'd.io'\n";
    let home = full().with("hosts.conf", conf);
    let only = Some((home.path("hosts.conf"), "X".to_owned()));
    let registries = RegistriesOptions { only, ..RegistriesOptions::default() };
    let hosts = Hosts::new(HostOptions { registries, ..HostOptions::default() });
    let endpoints = hosts.endpoints(&repository("a.io/x"), Operation::PullByTag).unwrap();
    for registry in [None, Some("a.io")] {
        let options = CredentialOptions { given: vec![given(registry)], ..home.options() };
        let credentials = Credentials::new(options);
        let found = endpoints.iter().map(|endpoint| {
            let found = credentials.for_endpoint(endpoint).unwrap();
            found.map_or("nobody".to_owned(), |found| revealed(&found.kind))
        });
        assert_eq!(found.collect::<Vec<_>>(), ["config:2", "nobody", "given:0"]);
    }
}

#[test]
fn what_is_given_goes_where_the_registry_really_is() {
    let conf = "[[registry]]\nprefix = 'a.io'\nlocation = 'b.io/moved'\n";
    let home = full().with("hosts.conf", conf);
    let only = Some((home.path("hosts.conf"), "X".to_owned()));
    let registries = RegistriesOptions { only, ..RegistriesOptions::default() };
    let hosts = Hosts::new(HostOptions { registries, ..HostOptions::default() });
    let endpoints = hosts.endpoints(&repository("a.io/x"), Operation::PullByTag).unwrap();
    for (given_for, expected) in [(Some("a.io"), "given:0"), (None, "given:0"), (Some("c.io"), "config:2")] {
        let options = CredentialOptions { given: vec![given(given_for)], ..home.options() };
        let found = Credentials::new(options).for_endpoint(&endpoints[0]).unwrap().unwrap();
        assert_eq!(revealed(&found.kind), expected, "{given_for:?}");
    }
}

#[test]
fn debug_shows_no_secret() {
    let home = Home::new().with("run/auth.json", &auths(&[("a.io", "u:hunter2")]));
    let secret = GivenCredential { password: Secret::new("hunter2"), ..given(Some("c.io")) };
    let options = CredentialOptions {
        given: vec![secret],
        inline: inline(&auths(&[("b.io", "u:hunter2")])),
        ..home.options()
    };
    let credentials = Credentials::new(options);
    for name in ["a.io/x", "b.io/x", "c.io/x"] {
        let found = credentials.for_repository(&repository(name)).unwrap().unwrap();
        assert!(revealed(&found.kind).ends_with("hunter2"));
        assert!(!format!("{found:?}").contains("hunter2"));
    }
    let shown = format!("{credentials:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("dTpodW50ZXIy"), "{shown}");
}
