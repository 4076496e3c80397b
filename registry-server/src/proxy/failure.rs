//! What went wrong upstream, as far as clients hear of it: nothing of files, users and addresses of ours.

use std::sync::Arc;
use std::time::Duration;

use tug_oci::Digest;
use tug_registry_client::{Error, Kind};

use crate::storage;

/// Why something could not be had.
#[derive(Clone, Debug)]
pub(crate) enum Failure {
    /// It is not there.
    NotFound,
    /// The other registry wants fewer questions; when it may be asked again, if it said so.
    RateLimited(Option<Duration>),
    /// The other registry does not give it to us.
    Refused,
    /// The other registry does not answer, or fails.
    Unavailable,
    /// What came is not what it must be.
    Unusable,
    /// Larger than what this server takes.
    TooLarge,
    /// What came has another digest.
    WrongDigest(Digest),
    /// It could not be kept.
    Storage(Arc<storage::Error>),
    /// Something is wrong with this server.
    Broken,
}

impl Failure {
    /// What an error of the client means.
    pub(super) fn of(error: &Error) -> Self {
        match error.kind() {
            Kind::NotFound => Self::NotFound,
            Kind::RateLimited => Self::RateLimited(error.wait()),
            Kind::Unauthorized | Kind::Denied | Kind::Blocked => Self::Refused,
            Kind::TooLarge => Self::TooLarge,
            Kind::Digest | Kind::Protocol | Kind::Unsupported => Self::Unusable,
            Kind::File | Kind::Cancelled => Self::Broken,
            _ => Self::Unavailable,
        }
    }

    /// Whether the copy that is here may be served instead.
    pub(super) fn may_pass(&self) -> bool {
        matches!(self, Self::RateLimited(_) | Self::Unavailable | Self::Unusable)
    }

    /// Why a copy was not compared, for a warning.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::RateLimited(_) => "it allows no more questions for now",
            Self::Unusable => "its answer makes no sense",
            _ => "it does not answer",
        }
    }
}
