//! What files say.

use std::fs;

use super::{Home, auths, repository};
use crate::credentials::{CredentialOptions, Credentials, Outcome};

#[test]
fn every_form_of_an_entry_is_understood() {
    // `dTpwOnE=` is `u:p:q`.
    for (entry, expected) in [
        (r#"{"auth":"dTpwOnE="}"#, "u:p:q"),
        (r#"{"auth":"dTpwOnE"}"#, "u:p:q"),
        (r#"{"auth":" dTpwOnE=\n"}"#, "u:p:q"),
        (r#"{"auth":"dTpwOnE=","email":"u@example.com"}"#, "u:p:q"),
        // Left by docker 1.x: the password ends with NULs.
        (r#"{"auth":"dTpwAAA="}"#, "u:p"),
        (r#"{"username":"u","password":"p"}"#, "u:p"),
        (r#"{"auth":"dTpwOnE=","username":"other","password":"x"}"#, "u:p:q"),
        (r#"{"auth":"","username":"u","password":"p"}"#, "u:p"),
        (r#"{"identitytoken":"it"}"#, "identity it"),
        (r#"{"auth":"MDAwMDAwMDAtMDAwMDo=","identitytoken":"it"}"#, "identity it"),
        (r#"{"username":"<token>","password":"it"}"#, "identity it"),
        (r#"{"registrytoken":"rt"}"#, "registry rt"),
        (r#"{"registrytoken":"rt","identitytoken":"it","auth":"dTpwOnE="}"#, "registry rt"),
        (r#"{"auth":null,"identitytoken":null,"username":"u","password":"p"}"#, "u:p"),
    ] {
        let home = Home::new().with(".docker/config.json", &format!(r#"{{"auths":{{"a.io":{entry}}}}}"#));
        let found = home.found(&home.credentials(), "a.io/x");
        assert_eq!(found, format!("{expected} from `~/.docker/config.json` (`a.io`)"), "{entry}");
    }
}

#[test]
fn an_entry_without_anything_is_none() {
    for text in [
        "",
        "  \n",
        "{}",
        r#"{"auths":{}}"#,
        r#"{"auths":null}"#,
        r#"{"auths":{"a.io":{}}}"#,
        r#"{"auths":{"a.io":{"auth":""}}}"#,
        r#"{"auths":{"a.io":{"email":"u@example.com"}}}"#,
        r#"{"auths":{"a.io.evil.com":{"auth":"dTpw"}}}"#,
        r#"{"HttpHeaders":{"User-Agent":"x"},"detachKeys":"ctrl-e","psFormat":"table {{.ID}}"}"#,
    ] {
        let home = Home::new().with(".docker/config.json", text);
        assert_eq!(home.found(&home.credentials(), "a.io/x"), "nobody", "{text}");
    }
}

#[test]
fn files_of_docker_and_podman_are_read_as_they_are_found() {
    let docker = r#"{
	"auths": {
		"https://index.docker.io/v1/": { "auth": "aHViOmFiYw==" },
		"ghcr.io": { "auth": "Z2hjcjphYmM=" },
		"quay.io/v1/": { "auth": "cXVheTphYmM=" },
		"https://gcr.io": { "auth": "X2pzb25fa2V5OnsiYSI6IDF9" },
		"localhost:5000": { "auth": "bG9jYWw6YWJj" }
	},
	"HttpHeaders": { "User-Agent": "Docker-Client/20.10.24 (linux)" },
	"currentContext": "default"
}"#;
    let podman = auths(&[
        ("docker.io/team", "team:abc"),
        ("quay.io/org/app", "robot$app:abc"),
        ("quay.io/org", "org:abc"),
        ("registry.fedoraproject.org", "fedora:abc"),
    ]);
    let home = Home::new().with(".docker/config.json", docker).with("run/auth.json", &podman);
    let credentials = home.credentials();
    for (name, expected) in [
        ("docker.io/library/debian", "hub:abc from `~/.docker/config.json` (`https://index.docker.io/v1/`)"),
        (
            "index.docker.io/library/debian",
            "hub:abc from `~/.docker/config.json` (`https://index.docker.io/v1/`)",
        ),
        ("docker.io/team/app", "team:abc from `~/run/auth.json` (`docker.io/team`)"),
        ("docker.io/teams/app", "hub:abc from `~/.docker/config.json` (`https://index.docker.io/v1/`)"),
        ("ghcr.io/a/b", "ghcr:abc from `~/.docker/config.json` (`ghcr.io`)"),
        ("quay.io/org/app", "robot$app:abc from `~/run/auth.json` (`quay.io/org/app`)"),
        ("quay.io/org/app/more", "robot$app:abc from `~/run/auth.json` (`quay.io/org/app`)"),
        ("quay.io/org/other", "org:abc from `~/run/auth.json` (`quay.io/org`)"),
        ("quay.io/else", "quay:abc from `~/.docker/config.json` (`quay.io/v1/`)"),
        ("gcr.io/p/a", "_json_key:{\"a\": 1} from `~/.docker/config.json` (`https://gcr.io`)"),
        ("localhost:5000/a", "local:abc from `~/.docker/config.json` (`localhost:5000`)"),
        ("localhost:5001/a", "nobody"),
        ("registry.fedoraproject.org/f", "fedora:abc from `~/run/auth.json` (`registry.fedoraproject.org`)"),
    ] {
        assert_eq!(home.found(&credentials, name), expected, "{name}");
    }
}

#[test]
fn the_older_file_of_docker_has_its_entries_at_the_top() {
    let text =
        r#"{"https://index.docker.io/v1/":{"auth":"dTpw","email":"u@example.com"},"a.io":{"auth":"dTpw"}}"#;
    let home = Home::new().with(".dockercfg", text);
    let found = home.found(&home.credentials(), "docker.io/library/a");
    assert_eq!(found, "u:p from `~/.dockercfg` (`https://index.docker.io/v1/`)");
}

#[test]
fn a_file_that_is_wrong_is_told_with_its_place_and_without_its_secrets() {
    for (text, expected) in [
        (
            "{\"auths\": {\n",
            "`~/.docker/config.json` is not valid: EOF while parsing an object at line 2 column 0",
        ),
        ("[]", "`~/.docker/config.json` is not valid: the file must be a table"),
        (r#"{"auths": "hunter2"}"#, "`~/.docker/config.json` is not valid: `auths` must be a table"),
        (
            r#"{"auths":{"a.io":"hunter2"}}"#,
            "`~/.docker/config.json` is not valid: `auths.\"a.io\"` must be a table",
        ),
        (
            r#"{"auths":{"a.io":{"auth":["hunter2"]}}}"#,
            "`~/.docker/config.json` is not valid: `auths.\"a.io\".auth` must be text",
        ),
        (
            r#"{"auths":{"a.io":{"auth":"hunter2!"}}}"#,
            "`~/.docker/config.json` is not valid: `auths.\"a.io\".auth` is not base64",
        ),
        (
            r#"{"auths":{"a.io":{"auth":"aHVudGVyMg=="}}}"#,
            "`~/.docker/config.json` is not valid: `auths.\"a.io\".auth` is not `user:password` in base64",
        ),
        (
            r#"{"auths":{"a.io":{"auth":"gICA"}}}"#,
            "`~/.docker/config.json` is not valid: `auths.\"a.io\".auth` is not text in base64",
        ),
        (
            r#"{"auths":{"a.io":{"password":"hunter2"}}}"#,
            "`~/.docker/config.json` is not valid: `auths.\"a.io\"` has only one of `username` and `password`",
        ),
        (r#"{"credsStore":{"a":1}}"#, "`~/.docker/config.json` is not valid: `credsStore` must be text"),
        (
            r#"{"credHelpers":{"a.io":7}}"#,
            "`~/.docker/config.json` is not valid: `credHelpers.\"a.io\"` must be text",
        ),
        (
            "{\"auths\":{\"a.io\":{\"auth\":\"hunter2\n\"}}}",
            "`~/.docker/config.json` is not valid: control character (\\u0000-\\u001F) found while parsing a string at line 2 column 0",
        ),
    ] {
        let home = Home::new().with(".docker/config.json", text);
        let shown = home.found(&home.credentials(), "a.io/x");
        assert_eq!(shown, format!("error: {expected}"), "{text}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_mistake_in_an_entry_for_something_else_harms_nobody() {
    let home =
        Home::new().with(".docker/config.json", r#"{"auths":{"b.io":{"auth":"%"},"a.io":{"auth":"dTpw"}}}"#);
    let credentials = home.credentials();
    assert_eq!(home.found(&credentials, "a.io/x"), "u:p from `~/.docker/config.json` (`a.io`)");
    assert!(home.found(&credentials, "b.io/x").starts_with("error: "));
    assert_eq!(home.found(&credentials, "c.io/x"), "nobody");
}

#[test]
fn what_was_named_and_cannot_be_read_is_an_error_and_what_is_not_there_is_none() {
    let home = Home::new().with("named.json/not-a-file", "");
    assert_eq!(home.found(&home.with_authfile("named.json"), "a.io/x"), "error: cannot read `~/named.json`");
    let home = Home::new().with(".docker", "a file where a folder is expected");
    assert_eq!(home.found(&home.credentials(), "a.io/x"), "nobody");
    let home = Home::new().with(".docker/config.json", &format!("{{\"x\":\"{}\"}}", "x".repeat(4 << 20)));
    let shown = home.found(&home.credentials(), "a.io/x");
    assert_eq!(shown, "error: `~/.docker/config.json` has more than 4194304 bytes");
}

#[test]
fn a_usual_file_that_cannot_be_read_is_passed_over_and_told_once_a_named_one_is_an_error() {
    let home = Home::new().with(".docker/config.json", &auths(&[("a.io", "me:hunter2")]));
    // Nobody can read a folder as a file, not even root.
    fs::create_dir_all(home.path("run/auth.json")).unwrap();
    let credentials = home.credentials();
    let asked = repository("a.io/x");
    let found = credentials.for_repository(&asked).unwrap().unwrap();
    assert_eq!(found.kind.user(), Some("me"));
    let [told] = credentials.newly_passed_over().try_into().unwrap();
    assert_eq!((told.path, told.reason.as_str()), (home.path("run/auth.json"), "is a directory"));
    assert!(credentials.for_repository(&asked).unwrap().is_some());
    assert!(credentials.newly_passed_over().is_empty());
    let explained = credentials.explain(&asked).unwrap();
    assert!(matches!(&explained[0].outcome, Outcome::PassedOver(reason) if reason == "is a directory"));

    let named = CredentialOptions { named_files: vec![home.path("run/auth.json")], ..home.options() };
    let error = Credentials::new(named).for_repository(&asked).unwrap_err();
    assert_eq!(home.without_home(&error.to_string()), "cannot read `~/run/auth.json`");
}
