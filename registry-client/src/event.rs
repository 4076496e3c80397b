//! What happens on the way, for those who watch: nothing here is an error, and nothing holds a secret.

use std::path::PathBuf;
use std::time::Duration;

use tug_oci::Digest;

/// Something that a user may want to know about a transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A request failed and is made again after a pause.
    Retrying {
        /// Host, with its port.
        host: String,
        /// What was asked for, without secrets: `GET …/blobs/sha256:…`.
        request: String,
        /// Why it failed.
        reason: String,
        /// How long the pause is.
        wait: Duration,
    },
    /// The registry asks everybody to wait. All requests to the host do.
    Throttled {
        /// Host, with its port.
        host: String,
        /// How long.
        wait: Duration,
    },
    /// A download goes on where it had stopped, in this run or an earlier one.
    Resumed {
        /// The blob.
        digest: Digest,
        /// How many bytes were there already.
        have: u64,
        /// How many there are in all.
        size: u64,
    },
    /// A mirror did not serve; the next source is asked.
    MirrorSkipped {
        /// The mirror.
        host: String,
        /// Why.
        reason: String,
    },
    /// A file with credentials in a usual place cannot be read. Told once for each.
    CredentialsSkipped {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The registry sent a warning. Each text is told once.
    Warning {
        /// Host, with its port.
        host: String,
        /// What it says.
        text: String,
    },
    /// Plain http is used, since there is no https on this loopback address.
    PlainHttp {
        /// Host, with its port.
        host: String,
    },
}

/// Is told what happens. It is called from many threads, and must return at once.
pub trait Observer: Send + Sync {
    /// Something happened.
    fn event(&self, event: Event);
}

/// Watches nothing.
#[derive(Debug)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn event(&self, _event: Event) {}
}
