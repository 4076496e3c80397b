//! What is known of the layers of an image without asking anybody for them: sizes, lines of Dockerfiles, the base.

use std::collections::BTreeMap;

use tug_builder::LayerOrigin;
use tug_layer_store::Image;
use tug_oci::{Descriptor, DiffId, History, Platform};

use super::Opened;
use crate::error::CommandError;

const BASE_NAME: &str = "org.opencontainers.image.base.name";
const BASE_DIGEST: &str = "org.opencontainers.image.base.digest";

/// A layer that the store knows from inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// The length of its plain tar in bytes.
    pub(crate) tar_size: u64,
    /// The length of all files in it together, in bytes.
    pub(crate) content_size: u64,
}

/// One entry of the history of an image.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// What the config says.
    pub(crate) history: History,
    /// The layer that it made, if it made one.
    pub(crate) layer: Option<StepLayer>,
    /// Whether it is of the base image.
    pub(crate) is_base: bool,
}

/// A layer and all that is known about it.
#[derive(Clone, Debug)]
pub(crate) struct StepLayer {
    /// Its place, 0 for the lowest.
    pub(crate) number: usize,
    /// Its name.
    pub(crate) diff_id: DiffId,
    /// The blob that it is kept and moved as.
    pub(crate) blob: Descriptor,
    /// What is in it.
    pub(crate) known: Option<Known>,
    /// The instruction that made it.
    pub(crate) origin: Option<LayerOrigin>,
}

/// The image that another one stands on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Base {
    /// Its name, if anybody says one.
    pub(crate) name: Option<String>,
    /// The digest of its manifest or index.
    pub(crate) digest: Option<String>,
    /// How many layers it has.
    pub(crate) layers: Option<usize>,
    /// How many entries of the history are its.
    pub(crate) entries: usize,
    /// Itself, where the store has it.
    pub(crate) image: Option<Image>,
}

impl Opened {
    /// Of each layer, lowest first, what is known; `None` for one that is not here.
    pub(crate) fn known(&self) -> Result<Vec<Option<Known>>, CommandError> {
        let mut known = Vec::new();
        for diff_id in self.image.diff_ids() {
            known.push(
                self.store
                    .layer(diff_id)?
                    .map(|layer| Known { tar_size: layer.tar_size(), content_size: layer.content_size() }),
            );
        }
        Ok(known)
    }

    /// The instruction that made each layer, lowest first, where a recorded build of this store made it.
    pub(crate) fn origins(&self) -> Result<Vec<Option<LayerOrigin>>, CommandError> {
        Ok(tug_builder::layer_origins(&self.store, self.image.id(), self.image.diff_ids())?)
    }

    /// The history with the layers, the oldest first. Layers that no entry speaks of come last.
    pub(crate) fn steps(&self) -> Result<(Vec<Step>, Option<Base>), CommandError> {
        let (known, origins) = (self.known()?, self.origins()?);
        let base = self.base(&origins)?;
        let mut layers = self.image.layers().enumerate().map(|(number, (diff_id, blob))| StepLayer {
            number,
            diff_id: diff_id.clone(),
            blob: blob.clone(),
            known: known[number],
            origin: origins[number].clone(),
        });
        let mut steps: Vec<Step> = Vec::new();
        for history in &self.image.config.history {
            let layer = if history.empty_layer { None } else { layers.next() };
            steps.push(Step { history: history.clone(), layer, is_base: false });
        }
        steps.extend(layers.map(|layer| Step {
            history: History::default(),
            layer: Some(layer),
            is_base: false,
        }));
        if let Some(base) = &base {
            steps.iter_mut().take(base.entries).for_each(|step| step.is_base = true);
        }
        Ok((steps, base))
    }

    /// The base image: as annotations say it, else below the first layer that the build of this image made.
    fn base(&self, origins: &[Option<LayerOrigin>]) -> Result<Option<Base>, CommandError> {
        let annotations = &self.image.manifest.annotations;
        let name = annotations.get(BASE_NAME).cloned();
        let digest = annotations.get(BASE_DIGEST).cloned();
        let is_named = name.is_some() || digest.is_some();
        let own =
            tug_builder::build_of_image(&self.store, self.image.id())?.map(|build| build.record.id.clone());
        let is_own = |origin: &Option<LayerOrigin>| {
            origin.as_ref().is_some_and(|origin| Some(&origin.build) == own.as_ref())
        };
        let below = own.as_ref().map(|_| origins.iter().position(is_own).unwrap_or(origins.len()));
        let found = self.base_image(digest.as_deref(), below)?;
        let (image, found_name) = match found {
            Some((image, name)) => (Some(image), name),
            None => (None, None),
        };
        let layers = image.as_ref().map(|image| image.diff_ids().len()).or(below);
        if !is_named && layers.unwrap_or(0) == 0 {
            return Ok(None);
        }
        let entries = match &image {
            Some(image) => image.config.history.len(),
            None => entries_of(&self.image.config.history, layers.unwrap_or(0)),
        };
        Ok(Some(Base { name: name.or(found_name), digest, layers, entries, image }))
    }

    /// The image of the store that this one stands on: the one with that digest, else the one whose layers are the
    /// lowest `below` and whose history is the beginning of ours.
    fn base_image(
        &self,
        digest: Option<&str>,
        below: Option<usize>,
    ) -> Result<Option<(Image, Option<String>)>, CommandError> {
        let platform: Platform = self.image.config.platform.clone();
        let is_below = |image: &Image| {
            self.image.diff_ids().starts_with(image.diff_ids())
                && self.image.config.history.starts_with(&image.config.history)
                && image.id() != self.image.id()
        };
        if let Some(digest) = digest {
            let images = self.store.find_image(digest, &platform).ok().flatten();
            if let Some(image) = images.filter(is_below) {
                return Ok(Some((image, None)));
            }
        }
        let Some(below) = below.filter(|below| *below > 0) else { return Ok(None) };
        let mut found: BTreeMap<String, Image> = BTreeMap::new();
        for summary in self.store.images(&platform)? {
            if summary.image.diff_ids().len() == below && is_below(&summary.image) {
                let name = summary.name.map_or_else(String::new, |name| name.familiar());
                found.insert(name, summary.image);
            }
        }
        Ok(found
            .into_iter()
            .next_back()
            .map(|(name, image)| (image, Some(name).filter(|name| !name.is_empty()))))
    }
}

/// How many entries of a history lead to its first `layers` layers.
fn entries_of(history: &[History], layers: usize) -> usize {
    let mut seen = 0;
    let entries = history.iter().take_while(|entry| {
        seen += usize::from(!entry.empty_layer);
        seen <= layers && layers > 0
    });
    let count = entries.count();
    // Entries behind its last layer may as well be those of the image above.
    let last = history[..count].iter().rposition(|entry| !entry.empty_layer);
    last.map_or(0, |last| last + 1)
}
