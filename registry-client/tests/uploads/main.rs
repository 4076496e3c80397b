//! Uploads to a registry that is right, to those that are peculiar, and over connections that break.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

#[path = "../support/mod.rs"]
mod support;

mod simple;
mod source;

use tug_oci::Digest;
use tug_registry_client::{Error, Uploaded};
use tug_testdata::registry_peer::Peer;

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
