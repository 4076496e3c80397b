//! Which caches there are, and removing them.

use std::path::Path;
use std::time::SystemTime;

use super::{CacheId, RECORD};
use crate::error::{Result, failed};
use crate::lock::Lock;
use crate::store::Store;
use crate::usage::{DiskSize, FolderSize, folder_size};

/// One cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheSummary {
    /// Which one.
    pub id: CacheId,
    /// How many directories it has: more than one after steps wanted one to themselves at the same time.
    pub directories: usize,
    /// Its room on the disk, files with several names counted once.
    pub size: DiskSize,
    /// Files, folders and everything else.
    pub entries: u64,
    /// When a step, or an import, used it last.
    pub used: SystemTime,
    /// Whether a step uses it right now.
    pub in_use: bool,
}

impl Store {
    /// All caches, by id.
    pub fn caches(&self) -> Result<Vec<CacheSummary>> {
        let mut caches = Vec::new();
        for name in names(&self.path("mounts"))? {
            let Some(id) = self.cache_id(&name)? else { continue };
            let folder = self.cache_folder(&name);
            // Removed meanwhile.
            let Ok(record) = std::fs::metadata(folder.join(RECORD)) else { continue };
            let numbers = self.cache_directories(&name)?;
            let mut count =
                FolderSize { size: DiskSize::at(&folder) + DiskSize::of(&record), ..FolderSize::default() };
            let mut in_use = false;
            for number in &numbers {
                let found = folder_size(&folder.join(number.to_string()));
                count.size += found.size;
                count.entries += found.entries;
                in_use |= Lock::try_exclusive(&self.cache_directory_lock(&name, *number))?.is_none();
            }
            caches.push(CacheSummary {
                id,
                directories: numbers.len(),
                size: count.size,
                entries: count.entries,
                used: record.modified().unwrap_or(SystemTime::UNIX_EPOCH),
                in_use,
            });
        }
        caches.sort_by(|left, right| left.id.cmp(&right.id));
        Ok(caches)
    }

    /// Removes a cache with all its directories. `false`, and nothing is removed, while a step uses it.
    pub fn remove_cache(&self, id: &CacheId) -> Result<bool> {
        let name = id.name();
        let _maker = Lock::exclusive(&self.cache_lock(&name))?;
        let mut locks = Vec::new();
        for number in self.cache_directories(&name)? {
            match Lock::try_exclusive(&self.cache_directory_lock(&name, number))? {
                Some(lock) => locks.push(lock),
                None => return Ok(false),
            }
        }
        self.trash().throw(&self.cache_folder(&name))?;
        Ok(true)
    }

    /// The numbers of the directories that a cache has.
    pub(super) fn cache_directories(&self, name: &str) -> Result<Vec<usize>> {
        let folder = self.cache_folder(name);
        let mut numbers: Vec<usize> = names(&folder)?.iter().filter_map(|name| name.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }
}

fn names(folder: &Path) -> Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed("list", folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed("list", folder))?.file_name();
        names.extend(name.into_string().ok());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::super::CacheSharing;
    use super::*;
    use crate::store::tests::store;

    #[test]
    fn a_cache_is_listed_and_removed_unless_it_is_in_use() {
        let (_folder, store) = store();
        let id = CacheId { id: "npm".to_owned(), variant: String::new() };
        let mount = store.try_cache(&id, CacheSharing::Shared).unwrap().unwrap();
        let make = |path: &Path| std::fs::create_dir(path).map_err(failed("create", path));
        let path = mount.directory(make).unwrap();
        std::fs::write(path.join("a"), vec![1; 100_000]).unwrap();
        std::fs::hard_link(path.join("a"), path.join("b")).unwrap();
        std::os::unix::fs::symlink("/", path.join("root")).unwrap();
        let listed = store.caches().unwrap();
        assert_eq!((listed.len(), &listed[0].id, listed[0].entries), (1, &id, 3));
        assert!((100_000..200_000).contains(&listed[0].size.allocated), "{:?}", listed[0].size);
        assert!(listed[0].in_use && !store.remove_cache(&id).unwrap());
        drop(mount);
        assert!(!store.caches().unwrap()[0].in_use && store.remove_cache(&id).unwrap());
        assert!(store.caches().unwrap().is_empty());
    }
}
