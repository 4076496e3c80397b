//! Opens the store: the folder in which everything is kept.
//!
//! The store is a folder, without a database and without a daemon, and a valid OCI image layout: any OCI tool reads it
//! in place. Many processes work in it at once.
//!
//! | name                         | what it holds                                                         |
//! | ---------------------------- | --------------------------------------------------------------------- |
//! | `oci-layout`, `index.json`   | the mark of an image layout; the refs (annotations)                   |
//! | `meta.json`                  | format version and feature flags                                      |
//! | `blobs/<algorithm>/<hex>`    | manifests, configs, compressed layers, plain tars                     |
//! | `layers/<diff id>/`          | record, table of contents and tree of a layer                         |
//! | `cache/`                     | results of build steps, and remembered file digests                   |
//! | `mounts/`, `builds/`         | cache mounts; events and logs of builds                               |
//! | `origins`                    | in which repositories blobs were seen                                 |
//! | `reserve`                    | room that is given up to remove things when the disk is full          |
//! | `shared`                     | which trees share the room of equal files, and what that saves        |
//! | `git/`                       | shallow copies of repositories, kept by whoever fetches from them     |
//! | `ingest/`                    | what is being written                                                 |
//! | `trash/`                     | what is being deleted                                                 |
//! | `locks/`                     | flock files                                                           |
//!
//! All of it is on one file system, since files get their final name by rename. A file has its final name only when it
//! is complete; what a killed process leaves is in `ingest/` or referenced by nothing, and the next prune removes it.

use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tug_oci::{DiffId, Digest, json_reason};

use crate::error::{Error, Result, failed};
use crate::fetch::Fetching;
use crate::file::{self, Durability};
use crate::lease::OwnLease;
use crate::lock::{self, Lock};
use crate::refs;
use crate::stop::Stop;
use crate::toc::TocCache;
use crate::trash::Trash;

/// Whether files on disk can be given to the owners that an image says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// They can: we are root, or in a user namespace with a range of ids.
    Real,
    /// They cannot: there is only one id. Owners live in tables of contents, and in the attribute `user.tug.owner` of
    /// files and directories of trees.
    Recorded,
}

/// How this process uses a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Whether files can be given to other owners.
    pub owners: Owners,
    /// Whether we are in a user namespace: overlay's attributes are called `user.overlay.*`, devices cannot be made.
    pub in_user_namespace: bool,
    /// Whether layers can be mounted here that were not unpacked: an EROFS image over a plain tar. Where they cannot,
    /// they get trees.
    pub indexed_layers: bool,
}

/// An open store. Cloning is cheap; all clones share one lease, which ends when the last is dropped.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
    pub(crate) stop: Option<Stop>,
    pub(crate) fetching: Option<Fetching>,
    /// Stores that are only read: see [`mod@crate::second`].
    pub(crate) others: Arc<[Self]>,
    /// Whether what is looked at is kept from being collected: see [`crate::lease`].
    pub(crate) pins: bool,
}

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    options: StoreOptions,
    boot_id: String,
    trash: Trash,
    tocs: TocCache,
    /// None in a store that is only read.
    lease: Option<OwnLease>,
    /// The lock of a store that is only read, where it could be had.
    _reader: Option<File>,
}

impl Store {
    /// Opens the store in `root`, and makes it when there is none.
    ///
    /// Waits while another process removes garbage. Fails when the folder cannot be written to, has files of somebody
    /// else in it, or was made by a tug that knows more.
    pub fn open(root: &Path, options: &StoreOptions) -> Result<Self> {
        let store = Self::prepare(root, options)?;
        refs::make_index(store.root())?;
        Ok(store)
    }

    /// The same, but a store that has images and no `index.json` is opened, too: for [`Store::verify`].
    pub fn open_damaged(root: &Path, options: &StoreOptions) -> Result<Self> {
        let store = Self::prepare(root, options)?;
        match refs::make_index(store.root()) {
            Err(Error::Damaged { .. }) => Ok(store),
            other => other.map(|()| store),
        }
    }

    fn prepare(root: &Path, options: &StoreOptions) -> Result<Self> {
        let root = std::path::absolute(root).map_err(failed("find", root))?;
        make_root(&root)?;
        refuse_foreign(&root)?;
        refuse_other_owner(&root)?;
        make_folder(&root.join("locks"))?;
        let lease = Some(OwnLease::begin(&root.join("locks"))?);
        for name in ["blobs", "blobs/sha256", "layers", "cache", "mounts", "builds", "ingest", "trash"] {
            make_folder(&root.join(name))?;
        }
        Meta::agree(&root)?;
        make_layout(&root)?;
        let trash = Trash::new(root.join("trash"));
        let inner = Inner {
            root,
            options: options.clone(),
            boot_id: boot_id()?,
            trash,
            tocs: TocCache::default(),
            lease,
            _reader: None,
        };
        let store = Self::of(inner);
        store.make_reserve();
        Ok(store)
    }

    /// Opens a store to read what is in it. Nothing in it is changed, not even a lock is made, so it may be another
    /// user's, or on a file system that cannot be written to. What would write to it fails.
    ///
    /// Its owner may remove things meanwhile, unless the file of its lock may be read. What is open stays readable; what
    /// is gone is missing, as if it had never been there.
    pub fn open_read_only(root: &Path, options: &StoreOptions) -> Result<Self> {
        let root = std::path::absolute(root).map_err(failed("find", root))?;
        if !std::fs::metadata(&root).map_err(failed("open", &root))?.is_dir() {
            return Err(Error::FileInPlace { path: root });
        }
        let Some(meta) = Meta::read(&root)? else { return Err(Error::NoStore { path: root }) };
        meta.agree_to_read(&root)?;
        let _reader = lock::shared_if_possible(&root.join("locks/store"));
        let trash = Trash::new(root.join("trash"));
        let (boot_id, tocs, options) = (boot_id()?, TocCache::default(), options.clone());
        Ok(Self::of(Inner { root, options, boot_id, trash, tocs, lease: None, _reader }))
    }

    fn of(inner: Inner) -> Self {
        Self { inner: Arc::new(inner), stop: None, fetching: None, others: Arc::default(), pins: true }
    }

    /// Whether it was opened by [`Store::open_read_only`].
    pub fn is_read_only(&self) -> bool {
        self.inner.lease.is_none()
    }

    /// The folder of the store, absolute.
    pub fn root(&self) -> &Path {
        &self.inner.root
    }

    /// How this process uses the store.
    pub fn options(&self) -> &StoreOptions {
        &self.inner.options
    }

    /// The id of this boot of the machine: what was written on an earlier one, and never synced, may be lost.
    pub fn boot_id(&self) -> &str {
        &self.inner.boot_id
    }

    /// Waits until nobody else makes the layer, and keeps others from making it.
    pub(crate) fn lock_layer(&self, diff_id: &DiffId) -> Result<Lock> {
        if self.is_read_only() {
            return Err(Error::ReadOnly { action: "change", path: self.layer_folder(diff_id) });
        }
        self.pin([diff_id.digest()]);
        Lock::exclusive(&self.path("locks").join(format!("layer-{}", diff_id.hex())))
    }

    /// A path below the root.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.inner.root.join(below)
    }

    /// Where the blob is, or would be. It is pinned before: see [`crate::lease`].
    pub(crate) fn blob_path(&self, digest: &Digest) -> PathBuf {
        self.pin([digest]);
        self.inner.root.join("blobs").join(digest.algorithm().name()).join(digest.hex())
    }

    /// The folder of the layer, whether it exists or not. The layer is pinned before: see [`crate::lease`].
    pub(crate) fn layer_folder(&self, diff_id: &DiffId) -> PathBuf {
        self.pin([diff_id.digest()]);
        self.inner.root.join("layers").join(diff_id.hex())
    }

    pub(crate) fn tocs(&self) -> &TocCache {
        &self.inner.tocs
    }

    pub(crate) fn trash(&self) -> &Trash {
        &self.inner.trash
    }

    pub(crate) fn lease(&self) -> Option<&OwnLease> {
        self.inner.lease.as_ref()
    }
}

/// What this version of tug knows how to handle. A store that uses an incompatible feature we do not know is refused;
/// so is one with a read-only compatible feature, since we always may write.
const KNOWN_FEATURES: &[&str] = &[];
const META_FILE: &str = "meta.json";
const META_LIMIT: u64 = 64 * 1024;

#[derive(Debug, Default, Serialize, Deserialize)]
struct Meta {
    format: u32,
    #[serde(default)]
    compatible: Vec<String>,
    #[serde(default)]
    read_only_compatible: Vec<String>,
    #[serde(default)]
    incompatible: Vec<String>,
}

impl Meta {
    const FORMAT: u32 = 1;

    fn agree(root: &Path) -> Result<()> {
        let Some(meta) = Self::read(root)? else {
            let meta = Self { format: Self::FORMAT, ..Self::default() };
            let bytes = serde_json::to_vec(&meta).expect("the meta data are plain texts and numbers");
            return file::replace(&root.join(META_FILE), &root.join("ingest"), &bytes, Durability::Synced);
        };
        meta.agree_to_read(root)?;
        Self::know(root, &meta.read_only_compatible)
    }

    /// `None` when there is no store.
    fn read(root: &Path) -> Result<Option<Self>> {
        let path = root.join(META_FILE);
        let Some(bytes) = file::read_small(&path, META_LIMIT)? else { return Ok(None) };
        let parsed = serde_json::from_slice(&bytes);
        parsed.map(Some).map_err(|error| Error::Damaged { path, reason: json_reason(&error) })
    }

    fn agree_to_read(&self, root: &Path) -> Result<()> {
        if self.format != Self::FORMAT {
            let feature = format!("format {}", self.format);
            return Err(Error::UnknownFeature { path: root.to_owned(), feature });
        }
        Self::know(root, &self.incompatible)
    }

    fn know(root: &Path, needed: &[String]) -> Result<()> {
        match needed.iter().find(|feature| !KNOWN_FEATURES.contains(&feature.as_str())) {
            Some(feature) => Err(Error::UnknownFeature { path: root.to_owned(), feature: feature.clone() }),
            None => Ok(()),
        }
    }
}

/// A folder with anything in it that is not ours may be somebody's home: we do not settle there.
fn refuse_foreign(root: &Path) -> Result<()> {
    const OURS: &[&str] = &[
        "blobs",
        "builds",
        "cache",
        "index.json",
        "ingest",
        "layers",
        "locks",
        "meta.json",
        "mounts",
        "oci-layout",
        "origins",
        "reserve",
        "shared",
        "trash",
    ];
    if root.join(META_FILE).exists() || root.join("oci-layout").exists() {
        return Ok(());
    }
    for entry in std::fs::read_dir(root).map_err(failed("list", root))? {
        let name = entry.map_err(failed("list", root))?.file_name();
        if !OURS.iter().any(|ours| name == *ours) {
            let found = name.to_string_lossy().into_owned();
            return Err(Error::NotAStore { path: root.to_owned(), found });
        }
    }
    Ok(())
}

/// What marks a folder as an OCI image layout.
pub(crate) const LAYOUT: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;

fn make_layout(root: &Path) -> Result<()> {
    let layout = root.join("oci-layout");
    if !layout.exists() {
        file::replace(&layout, &root.join("ingest"), LAYOUT, Durability::Synced)?;
    }
    Ok(())
}

/// Makes a folder that only its owner may enter: layers hold programs that would run as root for others.
pub(crate) fn make_folder(path: &Path) -> Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed("create", path))
}

/// Only root can be refused here: everybody else may not even look into the store of another user.
fn refuse_other_owner(root: &Path) -> Result<()> {
    let Ok(meta) = std::fs::metadata(root.join(META_FILE)) else { return Ok(()) };
    match meta.uid() {
        owner if rustix::process::geteuid().is_root() && owner != 0 => {
            Err(Error::OtherOwner { path: root.to_owned(), owner })
        }
        _ => Ok(()),
    }
}

fn make_root(root: &Path) -> Result<()> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(root);
    made.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory => {
            Error::FileInPlace { path: root.to_owned() }
        }
        _ => failed("create", root)(error),
    })
}

fn boot_id() -> Result<String> {
    let path = Path::new("/proc/sys/kernel/random/boot_id");
    let mut text = String::new();
    let mut opened = File::open(path).map_err(failed("open", path))?;
    io::Read::read_to_string(&mut opened, &mut text).map_err(failed("read", path))?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) const PLAIN: StoreOptions =
        StoreOptions { owners: Owners::Real, in_user_namespace: false, indexed_layers: false };

    pub(crate) fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store"), &PLAIN).unwrap();
        (folder, store)
    }

    #[test]
    fn a_file_is_no_place_for_a_store() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "text").unwrap();
        for path in [file.clone(), file.join("store")] {
            let error = Store::open(&path, &PLAIN).unwrap_err();
            assert!(matches!(&error, Error::FileInPlace { path: found } if *found == path), "{error}");
        }
    }

    #[test]
    fn a_new_store_is_an_oci_layout_that_only_its_owner_may_enter() {
        use std::os::unix::fs::PermissionsExt;
        let (_folder, store) = store();
        assert_eq!(
            std::fs::read_to_string(store.path("oci-layout")).unwrap(),
            r#"{"imageLayoutVersion":"1.0.0"}"#
        );
        assert!(std::fs::read_to_string(store.path("index.json")).unwrap().contains(r#""manifests":[]"#));
        assert_eq!(std::fs::metadata(store.root()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_store_is_opened_again_and_again() {
        let (folder, first) = store();
        let second = Store::open(&folder.path().join("store"), &PLAIN).unwrap();
        assert_eq!(first.root(), second.root());
        assert_eq!(first.boot_id().len(), 36);
    }

    #[test]
    fn a_half_made_store_is_completed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("locks")).unwrap();
        std::fs::create_dir_all(folder.path().join("ingest")).unwrap();
        let store = Store::open(folder.path(), &PLAIN).unwrap();
        assert!(store.path(META_FILE).exists());
    }

    #[test]
    fn a_folder_with_other_files_is_no_store() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("thesis.tex"), "").unwrap();
        let error = Store::open(folder.path(), &PLAIN).unwrap_err();
        assert!(matches!(&error, Error::NotAStore { found, .. } if found == "thesis.tex"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "something was made in it");
    }

    #[test]
    fn features_of_a_newer_tug_are_refused_by_name() {
        let (folder, store) = store();
        drop(store);
        let root = folder.path().join("store");
        for (meta, feature) in [
            (r#"{"format":1,"incompatible":["chunks"]}"#, "chunks"),
            (r#"{"format":1,"read_only_compatible":["indexes"]}"#, "indexes"),
            (r#"{"format":2}"#, "format 2"),
        ] {
            std::fs::write(root.join(META_FILE), meta).unwrap();
            let error = Store::open(&root, &PLAIN).unwrap_err();
            assert!(
                matches!(&error, Error::UnknownFeature { feature: found, .. } if found == feature),
                "{error}"
            );
        }
        std::fs::write(root.join(META_FILE), r#"{"format":1,"compatible":["colours"],"more":1}"#).unwrap();
        Store::open(&root, &PLAIN).unwrap();
    }

    #[test]
    fn a_damaged_meta_file_is_an_error_that_names_it() {
        let (folder, store) = store();
        std::fs::write(store.path(META_FILE), "{").unwrap();
        let error = Store::open(&folder.path().join("store"), &PLAIN).unwrap_err();
        assert!(error.to_string().contains("meta.json` of the store is damaged"), "{error}");
    }
}
