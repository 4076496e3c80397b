//! Layers that were left at their registry, brought when a command needs them.
//!
//! Most commands never do, so nothing is set up before: no client, no thread, no file with credentials is read.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use tug_layer_store::{Error as StoreError, Fetcher, Image, Store, Wanted};
use tug_oci::{Descriptor, Platform, Reference};
use tug_transfer::{Observer, PullOptions, Remote};

use crate::error::CommandError;
use crate::output::Stream;
use crate::progress::ProgressMode;
use crate::progress::transfer::{Doing, TransferProgress};
use crate::registry_settings::RegistryArguments;
use crate::settings::Settings;

/// The store, which brings what it misses and shows that.
pub(crate) fn store(store: &Store, settings: &Settings) -> Store {
    let on_demand = OnDemand { settings: settings.clone(), begun: Mutex::default() };
    store.with_fetcher(Arc::new(on_demand))
}

/// Pulls an image that a command needs and the store does not have.
pub(crate) fn pull(
    store: &Store,
    name: &Reference,
    platform: &Platform,
    registry: &RegistryArguments,
    settings: &Settings,
) -> Result<Image, CommandError> {
    let options = registry.options(&settings.environment, Some(name.registry()))?;
    let mode = ProgressMode::chosen(None, &settings.environment, &settings.output)?;
    let progress = TransferProgress::start(mode, Doing::Pulling, &settings.output);
    let remote = Remote::new(options, Arc::clone(&progress) as Arc<dyn Observer>)?;
    let pulled = remote.pull(store, name, &PullOptions::new(platform.clone()));
    progress.finish();
    match pulled?.image {
        Some(image) => Ok(image),
        None => Err(CommandError::failed(format_args!("`{}` has no image for {platform}", name.familiar()))),
    }
}

struct OnDemand {
    settings: Settings,
    begun: Mutex<Option<Begun>>,
}

#[derive(Clone)]
struct Begun {
    remote: Remote,
    progress: Arc<TransferProgress>,
}

impl Fetcher for OnDemand {
    fn fetch(&self, store: &Store, blobs: &[Wanted]) -> tug_layer_store::Result<()> {
        let begun = self.begin().map_err(|error| StoreError::Fetch(Box::new(NotBegun(error))))?;
        let fetched = begun.remote.fetch(store, blobs);
        begun.progress.pause();
        fetched
    }

    fn fetch_range(
        &self,
        store: &Store,
        blob: &Descriptor,
        range: Range<u64>,
    ) -> tug_layer_store::Result<Option<Vec<u8>>> {
        let begun = self.begin().map_err(|error| StoreError::Fetch(Box::new(NotBegun(error))))?;
        begun.remote.fetch_range(store, blob, range)
    }
}

impl OnDemand {
    fn begin(&self) -> Result<Begun, String> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(begun) = &*begun {
            return Ok(begun.clone());
        }
        let Settings { environment, output, .. } = &self.settings;
        let text = |error: CommandError| error.text(Stream::default());
        let options = RegistryArguments::default().options(environment, None).map_err(text)?;
        let mode = ProgressMode::chosen(None, environment, output).map_err(text)?;
        let progress = TransferProgress::start(mode, Doing::Pulling, output);
        let remote = Remote::new(options, Arc::clone(&progress) as Arc<dyn Observer>);
        let remote = remote.map_err(|error| text(error.into()))?;
        Ok(begun.insert(Begun { remote, progress }).clone())
    }
}

/// The way to registries could not be prepared.
#[derive(Debug, thiserror::Error)]
#[error("layers that are missing cannot be fetched: {}", .0.trim_end().trim_start_matches("error: "))]
struct NotBegun(String);
