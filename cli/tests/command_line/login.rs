//! Logging in and out: what is asked of a registry, what is kept, and what is told.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tug_testdata::registry_peer::{Access, Authority, Bearer, Behaviour, Peer, Tls, Validity};

use crate::pty::Pty;
use crate::tug::Tug;

const PASSWORD: &str = "hunter2";

/// In an empty home, with nothing of this machine's configuration that could count.
fn here() -> Tug {
    let tug = Tug::new();
    let run = tug.path("run").display().to_string();
    let conf = tug.write("registries.conf", "").display().to_string();
    tug.with("XDG_RUNTIME_DIR", &run).with("CONTAINERS_REGISTRIES_CONF", &conf)
}

fn accounts() -> Vec<(String, String)> {
    vec![("me".to_owned(), PASSWORD.to_owned())]
}

fn basic() -> Peer {
    Peer::start(Behaviour { access: Access::Basic(accounts()), ..Behaviour::default() })
}

/// What comes out, with the address of the registry replaced.
fn shown(tug: &Tug, peer: &Peer, words: &[&str], input: &str) -> String {
    let words: Vec<&str> =
        words.iter().map(|word| if *word == "REGISTRY" { peer.address() } else { word }).collect();
    let shown = tug.run_with_input(&words, input.as_bytes()).replace(peer.address(), "REGISTRY");
    assert!(!shown.contains(PASSWORD) && !shown.contains("bWU6aHVudGVyMg"), "{shown}");
    shown
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn a_password_is_tried_before_it_is_kept() {
    let (tug, peer) = (here(), basic());
    let login = ["login", "-u", "me", "--password-stdin", "REGISTRY"];
    let mut all = String::new();
    for (words, input) in [
        (&login[..], "wrong\n"),
        (&["login", "--get-login", "REGISTRY"], ""),
        (&login, "hunter2\n"),
        (&["login", "--get-login", "REGISTRY"], ""),
        (&["login", "--show", "REGISTRY"], ""),
        (&["login", "--show", "--format", "{{.What}} {{.User}}", "REGISTRY"], ""),
        (&["logout", "REGISTRY"], ""),
        (&["login", "--show", "REGISTRY"], ""),
        (&["logout", "REGISTRY"], ""),
    ] {
        all += &format!("$ tug {}\n{}\n", words.join(" "), shown(&tug, &peer, words, input));
        if input == "wrong\n" {
            assert!(!tug.path(".docker").exists(), "nothing is kept of a wrong password");
        }
        if input == "hunter2\n" {
            let file = tug.path(".docker/config.json");
            assert!(text(&file).contains("bWU6aHVudGVyMg=="), "{}", text(&file));
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_registry_with_tokens_is_asked_as_well() {
    let bearer = Bearer { accounts: accounts(), ..Bearer::default() };
    let peer = Peer::start(Behaviour { access: Access::Bearer(bearer), ..Behaviour::default() });
    let tug = here();
    let login = ["login", "--username=me", "--password-stdin", "REGISTRY"];
    let refused = shown(&tug, &peer, &login, "wrong");
    assert!(refused.starts_with("exit code 3\n"), "{refused}");
    assert!(refused.contains("hint: nothing was saved"), "{refused}");
    let accepted = shown(&tug, &peer, &login, "hunter2\r\n");
    assert!(accepted.starts_with("exit code 0\n"), "{accepted}");
}

#[test]
fn what_the_files_say_does_not_count_while_a_password_is_tried() {
    let (tug, peer) = (here(), basic());
    shown(&tug, &peer, &["login", "-u", "me", "--password-stdin", "REGISTRY"], PASSWORD);
    let refused = shown(&tug, &peer, &["login", "-u", "me", "--password-stdin", "REGISTRY"], "wrong");
    assert!(refused.starts_with("exit code 3\n"), "{refused}");
    assert!(text(&tug.path(".docker/config.json")).contains("bWU6aHVudGVyMg=="));
}

#[test]
fn a_registry_that_lets_everybody_in_cannot_tell() {
    let (tug, peer) = (here(), Peer::start(Behaviour::default()));
    let told = shown(&tug, &peer, &["login", "-u", "me", "--password-stdin", "REGISTRY"], "whatever");
    assert!(told.starts_with("exit code 0\n"), "{told}");
    assert!(
        told.contains("warning: `REGISTRY` lets everybody in, so nobody has looked at this password"),
        "{told}"
    );
}

#[test]
fn a_named_file_is_used_and_nothing_else() {
    let (tug, peer) = (here(), basic());
    let told = shown(
        &tug,
        &peer,
        &["login", "--authfile", "a/mine.json", "-u", "me", "-p", "hunter2", "REGISTRY"],
        "",
    );
    assert!(
        told.starts_with("exit code 0\n") && told.contains("warning: `--password` can be seen"),
        "{told}"
    );
    assert!(tug.path("a/mine.json").exists() && !tug.path(".docker").exists());
    let found = shown(&tug, &peer, &["login", "--get-login", "--authfile", "a/mine.json", "REGISTRY"], "");
    assert_eq!(found, "exit code 0\n--- stdout\nme\n");
    let file = tug.path("a/mine.json").display().to_string();
    let tug = tug.with("REGISTRY_AUTH_FILE", &file);
    assert_eq!(shown(&tug, &peer, &["login", "--get-login", "REGISTRY"], ""), found);
    let none = shown(&tug, &peer, &["login", "--get-login", "--authfile", "none.json", "REGISTRY"], "");
    assert_eq!(none, "exit code 2\n--- stderr\nerror: there is no `none.json`, which `--authfile` names\n");
    let gone = shown(&tug, &peer, &["logout", "REGISTRY"], "");
    assert_eq!(gone, "exit code 0\n--- stderr\nremoved from `[HOME]/a/mine.json` (`REGISTRY`)\n");
}

#[test]
fn a_helper_keeps_the_password_where_one_is_named() {
    let (tug, peer) = (here(), basic());
    tug.write("script", "#!/bin/sh\nread -r entry\necho \"$1 $entry\" >> \"$HOME/log\"\n");
    tug.write("bin/x", "");
    let helper = tug.path("bin/docker-credential-test");
    // Another process writes it: what we have open for writing cannot be started.
    let copied = std::process::Command::new("cp").arg(tug.path("script")).arg(&helper).status().unwrap();
    assert!(copied.success());
    std::fs::set_permissions(&helper, std::fs::Permissions::from_mode(0o755)).unwrap();
    tug.write(".docker/config.json", r#"{"credsStore":"test"}"#);
    let path = format!("{}:/usr/bin:/bin", tug.path("bin").display());
    let tug = tug.with("PATH", &path);
    let told = shown(&tug, &peer, &["login", "-u", "me", "--password-stdin", "REGISTRY"], PASSWORD);
    assert_eq!(
        told,
        "exit code 0\n--- stderr\nlogged in to `REGISTRY` as `me`; kept in `docker-credential-test` (`credsStore` in \
         `[HOME]/.docker/config.json`)\n"
    );
    let log = text(&tug.path("log"));
    assert!(log.contains("store {\"ServerURL\":") && log.contains("\"Secret\":\"hunter2\""), "{log}");
    assert!(!text(&tug.path(".docker/config.json")).contains("auth\":"));
}

#[test]
fn what_comes_before_a_new_password_is_told() {
    let (tug, peer) = (here(), basic());
    let inline = format!(r#"{{"auths":{{"{}":{{"auth":"eDp5"}}}}}}"#, peer.address());
    let tug = tug.with("DOCKER_AUTH_CONFIG", &inline);
    let told = shown(&tug, &peer, &["login", "-u", "me", "--password-stdin", "REGISTRY"], PASSWORD);
    let expected = "warning: it has no effect as long as the variable `DOCKER_AUTH_CONFIG` (`REGISTRY`) has other \
                    credentials for `REGISTRY`\n";
    assert!(told.starts_with("exit code 0\n") && told.ends_with(expected), "{told}");
    let told = shown(&tug, &peer, &["logout", "REGISTRY"], "");
    assert!(told.contains("warning: the variable `DOCKER_AUTH_CONFIG` (`REGISTRY`) still has"), "{told}");
}

#[test]
fn certificates_come_from_the_folder_of_the_registry_or_the_one_that_is_named() {
    let authority = Authority::new();
    let tls = Tls::new(&authority.certificate(&["127.0.0.1"], Validity::Now), None);
    let peer =
        Peer::start(Behaviour { access: Access::Basic(accounts()), tls: Some(tls), ..Behaviour::default() });
    let tug = here();
    let login = ["login", "-u", "me", "--password-stdin", "REGISTRY"];
    let with = |words: &[&'static str]| shown(&tug, &peer, &[&login[..], words].concat(), PASSWORD);
    let refused = with(&[]);
    assert!(refused.starts_with("exit code 3\n"), "{refused}");
    tug.write("ca/ca.crt", authority.pem());
    assert!(with(&["--cert-dir", "ca"]).starts_with("exit code 0\n"));
    assert!(with(&["--insecure"]).starts_with("exit code 0\n"));
    assert!(with(&["--tls-verify=true"]).starts_with("exit code 3\n"));
    let broken = with(&["--cert-dir", "none"]);
    assert!(broken.starts_with("exit code 1\n") && broken.contains("error: cannot read `none`"), "{broken}");
    tug.write(&format!(".config/containers/certs.d/{}/ca.crt", peer.address()), authority.pem());
    let accepted = with(&[]);
    assert!(accepted.starts_with("exit code 0\n"), "{accepted}");
    tug.write(&format!(".config/containers/certs.d/{}/more.crt", peer.address()), "junk");
    let broken = with(&[]);
    assert!(broken.starts_with("exit code 1\n") && broken.contains("more.crt` cannot be used"), "{broken}");
}

#[test]
fn plain_http_is_not_spoken_when_it_is_forbidden() {
    let (tug, peer) = (here(), basic());
    let told =
        shown(&tug, &peer, &["login", "-u", "me", "--password-stdin", "--tls-verify", "REGISTRY"], PASSWORD);
    assert!(told.starts_with("exit code 3\n"), "{told}");
    assert!(peer.exchanges().is_empty(), "{:?}", peer.exchanges());
}

#[test]
fn mistakes_of_words_and_files_are_told() {
    let tug = here();
    let mut all = String::new();
    for words in [
        &["login"][..],
        &["login", "--password-stdin"],
        &["login", "-u", "me", "-p", "x", "--password-stdin"],
        &["login", "-u", "", "--password-stdin"],
        &["login", "-u", "me", "--password-stdin"],
        &["login", "quay.io/App"],
        &["login", "https://user:secret@quay.io"],
        &["login", "--show", "--get-login"],
        &["login", "--format", "json"],
        &["login", "--tls-verify=maybe"],
        &["login", "--insecure", "--tls-verify"],
        &["logout", "a b"],
        &["logout", "--all", "quay.io"],
        &["logout", "--all"],
        &["logout"],
    ] {
        all += &format!("$ tug {}\n{}\n", words.join(" "), tug.run(words));
    }
    tug.write(".docker/config.json", r#"{"auths":{"quay.io":{"auth":"hunter2!"}}}"#);
    for words in [
        &["login", "--show", "quay.io"][..],
        &["login", "--get-login", "quay.io"],
        &["login", "--show", "ghcr.io"],
    ] {
        all += &format!("$ tug {}\n{}\n", words.join(" "), tug.run(words));
    }
    assert!(!all.contains("hunter2"), "{all}");
    insta::assert_snapshot!(all);
}

#[test]
fn a_password_that_is_typed_is_not_shown() {
    let (tug, peer, mut pty) = (here(), basic(), Pty::new());
    let mut command = tug.command(&["login", peer.address()]);
    command.stdin(pty.other_end()).stdout(pty.other_end()).stderr(pty.other_end());
    let mut child = command.spawn().unwrap();
    let mut seen = pty.text_until("User: ");
    pty.type_text("me\n");
    seen += &pty.text_until("Password: ");
    pty.type_text("hunter2\n");
    seen += &pty.text_until("kept in");
    assert!(child.wait().unwrap().success());
    assert!(!seen.contains("hunter2"), "{seen}");
    assert!(text(&tug.path(".docker/config.json")).contains("bWU6aHVudGVyMg=="));
}

#[test]
fn credentials_of_one_registry_are_not_shown_to_another() {
    let (tug, from, to) = (here(), basic(), basic());
    let names = [format!("{}/app", from.address()), format!("{}/app", to.address())];
    let words = |more: &[&'static str]| {
        let words: Vec<&str> = ["copy", &names[0], &names[1]].iter().chain(more).copied().collect();
        let shown = tug.run(&words);
        assert!(!shown.contains(PASSWORD), "{shown}");
        shown
    };
    let refused = words(&["--creds", "me:hunter2"]);
    assert!(refused.starts_with("exit code 2\n"), "{refused}");
    assert!(refused.contains("error: `--creds` is for one registry, and these are two"), "{refused}");
    assert!(from.exchanges().is_empty() && to.exchanges().is_empty());
    from.add_image("app", "latest", &[b"a layer".to_vec()]);
    let copied = words(&["--src-creds", "me:hunter2", "--dest-creds", "me:hunter2"]);
    assert!(copied.starts_with("exit code 0\n"), "{copied}");
    let refused = words(&["--src-creds", "me:hunter2"]);
    assert!(refused.starts_with("exit code 3\n"), "{refused}");
    let refused = tug.run(&["copy", &names[0], "oci:x", "--dest-creds", "me:hunter2"]);
    assert!(
        refused.starts_with("exit code 2\n--- stderr\nerror: `--dest-creds` is for a registry"),
        "{refused}"
    );
}

#[test]
fn a_name_without_a_registry_means_what_registries_conf_says() {
    let (tug, peer) = (here(), Peer::start(Behaviour::default()));
    peer.add_image("team/tool", "1", &[b"a layer".to_vec()]);
    tug.write("registries.conf", format!("[aliases]\n\"tool\" = \"{}/team/tool\"\n", peer.address()));
    let pulled = shown(&tug, &peer, &["pull", "--no-unpack", "tool:1"], "");
    assert!(pulled.starts_with("exit code 0\n--- stdout\nREGISTRY/team/tool@sha256:"), "{pulled}");
    assert!(
        pulled.contains("`tool:1` is `REGISTRY/team/tool:1`, as `[HOME]/registries.conf` says"),
        "{pulled}"
    );
    tug.write(
        "registries.conf",
        format!("[[registry]]\nlocation = \"{}\"\nblocked = true\n", peer.address()),
    );
    let name = format!("{}/team/tool:1", peer.address());
    let blocked = tug.run(&["pull", &name]);
    assert!(blocked.starts_with("exit code 1\n") && blocked.contains("is blocked: "), "{blocked}");
    tug.write("registries.conf", "unqualified-search-registries = [");
    let broken = tug.run(&["pull", "tool:1"]);
    assert!(
        broken.starts_with("exit code 1\n") && broken.contains("`[HOME]/registries.conf` is not valid"),
        "{broken}"
    );
}
