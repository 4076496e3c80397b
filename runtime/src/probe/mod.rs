//! What this host can do, for `tug doctor` and for hints in errors.
//!
//! What can be tried is tried, in a process of its own in the namespaces a container would have (`trial`), and not
//! guessed from version numbers: distributions carry features to older kernels and switch them off in newer ones.
//! Only what explains a failure (settings, missing programs) is read.

mod host;
mod indexed;
pub(crate) mod trial;

use std::path::Path;

use crate::Mode;
use crate::enter::{Kind, Obstacle, obstacle, outer_user, ranges, tool};
use crate::init::Way;
use indexed::try_indexed;
use trial::{Trial, Tried};

/// One thing that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, in a few words.
    pub name: &'static str,
    /// How it stands.
    pub outcome: Outcome,
    /// What was found, in one line.
    pub found: String,
    /// Why it matters.
    pub why: &'static str,
    /// How to mend it, where something can be done.
    pub remedy: Option<String>,
}

/// How one thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As it should be.
    Ok,
    /// Works, with less than could be.
    Degraded,
    /// Does not work.
    Missing,
}

/// Tries what containers need and says what was found, the most important first. `store` is where layers are kept; it
/// need not exist.
///
/// It can be called before or after [`enter`](crate::enter()). It takes some tens of milliseconds, and leaves nothing behind.
#[must_use]
pub fn probe(store: &Path) -> Vec<Check> {
    let trial = Trial::run(store);
    let mut checks = vec![host::kernel(), host::rights(trial.is_root)];
    checks.push(namespaces(&trial));
    if !trial.is_root {
        checks.push(subordinate_ids());
        checks.push(id_tools());
    }
    checks.push(overlay(&trial, store));
    checks.push(layers(&trial, store));
    checks.push(fresh_proc(&trial));
    checks.push(network(&trial));
    checks.push(host::filter());
    checks.push(host::groups());
    checks.push(host::other_processors(&crate::emulators()));
    checks
}

fn namespaces(trial: &Trial) -> Check {
    let name = if trial.is_root { "namespaces" } else { "user namespaces" };
    let why = "a container is a process in namespaces of its own; an ordinary user needs a user namespace to make them";
    let hindrance = if trial.is_root { None } else { obstacle() };
    match &trial.namespaces {
        Tried::Worked => Check { name, outcome: Outcome::Ok, found: "can be made".to_owned(), why, remedy: None },
        Tried::Failed { step, cause } => Check {
            name,
            outcome: Outcome::Missing,
            found: hindrance.map_or_else(|| format!("cannot {step}: {cause}"), |found| found.found().to_owned()),
            why,
            remedy: Some(hindrance.map_or_else(
                || {
                    "inside a container: run it with a system call filter that lets them through, or as root with \
                     `CAP_SYS_ADMIN`"
                        .to_owned()
                },
                |found: Obstacle| found.remedy().to_owned(),
            )),
        },
    }
}

fn subordinate_ids() -> Check {
    let name = "subordinate ids";
    let why = "with a range of ids, files in images can have owners other than root; without one, owners are \
               remembered and shown to the programs in a container, which makes many small files slower";
    let (uids, gids) = (ranges(Kind::User), ranges(Kind::Group));
    let sum = |ranges: &[crate::enter::Range]| ranges.iter().map(|range| u64::from(range.count)).sum::<u64>();
    let (users, groups) = (sum(&uids), sum(&gids));
    let found = format!("{users} user ids in `/etc/subuid`, {groups} group ids in `/etc/subgid`");
    let who = outer_user();
    let remedy = format!("as root: `usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {who}`");
    match (users, groups) {
        (0, _) | (_, 0) => Check { name, outcome: Outcome::Degraded, found, why, remedy: Some(remedy) },
        // Debian's `nobody` is 65534.
        (1..65535, _) | (_, 1..65535) => {
            let found = format!("{found}: less than the 65535 that images may use");
            Check { name, outcome: Outcome::Degraded, found, why, remedy: Some(remedy) }
        }
        _ => Check { name, outcome: Outcome::Ok, found, why, remedy: None },
    }
}

fn id_tools() -> Check {
    let name = "newuidmap";
    let why = "only these set-uid programs may map the ids of a range for an ordinary user";
    let install =
        "install them: `apt-get install uidmap`, `dnf install shadow-utils`, `apk add shadow-uidmap`";
    for program in ["newuidmap", "newgidmap"] {
        let (found, remedy) = match tool(program) {
            None => (format!("`{program}` is not installed"), install.to_owned()),
            Some(path) if !host::has_privilege(&path) => (
                format!("`{}` has neither the set-uid bit nor capabilities", path.display()),
                format!("as root: `chmod u+s {}`", path.display()),
            ),
            Some(_) => continue,
        };
        return Check { name, outcome: Outcome::Degraded, found, why, remedy: Some(remedy) };
    }
    Check {
        name,
        outcome: Outcome::Ok,
        found: "`newuidmap` and `newgidmap` are there".to_owned(),
        why,
        remedy: None,
    }
}

fn overlay(trial: &Trial, store: &Path) -> Check {
    let name = "overlay";
    let why = "layers are merged and changes are caught by the kernel's overlay file system, on the file system of \
               the store";
    let place = format!("`{}` ({})", store.display(), trial.file_system);
    match &trial.overlay {
        Tried::Worked => {
            Check { name, outcome: Outcome::Ok, found: format!("works on {place}"), why, remedy: None }
        }
        Tried::Failed { step, cause } => Check {
            name,
            outcome: Outcome::Missing,
            found: format!("on {place}: cannot {step}: {cause}"),
            why,
            remedy: Some(overlay_remedy(&trial.file_system)),
        },
    }
}

/// Whether layers can be mounted without unpacking them, when the store is, or will be, in `store`. Takes less than a
/// millisecond.
#[must_use]
pub fn mounts_indexed_layers(mode: Mode, store: &Path) -> bool {
    mode == Mode::Root && try_indexed(&trial::nearest(store)).is_ok()
}

fn layers(trial: &Trial, store: &Path) -> Check {
    let name = "layers";
    let why = "a layer that is mounted as it came, over an index, is ready in a fraction of the time that making all of its \
               files takes, and needs no room of its own";
    let unpacked = |reason: String, remedy: Option<&str>| Check {
        name,
        outcome: Outcome::Degraded,
        found: format!("are unpacked into directories before they are mounted: {reason}"),
        why,
        remedy: remedy.map(str::to_owned),
    };
    if !trial.is_root {
        let reason = "only root, in no user namespace, may mount an image".to_owned();
        return unpacked(reason, None);
    }
    match try_indexed(&trial::nearest(store)) {
        Ok(way) => Check {
            name,
            outcome: Outcome::Ok,
            found: match way {
                Way::Files => "are mounted without unpacking (EROFS, from files)",
                Way::Devices => "are mounted without unpacking (EROFS, over loop devices)",
            }
            .to_owned(),
            why,
            remedy: None,
        },
        Err((step, cause)) => unpacked(
            format!("cannot {step}: {cause}"),
            Some("use a kernel with EROFS: Linux 6.12 mounts it from files, Linux 6.4 over loop devices"),
        ),
    }
}

fn overlay_remedy(file_system: &str) -> String {
    match file_system {
        "overlay" => "keep the store on a volume or another real file system: overlay cannot lie on overlay",
        "nfs" | "fuse" | "9p" | "cifs" => "keep the store on a local file system (ext4, xfs, btrfs, tmpfs)",
        _ => "the store must be on a local file system that this user can write to",
    }
    .to_owned()
}

fn fresh_proc(trial: &Trial) -> Check {
    let name = "/proc";
    let why = "a container should see its own processes only";
    match &trial.proc {
        Tried::Worked => {
            Check { name, outcome: Outcome::Ok, found: "a fresh one can be mounted".to_owned(), why, remedy: None }
        }
        Tried::Failed { step, cause } => Check {
            name,
            outcome: Outcome::Degraded,
            found: format!("cannot {step}: {cause}; containers get the one of this system"),
            why,
            remedy: Some(
                "inside a container: run it with `--security-opt systempaths=unconfined` (Kubernetes: `procMount: \
                 Unmasked`)"
                    .to_owned(),
            ),
        },
    }
}

fn network(trial: &Trial) -> Check {
    let name = "network namespaces";
    let why = "`--network none` needs them";
    match &trial.network {
        Tried::Worked => {
            Check { name, outcome: Outcome::Ok, found: "can be made".to_owned(), why, remedy: None }
        }
        Tried::Failed { step, cause } => Check {
            name,
            outcome: Outcome::Degraded,
            found: format!("cannot {step}: {cause}"),
            why,
            remedy: Some("raise `user.max_net_namespaces`".to_owned()),
        },
    }
}
