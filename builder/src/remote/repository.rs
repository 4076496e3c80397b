//! The files of a commit: layers of the store, one for the repository and one for each submodule.
//!
//! They come as tars and are never unpacked. Only with `.git` there is a working copy, for as long as the build runs.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tug_fetch::{Commit, GitUrl};
use tug_layer_store::{ImportLayer, Mtime, ScratchDir};
use tug_oci::{DiffId, Digest};

use super::Remotes;
use crate::cancel::Cancel;
use crate::error::Error;
use crate::files::{Files, Folder, Item, Layered, PartOf, clean, resolve};

/// The files of a commit, from the folder on that was asked for.
pub(crate) struct Tree {
    pub files: Arc<dyn Files>,
    /// When the commit was made, in seconds since 1970.
    pub time: i64,
}

/// What is remembered of a commit.
#[derive(Serialize, Deserialize)]
struct Record {
    layers: Vec<DiffId>,
    time: i64,
}

impl Tree {
    /// The files with another time.
    pub(crate) fn dated(self, mtime: Mtime) -> Arc<dyn Files> {
        let part = PartOf { files: self.files, root: Vec::new(), mtime: Some(mtime), plain_modes: false };
        Arc::new(part)
    }
}

impl Remotes {
    /// The files of `commit`; with `.git` if `keep_git_dir` says so.
    pub(crate) fn tree(&self, url: &GitUrl, commit: &Commit, keep_git_dir: bool) -> Result<Tree, Error> {
        let (all, time): (Arc<dyn Files>, _) = match keep_git_dir {
            false => {
                let record = self.layers(url, commit)?;
                (Arc::new(Layered::new(self.store.view(&record.layers)?)), record.time)
            }
            true => {
                let time = self.git.fetch(url, commit, &self.stop)?.time();
                let folder = self.store.scratch("git")?;
                self.git.check_out(url, commit, folder.path(), &self.stop)?;
                (Arc::new(WorkingCopy::new(&self.store, folder)?), time)
            }
        };
        let Some(folder) = &url.wanted().subdirectory else {
            let files = match keep_git_dir {
                true => part(all, Vec::new(), keep_git_dir),
                false => all,
            };
            return Ok(Tree { files, time });
        };
        let root = resolve(&*all, &clean(folder.as_bytes()))?;
        let is_folder = root.is_empty() || all.item(&root)?.is_some_and(|item| item.is_directory());
        if !is_folder {
            return Err(Error::Context(format!(
                "there is no folder `{folder}` in `{url}` at `{}`",
                commit.sha
            )));
        }
        Ok(Tree { files: part(all, root, keep_git_dir), time })
    }

    /// The layers of a commit, fetched if they are not here.
    fn layers(&self, url: &GitUrl, commit: &Commit) -> Result<Record, Error> {
        let submodules = url.wanted().submodules;
        let key = format!("tug commit 1\n{}\nsubmodules {submodules}", commit.sha);
        let key = Digest::of(key.as_bytes());
        let known = self.store.cache_record(&key)?;
        if let Some(record) = known.and_then(|bytes| serde_json::from_slice::<Record>(&bytes).ok())
            && self.are_here(&record.layers)?
        {
            return Ok(record);
        }
        let trees = self.git.fetch(url, commit, &self.stop)?;
        let mut layers = Vec::new();
        for part in trees.parts() {
            let mut outcome = None;
            let read = part.tar(&self.stop, |tar| {
                let imported = self.store.import_layer(&mut { tar }, &ImportLayer::default());
                let result = imported.as_ref().map(drop).map_err(|_| io::ErrorKind::Other.into());
                outcome = Some(imported);
                result
            });
            match (read, outcome) {
                (Ok(()), Some(Ok(layer))) => layers.push(layer.diff_id().clone()),
                // Git failed, or was ended; else what came could not be taken.
                (Err(error @ tug_fetch::Error::Git { .. }), _) => return Err(error.into()),
                (_, Some(Err(error))) => return Err(error.into()),
                (Err(error), _) => return Err(error.into()),
                (Ok(()), None) => return Err(Error::Context(format!("`{url}` gave no files"))),
            }
        }
        let record = Record { layers, time: trees.time() };
        let bytes = serde_json::to_vec(&record).expect("records have no failing parts");
        self.store.put_cache_record(&key, &bytes)?;
        Ok(record)
    }

    fn are_here(&self, layers: &[DiffId]) -> Result<bool, Error> {
        for layer in layers {
            if self.store.layer(layer)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn part(files: Arc<dyn Files>, root: Vec<u8>, plain_modes: bool) -> Arc<dyn Files> {
    Arc::new(PartOf { files, root, mtime: None, plain_modes })
}

/// A working copy that goes away with the build.
struct WorkingCopy {
    folder: Folder,
    _scratch: ScratchDir,
}

impl WorkingCopy {
    fn new(store: &tug_layer_store::Store, scratch: ScratchDir) -> Result<Self, Error> {
        let digests = store.file_digests(scratch.path())?;
        Ok(Self { folder: Folder::open(scratch.path(), None, digests)?, _scratch: scratch })
    }
}

impl Files for WorkingCopy {
    fn item(&self, path: &[u8]) -> Result<Option<Item>, Error> {
        self.folder.item(path)
    }

    fn children(&self, path: &[u8]) -> Result<Vec<Arc<Item>>, Error> {
        self.folder.children(path)
    }

    fn digest(&self, item: &Item, cancel: &Cancel) -> Result<Digest, Error> {
        self.folder.digest(item, cancel)
    }

    fn open(&self, item: &Item) -> Result<Box<dyn io::Read + Send>, Error> {
        self.folder.open(item)
    }

    fn shown(&self, path: &[u8]) -> PathBuf {
        self.folder.shown(path)
    }

    fn refresh(&self) {
        self.folder.refresh();
    }
}
