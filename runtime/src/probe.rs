//! What this host can do, for `tug doctor` and for hints in errors.

use std::path::Path;

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, in a few words.
    pub name: &'static str,
    /// How it stands.
    pub outcome: Outcome,
    /// What was found, in one line.
    pub found: String,
    /// Why it matters.
    pub why: &'static str,
    /// How to mend it, where something can be done.
    pub remedy: Option<String>,
}

/// How one thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// Works, with less than could be.
    Degraded,
    /// Does not work.
    Missing,
}

/// Tries what containers need and says what was found. `store` is where layers are kept; it need not exist.
#[must_use]
pub fn probe(store: &Path) -> Vec<Check> {
    let _ = store;
    Vec::new()
}
