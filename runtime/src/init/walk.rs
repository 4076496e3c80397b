//! Resolving a path inside a root without ever leaving it.
//!
//! The root belongs to an image: any component may be a link that points anywhere, and with a shared volume another
//! container may swap components while we walk. So every component is opened by descriptor and never followed by
//! the kernel; links are read and walked here, `..` goes back along the descriptors we came by, and an absolute
//! link starts again at the root. Links inside `/proc` are not followed at all: they lead to other processes' files.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, fstat, fstatfs, mkdirat, openat, readlinkat};
use rustix::io::Errno;

/// How many links a path may lead through, as the kernel has it.
const LINKS: usize = 40;

/// What to make of a path whose end, or part of it, does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missing {
    /// It is an error.
    Refuse,
    /// Directories all the way.
    MakeDirectory,
    /// Directories, and an empty file at the end.
    MakeFile,
}

/// What to make of a link at the very end of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LastLink {
    Follow,
    Keep,
}

/// Where a walk ended.
pub(super) struct Place {
    /// Components from the root on, none of them a link, each with its descriptor (opened with `O_PATH`).
    trail: Vec<(OsString, OwnedFd)>,
    root: OwnedFd,
}

impl Place {
    /// What is there.
    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.trail.last().map_or(self.root.as_fd(), |(_, descriptor)| descriptor.as_fd())
    }

    /// The directory it is in and its name there; `None` for the root itself.
    pub(super) fn parent(&self) -> Option<(BorrowedFd<'_>, &OsString)> {
        let (name, _) = self.trail.last()?;
        let parent =
            self.trail.len().checked_sub(2).map_or(self.root.as_fd(), |above| self.trail[above].1.as_fd());
        Some((parent, name))
    }

    /// Its path from the root on, without a leading `/`.
    pub(super) fn path(&self) -> PathBuf {
        self.trail.iter().map(|(name, _)| name).collect()
    }

    /// Whether it is the root itself.
    pub(super) fn is_root(&self) -> bool {
        self.trail.is_empty()
    }

    pub(super) fn kind(&self) -> Result<FileType, Errno> {
        Ok(FileType::from_raw_mode(fstat(self.descriptor())?.st_mode))
    }
}

/// What was made on the way, told as it happens.
pub(super) trait Witness {
    /// `path` was made in `parent`, which had last been changed at `before`.
    fn made(&mut self, path: &Path, parent: BorrowedFd<'_>, before: &rustix::fs::Stat) -> Result<(), Errno>;
}

impl Witness for () {
    fn made(&mut self, _: &Path, _: BorrowedFd<'_>, _: &rustix::fs::Stat) -> Result<(), Errno> {
        Ok(())
    }
}

/// Walks `path` from `root` on. `ELOOP` is a link in `/proc` or too many links.
pub(super) fn walk(
    root: BorrowedFd<'_>,
    path: &Path,
    last_link: LastLink,
    missing: Missing,
    witness: &mut dyn Witness,
) -> Result<Place, Errno> {
    let mut place = Place { trail: Vec::new(), root: root.try_clone_to_owned().map_err(|_| Errno::MFILE)? };
    let mut ahead = components(path.as_os_str().as_bytes());
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == ".." {
            place.trail.pop();
            continue;
        }
        let here = place.descriptor();
        let open = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let next = match openat(here, &name, open, Mode::empty()) {
            Err(Errno::NOENT) if missing != Missing::Refuse => {
                let as_file = ahead.is_empty() && missing == Missing::MakeFile;
                make(&place, &name, as_file, witness)?;
                openat(here, &name, open, Mode::empty())?
            }
            other => other?,
        };
        if FileType::from_raw_mode(fstat(&next)?.st_mode) != FileType::Symlink {
            place.trail.push((name, next));
            continue;
        }
        if ahead.is_empty() && last_link == LastLink::Keep {
            place.trail.push((name, next));
            break;
        }
        links += 1;
        if links > LINKS || is_proc(next.as_fd())? {
            return Err(Errno::LOOP);
        }
        let target = readlinkat(&next, "", Vec::new())?.into_bytes();
        if target.starts_with(b"/") {
            place.trail.clear();
        }
        let mut through = components(&target);
        through.append(&mut ahead);
        ahead = through;
    }
    Ok(place)
}

/// Whether the descriptor is of something in a `/proc`.
pub(super) fn is_proc(descriptor: BorrowedFd<'_>) -> Result<bool, Errno> {
    const PROC_MAGIC: i64 = 0x9fa0;
    Ok(fstatfs(descriptor)?.f_type == PROC_MAGIC)
}

fn make(place: &Place, name: &OsString, as_file: bool, witness: &mut dyn Witness) -> Result<(), Errno> {
    let parent = place.descriptor();
    let before = fstat(parent)?;
    if as_file {
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(parent, name, flags, Mode::from_raw_mode(0o644))?;
    } else {
        mkdirat(parent, name, Mode::from_raw_mode(0o755))?;
    }
    witness.made(&place.path().join(name), parent, &before)
}

fn components(path: &[u8]) -> VecDeque<OsString> {
    path.split(|&byte| byte == b'/')
        .filter(|part| !part.is_empty() && *part != b".")
        .map(|part| OsString::from_vec(part.to_vec()))
        .collect()
}

/// The identity and times of a file, as the witness wants them.
pub(super) fn statx_of(directory: BorrowedFd<'_>, path: &Path) -> Result<rustix::fs::Statx, Errno> {
    use rustix::fs::{StatxFlags, statx};
    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH;
    statx(
        directory,
        path,
        flags,
        StatxFlags::BASIC_STATS | StatxFlags::BTIME | StatxFlags::from_bits_retain(0x1000),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn root() -> (tempfile::TempDir, OwnedFd) {
        let directory = tempfile::tempdir().unwrap();
        let descriptor = std::fs::File::open(directory.path()).unwrap().into();
        (directory, descriptor)
    }

    fn resolve(root: &OwnedFd, path: &str) -> Result<PathBuf, Errno> {
        walk(root.as_fd(), Path::new(path), LastLink::Follow, Missing::Refuse, &mut ())
            .map(|place| place.path())
    }

    #[test]
    fn links_that_point_out_of_the_root_stay_in_it() {
        let (directory, descriptor) = root();
        std::fs::create_dir_all(directory.path().join("etc/inner")).unwrap();
        symlink("/etc", directory.path().join("absolute")).unwrap();
        symlink("../../../../etc", directory.path().join("etc/inner/up")).unwrap();
        assert_eq!(resolve(&descriptor, "/absolute/inner").unwrap(), Path::new("etc/inner"));
        assert_eq!(resolve(&descriptor, "/etc/inner/up").unwrap(), Path::new("etc"));
        assert_eq!(resolve(&descriptor, "../..//etc/./inner").unwrap(), Path::new("etc/inner"));
    }

    #[test]
    fn a_circle_of_links_ends() {
        let (directory, descriptor) = root();
        symlink("b", directory.path().join("a")).unwrap();
        symlink("a", directory.path().join("b")).unwrap();
        assert_eq!(resolve(&descriptor, "/a").unwrap_err(), Errno::LOOP);
    }

    #[test]
    fn what_is_missing_is_made_where_a_dangling_link_points() {
        let (directory, descriptor) = root();
        std::fs::create_dir(directory.path().join("etc")).unwrap();
        symlink("../run/resolve/stub.conf", directory.path().join("etc/resolv.conf")).unwrap();
        let path = Path::new("/etc/resolv.conf");
        let place = walk(descriptor.as_fd(), path, LastLink::Follow, Missing::MakeFile, &mut ()).unwrap();
        assert_eq!(place.path(), Path::new("run/resolve/stub.conf"));
        assert!(directory.path().join("run/resolve/stub.conf").is_file());
    }

    #[test]
    fn links_of_proc_are_not_followed() {
        let root: OwnedFd = std::fs::File::open("/").unwrap().into();
        assert_eq!(resolve(&root, "/proc/self/fd/0").unwrap_err(), Errno::LOOP);
    }
}
