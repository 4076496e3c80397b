//! Indexes over plain tars.

use std::io::{self, Write};

use crate::toc::Toc;

/// Why there is no index.
pub(crate) enum IndexError {
    /// It could not be written.
    Io(io::Error),
    /// Something in the layer has no place in it.
    CannotHold,
}

impl From<io::Error> for IndexError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Writes the index; not yet.
pub(crate) fn write(_toc: &Toc, _tar_size: u64, _out: impl Write) -> Result<(), IndexError> {
    Err(IndexError::CannotHold)
}
