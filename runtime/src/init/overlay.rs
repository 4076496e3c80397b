//! Merging layers into one file system.
//!
//! The options say what the diff of the upper directory relies on: no renamed directories by reference
//! (`redirect_dir`), no files whose data stays below (`metacopy`), no index of hard links, plain inode numbers.
//! `volatile` leaves out the synchronisation when it goes away: a step's upper directory is either kept by the store,
//! which knows what is on disk, or thrown away. Layers are handed over as descriptors: as text they would be cut off
//! at 255 bytes, and `:` or `,` in a path would end them. Older kernels get them by number, below `/proc/self/fd`.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, open, openat};
use rustix::io::Errno;
use rustix::mount::{
    FsOpenFlags, MountAttrFlags, MountFlags, fsconfig_create, fsconfig_set_fd, fsconfig_set_flag,
    fsconfig_set_string, fsopen, mount,
};

use super::indexed;
use super::mounting::mount_of;
use crate::{Error, Lower, Root};

/// A merged root, not in place yet.
pub(super) struct Merged {
    pub(super) mount: OwnedFd,
    /// The upper directory, to look at what is made in it.
    pub(super) upper: Option<OwnedFd>,
}

/// Merges the layers of `root`. `scratch` is a directory of our own.
///
/// With `devices`, nodes in the layers can be opened; a user namespace knows none anyway.
pub(super) fn merge(
    root: &Root,
    user_namespace: bool,
    devices: bool,
    scratch: BorrowedFd<'_>,
) -> Result<Merged, Error> {
    let mut lower = Vec::with_capacity(root.lower.len() + 1);
    for layer in &root.lower {
        lower.push(match layer {
            Lower::Directory(path) => directory(path)?,
            Lower::Indexed { index, data } => indexed::mount(index, data)?,
        });
    }
    let upper = root.upper.as_deref().map(directory).transpose()?;
    let work = root.work.as_deref().map(directory).transpose()?;
    // Overlay wants at least one layer below an upper directory, and two without one.
    let least = if upper.is_some() { 1 } else { 2 };
    while lower.len() < least {
        lower.push(
            empty_directory(scratch, lower.len())
                .map_err(|errno| Error::system("make a directory", errno))?,
        );
    }

    let layers = Layers { lower: &lower, upper: upper.as_ref().zip(work.as_ref()), user_namespace, devices };
    let mount = layers.mount(scratch).map_err(|failure| Error::Overlay {
        layers: root.lower.len(),
        cause: failure.errno.into(),
        detail: failure.detail,
    })?;
    Ok(Merged { mount, upper })
}

struct Layers<'a> {
    lower: &'a [OwnedFd],
    upper: Option<(&'a OwnedFd, &'a OwnedFd)>,
    user_namespace: bool,
    devices: bool,
}

struct Failure {
    errno: Errno,
    /// What the kernel noted down about it.
    detail: Option<String>,
}

impl From<Errno> for Failure {
    fn from(errno: Errno) -> Self {
        Self { errno, detail: None }
    }
}

/// How layers are named to the kernel.
#[derive(Clone, Copy)]
enum Naming {
    /// Linux 6.13.
    Descriptor,
    /// Linux 6.5.
    Number,
}

impl Layers<'_> {
    fn mount(&self, scratch: BorrowedFd<'_>) -> Result<OwnedFd, Failure> {
        match self.mount_as(Naming::Descriptor) {
            Err(Failure { errno: Errno::INVAL, .. }) => {}
            other => return other,
        }
        match self.mount_as(Naming::Number) {
            Err(failure @ Failure { errno: Errno::INVAL, .. }) => {
                self.mount_by_text(scratch).map_err(|errno| Failure { errno, ..failure })
            }
            other => other,
        }
    }

    fn mount_as(&self, naming: Naming) -> Result<OwnedFd, Failure> {
        let context = fsopen("overlay", FsOpenFlags::FSOPEN_CLOEXEC)?;
        let flags = if self.devices { MountAttrFlags::empty() } else { MountAttrFlags::MOUNT_ATTR_NODEV };
        self.configure(&context, naming)
            .and_then(|()| mount_of(&context, flags))
            .map_err(|errno| Failure { errno, detail: messages(&context) })
    }

    fn configure(&self, context: &OwnedFd, naming: Naming) -> Result<(), Errno> {
        let add = |key: &str, directory: &OwnedFd| match naming {
            Naming::Descriptor => fsconfig_set_fd(context, key, directory),
            Naming::Number => fsconfig_set_string(context, key, by_number(directory)),
        };
        fsconfig_set_string(context, "source", "overlay")?;
        for (key, value) in OPTIONS {
            fsconfig_set_string(context, key, value)?;
        }
        if self.user_namespace {
            fsconfig_set_flag(context, "userxattr")?;
        }
        for directory in self.lower {
            add("lowerdir+", directory)?;
        }
        if let Some((upper, work)) = self.upper {
            add("upperdir", upper)?;
            add("workdir", work)?;
            fsconfig_set_flag(context, "volatile")?;
        }
        fsconfig_create(context)
    }

    /// For kernels before 6.5, which know no `lowerdir+`.
    fn mount_by_text(&self, scratch: BorrowedFd<'_>) -> Result<OwnedFd, Errno> {
        let lower: Vec<_> = self.lower.iter().map(by_number).collect();
        let mut options = format!("lowerdir={}", lower.join(":"));
        for (key, value) in OPTIONS {
            options += &format!(",{key}={value}");
        }
        if let Some((upper, work)) = self.upper {
            options += &format!(",upperdir={},workdir={},volatile", by_number(upper), by_number(work));
        }
        if self.user_namespace {
            options += ",userxattr";
        }
        let options = std::ffi::CString::new(options).map_err(|_| Errno::INVAL)?;
        let place = empty_directory(scratch, usize::MAX)?;
        let flags = if self.devices { MountFlags::empty() } else { MountFlags::NODEV };
        mount("overlay", by_number(&place), "overlay", flags, Some(options.as_c_str()))?;
        let path = format!("directory-{}", usize::MAX);
        openat(scratch, path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
    }
}

const OPTIONS: [(&str, &str); 4] =
    [("redirect_dir", "nofollow"), ("metacopy", "off"), ("index", "off"), ("xino", "off")];

fn by_number(descriptor: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", descriptor.as_fd().as_raw_fd())
}

fn directory(path: &Path) -> Result<OwnedFd, Error> {
    open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| Error::Source { path: path.to_owned(), cause: errno.into() })
}

fn empty_directory(scratch: BorrowedFd<'_>, number: usize) -> Result<OwnedFd, Errno> {
    let name = format!("directory-{number}");
    match rustix::fs::mkdirat(scratch, &name, Mode::from_raw_mode(0o755)) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(errno),
    }
    openat(scratch, name, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

/// What the kernel says about a mount that it refused: lines such as `e overlay: …`.
fn messages(context: &OwnedFd) -> Option<String> {
    let mut text = Vec::new();
    let mut line = [0; 512];
    while let Ok(length @ 1..) = rustix::io::read(context, &mut line) {
        let message = String::from_utf8_lossy(&line[..length]);
        let message = message.trim_end();
        text.push(message.get(2..).unwrap_or(message).to_owned());
        if text.len() == 8 {
            break;
        }
    }
    if text.is_empty() { None } else { Some(text.join("; ")) }
}
