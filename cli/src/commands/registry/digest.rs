//! `tug digest`: what a name points to.

use tug_oci::Platform;
use tug_registry_client::{Repository, Target};

use super::Registry;
use super::names::RemoteName;
use crate::error::CommandError;
use crate::registry_settings::RegistryArguments;
use crate::settings::Settings;

/// Arguments of `tug digest`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug digest debian:12                              sha256:…, without pulling; Docker Hub does not count it as a pull
  tug digest --platform linux/arm64 debian:12       Of the image for that platform
  tug digest --full-ref debian:12                   docker.io/library/debian@sha256:…")]
pub(crate) struct DigestArguments {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: RemoteName,
    /// Look into the index, for the image of this platform
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// Write the whole name with the digest
    #[arg(long)]
    full_ref: bool,
    #[command(flatten)]
    registry: RegistryArguments,
}

/// Writes it.
pub(crate) fn run(arguments: &DigestArguments, settings: &Settings) -> Result<(), CommandError> {
    let (registry, name) = Registry::of(&arguments.registry, &arguments.image, settings)?;
    let digest = match &arguments.platform {
        Some(platform) => {
            let top = registry.manifest(&name)?;
            registry.image(&name, top, platform)?.digest
        }
        None => registry.head(&name)?.digest,
    };
    match arguments.full_ref {
        true => settings.output.line(format_args!("{}@{digest}", Repository::from(&name))),
        false => settings.output.line(digest),
    }
}

impl Registry {
    /// What a name points to, without fetching it.
    pub(super) fn head(&self, name: &tug_oci::Reference) -> Result<tug_oci::Descriptor, CommandError> {
        let repository = Repository::from(name);
        let what = format!("could not look for `{}`", name.familiar());
        match self.run(what, self.client().head_manifest(&repository, &Target::from(name)))? {
            Some(found) => Ok(found),
            // The answer to HEAD does not tell why; this one does.
            None => self.manifest(name).map(|manifest| manifest.descriptor()),
        }
    }
}
