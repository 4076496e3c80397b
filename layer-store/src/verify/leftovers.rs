//! What killed processes left, and what is being deleted.

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use super::finding::{Fault, Finding, Remedy, Target};
use crate::error::Result;
use crate::garbage::{is_kept_download, names_in};
use crate::lock::flock_is_free;
use crate::store::Store;

/// What was changed later may be about to be locked, or about to be unlinked.
const SETTLED: Duration = Duration::from_secs(60);

impl Store {
    /// What nobody uses. Nothing of it does harm.
    pub(super) fn check_leftovers(&self) -> Result<Vec<Finding>> {
        let ingest = names_in(&self.path("ingest"))?;
        let is_left = |path: &&std::path::PathBuf| {
            is_old(path)
                && !is_kept_download(path)
                && File::open(path).is_ok_and(|opened| flock_is_free(&opened))
        };
        let counts = [
            ("ingest", ingest.iter().filter(is_left).count(), "files and folders that killed processes left"),
            (
                "trash",
                names_in(&self.path("trash"))?.iter().filter(|path| is_old(path)).count(),
                "files and folders that are still to be deleted",
            ),
            (
                "locks",
                self.idle_locks()?.iter().filter(|path| is_old(path)).count(),
                "locks of layers and caches that are gone",
            ),
        ];
        let found = counts.into_iter().filter(|(_, count, _)| *count > 0);
        Ok(found
            .map(|(path, count, what)| {
                let fault = Fault::LeftBehind { count, what };
                Finding::leftover(path, fault, Remedy::Remove, Target::LeftBehind)
            })
            .collect())
    }
}

/// A clock that was set back makes things look as if they were from the future: those are left alone.
fn is_old(path: &Path) -> bool {
    let changed = std::fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    changed.is_ok_and(|changed| changed.elapsed().is_ok_and(|age| age > SETTLED))
}
