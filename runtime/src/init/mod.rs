//! The first process of a container.
//!
//! It is our own program, started from its sealed copy with one thread in new namespaces. The order matters:
//!
//! | step | why here |
//! | --- | --- |
//! | hear the order, cut the mounts off from the host's | nothing of ours may reach the host |
//! | merge the layers, mount `/proc`, `/dev`, `/sys`, then what was asked for | while the host's paths still exist |
//! | hide parts of `/proc` and `/sys` | after all mounts, so that none can be slipped beneath |
//! | change the root, let go of the old one | from here on no path leads to the host |
//! | look up the user, enter the working directory | in the container's files, as root |
//! | become unreadable, start the command (`launch`) | so that nobody in the container can look into us |
//! | reap orphans, forward signals (`reaper`) | until the command ends |

mod devices;
mod identity;
mod indexed;
mod launch;
mod mounting;
mod mounts;
mod overlay;
mod own;
mod reaper;
mod system;
mod walk;

use std::ffi::CStr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, open};
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};
use rustix::process::{fchdir, pivot_root, umask};

use crate::control::{Containment, Control, Order, Report};
use crate::probe::trial;
use crate::sys::mount::{Attributes, set_attributes};
use crate::sys::process::exit;
use crate::{Error, Network, Root, sys};
use devices::{Dev, Private};
#[cfg(test)]
pub(crate) use indexed::mount_devices;
pub(crate) use indexed::{Way, mount_opened as mount_indexed};
use launch::Launch;
use mounts::{File, Furnishing};
use walk::{LastLink, Missing, walk};

/// The name we are started under.
pub(crate) const NAME: &CStr = c"tug-init";
/// The number of the control socket.
const CONTROL: i32 = 3;

/// Does everything and never returns.
pub(crate) fn run() -> ! {
    let Some(socket) = sys::take_descriptor(CONTROL) else { exit(125) };
    let control = Control::over(socket);
    let order = match control.receive() {
        Ok(Some((Order::Contain(order), _))) => order,
        Ok(Some((Order::Try(order), _))) => {
            trial::carry_out(&order, &control);
            exit(0)
        }
        Ok(None) | Err(_) => exit(125),
    };
    let error = match furnish(&order, &control) {
        Ok(launch) => launch.go(&order, &control),
        Err(error) => error,
    };
    let code = error.exit_code();
    let _ = control.send(&Report::Failed(error));
    exit(i32::from(code))
}

/// Makes the container around this process.
fn furnish(order: &Containment, control: &Control) -> Result<Launch, Error> {
    let container = &order.container;
    let _ = rustix::thread::set_name(NAME);
    let _ = rustix::process::setsid();
    sys::process::leave_keyring();
    umask(Mode::empty());
    // Only now, so that its own root is the control group that our parent has put us into.
    // A kernel without such namespaces just shows more.
    let _ = sys::process::unshare(libc::CLONE_NEWCGROUP);
    if container.network == Network::None {
        sys::process::loopback_up().map_err(|errno| Error::system("switch on the loopback device", errno))?;
    }
    rustix::system::sethostname(container.hostname.as_bytes())
        .map_err(|errno| Error::system("set the hostname", errno))?;

    let Furnished { root, dev, private } = furnish_root(order, control)?;
    change_root(&root, &private)?;
    let mut identity = identity::resolve(root.as_fd(), &container.process.user)?;
    identity.groups.extend(&container.groups);
    for path in &container.directories {
        make_directory(&root, path)?;
    }
    for target in &container.owned {
        own::give(root.as_fd(), target, identity.uid, identity.gid)
            .map_err(|errno| Error::Owner { path: target.clone(), cause: errno.into() })?;
    }
    let directory = working_directory(&root, order)?;
    if container.root.read_only {
        set_attributes(&root, Attributes { read_only: true, ..Attributes::default() })
            .map_err(|errno| Error::system("make the root read-only", errno))?;
    }
    let terminal = if container.process.terminal {
        let (ours, theirs) = dev.new_terminal().map_err(|errno| Error::system("make a terminal", errno))?;
        say(control.send_with(&Report::Terminal, Some(ours.as_fd())))?;
        Some(theirs)
    } else {
        None
    };
    Ok(Launch { identity, directory, terminal })
}

/// Everything that is mounted, still beside the host's root.
fn furnish_root(order: &Containment, control: &Control) -> Result<Furnished, Error> {
    let container = &order.container;
    let contents: u64 = container.mounts.iter().map(contents_of).sum();
    let private = Private::new(order.user_namespace, contents + (16 << 20))
        .map_err(|errno| Error::system("cut the container's mounts off from the host's", errno))?;
    let open = container.security.open;
    let merged = overlay::merge(
        &container.root,
        order.user_namespace,
        open && !order.user_namespace,
        private.descriptor(),
    )?;
    let place = private.directory("root").map_err(|errno| Error::system("make a directory", errno))?;
    mounting::attach(&merged.mount, place.as_fd())
        .map_err(|errno| Error::system("put the root in place", errno))?;

    let mut warnings = Vec::new();
    let mut furnishing = Furnishing {
        root: merged.mount,
        upper: merged.upper,
        private: &private,
        user_namespace: order.user_namespace,
        control,
        count: 0,
    };
    let proc = system::make_proc(furnishing.system_directory("/proc")?.as_fd(), &mut warnings)?;
    let dev_directory = furnishing.system_directory("/dev")?;
    let dev = devices::make_dev(dev_directory.as_fd(), &private, container, &mut warnings)?;
    let sys =
        system::make_sys(furnishing.system_directory("/sys")?.as_fd(), order.cgroup2, open, &mut warnings)?;
    for warning in warnings {
        say(control.send(&Report::Warning(warning)))?;
    }

    for (path, contents) in system_files(order) {
        if container.mounts.iter().any(|mount| mount.target() == path) {
            continue;
        }
        let file = File { contents: contents.as_bytes(), mode: 0o644, owner: (0, 0), read_only: false };
        furnishing.file(path, &file).map_err(|cause| Error::Mount { target: path.to_owned(), cause })?;
    }
    for mount in &container.mounts {
        furnishing.mount(mount)?;
    }
    if container.network == Network::None {
        system::open_network(&proc, order.ids.1);
    }
    if !open {
        system::protect(&proc, &sys, &private)?;
    }
    Ok(Furnished { root: furnishing.root, dev, private })
}

/// A root with everything in it.
struct Furnished {
    root: OwnedFd,
    dev: Dev,
    private: Private,
}

fn contents_of(mount: &crate::Mount) -> u64 {
    match mount {
        crate::Mount::File { contents, .. } => contents.len() as u64,
        _ => 0,
    }
}

/// The files that are put over those of the image.
fn system_files(order: &Containment) -> Vec<(&'static Path, String)> {
    let container = &order.container;
    let mut files = Vec::new();
    if let Some(text) = &order.resolv_conf {
        files.push((Path::new("/etc/resolv.conf"), text.clone()));
    }
    if !container.files.keep_hosts {
        files.push((Path::new("/etc/hosts"), hosts(order)));
    }
    if container.files.hostname {
        files.push((Path::new("/etc/hostname"), format!("{}\n", container.hostname)));
    }
    files
}

/// `/etc/hosts` as Docker writes it, with our own name on the loopback address.
fn hosts(order: &Containment) -> String {
    let mut text = String::from(
        "127.0.0.1\tlocalhost\n\
         ::1\tlocalhost ip6-localhost ip6-loopback\n\
         fe00::\tip6-localnet\n\
         ff00::\tip6-mcastprefix\n\
         ff02::1\tip6-allnodes\n\
         ff02::2\tip6-allrouters\n",
    );
    if order.container.hostname != "localhost" && !order.container.hostname.is_empty() {
        text += &format!("127.0.1.1\t{}\n", order.container.hostname);
    }
    for (name, address) in &order.container.hosts {
        text += &format!("{address}\t{name}\n");
    }
    text
}

/// Whether a fresh `/proc` can be had.
pub(crate) fn try_proc() -> Result<(), rustix::io::Errno> {
    mounting::new_file_system("proc", &[], mounting::STRICT).map(drop)
}

/// Merges the layers of a root, in place of nothing.
pub(crate) fn try_merge(root: &Root, user_namespace: bool) -> Result<OwnedFd, Error> {
    let private = Private::new(user_namespace, 1 << 20)
        .map_err(|errno| Error::system("cut our mounts off from the host's", errno))?;
    Ok(overlay::merge(root, user_namespace, false, private.descriptor())?.mount)
}

/// Makes `root` the root of this process and lets go of all else, so that no path leads there any more.
fn change_root(root: &OwnedFd, private: &Private) -> Result<(), Error> {
    let failed = |errno| Error::system("change to the container's root", errno);
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let old = open("/", flags, Mode::empty()).map_err(failed)?;
    fchdir(root).map_err(failed)?;
    pivot_root(".", ".").map_err(failed)?;
    // Our private corner lies on top of the old root, which lies on top of the new one.
    for gone in [private.descriptor(), old.as_fd()] {
        fchdir(gone).map_err(failed)?;
        mount_change(".", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).map_err(failed)?;
        unmount(".", UnmountFlags::DETACH).map_err(failed)?;
    }
    fchdir(root).map_err(failed)
}

/// The working directory, made if that was asked for.
///
/// It is reached by descriptor, and links in `/proc` are not followed: a directory of the host that some process
/// holds open cannot become ours (CVE-2024-21626).
fn working_directory(root: &OwnedFd, order: &Containment) -> Result<OwnedFd, Error> {
    let process = &order.container.process;
    let path = if process.working_directory.as_os_str().is_empty() {
        PathBuf::from("/")
    } else {
        process.working_directory.clone()
    };
    let missing = if process.create_working_directory { Missing::MakeDirectory } else { Missing::Refuse };
    let refused =
        |errno: rustix::io::Errno| Error::WorkingDirectory { path: path.clone(), cause: errno.into() };
    let place = walk(root.as_fd(), &path, LastLink::Follow, missing, &mut ()).map_err(refused)?;
    if place.kind().map_err(refused)? != FileType::Directory {
        return Err(refused(rustix::io::Errno::NOTDIR));
    }
    place.descriptor().try_clone_to_owned().map_err(|error| Error::system("open a directory", error))
}

/// Makes a directory that is not there. Something else in its place stays.
fn make_directory(root: &OwnedFd, path: &Path) -> Result<(), Error> {
    match walk(root.as_fd(), path, LastLink::Follow, Missing::MakeDirectory, &mut ()) {
        Ok(_) => Ok(()),
        Err(errno) => Err(Error::Mount { target: path.to_owned(), cause: mounts::target_failed(errno) }),
    }
}

/// Our parent is gone if it does not hear us, and so is the reason to go on.
fn say(sent: Result<(), rustix::io::Errno>) -> Result<(), Error> {
    sent.map_err(|errno| Error::system("report to the process that started the container", errno))
}
