//! Removes what is not wanted any more, in order and with reasons.
//!
//! What goes is decided from one look at everything, a [`Survey`](crate::usage::Survey), by a [`PrunePlan`] that says of each thing why it goes
//! or stays and how many bytes that frees; a dry run ends there.
//!
//! | what                                               | is removed while                                              |
//! | -------------------------------------------------- | ------------------------------------------------------------- |
//! | names of images, results, blobs, layers, forms     | nobody uses that one: see [`crate::lease`]                    |
//! | copies of repositories                             | nobody else has the store open                                |
//! | a cache mount, a build, an unfinished download     | nobody uses that one; others may work                         |
//! | what is in `trash/`, what killed processes left    | always                                                        |
//!
//! While nobody can pin anything, things are only renamed into `trash/`. Unlinking them takes longer, and others may go on
//! meanwhile.

mod derived;
mod options;
mod plan;
mod waiting;

pub use options::{BuildPrune, CacheKind, CacheLimits, CachePrune, ImagePrune, PruneOptions};
pub use plan::{Planned, Prunable, PrunePlan, Why};
use waiting::Waiting;
pub use waiting::{Patience, StoreUser};

use std::collections::HashSet;
use std::path::PathBuf;

use rustix::fs::statvfs;
use tug_oci::Digest;

use crate::builds::RemovedBuild;
use crate::error::{Result, failed};
use crate::lease::Lease;
use crate::store::Store;
use crate::usage::ResultKind;

/// What became of a prune.
#[derive(Clone, Debug, PartialEq)]
pub struct Pruned {
    /// What went and what stayed.
    pub plan: PrunePlan,
    /// Who needs everything in the store, and does not say what of it: then blobs and layers stay. `None` when that did not
    /// keep anything from being done.
    pub busy: Option<Vec<StoreUser>>,
    /// Who uses what was asked for and stays because of that.
    pub in_use_by: Vec<StoreUser>,
}

/// What is to be done, and which leases keep more from being done.
struct Outlook {
    plan: PrunePlan,
    /// Those that pin what was asked for.
    in_the_way: Vec<PathBuf>,
    /// Also those that pin what nothing leads to: that may be work in progress, which it is no use to wait for.
    users: Vec<PathBuf>,
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
        self.outlook(options, kind_of, &self.leases()?).map(|outlook| outlook.plan)
    }

    /// Removes what `options` ask for. What is in use stays.
    ///
    /// Waits with `patience` for those who use what was asked for, and for those who need everything; when they go on, what
    /// nobody uses is removed all the same. The caller must not be using the store at the same time on another thread.
    pub fn prune(
        &self,
        options: &PruneOptions<'_>,
        kind_of: &dyn Fn(&[u8]) -> ResultKind,
        patience: &Patience<'_>,
    ) -> Result<Pruned> {
        let mut waiting = Waiting::new(self, patience);
        let outlook = self.outlook(options, kind_of, &self.leases()?)?;
        waiting.for_leases(&outlook.in_the_way)?;
        let needs_blobs = |plan: &PrunePlan| plan.removed.iter().any(|one| options.needs_blobs(&one.what));
        let mut is_needed = needs_blobs(&outlook.plan);
        let mut done = match is_needed {
            true => waiting.collecting(|store, leases| store.prune_beside(options, kind_of, leases))?,
            false => self.collecting(|store, leases| store.prune_beside(options, kind_of, leases))?,
        };
        // There was nothing to wait for; others may have changed that.
        if done.is_none() && !is_needed && needs_blobs(&self.plan_prune(options, kind_of)?) {
            is_needed = true;
            done = waiting.collecting(|store, leases| store.prune_beside(options, kind_of, leases))?;
        }
        let pruned = match done {
            Some((plan, users)) => {
                let in_use_by = self.users_of(&users);
                Pruned { plan, busy: None, in_use_by }
            }
            None => {
                let users = self.users_of(&[self.path("locks/store")]);
                let mut plan = self.plan_prune(options, kind_of)?;
                let busy = is_needed.then_some(users);
                plan.beside_others();
                self.unpinned().carry_out(&mut plan)?;
                self.mark_garbage(true);
                Pruned { plan, busy, in_use_by: Vec::new() }
            }
        };
        self.remove_left_behind()?;
        Ok(pruned)
    }

    /// Prunes what no lease pins, while nobody can pin anything; with the leases of those who use what stays.
    fn prune_beside(
        &self,
        options: &PruneOptions<'_>,
        kind_of: &dyn Fn(&[u8]) -> ResultKind,
        leases: &[Lease],
    ) -> Result<(PrunePlan, Vec<PathBuf>)> {
        let Outlook { mut plan, users, .. } = self.outlook(options, kind_of, leases)?;
        self.carry_out(&mut plan)?;
        let removed = self.collect(leases)?;
        self.mark_garbage(removed.in_use > 0);
        Ok((plan, users))
    }

    /// The room on the disk of this store.
    pub fn disk_room(&self) -> Result<DiskRoom> {
        let room = statvfs(self.root()).map_err(failed("look at", self.root()))?;
        let bytes = |blocks: u64| blocks.saturating_mul(room.f_frsize);
        Ok(DiskRoom { total: bytes(room.f_blocks), free: bytes(room.f_bavail) })
    }

    /// What is to be done beside others who have these leases.
    fn outlook(
        &self,
        options: &PruneOptions<'_>,
        kind_of: &dyn Fn(&[u8]) -> ResultKind,
        leases: &[Lease],
    ) -> Result<Outlook> {
        let store = self.unpinned();
        let survey = store.survey_beside(kind_of, leases)?;
        let (mut plan, mut parts) = PrunePlan::of(&survey, options, store.disk_room()?.free);
        if options.derived {
            let is_free = survey.unreferenced_layers();
            for planned in store.derivable_forms()? {
                match &planned.what {
                    Prunable::Tree(layer) | Prunable::PlainTar(layer) if is_free.contains(layer) => {}
                    Prunable::Tree(layer) | Prunable::PlainTar(layer) if survey.is_pinned(layer.digest()) => {
                        parts.extend(survey.parts.place(layer.digest()));
                        plan.kept.push(Planned { why: Why::InUse, ..planned });
                    }
                    _ => plan.removed.push(planned),
                }
            }
        }
        let pins = |parts: &HashSet<usize>| -> Vec<PathBuf> {
            let leases = survey.leases.iter().filter(|(_, pinned)| !parts.is_disjoint(pinned));
            leases.map(|(path, _)| path.clone()).collect()
        };
        let in_the_way = pins(&parts);
        if options.needs_blobs(&Prunable::Unreferenced(1)) {
            parts.extend(survey.unreferenced_parts());
        }
        Ok(Outlook { plan, in_the_way, users: pins(&parts) })
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
