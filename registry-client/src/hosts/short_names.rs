//! Names without a registry: what `app` means in `tug pull app`.
//!
//! 1. An alias of registries.conf (`[aliases]`), if there is one for the name.
//! 2. If `unqualified-search-registries` is set and does not have `docker.io` in it: its first registry.
//! 3. Else Docker Hub, as in docker: `docker.io/library/app`.
//!
//! One name is one image. Podman asks its user, or one registry after the other, and takes whatever answers first; whoever
//! registers the name there can then choose what is pulled.

use tug_oci::Reference;

use super::Hosts;
use crate::config_error::{ConfigError, Origin};
use crate::credentials::HUB;

/// What a name means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShortName {
    /// The full name.
    pub reference: Reference,
    /// The file that says so, if it is not what docker would take.
    pub origin: Option<Origin>,
}

impl Hosts {
    /// The full name for `text`, of which `reference` was parsed.
    ///
    /// # Errors
    ///
    /// registries.conf cannot be read, or what it says there is not a name.
    pub fn full_name(&self, text: &str, reference: &Reference) -> Result<ShortName, ConfigError> {
        let as_it_is = || ShortName { reference: reference.clone(), origin: None };
        if !is_short(text, reference) {
            return Ok(as_it_is());
        }
        let registries = self.registries()?;
        let name = reference.familiar_name();
        let (full, origin) = match (registries.aliases.get(&name), &registries.search) {
            (Some((full, origin)), _) => (full.clone(), origin),
            (None, Some((search, origin))) if !search.iter().any(|registry| registry == HUB) => {
                let Some(first) = search.first() else { return Ok(as_it_is()) };
                (format!("{}/{name}", first.trim_end_matches('/')), origin)
            }
            (None, _) => return Ok(as_it_is()),
        };
        let tag = reference.tag().map(|tag| format!(":{tag}")).unwrap_or_default();
        let digest = reference.digest().map(|digest| format!("@{digest}")).unwrap_or_default();
        let parsed = format!("{full}{tag}{digest}").parse::<Reference>();
        let parsed = parsed.ok().filter(|parsed| !is_short(&full, parsed));
        let reference = parsed.ok_or_else(|| ConfigError::Address {
            address: full.clone(),
            expected: "the full name of a repository",
            origin: Some(origin.clone()),
        })?;
        let is_dockers = reference == as_it_is().reference;
        Ok(ShortName { reference, origin: (!is_dockers).then(|| origin.clone()) })
    }
}

/// Whether it was written without a registry.
fn is_short(text: &str, reference: &Reference) -> bool {
    reference.registry() == HUB && !["docker.io/", "index.docker.io/"].iter().any(|hub| text.starts_with(hub))
}
