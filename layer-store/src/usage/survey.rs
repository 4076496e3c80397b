//! Looks at everything once, and finds what is shared.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tug_oci::{DiffId, Digest, Reference};

use super::disk_size::{DiskSize, FolderSize, folder_size};
use super::items::{
    BuildUsage, DownloadUsage, ImageUsage, MountUsage, RepositoryUsage, ResultKind, ResultUsage,
};
use super::parts::{Parts, Reach};
use crate::cache::RECORD_LIMIT;
use crate::error::Result;
use crate::file;
use crate::garbage::{digests_in, digests_in_file, names_in};
use crate::lease::Lease;
use crate::lock::try_flock;
use crate::partial;
use crate::store::Store;

/// What takes how much room in a store, at one moment.
#[derive(Debug)]
pub struct Survey {
    /// All images.
    pub images: Vec<ImageUsage>,
    /// Results of steps, downloads and commits; the least recently used first.
    pub results: Vec<ResultUsage>,
    /// What explains misses, and remembered digests of files.
    pub memory: DiskSize,
    /// How many files those are.
    pub memory_entries: u64,
    /// Cache mounts, the least recently used first.
    pub mounts: Vec<MountUsage>,
    /// Records of builds, the oldest first.
    pub builds: Vec<BuildUsage>,
    /// Copies of git repositories, the least recently used first.
    pub repositories: Vec<RepositoryUsage>,
    /// Unfinished downloads, the oldest first.
    pub downloads: Vec<DownloadUsage>,
    /// What is being written right now, and how much of it there is: files of containers and of steps, blobs, layers.
    pub working: Vec<DiskSize>,
    /// Blobs and layers that nothing leads to.
    pub unreferenced: DiskSize,
    /// How many of those there are.
    pub unreferenced_count: usize,
    /// What is in the trash, and what killed processes left half written.
    pub left_behind: DiskSize,
    /// How many of those there are.
    pub left_behind_count: usize,
    /// Names, locks, and the folders themselves.
    pub rest: DiskSize,
    pub(crate) parts: Parts,
    /// How many images, and how many results, lead to each part.
    pub(crate) holders: Vec<Holders>,
    /// Of what nothing leads to, what somebody uses all the same.
    pub(crate) unreferenced_in_use: DiskSize,
    pub(crate) unreferenced_in_use_count: usize,
    /// The leases of others, and the parts that can be reached from each.
    pub(crate) leases: Vec<(PathBuf, HashSet<usize>)>,
}

/// Who leads to a part.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Holders {
    pub(crate) images: u32,
    pub(crate) results: u32,
    /// What is in the index and is no image that we understand.
    pub(crate) others: bool,
    /// Somebody uses it right now.
    pub(crate) pinned: bool,
}

impl Holders {
    /// Whether it goes when garbage is collected.
    pub(crate) fn is_free(self) -> bool {
        self.none() && !self.pinned
    }

    /// Whether nothing in the store leads to it.
    pub(crate) fn none(self) -> bool {
        self.images == 0 && self.results == 0 && !self.others
    }
}

impl Survey {
    pub(super) fn of(store: &Store, kind_of: &dyn Fn(&[u8]) -> ResultKind, leases: &[Lease]) -> Result<Self> {
        let parts = Parts::of(store)?;
        let memory: Vec<FolderSize> =
            ["cache/slots", "cache/files"].iter().map(|name| folder_size(&store.path(name))).collect();
        let mut reach = Reach::new(store);
        let mut survey = Self {
            images: images(store, &mut reach, &parts)?,
            results: results(store, &mut reach, &parts, kind_of)?,
            memory: memory.iter().map(|folder| folder.size).sum(),
            memory_entries: memory.iter().map(|folder| folder.entries).sum(),
            mounts: mounts(store)?,
            builds: builds(store)?,
            repositories: repositories(store)?,
            downloads: Vec::new(),
            working: Vec::new(),
            unreferenced: DiskSize::default(),
            unreferenced_count: 0,
            left_behind: DiskSize::default(),
            left_behind_count: 0,
            rest: parts.foreign,
            holders: vec![Holders::default(); parts.count()],
            unreferenced_in_use: DiskSize::default(),
            unreferenced_in_use_count: 0,
            leases: Vec::new(),
            parts,
        };
        for part in reach.parts(&digests_in_file(&store.path("index.json"))?, &survey.parts)? {
            survey.holders[part].others = true;
        }
        for lease in leases {
            let parts = reach.parts(&lease.digests, &survey.parts)?;
            parts.iter().for_each(|part| survey.holders[*part].pinned = true);
            survey.leases.push((lease.path.clone(), parts.into_iter().collect()));
        }
        survey.share();
        survey.add_half_written(store)?;
        survey.add_rest(store)?;
        Ok(survey)
    }

    /// The room of all blobs and layers that images lead to.
    pub fn images_size(&self) -> DiskSize {
        self.sum(|holders| holders.images > 0 || holders.others)
    }

    /// What would be free if there were no images.
    pub fn images_reclaimable(&self) -> DiskSize {
        self.sum(|holders| holders.images > 0 && holders.results == 0 && !holders.others)
    }

    /// The room of results, and of all blobs and layers that only they lead to; with all that explains misses.
    pub fn results_size(&self) -> DiskSize {
        let own: DiskSize = self.results.iter().map(|result| result.own).sum();
        own + self.memory + self.sum(|holders| holders.images == 0 && !holders.others && holders.results > 0)
    }

    /// The room of everything in the store.
    pub fn total(&self) -> DiskSize {
        self.images_size() + self.results_size() + self.other_items() + self.rest
    }

    /// The room of the build cache in the widest sense: results, cache mounts and copies of repositories.
    pub fn cache_size(&self) -> DiskSize {
        let mounts: DiskSize = self.mounts.iter().map(|mount| mount.size).sum();
        let repositories: DiskSize = self.repositories.iter().map(|repository| repository.size).sum();
        self.results_size() + mounts + repositories
    }

    /// Whether somebody uses this blob or layer.
    pub(crate) fn is_pinned(&self, digest: &Digest) -> bool {
        self.parts.place(digest).is_some_and(|place| self.holders[place].pinned)
    }

    /// The parts that nothing leads to.
    pub(crate) fn unreferenced_parts(&self) -> impl Iterator<Item = usize> {
        self.holders.iter().enumerate().filter(|(_, holders)| holders.none()).map(|(part, _)| part)
    }

    /// The layers that nothing leads to.
    pub(crate) fn unreferenced_layers(&self) -> HashSet<DiffId> {
        let is_free = |(_, place): &(&Digest, usize)| self.holders[*place].none();
        self.parts.places().filter(is_free).map(|(digest, _)| DiffId::new(digest.clone())).collect()
    }

    fn other_items(&self) -> DiskSize {
        [
            self.mounts.iter().map(|mount| mount.size).sum::<DiskSize>(),
            self.builds.iter().map(|build| build.size).sum(),
            self.repositories.iter().map(|repository| repository.size).sum(),
            self.downloads.iter().map(|download| download.size).sum(),
            self.working.iter().copied().sum(),
            self.unreferenced,
            self.left_behind,
        ]
        .into_iter()
        .sum()
    }

    fn sum(&self, counts: impl Fn(Holders) -> bool) -> DiskSize {
        let places = self.holders.iter().enumerate().filter(|(_, holders)| counts(**holders));
        places.map(|(place, _)| self.parts.size(place)).sum()
    }

    /// Finds who shares what.
    fn share(&mut self) {
        for image in &self.images {
            for part in &image.parts {
                self.holders[*part].images += 1;
            }
        }
        for result in &self.results {
            for part in &result.parts {
                self.holders[*part].results += 1;
            }
        }
        // What the index leads to beside images is held by what we do not understand.
        for holders in &mut self.holders {
            holders.others &= holders.images == 0;
        }
        let (holders, parts) = (&self.holders, &self.parts);
        let sum = |of: &[usize], counts: &dyn Fn(Holders) -> bool| -> DiskSize {
            of.iter().filter(|part| counts(holders[**part])).map(|part| parts.size(*part)).sum()
        };
        for image in &mut self.images {
            image.size = sum(&image.parts, &|_| true);
            image.shared = sum(&image.parts, &|holders| holders.images > 1);
            image.reclaimable = sum(&image.parts, &|holders| holders.images == 1 && holders.results == 0);
        }
        for result in &mut self.results {
            result.size = result.own + sum(&result.parts, &|_| true);
            result.reclaimable = result.own
                + sum(&result.parts, &|holders| {
                    holders.results == 1 && holders.images == 0 && !holders.others
                });
            result.shared =
                result.parts.iter().any(|part| holders[*part].images > 0 || holders[*part].others);
        }
        let free = |(place, holders): (usize, &Holders)| holders.none().then(|| parts.size(place));
        let free: Vec<DiskSize> = holders.iter().enumerate().filter_map(free).collect();
        let in_use = |(place, holders): (usize, &Holders)| {
            (holders.none() && holders.pinned).then(|| parts.size(place))
        };
        let in_use: Vec<DiskSize> = holders.iter().enumerate().filter_map(in_use).collect();
        self.unreferenced_in_use_count = in_use.len();
        self.unreferenced_in_use = in_use.into_iter().sum();
        self.unreferenced_count = free.len();
        self.unreferenced = free.into_iter().sum();
    }

    /// Looks at `ingest/` and `trash/`.
    fn add_half_written(&mut self, store: &Store) -> Result<()> {
        for path in names_in(&store.path("trash"))? {
            self.left_behind += size_of(&path);
            self.left_behind_count += 1;
        }
        for path in names_in(&store.path("ingest"))? {
            let Ok(opened) = File::open(&path) else { continue };
            let in_use = !try_flock(&opened, &path)?;
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            match name.strip_prefix(partial::PREFIX) {
                // It belongs to the file without this ending, which comes before it.
                Some(ranges) if ranges.ends_with(partial::RANGES) => match self.downloads.last_mut() {
                    Some(download) if ranges.starts_with(&download.digest.replacen(':', "-", 1)) => {
                        download.size += size_of(&path);
                    }
                    _ => self.left_behind += size_of(&path),
                },
                Some(digest) => self.downloads.push(DownloadUsage {
                    digest: digest.replacen('-', ":", 1),
                    size: size_of(&path),
                    used: modified(&path),
                    in_use,
                }),
                None if in_use => self.working.push(size_of(&path)),
                None => {
                    self.left_behind += size_of(&path);
                    self.left_behind_count += 1;
                }
            }
        }
        self.downloads.sort_by_key(|download| download.used);
        Ok(())
    }

    /// What was not counted yet: files of the store itself, and folders without what is in them.
    fn add_rest(&mut self, store: &Store) -> Result<()> {
        self.rest += DiskSize::at(store.root());
        for path in names_in(store.root())? {
            match path.file_name().and_then(|name| name.to_str()) {
                Some("blobs" | "layers") => {}
                Some("ingest" | "trash" | "mounts" | "builds" | "git") => self.rest += DiskSize::at(&path),
                Some("cache") => {
                    self.rest += DiskSize::at(&path);
                    for folder in names_in(&path)? {
                        if !["slots", "files"].iter().any(|name| folder.ends_with(name)) {
                            // The records in it are counted by themselves.
                            self.rest += DiskSize::at(&folder);
                        }
                    }
                }
                _ => self.rest += size_of(&path),
            }
        }
        Ok(())
    }
}

fn images(store: &Store, reach: &mut Reach<'_>, parts: &Parts) -> Result<Vec<ImageUsage>> {
    let mut images: Vec<ImageUsage> = Vec::new();
    let mut places: HashMap<Digest, usize> = HashMap::new();
    for (name, target) in store.roots()? {
        let place = match places.get(&target.digest) {
            Some(place) => *place,
            None => {
                let none = DiskSize::default();
                let parts = reach.parts(std::slice::from_ref(&target.digest), parts)?;
                places.insert(target.digest.clone(), images.len());
                let names = Vec::new();
                images.push(ImageUsage { target, names, size: none, shared: none, reclaimable: none, parts });
                images.len() - 1
            }
        };
        images[place].names.extend(name);
    }
    images.iter_mut().for_each(|image| image.names.sort());
    images.sort_by(|left, right| by_name(&left.names, &right.names));
    Ok(images)
}

/// Those with names first.
fn by_name(left: &[Reference], right: &[Reference]) -> std::cmp::Ordering {
    (left.is_empty(), left).cmp(&(right.is_empty(), right))
}

fn results(
    store: &Store,
    reach: &mut Reach<'_>,
    parts: &Parts,
    kind_of: &dyn Fn(&[u8]) -> ResultKind,
) -> Result<Vec<ResultUsage>> {
    let mut results: Vec<ResultUsage> = Vec::new();
    let mut places: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
    for path in store.record_files()? {
        let Some(key) = path.file_stem().and_then(|name| format!("sha256:{}", name.to_str()?).parse().ok())
        else {
            continue;
        };
        // Removed meanwhile.
        let Some(bytes) = file::read_small(&path, RECORD_LIMIT)? else { continue };
        let parts = reach.parts(&digests_in(&bytes), parts)?;
        let (own, used) = (DiskSize::at(&path), modified(&path));
        let known = places.get(&parts).copied().filter(|_| !parts.is_empty());
        if let Some(result) = known.and_then(|place| results.get_mut(place)) {
            result.keys.push(key);
            result.files.push(path);
            result.own += own;
            result.used = result.used.max(used);
            continue;
        }
        places.insert(parts.clone(), results.len());
        let kind = kind_of(&bytes);
        let none = DiskSize::default();
        let (keys, files) = (vec![key], vec![path]);
        let (size, reclaimable, shared) = (none, none, false);
        results.push(ResultUsage { keys, kind, used, size, reclaimable, shared, own, files, parts });
    }
    results.sort_by_key(|result| result.used);
    Ok(results)
}

fn mounts(store: &Store) -> Result<Vec<MountUsage>> {
    let caches = store.caches()?.into_iter();
    let mut mounts: Vec<MountUsage> = caches
        .map(|cache| MountUsage { size: cache.size, id: cache.id, used: cache.used, in_use: cache.in_use })
        .collect();
    mounts.sort_by_key(|mount| mount.used);
    Ok(mounts)
}

fn builds(store: &Store) -> Result<Vec<BuildUsage>> {
    let mut builds = Vec::new();
    for id in store.build_ids()? {
        let path = store.path("builds").join(&id);
        let Ok(opened) = File::open(&path) else { continue };
        let leftover = folder_size(&path.join("leftover")).size;
        let size = folder_size(&path).size;
        let used = modified(&path.join("events.jsonl"));
        builds.push(BuildUsage { id, size, leftover, used, in_use: !try_flock(&opened, &path)? });
    }
    Ok(builds)
}

fn repositories(store: &Store) -> Result<Vec<RepositoryUsage>> {
    let repository = |path: PathBuf| RepositoryUsage {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        size: size_of(&path),
        used: ["FETCH_HEAD", "shallow", "HEAD", ""]
            .iter()
            .filter_map(|name| std::fs::symlink_metadata(path.join(name)).ok()?.modified().ok())
            .max()
            .unwrap_or(SystemTime::UNIX_EPOCH),
    };
    let mut repositories: Vec<RepositoryUsage> =
        names_in(&store.path("git"))?.into_iter().map(repository).collect();
    repositories.sort_by_key(|repository| repository.used);
    Ok(repositories)
}

/// A file, or a folder with all that is in it.
fn size_of(path: &Path) -> DiskSize {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_dir() => folder_size(path).size,
        Ok(metadata) => DiskSize::of(&metadata),
        Err(_) => DiskSize::default(),
    }
}

fn modified(path: &Path) -> SystemTime {
    let modified = std::fs::symlink_metadata(path).and_then(|metadata| metadata.modified());
    modified.unwrap_or(SystemTime::UNIX_EPOCH)
}
