//! The embedded container runtime.
//!
//! A [`Container`] says what to run and on what root; [`Container::start`] makes the namespaces, the mounts and
//! the process; [`Running::wait`] gives back how it ended. There is no daemon, no bundle on disk and no second
//! program: the process re-executes a sealed copy of itself as the container's first process, so `main` must call
//! [`run_init_if_asked`] before it does anything else, and then [`enter()`] once to find out what it may do.
//!
//! | step | where | module |
//! | --- | --- | --- |
//! | which ids exist, and becoming root over them | our process, once | `enter` |
//! | new namespaces, a sealed copy of ourselves in them | our process | `start`, `sealed` |
//! | root, mounts, devices, masks, ids, filter, exec | first process of the container | `init` |
//! | exit code, stubs swept away, owners recorded | our process | `running` |
//!
//! Facts about the kernel come from its documentation and from experiments; which container engines agree is said
//! where it matters.

pub mod capabilities;
mod cgroup;
mod container;
mod control;
mod emulate;
mod emulators;
mod enter;
mod error;
mod init;
mod probe;
mod running;
mod runtime;
mod sealed;
mod seccomp;
mod start;
mod stubs;
mod sys;
mod wire;

pub use container::{
    BindSource, Container, ForeignRoot, Lower, Mount, Network, Process, ResolvConf, Resource, Resources,
    Root, Seccomp, Security, Stdio, Stream, SystemFiles, Ulimit,
};
pub use emulators::{Emulator, emulators, runs_natively};
pub use enter::{Mode, ModePreference, enter};
pub use error::{Cause, Error, MountCause, UserKind, Warning};
pub use probe::{Check, Outcome, mounts_indexed_layers, probe};
pub use running::{Exited, Killer, OwnerRecord, OwnerTable, Remote, Running, Status};
pub use runtime::Runtime;

/// Runs the first process of a container when that is what this process was started for, and then never returns.
///
/// Call it first in `main`, before any thread exists.
pub fn run_init_if_asked() {
    let name = std::env::args_os().next();
    if name.is_some_and(|name| name.as_encoded_bytes() == init::NAME.to_bytes()) {
        init::run();
    }
}
