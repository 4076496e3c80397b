//! Lets equal files of several trees share their room on the disk.
//!
//! Each layer is kept once, but a file that is in two layers has two copies where both have trees. The tables of contents
//! tell which files are equal; before two of them share anything they are compared byte by byte.
//!
//! | way        | what is shared                    | where                       | which files                                          |
//! | ---------- | --------------------------------- | --------------------------- | ---------------------------------------------------- |
//! | reflink    | the blocks, until one is written  | xfs, btrfs, bcachefs, …     | equal content; those with one name                   |
//! | hard link  | the file                          | everywhere; when asked for  | equal content, mode, owner, time and attributes      |
//!
//! A file is replaced by one that was made beside it, in one rename, and the time of its directory is put back. That needs
//! the store alone: the kernel does not expect that mounted trees change.
//!
//! What was saved is in `shared`, one line a layer: diff id, inode of the tree, bytes. So it is known without looking again,
//! layers are not done twice, and a tree that was made anew counts nothing.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;

use rustix::fs::{
    AtFlags, Gid, Mode, OFlags, Stat, Uid, chownat, fchmod, ioctl_ficlone, linkat, openat, renameat, statat,
    utimensat,
};
use rustix::io::Errno;
use tug_oci::DiffId;

use crate::entry::{Mtime, shown, split};
use crate::error::{Error, Result, failed};
use crate::file::{self, Durability, unique_name};
use crate::folder::Folder;
use crate::layer::{Layer, attribute_names, attribute_value};
use crate::relocate::copy_attributes;
use crate::scratch::ScratchDir;
use crate::store::Store;
use crate::toc::RecordKind;
use crate::tree::times;

const FILE: &str = "shared";
const LARGEST: u64 = 16 * 1024 * 1024;
/// Smaller files have no block of their own, or one that is not worth the work.
const SHORTEST: u64 = 4096;
const BUFFER: usize = 256 * 1024;

/// How equal files come to share their room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DedupOptions {
    /// By hard links, where nothing about two files differs, instead of by reflinks.
    pub hard_links: bool,
    /// Only say what would be saved.
    pub dry_run: bool,
}

/// What is shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Deduplicated {
    /// Files that share their room with another one now, and did not before.
    pub files: usize,
    /// Their length.
    pub bytes: u64,
    /// Trees that were looked at.
    pub trees: usize,
    /// Bytes that are saved in all, by this and by earlier times.
    pub saved: u64,
}

impl Store {
    /// Lets equal files of trees share their room. Fails with [`Error::InUse`] when another process works in the store,
    /// and with [`Error::NoReflinks`] where files cannot share blocks.
    pub fn deduplicate(&self, options: DedupOptions) -> Result<Deduplicated> {
        if options.dry_run {
            let _everything = self.hold_everything()?;
            return self.unpinned().deduplicate_alone(options);
        }
        let done = self.alone(|store| store.deduplicate_alone(options))?;
        done.ok_or_else(|| Error::InUse { path: self.root().to_owned() })
    }

    /// Bytes that are saved because files of several trees share their room; at most, for a layer whose files others share
    /// may be gone by now.
    pub fn shared_bytes(&self) -> Result<u64> {
        Ok(self.shared_trees()?.values().sum())
    }

    fn deduplicate_alone(&self, options: DedupOptions) -> Result<Deduplicated> {
        let mut done = self.shared_trees()?;
        let mut outcome = Deduplicated::default();
        let layers = self.layers_with_trees()?;
        let mut work = Work { store: self, options, scratch: self.scratch("share")?, known: HashMap::new() };
        // Those that were done serve as what others share with.
        let (old, new): (Vec<_>, Vec<_>) =
            layers.iter().partition(|layer| done.contains_key(&(layer.diff_id().clone(), inode(layer))));
        for (layer, is_new) in
            old.iter().map(|layer| (layer, false)).chain(new.iter().map(|layer| (layer, true)))
        {
            outcome.trees += 1;
            let (files, bytes) = work.layer(layer, is_new)?;
            outcome.files += files;
            outcome.bytes += bytes;
            if is_new {
                done.insert((layer.diff_id().clone(), inode(layer)), bytes);
            }
        }
        outcome.saved = done.values().sum();
        if !options.dry_run {
            let lines = done.iter().map(|((layer, inode), bytes)| format!("{layer} {inode} {bytes}\n"));
            let mut lines: Vec<String> = lines.collect();
            lines.sort();
            let path = self.path(FILE);
            file::replace(&path, &self.path("ingest"), lines.concat().as_bytes(), Durability::Deferred)?;
        }
        Ok(outcome)
    }

    fn layers_with_trees(&self) -> Result<Vec<Layer>> {
        let mut layers = Vec::new();
        for path in crate::garbage::names_in(&self.path("layers"))? {
            let Some(digest) = crate::garbage::digest_of_name(tug_oci::Algorithm::Sha256, &path) else {
                continue;
            };
            if let Ok(Some(layer)) = self.only_own().layer(&DiffId::new(digest))
                && layer.tree().is_some()
            {
                layers.push(layer);
            }
        }
        Ok(layers)
    }

    /// What was saved by trees that are still there.
    fn shared_trees(&self) -> Result<HashMap<(DiffId, u64), u64>> {
        let bytes = file::read_small(&self.path(FILE), LARGEST)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut trees = HashMap::new();
        for line in text.lines() {
            let mut words = line.split(' ');
            let (Some(layer), Some(inode), Some(bytes)) = (words.next(), words.next(), words.next()) else {
                continue;
            };
            let (Ok(layer), Ok(inode), Ok(bytes)) =
                (layer.parse::<DiffId>(), inode.parse::<u64>(), bytes.parse::<u64>())
            else {
                continue;
            };
            let tree = self.layer_folder(&layer).join(crate::layer::TREE);
            if std::fs::metadata(tree).is_ok_and(|found| found.ino() == inode) {
                trees.insert((layer, inode), bytes);
            }
        }
        Ok(trees)
    }
}

fn inode(layer: &Layer) -> u64 {
    let tree = layer.tree().and_then(|tree| std::fs::metadata(tree).ok());
    tree.map_or(0, |tree| tree.ino())
}

struct Work<'a> {
    store: &'a Store,
    options: DedupOptions,
    scratch: ScratchDir,
    /// By length and digest of the content: a layer that has it, and the path there.
    known: HashMap<(u64, [u8; 32]), (Layer, Vec<u8>)>,
}

impl Work<'_> {
    /// Lets the files of a layer share with those that are known, if they are to; then they are known as well.
    fn layer(&mut self, layer: &Layer, is_new: bool) -> Result<(usize, u64)> {
        let Some(tree) = layer.tree() else { return Ok((0, 0)) };
        let toc = layer.toc()?;
        let mut folder = Folder::open(&tree).map_err(failed("open", &tree))?;
        let (mut files, mut bytes) = (0, 0);
        for record in toc.records() {
            self.store.go_on()?;
            let RecordKind::File(facts) = record.kind else { continue };
            if facts.size < SHORTEST {
                continue;
            }
            let key = (facts.size, *facts.sha256);
            let Some((other, path)) = self.known.get(&key).cloned() else {
                self.known.insert(key, (layer.clone(), record.path.to_vec()));
                continue;
            };
            if !is_new {
                continue;
            }
            let shared = self.share(&mut folder, record.path, &other, &path);
            match shared {
                Ok(true) => {
                    files += 1;
                    bytes += facts.size;
                }
                Ok(false) => {}
                Err(error) if is_unsupported(&error) => return Err(Error::NoReflinks { path: tree }),
                Err(error) => return Err(failed("share", tree.join(shown(record.path)))(error)),
            }
        }
        Ok((files, bytes))
    }

    /// Whether the file at `path` shares its room with `known` of another layer now, or would.
    fn share(&self, folder: &mut Folder, path: &[u8], other: &Layer, known: &[u8]) -> io::Result<bool> {
        let Some(tree) = other.tree() else { return Ok(false) };
        let (known_directory, known_name) = split(known);
        let known_folder = Folder::open(&tree)?.open_directory(known_directory)?;
        let (directory, name) = split(path);
        let parent = folder.enter(directory)?;
        let (ours, theirs) = (open(parent, name)?, open(known_folder.as_fd(), known_name)?);
        let status = statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let their_status = statat(&known_folder, known_name, AtFlags::SYMLINK_NOFOLLOW)?;
        if (status.st_dev, status.st_ino) == (their_status.st_dev, their_status.st_ino) {
            return Ok(false);
        }
        let can_be_shared = match self.options.hard_links {
            true => has_same_facts(&status, &their_status) && attributes(&ours)? == attributes(&theirs)?,
            false => status.st_nlink == 1,
        };
        if !can_be_shared || !has_same_content(&ours, &theirs)? {
            return Ok(false);
        }
        if self.options.dry_run {
            return Ok(true);
        }
        let made = unique_name("file");
        let scratch = Folder::open(self.scratch.path())?;
        let scratch = scratch.root();
        if self.options.hard_links {
            match linkat(&known_folder, known_name, scratch, &made, AtFlags::empty()) {
                Err(Errno::MLINK) => return Ok(false),
                other => other?,
            }
        } else {
            clone(scratch, &made, &ours, &theirs, &status)?;
        }
        replace(scratch, &made, parent, name)?;
        Ok(true)
    }
}

/// Makes a file with the blocks of `theirs` and all else of `ours`.
fn clone(folder: BorrowedFd<'_>, name: &str, ours: &File, theirs: &File, status: &Stat) -> io::Result<()> {
    let flags = OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::CLOEXEC;
    let new = openat(folder, name, flags, Mode::from_raw_mode(0o600))?;
    ioctl_ficlone(&new, theirs)?;
    let (uid, gid) = (Uid::from_raw(status.st_uid), Gid::from_raw(status.st_gid));
    chownat(folder, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    fchmod(&new, Mode::from_raw_mode(status.st_mode & 0o7777))?;
    copy_attributes(ours, &new)?;
    Ok(utimensat(folder, name, &times(mtime(status)), AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Puts a file into the place of another one; its directory looks as before.
fn replace(from: BorrowedFd<'_>, made: &str, parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<()> {
    let before = rustix::fs::fstat(parent)?;
    renameat(from, made, parent, name)?;
    Ok(rustix::fs::futimens(parent, &times(mtime(&before)))?)
}

fn open(parent: BorrowedFd<'_>, name: &[u8]) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    Ok(File::from(openat(parent, name, flags, Mode::empty())?))
}

fn mtime(status: &Stat) -> Mtime {
    Mtime { seconds: status.st_mtime, nanos: u32::try_from(status.st_mtime_nsec).unwrap_or_default() }
}

fn has_same_facts(one: &Stat, other: &Stat) -> bool {
    let facts = |status: &Stat| {
        (status.st_mode, status.st_uid, status.st_gid, status.st_mtime, status.st_mtime_nsec, status.st_size)
    };
    facts(one) == facts(other)
}

fn attributes(file: &File) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut all = Vec::new();
    for name in attribute_names(|buffer| rustix::fs::flistxattr(file, buffer))? {
        let value = attribute_value(|buffer| rustix::fs::fgetxattr(file, name.as_slice(), buffer))?;
        all.push((name, value));
    }
    all.sort();
    Ok(all)
}

fn has_same_content(one: &File, other: &File) -> io::Result<bool> {
    let (mut one, mut other) = (one, other);
    let (mut left, mut right) = (vec![0; BUFFER], vec![0; BUFFER]);
    loop {
        let count = one.read(&mut left)?;
        if count == 0 {
            return Ok(other.read(&mut right)? == 0);
        }
        match other.read_exact(&mut right[..count]) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
            other => other?,
        }
        if left[..count] != right[..count] {
            return Ok(false);
        }
    }
}

fn is_unsupported(error: &io::Error) -> bool {
    [Errno::OPNOTSUPP, Errno::NOTTY, Errno::NOSYS, Errno::INVAL, Errno::XDEV]
        .iter()
        .any(|code| error.raw_os_error() == Some(code.raw_os_error()))
}
