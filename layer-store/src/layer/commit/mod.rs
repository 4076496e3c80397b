//! Makes a layer of what an overlay collected in its upper directory.
//!
//! The upper directory is walked once, in canonical order, and becomes the tree of the layer by rename: what it holds
//! is changed, on the way, into what unpacking the layer would make.
//!
//! | in the upper directory                            | in the layer                                                  |
//! | ------------------------------------------------- | ------------------------------------------------------------- |
//! | a file, link, device or pipe, new or changed      | an entry                                                      |
//! | one that is as the layers below have it           | nothing; it is removed from the tree                          |
//! | a directory, new or changed                       | an entry                                                      |
//! | one that is as below                              | an entry if there is one inside of it; else nothing           |
//! | character device 0:0                              | a whiteout if there is something below; else nothing          |
//! | a directory that hides what is below (opaque)     | a whiteout for each thing below that was not made again; overlay marks brand-new directories, too, so the mark itself says little |
//! | several names of one file                         | hard links to the first; if one name is new or changed, all are entries |
//! | a socket                                          | nothing: it means nothing without its process                  |
//! | a name that begins with `.wh.`                    | an error: a layer cannot say it                               |
//! | attributes                                        | those that layers keep (`xattr`)                              |
//! | times                                             | cut to seconds, and to `clamp_mtime`                          |
//! | the root directory                                | nothing: it is the same everywhere                            |
//!
//! Whether something is as below is decided by all that a layer can say about it, its content included. Opening a file
//! for writing, `chmod` to the same mode, `mv a b; mv b a` and many a package manager leave copies in the upper
//! directory that say nothing new.
//!
//! It must run in the user namespace in which the overlay was mounted: owners, capabilities and attributes read
//! differently from elsewhere.

mod compare;
mod facts;
mod links;
mod walk;

use std::collections::HashMap;
use std::path::Path;

use rustix::fs::{Mode, fchmod, fchown, fremovexattr, futimens};
use rustix::io::Errno;
use tug_oci::DiffId;

use super::draft::Draft;
use super::sink::LayerSink;
use super::{Layer, TREE};
use crate::entry::Mtime;
use crate::error::{Error, Result, failed};
use crate::folder::Folder;
use crate::store::Store;
use crate::tree::{OWNER, times};
pub(crate) use facts::{Facts, Kind, attribute_names, attribute_value};
use walk::Walk;
pub(crate) use walk::names_in;

/// Owners that files of an upper directory cannot carry, by inode and time of birth in nanoseconds since 1970.
pub type OwnerLookup = HashMap<(u64, i128), (u32, u32)>;

/// How an upper directory becomes a layer.
#[derive(Clone, Debug, Default)]
pub struct CommitOptions {
    /// Owners of symbolic links and special files, where files can belong to one user only.
    pub owners: OwnerLookup,
    /// No file of the layer is younger than this, in seconds since 1970.
    pub clamp_mtime: Option<i64>,
}

impl Store {
    /// Makes a layer of what an overlay collected in `upper` over the layers `below`, lowest first.
    ///
    /// `upper` must be on the file system of the store, the overlay unmounted, and nobody may use it any more: it
    /// becomes the tree of the layer. When this fails, it is good for nothing.
    pub fn commit_upper(&self, upper: &Path, below: &[DiffId], options: &CommitOptions) -> Result<Layer> {
        let view = self.view(below)?;
        let sink = LayerSink::new(self, None)?;
        let folder = Folder::open(upper).map_err(failed("open", upper))?;
        let finished = Walk::new(self, upper, folder, &view, options, sink).run()?;
        settle_root(upper)?;
        let scratch = self.scratch("layer")?;
        std::fs::rename(upper, scratch.path().join(TREE)).map_err(failed("rename", upper))?;
        Draft::of(scratch, true, true, finished).publish(self, None)
    }
}

/// The root is the same in every tree.
fn settle_root(upper: &Path) -> Result<()> {
    let settle = || -> std::io::Result<()> {
        let folder = Folder::open(upper)?;
        let root = folder.root();
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        let status = rustix::fs::fstat(root)?;
        if (status.st_uid, status.st_gid) != (uid.as_raw(), gid.as_raw()) {
            fchown(root, Some(uid), Some(gid))?;
        }
        fchmod(root, Mode::from_raw_mode(0o755))?;
        match fremovexattr(root, OWNER) {
            Ok(()) | Err(Errno::NODATA | Errno::NOTSUP) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(futimens(root, &times(Mtime::EPOCH))?)
    };
    settle().map_err(|error| -> Error { failed("write", upper)(error) })
}
