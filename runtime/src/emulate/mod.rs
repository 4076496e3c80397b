//! Owners and users where only one id exists.
//!
//! An ordinary user without a range of ids can be root in a user namespace, but no other id exists there: `chown` to
//! anyone fails, and so does becoming anyone. Images are full of both. So these calls are not made; the kernel hands
//! them to a thread of ours (seccomp user notification), which answers them and remembers:
//!
//! | call | what happens |
//! | --- | --- |
//! | `chown` and its kin | what else a `chown` does is done (copy-up, losing set-uid); the owner is recorded (`owners`) |
//! | `setuid` and its kin, `setgroups`, `prctl(PR_SET_KEEPCAPS)` | the process is somebody else from now on, by the kernel's rules (`identity`) |
//! | `getuid` and its kin | the answer is who the process is |
//! | `mknod` of a device | an empty file is made that says which device it stands for |
//! | making a file, directory, link or fifo | as somebody else, or in a set-group-id directory, the new owner is recorded |
//! | `stat` and its kin | the recorded owner is shown (`status`) |
//! | `execve` of a set-uid program | the process is its recorded owner from then on |
//!
//! An owner is recorded where the store looks for it: in `user.tug.owner` of files and directories, and for what has
//! no such attributes, links and fifos, in a table that goes with the result. A process that is called somebody else
//! still has root's powers over the container's files: this is about the layer that comes out, and about programs
//! that insist on being somebody. It is not a boundary; the boundary is the user namespace.
//!
//! Calls that nobody has to remember are let through at once. A call that we answer costs some 10 µs.

mod answer;
mod calls;
mod create;
mod identity;
mod owners;
mod processes;
mod status;
mod view;

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::thread::JoinHandle;

use rustix::process::Pid;

pub(crate) use calls::filter;
pub(crate) use identity::Identity;

use crate::sys::notify::Listener;
use crate::{Error, OwnerTable};

/// The thread that answers for one container.
#[derive(Debug)]
pub(crate) struct Supervisor(JoinHandle<OwnerTable>);

/// What it needs to know.
pub(crate) struct Scene {
    /// Where the calls are read from.
    pub(crate) listener: OwnedFd,
    /// The container's first process.
    pub(crate) init: Pid,
    /// Who its command is.
    pub(crate) identity: Identity,
    /// Its upper directory.
    pub(crate) upper: Option<PathBuf>,
}

impl Supervisor {
    /// Starts it. It ends with the container.
    pub(crate) fn start(scene: Scene) -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::system("start a thread", error);
        let thread = std::thread::Builder::new().name("tug-owners".to_owned());
        let answering = move || {
            let listener = Listener::new(scene.listener);
            match answer::Desk::new(&listener, scene.init, scene.identity, scene.upper.as_deref()) {
                Ok(mut desk) => {
                    desk.serve();
                    desk.into_owners()
                }
                // Without a listener the calls fail with `ENOSYS`.
                Err(_) => OwnerTable::default(),
            }
        };
        Ok(Self(thread.spawn(answering).map_err(failed)?))
    }

    /// Waits for its end and takes what it has recorded.
    pub(crate) fn finish(self) -> OwnerTable {
        self.0.join().unwrap_or_default()
    }
}

/// The filter that hands these calls over, as bytes; made once.
pub(crate) fn filter_bytes() -> &'static [u8] {
    static FILTER: OnceLock<Vec<u8>> = OnceLock::new();
    FILTER.get_or_init(|| crate::seccomp::to_bytes(&filter()))
}
