//! Passwords, rules, switches.

use tug_registry_server::{Challenge, Options, Rule, Server, StartError};

use super::support::{Registry, Request, noise};
use super::{basic, by, get, push_image, upload, user, with_users};

#[test]
fn a_stranger_is_asked_for_a_password_and_learns_nothing_of_what_there_is() {
    let registry = with_users(&[], |_| {});
    assert_eq!(push_image(&registry, "app", "latest", 1).status, 201);
    let host = registry.running.address();
    for (request, scope) in [
        (get("/v2/"), ""),
        (get("/v2/app/manifests/latest"), ",scope=\"repository:app:pull\""),
        (get("/v2/other/manifests/latest"), ",scope=\"repository:other:pull\""),
        (get("/v2/_catalog"), ",scope=\"registry:catalog:*\""),
        (upload("app"), ",scope=\"repository:app:pull,push\""),
        (
            upload("app").query("mount", tug_oci::Digest::of(b"")).query("from", "base"),
            ",scope=\"repository:app:pull,push repository:base:pull\"",
        ),
        (Request::new("DELETE", "/v2/app/manifests/latest"), ",scope=\"repository:app:delete\""),
    ] {
        let answer = registry.client.send(&request);
        assert_eq!((answer.status, answer.code().as_str()), (401, "UNAUTHORIZED"), "{request:?}");
        let expected = format!("Bearer realm=\"http://{host}/token\",service=\"tug-registry\"{scope}");
        assert_eq!(answer.header("www-authenticate"), Some(expected.as_str()));
        assert!(answer.header("docker-distribution-api-version").is_some());
    }
}

#[test]
fn a_password_lets_in_and_a_wrong_one_does_not() {
    let registry = with_users(&[], |options| options.access.challenge = Challenge::Basic);
    assert_eq!(registry.client.send(&by("alice", get("/v2/"))).status, 200);
    for header in [
        basic("alice", "wrong"),
        basic("alice", ""),
        basic("nobody", "pw-alice"),
        "Basic !".to_owned(),
        "Negotiate abc".to_owned(),
        "Basic".to_owned(),
        "Bearer a.b.c".to_owned(),
    ] {
        let answer = registry.client.send(&get("/v2/").header("authorization", &header));
        assert_eq!(answer.status, 401, "{header}");
        let challenge = answer.header("www-authenticate").unwrap();
        assert_eq!(challenge, "Basic realm=\"tug registry\", charset=\"UTF-8\"");
    }
}

#[test]
fn rules_decide_per_prefix_who_reads_writes_and_deletes() {
    let registry = with_users(
        &[
            "@anyone:read:public",
            "@users:read",
            "alice:read,write,delete:team",
            "bob:read:team",
            "alice:write,read:public",
        ],
        |_| {},
    );
    for repository in ["public/tool", "team/app"] {
        assert_eq!(push_image(&registry, repository, "v1", 1).status, 201);
    }
    let status = |who: Option<&str>, request: Request| match who {
        Some(who) => registry.client.send(&by(who, request)).status,
        None => registry.client.send(&request).status,
    };
    let read = |repository: &str| get(&format!("/v2/{repository}/manifests/v1"));
    let delete = |repository: &str| Request::new("DELETE", format!("/v2/{repository}/manifests/v1"));
    assert_eq!(status(None, read("public/tool")), 200);
    assert_eq!(status(None, upload("public/tool")), 401);
    assert_eq!(status(Some("bob"), upload("public/tool")), 403);
    assert_eq!(status(None, read("team/app")), 401);
    assert_eq!(status(Some("carol"), read("team/app")), 403);
    assert_eq!(status(Some("bob"), read("team/app")), 200);
    assert_eq!(status(Some("bob"), upload("team/app")), 403);
    assert_eq!(status(Some("bob"), delete("team/app")), 403);
    assert_eq!(status(Some("alice"), delete("public/tool")), 403, "write is not delete");
    assert_eq!(status(Some("alice"), delete("team/app")), 202);
    let refused = registry.client.send(&by("bob", upload("team/app")));
    assert_eq!(refused.code(), "DENIED");
    assert!(refused.text().contains("the user `bob` may not write to `team/app`"), "{}", refused.text());
}

#[test]
fn lists_hold_what_the_caller_may_read() {
    let registry = with_users(
        &[
            "@anyone:read:public",
            "@users:read",
            "alice:read,write",
            "alice:read,write:team",
            "alice:read,write:public",
        ],
        |_| {},
    );
    for repository in ["public/tool", "team/app", "misc"] {
        push_image(&registry, repository, "v1", 1);
    }
    let list = |request: Request| registry.client.send(&request).json()["repositories"].to_string();
    assert_eq!(list(by("alice", get("/v2/_catalog"))), r#"["misc","public/tool","team/app"]"#);
    assert_eq!(
        list(by("bob", get("/v2/_catalog"))),
        r#"["misc","public/tool"]"#,
        "the longest prefix decides"
    );
    assert_eq!(list(get("/v2/_catalog")), r#"["public/tool"]"#);
    assert_eq!(list(by("alice", get("/v2/_catalog?n=1&last=misc"))), r#"["public/tool"]"#);
}

#[test]
fn a_blob_is_mounted_only_from_where_the_caller_may_read() {
    let registry = with_users(
        &["alice:read,write", "bob:read,write:own", "bob:read:shared", "alice:read,write:shared"],
        |_| {},
    );
    let bytes = noise(7, 500);
    let digest = tug_oci::Digest::of(&bytes);
    let push = upload("secret").query("digest", &digest).body(bytes.clone());
    assert_eq!(registry.client.send(&by("alice", push)).status, 201);
    for mount in [
        upload("own/app").query("mount", &digest),
        upload("own/app").query("mount", &digest).query("from", "secret"),
    ] {
        let answer = registry.client.send(&by("bob", mount));
        assert_eq!(answer.status, 202, "the blob is not there for bob: {}", answer.text());
    }
    let push = upload("shared/base").query("digest", &digest).body(bytes);
    assert_eq!(registry.client.send(&by("alice", push)).status, 201);
    assert_eq!(registry.client.send(&by("bob", upload("own/app").query("mount", &digest))).status, 201);
}

#[test]
fn users_and_rules_change_without_a_restart_and_a_mistake_leaves_them() {
    let mut files = None;
    let registry = with_users(&[], |options| {
        let rules = options.root.join("_tug/rules.toml");
        std::fs::write(&rules, "[[rules]]\nusers = [\"alice\"]\nallow = [\"read\", \"write\"]\n").unwrap();
        options.access.rules_file = Some(rules.clone());
        files = Some((options.access.users.clone().unwrap(), rules));
    });
    let (users, rules) = files.unwrap();
    let status = |name: &str| registry.client.send(&by(name, upload("app"))).status;
    assert_eq!((status("alice"), status("bob")), (202, 403));
    std::fs::write(&rules, "[[rules]]\nusers = [\"@users\"]\nallow = [\"write\"]\n").unwrap();
    assert_eq!(status("bob"), 202);
    std::fs::write(&rules, "rules = 7").unwrap();
    assert_eq!(status("bob"), 202, "what was good before counts");
    std::fs::write(
        &rules,
        "read-only = true\n[[rules]]\nusers = [\"@users\"]\nallow = [\"read\", \"write\"]\n",
    )
    .unwrap();
    let refused = registry.client.send(&by("bob", upload("app")));
    assert_eq!((refused.status, refused.code().as_str()), (403, "DENIED"));
    assert!(refused.text().contains("the registry is read-only"));
    assert_eq!(registry.client.send(&by("bob", get("/v2/_catalog"))).status, 200);
    std::fs::write(&users, user("alice", "pw-alice")).unwrap();
    assert_eq!(registry.client.send(&by("bob", get("/v2/_catalog"))).status, 401);
}

#[test]
fn an_immutable_tag_stays_and_others_move() {
    let registry = with_users(&[], |options| options.access.immutable_tags = vec!["v*".to_owned()]);
    let first = push_image(&registry, "app", "v1", 1);
    assert_eq!(first.status, 201);
    assert_eq!(push_image(&registry, "app", "v1", 1).status, 201, "the same again is no change");
    let refused = push_image(&registry, "app", "v1", 2);
    assert_eq!((refused.status, refused.code().as_str()), (403, "DENIED"));
    assert_eq!(refused.json()["errors"][0]["detail"]["reason"], "immutable");
    let delete = |reference: &str| {
        let request = Request::new("DELETE", format!("/v2/app/manifests/{reference}"));
        registry.client.send(&by("alice", request)).status
    };
    assert_eq!(delete("v1"), 403);
    assert_eq!(delete(first.header("docker-content-digest").unwrap()), 403, "the tag would go with it");
    assert_eq!(push_image(&registry, "app", "latest", 3).status, 201);
    assert_eq!(push_image(&registry, "app", "latest", 4).status, 201);
    assert_eq!(delete("latest"), 202);
}

#[test]
fn a_server_does_not_start_with_a_file_that_it_cannot_use() {
    let root = tempfile::tempdir().unwrap();
    let users = root.path().join("users");
    std::fs::write(&users, "alice:$apr1$x$y\n").unwrap();
    let mut options = Options::new(root.path().join("registry"));
    options.access.users = Some(users.clone());
    let refused = Server::start(options).expect_err("nobody could log in");
    assert!(matches!(refused, StartError::Access(_)));
    let expected = format!(
        "`{}`, line 1: the password of `alice` is hashed with MD5; only bcrypt is taken: make it with `htpasswd -B`",
        users.display()
    );
    assert_eq!(refused.to_string(), expected);
}

#[test]
fn without_users_nobody_is_asked_for_anything() {
    let registry = Registry::start();
    assert_eq!(registry.client.send(&get("/v2/").header("authorization", "Bearer old")).status, 200);
    let registry = Registry::with(|options| {
        options.access.rules = vec![Rule::parse("@anyone:read").unwrap()];
    });
    let refused = registry.client.send(&upload("app"));
    assert_eq!((refused.status, refused.code().as_str()), (403, "DENIED"), "there is nothing to log in with");
}
