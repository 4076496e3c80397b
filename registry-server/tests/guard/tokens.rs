//! Tokens: for whom, for what, and for how long.

use std::time::Duration;

use serde_json::Value;

use super::support::{Answer, Registry, Request};
use super::{by, get, push_image, upload, user, with_users};

const RULES: [&str; 3] = ["@anyone:read:public", "alice:read,write,delete", "alice:read,write:public"];

fn token(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    answer.json()["token"].as_str().unwrap().to_owned()
}

fn bearing(token: &str, request: Request) -> Request {
    request.header("authorization", format!("Bearer {token}"))
}

fn form(registry: &Registry, fields: &str) -> Answer {
    let post = Request::new("POST", "/token").header("content-type", "application/x-www-form-urlencoded");
    registry.client.send(&post.body(fields))
}

#[test]
fn a_token_is_for_what_was_asked_and_allowed_and_nothing_else() {
    let registry = with_users(&RULES, |_| {});
    push_image(&registry, "app", "v1", 1);
    let ask = "/token?service=tug-registry&scope=repository:app:pull,push,fly&scope=repository:b:pull+registry:catalog:*";
    let answer = registry.client.send(&by("alice", get(ask)));
    let granted = answer.json()["scope"].as_str().unwrap().to_owned();
    assert_eq!(granted, "repository:app:pull,push repository:b:pull registry:catalog:*");
    assert_eq!(answer.json()["expires_in"], 300);
    let token = token(&answer);
    let send = |request: Request| registry.client.send(&bearing(&token, request));
    assert_eq!(send(get("/v2/")).status, 200);
    assert_eq!(send(get("/v2/app/manifests/v1")).status, 200);
    assert_eq!(send(upload("app")).status, 202);
    assert_eq!(send(get("/v2/_catalog")).status, 200);
    let refused = send(Request::new("DELETE", "/v2/app/manifests/v1"));
    assert_eq!(refused.status, 401);
    let challenge = refused.header("www-authenticate").unwrap();
    assert!(
        challenge.ends_with(",scope=\"repository:app:delete\",error=\"insufficient_scope\""),
        "{challenge}"
    );
    let nothing = registry.client.send(&by("bob", get("/token?scope=repository:app:pull"))).json();
    assert_eq!(nothing["scope"], "");
}

#[test]
fn a_stranger_gets_a_token_for_what_is_open() {
    let registry = with_users(&RULES, |_| {});
    push_image(&registry, "public/tool", "v1", 1);
    let answer =
        registry.client.get("/token?scope=repository:public/tool:pull,push&scope=repository:app:pull");
    assert_eq!(answer.json()["scope"], "repository:public/tool:pull");
    assert_eq!(answer.json().get("refresh_token"), None);
    let token = token(&answer);
    assert_eq!(registry.client.send(&bearing(&token, get("/v2/"))).status, 200);
    assert_eq!(registry.client.send(&bearing(&token, get("/v2/public/tool/tags/list"))).status, 200);
    let refused = registry.client.send(&bearing(&token, upload("public/tool")));
    assert_eq!(refused.status, 401, "a password might help");
    assert!(refused.header("www-authenticate").unwrap().contains("error=\"insufficient_scope\""));
}

#[test]
fn wrong_passwords_get_no_token_in_any_form() {
    let registry = with_users(&RULES, |_| {});
    let wrong = get("/token").header("authorization", super::basic("alice", "wrong"));
    assert_eq!(registry.client.send(&wrong).status, 401);
    assert_eq!(form(&registry, "grant_type=password&username=alice&password=wrong").status, 401);
    assert_eq!(form(&registry, "grant_type=refresh_token&refresh_token=a.b.c").status, 401);
    assert_eq!(form(&registry, "grant_type=password&username=alice").status, 400);
    assert_eq!(form(&registry, "grant_type=magic").status, 400);
    assert_eq!(registry.client.send(&by("alice", get("/token?service=other"))).status, 400);
    assert_eq!(registry.client.send(&Request::new("PUT", "/token").body("x")).status, 405);
    let token = token(&registry.client.send(&by("alice", get("/token?scope=repository:a:pull"))));
    let more = registry.client.send(&bearing(&token, get("/token?scope=repository:b:push")));
    assert_eq!(more.status, 400, "a token does not make others");
}

#[test]
fn a_client_may_keep_a_token_in_place_of_the_password_until_that_changes() {
    let mut users = None;
    let registry = with_users(&RULES, |options| users.clone_from(&options.access.users));
    let fields = "grant_type=password&username=alice&password=pw%2Dalice&access_type=offline&client_id=test\
                  &service=tug-registry&scope=repository%3Aapp%3Apull%2Cpush+repository%3Ab%3Apull";
    let first: Value = form(&registry, fields).json();
    assert_eq!(first["scope"], "repository:app:pull,push repository:b:pull");
    assert_eq!(first["access_token"], first["token"]);
    let refresh = first["refresh_token"].as_str().unwrap();
    assert_eq!(
        registry.client.send(&bearing(refresh, get("/v2/"))).status,
        401,
        "it is no token for requests"
    );
    let fields = format!("grant_type=refresh_token&refresh_token={refresh}&scope=repository:app:push");
    let token = token(&form(&registry, &fields));
    assert_eq!(registry.client.send(&bearing(&token, upload("app"))).status, 202);
    let offline = registry.client.send(&by("alice", get("/token?offline_token=true&account=alice")));
    assert!(offline.json()["refresh_token"].is_string(), "as `docker login` asks");
    std::fs::write(users.unwrap(), user("alice", "another")).unwrap();
    assert_eq!(form(&registry, &fields).status, 401);
}

#[test]
fn what_is_taken_from_a_user_ends_their_tokens() {
    let mut users = None;
    let registry = with_users(&RULES, |options| users.clone_from(&options.access.users));
    let token = token(&registry.client.send(&by("alice", get("/token?scope=repository:app:push"))));
    assert_eq!(registry.client.send(&bearing(&token, upload("app"))).status, 202);
    std::fs::write(users.unwrap(), user("bob", "pw-bob")).unwrap();
    let refused = registry.client.send(&bearing(&token, upload("app")));
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").unwrap().contains("error=\"invalid_token\""));
}

#[test]
fn a_token_ends() {
    let registry = with_users(&RULES, |options| options.access.token_life = Duration::ZERO);
    let token = token(&registry.client.send(&by("alice", get("/token?scope=repository:app:push"))));
    let refused = registry.client.send(&bearing(&token, upload("app")));
    assert_eq!(refused.status, 401);
}

#[test]
fn a_token_counts_after_a_restart() {
    let registry = with_users(&RULES, |_| {});
    let token = token(&registry.client.send(&by("alice", get("/token?scope=repository:app:push"))));
    let registry =
        registry.restart_with(|options| options.access.users = Some(options.root.join("_tug/users")));
    assert_eq!(registry.client.send(&bearing(&token, upload("app"))).status, 202);
}

#[test]
fn the_realm_is_where_the_client_came_in() {
    let registry = with_users(&[], |_| {});
    let realm = |registry: &Registry, headers: &[(&str, &str)]| {
        let request = headers.iter().fold(get("/v2/"), |request, (name, value)| request.header(name, value));
        let challenge = registry.client.send(&request).header("www-authenticate").unwrap().to_owned();
        challenge.split('"').nth(1).unwrap().to_owned()
    };
    let own = format!("http://{}/token", registry.running.address());
    assert_eq!(realm(&registry, &[]), own);
    assert_eq!(realm(&registry, &[("x-forwarded-proto", "https")]), own.replace("http:", "https:"));
    assert_eq!(realm(&registry, &[("x-forwarded-proto", "gopher")]), own);
    let registry = with_users(&[], |options| {
        options.access.public_url = Some("https://registry.example.com/".to_owned());
    });
    assert_eq!(realm(&registry, &[("x-forwarded-proto", "http")]), "https://registry.example.com/token");
}
