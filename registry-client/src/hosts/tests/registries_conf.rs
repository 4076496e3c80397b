//! What registries.conf says.

use super::{DIGEST, Etc, PUSH, TAG};
use crate::hosts::{HostOptions, Hosts, RegistriesOptions};

#[test]
fn the_longest_prefix_decides_and_is_replaced() {
    let etc = Etc::conf(
        r#"
[[registry]]
prefix = "a.io"
location = "real.io"

[[registry]]
prefix = "a.io/team"
location = "real.io/others/team"

[[registry]]
prefix = "*.b.io"
location = "inner.io/b"

[[registry]]
prefix = "*.c.io"
insecure = true

[[registry]]
prefix = "docker.io/library"
location = "mirror.io/official"

[[registry]]
location = "old.io:5000"
insecure = true
"#,
    );
    for (name, expected) in [
        ("a.io/x", "https://real.io/v2 x"),
        ("a.io/team/x", "https://real.io/v2 others/team/x"),
        ("a.io/team", "https://real.io/v2 others/team"),
        ("a.io/teams/x", "https://real.io/v2 teams/x"),
        ("x.b.io/y/z", "https://inner.io/v2 b/y/z"),
        ("b.io/y", "https://b.io/v2 y"),
        ("x.c.io/y", "https|http://x.c.io/v2 y unverified"),
        ("docker.io/library/debian", "https://mirror.io/v2 official/debian"),
        ("docker.io/me/app", "https://registry-1.docker.io/v2 me/app as docker.io/me/app"),
        ("old.io:5000/x", "https|http://old.io:5000/v2 x unverified"),
        ("old.io/x", "https://old.io/v2 x"),
    ] {
        assert_eq!(etc.places(name, TAG), [expected], "{name}");
    }
}

#[test]
fn mirrors_are_for_pulls_and_each_for_what_it_says() {
    let etc = Etc::conf(
        r#"
[[registry]]
prefix = "a.io/team"
location = "a.io/team"
[[registry.mirror]]
location = "all.io/copies"
[[registry.mirror]]
location = "digests.io"
pull-from-mirror = "digest-only"
[[registry.mirror]]
location = "tags.io:5000"
pull-from-mirror = "tag-only"
insecure = true

[[registry]]
location = "b.io"
mirror-by-digest-only = true
[[registry.mirror]]
location = "b-copy.io"
"#,
    );
    let itself = "https://a.io/v2 team/x";
    assert_eq!(
        etc.places("a.io/team/x", TAG),
        ["mirror https://all.io/v2 copies/x", "mirror https|http://tags.io:5000/v2 x unverified", itself]
    );
    assert_eq!(
        etc.places("a.io/team/x", DIGEST),
        ["mirror https://all.io/v2 copies/x", "mirror https://digests.io/v2 x", itself]
    );
    assert_eq!(etc.places("a.io/team/x", PUSH), [itself]);
    assert_eq!(etc.places("b.io/x", TAG), ["https://b.io/v2 x"]);
    assert_eq!(etc.places("b.io/x", DIGEST), ["mirror https://b-copy.io/v2 x", "https://b.io/v2 x"]);
}

#[test]
fn a_block_is_about_the_registry_and_not_about_its_mirrors() {
    let etc = Etc::conf(
        r#"
[[registry]]
location = "a.io"
blocked = true
[[registry.mirror]]
location = "m.io"
pull-from-mirror = "digest-only"

[[registry]]
prefix = "*.evil.io"
blocked = true

[[registry]]
location = "b.io"
blocked = true
[[registry]]
prefix = "b.io/good"
location = "b.io/good"
"#,
    );
    let blocked = "error: `a.io/x` is blocked: `~/etc/registries.conf` has `blocked = true` for `a.io`";
    assert_eq!(etc.places("a.io/x", DIGEST), ["mirror https://m.io/v2 x"]);
    assert_eq!(etc.places("a.io/x", TAG), [blocked]);
    assert_eq!(etc.places("a.io/x", PUSH), [blocked]);
    assert!(etc.error("sub.evil.io/x").contains("`blocked = true` for `*.evil.io`"));
    assert!(etc.error("b.io/x").starts_with("error: `b.io/x` is blocked"));
    assert_eq!(etc.places("b.io/good/x", TAG), ["https://b.io/v2 good/x"]);
}

#[test]
fn later_files_win_and_the_users_own_file_hides_the_systems() {
    let entry =
        |prefix: &str, location: &str| format!("[[registry]]\nprefix='{prefix}'\nlocation='{location}'\n");
    let etc = Etc::new()
        .with("usr/registries.conf", &entry("a.io", "usr.io"))
        .with("etc/registries.conf.d/10-b.conf", &entry("b.io", "ten.io"))
        .with("etc/registries.conf.d/20-b.conf", &entry("b.io", "twenty.io"))
        .with("etc/registries.conf.d/30-b.conf.bak", &entry("b.io", "bak.io"))
        .with("user/registries.conf.d/c.conf", &entry("c.io", "user.io"));
    assert_eq!(etc.places("a.io/x", TAG), ["https://usr.io/v2 x"]);
    assert_eq!(etc.places("b.io/x", TAG), ["https://twenty.io/v2 x"]);
    assert_eq!(etc.places("c.io/x", TAG), ["https://user.io/v2 x"]);
    let etc = etc.with("etc/registries.conf", &entry("b.io", "etc.io"));
    assert_eq!(etc.places("a.io/x", TAG), ["https://a.io/v2 x"]);
    assert_eq!(etc.places("b.io/x", TAG), ["https://twenty.io/v2 x"]);
    let etc = etc.with("user/registries.conf", &entry("a.io", "own.io"));
    assert_eq!(etc.places("a.io/x", TAG), ["https://own.io/v2 x"]);
    assert_eq!(etc.places("b.io/x", TAG), ["https://b.io/v2 x"]);
    assert_eq!(etc.places("c.io/x", TAG), ["https://user.io/v2 x"]);
    let etc = etc.with("mine.conf", &entry("d.io", "mine.io"));
    let only = |name: &str| {
        let only = Some((etc.path(name), "CONTAINERS_REGISTRIES_CONF".to_owned()));
        let registries = RegistriesOptions { only, ..etc.options().registries };
        Hosts::new(HostOptions { registries, ..etc.options() })
    };
    assert_eq!(etc.lines(&only("mine.conf"), "d.io/x", TAG), ["https://mine.io/v2 x"]);
    assert_eq!(etc.lines(&only("mine.conf"), "c.io/x", TAG), ["https://c.io/v2 x"]);
    assert_eq!(
        etc.lines(&only("none.conf"), "d.io/x", TAG),
        ["error: there is no `~/none.conf`, which `CONTAINERS_REGISTRIES_CONF` names"]
    );
}

#[test]
fn files_of_distributions_change_nothing_by_themselves() {
    let fedora = r#"
# For more information on this configuration file, see containers-registries.conf(5).
unqualified-search-registries = ["registry.fedoraproject.org", "registry.access.redhat.com", "docker.io"]
short-name-mode = "enforcing"
"#;
    let aliases = r#"
[aliases]
  # Fedora
  "fedora" = "registry.fedoraproject.org/fedora"
  "debian" = "docker.io/library/debian"
"#;
    let debian = "# unqualified-search-registries = [\"example.com\"]\n# [[registry]]\n# location = \"x\"\n";
    for text in [fedora, debian] {
        let etc = Etc::conf(text).with("etc/registries.conf.d/000-shortnames.conf", aliases);
        assert_eq!(etc.places("quay.io/a/b", TAG), ["https://quay.io/v2 a/b"]);
        assert_eq!(etc.places("docker.io/library/debian", PUSH).len(), 1);
    }
}

#[test]
fn what_is_wrong_is_told_with_file_and_place() {
    for (text, expected) in [
        ("[[registry]\n", "line 1: "),
        ("a = 1\n[[registry]]\nlocation = a.io\n", "line 3: "),
        ("registry = 'a.io'", "`registry` must be a list"),
        ("[[registry]]\nlocation = 7", "`registry[0].location` must be text"),
        (
            "[[registry]]\nlocation = 'a.io'\n[[registry]]\ninsecure = true",
            "`registry[1]` has neither `prefix` nor `location`",
        ),
        ("[[registry]]\nprefix = 'a.io'", "`registry[0]` has a `prefix` and no `location`"),
        (
            "[[registry]]\nlocation = 'https://a.io'",
            "`registry[0]` has a `location` with a scheme: write only host and path",
        ),
        (
            "[[registry]]\nprefix = 'a.*.io'\nlocation = 'b.io'",
            "`registry[0]` has a `*` in its `prefix` that is not a `*.` at the beginning",
        ),
        (
            "[[registry]]\nlocation = 'a.io'\ninsecure = 'yes'",
            "`registry[0].insecure` must be `true` or `false`",
        ),
        (
            "[[registry]]\nlocation = 'a.io'\n[[registry.mirror]]\ninsecure = true",
            "`registry[0].mirror[0]` has no `location`",
        ),
        (
            "[[registry]]\nlocation = 'a.io'\n[[registry.mirror]]\nlocation = 'b.io'\npull-from-mirror = 'never'",
            "`registry[0].mirror[0]` has a `pull-from-mirror` that is none of `all`, `digest-only`, `tag-only`",
        ),
        (
            "[[registry]]\nlocation = 'a.io'\nmirror-by-digest-only = true\n[[registry.mirror]]\nlocation = 'b.io'\npull-from-mirror = 'all'",
            "`registry[0].mirror[0]` has `pull-from-mirror`, which `mirror-by-digest-only` of its registry forbids",
        ),
        (
            "[registries.search]\nregistries = ['docker.io']",
            "the file has a table `registries`, the older form: write `[[registry]]` entries",
        ),
        ("unqualified-search-registries = 'docker.io'", "`unqualified-search-registries` must be a list"),
        ("[aliases]\na = ['b']", "`aliases.a` must be text"),
    ] {
        let shown = Etc::conf(text).error("a.io/x");
        assert!(shown.starts_with("error: `~/etc/registries.conf` is not valid: "), "{shown}");
        assert!(shown.contains(expected), "{text}\n{shown}");
    }
    let shown = Etc::conf("[[registry]]\nprefix = 'a.io'\nlocation = 'u:p@b.io/x'").error("a.io/x");
    assert_eq!(
        shown,
        "error: `b.io` is not the address of a registry (this is about `~/etc/registries.conf`)"
    );
    let shown = Etc::new().with("etc/registries.conf/file", "").error("a.io/x");
    assert_eq!(shown, "error: cannot read `~/etc/registries.conf`");
}
