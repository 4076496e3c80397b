//! Why what counts.

use super::{Home, auths, repository};
use crate::credentials::{Credentials, Outcome};

fn explained(home: &Home, credentials: &Credentials, name: &str) -> Vec<String> {
    let lines = credentials.explain(&repository(name)).unwrap().into_iter().map(|line| {
        let outcome = match line.outcome {
            Outcome::Wins { what, user } => format!("wins: {what} of {}", user.unwrap_or_default()),
            Outcome::Broken(error) => format!("broken: {error}"),
            other => format!("{other:?}"),
        };
        home.without_home(&format!("{}: {outcome}", line.source))
    });
    lines.collect()
}

#[test]
fn every_place_is_told_with_what_it_has() {
    let config = r#"{"credsStore":"all","auths":{"a.io":{"auth":"dTpw"}}}"#;
    let home = Home::new()
        .with("containers/auth.json", &auths(&[("a.io/team", "me:hunter2"), ("b.io", "x:y")]))
        .with(".docker/config.json", config)
        .good_helper("all", "c.io", "all", "2");
    assert_eq!(
        explained(&home, &home.credentials(), "a.io/team/app"),
        [
            "`~/run/auth.json`: Absent",
            "`~/containers/auth.json` (`a.io/team`): wins: password of me",
            "`docker-credential-all` (`credsStore` in `~/.docker/config.json`): NotAsked",
            "`~/.docker/config.json` (`a.io`): Overruled",
            "`~/.dockercfg`: Absent",
        ]
    );
    assert_eq!(home.log(), [""; 0]);
    assert_eq!(
        explained(&home, &home.credentials(), "a.io"),
        [
            "`~/run/auth.json`: Absent",
            "`~/containers/auth.json`: Nothing",
            "`docker-credential-all` (`credsStore` in `~/.docker/config.json`): Nothing",
            "`~/.docker/config.json` (`a.io`): wins: password of u",
            "`~/.dockercfg`: Absent",
        ]
    );
}

#[test]
fn after_a_broken_place_nothing_is_asked() {
    let home =
        Home::new().with("run/auth.json", "{").with("containers/auth.json", &auths(&[("a.io", "x:y")]));
    let lines = explained(&home, &home.credentials(), "a.io");
    assert!(lines[0].starts_with("`~/run/auth.json`: broken: `~/run/auth.json` is not valid"), "{lines:?}");
    assert_eq!(lines[1], "`~/containers/auth.json` (`a.io`): Overruled");
    assert_eq!(
        explained(&home, &home.with_authfile("none.json"), "a.io"),
        ["`~/none.json`: broken: there is no `~/none.json`, which `--authfile` names"]
    );
}
