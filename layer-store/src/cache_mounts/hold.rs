//! Taking a cache for a step, and giving it back.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::{CacheId, RECORD};
use crate::error::{Error, Result, failed};
use crate::lock::Lock;
use crate::store::Store;

/// How many steps may want one cache to themselves at once.
const MOST_DIRECTORIES: usize = 1000;

/// Who may use a cache at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CacheSharing {
    /// All that share it.
    Shared,
    /// One; others get a directory of their own.
    Private,
    /// One; others wait.
    Locked,
}

/// A directory of a cache, which nobody removes while this lives.
#[derive(Debug)]
pub struct CacheMount {
    path: PathBuf,
    number: usize,
    id: CacheId,
    store: Store,
    _lock: Lock,
}

impl Store {
    /// Takes a cache, without waiting: `None` when somebody else has it, and it may not be shared with them.
    pub fn try_cache(&self, id: &CacheId, sharing: CacheSharing) -> Result<Option<CacheMount>> {
        let name = id.name();
        let numbers = if sharing == CacheSharing::Private { MOST_DIRECTORIES } else { 1 };
        for number in 0..numbers {
            let path = self.cache_directory_lock(&name, number);
            let lock = match sharing {
                CacheSharing::Shared => Lock::try_shared(&path)?,
                CacheSharing::Private | CacheSharing::Locked => Lock::try_exclusive(&path)?,
            };
            if let Some(lock) = lock {
                let path = self.cache_folder(&name).join(number.to_string());
                let (id, store) = (id.clone(), self.clone());
                return Ok(Some(CacheMount { path, number, id, store, _lock: lock }));
            }
        }
        match sharing {
            CacheSharing::Private => {
                let what = format!("directories of the cache `{}`", crate::entry::shown(id.id.as_bytes()));
                Err(Error::TooMany { what, limit: MOST_DIRECTORIES as u64 })
            }
            _ => Ok(None),
        }
    }
}

impl CacheMount {
    /// The directory, made when it is missing: `fill` makes it, with what is in it, at the path that it is given.
    /// Of several that need it at once, one does so.
    pub fn directory<E: From<Error>>(
        &self,
        fill: impl FnOnce(&Path) -> std::result::Result<(), E>,
    ) -> std::result::Result<&Path, E> {
        if !self.path.exists() {
            let _maker = Lock::exclusive(&self.store.cache_lock(&self.id.name()))?;
            if !self.path.exists() {
                let scratch = self.store.scratch("cache")?;
                let made = scratch.path().join("directory");
                fill(&made)?;
                self.adopt(&made)?;
            }
        }
        self.note_use();
        Ok(&self.path)
    }

    /// Whether it is another directory than the one that most steps see.
    pub fn is_further(&self) -> bool {
        self.number > 0
    }

    /// Makes `made` the directory. Nothing may be there yet.
    pub(super) fn adopt(&self, made: &Path) -> Result<()> {
        self.store.make_cache_folder(&self.id)?;
        std::fs::rename(made, &self.path).map_err(failed("create", &self.path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The time of use is worth no error.
    pub(super) fn note_use(&self) {
        let record = self.path.with_file_name(RECORD);
        if let Ok(opened) = std::fs::File::options().write(true).open(record) {
            let _ = opened.set_modified(SystemTime::now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::store;

    fn id(id: &str) -> CacheId {
        CacheId { id: id.to_owned(), variant: String::new() }
    }

    fn plain(path: &Path) -> Result<()> {
        std::fs::create_dir(path).map_err(failed("create", path))
    }

    #[test]
    fn a_shared_cache_is_one_directory_for_all() {
        let (_folder, store) = store();
        let first = store.try_cache(&id("/root/.cache"), CacheSharing::Shared).unwrap().unwrap();
        let path = first.directory(plain).unwrap();
        std::fs::write(path.join("file"), "content").unwrap();
        let second = store.try_cache(&id("/root/.cache"), CacheSharing::Shared).unwrap().unwrap();
        let again = second.directory(|_| -> Result<()> { panic!("it is there") }).unwrap();
        assert_eq!(std::fs::read_to_string(again.join("file")).unwrap(), "content");
    }

    #[test]
    fn a_locked_cache_is_had_by_one_only_and_a_private_one_gets_another_directory() {
        let (_folder, store) = store();
        let take = |sharing| store.try_cache(&id("x"), sharing).unwrap();
        let alone = take(CacheSharing::Locked).unwrap();
        assert!(take(CacheSharing::Locked).is_none() && take(CacheSharing::Shared).is_none());
        let (second, third) = (take(CacheSharing::Private).unwrap(), take(CacheSharing::Private).unwrap());
        let paths = [&alone, &second, &third].map(|mount| mount.directory(plain).unwrap().to_owned());
        assert!(paths[0] != paths[1] && paths[1] != paths[2] && paths[0] != paths[2]);
        assert!(!alone.is_further() && second.is_further());
        drop(alone);
        assert_eq!(take(CacheSharing::Private).unwrap().path(), paths[0], "a free one is used again");
    }

    #[test]
    fn ids_are_no_paths_and_do_not_collide() {
        let names: std::collections::BTreeSet<String> =
            [id("../../etc"), id(""), id("/"), CacheId { id: "a".into(), variant: "b".into() }, id("ab")]
                .iter()
                .map(CacheId::name)
                .collect();
        assert_eq!(names.len(), 5);
        assert!(
            names.iter().all(|name| name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit()))
        );
    }

    #[test]
    fn what_cannot_be_filled_leaves_no_directory() {
        let (_folder, store) = store();
        let mount = store.try_cache(&id("x"), CacheSharing::Shared).unwrap().unwrap();
        let result = mount.directory(|path| {
            plain(path)?;
            Err(Error::Stopped)
        });
        assert!(matches!(result, Err(Error::Stopped)));
        assert!(!mount.path().exists());
        mount.directory(plain).unwrap();
    }

    #[test]
    fn many_that_need_it_at_once_see_one_that_is_filled() {
        let (_folder, store) = store();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let mount = store.try_cache(&id("x"), CacheSharing::Shared).unwrap().unwrap();
                    let path = mount.directory(|path| {
                        plain(path)?;
                        std::fs::write(path.join("file"), "whole").map_err(failed("write", path))
                    });
                    assert_eq!(std::fs::read_to_string(path.unwrap().join("file")).unwrap(), "whole");
                });
            }
        });
    }
}
