//! What all containers of one process share.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::OnceLock;

use crate::{Container, Error, Mode, Seccomp, capabilities, sealed, seccomp};

/// What all containers of one process share: the mode, and the sealed copy of our own program.
#[derive(Debug)]
pub struct Runtime {
    mode: Result<Mode, Error>,
    program: OnceLock<OwnedFd>,
    filter: OnceLock<Vec<u8>>,
    has_cgroup2: OnceLock<bool>,
}

impl Runtime {
    /// A runtime for the mode that [`enter`](crate::enter()) found. The first container pays for copying our own program
    /// (a few milliseconds); call [`Runtime::prepare`] from another thread to have it ready.
    #[must_use]
    pub fn new(mode: Mode) -> Self {
        Self {
            mode: Ok(mode),
            program: OnceLock::new(),
            filter: OnceLock::new(),
            has_cgroup2: OnceLock::new(),
        }
    }

    /// A runtime on a host where [`enter`](crate::enter()) failed: every container fails for the same reason. Work that needs
    /// no container can be done all the same.
    #[must_use]
    pub fn unable(reason: Error) -> Self {
        Self { mode: Err(reason), ..Self::new(Mode::SingleId) }
    }

    /// Makes ready what the first container would otherwise wait for.
    ///
    /// # Errors
    /// [`Error::System`] when our own program cannot be read; why there can be no containers.
    pub fn prepare(&self) -> Result<(), Error> {
        self.mode()?;
        self.program()?;
        self.default_filter();
        Ok(())
    }

    /// The mode containers run in.
    ///
    /// # Errors
    /// Why there can be none.
    pub fn mode(&self) -> Result<Mode, Error> {
        self.mode.clone()
    }

    pub(crate) fn program(&self) -> Result<BorrowedFd<'_>, Error> {
        if let Some(program) = self.program.get() {
            return Ok(program.as_fd());
        }
        // Two threads may both make one; the second is dropped.
        let program = sealed::own_program()?;
        Ok(self.program.get_or_init(|| program).as_fd())
    }

    /// How many user and group ids exist.
    pub(crate) fn ids(mode: Mode) -> (u32, u32) {
        match mode {
            Mode::Root => (u32::MAX, u32::MAX),
            Mode::ManyIds { uids, gids } => (uids, gids),
            Mode::SingleId => (1, 1),
        }
    }

    /// Whether the host's control groups are all of version 2.
    pub(crate) fn has_cgroup2(&self) -> bool {
        *self.has_cgroup2.get_or_init(|| Path::new("/sys/fs/cgroup/cgroup.controllers").exists())
    }

    pub(crate) fn filter(&self, container: &Container) -> Vec<u8> {
        match container.security.seccomp {
            Seccomp::Unconfined => Vec::new(),
            Seccomp::Default if container.security.capabilities == capabilities::DOCKER => {
                self.default_filter().to_vec()
            }
            Seccomp::Default => seccomp::to_bytes(&seccomp::program(container.security.capabilities)),
        }
    }

    fn default_filter(&self) -> &[u8] {
        self.filter.get_or_init(|| seccomp::to_bytes(&seccomp::program(capabilities::DOCKER)))
    }
}
