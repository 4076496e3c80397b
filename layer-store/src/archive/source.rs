//! The files of an archive, at hand by name.
//!
//! An archive may come through a pipe, and its files in any order: what a document refers to may have passed long
//! before. So every file is written to a scratch folder as it passes, and hashed. Files are numbered there: no name of
//! an archive ever becomes a path. A file that is called like a blob must be that blob; one that the store has
//! already is not written.
//!
//! A layout in a folder is read in place, each file when somebody asks for it, by a path that cannot leave the folder.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use tug_oci::{Algorithm, Digest};

use super::error::ArchiveError;
use super::hashing::Hashing;
use super::syncing::Syncing;
use crate::compression::{Compression, Decompressed, DecompressionLimits};
use crate::entry::{NewEntryKind, shown};
use crate::error::{Error, Result, failed};
use crate::scratch::ScratchDir;
use crate::store::Store;
use crate::tar::{Limits, TarError, TarReader};

/// An image has a hundred layers with three files each at most.
const MOST_FILES: u64 = 20_000;
const LONGEST_NAME: usize = 1024;
const MOST_LINKS: usize = 16;
const BUFFER: usize = 256 * 1024;

/// The files of an archive or layout.
pub(super) struct Source {
    store: Store,
    scratch: ScratchDir,
    files: BTreeMap<String, Item>,
    count: u64,
    folder: Option<(PathBuf, OwnedFd)>,
    syncing: Syncing,
}

enum Item {
    File(SourceFile),
    /// A path in the archive, which may be a link again.
    Link(String),
}

/// One file of an archive, complete and hashed.
#[derive(Clone, Debug)]
pub(super) struct SourceFile {
    pub(super) digest: Digest,
    pub(super) size: u64,
    pub(super) compression: Compression,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Scratch(PathBuf),
    /// The store had it before.
    Store,
}

impl Source {
    /// Reads an archive to its end. It may be compressed as a whole.
    pub(super) fn archive(store: &Store, stream: &mut dyn Read) -> Result<Self> {
        let mut source = Self::new(store, None)?;
        let plain = Decompressed::new(stream, DecompressionLimits::default()).map_err(ArchiveError::Read)?;
        let limits = Limits { entries: MOST_FILES, path: LONGEST_NAME, ..Limits::default() };
        let mut tar = TarReader::new(plain, limits);
        while let Some(entry) = tar.next_entry().map_err(in_tar)? {
            let path = String::from_utf8(entry.path).map_err(|error| ArchiveError::Malformed {
                path: shown(error.as_bytes()),
                reason: "its name is not UTF-8".to_owned(),
            })?;
            // A few bytes can stand for a terabyte of holes, and nobody writes images so.
            if tar.segments().is_some() {
                let (path, reason) = (shown(path.as_bytes()), "it is a sparse file".to_owned());
                return Err(ArchiveError::Malformed { path, reason }.into());
            }
            let item = match entry.kind {
                NewEntryKind::File { .. } => Item::File(source.take_in(&path, &mut tar)?),
                NewEntryKind::Symlink { target } => Item::Link(beside(&path, &target)?),
                NewEntryKind::HardLink { target } => {
                    Item::Link(String::from_utf8_lossy(&target).into_owned())
                }
                _ => continue,
            };
            source.add(path, item)?;
        }
        tar.finish().map_err(in_tar)?;
        Ok(source)
    }

    /// Reads a layout in a folder, file by file.
    pub(super) fn folder(store: &Store, path: &Path) -> Result<Self> {
        let opened = File::open(path).map_err(failed("open", path))?;
        Self::new(store, Some((path.to_owned(), opened.into())))
    }

    fn new(store: &Store, folder: Option<(PathBuf, OwnedFd)>) -> Result<Self> {
        let scratch = store.scratch("load")?.removed_at_once();
        let (files, syncing) = (BTreeMap::new(), Syncing::start());
        Ok(Self { store: store.clone(), scratch, files, count: 0, folder, syncing })
    }

    /// The file called `path`, through links inside the archive; `None` when there is none.
    pub(super) fn find(&mut self, path: &str) -> Result<Option<SourceFile>> {
        if self.folder.is_some() && !self.files.contains_key(path) {
            return self.find_in_folder(path);
        }
        let mut current = path;
        for _ in 0..MOST_LINKS {
            match self.files.get(current) {
                None if current == path => return Ok(None),
                None => break,
                Some(Item::File(file)) => return Ok(Some(file.clone())),
                Some(Item::Link(target)) => current = target,
            }
        }
        Err(ArchiveError::Link { path: shown(path.as_bytes()) }.into())
    }

    /// The file named by a digest, where layouts have it. What the store has is not read again from a folder.
    pub(super) fn find_blob(&mut self, digest: &Digest) -> Result<Option<SourceFile>> {
        match self.folder.is_some() {
            true => {
                self.find_held(digest)?.map_or_else(|| self.find(&blob_name(digest)), |held| Ok(Some(held)))
            }
            false => self.find(&blob_name(digest)),
        }
    }

    /// The blob in the store, as if it were in the archive.
    pub(super) fn find_held(&self, digest: &Digest) -> Result<Option<SourceFile>> {
        let Some(size) = self.store.blob_size(digest)? else { return Ok(None) };
        let compression = Compression::Plain;
        Ok(Some(SourceFile { digest: digest.clone(), size, compression, place: Place::Store }))
    }

    /// The content of a small file.
    pub(super) fn read(&self, file: &SourceFile, limit: u64) -> Result<Vec<u8>> {
        if file.size > limit {
            return Err(Error::TooLarge { what: format!("`{}`", file.digest), limit });
        }
        let mut bytes = Vec::new();
        self.open(file)?.read_to_end(&mut bytes).map_err(failed("read", self.scratch.path()))?;
        Ok(bytes)
    }

    pub(super) fn open(&self, file: &SourceFile) -> Result<File> {
        let path = match &file.place {
            Place::Scratch(path) => path.clone(),
            Place::Store => self.store.found_blob_path(&file.digest)?,
        };
        File::open(&path).map_err(failed("open", path))
    }

    /// The plain content of a compressed file, as a file of its own.
    pub(super) fn unpacked(&mut self, file: &SourceFile) -> Result<SourceFile> {
        let compressed = self.open(file)?;
        let limits = DecompressionLimits::default();
        let mut plain = Decompressed::new(compressed, limits).map_err(ArchiveError::Read)?;
        self.take_in("", &mut plain)
    }

    /// Makes a file of the archive a blob of the store, and waits until the disk has it.
    pub(super) fn keep(&self, file: &SourceFile) -> Result<()> {
        match &file.place {
            Place::Scratch(path) => self.store.adopt_blob(path, &file.digest),
            Place::Store => Ok(()),
        }
    }

    /// Whether a file of the root of a system is in it: `etc/`, `bin/`, …
    pub(super) fn looks_like_a_root(&self) -> bool {
        let is_root =
            |path: &String| ["etc/", "usr/", "bin/", "var/"].iter().any(|top| path.starts_with(top));
        self.files.keys().any(is_root)
    }

    fn add(&mut self, path: String, item: Item) -> Result<()> {
        let is_same = match (self.files.get(&path), &item) {
            (None, _) => true,
            (Some(Item::File(before)), Item::File(now)) => before.digest == now.digest,
            (Some(Item::Link(before)), Item::Link(now)) => before == now,
            _ => false,
        };
        if !is_same {
            return Err(ArchiveError::Twice { path: shown(path.as_bytes()) }.into());
        }
        self.files.insert(path, item);
        Ok(())
    }

    /// Writes what `content` has to the scratch folder.
    fn take_in(&mut self, path: &str, content: &mut dyn Read) -> Result<SourceFile> {
        let expected = digest_of_name(path);
        let algorithm = expected.as_ref().map_or(Algorithm::Sha256, Digest::algorithm);
        let is_held = expected.as_ref().map_or(Ok(false), |digest| self.store.has_blob(digest))?;
        self.count += 1;
        let target = self.scratch.path().join(self.count.to_string());
        let mut out = match is_held {
            true => None,
            false => Some(File::create(&target).map_err(failed("create", &target))?),
        };
        let (mut hashing, mut size, mut head) = (Hashing::new(algorithm), 0, Vec::new());
        let mut buffer = vec![0; BUFFER];
        loop {
            self.store.go_on()?;
            let count = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(in_stream(error)),
            };
            let piece = &buffer[..count];
            if head.len() < Compression::HEAD {
                head.extend_from_slice(&piece[..count.min(Compression::HEAD - head.len())]);
            }
            if let Some(out) = &mut out {
                out.write_all(piece).map_err(failed("write", &target))?;
                if (size + count as u64) / Syncing::STEP > size / Syncing::STEP {
                    self.syncing.soon(out);
                }
            }
            size += count as u64;
            buffer = hashing.update(buffer, count);
        }
        if let Some(out) = out.filter(|_| size >= Syncing::STEP / 8) {
            self.syncing.soon(&out);
        }
        let digest = hashing.finish();
        if let Some(expected) = expected
            && digest != expected
        {
            return Err(Error::DigestMismatch { expected, actual: digest });
        }
        let place = if is_held { Place::Store } else { Place::Scratch(target) };
        Ok(SourceFile { digest, size, compression: Compression::detect(&head), place })
    }

    fn find_in_folder(&mut self, path: &str) -> Result<Option<SourceFile>> {
        let Some((folder, opened)) = &self.folder else { return Ok(None) };
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let opened = match openat2(opened, path, flags, Mode::empty(), within) {
            Ok(opened) => File::from(opened),
            Err(rustix::io::Errno::NOENT) => return Ok(None),
            Err(rustix::io::Errno::XDEV | rustix::io::Errno::LOOP) => {
                return Err(ArchiveError::NotAFile { path: shown(path.as_bytes()) }.into());
            }
            Err(error) => return Err(failed("open", folder.join(path))(error)),
        };
        let full = folder.join(path);
        if !opened.metadata().map_err(failed("look at", &full))?.is_file() {
            return Err(ArchiveError::NotAFile { path: shown(path.as_bytes()) }.into());
        }
        let file = self.take_in(path, &mut { opened })?;
        self.add(path.to_owned(), Item::File(file.clone()))?;
        Ok(Some(file))
    }
}

/// Where layouts have a blob.
pub(super) fn blob_name(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm().name(), digest.hex())
}

/// What a file that is called like a blob must be.
fn digest_of_name(path: &str) -> Option<Digest> {
    let (algorithm, hex) = path.strip_prefix("blobs/")?.split_once('/')?;
    format!("{algorithm}:{hex}").parse().ok()
}

/// The path that a symbolic link at `path` leads to. It must stay inside.
fn beside(path: &str, target: &[u8]) -> Result<String> {
    let nowhere = || ArchiveError::Link { path: shown(path.as_bytes()) };
    let target = std::str::from_utf8(target).map_err(|_| nowhere())?;
    if target.starts_with('/') {
        return Err(nowhere().into());
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop().ok_or_else(nowhere)?),
            name => parts.push(name),
        }
    }
    Ok(parts.join("/"))
}

fn in_tar(error: TarError) -> ArchiveError {
    ArchiveError::Tar(error)
}

/// The tar reader hands its errors through `Read`.
fn in_stream(error: io::Error) -> Error {
    let archive = match error.downcast::<TarError>() {
        Ok(error) => ArchiveError::Tar(error),
        Err(error) => ArchiveError::Read(error),
    };
    archive.into()
}
