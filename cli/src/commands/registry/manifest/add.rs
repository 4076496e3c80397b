//! Images for a list. Documents of those on registries come into the store, and where their blobs are is noted.

use std::collections::HashMap;
use std::io::Write;

use tug_layer_store::{Durability, Store};
use tug_oci::{Descriptor, Digest, Index, Manifest, Platform, Raw, Reference, media_type};
use tug_registry_client::{FetchedManifest, Repository};

use super::super::Registry;
use super::super::find;
use super::super::names::RemoteName;
use crate::error::CommandError;
use crate::registry_settings::RegistryArguments;
use crate::settings::Settings;

/// Finds images, in the store first. Registries are only reached when one is not there.
pub(super) struct Adding<'a> {
    store: &'a Store,
    arguments: &'a RegistryArguments,
    settings: &'a Settings,
    registries: HashMap<String, Registry>,
}

impl<'a> Adding<'a> {
    pub(super) fn new(store: &'a Store, arguments: &'a RegistryArguments, settings: &'a Settings) -> Self {
        Self { store, arguments, settings, registries: HashMap::new() }
    }

    /// The entries for an image: of a list all of its images, or the one for `platform`.
    pub(super) fn entries(
        &mut self,
        image: &RemoteName,
        platform: Option<&Platform>,
    ) -> Result<Vec<Descriptor>, CommandError> {
        let entries = match self.stored(image)? {
            Some(target) => self.of_store(&target)?,
            None => self.of_registry(image)?,
        };
        let Some(platform) = platform else { return Ok(entries) };
        let fitting: Vec<Descriptor> = entries
            .iter()
            .filter(|entry| entry.platform.as_ref().is_some_and(|own| own.satisfies(platform)))
            .cloned()
            .collect();
        match fitting.is_empty() {
            false => Ok(fitting),
            true => {
                Err(CommandError::failed(format_args!("`{}` has no image for {platform}", image.as_str())))
            }
        }
    }

    /// What the name of an image points to.
    pub(super) fn target(&mut self, image: &RemoteName) -> Result<Digest, CommandError> {
        match self.stored(image)? {
            Some(target) => Ok(target.digest),
            None => {
                let (registry, name) = self.registry(image)?;
                Ok(registry.head(&name)?.digest)
            }
        }
    }

    /// What the store has under that name, unless the registry is meant.
    fn stored(&self, image: &RemoteName) -> Result<Option<Descriptor>, CommandError> {
        match image.is_explicit() {
            true => Ok(None),
            false => Ok(self.store.resolve(image.reference())?),
        }
    }

    fn of_store(&self, target: &Descriptor) -> Result<Vec<Descriptor>, CommandError> {
        if media_type::is_index(&target.media_type) {
            let bytes = self.store.read_blob(&target.digest, LIMIT)?;
            let index = Raw::<Index>::parse(bytes).map_err(|error| {
                CommandError::failed("a list in the store cannot be read").because(&error)
            })?;
            return Ok(index.into_value().manifests);
        }
        let image = self.store.image(target, &Platform::host())?;
        let mut entry = Descriptor::new(&target.media_type, target.digest.clone(), target.size);
        entry.platform = Some(image.config.platform.clone());
        Ok(vec![entry])
    }

    fn of_registry(&mut self, image: &RemoteName) -> Result<Vec<Descriptor>, CommandError> {
        let store = self.store;
        let (registry, name) = self.registry(image)?;
        let top = registry.manifest(&name)?;
        if !media_type::is_index(&top.media_type) {
            let mut entry = top.descriptor();
            keep(store, &name, &top)?;
            entry.platform = registry.platform(&name, &top)?;
            return Ok(vec![entry]);
        }
        let index: Raw<Index> = find::parsed(&name, &top)?;
        let entries = index.into_value().manifests;
        for entry in &entries {
            keep_tree(registry, store, &name, entry)?;
        }
        Ok(entries)
    }

    fn registry(&mut self, image: &RemoteName) -> Result<(&Registry, Reference), CommandError> {
        let host = image.reference().registry().to_owned();
        if !self.registries.contains_key(&host) {
            let (registry, _) = Registry::of(self.arguments, image, self.settings)?;
            self.registries.insert(host.clone(), registry);
        }
        let registry = &self.registries[&host];
        let name = registry.full_name(image)?;
        Ok((registry, name))
    }
}

/// Of a document.
const LIMIT: u64 = 16 << 20;
const DEEPEST: usize = 8;
const MOST: usize = 1000;

/// A manifest with all that it leads to.
fn keep_tree(
    registry: &Registry,
    store: &Store,
    name: &Reference,
    top: &Descriptor,
) -> Result<(), CommandError> {
    let mut pending = vec![(top.clone(), 0)];
    let mut count = 0;
    while let Some((descriptor, depth)) = pending.pop() {
        count += 1;
        if depth > DEEPEST || count > MOST {
            return Err(CommandError::failed(format_args!(
                "`{}` has too many documents in each other",
                name.familiar()
            )));
        }
        let document = registry.child(name, &descriptor)?;
        keep(store, name, &document)?;
        if media_type::is_index(&document.media_type) {
            let index: Raw<Index> = find::parsed(name, &document)?;
            pending.extend(index.into_value().manifests.into_iter().map(|child| (child, depth + 1)));
        }
    }
    Ok(())
}

/// Puts a document into the store, and notes where it and its blobs are.
fn keep(store: &Store, name: &Reference, document: &FetchedManifest) -> Result<(), CommandError> {
    let mut writer = store.blob_writer_for(&document.digest, Durability::Synced)?;
    writer.write_all(&document.bytes).map_err(|error| writer.failure(error))?;
    writer.finish_as(&document.digest)?;
    let mut digests = vec![document.digest.clone()];
    if let Ok(manifest) = Raw::<Manifest>::parse(document.bytes.to_vec()) {
        let manifest = manifest.into_value();
        digests.push(manifest.config.digest);
        digests.extend(manifest.layers.into_iter().map(|layer| layer.digest));
    }
    Ok(store.note_origins(&digests, &Repository::from(name).to_string())?)
}
