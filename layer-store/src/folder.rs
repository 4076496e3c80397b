//! Reaches files of a tree through directory descriptors: nothing in a tree can lead out of it.
//!
//! Paths are resolved by the kernel beneath the root (`openat2` with `RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS`), in
//! pieces that it accepts: paths of layers may be longer than `PATH_MAX`. Where a sandbox has no `openat2`, each
//! component is opened without following it, which comes to the same.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;

use crate::entry::is_inside;

/// What the kernel takes in one call, with room to spare.
const LONGEST_PIECE: usize = 4000;
const FLAGS: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC).union(OFlags::RDONLY);
const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_SYMLINKS).union(ResolveFlags::NO_MAGICLINKS);

/// A tree, and the directory in it that was used last.
#[derive(Debug)]
pub(crate) struct Folder {
    root: OwnedFd,
    path: Vec<u8>,
    current: Option<OwnedFd>,
}

impl Folder {
    /// Opens the root; links on the way to it are followed, one in its place is not.
    pub(crate) fn open(root: &Path) -> io::Result<Self> {
        Ok(Self::new(openat(rustix::fs::CWD, root, FLAGS, Mode::empty())?))
    }

    pub(crate) fn new(root: OwnedFd) -> Self {
        Self { root, path: Vec::new(), current: None }
    }

    pub(crate) fn root(&self) -> BorrowedFd<'_> {
        self.root.as_fd()
    }

    /// A directory of the tree; entering one again, or one inside of it, is cheap.
    pub(crate) fn enter(&mut self, directory: &[u8]) -> io::Result<BorrowedFd<'_>> {
        if directory.is_empty() {
            return Ok(self.root.as_fd());
        }
        if self.current.is_none() || self.path != directory {
            let opened = match &self.current {
                Some(current) if is_inside(directory, &self.path) => {
                    open_beneath(current.as_fd(), &directory[self.path.len() + 1..])?
                }
                _ => open_beneath(self.root.as_fd(), directory)?,
            };
            self.current = Some(opened);
            self.path.clear();
            self.path.extend_from_slice(directory);
        }
        Ok(self.current.as_ref().map_or(self.root.as_fd(), AsFd::as_fd))
    }

    /// A descriptor of its own for a directory of the tree.
    pub(crate) fn open_directory(&self, directory: &[u8]) -> io::Result<OwnedFd> {
        match directory {
            b"" => Ok(openat(&self.root, ".", FLAGS, Mode::empty())?),
            _ => open_beneath(self.root.as_fd(), directory),
        }
    }

    /// Forgets the directory used last, because it is about to be removed.
    pub(crate) fn leave(&mut self) {
        self.current = None;
        self.path.clear();
    }
}

fn open_beneath(base: BorrowedFd<'_>, path: &[u8]) -> io::Result<OwnedFd> {
    let (piece, rest) = first_piece(path);
    let mut opened = open_piece(base, piece)?;
    let mut rest = rest;
    while !rest.is_empty() {
        let (piece, after) = first_piece(rest);
        opened = open_piece(opened.as_fd(), piece)?;
        rest = after;
    }
    Ok(opened)
}

/// As many whole components as the kernel takes at once.
fn first_piece(path: &[u8]) -> (&[u8], &[u8]) {
    if path.len() <= LONGEST_PIECE {
        return (path, b"");
    }
    match path[..LONGEST_PIECE].iter().rposition(|&byte| byte == b'/') {
        Some(slash) => (&path[..slash], &path[slash + 1..]),
        None => (path, b""),
    }
}

fn open_piece(base: BorrowedFd<'_>, piece: &[u8]) -> io::Result<OwnedFd> {
    loop {
        match openat2(base, piece, FLAGS, Mode::empty(), BENEATH) {
            Ok(opened) => return Ok(opened),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(Errno::NOSYS | Errno::PERM) => return open_each(base, piece),
            Err(error) => return Err(error.into()),
        }
    }
}

fn open_each(base: BorrowedFd<'_>, piece: &[u8]) -> io::Result<OwnedFd> {
    let mut names = piece.split(|&byte| byte == b'/');
    let first = names.next().unwrap_or_default();
    if piece.split(|&byte| byte == b'/').any(|name| matches!(name, b"" | b"." | b"..")) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    let mut opened = openat(base, first, FLAGS, Mode::empty())?;
    for name in names {
        opened = openat(&opened, name, FLAGS, Mode::empty())?;
    }
    Ok(opened)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    fn inode(fd: BorrowedFd<'_>) -> u64 {
        rustix::fs::fstat(fd).unwrap().st_ino
    }

    #[test]
    fn directories_are_entered_in_any_order() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("a/b/c")).unwrap();
        std::fs::create_dir_all(root.path().join("ab")).unwrap();
        let mut folder = Folder::open(root.path()).unwrap();
        for path in ["a", "a/b/c", "a/b", "ab", "", "a/b/c", "a/b/c"] {
            let expected = std::fs::metadata(root.path().join(path)).unwrap().ino();
            assert_eq!(inode(folder.enter(path.as_bytes()).unwrap()), expected, "{path}");
        }
    }

    #[test]
    fn no_link_and_no_dots_lead_out() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("real/inner")).unwrap();
        symlink("/etc", root.path().join("absolute")).unwrap();
        symlink("real", root.path().join("relative")).unwrap();
        let mut folder = Folder::open(root.path()).unwrap();
        for path in ["absolute", "relative", "relative/inner", "..", "real/../..", "/etc", "real/absent"] {
            assert!(folder.enter(path.as_bytes()).is_err(), "{path}");
            assert!(open_each(folder.root(), path.as_bytes()).is_err(), "{path} one by one");
        }
        assert!(open_each(folder.root(), b"real/inner").is_ok());
    }

    #[test]
    fn paths_may_be_longer_than_the_kernel_takes() {
        let root = tempfile::tempdir().unwrap();
        let mut folder = Folder::open(root.path()).unwrap();
        let mut path = Vec::new();
        for _ in 0..100 {
            let name = [b'd'; 200];
            rustix::fs::mkdirat(folder.enter(&path).unwrap(), &name[..], Mode::from_raw_mode(0o755)).unwrap();
            path = crate::entry::join(&path, &name);
        }
        assert!(path.len() > 20_000);
        folder.leave();
        folder.enter(&path).unwrap();
    }
}
