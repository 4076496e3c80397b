//! What an overlay merges for a chain of layers.
//!
//! Each layer has one tree or index, whatever chain it is in. There is one thing in which a chain matters: directories that a
//! foreign tar does not list, though it lists what is in them. Their tree has them with mode 755 of the root user, and
//! overlay takes the metadata of a directory from the uppermost layer that has it; but they should be as the layers
//! below say. So for such a chain one more folder goes on top, with nothing in it but these directories, as they
//! should be. It is kept with the uppermost layer, under the name of the chain.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use tug_oci::{ChainId, DiffId};

use super::ensure::in_parallel;
use super::{Layer, Lower};
use crate::entry::{Entry, EntryKind};
use crate::error::{Error, Result, failed};
use crate::file::{self, Durability};
use crate::layer::sink::too_large;
use crate::store::{Owners, Store};
use crate::toc::{TocTooLarge, TocWriter};
use crate::tree::{Attributes, TreeWriter};
use crate::view::{Found, Place, View};

pub(crate) const IMPLIED: &str = "implied";
/// How many layers overlay merges (`OVL_MAX_STACK` of the kernel), less one for implied directories.
const MOST: usize = 499;
/// How many layers become one where there are more.
const GROUP: usize = 400;
const LARGEST_NOTE: u64 = 1024;

impl Store {
    /// What an overlay merges for `layers`, which come lowest first. The results come in the order that overlay
    /// wants: the uppermost first. Trees or indexes are made where there are none, several at once.
    ///
    /// A layer that a chain has more than once is given once, where it is uppermost: all that it says there holds below
    /// as well, and overlay takes no folder twice. There may be one result more than there are layers. Of more layers
    /// than the kernel merges, many become one first.
    pub fn lower(&self, layers: &[DiffId]) -> Result<Vec<Lower>> {
        let found = self.find_layers(layers)?;
        // Indexes of a long chain may be one mount; trees of more layers than are mounted are not even made.
        let mut lower = None;
        if layers.len() <= MOST || self.options().indexed_layers {
            lower = Some(self.lower_of(&found)?).filter(|lower| lower.len() <= MOST);
        }
        let mut lower = match lower {
            Some(lower) => lower,
            None => self.lower_of(&self.in_groups(layers)?)?,
        };
        if let Some(implied) = self.implied_directories(found)? {
            lower.push(Lower::Tree(implied));
        }
        let mut seen = HashSet::new();
        Ok(lower.into_iter().rev().filter(|layer| seen.insert(layer.clone())).collect())
    }

    /// What is mounted for each layer, lowest first, and for many at once where that is possible.
    fn lower_of(&self, layers: &[Layer]) -> Result<Vec<Lower>> {
        let lower = in_parallel(layers, Layer::make_mountable)?;
        self.with_chain_index(layers, lower)
    }

    /// Makes sure that a layer has a folder in this store, though it may be in another one.
    pub(super) fn own_layer(&self, diff_id: &DiffId) -> Result<()> {
        match self.layer(diff_id)?.filter(|layer| layer.home.is_some()) {
            None => Ok(()),
            Some(layer) => {
                let lock = self.lock_layer(diff_id)?;
                layer.take_over(&lock).map(drop)
            }
        }
    }

    /// All of them, which must be in the store.
    pub(crate) fn find_layers(&self, layers: &[DiffId]) -> Result<Vec<Layer>> {
        let find =
            |diff_id: &DiffId| self.layer(diff_id)?.ok_or_else(|| Error::MissingLayer(diff_id.clone()));
        layers.iter().map(find).collect()
    }

    /// Fewer layers that give the same files: every full group of the lower ones is squashed. Groups begin at the bottom,
    /// so that a chain that grows has the same ones.
    fn in_groups(&self, layers: &[DiffId]) -> Result<Vec<Layer>> {
        let mut fewer = Vec::new();
        let full = layers.len() / GROUP;
        for group in 0..full {
            let (first, end) = (group * GROUP, (group + 1) * GROUP);
            fewer.push(self.squashed_group(&layers[..end], first)?);
        }
        fewer.extend(self.find_layers(&layers[full * GROUP..])?);
        Ok(fewer)
    }

    /// The layers from `first` on as one. What it was is noted down beside the uppermost of them.
    fn squashed_group(&self, layers: &[DiffId], first: usize) -> Result<Layer> {
        let (Some(top), Some(chain)) = (layers.last(), ChainId::of(layers)) else {
            return self.squash(layers, first);
        };
        self.own_layer(top)?;
        let note = self.layer_folder(top).join(format!("squashed-{}", chain.hex()));
        let noted = file::read_small(&note, LARGEST_NOTE)?;
        let noted = noted.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.parse::<DiffId>().ok());
        if let Some(layer) = noted.and_then(|diff_id| self.layer(&diff_id).transpose()) {
            return layer;
        }
        let layer = self.squash(layers, first)?;
        let text = layer.diff_id().to_string();
        file::replace(&note, &self.layer_folder(top), text.as_bytes(), Durability::Deferred)?;
        Ok(layer)
    }

    /// The folder with the implied directories of a chain, if it needs one.
    fn implied_directories(&self, layers: Vec<Layer>) -> Result<Option<PathBuf>> {
        let mut candidates: Vec<Vec<u8>> = Vec::new();
        for layer in &layers {
            candidates.extend(layer.toc()?.implied().map(<[u8]>::to_vec));
        }
        let names: Vec<DiffId> = layers.iter().map(|layer| layer.diff_id().clone()).collect();
        let (Some(top), Some(chain), false) = (names.last(), ChainId::of(&names), candidates.is_empty())
        else {
            return Ok(None);
        };
        // Made on another boot, it may have been lost half with the power; made for others, it says owners otherwise.
        let form = if self.options().owners == Owners::Recorded { "recorded" } else { "real" };
        let name = format!("{}-{form}-{}", chain.hex(), self.boot_id());
        let path = self.layer_folder(top).join(IMPLIED).join(name);
        let view = View::of(layers)?;
        let wrong = |path: &Vec<u8>| match view.merged().find(path) {
            Some(Found::Directory(place)) => view.merged().is_implied_above_listed(&place),
            _ => false,
        };
        candidates.retain(wrong);
        if candidates.is_empty() {
            return Ok(None);
        }
        if !path.exists() {
            self.own_layer(top)?;
            self.make_implied(&view, &candidates, &path)?;
        }
        Ok(Some(path))
    }

    fn make_implied(&self, view: &View, directories: &[Vec<u8>], path: &Path) -> Result<()> {
        // Directories on the way are above the layers as well, so they must be right too.
        let mut places: Vec<Place> = Vec::new();
        for directory in directories {
            let ends = directory.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
            for end in ends.chain([directory.len()]) {
                if let Some(Found::Directory(place)) = view.merged().find(&directory[..end]) {
                    places.push(place);
                }
            }
        }
        places.sort_by(|left, right| crate::entry::canonical_order(left.path(), right.path()));
        places.dedup_by(|left, right| left.path() == right.path());
        let folder = self.scratch("implied")?;
        let made = folder.path().join(super::TREE);
        let mut tree = TreeWriter::new(&made, self.options())?;
        let mut toc = TocWriter::new();
        for place in &places {
            tree.directory(place.path())?;
            let Attributes { mode, uid, gid, mtime, xattrs } = view.merged().attributes(place);
            let (path, kind) = (place.path().to_vec(), EntryKind::Directory);
            let entry = Entry { path, kind, mode, uid, gid, mtime, xattrs };
            toc.entry(&entry, None).map_err(|TocTooLarge| too_large())?;
        }
        tree.finish(&toc.finish())?;
        let parent = path.parent().unwrap_or(path);
        std::fs::create_dir_all(parent).map_err(failed("create", parent))?;
        match std::fs::rename(&made, path) {
            // Somebody else was faster.
            Err(_) if path.exists() => Ok(()),
            other => other.map_err(failed("create", path)),
        }
    }
}
