//! `tug store path`

use std::os::unix::ffi::OsStrExt;

use crate::error::CommandError;
use crate::settings::Settings;

/// Writes the folder of the store. It may not be there yet.
pub(super) fn run(settings: &Settings) -> Result<(), CommandError> {
    let mut line = settings.store()?.as_os_str().as_bytes().to_vec();
    line.push(b'\n');
    settings.output.data(&line)
}
