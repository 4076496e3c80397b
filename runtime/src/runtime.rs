//! What all containers of one process share.

use crate::{Error, Mode};

/// What all containers of one process share: the mode, and the sealed copy of our own program.
#[derive(Debug)]
pub struct Runtime {
    mode: Mode,
}

impl Runtime {
    /// A runtime for the mode that [`crate::enter`] found.
    ///
    /// # Errors
    /// [`Error::System`] when our own program cannot be read.
    pub fn new(mode: Mode) -> Result<Self, Error> {
        Ok(Self { mode })
    }

    /// The mode containers run in.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }
}
