//! Names of images as people type them: what a name without a registry means is said by registries.conf.

use std::str::FromStr;

use tug_oci::{Reference, ReferenceError};
use tug_registry_client::hosts::Hosts;

use crate::error::CommandError;

/// The name of an image as it was typed.
#[derive(Clone, Debug)]
pub(crate) struct TypedName {
    text: String,
    reference: Reference,
}

/// What a typed name means.
pub(crate) struct FullName {
    /// The full name.
    pub(crate) reference: Reference,
    /// A sentence for the user, if it is not what docker would take it for.
    pub(crate) note: Option<String>,
}

impl FromStr for TypedName {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        Ok(Self { text: text.to_owned(), reference: text.parse()? })
    }
}

impl TypedName {
    /// What it means here.
    pub(crate) fn full(&self, hosts: &Hosts) -> Result<FullName, CommandError> {
        let found = hosts.full_name(&self.text, &self.reference)?;
        let note =
            found.origin.map(|origin| format!("`{}` is `{}`, as {origin} says", self.text, found.reference));
        Ok(FullName { reference: found.reference, note })
    }
}
