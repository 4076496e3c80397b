//! What the caller entrusts to RUN steps: secrets, and agents that sign for them.

use std::fmt;
use std::path::PathBuf;

/// A secret for `RUN --mount=type=secret`. Its value is in no layer, key, history, event or error, and is shown by
/// nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    id: String,
    value: Vec<u8>,
}

impl Secret {
    /// The secret that Dockerfiles call `id`.
    pub fn new(id: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        Self { id: id.into(), value: value.into() }
    }

    /// What Dockerfiles call it.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it is.
    pub(crate) fn value(&self) -> &[u8] {
        &self.value
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Secret").field("id", &self.id).finish_non_exhaustive()
    }
}

/// An ssh agent for `RUN --mount=type=ssh`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshAgent {
    /// What Dockerfiles call it; `default` where they say nothing.
    pub id: String,
    /// The socket that it listens on.
    pub socket: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_does_not_show_its_value() {
        let shown = format!("{:?}", Secret::new("token", "hunter2"));
        assert!(shown.contains("token") && !shown.contains("hunter2"), "{shown}");
    }
}
