//! Decides what goes and what stays, and how much that frees. Looks at nothing but the [`Survey`].
//!
//! A blob or layer is free with the last thing that leads to it, so the bytes that one thing frees depend on what went
//! before it: they are counted in the order of the plan, and their sum is what the file system gets back.

use std::collections::HashSet;
use std::fmt;
use std::time::SystemTime;

use tug_oci::{DiffId, Digest, Reference};

use super::options::{CacheKind, CachePrune, PruneOptions};
use crate::cache_mounts::CacheId;
use crate::usage::{Holders, Survey};

/// What goes and what stays.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrunePlan {
    /// What is removed, in this order.
    pub removed: Vec<Planned>,
    /// What was looked at and stays.
    pub kept: Vec<Planned>,
}

/// One thing, and what becomes of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// What it is.
    pub what: Prunable,
    /// The bytes of disk that are free once it is gone, after all that goes before it. For what stays: its size.
    pub bytes: u64,
    /// When it was used last, where that is known.
    pub used: Option<SystemTime>,
    /// Why it goes or stays.
    pub why: Why,
}

/// A thing that can be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Prunable {
    /// An image.
    Image {
        /// The digest of its manifest or index.
        digest: Digest,
        /// Its names.
        names: Vec<Reference>,
    },
    /// A result of the build cache.
    Result {
        /// The keys that it is known by.
        keys: Vec<Digest>,
        /// What it is the result of.
        kind: CacheKind,
    },
    /// A cache mount.
    Mount(CacheId),
    /// A copy of a git repository, by the name of its folder.
    Repository(String),
    /// What explains misses, and remembered digests of files.
    Memory,
    /// The record of a build.
    Build(String),
    /// What a failed step of a build left of its files.
    Leftover(String),
    /// An unfinished download of a blob.
    Download(String),
    /// Blobs and layers that nothing leads to; so many.
    Unreferenced(usize),
    /// What is in the trash, and what killed processes left; so many.
    LeftBehind(usize),
    /// The tree of a layer.
    Tree(DiffId),
    /// The plain tar of a layer.
    PlainTar(DiffId),
}

/// Why something goes or stays.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// It has no name.
    Nameless,
    /// All images were asked for.
    Asked,
    /// Nothing that stays needs it.
    Unused,
    /// The cache is larger than wished, and this was used least recently.
    LeastRecentlyUsed,
    /// It is older than the newest that are kept.
    Surplus,
    /// Nothing leads to it.
    Unreferenced,
    /// Whoever wrote it is gone.
    LeftBehind,
    /// It can be made again.
    Derivable,
    /// It has a name.
    Named,
    /// An image has it.
    InImage,
    /// Something uses it right now.
    InUse,
    /// It was used, or made, too recently.
    TooYoung,
    /// The cache is small enough without it going.
    WithinLimit,
    /// Removing it would free nothing: others need what it leads to.
    FreesNothing,
    /// It is among the newest, which are kept.
    AmongNewest,
    /// Others work in the store.
    StoreBusy,
    /// What the caller said.
    Spared(String),
}

impl fmt::Display for Why {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Nameless => "has no name",
            Self::Asked => "all images go",
            Self::Unused => "nothing needs it",
            Self::LeastRecentlyUsed => "least recently used",
            Self::Surplus => "older than those that are kept",
            Self::Unreferenced => "nothing leads to it",
            Self::LeftBehind => "left by a command that has ended",
            Self::Derivable => "can be made again",
            Self::Named => "has a name",
            Self::InImage => "an image has its layer",
            Self::InUse => "in use",
            Self::TooYoung => "used recently",
            Self::WithinLimit => "the cache is small enough",
            Self::FreesNothing => "frees nothing: others need its layer",
            Self::AmongNewest => "among the newest",
            Self::StoreBusy => "others work in the store",
            Self::Spared(why) => why,
        })
    }
}

impl PrunePlan {
    /// The bytes that are free once it is done.
    pub fn frees(&self) -> u64 {
        self.removed.iter().map(|planned| planned.bytes).sum()
    }

    /// What `options` ask for, given what there is; `free` bytes of the disk are free. Forms are not looked at.
    ///
    /// Beside it stands which parts are in use and would have gone otherwise.
    pub(super) fn of(survey: &Survey, options: &PruneOptions<'_>, free: u64) -> (Self, HashSet<usize>) {
        let mut planner = Planner {
            survey,
            holders: survey.holders.clone(),
            plan: Self::default(),
            in_the_way: HashSet::new(),
        };
        planner.left_over(options);
        planner.images(options);
        if let Some(cache) = &options.cache {
            planner.cache(cache, free);
        }
        planner.builds(options);
        planner.downloads(options);
        (planner.plan, planner.in_the_way)
    }

    /// Gives up what cannot be done while somebody needs everything.
    pub(super) fn beside_others(&mut self) {
        let is_safe = |planned: &Planned| {
            matches!(
                planned.what,
                Prunable::Mount(_)
                    | Prunable::Build(_)
                    | Prunable::Leftover(_)
                    | Prunable::Download(_)
                    | Prunable::LeftBehind(_)
            )
        };
        let (safe, others) = std::mem::take(&mut self.removed).into_iter().partition(is_safe);
        self.removed = safe;
        self.kept
            .extend(others.into_iter().map(|planned: Planned| Planned { why: Why::StoreBusy, ..planned }));
    }
}

struct Planner<'a> {
    survey: &'a Survey,
    /// Who is left of those that lead to each part.
    holders: Vec<Holders>,
    plan: PrunePlan,
    in_the_way: HashSet<usize>,
}

impl Planner<'_> {
    fn remove(&mut self, what: Prunable, bytes: u64, used: Option<SystemTime>, why: Why) {
        self.plan.removed.push(Planned { what, bytes, used, why });
    }

    fn keep(&mut self, what: Prunable, bytes: u64, used: Option<SystemTime>, why: Why) {
        self.plan.kept.push(Planned { what, bytes, used, why });
    }

    /// Lets go of parts; the bytes that nobody needs any more.
    fn let_go(&mut self, parts: &[usize], of: impl Fn(&mut Holders) -> &mut u32) -> u64 {
        let mut bytes = 0;
        for part in parts {
            *of(&mut self.holders[*part]) -= 1;
            if self.holders[*part].is_free() {
                bytes += self.survey.parts.size(*part).allocated;
            }
        }
        bytes
    }

    fn left_over(&mut self, options: &PruneOptions<'_>) {
        let survey = self.survey;
        let (used, used_count) = (survey.unreferenced_in_use.allocated, survey.unreferenced_in_use_count);
        if survey.unreferenced_count > used_count {
            let what = Prunable::Unreferenced(survey.unreferenced_count - used_count);
            self.remove(what, survey.unreferenced.allocated - used, None, Why::Unreferenced);
        }
        if used_count > 0 {
            self.keep(Prunable::Unreferenced(used_count), used, None, Why::InUse);
        }
        if survey.left_behind_count > 0 {
            let what = Prunable::LeftBehind(survey.left_behind_count);
            self.remove(what, survey.left_behind.allocated, None, Why::LeftBehind);
        }
        if !options.leftovers {
            return;
        }
        for build in survey.builds.iter().filter(|build| build.leftover.allocated > 0) {
            let (what, bytes) = (Prunable::Leftover(build.id.clone()), build.leftover.allocated);
            match build.in_use {
                true => self.keep(what, bytes, Some(build.used), Why::InUse),
                false => self.remove(what, bytes, Some(build.used), Why::LeftBehind),
            }
        }
    }

    fn images(&mut self, options: &PruneOptions<'_>) {
        let Some(wanted) = &options.images else { return };
        let survey = self.survey;
        for image in &survey.images {
            let what = Prunable::Image { digest: image.target.digest.clone(), names: image.names.clone() };
            let spared = match (wanted.all, image.names.is_empty()) {
                (false, false) => Some(Why::Named),
                _ => (wanted.spare)(image).map(Why::Spared),
            };
            let spared = spared.or_else(|| {
                let part = survey.parts.place(&image.target.digest)?;
                let is_used = self.holders[part].pinned;
                is_used.then(|| self.in_the_way.insert(part)).map(|_| Why::InUse)
            });
            if let Some(why) = spared {
                self.keep(what, image.size.allocated, None, why);
                continue;
            }
            let bytes = self.let_go(&image.parts, |holders| &mut holders.images);
            self.remove(what, bytes, None, if image.names.is_empty() { Why::Nameless } else { Why::Asked });
        }
    }

    fn cache(&mut self, wanted: &CachePrune, free: u64) {
        let survey = self.survey;
        let total = survey.cache_size().allocated;
        let keeps = wanted.limits.keeps(total, free);
        let mut candidates = Vec::new();
        let mut in_the_way: HashSet<usize> = HashSet::new();
        for candidate in Candidate::all(survey) {
            let spared = candidate.spared(wanted, self);
            match spared {
                Some(why) => {
                    if why == Why::InUse {
                        in_the_way.extend(candidate.parts);
                    }
                    self.keep(candidate.what, candidate.bytes, candidate.used, why);
                }
                None => candidates.push(candidate),
            }
        }
        candidates.sort_by_key(|candidate| candidate.used);
        let mut left = total;
        // What two share is free with the second of them, so those that freed nothing get another chance.
        for is_last in [false, true] {
            let mut others = Vec::new();
            for candidate in candidates {
                let frees = self.frees(&candidate);
                match keeps {
                    Some(keeps) if left <= keeps => {
                        self.keep(candidate.what, candidate.bytes, candidate.used, Why::WithinLimit);
                    }
                    Some(_) if !frees && !is_last => others.push(candidate),
                    Some(_) if !frees => {
                        self.keep(candidate.what, candidate.bytes, candidate.used, Why::FreesNothing);
                    }
                    limit => {
                        let bytes =
                            candidate.own + self.let_go(candidate.parts, |holders| &mut holders.results);
                        left = left.saturating_sub(bytes);
                        let why = if limit.is_some() { Why::LeastRecentlyUsed } else { Why::Unused };
                        self.remove(candidate.what, bytes, candidate.used, why);
                    }
                }
            }
            candidates = others;
        }
        if keeps.is_none_or(|keeps| left > keeps) {
            self.in_the_way.extend(in_the_way);
        }
    }

    /// Whether anything but a small record would be free.
    fn frees(&self, candidate: &Candidate<'_>) -> bool {
        let goes_with_it = |part: &usize| {
            let holders = self.holders[*part];
            holders.results == 1 && holders.images == 0 && !holders.others && !holders.pinned
        };
        candidate.parts.is_empty() || candidate.parts.iter().any(goes_with_it)
    }

    fn builds(&mut self, options: &PruneOptions<'_>) {
        let Some(wanted) = &options.builds else { return };
        let survey = self.survey;
        let count = survey.builds.len();
        for (place, build) in survey.builds.iter().enumerate() {
            let (what, used) = (Prunable::Build(build.id.clone()), Some(build.used));
            let leftover = if options.leftovers { build.leftover.allocated } else { 0 };
            let bytes = build.size.allocated - leftover;
            let spared = match wanted.before {
                _ if build.in_use => Some(Why::InUse),
                _ if count - place <= wanted.keep => Some(Why::AmongNewest),
                Some(before) if build.used >= before => Some(Why::TooYoung),
                _ => None,
            };
            match spared {
                Some(why) => self.keep(what, bytes, used, why),
                None if wanted.keep > 0 => self.remove(what, bytes, used, Why::Surplus),
                None => self.remove(what, bytes, used, Why::Unused),
            }
        }
    }

    fn downloads(&mut self, options: &PruneOptions<'_>) {
        let survey = self.survey;
        for download in &survey.downloads {
            let (what, used) = (Prunable::Download(download.digest.clone()), Some(download.used));
            let bytes = download.size.allocated;
            let is_old = download.used.elapsed().is_ok_and(|age| age >= crate::partial::KEPT_FOR);
            match download.in_use {
                true => self.keep(what, bytes, used, Why::InUse),
                false if options.downloads || is_old => self.remove(what, bytes, used, Why::LeftBehind),
                false => self.keep(what, bytes, used, Why::TooYoung),
            }
        }
    }
}

/// Something in the build cache.
struct Candidate<'a> {
    what: Prunable,
    kind: CacheKind,
    used: Option<SystemTime>,
    /// The bytes of it alone.
    own: u64,
    /// All of it.
    bytes: u64,
    parts: &'a [usize],
    in_use: bool,
}

impl<'a> Candidate<'a> {
    fn all(survey: &'a Survey) -> Vec<Self> {
        let mut all = Vec::new();
        for result in &survey.results {
            let (kind, parts) = (CacheKind::from(result.kind), &result.parts[..]);
            let what = Prunable::Result { keys: result.keys.clone(), kind };
            let (own, bytes) = (result.own.allocated, result.size.allocated);
            all.push(Self { what, kind, used: Some(result.used), own, bytes, parts, in_use: false });
        }
        for mount in &survey.mounts {
            let (what, kind, bytes) =
                (Prunable::Mount(mount.id.clone()), CacheKind::Mount, mount.size.allocated);
            let (used, in_use) = (Some(mount.used), mount.in_use);
            all.push(Self { what, kind, used, own: bytes, bytes, parts: &[], in_use });
        }
        for repository in &survey.repositories {
            let (what, bytes) = (Prunable::Repository(repository.name.clone()), repository.size.allocated);
            let used = Some(repository.used);
            let kind = CacheKind::Git;
            // Whoever works in the store may be about to fetch into it.
            let in_use = !survey.leases.is_empty();
            all.push(Self { what, kind, used, own: bytes, bytes, parts: &[], in_use });
        }
        if survey.memory_entries > 0 {
            let bytes = survey.memory.allocated;
            let (what, kind) = (Prunable::Memory, CacheKind::Memory);
            all.push(Self { what, kind, used: None, own: bytes, bytes, parts: &[], in_use: false });
        }
        all
    }

    /// Why it stays, whatever the limits are.
    fn spared(&self, wanted: &CachePrune, planner: &Planner<'_>) -> Option<Why> {
        let is_in_image = || {
            let mut holders = self.parts.iter().map(|part| planner.holders[*part]);
            holders.any(|holders| holders.images > 0 || holders.others)
        };
        let is_pinned = || self.parts.iter().any(|part| planner.holders[*part].pinned);
        let is_young = |since: SystemTime| self.used.is_none_or(|used| used >= since);
        if !wanted.kinds.is_empty() && !wanted.kinds.contains(&self.kind) {
            return Some(Why::Spared("of another kind".to_owned()));
        }
        match wanted.unused_since {
            _ if self.in_use => Some(Why::InUse),
            Some(since) if is_young(since) => Some(Why::TooYoung),
            _ if wanted.all || wanted.kinds.contains(&CacheKind::Memory) => is_pinned().then_some(Why::InUse),
            _ if self.what == Prunable::Memory => {
                Some(Why::Spared("explains why steps are done again".to_owned()))
            }
            _ if is_in_image() => Some(Why::InImage),
            _ => is_pinned().then_some(Why::InUse),
        }
    }
}
