//! What other registries have is fetched, kept and served; and what happens when they fail.

#![allow(clippy::unwrap_used, reason = "a test that fails should stop")]

#[path = "../support/mod.rs"]
mod support;

mod blobs;
mod manifests;
mod names;

use std::time::Duration;

use tug_registry_client::{Limits, Options as ClientOptions};
use tug_registry_server::{ProxyOptions, Upstream};
use tug_testdata::registry_peer::Peer;

use support::{Registry, Request};

/// A registry that has fetched nothing yet, and asks for news of a tag each time.
fn cache(peers: &[(&str, &Peer)], change: impl FnOnce(&mut ProxyOptions)) -> Registry {
    Registry::with(|options| options.proxy = Some(proxy(peers, change)))
}

/// These peers under these names.
fn proxy(peers: &[(&str, &Peer)], change: impl FnOnce(&mut ProxyOptions)) -> ProxyOptions {
    let upstream = |(name, peer): &(&str, &Peer)| {
        format!("{name}=http://{}", peer.address()).parse::<Upstream>().unwrap()
    };
    let limits = Limits {
        pause: Duration::from_millis(5),
        longest_pause: Duration::from_millis(20),
        ..Limits::default()
    };
    let client = ClientOptions { limits, ..ClientOptions::default() };
    let mut proxy = ProxyOptions {
        fresh_for: Duration::ZERO,
        rest: Duration::ZERO,
        patience: Duration::from_secs(120),
        ..ProxyOptions::new(peers.iter().map(upstream).collect(), client)
    };
    change(&mut proxy);
    proxy
}

/// The value of a line of `/metrics`, 0 where there is none.
fn counted(registry: &Registry, result: &str) -> u64 {
    let text = registry.client.get("/metrics").text();
    let line = format!("tug_upstream_lookups_total{{upstream=\"hub.example\",result=\"{result}\"}} ");
    text.lines().find_map(|found| found.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
}

fn get(target: impl Into<String>) -> Request {
    Request::new("GET", target)
}
