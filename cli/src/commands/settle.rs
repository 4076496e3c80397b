//! `tug settle`: waits for the disk, so that no layer is lost when the power fails. Commands start it by themselves; see
//! [`crate::session`].

use crate::error::CommandError;
use crate::session;
use crate::settings::Settings;

/// Waits until the disk has every layer.
pub(super) fn run(settings: &Settings) -> Result<(), CommandError> {
    session::open_store(settings)?.settle()?;
    Ok(())
}
