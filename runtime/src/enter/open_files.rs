//! How many files we may have open: a container of many layers needs a descriptor for each of them.
//!
//! Shells and service managers give a low soft limit because old programs cannot do with numbers beyond 1024. Ours can,
//! so we go as high as we are allowed; containers get back what we had.

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than any build needs. A limit of a billion, which some systems have, would only cost those who close them all.
const ENOUGH: u64 = 1 << 16;

static BEFORE: OnceLock<(Option<u64>, Option<u64>)> = OnceLock::new();

/// Raises the soft limit of this process, once.
pub(super) fn raise() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.unwrap_or(ENOUGH).min(ENOUGH);
    if current.is_none_or(|current| current >= wanted) {
        return;
    }
    // A limit that cannot be raised is no worse than before.
    if setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }).is_ok() {
        let _ = BEFORE.set((current, maximum));
    }
}

/// The soft and the hard limit that were there before, if they are no longer.
pub(crate) fn before() -> Option<(Option<u64>, Option<u64>)> {
    BEFORE.get().copied()
}
