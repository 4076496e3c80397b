//! What goes wrong between a client and a registry, one fault at a time: the outcome, the error's kind and words, and
//! the bytes that went over the wire. `testdata/REGISTRY-FAULTS.md` lists the faults.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]
#![allow(clippy::single_range_in_vec_init, reason = "what is missing is a list of ranges, often of one")]

mod auth;
mod documents;
mod encryption;
mod lists;
mod places;
mod pull;
mod rates;
mod redirects;
#[path = "../support/mod.rs"]
mod support;

use std::sync::Arc;

use tug_oci::{Descriptor, Digest};
use tug_registry_client::credentials::{
    CredentialKind, CredentialOptions, Credentials, GivenCredential, InlineAuth,
};
use tug_registry_client::hosts::{HostOptions, Hosts, RegistriesOptions};
use tug_registry_client::{Client, Limits, Observer, Options, Secret, Target};
use tug_testdata::registry_peer::LAYER;

use support::Heard;

/// A client with these limits and whatever else a test wants of it, and what it tells.
fn client_with(limits: Limits, change: impl FnOnce(&mut Options)) -> (Client, Arc<Heard>) {
    let heard = Arc::new(Heard::default());
    let observer = Arc::clone(&heard) as Arc<dyn Observer>;
    let mut options = Options { limits, observer, ..Options::default() };
    options.credentials = Arc::new(Credentials::new(CredentialOptions::default()));
    options.hosts = Arc::new(Hosts::new(HostOptions::default()));
    change(&mut options);
    (Client::new(options), heard)
}

/// A user and a password for every registry, as `--creds` gives them.
fn user(name: &str, password: &str) -> Arc<Credentials> {
    let CredentialKind::Basic { user, password } = CredentialKind::of_pair(name, password) else {
        panic!("`{name}` stands for a token");
    };
    let given = vec![GivenCredential { registry: None, user, password, flag: "--creds".to_owned() }];
    Arc::new(Credentials::new(CredentialOptions { given, ..CredentialOptions::default() }))
}

/// The text of a `config.json`, as `DOCKER_AUTH_CONFIG` gives it.
fn config(text: &str) -> Arc<Credentials> {
    let inline = Some(InlineAuth { variable: "DOCKER_AUTH_CONFIG".to_owned(), text: Secret::new(text) });
    Arc::new(Credentials::new(CredentialOptions { inline, ..CredentialOptions::default() }))
}

/// A registries.conf with this text, and the folder that it is in.
fn registries(text: &str) -> (Arc<Hosts>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("registries.conf");
    std::fs::write(&path, text).unwrap();
    let registries =
        RegistriesOptions { only: Some((path, "a test".to_owned())), ..RegistriesOptions::default() };
    (Arc::new(Hosts::new(HostOptions { registries, ..HostOptions::default() })), folder)
}

fn tag(name: &str) -> Target {
    Target::Tag(name.to_owned())
}

fn digest(text: &str) -> Digest {
    text.parse().unwrap()
}

/// What a manifest says of a layer.
fn layer(digest: &str, size: usize) -> Descriptor {
    Descriptor::new(LAYER, digest.parse().unwrap(), size as u64)
}
