//! Making mounts and putting them in place, all by descriptor: no path of an image is ever given to the kernel as
//! a string.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags, fsconfig_create,
    fsconfig_set_flag, fsconfig_set_string, fsmount, fsopen, move_mount, open_tree,
};

/// The flags of almost everything: no devices, no set-uid, nothing to execute.
pub(super) const STRICT: MountAttrFlags = MountAttrFlags::MOUNT_ATTR_NODEV
    .union(MountAttrFlags::MOUNT_ATTR_NOSUID)
    .union(MountAttrFlags::MOUNT_ATTR_NOEXEC);

/// An option of a new file system.
#[derive(Clone, Copy)]
pub(super) enum Setting<'a> {
    Flag(&'a str),
    Text(&'a str, &'a str),
}

/// A new file system, not in place yet.
pub(super) fn new_file_system(
    kind: &str,
    settings: &[Setting<'_>],
    flags: MountAttrFlags,
) -> Result<OwnedFd, Errno> {
    let context = fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
    // The name that `mount` and `df` show.
    fsconfig_set_string(&context, "source", kind)?;
    for setting in settings {
        match setting {
            Setting::Flag(name) => fsconfig_set_flag(&context, *name)?,
            Setting::Text(name, value) => fsconfig_set_string(&context, *name, *value)?,
        }
    }
    fsconfig_create(&context)?;
    mount_of(&context, flags)
}

/// The mount of a file system whose context is complete.
pub(super) fn mount_of(context: &OwnedFd, flags: MountAttrFlags) -> Result<OwnedFd, Errno> {
    fsmount(context, FsMountFlags::FSMOUNT_CLOEXEC, flags)
}

/// A second view of what `source` is, not in place yet.
pub(super) fn clone_of(source: impl AsFd, recursive: bool) -> Result<OwnedFd, Errno> {
    let mut flags =
        OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
    if recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    open_tree(source, "", flags)
}

/// Puts a mount where `target` is.
pub(super) fn attach(mount: impl AsFd, target: BorrowedFd<'_>) -> Result<(), Errno> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    move_mount(mount, "", target, "", flags)
}
