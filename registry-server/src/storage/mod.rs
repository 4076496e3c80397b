//! Where the data is: a folder, no database. Everything here blocks; `api` calls it on threads that may.
//!
//! ```text
//! ROOT/
//!   library/busybox/              one folder for each repository: a valid OCI image layout
//!     oci-layout
//!     index.json                  the tags, for other tools; made from `_tags`, never read as truth
//!     blobs/sha256/HEX            hard links: what the repository *owns*. Only these can be read through it
//!     _tags/TAG                   the digest of a manifest, as text
//!     _manifests/sha256/HEX       that the blob is a manifest here, and its media type
//!     _referrers/ALG-HEX/ALG-HEX  who is attached to a subject (first name): the descriptor to show
//!   _tug/
//!     root.json                   the version of all this
//!     blobs/sha256/HEX            the content store: each blob once, linked from here into repositories
//!     uploads/ID/{session,data}   uploads under way; the offset of one is the length of its data
//!     ingest/                     files that have no name yet
//!     locks/                      see `locks`
//! ```
//!
//! | rule                                                     | because                                               |
//! | -------------------------------------------------------- | ----------------------------------------------------- |
//! | a file gets its name when it is whole and on the disk    | a crash leaves garbage, never half a blob             |
//! | small files are replaced by rename, never written into   | readers see the old or the new one                    |
//! | repositories have links of their own                     | no copy "holds the bytes" for others; any may go      |
//! | who says that a blob is there touches it (a *lease*)     | a client that then leaves it out can rely on it       |
//! | the collector looks again under the lock of the digest   | a lease or a push in the last moment counts           |

mod blobs;
mod catalog;
mod collect;
mod document;
mod error;
mod files;
mod import;
mod incoming;
mod layout;
mod locks;
mod manifests;
mod referrers;
mod tags;
mod uploads;
mod usage;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError, RwLock};

use rustix::fs::{FlockOperation, flock};
use rustix::rand::{GetRandomFlags, getrandom};
use tug_oci::Digest;

use crate::names::{RepositoryName, Tag, UploadId};
pub use collect::{CollectOptions, Collected, Verdict, collect};
pub(crate) use document::Document;
use error::At;
pub use error::Error;
pub use import::{Imported, import};
use locks::Locks;
pub(crate) use manifests::{Children, Condition, NewManifest};
pub(crate) use uploads::{Progress, Upload};
pub(crate) use usage::Usage;

/// The version of what lies in a root.
const VERSION: u32 = 1;

/// An opened root.
#[derive(Debug)]
pub(crate) struct Storage {
    root: PathBuf,
    sync: bool,
    locks: Locks,
    /// Held for reading while a manifest is kept, for writing while one is taken away: a tag never points to nothing.
    changes: RwLock<()>,
    /// Repositories whose `index.json` is older than their tags.
    stale: Mutex<BTreeSet<RepositoryName>>,
}

/// Says that this process is the server of a root; falls with the value.
#[derive(Debug)]
pub(crate) struct ServerLock(#[expect(dead_code, reason = "the lock is the open file")] File);

impl Storage {
    /// Opens `root`, or makes it. With `sync`, nothing is said to be kept before the disk has it.
    pub(crate) fn open(root: &Path, sync: bool) -> Result<Self, Error> {
        fs::create_dir_all(root).at("make the folder", root)?;
        let state = root.join("_tug");
        let version = state.join("root.json");
        match files::read(&version)? {
            Some(bytes) => check_version(&version, &bytes)?,
            None => refuse_foreign(root)?,
        }
        for folder in ["ingest", "locks", "uploads", "blobs/sha256", "blobs/sha512"] {
            let folder = state.join(folder);
            fs::create_dir_all(&folder).at("make the folder", &folder)?;
        }
        let locks = Locks::open(&state.join("locks"))?;
        let storage =
            Self { root: root.to_owned(), sync, locks, changes: RwLock::default(), stale: Mutex::default() };
        if !version.exists() {
            storage.write_file(&version, format!("{{\"version\":{VERSION}}}\n").as_bytes())?;
            storage.sync_folder(root)?;
        }
        Ok(storage)
    }

    /// Opens `root`, which must be one already.
    pub(crate) fn open_existing(root: &Path) -> Result<Self, Error> {
        if !root.join("_tug/root.json").is_file() {
            let why = "there is no registry in it".to_owned();
            return Err(Error::NotARoot { path: root.to_owned(), why });
        }
        Self::open(root, true)
    }

    /// Makes this process the only server of the root.
    pub(crate) fn lock_for_server(&self) -> Result<ServerLock, Error> {
        let path = self.root.join("_tug/server.lock");
        let file = OpenOptions::new().create(true).append(true).open(&path).at("open", &path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(ServerLock(file)),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(Error::InUse(self.root.clone())),
            Err(other) => Err(io::Error::from(other)).at("lock", &path),
        }
    }

    /// Whether the root can be read.
    pub(crate) fn is_well(&self) -> Result<(), Error> {
        let path = self.root.join("_tug/root.json");
        match files::read(&path)? {
            Some(bytes) => check_version(&path, &bytes),
            None => Err(Error::Damaged { path, why: "it is gone".to_owned() }),
        }
    }

    /// Whether anything was ever kept in `repository`.
    pub(crate) fn is_repository(&self, repository: &RepositoryName) -> bool {
        self.repository(repository).join("oci-layout").is_file()
    }

    fn repository(&self, name: &RepositoryName) -> PathBuf {
        self.root.join(name.folder())
    }

    /// Where the link of `repository` to a blob lies. The folder of a layout has one more level: the algorithm.
    fn owned(&self, repository: &RepositoryName, digest: &Digest) -> PathBuf {
        below(&self.repository(repository).join("blobs"), digest)
    }

    fn shared(&self, digest: &Digest) -> PathBuf {
        below(&self.root.join("_tug/blobs"), digest)
    }

    fn ingest(&self) -> PathBuf {
        self.root.join("_tug/ingest")
    }

    fn upload(&self, id: &UploadId) -> PathBuf {
        self.root.join("_tug/uploads").join(id.as_str())
    }

    fn record(&self, repository: &RepositoryName, digest: &Digest) -> PathBuf {
        below(&self.repository(repository).join("_manifests"), digest)
    }

    fn tag(&self, repository: &RepositoryName, tag: &Tag) -> PathBuf {
        self.repository(repository).join("_tags").join(tag.as_str())
    }

    fn attached(&self, repository: &RepositoryName, subject: &Digest) -> PathBuf {
        self.repository(repository).join("_referrers").join(flat(subject))
    }

    /// Makes the folder of `repository`, with what makes it a layout.
    fn make_repository(&self, repository: &RepositoryName) -> Result<(), Error> {
        let folder = self.repository(repository);
        let marker = folder.join("oci-layout");
        if marker.is_file() {
            return Ok(());
        }
        for inner in
            ["blobs/sha256", "blobs/sha512", "_tags", "_manifests/sha256", "_manifests/sha512", "_referrers"]
        {
            self.make_folder(&folder.join(inner))?;
        }
        self.write_index(repository)?;
        self.write_file(&marker, layout::LAYOUT)
    }

    fn mark_stale(&self, repository: &RepositoryName) {
        self.stale.lock().unwrap_or_else(PoisonError::into_inner).insert(repository.clone());
    }
}

/// `folder/sha256/HEX`.
fn below(folder: &Path, digest: &Digest) -> PathBuf {
    folder.join(digest.algorithm().name()).join(digest.hex())
}

/// A digest as the name of a file: `sha256-HEX`.
fn flat(digest: &Digest) -> String {
    format!("{}-{}", digest.algorithm().name(), digest.hex())
}

/// The digest of a file that is called `sha256-HEX`.
fn unflat(name: &str) -> Option<Digest> {
    name.replacen('-', ":", 1).parse().ok()
}

fn check_version(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let version = serde_json::from_slice::<serde_json::Value>(bytes)
        .ok()
        .and_then(|value| value["version"].as_u64())
        .ok_or_else(|| Error::Damaged {
            path: path.to_owned(),
            why: "it does not say a version".to_owned(),
        })?;
    if version == u64::from(VERSION) {
        return Ok(());
    }
    let root = path.parent().and_then(Path::parent).unwrap_or(path);
    let why = format!("it has version {version}, and this is for version {VERSION}");
    Err(Error::NotARoot { path: root.to_owned(), why })
}

/// A folder that is not empty and not ours would get strange files beside its own.
fn refuse_foreign(root: &Path) -> Result<(), Error> {
    let strangers = files::names(root)?;
    match strangers.iter().find(|name| !matches!(name.as_str(), "_tug" | "lost+found")) {
        None => Ok(()),
        Some(stranger) => {
            let why = format!("it is not empty (there is `{stranger}`), and no registry of tug");
            Err(Error::NotARoot { path: root.to_owned(), why })
        }
    }
}

/// A name that nobody can guess.
fn random() -> Result<UploadId, Error> {
    let mut bytes = [0; 16];
    getrandom(&mut bytes, GetRandomFlags::empty()).at("read", Path::new("/dev/urandom"))?;
    Ok(UploadId::new(bytes))
}
