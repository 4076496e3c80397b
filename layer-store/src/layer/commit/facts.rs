//! Reads what an upper directory says about one name, and cleans it of what no tree has.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, StatxFlags, fgetxattr, flistxattr, fremovexattr, lgetxattr, llistxattr,
    lremovexattr, openat, readlinkat, statx,
};
use rustix::io::Errno;

use crate::entry::{Mtime, NewEntryKind, Xattrs};
use crate::store::{Owners, StoreOptions};
use crate::tree::{Attributes, DEVICE, OWNER};
use crate::xattr;

/// What is at a name.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) kind: Kind,
    /// As on disk: times are not cut yet.
    pub(crate) attributes: Attributes,
    pub(crate) inode: u64,
    pub(crate) link_count: u32,
    /// When the inode was made, in nanoseconds since 1970.
    pub(crate) born: i128,
    /// The open file or directory.
    pub(crate) file: Option<File>,
    pub(crate) is_opaque: bool,
    /// The device that an empty file stands for.
    pub(crate) stands_for: Option<NewEntryKind>,
    /// The overlay kept its content or its name elsewhere.
    pub(crate) is_redirected: bool,
    /// Attributes that no tree has.
    superfluous: Vec<Vec<u8>>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Directory,
    Whiteout,
    Socket,
    /// Anything that a layer has an entry for.
    Thing(NewEntryKind),
}

impl Facts {
    /// Looks at `name` in the directory `parent`; no link is followed.
    pub(crate) fn read(parent: BorrowedFd<'_>, name: &[u8], options: &StoreOptions) -> io::Result<Self> {
        let wanted = StatxFlags::BASIC_STATS | StatxFlags::BTIME;
        let status = statx(parent, name, AtFlags::SYMLINK_NOFOLLOW, wanted)?;
        let (major, minor) = (status.stx_rdev_major, status.stx_rdev_minor);
        let file_type = FileType::from_raw_mode(status.stx_mode.into());
        let kind = match file_type {
            FileType::Directory => Kind::Directory,
            FileType::RegularFile => Kind::Thing(NewEntryKind::File { size: status.stx_size }),
            FileType::Symlink => {
                let target = readlinkat(parent, name, Vec::new())?.into_bytes();
                Kind::Thing(NewEntryKind::Symlink { target })
            }
            FileType::Fifo => Kind::Thing(NewEntryKind::Fifo),
            FileType::CharacterDevice if (major, minor) == (0, 0) => Kind::Whiteout,
            FileType::CharacterDevice => Kind::Thing(NewEntryKind::CharDevice { major, minor }),
            FileType::BlockDevice => Kind::Thing(NewEntryKind::BlockDevice { major, minor }),
            FileType::Socket | FileType::Unknown => Kind::Socket,
        };
        let born = (status.stx_mask & StatxFlags::BTIME.bits() != 0).then_some(status.stx_btime);
        let mut facts = Self {
            kind,
            attributes: Attributes {
                mode: u32::from(status.stx_mode) & 0o7777,
                uid: status.stx_uid,
                gid: status.stx_gid,
                mtime: Mtime { seconds: status.stx_mtime.tv_sec, nanos: status.stx_mtime.tv_nsec },
                xattrs: Xattrs::new(),
            },
            inode: status.stx_ino,
            link_count: status.stx_nlink,
            born: born.map_or(0, |time| i128::from(time.tv_sec) * 1_000_000_000 + i128::from(time.tv_nsec)),
            file: None,
            is_opaque: false,
            stands_for: None,
            is_redirected: false,
            superfluous: Vec::new(),
        };
        if matches!(file_type, FileType::Directory | FileType::RegularFile) {
            facts.open(parent, name, options)?;
        } else if facts.kind != Kind::Whiteout {
            facts.superfluous = superfluous_of_special(parent, name, options)?;
        }
        Ok(facts)
    }

    /// Removes from the tree what no tree has, and sets the time.
    pub(crate) fn settle(&self, parent: BorrowedFd<'_>, name: &[u8], mtime: Mtime) -> io::Result<()> {
        for attribute in &self.superfluous {
            let removed = match &self.file {
                Some(file) => fremovexattr(file, attribute.as_slice()),
                None => lremovexattr(by_descriptor(parent, name), attribute.as_slice()),
            };
            match removed {
                Ok(()) | Err(Errno::NODATA | Errno::PERM) => {}
                Err(error) => return Err(error.into()),
            }
        }
        if mtime == self.attributes.mtime && self.kind != Kind::Directory {
            return Ok(());
        }
        let times = crate::tree::times(mtime);
        match &self.file {
            Some(file) => rustix::fs::futimens(file, &times)?,
            None => rustix::fs::utimensat(parent, name, &times, AtFlags::SYMLINK_NOFOLLOW)?,
        }
        Ok(())
    }

    /// It only looks like a file that stands for a device.
    pub(crate) fn is_no_device(&mut self) {
        self.superfluous.push(DEVICE.into());
    }

    /// Opens a file or directory and reads its attributes.
    fn open(&mut self, parent: BorrowedFd<'_>, name: &[u8], options: &StoreOptions) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(openat(parent, name, flags, Mode::empty())?);
        let prefix = overlay_prefix(options);
        for attribute in attribute_names(|buffer| flistxattr(&file, buffer))? {
            if xattr::is_kept(&attribute) {
                let value = attribute_value(|buffer| fgetxattr(&file, attribute.as_slice(), buffer))?;
                self.attributes.xattrs.insert(attribute, value);
                continue;
            }
            if let Some(overlay) = attribute.strip_prefix(prefix) {
                self.is_redirected |= matches!(overlay, b"redirect" | b"metacopy");
                self.is_opaque |= overlay == b"opaque"
                    && attribute_value(|buffer| fgetxattr(&file, attribute.as_slice(), buffer))? == b"y";
            } else if attribute == OWNER.as_bytes() && options.owners == Owners::Recorded {
                let text = attribute_value(|buffer| fgetxattr(&file, attribute.as_slice(), buffer))?;
                if let Some((uid, gid)) = pair(&text) {
                    (self.attributes.uid, self.attributes.gid) = (uid, gid);
                }
                continue;
            } else if attribute == DEVICE.as_bytes()
                && self.kind == Kind::Thing(NewEntryKind::File { size: 0 })
            {
                let text = attribute_value(|buffer| fgetxattr(&file, attribute.as_slice(), buffer))?;
                self.stands_for = device(&text);
                continue;
            }
            if is_superfluous(&attribute) {
                self.superfluous.push(attribute);
            }
        }
        if let Some(capability) = self.attributes.xattrs.remove(xattr::CAPABILITY)
            && let Some(normal) = xattr::normal_capability(&capability)
        {
            self.attributes.xattrs.insert(xattr::CAPABILITY.to_vec(), normal.into_owned());
        }
        self.file = Some(file);
        Ok(())
    }
}

fn overlay_prefix(options: &StoreOptions) -> &'static [u8] {
    if options.in_user_namespace { b"user.overlay." } else { b"trusted.overlay." }
}

/// What unpacking would not make. Labels of security modules stay: every file has one.
fn is_superfluous(attribute: &[u8]) -> bool {
    attribute.starts_with(b"trusted.")
        || attribute.starts_with(b"user.overlay.")
        || attribute.starts_with(b"user.tug.")
        || attribute.starts_with(b"system.posix_acl_")
}

/// Links and special files cannot have attributes of users, but overlay puts some of root's on them.
fn superfluous_of_special(
    parent: BorrowedFd<'_>,
    name: &[u8],
    options: &StoreOptions,
) -> io::Result<Vec<Vec<u8>>> {
    if options.in_user_namespace {
        return Ok(Vec::new());
    }
    let path = by_descriptor(parent, name);
    let mut attributes = attribute_names(|buffer| llistxattr(path.as_slice(), buffer))?;
    attributes.retain(|attribute| is_superfluous(attribute));
    // Reading one tells whether it could be removed: outside of its user namespace, root's cannot.
    attributes.retain(|attribute| {
        attribute_value(|buffer| lgetxattr(path.as_slice(), attribute.as_slice(), buffer)).is_ok()
    });
    Ok(attributes)
}

/// A path for calls that know no descriptors. The detour keeps long paths short.
fn by_descriptor(parent: BorrowedFd<'_>, name: &[u8]) -> Vec<u8> {
    let mut path = format!("/proc/self/fd/{}/", parent.as_fd().as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    path
}

/// Names of attributes, which the kernel separates with NUL.
pub(crate) fn attribute_names(
    list: impl Fn(&mut [u8]) -> rustix::io::Result<usize>,
) -> io::Result<Vec<Vec<u8>>> {
    let mut small = [0; 512];
    let mut large = Vec::new();
    let listed = match list(&mut small) {
        Ok(length) => &small[..length],
        Err(Errno::NOTSUP) => return Ok(Vec::new()),
        Err(Errno::RANGE) => {
            large.resize(64 * 1024, 0);
            let length = list(&mut large)?;
            &large[..length]
        }
        Err(error) => return Err(error.into()),
    };
    let names = listed.split(|&byte| byte == 0).filter(|name| !name.is_empty());
    Ok(names.map(<[u8]>::to_vec).collect())
}

/// The value of an attribute: the kernel has none longer than 64 KiB.
pub(crate) fn attribute_value(read: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> io::Result<Vec<u8>> {
    let mut value = vec![0; 64 * 1024];
    let length = read(&mut value)?;
    value.truncate(length);
    value.shrink_to_fit();
    Ok(value)
}

/// `1:3`
fn pair(text: &[u8]) -> Option<(u32, u32)> {
    let (left, right) = std::str::from_utf8(text).ok()?.split_once(':')?;
    Some((left.parse().ok()?, right.parse().ok()?))
}

/// `c 1:3`
fn device(text: &[u8]) -> Option<NewEntryKind> {
    let (major, minor) = pair(text.get(2..)?)?;
    match &text[..2] {
        b"c " if (major, minor) != (0, 0) => Some(NewEntryKind::CharDevice { major, minor }),
        b"b " => Some(NewEntryKind::BlockDevice { major, minor }),
        _ => None,
    }
}
