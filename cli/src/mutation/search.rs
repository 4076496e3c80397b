//! Where the image is, and which images of an index are meant.

use tug_layer_store::{Image, Store, Which};
use tug_oci::{Descriptor, Platform, Reference, ReferenceError, media_type};
use tug_registry_client::hosts::Hosts;
use tug_transfer::{Layers, PullOptions};

use super::{MutationArguments, Start, Subject, Way, is_id};
use crate::environment;
use crate::error::CommandError;
use crate::images;
use crate::settings::Settings;

impl MutationArguments {
    pub(super) fn target(
        &self,
        start: &Start,
        store: &Store,
        way: &Way,
        settings: &Settings,
    ) -> Result<Descriptor, CommandError> {
        if !self.remote && !start.is_remote {
            if let Some(found) = images::look_for_target(store, &start.name)? {
                return Ok(found);
            }
            let may_ask = settings.environment.text(environment::OFFLINE).is_none();
            let says_where =
                start.name.reference().is_some_and(|own| start.as_str().starts_with(own.registry()));
            if !may_ask || !(self.push || says_where) || start.name.reference().is_none() {
                let error = images::not_found(store, &start.name);
                return Err(match start.name.reference() {
                    Some(_) if !is_id(start.as_str()) => {
                        error.also_hint("`--remote` takes it from its registry")
                    }
                    _ => error,
                });
            }
        }
        let name = self.full_name(start, settings)?;
        self.documents(&name, store, way, settings)
    }

    pub(super) fn which(
        &self,
        start: &Start,
        store: &Store,
        target: &Descriptor,
        way: &Way,
        settings: &Settings,
    ) -> Result<Which, CommandError> {
        if !media_type::is_index(&target.media_type) {
            if let Some(wanted) = &self.platform {
                let image = store.image(target, wanted)?;
                if image.config.platform.distance_to(wanted).is_none() {
                    let own = &image.config.platform;
                    let message = format!("`{}` is for {own}, not for {wanted}", start.as_str());
                    return Err(CommandError::failed(message));
                }
            }
            return Ok(Which::All);
        }
        if let Some(platform) = &self.platform {
            return Ok(Which::One(platform.clone()));
        }
        let missing = store.missing_documents(target)?;
        if missing == 0 {
            return Ok(Which::All);
        }
        if !self.all_platforms {
            let image = store.image(target, &Platform::host())?;
            let platform = image.config.platform.clone();
            if !self.quiet {
                settings.output.note(format_args!(
                    "only the image for {platform}: the store has no manifests of {missing} others, which \
                     `--all-platforms` fetches"
                ));
            }
            return Ok(Which::One(platform));
        }
        let Some(own) = start.name.reference().filter(|_| !is_id(start.as_str())) else {
            let message =
                format!("the store has not all images of `{}`: {missing} are missing", start.as_str());
            return Err(CommandError::failed(message).hint("name it as it is called on its registry"));
        };
        let pinned = format!("{}/{}@{}", own.registry(), own.repository(), target.digest);
        let pinned = pinned.parse().map_err(|error: ReferenceError| CommandError::usage(error))?;
        self.documents(&pinned, store, way, settings)?;
        Ok(Which::All)
    }

    /// What a name without a registry means, registries.conf may say.
    fn full_name(&self, start: &Start, settings: &Settings) -> Result<Reference, CommandError> {
        let Some(reference) = start.name.reference().filter(|_| !start.as_str().starts_with("sha256:"))
        else {
            let message = format!("`{}` is not a name", start.as_str());
            return Err(CommandError::usage(message)
                .hint("images on registries have no ids: write `NAME:TAG` or `NAME@DIGEST`"));
        };
        let hosts = Hosts::new(self.registry.connection.hosts(&settings.environment, &[]));
        Ok(hosts.full_name(start.as_str(), &reference)?.reference)
    }

    /// Fetches manifests and configs, not layers.
    fn documents(
        &self,
        name: &Reference,
        store: &Store,
        way: &Way,
        settings: &Settings,
    ) -> Result<Descriptor, CommandError> {
        let transfers = self.transfers(way, settings)?;
        let target = match &self.platform {
            Some(platform) => transfers.end(transfers.remote.resolve_target(store, name, platform))?.target,
            None => {
                let options = PullOptions {
                    all_platforms: true,
                    layers: Layers::Lazy,
                    gives_name: false,
                    ..PullOptions::new(Platform::host())
                };
                transfers.end(transfers.remote.pull(store, name, &options))?.target
            }
        };
        transfers.pause();
        Ok(target)
    }

    /// Another image that the command needs, such as a base: its documents, for `platform`. The store has it, unless
    /// `asks` or it is not there.
    pub(crate) fn other_image(
        &self,
        name: &str,
        platform: &Platform,
        asks: bool,
        subject: &Subject,
        settings: &Settings,
    ) -> Result<Image, CommandError> {
        let store = &subject.store;
        let start: Start = name.parse().map_err(|error: ReferenceError| CommandError::usage(error))?;
        if !asks && !start.is_remote {
            if let Some(found) = store.find_image(start.as_str(), platform)? {
                return Ok(found);
            }
            if settings.environment.text(environment::OFFLINE).is_some() {
                return Err(images::not_found(store, &start.name));
            }
        }
        let full = self.full_name(&start, settings)?;
        let transfers = self.transfers(&subject.way, settings)?;
        let image = transfers.end(transfers.remote.resolve(store, &full, platform))?;
        transfers.pause();
        Ok(image)
    }
}
