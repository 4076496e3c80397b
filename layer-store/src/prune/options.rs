//! What is to be removed, as a caller asks for it.

use std::collections::BTreeSet;
use std::time::SystemTime;

use super::plan::Prunable;
use crate::usage::{ImageUsage, ResultKind};

/// What [`crate::Store::prune`] removes besides what nothing leads to, and what killed processes left.
#[derive(Clone, Default)]
pub struct PruneOptions<'a> {
    /// Images.
    pub images: Option<ImagePrune<'a>>,
    /// The build cache, in the widest sense.
    pub cache: Option<CachePrune>,
    /// Records of builds.
    pub builds: Option<BuildPrune>,
    /// What failed steps left of their files, but not the records of their builds.
    pub leftovers: bool,
    /// Downloads that nobody is at, also those that somebody may still go on with.
    pub downloads: bool,
    /// Forms of layers that can be made again from what stays.
    pub derived: bool,
}

/// Which images.
#[derive(Clone)]
pub struct ImagePrune<'a> {
    /// Also those that have a name.
    pub all: bool,
    /// Why an image stays although it would be removed; `None` when it does not.
    pub spare: &'a dyn Fn(&ImageUsage) -> Option<String>,
}

/// What of the build cache.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CachePrune {
    /// Also results whose layers are in images, and what explains misses.
    pub all: bool,
    /// Only these kinds; all when there are none.
    pub kinds: BTreeSet<CacheKind>,
    /// Only what was not used since.
    pub unused_since: Option<SystemTime>,
    /// How much stays.
    pub limits: CacheLimits,
}

/// How much of the build cache stays: the least recently used goes first. Without any, nothing has to stay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheLimits {
    /// So many bytes always stay.
    pub reserved: Option<u64>,
    /// More than so many bytes never stay.
    pub most: Option<u64>,
    /// Enough has to go that so many bytes of the disk are free.
    pub free: Option<u64>,
}

/// The kinds of things in the build cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CacheKind {
    /// Results of steps.
    Step,
    /// Directories of `RUN --mount=type=cache`.
    Mount,
    /// Downloads of `ADD` and of contexts.
    Download,
    /// Files of commits, and copies of repositories.
    Git,
    /// What explains misses; remembered digests of files; results that are lost.
    Memory,
}

/// Which records of builds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BuildPrune {
    /// So many of the newest stay.
    pub keep: usize,
    /// Only those that ended before.
    pub before: Option<SystemTime>,
}

impl PruneOptions<'_> {
    /// Whether something was asked for that can only go while nobody needs everything in the store.
    pub(super) fn needs_blobs(&self, what: &Prunable) -> bool {
        match what {
            Prunable::Mount(_)
            | Prunable::Build(_)
            | Prunable::Leftover(_)
            | Prunable::Download(_)
            | Prunable::LeftBehind(_) => false,
            // It goes along where something else was asked for.
            Prunable::Unreferenced(_) => self.images.is_some() || self.cache.is_some() || self.derived,
            _ => true,
        }
    }
}

impl CacheLimits {
    /// How many of `total` bytes of cache may stay while `free` bytes of the disk are free; `None` when nothing has to.
    pub fn keeps(&self, total: u64, free: u64) -> Option<u64> {
        let lacking = self.free.map(|wanted| wanted.saturating_sub(free)).filter(|lacking| *lacking > 0);
        let keeps = match (self.most, lacking) {
            (None, None) if self.free.is_some() => total,
            (None, None) => self.reserved?,
            (Some(most), None) => most,
            (None, Some(lacking)) => total.saturating_sub(lacking),
            (Some(most), Some(lacking)) => most.min(total.saturating_sub(lacking)),
        };
        Some(keeps.max(self.reserved.unwrap_or(0)))
    }
}

impl From<ResultKind> for CacheKind {
    fn from(kind: ResultKind) -> Self {
        match kind {
            ResultKind::Step => Self::Step,
            ResultKind::Download => Self::Download,
            ResultKind::Commit => Self::Git,
            ResultKind::Nothing => Self::Memory,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_keep_as_much_as_they_can() {
        let keeps = |reserved, most, free| CacheLimits { reserved, most, free }.keeps(100, 20);
        assert_eq!(keeps(None, None, None), None);
        assert_eq!(keeps(Some(30), None, None), Some(30));
        assert_eq!(keeps(None, Some(60), None), Some(60));
        assert_eq!(keeps(None, None, Some(50)), Some(70), "30 bytes are lacking");
        assert_eq!(keeps(None, None, Some(10)), Some(100), "enough is free");
        assert_eq!(keeps(Some(80), None, Some(50)), Some(80), "what is reserved stays");
        assert_eq!(keeps(Some(10), Some(60), Some(90)), Some(30));
        assert_eq!(keeps(None, None, Some(500)), Some(0));
    }
}
