//! Removes what is not wanted any more, in order and with reasons.
//!
//! What goes is decided from one look at everything, a [`Survey`], by a [`PrunePlan`] that says of each thing why it goes
//! or stays and how many bytes that frees; a dry run ends there.
//!
//! | what                                               | is removed while                                              |
//! | -------------------------------------------------- | ------------------------------------------------------------- |
//! | names of images, results, blobs, layers, forms, copies of repositories | nobody else has the store open            |
//! | a cache mount, a build, an unfinished download     | nobody uses that one; others may work                         |
//! | what is in `trash/`, what killed processes left    | always                                                        |
//!
//! Under the lock of the store things are only renamed into `trash/`. Unlinking them takes longer, and others may come
//! meanwhile.

mod derived;
mod options;
mod plan;
mod waiting;

pub use options::{BuildPrune, CacheKind, CacheLimits, CachePrune, ImagePrune, PruneOptions};
pub use plan::{Planned, Prunable, PrunePlan, Why};
pub use waiting::{Patience, StoreUser};

use std::time::Duration;

use rustix::fs::statvfs;
use tug_oci::Digest;

use crate::builds::RemovedBuild;
use crate::error::{Result, failed};
use crate::store::Store;
use crate::usage::{ResultKind, Survey};

/// What became of a prune.
#[derive(Clone, Debug, PartialEq)]
pub struct Pruned {
    /// What went and what stayed.
    pub plan: PrunePlan,
    /// Who else works in the store: then only what nobody uses was removed, and blobs and layers stay. Nobody when all
    /// was done.
    pub busy: Option<Vec<StoreUser>>,
}

/// The room on the file system of a store, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskRoom {
    /// In all.
    pub total: u64,
    /// What we may still write.
    pub free: u64,
}

impl DiskRoom {
    /// Whether so little is free that what is only kept for convenience should go: less than 2 %, and less than 1 GiB.
    pub fn is_scarce(&self) -> bool {
        self.free < (self.total / 50).min(1 << 30)
    }
}

impl Store {
    /// What [`Store::prune`] would do now.
    pub fn plan_prune(
        &self,
        options: &PruneOptions<'_>,
        kind_of: &dyn Fn(&[u8]) -> ResultKind,
    ) -> Result<PrunePlan> {
        let survey = self.survey(kind_of)?;
        self.plan(&survey, options)
    }

    /// Removes what `options` ask for. What is in use stays.
    ///
    /// Waits with `patience` for others to leave the store; when they do not, what nobody uses is removed all the same.
    /// The caller must not be writing to the store at the same time on another thread.
    pub fn prune(
        &self,
        options: &PruneOptions<'_>,
        kind_of: &dyn Fn(&[u8]) -> ResultKind,
        patience: &Patience<'_>,
    ) -> Result<Pruned> {
        let needs_others_gone =
            |plan: &PrunePlan| plan.removed.iter().any(|one| options.asks_for_alone(&one.what));
        let limit = match needs_others_gone(&self.plan(&self.survey(kind_of)?, options)?) {
            true => patience.limit,
            false => Duration::ZERO,
        };
        let mut alone = self.prune_alone(options, kind_of, &Patience { limit, tell: patience.tell })?;
        // There was nothing to wait for; others may have changed that.
        if alone.is_none()
            && limit < patience.limit
            && needs_others_gone(&self.plan(&self.survey(kind_of)?, options)?)
        {
            alone = self.prune_alone(options, kind_of, patience)?;
        }
        let pruned = match alone {
            Some(plan) => Pruned { plan, busy: None },
            None => {
                let users = self.users();
                let mut plan = self.plan(&self.survey(kind_of)?, options)?;
                let busy = needs_others_gone(&plan).then_some(users);
                plan.beside_others();
                self.carry_out(&mut plan)?;
                self.mark_garbage(true);
                Pruned { plan, busy }
            }
        };
        self.remove_left_behind()?;
        Ok(pruned)
    }

    /// The same once nobody else works in the store; `None` when the `patience` ends before.
    fn prune_alone(
        &self,
        options: &PruneOptions<'_>,
        kind_of: &dyn Fn(&[u8]) -> ResultKind,
        patience: &Patience<'_>,
    ) -> Result<Option<PrunePlan>> {
        self.alone_within(patience, || {
            let mut plan = self.plan(&self.survey(kind_of)?, options)?;
            self.carry_out(&mut plan)?;
            self.collect()?;
            Ok(plan)
        })
    }

    /// The room on the disk of this store.
    pub fn disk_room(&self) -> Result<DiskRoom> {
        let room = statvfs(self.root()).map_err(failed("look at", self.root()))?;
        let bytes = |blocks: u64| blocks.saturating_mul(room.f_frsize);
        Ok(DiskRoom { total: bytes(room.f_blocks), free: bytes(room.f_bavail) })
    }

    fn plan(&self, survey: &Survey, options: &PruneOptions<'_>) -> Result<PrunePlan> {
        let mut plan = PrunePlan::of(survey, options, self.disk_room()?.free);
        if options.derived {
            let is_free = survey.unreferenced_layers();
            let stays = |planned: &Planned| match &planned.what {
                Prunable::Tree(layer) | Prunable::PlainTar(layer) => !is_free.contains(layer),
                _ => true,
            };
            plan.removed.extend(self.derivable_forms()?.into_iter().filter(stays));
        }
        Ok(plan)
    }

    /// Removes what the plan says. What others took into use meanwhile is kept, and the plan says so afterwards.
    fn carry_out(&self, plan: &mut PrunePlan) -> Result<()> {
        let images: Vec<Digest> = plan
            .removed
            .iter()
            .filter_map(|planned| match &planned.what {
                Prunable::Image { digest, .. } => Some(digest.clone()),
                _ => None,
            })
            .collect();
        self.forget_all(&images)?;
        let mut removed = Vec::new();
        for planned in std::mem::take(&mut plan.removed) {
            if self.carry_out_one(&planned.what)? {
                removed.push(planned);
            } else {
                plan.kept.push(Planned { why: Why::InUse, ..planned });
            }
        }
        plan.removed = removed;
        Ok(())
    }

    /// `false` when somebody uses it.
    fn carry_out_one(&self, what: &Prunable) -> Result<bool> {
        match what {
            // They went together; and what nothing leads to is collected at the end.
            Prunable::Image { .. } | Prunable::Unreferenced(_) | Prunable::LeftBehind(_) => {}
            Prunable::Result { keys, .. } => keys.iter().try_for_each(|key| self.remove_cache_record(key))?,
            Prunable::Memory => self.remove_cache_memory()?,
            Prunable::Mount(id) => return self.remove_cache(id),
            Prunable::Repository(name) => self.trash().bury(&self.path("git").join(name))?,
            Prunable::Build(id) => return Ok(self.remove_build(id)? != RemovedBuild::InUse),
            Prunable::Leftover(id) => return self.remove_leftover(id),
            Prunable::Download(digest) => match digest.parse::<Digest>() {
                Ok(digest) => return self.remove_partial(&digest),
                Err(_) => return Ok(false),
            },
            Prunable::Tree(layer) => match self.remove_tree(layer) {
                // A record cannot be written on a full disk; there is more that can go.
                Err(error) if error.is_disk_full() => return Ok(false),
                other => other?,
            },
            Prunable::PlainTar(layer) => self.trash().bury(&self.blob_path(layer.digest()))?,
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
