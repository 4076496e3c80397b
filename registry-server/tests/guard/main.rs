//! The server lets nobody in who may not, gives nobody more than their share, and tells what it did.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod encrypted;
mod limits;
mod telling;
mod tokens;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use tug_registry_server::{Options, Rule};

use support::{Answer, Registry, Request};

/// A line of a file of users.
fn user(name: &str, password: &str) -> String {
    let hash = bcrypt::hash_with_result(password, 4).unwrap().format_for_version(bcrypt::Version::TwoY);
    format!("{name}:{hash}\n")
}

/// A registry with the users alice, bob and carol, whose password is `pw-NAME`.
fn with_users(rules: &[&str], change: impl FnOnce(&mut Options)) -> Registry {
    Registry::with(|options| {
        let users = options.root.join("_tug/users");
        std::fs::create_dir_all(users.parent().unwrap()).unwrap();
        let lines: String = ["alice", "bob", "carol"].map(|name| user(name, &format!("pw-{name}"))).concat();
        std::fs::write(&users, lines).unwrap();
        options.access.users = Some(users);
        options.access.rules = rules.iter().map(|rule| Rule::parse(rule).unwrap()).collect();
        change(options);
    })
}

/// `request`, sent by a user with their password.
fn by(name: &str, request: Request) -> Request {
    request.header("authorization", basic(name, &format!("pw-{name}")))
}

fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{name}:{password}")))
}

fn get(target: &str) -> Request {
    Request::new("GET", target)
}

fn upload(repository: &str) -> Request {
    Request::new("POST", format!("/v2/{repository}/blobs/uploads/"))
}

/// Puts an image with one small config into a repository, as alice. The digest of its manifest.
fn push_image(registry: &Registry, repository: &str, tag: &str, seed: u64) -> Answer {
    let config = support::noise(seed, 100);
    let digest = tug_oci::Digest::of(&config);
    let pushed = registry.client.send(&by("alice", upload(repository).query("digest", &digest).body(config)));
    assert_eq!(pushed.status, 201, "{}", pushed.text());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest.to_string(), "size": 100 },
        "layers": [],
    });
    let put = Request::new("PUT", format!("/v2/{repository}/manifests/{tag}"))
        .header("content-type", "application/vnd.oci.image.manifest.v1+json")
        .body(manifest.to_string());
    registry.client.send(&by("alice", put))
}
