//! What is kept and taken away, and what stays as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::{Home, auths, repository};
use crate::credentials::{CredentialKind, Credentials};
use crate::secret::Secret;

fn pair() -> CredentialKind {
    CredentialKind::of_pair("me", "new")
}

fn save(home: &Home, credentials: &Credentials, name: &str, kind: &CredentialKind) -> String {
    let text = match credentials.save(&repository(name), kind) {
        Ok(saved) => format!("{}{}", saved.source, if saved.is_plain { ", plain" } else { "" }),
        Err(error) => format!("error: {error}"),
    };
    home.without_home(&text)
}

fn removed(home: &Home, credentials: &Credentials, name: &str) -> Vec<String> {
    let removed = credentials.remove(&repository(name)).unwrap();
    removed.iter().map(|removed| home.without_home(&removed.source.to_string())).collect()
}

#[test]
fn a_new_file_is_for_its_owner_only() {
    let home = Home::new();
    let credentials = home.credentials();
    assert_eq!(
        save(&home, &credentials, "docker.io", &pair()),
        "`~/.docker/config.json` (`https://index.docker.io/v1/`), plain"
    );
    insta::assert_snapshot!(home.text(".docker/config.json"), @r#"
    {
    	"auths": {
    		"https://index.docker.io/v1/": {
    			"auth": "bWU6bmV3"
    		}
    	}
    }
    "#);
    let mode = |name: &str| fs::metadata(home.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(".docker/config.json"), mode(".docker")), (0o600, 0o700));
    assert!(home.found(&credentials, "docker.io/library/a").starts_with("me:new from "));
    assert_eq!(fs::read_dir(home.path(".docker")).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn it_is_kept_where_it_will_be_found() {
    let here = auths(&[("a.io", "old:1")]);
    let other = auths(&[("x.io", "old:1")]);
    for (files, expected) in [
        (
            &[("containers/auth.json", &here), (".docker/config.json", &here)][..],
            "`~/containers/auth.json` (`a.io`), plain",
        ),
        (
            &[("containers/auth.json", &other), (".docker/config.json", &here)],
            "`~/.docker/config.json` (`a.io`), plain",
        ),
        (
            &[("containers/auth.json", &other), (".docker/config.json", &other)],
            "`~/containers/auth.json` (`a.io`), plain",
        ),
        (&[(".docker/config.json", &other)], "`~/.docker/config.json` (`a.io`), plain"),
        (&[(".dockercfg", &"{\"a.io\":{}}".to_owned())], "`~/.docker/config.json` (`a.io`), plain"),
    ] {
        let home = files.iter().fold(Home::new(), |home, (name, text)| home.with(name, text));
        assert_eq!(save(&home, &home.credentials(), "a.io", &pair()), expected, "{files:?}");
        assert!(home.found(&home.credentials(), "a.io/x").starts_with("me:new from "), "{files:?}");
    }
    let home = Home::new().with(".docker/config.json", &here);
    assert_eq!(
        save(&home, &home.with_authfile("new/mine.json"), "docker.io", &pair()),
        "`~/new/mine.json` (`docker.io`), plain"
    );
    assert_eq!(home.text(".docker/config.json"), here);
    assert_eq!(
        save(&home, &home.with_authfile("new/mine.json"), "a.io/team", &pair()),
        "`~/new/mine.json` (`a.io/team`), plain"
    );
    assert!(home.found(&home.with_authfile("new/mine.json"), "a.io/team/x").starts_with("me:new from "));
    assert_eq!(home.found(&home.with_authfile("new/mine.json"), "a.io/x"), "nobody");
}

#[test]
fn everything_else_in_the_file_stays() {
    let before = r#"{"psFormat":"table","auths":{"z.io":{"auth":"eDp5"},"https://a.io/v1/":{"auth":"b2xkOjE="},"a.io/team":{"auth":"dDp0"},"b.io":{"auth":"YjpiIA==","email":"b@b.io"}},"plugins":{"x":{"y":"1"}},"n":1.50}"#;
    let home = Home::new().with(".docker/config.json", before);
    fs::set_permissions(home.path(".docker/config.json"), fs::Permissions::from_mode(0o644)).unwrap();
    let credentials = home.credentials();
    save(&home, &credentials, "a.io", &CredentialKind::Identity(Secret::new("it")));
    insta::assert_snapshot!(home.text(".docker/config.json"), @r#"
    {
    	"psFormat": "table",
    	"auths": {
    		"z.io": {
    			"auth": "eDp5"
    		},
    		"https://a.io/v1/": {
    			"identitytoken": "it"
    		},
    		"a.io/team": {
    			"auth": "dDp0"
    		},
    		"b.io": {
    			"auth": "YjpiIA==",
    			"email": "b@b.io"
    		}
    	},
    	"plugins": {
    		"x": {
    			"y": "1"
    		}
    	},
    	"n": 1.5
    }
    "#);
    let mode = fs::metadata(home.path(".docker/config.json")).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert_eq!(removed(&home, &credentials, "a.io"), ["`~/.docker/config.json` (`https://a.io/v1/`)"]);
    assert_eq!(home.found(&credentials, "a.io/x"), "nobody");
    assert!(home.found(&credentials, "a.io/team/x").starts_with("t:t from "));
}

#[test]
fn a_link_stays_a_link() {
    let home = Home::new().with("dotfiles/config.json", &auths(&[("a.io", "old:1")]));
    fs::create_dir(home.path(".docker")).unwrap();
    std::os::unix::fs::symlink("../dotfiles/config.json", home.path(".docker/config.json")).unwrap();
    save(&home, &home.credentials(), "a.io", &pair());
    assert!(home.path(".docker/config.json").is_symlink());
    assert!(home.text("dotfiles/config.json").contains("bWU6bmV3"));
}

#[test]
fn a_helper_keeps_it_where_one_is_configured() {
    let keeper = r#"echo "$1 $(cat)" >> "$LOG""#;
    let config = r#"{"credsStore":"all","credHelpers":{"a.io":"own"}}"#;
    let home = Home::new().with(".docker/config.json", config).helper("all", keeper).helper("own", keeper);
    let credentials = home.credentials();
    assert_eq!(
        save(&home, &credentials, "a.io", &pair()),
        "`docker-credential-own` (`credHelpers.a.io` in `~/.docker/config.json`)"
    );
    assert_eq!(
        save(&home, &credentials, "docker.io", &CredentialKind::Identity(Secret::new("it"))),
        "`docker-credential-all` (`credsStore` in `~/.docker/config.json`)"
    );
    assert_eq!(
        home.log(),
        [
            r#"store {"ServerURL":"a.io","Username":"me","Secret":"new"}"#,
            r#"store {"ServerURL":"https://index.docker.io/v1/","Username":"<token>","Secret":"it"}"#,
        ]
    );
    let text = home.text(".docker/config.json");
    assert!(text.contains("\"a.io\": {}") && !text.contains("bWU6bmV3"), "{text}");
}

#[test]
fn a_helper_that_refuses_leaves_everything_as_it_was() {
    let config = r#"{"credsStore":"bad"}"#;
    let home =
        Home::new().with(".docker/config.json", config).helper("bad", "echo 'keyring is locked'; exit 1");
    let shown = save(&home, &home.credentials(), "a.io", &pair());
    assert!(shown.starts_with("error: ") && shown.ends_with("failed: keyring is locked"), "{shown}");
    assert_eq!(home.text(".docker/config.json"), config);
}

#[test]
fn a_malformed_file_is_not_written_over() {
    let home = Home::new().with(".docker/config.json", "{\"auths\":{}");
    let shown = save(&home, &home.credentials(), "a.io", &pair());
    assert!(shown.starts_with("error: `~/.docker/config.json` is not valid"), "{shown}");
    assert_eq!(home.text(".docker/config.json"), "{\"auths\":{}");
}

#[test]
fn taking_away_is_about_all_places_and_exactly_this_name() {
    let home = Home::new()
        .with("run/auth.json", &auths(&[("a.io", "x:1"), ("a.io/team", "x:2"), ("b.io", "x:3")]))
        .with(".docker/config.json", &auths(&[("https://a.io", "x:4"), ("b.io", "x:5")]))
        .with(".dockercfg", r#"{"a.io":{"auth":"dTpw"},"b.io":{"auth":"dTpw"}}"#);
    let credentials = home.credentials();
    assert_eq!(
        removed(&home, &credentials, "a.io"),
        ["`~/run/auth.json` (`a.io`)", "`~/.docker/config.json` (`https://a.io`)", "`~/.dockercfg` (`a.io`)"]
    );
    assert_eq!(home.found(&credentials, "a.io/x"), "nobody");
    assert!(home.found(&credentials, "a.io/team").starts_with("x:2 from "));
    assert!(home.found(&credentials, "b.io").starts_with("x:3 from "));
    assert_eq!(removed(&home, &credentials, "a.io"), [""; 0]);
    assert_eq!(removed(&home, &home.with_authfile("none.json"), "b.io"), [""; 0]);
    let all = credentials.remove_all().unwrap();
    assert_eq!(all.len(), 4, "{all:?}");
    assert_eq!(home.found(&home.credentials(), "b.io"), "nobody");
    assert_eq!(home.found(&home.credentials(), "a.io/team"), "nobody");
}

#[test]
fn helpers_forget_as_well() {
    let script = r#"input=$(cat)
echo "$1 $input" >> "$LOG"
case "$1 $input" in
    "list ") echo '{"a.io":"u","https://index.docker.io/v1/":"u"}' ;;
    "get b.io" | "get docker.io") echo "credentials not found in native keychain"; exit 1 ;;
    get*) echo '{"ServerURL":"x","Username":"u","Secret":"p"}' ;;
esac"#;
    let home = Home::new()
        .with(".docker/config.json", r#"{"credsStore":"all","auths":{"a.io":{}}}"#)
        .helper("all", script);
    let its_name = "`docker-credential-all` (`credsStore` in `~/.docker/config.json`)";
    assert_eq!(removed(&home, &home.credentials(), "a.io"), [its_name]);
    assert_eq!(home.log(), ["get a.io", "erase a.io"]);
    assert!(!home.text(".docker/config.json").contains("a.io"));
    assert_eq!(removed(&home, &home.credentials(), "b.io"), [""; 0]);
    let all = home.credentials().remove_all().unwrap();
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(home.log().contains(&"erase https://index.docker.io/v1/".to_owned()), "{:?}", home.log());
}
