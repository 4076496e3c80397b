//! Caches of a step: taken in one order by everybody, so that no two steps wait for each other.

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags, ResolveFlags, XattrFlags, mkdirat, openat2, setxattr};
use rustix::io::Errno;
use tug_dockerfile::Sharing;
use tug_layer_store::{CacheId, CacheMount, CacheSharing, Owners, Store};

use super::super::RunContext;
use super::trees;
use crate::error::{Error, Problem};
use crate::event::Event;
use crate::execute::Found;
use crate::key::Inputs;
use crate::plan::{MountKind, Owner, RunMount, Step};

/// How often somebody who waits looks again.
const PAUSE: Duration = Duration::from_millis(20);
const OWNER: Owner = Owner { mode: 0o755, uid: 0, gid: 0 };

/// The caches of one step.
pub(super) struct Caches {
    held: Vec<CacheMount>,
    /// Which of them each mount shows.
    of_mount: BTreeMap<usize, usize>,
}

impl Caches {
    /// That of the mount `number`.
    pub(super) fn of(&self, number: usize) -> Option<&CacheMount> {
        self.of_mount.get(&number).map(|place| &self.held[*place])
    }

    pub(super) fn into_held(self) -> Vec<CacheMount> {
        self.held
    }
}

/// Takes all caches that `mounts` want. A cache that two of them want is taken once.
pub(super) fn take(
    context: RunContext<'_>,
    step: &Step,
    mounts: &[RunMount],
    found: &[Option<Found>],
) -> Result<Caches, Error> {
    let mut wanted: BTreeMap<CacheId, (CacheSharing, Vec<usize>)> = BTreeMap::new();
    for (number, (mount, found)) in mounts.iter().zip(found).enumerate() {
        let Some((id, sharing)) = identity(mount, found.as_ref()) else { continue };
        let entry = wanted.entry(id).or_insert((sharing, Vec::new()));
        entry.0 = entry.0.max(sharing);
        entry.1.push(number);
    }
    let mut caches = Caches { held: Vec::new(), of_mount: BTreeMap::new() };
    for (id, (sharing, numbers)) in wanted {
        let mount = wait_for(context, step, &id, sharing)?;
        caches.of_mount.extend(numbers.into_iter().map(|number| (number, caches.held.len())));
        caches.held.push(mount);
    }
    Ok(caches)
}

/// Which cache a mount shows. Another owner, or other files to begin with, make it another cache, as in BuildKit:
/// what is in a cache would not fit.
fn identity(mount: &RunMount, found: Option<&Found>) -> Option<(CacheId, CacheSharing)> {
    let MountKind::Cache { id, owner, sharing, .. } = &mount.kind else { return None };
    let mut variant = Vec::new();
    if *owner != OWNER {
        variant.push(format!("mode={:o},uid={},gid={}", owner.mode, owner.uid, owner.gid));
    }
    if let Some(found) = found {
        let mut inputs = Inputs::default();
        match &found.layers {
            Some(layers) => {
                inputs.value("path", String::from_utf8_lossy(&found.mounted.selected.item.path));
                layers.iter().for_each(|layer| inputs.value("layer", layer.to_string()));
            }
            None => found.mounted.add_inputs("", &mut inputs),
        }
        variant.push(format!("from={}", &inputs.key().hex()[..16]));
    }
    let sharing = match sharing {
        Sharing::Shared => CacheSharing::Shared,
        Sharing::Private => CacheSharing::Private,
        Sharing::Locked => CacheSharing::Locked,
    };
    Some((CacheId { id: id.clone(), variant: variant.join(",") }, sharing))
}

fn wait_for(
    context: RunContext<'_>,
    step: &Step,
    id: &CacheId,
    sharing: CacheSharing,
) -> Result<CacheMount, Error> {
    let mut is_told = false;
    loop {
        if let Some(mount) = context.store.try_cache(id, sharing)? {
            return Ok(mount);
        }
        if context.cancel.is_cancelled() {
            return Err(Error::Cancelled);
        }
        if !is_told {
            let message = format!("waiting for the cache `{}`, which another step uses", id.id);
            context.reporter.report(Event::Warning { message, line: step.summary.line });
            is_told = true;
        }
        std::thread::sleep(PAUSE);
    }
}

/// The directory of a cache, made if there is none.
pub(super) fn directory(
    context: RunContext<'_>,
    mount: &RunMount,
    cache: &CacheMount,
    found: Option<&Found>,
    owner: Owner,
) -> Result<PathBuf, Error> {
    let path = cache.directory(|path| -> Result<(), Error> {
        let Some(found) = found else { return make(context.store, path, owner) };
        if !found.mounted.selected.item.is_directory() {
            let problem = Problem::new(mount.span.clone(), "a cache can only begin with a directory");
            return Err(context.problem(problem.help("let `source` name the directory that the file is in")));
        }
        trees::write(context.store, &found.mounted, path, context.cancel)
    })?;
    Ok(path.to_owned())
}

/// Makes an empty directory, whatever the umask.
fn make(store: &Store, path: &Path, owner: Owner) -> Result<(), Error> {
    let failed = |source| Error::Io { action: "make the cache", path: path.to_owned(), source };
    std::fs::DirBuilder::new().mode(0o700).create(path).map_err(failed)?;
    give(store, path, (owner.uid, owner.gid)).map_err(failed)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(owner.mode & 0o7777)).map_err(failed)
}

/// Gives a file or directory of ours to an owner, or notes it down where there is only one.
pub(super) fn give(store: &Store, path: &Path, (uid, gid): (u32, u32)) -> std::io::Result<()> {
    match store.options().owners {
        _ if (uid, gid) == (0, 0) => Ok(()),
        Owners::Real => chown(path, Some(uid), Some(gid)),
        Owners::Recorded => {
            let owner = format!("{uid}:{gid}");
            Ok(setxattr(path, "user.tug.owner", owner.as_bytes(), XattrFlags::empty())?)
        }
    }
}

/// Makes the directory within a cache that a mount shows, if it is missing. A link there, or on the way, may not lead
/// out of the cache.
pub(super) fn check_path(
    context: RunContext<'_>,
    mount: &RunMount,
    root: &Path,
    path: &str,
    owner: Owner,
) -> Result<(), Error> {
    let failed = |error: Errno| Error::Io { action: "open", path: root.to_owned(), source: error.into() };
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let mut here = rustix::fs::open(root, flags | OFlags::DIRECTORY, Mode::empty()).map_err(failed)?;
    let top =
        here.try_clone().map_err(|source| Error::Io { action: "open", path: root.to_owned(), source })?;
    let mut so_far = PathBuf::new();
    for part in Path::new(path).components().filter_map(|part| match part {
        std::path::Component::Normal(name) => Some(name),
        _ => None,
    }) {
        so_far.push(part);
        // From the top each time: a link may lead up, but not out.
        let open = || {
            let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
            openat2(&top, so_far.as_os_str().as_bytes(), flags, Mode::empty(), beneath)
        };
        let opened = match open() {
            Err(Errno::NOENT) => match mkdirat(&here, part.as_bytes(), Mode::from_raw_mode(0o755)) {
                Ok(()) => {
                    let made = root.join(&so_far);
                    let given = give(context.store, &made, (owner.uid, owner.gid));
                    given.map_err(|source| Error::Io { action: "make", path: made, source })?;
                    open()
                }
                // A link that leads to nothing.
                Err(_) => Err(Errno::NOENT),
            },
            other => other,
        };
        here = opened.map_err(|error| {
            let shown = so_far.display();
            let (message, help) = match error {
                Errno::XDEV | Errno::LOOP => (
                    format!("`{shown}` in the cache is a link that leads out of it"),
                    "nothing outside of a cache can be mounted through it",
                ),
                Errno::NOENT => (
                    format!("`{shown}` in the cache is a link that leads to nothing"),
                    "remove it in an earlier step, or name another `source`",
                ),
                _ => (
                    format!("`{shown}` in the cache cannot be mounted: {}", std::io::Error::from(error)),
                    "name another `source`",
                ),
            };
            context.problem(Problem::new(mount.span.clone(), message).help(help))
        })?;
    }
    Ok(())
}
