//! Trying what a container needs, in a process of its own that looks like the first one of a container.

use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::process::{WaitId, WaitIdOptions, WaitOptions, geteuid, waitid, waitpid};
use serde::{Deserialize, Serialize};

use super::host::file_system_name;
use crate::control::{Control, Order, Report};
use crate::enter::{is_initial_namespace, map_own_id, may_administer};
use crate::sys::spawn::{Spawn, SpawnError, spawn};
use crate::{Cause, init, sealed};

/// The namespaces of a container, but for the user's.
const NAMESPACES: libc::c_int =
    libc::CLONE_NEWNS | libc::CLONE_NEWPID | libc::CLONE_NEWIPC | libc::CLONE_NEWUTS;

/// What came of it.
#[derive(Debug)]
pub(super) struct Trial {
    /// Whether we are root in no user namespace.
    pub(super) is_root: bool,
    /// The kind of file system that the store is on.
    pub(super) file_system: String,
    pub(super) namespaces: Tried,
    pub(super) overlay: Tried,
    pub(super) proc: Tried,
    pub(super) network: Tried,
}

/// What came of one thing.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Tried {
    Worked,
    Failed { step: String, cause: Cause },
}

impl Tried {
    pub(crate) fn failed(step: &str, cause: impl Into<Cause>) -> Self {
        Self::Failed { step: step.to_owned(), cause: cause.into() }
    }
}

/// What the first process is to try.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TrialOrder {
    /// Our user and group outside, if it has to map them itself.
    pub(crate) own_ids: Option<(u32, u32)>,
    /// Whether it is root in a user namespace only.
    pub(crate) user_namespace: bool,
    /// A new directory on the store's file system.
    #[serde(with = "crate::wire::one")]
    pub(crate) directory: PathBuf,
}

/// What it found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Findings {
    pub(crate) namespaces: Tried,
    pub(crate) overlay: Tried,
    pub(crate) proc: Tried,
    pub(crate) network: Tried,
}

impl Trial {
    /// Tries everything.
    pub(super) fn run(store: &Path) -> Self {
        let has_rights = geteuid().is_root() && may_administer().unwrap_or(false);
        let is_root = has_rights && is_initial_namespace();
        let place = nearest(store);
        let file_system = rustix::fs::statfs(&place).map_or_else(
            |errno| format!("unknown: {}", Cause::from(errno)),
            |found| file_system_name(found.f_type),
        );
        let not_reached = Tried::failed("make a container's namespaces", Errno::PERM);
        let mut trial = Self {
            is_root,
            file_system,
            namespaces: not_reached.clone(),
            overlay: not_reached.clone(),
            proc: not_reached.clone(),
            network: not_reached,
        };
        let directory = place.join(format!(".tug-probe-{}", std::process::id()));
        let made = std::fs::create_dir(&directory);
        let order = TrialOrder {
            own_ids: (!has_rights).then(|| (geteuid().as_raw(), rustix::process::getegid().as_raw())),
            user_namespace: !is_root,
            directory: directory.clone(),
        };
        match try_all(&order) {
            Ok(findings) => {
                trial.namespaces = findings.namespaces;
                trial.overlay = findings.overlay;
                trial.proc = findings.proc;
                trial.network = findings.network;
            }
            Err(failed) => trial.namespaces = failed,
        }
        if let Err(error) = made {
            trial.overlay = Tried::failed("write to it", error);
        }
        let _ = std::fs::remove_dir_all(&directory);
        trial
    }
}

/// The store, or what is there of the way to it.
pub(super) fn nearest(store: &Path) -> PathBuf {
    let store = std::path::absolute(store).unwrap_or_else(|_| store.to_owned());
    store.ancestors().find(|path| path.is_dir()).map_or_else(|| PathBuf::from("/"), Path::to_owned)
}

fn try_all(order: &TrialOrder) -> Result<Findings, Tried> {
    let failed = |step: &'static str| move |errno: Errno| Tried::failed(step, errno);
    let program = sealed::own_program().map_err(|_| Tried::failed("copy our own program", Errno::NOENT))?;
    let null = open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(failed("open `/dev/null`"))?;
    let (ours, theirs) = Control::pair().map_err(failed("make a socket"))?;
    // A program that is executed where its user is not mapped yet loses its rights, so an ordinary user's process
    // makes its namespaces itself.
    let namespaces = if order.own_ids.is_some() { 0 } else { NAMESPACES };
    let spawned = spawn(&Spawn {
        program: program.as_fd(),
        name: init::NAME,
        descriptors: [null.as_fd(), null.as_fd(), null.as_fd(), theirs.as_fd()],
        namespaces,
    })
    .map_err(|error| match error {
        SpawnError::Clone(errno) => Tried::failed("make a container's namespaces", errno),
        SpawnError::Execute(errno) => Tried::failed("execute our own program", errno),
    })?;
    drop(theirs);
    let _ = ours.send(&Order::Try(order.clone()));
    let heard = ours.receive::<Report>();
    let _ = waitid(WaitId::PidFd(spawned.handle.as_fd()), WaitIdOptions::EXITED);
    match heard {
        Ok(Some((Report::Tried(findings), _))) => Ok(findings),
        _ => Err(Tried::failed("run a process in new namespaces", Errno::CHILD)),
    }
}

/// What the first process does.
pub(crate) fn carry_out(order: &TrialOrder, control: &Control) {
    let namespaces = try_namespaces(order);
    if let Tried::Failed { .. } = namespaces {
        let not_reached = Tried::failed("get that far without namespaces", Errno::PERM);
        let (overlay, proc, network) = (not_reached.clone(), not_reached.clone(), not_reached);
        let _ = control.send(&Report::Tried(Findings { namespaces, overlay, proc, network }));
        return;
    }
    // The namespace for processes begins with the next one.
    if order.own_ids.is_some()
        && let Ok(Some(child)) = crate::sys::process::fork()
    {
        let _ = waitpid(Some(child), WaitOptions::empty());
        return;
    }
    let proc = init::try_proc().map_or_else(|errno| Tried::failed("mount one", errno), |()| Tried::Worked);
    let network = match crate::sys::process::unshare(libc::CLONE_NEWNET) {
        Ok(()) => Tried::Worked,
        Err(errno) => Tried::failed("make one", errno),
    };
    let overlay = try_overlay(order).map_or_else(|failed| failed, |()| Tried::Worked);
    // As root of the namespace: overlay's own directories are closed to an ordinary user.
    let _ = std::fs::remove_dir_all(&order.directory);
    let _ = control.send(&Report::Tried(Findings { namespaces, overlay, proc, network }));
}

fn try_namespaces(order: &TrialOrder) -> Tried {
    if let Some((uid, gid)) = order.own_ids {
        if let Err(errno) = crate::sys::process::unshare(libc::CLONE_NEWUSER | NAMESPACES) {
            return Tried::failed("make them", errno);
        }
        if let Err(errno) = map_own_id(gid, uid) {
            return Tried::failed("map an id in a user namespace", errno);
        }
    }
    match may_administer() {
        Ok(true) => Tried::Worked,
        _ => Tried::failed("get any right in a user namespace", Errno::PERM),
    }
}

/// Merges a layer and an upper directory, and does to them what builds do.
fn try_overlay(order: &TrialOrder) -> Result<(), Tried> {
    let made = |step: &'static str| move |error: std::io::Error| Tried::failed(step, error);
    let at = |name: &str| order.directory.join(name);
    for name in ["lower", "upper", "work", "lower/directory"] {
        std::fs::create_dir_all(at(name)).map_err(made("make a directory"))?;
    }
    std::fs::write(at("lower/directory/file"), "below").map_err(made("write a file"))?;
    let root = crate::Root {
        lower: vec![at("lower").into()],
        upper: Some(at("upper")),
        work: Some(at("work")),
        read_only: false,
    };
    let merged: OwnedFd = init::try_merge(&root, order.user_namespace).map_err(|error| match error {
        crate::Error::Overlay { cause, .. } => Tried::failed("mount it", cause),
        _ => Tried::failed("mount it", Errno::IO),
    })?;
    let below = |path: &str| {
        let mut whole =
            OsString::from(format!("/proc/self/fd/{}/", std::os::fd::AsRawFd::as_raw_fd(&merged)));
        whole.push(path);
        PathBuf::from(whole)
    };
    std::fs::write(below("directory/file"), "above").map_err(made("change a file"))?;
    std::fs::remove_file(below("directory/file")).map_err(made("remove a file"))?;
    std::fs::remove_dir(below("directory")).map_err(made("remove a directory"))?;
    std::fs::create_dir(below("directory")).map_err(made("make a removed directory again"))?;
    Ok(())
}
