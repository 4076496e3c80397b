//! The collector: takes away what nothing refers to, while clients push.
//!
//! First everything is read: which manifests there are, and what they refer to. Any error ends the run with nothing taken
//! away; what cannot be read is never taken for unreferenced. Then each candidate is looked at once more, under the lock
//! of its digest, and goes only if nobody has relied on it in the time of grace.
//!
//! | somebody …                                  | leaves as a sign                                               |
//! | ------------------------------------------- | -------------------------------------------------------------- |
//! | asks whether a blob is there, and it is     | the blob is touched                                            |
//! | uploads or mounts a blob                    | the blob is new, or touched                                    |
//! | pushes a manifest                           | all that it refers to is touched before the manifest is kept   |
//! | gives a tag to an old manifest              | the manifest and all that it refers to are touched             |
//! | begins an upload and never ends it          | nothing new in its data                                        |
//!
//! A crash in the middle leaves less garbage than before. Grace is what separates a client that hears "it is there" from
//! the manifest that it then pushes.

mod mark;
mod sweep;

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::Storage;
use super::error::Error;
pub(super) use mark::digests_in;

/// How to collect.
#[derive(Clone, Debug)]
pub struct CollectOptions {
    /// What somebody has relied on in this time stays.
    pub grace: Duration,
    /// Uploads that got nothing for this time are given up.
    pub uploads: Duration,
    /// Whether manifests go that no tag leads to: not directly, not through an index, and not as the subject of
    /// something. Without, only content that no manifest refers to.
    pub untagged: bool,
    /// Whether to only say what would happen.
    pub dry_run: bool,
    /// The time that counts as now.
    pub now: SystemTime,
}

impl Default for CollectOptions {
    /// An hour of grace, a day for uploads, untagged manifests stay.
    fn default() -> Self {
        Self {
            grace: Duration::from_secs(60 * 60),
            uploads: Duration::from_secs(24 * 60 * 60),
            untagged: false,
            dry_run: false,
            now: SystemTime::now(),
        }
    }
}

/// What becomes of one thing, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// What: `blob sha256:…`, `manifest sha256:…`, `upload …`.
    pub what: String,
    /// In which repository; `None` for what belongs to none.
    pub repository: Option<String>,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it stays.
    pub stays: bool,
    /// Why.
    pub why: String,
}

/// What a collection did, or would do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    /// How many manifests went.
    pub manifests: u64,
    /// How many blobs went from a repository.
    pub blobs: u64,
    /// How many uploads were given up.
    pub uploads: u64,
    /// How many bytes the disk got back.
    pub bytes: u64,
}

/// Collects in `root`, also beside a server that works there. `tell` hears of every verdict; of those that stay only in
/// a dry run.
pub fn collect(
    root: &Path,
    options: &CollectOptions,
    tell: &mut dyn FnMut(Verdict),
) -> Result<Collected, Error> {
    Storage::open_existing(root)?.collect(options, tell)
}

impl Storage {
    /// Collects; see [`collect`].
    pub(crate) fn collect(
        &self,
        options: &CollectOptions,
        tell: &mut dyn FnMut(Verdict),
    ) -> Result<Collected, Error> {
        let mut ignore = |_: Verdict| {};
        let staying: &mut dyn FnMut(Verdict) = if options.dry_run { &mut *tell } else { &mut ignore };
        let plan = self.mark(options, staying)?;
        self.sweep(&plan, options, tell)
    }
}
