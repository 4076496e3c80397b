//! Uploads to a registry that is right, to those that are peculiar, and over connections that break.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

#[path = "../support/mod.rs"]
mod support;

mod attached;
mod broken;
mod manifests;
mod peculiar;
mod real;
mod refused;
mod relay;
mod simple;
mod source;

use std::sync::Arc;

use tug_oci::Digest;
use tug_registry_client::credentials::{CredentialOptions, Credentials, GivenCredential};
use tug_registry_client::{Client, Error, Limits, Options, Secret, Uploaded};
use tug_testdata::registry_peer::{Behaviour, Peer, Uploads};

/// Uploads these bytes to the repository `app`.
fn upload(peer: &Peer, bytes: &[u8]) -> Result<Uploaded, Error> {
    let (client, _) = support::client(support::limits());
    let app = support::repository(peer.address(), "app");
    support::run(client.upload(&app, source::Source::new(bytes), &[]))
}

/// A blob of a peer.
fn blob(peer: &Peer, name: &str, digest: &Digest) -> Option<Vec<u8>> {
    peer.contents(|contents| {
        let blob = contents.repository(name).blobs.get(&digest.to_string());
        blob.map(|bytes| bytes.to_vec())
    })
}

fn open_sessions(peer: &Peer) -> usize {
    peer.contents(|contents| contents.open_sessions())
}

fn peer_with(uploads: Uploads) -> Peer {
    Peer::start(Behaviour { uploads, ..Behaviour::default() })
}

/// Uploads these bytes from a source that does not know its end at first. It grows when half of it was sent.
fn grow(peer: &Peer, bytes: &[u8]) -> Result<Uploaded, Error> {
    let (client, _) = support::client(support::limits());
    let app = support::repository(peer.address(), "app");
    let source = source::Source::growing(bytes, bytes.len() / 2);
    std::thread::scope(|scope| {
        let upload = scope.spawn(|| support::run(client.upload(&app, Arc::clone(&source) as Arc<_>, &[])));
        peer.wait_until("something was sent", |all| all.iter().any(|one| one.is("PATCH", "/uploads/")));
        source.complete();
        upload.join().unwrap()
    })
}

/// The blob is in the repository `app`, and no session is left.
fn assert_complete(peer: &Peer, bytes: &[u8]) {
    assert!(blob(peer, "app", &Digest::of(bytes)).as_deref() == Some(bytes), "{:#?}", peer.lines());
    assert_eq!(open_sessions(peer), 0, "{:#?}", peer.lines());
}

/// A client of somebody with an account everywhere.
fn me(limits: Limits) -> Client {
    let given = GivenCredential {
        registry: None,
        user: "me".to_owned(),
        password: Secret::new("secret"),
        flag: "--creds".to_owned(),
    };
    let credentials =
        Credentials::new(CredentialOptions { given: vec![given], ..CredentialOptions::default() });
    Client::new(Options { limits, credentials: credentials.into(), ..Options::default() })
}
