//! Files of a context as a folder of their own, to be mounted.
//!
//! The folder of the user itself is not shown to commands: they would see what the ignore file hides, the owners of the
//! host, and every change that is made meanwhile, which the key of the step knows nothing of. So what was selected is
//! copied, once for all steps of a build that mount the same, and what was copied is compared with the key.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, FileType, Mode, Timespec, Timestamps, mknodat, utimensat};
use tug_layer_store::{ScratchDir, Store};
use tug_oci::{Digest, Hasher};

use super::cache::give;
use crate::cancel::Cancel;
use crate::copy::Mounted;
use crate::error::Error;
use crate::files::{Item, ItemKind, changed, is_another_thing, name_of};
use crate::key::Inputs;
use crate::parallel;

const BUFFER: usize = 256 * 1024;
const WORTH_A_THREAD: usize = 64;

/// The folders that were made for the steps of a build.
#[derive(Default)]
pub(crate) struct ContextTrees(Mutex<HashMap<Digest, ContextTree>>);

/// One of them.
#[derive(Clone)]
pub(super) struct ContextTree(Arc<ScratchDir>);

impl ContextTree {
    pub(super) fn path(&self) -> PathBuf {
        self.0.path().join("tree")
    }
}

impl ContextTrees {
    /// The folder with what `mounted` selects, made if no other step has made it. A single file is in a folder as well.
    pub(super) fn of(&self, store: &Store, mounted: &Mounted, cancel: &Cancel) -> Result<ContextTree, Error> {
        let mut inputs = Inputs::default();
        inputs.value("path", String::from_utf8_lossy(&mounted.selected.item.path));
        mounted.add_inputs("", &mut inputs);
        // Making it uses all processors, so there is no use in making two at once.
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = inputs.key();
        if let Some(known) = made.get(&key) {
            return Ok(known.clone());
        }
        let scratch = store.scratch("context")?;
        write(store, mounted, &scratch.path().join("tree"), cancel)?;
        let tree = ContextTree(Arc::new(scratch));
        made.insert(key, tree.clone());
        Ok(tree)
    }
}

/// Makes the folder `target` with what `mounted` selects: for a directory what is in it, else the file itself.
///
/// Everything is named by what the context was seen to have, and nobody else writes there, so no link can be in the way.
pub(super) fn write(store: &Store, mounted: &Mounted, target: &Path, cancel: &Cancel) -> Result<(), Error> {
    let tree = Tree { store, mounted, target, cancel };
    let root = &mounted.selected.item;
    fs::create_dir(target).map_err(tree.failed("make", &[]))?;
    let mut first_names: HashMap<(u64, u64), &Item> = HashMap::new();
    let (mut files, mut links, mut others): (Vec<&Item>, Vec<(&Item, &Item)>, Vec<&Item>) =
        Default::default();
    for item in mounted.selected.landing() {
        match (&item.kind, item.link.and_then(|link| first_names.get(&link).copied())) {
            (_, Some(first)) => links.push((item, first)),
            (ItemKind::Directory, None) => {
                fs::create_dir(tree.place(item)).map_err(tree.failed("make", &item.path))?;
            }
            (ItemKind::File { .. }, None) => files.push(item),
            (_, None) => others.push(item),
        }
        if let Some(link) = item.link {
            first_names.entry(link).or_insert(item);
        }
    }
    let threads = parallel::threads(files.len() / WORTH_A_THREAD);
    parallel::each(threads, files.chunks(WORTH_A_THREAD / 2), |some| {
        let mut buffer = vec![0; BUFFER];
        some.iter().try_for_each(|item| tree.file(item, &mut buffer))
    })?;
    others.into_iter().try_for_each(|item| tree.other(item))?;
    for (item, first) in links {
        fs::hard_link(tree.place(first), tree.place(item)).map_err(tree.failed("link", &item.path))?;
    }
    // From the inside out: a directory changes when something is put into it.
    let directories = mounted.selected.landing().iter().filter(|item| item.is_directory());
    directories.rev().try_for_each(|item| tree.finish(item, item.mode))?;
    match root.is_directory() {
        true if mounted.is_context && root.path.is_empty() => tree.finish(root, 0o755),
        true => tree.finish(root, root.mode),
        false => {
            fs::set_permissions(target, fs::Permissions::from_mode(0o755)).map_err(tree.failed("make", &[]))
        }
    }
}

struct Tree<'a> {
    store: &'a Store,
    mounted: &'a Mounted,
    target: &'a Path,
    cancel: &'a Cancel,
}

impl Tree<'_> {
    /// Where an item lands.
    fn place(&self, item: &Item) -> PathBuf {
        let root = &self.mounted.selected.item;
        let inside = match root.is_directory() {
            false => name_of(&item.path),
            true if root.path.is_empty() => &item.path[..],
            true => item.path.get(root.path.len() + 1..).unwrap_or_default(),
        };
        self.target.join(OsStr::from_bytes(inside))
    }

    fn file(&self, item: &Item, buffer: &mut [u8]) -> Result<(), Error> {
        let (files, place) = (&*self.mounted.files, self.place(item));
        let write = |source| Error::Io { action: "write", path: place.clone(), source };
        let mut options = File::options();
        let mut to = options.write(true).create_new(true).mode(0o600).open(&place).map_err(write)?;
        let mut from = files.open(item)?;
        let (mut hasher, mut left) = (Hasher::sha256(), item.size());
        while left > 0 {
            if self.cancel.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let room = buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            match from.read(&mut buffer[..room]) {
                Ok(0) => return Err(changed(files, item)),
                Ok(count) => {
                    hasher.update(&buffer[..count]);
                    to.write_all(&buffer[..count]).map_err(write)?;
                    left -= count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_another_thing(&error) => return Err(changed(files, item)),
                Err(error) => return Err(self.failed("read", &item.path)(error)),
            }
        }
        if item.digest.get() != Some(&hasher.finish()) {
            return Err(changed(files, item));
        }
        self.finish(item, item.mode)
    }

    fn other(&self, item: &Item) -> Result<(), Error> {
        let place = self.place(item);
        let failed = || self.failed("make", &item.path);
        match &item.kind {
            ItemKind::Symlink { target } => {
                symlink(OsStr::from_bytes(target), &place).map_err(failed())?;
                return self.set_time(item);
            }
            ItemKind::Fifo => {
                let mode = Mode::from_raw_mode(0o600);
                let made = mknodat(CWD, &place, FileType::Fifo, mode, 0);
                made.map_err(|error| failed()(error.into()))?;
            }
            // As with COPY, a socket is an empty file. A device is one as well: nobody may open it through a mount.
            _ => drop(File::options().write(true).create_new(true).open(&place).map_err(failed())?),
        }
        self.finish(item, item.mode)
    }

    /// Sets owner, mode and time.
    fn finish(&self, item: &Item, mode: u32) -> Result<(), Error> {
        let place = self.place(item);
        if !self.mounted.is_context {
            give(self.store, &place, (item.uid, item.gid)).map_err(self.failed("make", &item.path))?;
        }
        let set = fs::set_permissions(&place, fs::Permissions::from_mode(mode));
        set.map_err(self.failed("make", &item.path))?;
        self.set_time(item)
    }

    fn set_time(&self, item: &Item) -> Result<(), Error> {
        let last_access = Timespec { tv_sec: 0, tv_nsec: rustix::fs::UTIME_OMIT as _ };
        let last_modification = Timespec { tv_sec: item.mtime.seconds, tv_nsec: item.mtime.nanos.into() };
        let times = Timestamps { last_access, last_modification };
        let set = utimensat(CWD, self.place(item), &times, AtFlags::SYMLINK_NOFOLLOW);
        set.map_err(|error| self.failed("make", &item.path)(error.into()))
    }

    fn failed(&self, action: &'static str, path: &[u8]) -> impl Fn(io::Error) -> Error {
        let path = self.mounted.files.shown(path);
        move |source| Error::Io { action, path: path.clone(), source }
    }
}
