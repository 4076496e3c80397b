//! Which ids exist for us, and becoming root over them.
//!
//! | who we are | what is done | mode |
//! | --- | --- | --- |
//! | root with `CAP_SYS_ADMIN`, in no user namespace | nothing | [`Mode::Root`] |
//! | root with `CAP_SYS_ADMIN` in somebody's user namespace | nothing: its ids are ours | as many as it has |
//! | root without it (a plain container), `CAP_SETUID` | a user namespace with the ids we have | [`Mode::ManyIds`] |
//! | a user with ranges in `/etc/subuid` and `/etc/subgid` | a user namespace, mapped by `newuidmap` | [`Mode::ManyIds`] |
//! | any other user | a user namespace with the own id as 0 | [`Mode::SingleId`] |
//!
//! The namespace is entered in this very process, so that everything we do with files (unpacking, diffing, deleting)
//! sees the same ids as the containers. Whoever maps the ids has to stand outside, so a helper is split off just
//! before; it ends before [`enter`] returns.

mod host;
mod map;
pub(crate) mod open_files;
mod subordinate;

use rustix::io::Errno;
use rustix::process::{getegid, geteuid};

use crate::{Error, sys};
pub(crate) use host::{Obstacle, obstacle};
pub(crate) use map::{is_initial_namespace, map_own_id, tool};
pub(crate) use subordinate::{Kind, Range, outer_user, ranges};

/// How this process builds and runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// Root, in no user namespace.
    Root,
    /// Root in a user namespace where the ids below these numbers exist.
    ManyIds {
        /// The first user id that does not exist.
        uids: u32,
        /// The first group id that does not exist.
        gids: u32,
    },
    /// Root in a user namespace where no other id exists. Owners are remembered, not set.
    SingleId,
}

/// Which mode to take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModePreference {
    /// The best one that works.
    #[default]
    Auto,
    /// [`Mode::Root`] or nothing.
    Root,
    /// [`Mode::ManyIds`] or nothing.
    ManyIds,
    /// [`Mode::SingleId`] although more might work.
    SingleId,
}

/// Finds out what this process may do and makes it root over the ids it may use. It may have more files open from then
/// on; containers get the limit that it had before.
///
/// Call it once, right after [`crate::run_init_if_asked`], while no other thread exists.
///
/// # Errors
/// [`Error::Namespaces`] when the host lets us do nothing of this, [`Error::ModeUnavailable`] when the mode that was
/// asked for is not possible.
pub fn enter(preference: ModePreference) -> Result<Mode, Error> {
    open_files::raise();
    let administrator = geteuid().is_root() && may_administer()?;
    let unavailable = |mode: &str, reason: &str| {
        Err(Error::ModeUnavailable { mode: mode.to_owned(), reason: reason.to_owned() })
    };
    if administrator && preference != ModePreference::SingleId {
        let mode = mode_here();
        return match (preference, mode) {
            (ModePreference::Root, Mode::ManyIds { .. } | Mode::SingleId) => {
                unavailable("root", "this process is root in a user namespace only")
            }
            (ModePreference::ManyIds, Mode::Root) => {
                unavailable("many", "this process is root and needs no user namespace")
            }
            (ModePreference::ManyIds, Mode::SingleId) => {
                unavailable("many", "this user namespace has one id only")
            }
            _ => Ok(mode),
        };
    }
    if preference == ModePreference::Root {
        return unavailable("root", "this process is not root, or lacks `CAP_SYS_ADMIN`");
    }
    if !sys::process::is_single_threaded() {
        return Err(Error::system("enter a user namespace with other threads running", Errno::INVAL));
    }

    let plan = if preference == ModePreference::SingleId { map::Plan::single() } else { map::Plan::best() };
    let mode = map::enter(&plan, getegid().as_raw(), geteuid().as_raw())?;
    if preference == ModePreference::ManyIds && mode == Mode::SingleId {
        return unavailable("many", &plan.reason());
    }
    if !may_administer()? {
        return Err(host::refused(Errno::PERM));
    }
    Ok(mode)
}

/// Whether we may mount and make namespaces.
pub(crate) fn may_administer() -> Result<bool, Error> {
    const SYS_ADMIN: u64 = 1 << 21;
    let effective = rustix::thread::capabilities(None)
        .map_err(|errno| Error::system("read the capabilities of this process", errno))?
        .effective;
    Ok(effective.bits() & SYS_ADMIN != 0)
}

/// The mode of the namespace that we are root in.
fn mode_here() -> Mode {
    if is_initial_namespace() {
        return Mode::Root;
    }
    match (map::count("/proc/self/uid_map"), map::count("/proc/self/gid_map")) {
        (0 | 1, _) | (_, 0 | 1) => Mode::SingleId,
        (uids, gids) => Mode::ManyIds { uids, gids },
    }
}
