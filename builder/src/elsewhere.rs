//! What a build may ask of others, and tell them: images that the store does not have, results of steps that somebody
//! else has made, layers that can be sent away while later steps still run.
//!
//! These are traits, so that a build knows nothing of registries. Nothing here makes a build fail but a base image that
//! cannot be had.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tug_layer_store::{ExportedResult, FoundResult, Image, Store};
use tug_oci::{Descriptor, DiffId, Digest, ImageConfig, Platform, Reference};

/// When a registry is asked for a base image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// When the store does not have it.
    #[default]
    Missing,
    /// Every time; one that the registry does not have is an error.
    Always,
    /// Every time; where the registry cannot be asked, or does not have it, the one in the store will do.
    Newer,
    /// Never.
    Never,
}

/// Why an image could not be had.
#[derive(Debug)]
pub enum NotPulled {
    /// The registry was asked, and says that there is none, or none for this platform.
    Absent {
        /// What happened.
        message: String,
        /// What the user can do.
        help: Option<String>,
    },
    /// The registry could not be asked, or refused.
    Failed(Box<dyn std::error::Error + Send + Sync>),
}

/// Images of registries.
pub trait ImageSource: Send + Sync {
    /// Makes `reference` known to the store as the registry has it now: its documents for `platform`, under its name. The
    /// layers need not come: the store fetches them when somebody reads them.
    fn pull(&self, store: &Store, reference: &Reference, platform: &Platform) -> Result<Image, NotPulled>;
}

/// Results of steps that others have made.
pub trait ResultSource: Send + Sync {
    /// The result of the step with this key. What goes wrong is told by other means: a cache never fails a build.
    fn look_up(&self, key: &Digest) -> Option<FoundResult>;
}

/// Gets the results of a build.
pub trait ResultSink: Send + Sync {
    /// All results of a build that has come to its end, known ones and new ones.
    fn results(&self, results: Vec<ExportedResult>);
}

/// Puts results of steps into an image itself.
pub trait InlineCache: Send + Sync {
    /// Changes the config of an image before it is written. `results` are those of the whole build; they say nothing of
    /// when and by which build they were made, so that the same image stays the same.
    fn embed(&self, config: &mut ImageConfig, results: &[ExportedResult]);
}

/// Is told of layers of images in the making.
pub trait LayerListener: Send + Sync {
    /// A layer that an image will have is finished: one of the build, or one of a base image, which may be elsewhere
    /// (then `blob` says as what). It may be told several times.
    fn layer(&self, layer: &DiffId, blob: Option<&Descriptor>);
}

/// Whom a build may ask, and whom it tells.
#[derive(Clone, Default)]
pub struct Elsewhere {
    /// Who has images.
    pub images: Option<Arc<dyn ImageSource>>,
    /// When they are asked.
    pub pull: PullPolicy,
    /// Who has results of steps, in the order in which they are asked.
    pub results: Vec<Arc<dyn ResultSource>>,
    /// Who gets the results of this build.
    pub exports: Option<Arc<dyn ResultSink>>,
    /// Who is told of layers.
    pub layers: Option<Arc<dyn LayerListener>>,
}

impl Elsewhere {
    /// The result of the step with this key, from the first that has one.
    pub(crate) fn result(&self, key: &Digest) -> Option<FoundResult> {
        self.results.iter().find_map(|source| source.look_up(key))
    }
}

/// What was pulled in a build: one name means one image.
#[derive(Default)]
pub(crate) struct Pulls {
    pub(crate) images: Option<Arc<dyn ImageSource>>,
    pub(crate) policy: PullPolicy,
    pulled: Mutex<HashMap<(String, String), Image>>,
}

impl Pulls {
    pub(crate) fn new(elsewhere: &Elsewhere) -> Self {
        Self { images: elsewhere.images.clone(), policy: elsewhere.pull, pulled: Mutex::default() }
    }

    /// The image as the registry has it, asked for once in a build.
    pub(crate) fn pull(
        &self,
        images: &dyn ImageSource,
        store: &Store,
        reference: &Reference,
        platform: &Platform,
    ) -> Result<Image, NotPulled> {
        let key = (reference.to_string(), platform.to_string());
        if let Some(image) = self.pulled.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(image.clone());
        }
        let image = images.pull(store, reference, platform)?;
        self.pulled.lock().unwrap_or_else(PoisonError::into_inner).insert(key, image.clone());
        Ok(image)
    }
}
