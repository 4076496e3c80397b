//! An image on another base: its own layers stay, those below are replaced.
//!
//! Layers are compared by what they hold (diff ids), not by how they were compressed. Whether the programs of the image
//! get along with the libraries of the new base, nobody can tell from here.

use tug_oci::Platform;

use super::Draft;
use super::history::{settle_history, split_history};
use super::merge::{Difference, merge};
use crate::image::Image;

/// What became of an image on another base.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rebased {
    /// How many layers of the image stayed.
    pub own_layers: usize,
    /// How many layers of the old base went.
    pub old_layers: usize,
    /// How many layers of the new base are there now.
    pub new_layers: usize,
    /// Where the config is another one because of the base, or could be.
    pub differences: Vec<Difference>,
}

/// Why an image cannot be put on another base.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RebaseError {
    /// The lowest layers of the image are not those of the old base.
    #[error("the old base has {base} layers, of which the image has only the lowest {common}")]
    NotTheBase {
        /// How many layers the old base has.
        base: usize,
        /// How many of them the image has.
        common: usize,
    },
    /// The new base is for another platform.
    #[error("the image is for {image}, and the new base for {base}")]
    Platform {
        /// Of the image.
        image: Box<Platform>,
        /// Of the new base.
        base: Box<Platform>,
    },
}

impl Draft {
    /// Replaces the layers of `old` by those of `new`. Of the config, what the image has as the old base had it becomes as
    /// the new base has it; of the history, what the old base had told is told by the new one.
    pub fn rebase(&mut self, old: &Image, new: &Image) -> Result<Rebased, RebaseError> {
        let own = &self.config.rootfs.diff_ids;
        let common = own.iter().zip(old.diff_ids()).take_while(|(own, old)| own == old).count();
        let base = old.diff_ids().len();
        if common < base {
            return Err(RebaseError::NotTheBase { base, common });
        }
        if new.config.platform.distance_to(&self.config.platform).is_none() {
            return Err(RebaseError::Platform {
                image: Box::new(self.config.platform.clone()),
                base: Box::new(new.config.platform.clone()),
            });
        }
        let own_layers = own.len() - base;
        let (old_layers, new_layers) = (base, new.diff_ids().len());
        if old.diff_ids() == new.diff_ids() && old.config.config == new.config.config {
            return Ok(Rebased { own_layers, old_layers, new_layers, differences: Vec::new() });
        }
        let (config, differences) = merge(&self.config.config, &old.config.config, &new.config.config);
        let mut settled = self.config.clone();
        settle_history(&mut settled);
        let own_history = split_history(&settled, &old.config, base);
        self.config.config = config;
        self.config.rootfs.diff_ids.splice(..base, new.diff_ids().iter().cloned());
        self.layers.splice(..base, new.manifest.layers.iter().cloned());
        let mut of_base = (*new.config).clone();
        settle_history(&mut of_base);
        self.config.history = of_base.history;
        self.config.history.extend(own_history);
        settle_history(&mut self.config);
        Ok(Rebased { own_layers, old_layers, new_layers, differences })
    }
}
