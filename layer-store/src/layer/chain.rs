//! One index for the lower layers of a long chain.
//!
//! Overlay merges many indexes as well as one, but slowly: a hundred of them take sixty milliseconds to mount and to
//! unmount, and each look for a name that is nowhere goes through all. One index over all their tars takes one. It is
//! made of the tables of contents, as those of single layers are, and kept with the uppermost of them under the name
//! of the chain, beside what else a chain has of its own: directories that no tar lists.

use std::io::Write;
use std::path::PathBuf;

use tug_oci::{ChainId, DiffId};

use super::mountable::write_with;
use super::record::INDEX_VERSION;
use super::{IMPLIED, Layer, Lower};
use crate::erofs;
use crate::error::{Result, failed};
use crate::store::Store;
use crate::view::View;

/// From this many on one index is faster than a stack of them.
const WORTH_IT: usize = 30;

impl Store {
    /// Puts one index in the place of those that `lower` begins with, when they are many. Both lists are of the same
    /// layers, lowest first.
    pub(super) fn with_chain_index(&self, layers: &[Layer], lower: Vec<Lower>) -> Result<Vec<Lower>> {
        let count = lower.iter().take_while(|layer| matches!(layer, Lower::Indexed { .. })).count();
        if count < WORTH_IT {
            return Ok(lower);
        }
        let Some(chain) = self.chain_index(&layers[..count], &lower[..count])? else { return Ok(lower) };
        Ok(std::iter::once(chain).chain(lower.into_iter().skip(count)).collect())
    }

    /// Where the index of this chain is, or would be; `None` for a chain that gets none.
    pub(crate) fn chain_index_path(&self, layers: &[DiffId]) -> Option<PathBuf> {
        let (top, chain) = (layers.last()?, ChainId::of(layers)?);
        // Made on another boot, it may have been lost half with the power.
        let name = format!("{}-index{INDEX_VERSION}-{}", chain.hex(), self.boot_id());
        (layers.len() >= WORTH_IT).then(|| self.layer_folder(top).join(IMPLIED).join(name))
    }

    /// Writes the index of a chain to `out`, as it would be made now.
    pub(crate) fn write_chain_index(layers: &[Layer], out: &mut dyn Write) -> Result<bool> {
        let view = View::of(layers.to_vec())?;
        let sizes: Vec<u64> = layers.iter().map(Layer::tar_size).collect();
        Ok(erofs::write_chain(view.merged(), &sizes, out).is_ok())
    }

    fn chain_index(&self, layers: &[Layer], lower: &[Lower]) -> Result<Option<Lower>> {
        let names: Vec<DiffId> = layers.iter().map(|layer| layer.diff_id().clone()).collect();
        let Some(top) = names.last() else { return Ok(None) };
        let data = lower.iter().flat_map(|layer| match layer {
            Lower::Indexed { data, .. } => data.clone(),
            Lower::Tree(_) => Vec::new(),
        });
        let data = data.collect();
        let Some(index) = self.chain_index_path(&names) else { return Ok(None) };
        if index.exists() {
            return Ok(Some(Lower::Indexed { index, data }));
        }
        let scratch = self.scratch("chain")?;
        let made = scratch.path().join("erofs");
        let view = View::of(layers.to_vec())?;
        let sizes: Vec<u64> = layers.iter().map(Layer::tar_size).collect();
        if !write_with(&made, |out| erofs::write_chain(view.merged(), &sizes, out))? {
            return Ok(None);
        }
        self.own_layer(top)?;
        let folder = self.layer_folder(top).join(IMPLIED);
        std::fs::create_dir_all(&folder).map_err(failed("create", &folder))?;
        // Who is faster makes the same one.
        std::fs::rename(&made, &index).map_err(failed("create", &index))?;
        Ok(Some(Lower::Indexed { index, data }))
    }
}
