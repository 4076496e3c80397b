//! Deletes: a rename now, the unlinking later.
//!
//! Unlinking a tree of files takes as long as writing it did, so a tree is renamed into `trash/`, where it is gone for
//! everybody, and a thread in the background unlinks it. When the process ends first, the rest stays in `trash/` for
//! the next prune.
//!
//! Trees hold whatever a container left: the removal goes through directory file descriptors, follows no symbolic
//! link, opens folders that their mode closes, and needs a bounded number of descriptors however deep a tree is.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, chmodat, openat, renameat, unlinkat};
use rustix::io::Errno;

use crate::error::{Result, failed};
use crate::file::unique_name;

/// The folder of what is being deleted, and the thread that unlinks.
#[derive(Debug)]
pub(crate) struct Trash {
    folder: PathBuf,
    sweeper: Mutex<Option<Sender<PathBuf>>>,
}

impl Trash {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, sweeper: Mutex::new(None) }
    }

    /// Moves a file or folder to the trash, and unlinks it in the background. Nothing happens when it does not exist.
    pub(crate) fn throw(&self, path: &Path) -> Result<()> {
        if let Some(moved) = self.moved(path)? {
            self.sweep(moved);
        }
        Ok(())
    }

    /// Moves a file or folder to the trash, for [`Trash::empty`] to unlink.
    pub(crate) fn bury(&self, path: &Path) -> Result<()> {
        self.moved(path).map(drop)
    }

    /// Moves a file or folder to the trash, and unlinks it before this returns.
    pub(crate) fn remove(&self, path: &Path) -> Result<()> {
        match self.moved(path)? {
            Some(moved) => remove(&moved).map_err(failed("remove", path)),
            None => Ok(()),
        }
    }

    /// Unlinks everything in the trash, now, also what others left. What cannot be unlinked does not keep the rest.
    pub(crate) fn empty(&self) -> Result<()> {
        let mut outcome = Ok(());
        for entry in std::fs::read_dir(&self.folder).map_err(failed("list", &self.folder))? {
            let path = entry.map_err(failed("list", &self.folder))?.path();
            if let Err(error) = remove(&path) {
                outcome = outcome.and(Err(failed("remove", path)(error)));
            }
        }
        outcome
    }

    fn moved(&self, path: &Path) -> Result<Option<PathBuf>> {
        let target = self.folder.join(unique_name("trash"));
        match std::fs::rename(path, &target) {
            Ok(()) => Ok(Some(target)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            // The trash needs room for one more name.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) =>
            {
                remove(path).map_err(failed("remove", path)).map(|()| None)
            }
            Err(error) => Err(failed("remove", path)(error)),
        }
    }

    /// What cannot be unlinked now stays for the next prune, which says why.
    fn sweep(&self, path: PathBuf) {
        let Ok(mut sweeper) = self.sweeper.lock() else { return };
        let sender = sweeper.get_or_insert_with(|| {
            let (sender, thrown) = channel::<PathBuf>();
            let thread = std::thread::Builder::new().name("sweeper".to_owned());
            let _ = thread.spawn(move || thrown.iter().for_each(|path| drop(remove(&path))));
            sender
        });
        let _ = sender.send(path);
    }
}

/// Below this many open folders, a subfolder is moved up instead of being entered.
const DEEPEST: usize = 64;

/// Unlinks a file, or a folder with all that is in it. What is gone already is no error.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    let name = CString::new(name.as_encoded_bytes())?;
    let top = openat(rustix::fs::CWD, parent, FOLDER, Mode::empty())?;
    remove_in(top.as_fd(), name)
}

/// The same for something in an open folder.
pub(crate) fn remove_in(folder: BorrowedFd<'_>, name: CString) -> io::Result<()> {
    let mut pending = vec![name];
    while let Some(name) = pending.pop() {
        remove_at(folder, folder, &name, 0, &mut pending)?;
    }
    Ok(())
}

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

fn remove_at(
    top: BorrowedFd<'_>,
    parent: BorrowedFd<'_>,
    name: &CStr,
    depth: usize,
    pending: &mut Vec<CString>,
) -> io::Result<()> {
    match unlinkat(parent, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => return Ok(()),
        Err(Errno::ISDIR | Errno::PERM) => {}
        Err(error) => return Err(error.into()),
    }
    if depth == DEEPEST {
        let moved = CString::new(unique_name("trash"))?;
        make_accessible(parent, name);
        return match renameat(parent, name, top, &moved) {
            Ok(()) => {
                pending.push(moved);
                Ok(())
            }
            Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(error.into()),
        };
    }
    let folder = match open_folder(parent, name) {
        Ok(folder) => folder,
        Err(Errno::NOENT) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for (child, kind) in names_in(&folder)? {
        match unlink_file(&folder, &child, kind) {
            Ok(true) => {}
            Ok(false) => remove_at(top, folder.as_fd(), &child, depth + 1, pending)?,
            Err(error) => return Err(error.into()),
        }
    }
    match unlinkat(parent, name, AtFlags::REMOVEDIR) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// `false` when it is a folder.
fn unlink_file(folder: &OwnedFd, name: &CStr, kind: FileType) -> rustix::io::Result<bool> {
    if kind == FileType::Directory {
        return Ok(false);
    }
    match unlinkat(folder, name, AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::ISDIR) => Ok(false),
        Err(error) => Err(error),
    }
}

fn open_folder(parent: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<OwnedFd> {
    make_accessible_if_needed(parent, name)?;
    openat(parent, name, FOLDER, Mode::empty())
}

/// A folder of mode 0 cannot be emptied by its owner, unless the owner is root.
fn make_accessible_if_needed(parent: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<()> {
    let status = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    if status.st_mode & 0o700 != 0o700 && !rustix::process::geteuid().is_root() {
        make_accessible(parent, name);
    }
    Ok(())
}

/// If it fails, what follows fails too and says why.
fn make_accessible(parent: BorrowedFd<'_>, name: &CStr) {
    if let Ok(status) = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
        && FileType::from_raw_mode(status.st_mode) == FileType::Directory
        && status.st_mode & 0o700 != 0o700
    {
        let _ = chmodat(parent, name, Mode::from_raw_mode(0o700), AtFlags::empty());
    }
}

fn names_in(folder: &OwnedFd) -> io::Result<Vec<(CString, FileType)>> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        if !matches!(entry.file_name().to_bytes(), b"." | b"..") {
            names.push((entry.file_name().to_owned(), entry.file_type()));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn what_is_thrown_away_is_gone_at_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("trash")).unwrap();
        std::fs::create_dir_all(folder.path().join("tree/a/b")).unwrap();
        let trash = Trash::new(folder.path().join("trash"));
        trash.throw(&folder.path().join("tree")).unwrap();
        trash.throw(&folder.path().join("never was")).unwrap();
        assert!(!folder.path().join("tree").exists());
        trash.empty().unwrap();
        assert_eq!(std::fs::read_dir(folder.path().join("trash")).unwrap().count(), 0);
    }

    #[test]
    fn links_out_of_a_tree_are_removed_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let marker = folder.path().join("marker");
        std::fs::write(&marker, "still here").unwrap();
        let tree = folder.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        symlink(folder.path(), tree.join("out")).unwrap();
        symlink(&marker, tree.join("file")).unwrap();
        remove(&tree).unwrap();
        assert!(!tree.exists());
        assert_eq!(std::fs::read_to_string(&marker).unwrap(), "still here");
    }

    #[test]
    fn closed_folders_are_opened_and_deep_ones_need_few_descriptors() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        std::fs::create_dir(&tree).unwrap();
        let mut current = openat(rustix::fs::CWD, &tree, FOLDER, Mode::empty()).unwrap();
        for _ in 0..3000 {
            rustix::fs::mkdirat(&current, "folder", Mode::from_raw_mode(0o755)).unwrap();
            current = openat(&current, "folder", FOLDER, Mode::empty()).unwrap();
        }
        std::fs::create_dir_all(tree.join("closed/inner")).unwrap();
        std::fs::set_permissions(tree.join("closed"), std::fs::Permissions::from_mode(0o000)).unwrap();
        remove(&tree).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
