//! The container's `/dev`, and a private file system of ours that only lends single files to it.
//!
//! Everything that the container can write to is mounted without devices (`nodev`): a node it makes there is a file
//! in its layer and opens nothing. That is what keeps a container whose root is the host's root from the host's disks
//! where other engines need a control group for devices. The six nodes it may open live in the private file system
//! and are mounted one by one over empty files.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{
    CWD, FileType, Mode, OFlags, fstat, major, makedev, minor, mkdirat, mknodat, openat, symlinkat,
};
use rustix::io::Errno;
use rustix::mount::{MountAttrFlags, MountPropagationFlags, mount_change};

use super::mounting::{STRICT, Setting, attach, clone_of, new_file_system};
use crate::{Container, Error, Warning};

/// Name, major and minor number of the character devices that every container has.
const NODES: [(&str, u32, u32); 6] =
    [("null", 1, 3), ("zero", 1, 5), ("full", 1, 7), ("random", 1, 8), ("urandom", 1, 9), ("tty", 5, 0)];

const LINKS: [(&str, &str); 6] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
    ("ptmx", "pts/ptmx"),
    ("core", "/proc/kcore"),
];

/// Our own corner, which the container never sees as a whole.
pub(super) struct Private {
    root: OwnedFd,
    user_namespace: bool,
}

impl Private {
    /// Cuts this mount namespace off from the host's and puts our corner on top of its root.
    pub(super) fn new(user_namespace: bool, size: u64) -> Result<Self, Errno> {
        // "Downstream": unmounts on the host still reach us and keep nothing busy; nothing of ours reaches the host.
        mount_change("/", MountPropagationFlags::DOWNSTREAM | MountPropagationFlags::REC)?;
        let size = size.to_string();
        let settings = [Setting::Text("mode", "0700"), Setting::Text("size", &size)];
        let root = new_file_system("tmpfs", &settings, MountAttrFlags::empty())?;
        let host = openat(CWD, "/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        attach(&root, host.as_fd())?;
        Ok(Self { root, user_namespace })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// An empty directory that others do not use.
    pub(super) fn directory(&self, name: &str) -> Result<OwnedFd, Errno> {
        mkdirat(&self.root, name, Mode::from_raw_mode(0o755))?;
        openat(&self.root, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
    }

    /// A device node that can be opened where it is mounted.
    pub(super) fn node(&self, name: &str) -> Result<OwnedFd, Errno> {
        let &(_, wanted_major, wanted_minor) =
            NODES.iter().find(|(node, ..)| *node == name).ok_or(Errno::NOENT)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        if !self.user_namespace {
            let device = makedev(wanted_major, wanted_minor);
            match mknodat(&self.root, name, FileType::CharacterDevice, Mode::from_raw_mode(0o666), device) {
                Ok(()) | Err(Errno::EXIST) => return openat(&self.root, name, flags, Mode::empty()),
                Err(Errno::PERM) => {}
                Err(errno) => return Err(errno),
            }
        }
        // A user namespace makes no devices; the host's own are lent, once it is certain that they are what they say.
        let node = openat(CWD, format!("/dev/{name}"), flags, Mode::empty())?;
        let stat = fstat(&node)?;
        let is_device = FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice;
        if !is_device || (major(stat.st_rdev), minor(stat.st_rdev)) != (wanted_major, wanted_minor) {
            return Err(Errno::NODEV);
        }
        Ok(node)
    }
}

/// Fills `/dev`. What comes back is the root of the terminals' file system.
pub(super) fn make_dev(
    target: BorrowedFd<'_>,
    private: &Private,
    container: &Container,
    warnings: &mut Vec<Warning>,
) -> Result<Dev, Error> {
    let failed = |what: &str| {
        let action = format!("make `{what}` for the container");
        move |errno: Errno| Error::system(action, errno)
    };
    let open = container.security.open && !private.user_namespace;
    let mut flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_STRICTATIME;
    if !open {
        flags |= MountAttrFlags::MOUNT_ATTR_NODEV;
    }
    let settings = [Setting::Text("mode", "0755"), Setting::Text("size", "65536k")];
    let dev = new_file_system("tmpfs", &settings, flags).map_err(failed("/dev"))?;
    attach(&dev, target).map_err(failed("/dev"))?;

    for (name, ..) in NODES {
        let path = format!("/dev/{name}");
        let node = match private.node(name) {
            Ok(node) => node,
            Err(errno) => {
                warnings.push(Warning::Missing { path, reason: crate::Cause::from(errno).to_string() });
                continue;
            }
        };
        let place = empty_file(dev.as_fd(), name).map_err(failed(&path))?;
        clone_of(&node, false).and_then(|node| attach(node, place.as_fd())).map_err(failed(&path))?;
    }
    if open {
        more_nodes(dev.as_fd());
    }
    for (name, to) in LINKS {
        symlinkat(to, &dev, name).map_err(failed(&format!("/dev/{name}")))?;
    }

    let terminals = terminals().map_err(failed("/dev/pts"))?;
    attach(&terminals, directory(dev.as_fd(), "pts").map_err(failed("/dev/pts"))?.as_fd())
        .map_err(failed("/dev/pts"))?;

    let size = container.shm_size.to_string();
    let settings = [Setting::Text("mode", "1777"), Setting::Text("size", &size)];
    let shm = new_file_system("tmpfs", &settings, STRICT).map_err(failed("/dev/shm"))?;
    attach(&shm, directory(dev.as_fd(), "shm").map_err(failed("/dev/shm"))?.as_fd())
        .map_err(failed("/dev/shm"))?;

    let queues = new_file_system("mqueue", &[], STRICT);
    match queues.and_then(|queues| attach(&queues, directory(dev.as_fd(), "mqueue")?.as_fd())) {
        Ok(()) => {}
        Err(errno) => warnings.push(Warning::Missing {
            path: "/dev/mqueue".to_owned(),
            reason: crate::Cause::from(errno).to_string(),
        }),
    }
    Ok(Dev { root: dev, terminals })
}

/// What steps that may do everything use most: file systems in user space and images of disks. A kernel without such a
/// device only fails when it is opened.
fn more_nodes(dev: BorrowedFd<'_>) {
    let loops = (0..8).map(|number| (format!("loop{number}"), FileType::BlockDevice, 7, number));
    let others = [("fuse", 10, 229), ("loop-control", 10, 237)]
        .map(|(name, major, minor)| (name.to_owned(), FileType::CharacterDevice, major, minor));
    for (name, kind, major, minor) in others.into_iter().chain(loops) {
        // Without the right to make nodes there is none, as in every other container.
        let _ = mknodat(dev, name, kind, Mode::from_raw_mode(0o660), makedev(major, minor));
    }
}

/// The container's `/dev`.
pub(super) struct Dev {
    root: OwnedFd,
    terminals: OwnedFd,
}

impl Dev {
    /// A new terminal: our end and the container's. The latter is also its `/dev/console`.
    ///
    /// The container's end is asked of the kernel by our end, and mounted by descriptor: no name in `/dev/pts`,
    /// which an image could have prepared, plays a part (CVE-2025-52565).
    pub(super) fn new_terminal(&self) -> Result<(OwnedFd, OwnedFd), Errno> {
        use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let ours = openat(&self.terminals, "ptmx", flags, Mode::empty())?;
        unlockpt(&ours)?;
        let theirs =
            ioctl_tiocgptpeer(&ours, OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        let place = empty_file(self.root.as_fd(), "console")?;
        attach(clone_of(&theirs, false)?, place.as_fd())?;
        Ok((ours, theirs))
    }
}

fn terminals() -> Result<OwnedFd, Errno> {
    let flags = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_NOEXEC;
    let settings = [
        Setting::Flag("newinstance"),
        Setting::Text("ptmxmode", "0666"),
        Setting::Text("mode", "0620"),
        Setting::Text("gid", "5"),
    ];
    match new_file_system("devpts", &settings, flags) {
        // Group 5 (`tty`) does not exist where only one id does.
        Err(Errno::INVAL) => new_file_system("devpts", &settings[..3], flags),
        other => other,
    }
}

fn directory(parent: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
    openat(parent, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

fn empty_file(parent: BorrowedFd<'_>, name: &str) -> Result<OwnedFd, Errno> {
    let make = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, make, Mode::from_raw_mode(0o644))?;
    openat(parent, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}
