//! How a client behaves: what it may use, how long it waits, how much it takes.

use std::sync::Arc;
use std::time::Duration;

use crate::credentials::{CredentialOptions, Credentials};
use crate::event::{Observer, Unobserved};
use crate::hosts::{HostOptions, Hosts};
use crate::proxies::Proxies;
use crate::tls::{Tls, TlsOptions};

/// Everything a [`Client`](crate::Client) needs to know.
#[derive(Clone)]
pub struct Options {
    /// Who we are, where.
    pub credentials: Arc<Credentials>,
    /// Which hosts serve a repository: mirrors, blocks, certificates.
    pub hosts: Arc<Hosts>,
    /// Whom to trust.
    pub tls: Arc<Tls>,
    /// Through whom to go.
    pub proxies: Arc<Proxies>,
    /// How long to wait, how often to try, how much to take.
    pub limits: Limits,
    /// Who is told what happens.
    pub observer: Arc<dyn Observer>,
    /// What the client calls itself.
    pub user_agent: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            credentials: Arc::new(Credentials::new(CredentialOptions::default())),
            hosts: Arc::new(Hosts::new(HostOptions::default())),
            tls: Arc::new(Tls::new(TlsOptions::default())),
            proxies: Arc::default(),
            limits: Limits::default(),
            observer: Arc::new(Unobserved),
            user_agent: format!("tug/{}", env!("CARGO_PKG_VERSION")),
        }
    }
}

/// Times and sizes. The defaults suit slow links and busy registries; tests use smaller ones.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until an answer begins, after the request was sent.
    pub answer: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
    /// Over which time the rate of a body is looked at.
    pub rate_window: Duration,
    /// The fewest bytes that must come or go in each window; fewer are treated like a stall.
    pub rate_bytes: u64,
    /// How often a request is made before its failure is final. An attempt that moved data does not count.
    pub attempts: u32,
    /// How often a mirror is asked before the next source is.
    pub mirror_attempts: u32,
    /// The pause after the first failure; it doubles each time.
    pub pause: Duration,
    /// The longest pause between two attempts of our own choice.
    pub longest_pause: Duration,
    /// The longest pause that a registry may ask for; more is an error that says so.
    pub longest_wait: Duration,
    /// Connections that move blobs at a time, for each host and direction.
    pub connections: usize,
    /// Connections for one large blob.
    pub connections_per_blob: usize,
    /// What is larger is fetched in parts of this size.
    pub part: u64,
    /// Of manifests and indexes.
    pub manifest: u64,
    /// Of other documents: lists of tags, answers with tokens.
    pub document: u64,
    /// Redirects in a row.
    pub redirects: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            answer: Duration::from_secs(120),
            idle: Duration::from_secs(30),
            rate_window: Duration::from_secs(30),
            rate_bytes: 32 * 1024,
            attempts: 6,
            mirror_attempts: 2,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(30),
            longest_wait: Duration::from_secs(300),
            connections: 6,
            connections_per_blob: 4,
            part: 32 << 20,
            manifest: 16 << 20,
            document: 1 << 20,
            redirects: 8,
        }
    }
}
