//! The folders of builds: `builds/<id>/`, where the builder keeps events and logs.
//!
//! The store does not look into them. It knows which are there, which are in use, and which are too many:
//!
//! | lock on             | held by                                   | shared or alone |
//! | ------------------- | ----------------------------------------- | --------------- |
//! | the folder          | whoever writes or reads the build         | shared          |
//! | the folder          | whoever removes it                        | alone           |
//! | `events.jsonl` in it | the process whose build it is            | alone           |
//!
//! So a build that runs is told from one whose process was killed, and neither is removed under a reader's hands.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::{Errno, retry_on_intr};

use crate::error::{Result, failed};
use crate::lock::{still_named, try_flock};
use crate::store::Store;

/// The file of a build that is locked while the build runs.
const EVENTS: &str = "events.jsonl";
/// A folder in that of a build: what a step that failed left of its file system. Large, so few are kept.
const LEFTOVER: &str = "leftover";

/// The folder of a build. It is not removed while this lives.
#[derive(Debug)]
pub struct BuildFolder {
    id: String,
    path: PathBuf,
    _held: File,
}

/// How much is kept of past builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildLimits {
    /// How many builds.
    pub builds: usize,
    /// How many bytes of events and logs in all.
    pub bytes: u64,
    /// How many builds with the files that their failed steps left.
    pub leftovers: usize,
}

impl Default for BuildLimits {
    fn default() -> Self {
        Self { builds: 200, bytes: 512 << 20, leftovers: 2 }
    }
}

/// What became of a build that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemovedBuild {
    /// It is gone.
    Gone,
    /// There was none.
    Missing,
    /// It runs, or somebody reads it.
    InUse,
}

impl Store {
    /// Makes the folder of a new build, and in it the file for its events, locked for as long as it is open. `None` when
    /// there is such a build already. `id` must be one plain name.
    pub fn create_build(&self, id: &str) -> Result<Option<(BuildFolder, File)>> {
        let path = self.build_path(id)?;
        loop {
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(None),
                Err(error) => return Err(failed("create", path)(error)),
            }
            // Before it was locked somebody may have removed it: then there is room for another one.
            let Some(folder) = hold(id, &path)? else { continue };
            let events = path.join(EVENTS);
            let opened = OpenOptions::new().append(true).create(true).mode(0o600).open(&events);
            let opened = opened.map_err(failed("create", &events))?;
            retry_on_intr(|| flock(&opened, FlockOperation::LockExclusive))
                .map_err(failed("lock", &events))?;
            return Ok(Some((folder, opened)));
        }
    }

    /// The folder of a build; `None` when there is no such build. `id` must be one plain name.
    pub fn open_build(&self, id: &str) -> Result<Option<BuildFolder>> {
        hold(id, &self.build_path(id)?)
    }

    /// The names of all builds, sorted.
    pub fn build_ids(&self) -> Result<Vec<String>> {
        let folder = self.path("builds");
        let mut ids = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(failed("list", &folder))? {
            let name = entry.map_err(failed("list", &folder))?.file_name();
            ids.extend(name.into_string().ok().filter(|name| is_plain(name)));
        }
        ids.sort_unstable();
        Ok(ids)
    }

    /// Removes a build, unless it is in use. `id` must be one plain name.
    pub fn remove_build(&self, id: &str) -> Result<RemovedBuild> {
        let path = self.build_path(id)?;
        let opened = match File::open(&path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(RemovedBuild::Missing),
            Err(error) => return Err(failed("open", path)(error)),
        };
        if !try_flock(&opened, &path)? {
            return Ok(RemovedBuild::InUse);
        }
        self.trash().throw(&path)?;
        Ok(RemovedBuild::Gone)
    }

    /// Removes the oldest builds until `limits` hold; those in use, and the newest, stay whatever their size.
    /// Gives back the names of those that are gone.
    pub fn prune_builds(&self, limits: &BuildLimits) -> Result<Vec<String>> {
        let ids = self.build_ids()?;
        let (mut bytes, mut leftovers) = (0, 0);
        let mut removed = Vec::new();
        for (place, id) in ids.iter().rev().enumerate() {
            let path = self.build_path(id)?;
            bytes += size_of_files(&path);
            let too_many = place >= limits.builds || bytes > limits.bytes;
            if place > 0 && too_many && self.remove_build(id)? == RemovedBuild::Gone {
                removed.push(id.clone());
                continue;
            }
            let leftover = path.join(LEFTOVER);
            if leftover.exists() {
                leftovers += 1;
                if leftovers > limits.leftovers {
                    self.remove_leftover(id)?;
                }
            }
        }
        Ok(removed)
    }

    /// Removes what failed steps left of their files, of all builds that nobody uses. Returns how many had any.
    pub fn give_up_leftovers(&self) -> Result<usize> {
        let mut count = 0;
        for id in self.build_ids()? {
            let has_any = self.build_path(&id)?.join(LEFTOVER).exists();
            if has_any && self.remove_leftover(&id)? {
                count += 1;
            }
        }
        Ok(count)
    }

    /// Removes what a failed step of a build left of its files. `false`, and nothing is removed, while the build runs or
    /// somebody reads it.
    pub(crate) fn remove_leftover(&self, id: &str) -> Result<bool> {
        let build = self.build_path(id)?;
        let Ok(opened) = File::open(&build) else { return Ok(true) };
        if !try_flock(&opened, &build)? {
            return Ok(false);
        }
        self.trash().throw(&build.join(LEFTOVER))?;
        Ok(true)
    }

    fn build_path(&self, id: &str) -> Result<PathBuf> {
        let path = self.path("builds").join(id);
        match is_plain(id) {
            true => Ok(path),
            false => Err(failed("open", path)(io::Error::from(io::ErrorKind::InvalidInput))),
        }
    }
}

impl BuildFolder {
    /// The name of the build.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that the events of the build are written to.
    pub fn events(&self) -> PathBuf {
        self.path.join(EVENTS)
    }

    /// Where the files that a failed step left are moved to; nothing needs to be there.
    pub fn leftover(&self) -> PathBuf {
        self.path.join(LEFTOVER)
    }

    /// Whether the process whose build it is still works on it.
    pub fn is_running(&self) -> bool {
        let Ok(opened) = File::open(self.events()) else { return false };
        let locked = retry_on_intr(|| flock(&opened, FlockOperation::NonBlockingLockShared));
        locked == Err(Errno::WOULDBLOCK)
    }
}

fn hold(id: &str, path: &Path) -> Result<Option<BuildFolder>> {
    loop {
        let opened = match File::open(path) {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", path)(error)),
        };
        // Who has it alone is about to rename it away.
        retry_on_intr(|| flock(&opened, FlockOperation::LockShared)).map_err(failed("lock", path))?;
        if still_named(&opened, path) {
            return Ok(Some(BuildFolder { id: id.to_owned(), path: path.to_owned(), _held: opened }));
        }
    }
}

fn is_plain(id: &str) -> bool {
    !id.is_empty()
        && !id.starts_with('.')
        && id.len() <= 128
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

/// Bytes of the files in a folder, not of those in folders of it. What cannot be looked at counts nothing.
fn size_of_files(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let files = entries.filter_map(|entry| entry.ok()?.metadata().ok()).filter(std::fs::Metadata::is_file);
    files.map(|found| found.blocks() * 512).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::store;

    const FEW: BuildLimits = BuildLimits { builds: 2, bytes: 1 << 20, leftovers: 1 };

    fn finished(store: &Store, id: &str) -> PathBuf {
        let (folder, _events) = store.create_build(id).unwrap().unwrap();
        folder.path().to_owned()
    }

    #[test]
    fn names_of_builds_stay_inside_their_folder() {
        let (_folder, store) = store();
        assert!(store.create_build("2024-01-01.x_y").unwrap().is_some());
        for id in ["", "..", ".", "a/b", "../x", "/etc", "a b"] {
            assert!(store.create_build(id).is_err(), "{id} was taken");
            assert!(store.open_build(id).is_err(), "{id} was opened");
            assert!(store.remove_build(id).is_err(), "{id} was removed");
        }
    }

    #[test]
    fn a_build_runs_while_its_events_are_open() {
        let (_folder, store) = store();
        let (folder, events) = store.create_build("1").unwrap().unwrap();
        assert!(store.create_build("1").unwrap().is_none());
        let seen = store.open_build("1").unwrap().unwrap();
        assert!(seen.is_running() && folder.is_running());
        drop((folder, events));
        assert!(!seen.is_running());
        assert_eq!(store.build_ids().unwrap(), ["1"]);
        assert!(store.open_build("2").unwrap().is_none());
    }

    #[test]
    fn the_oldest_go_first_and_those_in_use_stay() {
        let (_folder, store) = store();
        for id in ["1", "2", "3", "4"] {
            finished(&store, id);
        }
        let read = store.open_build("1").unwrap().unwrap();
        assert_eq!(store.remove_build("1").unwrap(), RemovedBuild::InUse);
        assert_eq!(store.prune_builds(&FEW).unwrap(), ["2"]);
        assert_eq!(store.build_ids().unwrap(), ["1", "3", "4"]);
        drop(read);
        assert_eq!(store.prune_builds(&FEW).unwrap(), ["1"]);
        assert_eq!(store.remove_build("3").unwrap(), RemovedBuild::Gone);
        assert_eq!(store.remove_build("3").unwrap(), RemovedBuild::Missing);
        assert_eq!(store.build_ids().unwrap(), ["4"]);
    }

    #[test]
    fn logs_that_are_too_large_go_but_never_the_newest() {
        let (_folder, store) = store();
        for id in ["1", "2"] {
            std::fs::write(finished(&store, id).join("1.log"), vec![b'x'; 2 << 20]).unwrap();
        }
        assert_eq!(store.prune_builds(&FEW).unwrap(), ["1"]);
        assert_eq!(store.build_ids().unwrap(), ["2"]);
    }

    #[test]
    fn only_the_newest_leftovers_are_kept() {
        let (_folder, store) = store();
        let paths = ["1", "2"].map(|id| finished(&store, id));
        for path in &paths {
            std::fs::create_dir(path.join(LEFTOVER)).unwrap();
        }
        assert_eq!(store.prune_builds(&FEW).unwrap(), Vec::<String>::new());
        assert_eq!(paths.each_ref().map(|path| path.join(LEFTOVER).exists()), [false, true]);
    }
}
