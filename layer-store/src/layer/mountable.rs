//! The forms in which a layer can be mounted, and which of them a process uses.
//!
//! | form   | what it is                                            | where                                              |
//! | ------ | ----------------------------------------------------- | -------------------------------------------------- |
//! | tree   | a directory with all files                            | everywhere; made for who mounts it: see [`TreeForm`] |
//! | index  | an EROFS image whose files lie in the layer's plain tar | where [`crate::StoreOptions::indexed_layers`] says so |
//!
//! Both give the same files. A tree that is there is used: what a RUN step wrote is one without further work. Where there
//! is none, an index is made if it can be mounted: it takes one pass over the table of contents instead of a system call
//! or ten for each file, and no room. The plain tar is kept with it. A layer that an index cannot hold gets a tree.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::import::Derive;
use super::record::{INDEX_VERSION, Record, TreeForm};
use super::{Draft, INDEX, Known, Layer, TREE};
use crate::entry::Mtime;
use crate::erofs::{self, IndexError};
use crate::error::{Error, Result, failed};
use crate::fetch::Wanted;
use crate::file;
use crate::lock::Lock;
use crate::scratch::ScratchDir;
use crate::toc::{Toc, TocDamaged};
use crate::tree::times;

/// What is merged into the root of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Lower {
    /// A directory, with whiteouts as overlay knows them.
    Tree(PathBuf),
    /// An EROFS image, and the files that hold the content of its files: its extra devices, in this order.
    Indexed {
        /// The image.
        index: PathBuf,
        /// The plain tars.
        data: Vec<PathBuf>,
    },
}

impl Layer {
    /// What a process with the options of this store mounts, if that is there.
    pub(crate) fn lower(&self) -> Result<Option<Lower>> {
        if let Some(tree) = self.tree() {
            return Ok(Some(Lower::Tree(tree)));
        }
        if !self.is_indexed() || !self.store.has_blob(self.diff_id().digest())? {
            return Ok(None);
        }
        let data = vec![self.store.found_blob_path(self.diff_id().digest())?];
        let index = self.folder().join(INDEX);
        Ok(Some(Lower::Indexed { index, data }))
    }

    /// Whether there is an index that can be used here. It needs the plain tar.
    fn is_indexed(&self) -> bool {
        self.store.options().indexed_layers && self.record.index == Some(INDEX_VERSION)
    }

    /// What a process with the options of this store mounts, made if there is nothing yet.
    ///
    /// Of several threads and processes that need it, one does the work.
    pub(crate) fn make_mountable(&self) -> Result<Lower> {
        if let Some(lower) = self.lower()? {
            return Ok(lower);
        }
        if self.open_tar()?.is_none() {
            self.store.bring([Wanted::blob(&self.blob())])?;
        }
        let lock = self.store.lock_layer(self.diff_id())?;
        let missing = || Error::MissingLayer(self.diff_id().clone());
        let mut layer = match self.store.known_layer(self.diff_id())? {
            Known::Good(layer) => layer,
            Known::Nothing if self.home.is_some() => self.take_over(&lock)?,
            Known::Doubtful | Known::Nothing => return Err(missing()),
        };
        if let Some(lower) = layer.lower()? {
            return Ok(lower);
        }
        if layer.open_tar()?.is_none() {
            layer = self.store.derive_layer(self.diff_id(), &layer.blob(), Derive::Mountable, &lock)?;
        } else if self.store.options().indexed_layers {
            layer = layer.adopt_index_of_its_own()?;
        }
        if layer.lower()?.is_none() {
            layer = layer.with_tree(&lock)?;
        }
        layer.lower()?.ok_or_else(missing)
    }

    /// A layer of another store as one of our own: record and table of contents are ours then, the blob stays there. The
    /// lock of the layer is held.
    pub(super) fn take_over(&self, lock: &Lock) -> Result<Self> {
        let toc = Toc::from_bytes(self.toc()?.as_bytes().to_vec());
        let damaged = |error: TocDamaged| Error::Damaged { path: self.folder(), reason: error.to_string() };
        let draft = Draft {
            folder: self.store.scratch("layer")?,
            has_tree: false,
            mountable: false,
            blobs: Vec::new(),
            diff_id: self.diff_id().clone(),
            tar_size: self.tar_size(),
            toc: toc.map_err(damaged)?,
            content_size: self.content_size(),
            came_as: self.record.blob.clone(),
        };
        draft.publish(&self.store, Some(lock))
    }

    /// The tree that a process with the options of this store can read, if there is one.
    pub(crate) fn tree(&self) -> Option<PathBuf> {
        let is_ours = self.record.tree == Some(TreeForm::of(self.store.options()));
        is_ours.then(|| self.folder().join(TREE))
    }

    /// The plain tar, made from the blob if it is not kept. That takes one pass, and no more files than one.
    pub(crate) fn make_tar(&self) -> Result<File> {
        if let Some(tar) = self.open_tar()? {
            return Ok(tar);
        }
        self.store.bring([Wanted::blob(&self.blob())])?;
        let lock = self.store.lock_layer(self.diff_id())?;
        if let Some(tar) = self.open_tar()? {
            return Ok(tar);
        }
        let layer = self.store.derive_layer(self.diff_id(), &self.blob(), Derive::Tar, &lock)?;
        layer.open_tar()?.ok_or_else(|| Error::MissingLayer(self.diff_id().clone()))
    }

    /// The folder of the tree, which is made if there is none.
    pub(crate) fn make_tree(&self) -> Result<PathBuf> {
        if let Some(tree) = self.tree() {
            return Ok(tree);
        }
        match self.make_mountable()? {
            Lower::Tree(path) => Ok(path),
            Lower::Indexed { .. } => {
                let lock = self.store.lock_layer(self.diff_id())?;
                self.clone().with_tree(&lock)?;
                Ok(self.store.layer_folder(self.diff_id()).join(TREE))
            }
        }
    }

    /// What the file system of the store makes of a time: its range is limited, and so may be its grain.
    pub(crate) fn time_on_disk(&self, time: Mtime) -> Result<Mtime> {
        let (path, file) = file::create_unique(&self.store.path("ingest"), "time")?;
        let seen = rustix::fs::futimens(&file, &times(time)).and_then(|()| rustix::fs::fstat(&file));
        std::fs::remove_file(&path).map_err(failed("remove", &path))?;
        let status = seen.map_err(std::io::Error::from).map_err(failed("look at", &path))?;
        Ok(Mtime { seconds: status.st_mtime, nanos: u32::try_from(status.st_mtime_nsec).unwrap_or(0) })
    }

    /// The same with a tree, from the plain tar or the blob. The lock of the layer is held.
    fn with_tree(self, lock: &Lock) -> Result<Self> {
        let layer = match self.open_tar()? {
            Some(_) => self,
            None => self.store.derive_layer(self.diff_id(), &self.blob(), Derive::Mountable, lock)?,
        };
        match layer.open_tar()? {
            Some(tar) => {
                let folder = layer.tree_of(&tar)?;
                layer.adopt_tree(&folder)
            }
            None => Ok(layer),
        }
    }

    /// The same with an index, unless an index cannot hold it. The lock of the layer is held, its plain tar is there.
    fn adopt_index_of_its_own(self) -> Result<Self> {
        let folder = self.store.scratch("layer")?;
        match write_index(&*self.toc()?, self.tar_size(), folder.path())? {
            true => self.adopt_index(&folder),
            false => Ok(self),
        }
    }

    /// Takes over an index from `folder`, unless there is one that is as good. The lock of the layer is held.
    pub(super) fn adopt_index(self, folder: &ScratchDir) -> Result<Self> {
        if self.record.index == Some(INDEX_VERSION) {
            return Ok(self);
        }
        let target = self.store.layer_folder(self.diff_id());
        std::fs::rename(folder.path().join(INDEX), target.join(INDEX)).map_err(failed("create", &target))?;
        let boot_id = self.store.boot_id().to_owned();
        let with =
            Record { index: Some(INDEX_VERSION), durable: false, boot_id, ..Record::clone(&self.record) };
        with.write(&target)?;
        Ok(Self { record: with.into(), ..self })
    }
}

/// Writes the index of a layer into `folder`; `false`, and nothing is written, when an index cannot hold it.
pub(super) fn write_index(toc: &Toc, tar_size: u64, folder: &Path) -> Result<bool> {
    write_with(&folder.join(INDEX), |out| erofs::write(toc, tar_size, out))
}

/// Writes an index to `path`; `false`, and nothing is there, when an index cannot hold what it should.
pub(super) fn write_with(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> std::result::Result<u64, IndexError>,
) -> Result<bool> {
    let mut file = BufWriter::new(File::create(path).map_err(failed("create", path))?);
    match write(&mut file).and_then(|_| Ok(file.flush()?)) {
        Ok(()) => Ok(true),
        Err(IndexError::Io(error)) => Err(failed("write", path)(error)),
        Err(IndexError::CannotHold { .. }) => {
            std::fs::remove_file(path).map_err(failed("remove", path))?;
            Ok(false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::NewEntry;
    use crate::layer::{IMPLIED, LayerWriterOptions};
    use crate::store::StoreOptions;
    use crate::store::tests::PLAIN;
    use crate::verify::{Severity, VerifyOptions};

    fn store() -> (tempfile::TempDir, crate::Store) {
        let folder = tempfile::tempdir().unwrap();
        let options = StoreOptions { indexed_layers: true, ..PLAIN };
        let store = crate::Store::open(&folder.path().join("store"), &options).unwrap();
        (folder, store)
    }

    fn layer(store: &crate::Store, name: &str) -> Layer {
        let mut writer = store.layer_writer(&LayerWriterOptions::default()).unwrap();
        writer.add(&NewEntry::file(name, 0o644, 4), Some(&mut &b"text"[..])).unwrap();
        writer.finish().unwrap()
    }

    fn index_of(lower: &[Lower]) -> &Path {
        match &lower[0] {
            Lower::Indexed { index, .. } => index,
            Lower::Tree(tree) => panic!("a tree: {}", tree.display()),
        }
    }

    #[test]
    fn an_index_of_another_version_is_written_again_and_not_read() {
        let (_folder, store) = store();
        let diff_id = layer(&store, "file").diff_id().clone();
        let lower = store.lower(std::slice::from_ref(&diff_id)).unwrap();
        let good = std::fs::read(index_of(&lower)).unwrap();
        let folder = store.layer_folder(&diff_id);
        for version in [INDEX_VERSION - 1, INDEX_VERSION + 1] {
            let record = Record::read(&folder).unwrap().unwrap();
            Record { index: Some(version), ..record }.write(&folder).unwrap();
            std::fs::write(folder.join(INDEX), "laid out otherwise").unwrap();
            let lower = store.lower(std::slice::from_ref(&diff_id)).unwrap();
            assert_eq!(std::fs::read(index_of(&lower)).unwrap(), good, "version {version}");
            assert_eq!(Record::read(&folder).unwrap().unwrap().index, Some(INDEX_VERSION));
        }
    }

    #[test]
    fn a_damaged_index_of_a_chain_is_found_and_goes() {
        let (_folder, store) = store();
        let layers: Vec<_> =
            (0..40).map(|number| layer(&store, &format!("file-{number}")).diff_id().clone()).collect();
        let mut config = tug_oci::ImageConfig::empty(tug_oci::Platform::linux("amd64"));
        config.rootfs.diff_ids.clone_from(&layers);
        let image = store.write_image(config, Default::default()).unwrap();
        store.tag(&"deep".parse().unwrap(), &image.descriptor).unwrap();
        let lower = store.lower(&layers).unwrap();
        let index = index_of(&lower).to_owned();
        assert_eq!((lower.len(), index.parent().unwrap().ends_with(IMPLIED)), (1, true));
        let good = std::fs::read(&index).unwrap();
        let verify = |repair| {
            let options = VerifyOptions { repair, ..VerifyOptions::default() };
            store.verify(&options, &|_| ()).unwrap()
        };
        assert_eq!(verify(false).wrong(), 0);
        for damage in [&good[..good.len() - 1], &[&good[..], b"more"].concat(), b""] {
            std::fs::write(&index, damage).unwrap();
            let found = verify(false);
            let wrong = found.findings.iter().find(|finding| finding.severity == Severity::Wrong).unwrap();
            assert!(found.wrong() == 1 && index.ends_with(&wrong.path), "{found:?}");
            assert_eq!(verify(true).wrong(), 0);
            assert!(!index.exists(), "it is for whoever mounts it next");
            store.lower(&layers).unwrap();
            assert_eq!(std::fs::read(&index).unwrap(), good);
        }
    }
}
