//! `mount_setattr(2)`: flags and propagation of a mount that is held by descriptor.

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

use super::check;

/// What is changed about a mount. Flags are only ever added: taking one away fails in a user namespace.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attributes {
    pub(crate) read_only: bool,
    pub(crate) no_devices: bool,
    pub(crate) no_set_uid: bool,
    pub(crate) no_execute: bool,
    /// Cut the mount off from all others: nothing propagates in or out.
    pub(crate) private: bool,
    /// The mounts below it as well.
    pub(crate) recursive: bool,
}

/// Changes the mount whose root `mount` is.
pub(crate) fn set_attributes(mount: impl AsFd, attributes: Attributes) -> Result<(), Errno> {
    let mut set = 0;
    for (wanted, flag) in [
        (attributes.read_only, libc::MOUNT_ATTR_RDONLY),
        (attributes.no_devices, libc::MOUNT_ATTR_NODEV),
        (attributes.no_set_uid, libc::MOUNT_ATTR_NOSUID),
        (attributes.no_execute, libc::MOUNT_ATTR_NOEXEC),
    ] {
        if wanted {
            set |= flag;
        }
    }
    let attr = libc::mount_attr {
        attr_set: set,
        attr_clr: 0,
        propagation: if attributes.private { libc::MS_PRIVATE } else { 0 },
        userns_fd: 0,
    };
    let flags = libc::AT_EMPTY_PATH | if attributes.recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: the path is a constant string, and `attr` lives through the call with the size that is passed.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_fd().as_raw_fd(),
            c"".as_ptr(),
            flags,
            &raw const attr,
            size_of::<libc::mount_attr>(),
        )
    })?;
    Ok(())
}
