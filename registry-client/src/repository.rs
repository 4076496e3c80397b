//! Where images lie: a registry and a name on it.

use std::fmt;

use tug_oci::Reference;

/// A repository, as its user names it. What is really asked for it, and where, decide
/// [`Hosts`](crate::hosts::Hosts).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Repository {
    /// The host, with a port if it was given: `docker.io`, `localhost:5000`.
    pub registry: String,
    /// The path on it: `library/debian`. Empty where the registry as a whole is meant.
    pub name: String,
}

impl Repository {
    /// A registry as a whole.
    pub fn whole(registry: &str) -> Self {
        Self { registry: registry.to_owned(), name: String::new() }
    }
}

impl From<&Reference> for Repository {
    fn from(reference: &Reference) -> Self {
        Self { registry: reference.registry().to_owned(), name: reference.repository().to_owned() }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.is_empty() {
            true => out.write_str(&self.registry),
            false => write!(out, "{}/{}", self.registry, self.name),
        }
    }
}
