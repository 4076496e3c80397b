//! Devices as the Container Device Interface names them: `vendor/class=name`.
//!
//! | asked for            | what is given                                                        |
//! | -------------------- | -------------------------------------------------------------------- |
//! | `vendor/class=name`  | this device                                                          |
//! | `vendor/class=*`     | every device of that kind                                            |
//! | `vendor/class`       | the first device of that kind, in the order of files and lines       |
//! | `class`              | every device whose annotation `org.mobyproject.buildkit.device.class` says so |
//!
//! Sources: the specification of the interface, version 1.0; BuildKit's documentation of `RUN --device`.

mod edits;
mod registry;
mod spec;

pub(crate) use edits::Edits;
pub(crate) use registry::Registry;

/// A device that steps can be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Device {
    /// `vendor/class=name`.
    pub name: String,
    /// What else it can be asked for as.
    pub class: Option<String>,
    /// Whether every Dockerfile may have it.
    pub is_for_everybody: bool,
    pub edits: Edits,
}

impl Device {
    /// `vendor/class`.
    fn kind(&self) -> &str {
        self.name.split_once('=').map_or(&self.name, |(kind, _)| kind)
    }
}
