//! One request and its answer, for those who count and write down: what is known only in the middle of it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::guard::Activity;

/// One request and its answer. Lies in the extensions of the request.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Who is at the other end of the connection.
    pub(crate) peer: IpAddr,
    /// Whether the connection is encrypted.
    pub(crate) is_encrypted: bool,
    user: OnceLock<String>,
    received: AtomicU64,
    activity: Arc<Activity>,
}

impl Exchange {
    /// A request from `peer` that has just come.
    pub(crate) fn new(peer: IpAddr, is_encrypted: bool, activity: Arc<Activity>) -> Self {
        Self { peer, is_encrypted, user: OnceLock::new(), received: AtomicU64::new(0), activity }
    }

    /// The request is of this user, who has shown it.
    pub(crate) fn is_of(&self, user: &str) {
        let _ = self.user.set(user.to_owned());
    }

    /// Who has shown to be who, if anybody has.
    pub(crate) fn user(&self) -> Option<&str> {
        self.user.get().map(String::as_str)
    }

    /// Some of the body has come.
    pub(crate) fn received_more(&self, bytes: usize) {
        self.received.fetch_add(bytes as u64, Ordering::Relaxed);
        self.activity.moves();
    }

    /// How many bytes of the body have come.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }
}
