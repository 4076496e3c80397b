//! Programs that keep passwords, as small scripts.

use std::sync::Arc;
use std::time::Duration;

use super::{Home, auths, repository};

const CONFIG: &str = ".docker/config.json";

#[test]
fn the_helper_of_a_registry_comes_before_that_of_all_and_both_before_the_file() {
    let config = r#"{"credsStore":"all","credHelpers":{"a.io":"own"},"auths":{"a.io":{"auth":"dTpw"},"b.io":{"auth":"dTpw"},"c.io":{"auth":"dTpw"}}}"#;
    let home = Home::new()
        .with(CONFIG, config)
        .good_helper("own", "a.io", "own", "1")
        .good_helper("all", "b.io", "all", "2");
    let credentials = home.credentials();
    assert_eq!(
        home.found(&credentials, "a.io/x"),
        "own:1 from `docker-credential-own` (`credHelpers.a.io` in `~/.docker/config.json`)"
    );
    assert_eq!(
        home.found(&credentials, "b.io/x"),
        "all:2 from `docker-credential-all` (`credsStore` in `~/.docker/config.json`)"
    );
    assert_eq!(home.found(&credentials, "c.io/x"), "u:p from `~/.docker/config.json` (`c.io`)");
}

#[test]
fn a_helper_that_has_nothing_is_no_error() {
    let home = Home::new().with(CONFIG, r#"{"credsStore":"all"}"#).good_helper("all", "x.io", "u", "p");
    assert_eq!(home.found(&home.credentials(), "a.io/x"), "nobody");
    for answer in [
        r#"echo "credentials not found in native keychain"; exit 1"#,
        r#"echo "credentials not found in native keychain" >&2; exit 1"#,
        r#"echo '{"ServerURL":"a.io","Username":"","Secret":""}'"#,
    ] {
        let home = Home::new().with(CONFIG, r#"{"credsStore":"all"}"#).helper("all", answer);
        assert_eq!(home.found(&home.credentials(), "a.io/x"), "nobody", "{answer}");
    }
}

#[test]
fn a_helper_is_asked_once_for_each_host_however_many_want_to_know() {
    let home = Home::new().with(CONFIG, r#"{"credsStore":"all"}"#).good_helper("all", "a.io", "u", "p");
    let credentials = Arc::new(home.credentials());
    std::thread::scope(|scope| {
        for at in 0..8 {
            let credentials = Arc::clone(&credentials);
            let name = if at % 2 == 0 { "a.io/x" } else { "b.io/y" };
            scope.spawn(move || credentials.for_repository(&repository(name)).unwrap());
        }
    });
    let mut asked = home.log();
    asked.sort();
    assert_eq!(asked, ["get a.io", "get b.io"]);
}

#[test]
fn helpers_know_docker_hub_by_the_name_that_docker_uses() {
    let hub = "https://index.docker.io/v1/";
    let home = Home::new().with(CONFIG, r#"{"credsStore":"all"}"#).good_helper("all", hub, "u", "p");
    assert!(home.found(&home.credentials(), "docker.io/library/a").starts_with("u:p from "));
    assert_eq!(home.log(), [format!("get {hub}")]);
    let home = Home::new().with(CONFIG, r#"{"credsStore":"all"}"#).good_helper("all", "docker.io", "u", "p");
    assert!(home.found(&home.credentials(), "docker.io/library/a").starts_with("u:p from "));
    assert_eq!(home.log(), [format!("get {hub}"), "get docker.io".to_owned()]);
}

#[test]
fn the_user_token_means_an_identity_token() {
    let home =
        Home::new().with(CONFIG, r#"{"credsStore":"all"}"#).good_helper("all", "a.io", "<token>", "it");
    assert!(home.found(&home.credentials(), "a.io/x").starts_with("identity it from "));
}

#[test]
fn a_helper_that_does_not_do_its_work_is_named_with_the_file_that_names_it() {
    let its_name = "error: `docker-credential-bad`, which `~/.docker/config.json` names for `a.io`,";
    for (script, expected) in [
        ("echo hunter2", "answered something else than an entry: its answer is not JSON"),
        ("true", "answered something else than an entry: its answer is not JSON"),
        (
            r#"echo '{"ServerURL":"a.io","Secret":"hunter2"}'"#,
            "answered something else than an entry: `Username` and `Secret` are not both there",
        ),
        (
            "echo '[\"hunter2\"]'",
            "answered something else than an entry: `Username` and `Secret` are not both there",
        ),
        ("echo 'pass is locked'; exit 1", "failed: pass is locked"),
        ("echo 'no keyring' >&2; exit 2", "failed: no keyring"),
        ("printf '\\033[31mred\\007'; exit 1", "failed: [31mred"),
        (r#"echo '{"Secret":"hunter2"}'; exit 1"#, "failed: exit status: 1"),
        ("exit 3", "failed: exit status: 3"),
        ("kill -9 $$", "failed: signal: 9 (SIGKILL)"),
    ] {
        let home = Home::new().with(CONFIG, r#"{"credsStore":"bad"}"#).helper("bad", script);
        assert_eq!(home.found(&home.credentials(), "a.io/x"), format!("{its_name} {expected}"), "{script}");
    }
}

#[test]
fn a_helper_that_is_not_there_is_told_with_advice() {
    let home = Home::new().with(CONFIG, r#"{"credHelpers":{"a.io":"none"}}"#);
    let error = home.credentials().for_repository(&repository("a.io/x")).unwrap_err();
    assert_eq!(
        home.without_home(&error.to_string()),
        "`docker-credential-none`, which `~/.docker/config.json` names for `a.io`, is not installed"
    );
    assert_eq!(
        home.without_home(&error.hint().unwrap()),
        "install `docker-credential-none`, or remove its name from `~/.docker/config.json`"
    );
    assert_eq!(home.found(&home.credentials(), "b.io/x"), "nobody");
    for name in ["../bin/docker-credential-x", "a/b"] {
        let home = Home::new().with(CONFIG, &format!(r#"{{"credsStore":"{name}"}}"#));
        let shown = home.found(&home.credentials(), "a.io/x");
        assert!(shown.ends_with("is not the name of a program"), "{shown}");
    }
}

#[test]
fn a_file_that_is_no_program_cannot_be_started() {
    let home = Home::new().with(CONFIG, r#"{"credsStore":"bad"}"#).helper("bad", "");
    std::fs::write(home.path("bin/docker-credential-bad"), "\x7fELF").unwrap();
    let shown = home.found(&home.credentials(), "a.io/x");
    assert!(shown.contains("cannot be started: "), "{shown}");
}

#[test]
fn a_helper_that_hangs_is_stopped_and_not_asked_again() {
    let mut home = Home::new()
        .with(CONFIG, r#"{"credsStore":"slow"}"#)
        .helper("slow", "echo asked >> \"$LOG\"; exec sleep 3600");
    home.time_limit = Duration::from_millis(500);
    let credentials = home.credentials();
    let shown = home.found(&credentials, "a.io/x");
    assert!(shown.ends_with("names for `a.io`, gave no answer within 0.5 s"), "{shown}");
    assert_eq!(home.found(&credentials, "a.io/y"), shown);
    assert!(home.log().len() <= 1, "{:?}", home.log());
}

#[test]
fn a_helper_that_leaves_somebody_behind_is_not_waited_for() {
    let mut home =
        Home::new().with(CONFIG, r#"{"credsStore":"slow"}"#).helper("slow", "sleep 20 &\necho x; exit 0");
    home.time_limit = Duration::from_millis(700);
    let shown = home.found(&home.credentials(), "a.io/x");
    assert!(shown.ends_with("gave no answer within 0.7 s"), "{shown}");
}

#[test]
fn helpers_get_their_users_environment_and_the_host_on_standard_input() {
    let script = r#"server=$(cat)
test -z "${HOME+set}" || exit 9
echo "{\"ServerURL\":\"$server\",\"Username\":\"$1\",\"Secret\":\"$server\"}""#;
    let home = Home::new().with(CONFIG, r#"{"credsStore":"all"}"#).helper("all", script);
    assert!(home.found(&home.credentials(), "a.io:5000/x").starts_with("get:a.io:5000 from "));
}

#[test]
fn helpers_of_registries_conf_come_in_its_order() {
    let conf = "credential-helpers = ['one', 'containers-auth.json', 'two']\n";
    let home = Home::new()
        .with("containers/registries.conf", conf)
        .with("run/auth.json", &auths(&[("a.io", "file:0"), ("b.io", "file:0")]))
        .good_helper("one", "a.io", "one", "1")
        .good_helper("two", "c.io", "two", "2");
    let credentials = home.credentials();
    assert_eq!(
        home.found(&credentials, "a.io/x"),
        "one:1 from `docker-credential-one` (named in `~/containers/registries.conf`)"
    );
    assert_eq!(home.found(&credentials, "b.io/x"), "file:0 from `~/run/auth.json` (`b.io`)");
    assert_eq!(
        home.found(&credentials, "c.io/x"),
        "two:2 from `docker-credential-two` (named in `~/containers/registries.conf`)"
    );
    let home = Home::new()
        .with("containers/registries.conf", "credential-helpers = []")
        .with("run/auth.json", &auths(&[("a.io", "file:0")]));
    assert_eq!(home.found(&home.credentials(), "a.io/x"), "nobody");
}
