//! Caches as one tar, to carry them to another machine.
//!
//! ```text
//! tug-caches.json     {"version": 1, "caches": [{"id": …}, …]}
//! 0/ 0/…              what the first cache holds
//! 1/ 1/…              the second
//! ```
//!
//! Everything in it is as in a layer: owners, modes, times in whole seconds, hard links, attributes. Sockets mean nothing
//! without their process and are left out. The same caches give the same bytes.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::Path;

use rustix::fs::Dir;
use serde::{Deserialize, Serialize};

use super::{CacheId, CacheSharing};
use crate::compression::BlockWriter;
use crate::entry::{NewEntry, NewEntryKind, join, shown};
use crate::error::{Error, Result, failed};
use crate::folder::Folder;
use crate::layer::{Facts, Kind, LayerError};
use crate::store::Store;
use crate::tar::{TarError, TarWriter};

pub(super) const LIST: &str = "tug-caches.json";
pub(super) const VERSION: u32 = 1;
const ZSTD_LEVEL: i32 = 3;
const BUFFER: usize = 256 * 1024;

/// The first file of an archive of caches.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct List {
    pub(super) version: u32,
    pub(super) caches: Vec<CacheId>,
}

/// What came of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExportedCaches {
    /// The caches that are in the archive.
    pub caches: Vec<CacheId>,
    /// Those that are not, because a step that wants them to itself uses them right now.
    pub in_use: Vec<CacheId>,
}

impl Store {
    /// Writes the caches `ids` as an archive to `out`, compressed with Zstandard unless it is to be `plain`.
    ///
    /// Nobody may change a cache meanwhile: one that a step uses is left out. Of a cache with several directories, the
    /// first one is written.
    pub fn export_caches(&self, ids: &[CacheId], plain: bool, out: &mut dyn Write) -> Result<ExportedCaches> {
        let (mut held, mut in_use) = (Vec::new(), Vec::new());
        for id in ids {
            match self.try_cache(id, CacheSharing::Locked)? {
                Some(mount) if mount.path().exists() => held.push((id.clone(), mount)),
                Some(_) => {}
                None => in_use.push(id.clone()),
            }
        }
        let folders: Vec<(CacheId, &Path)> =
            held.iter().map(|(id, mount)| (id.clone(), mount.path())).collect();
        if plain {
            self.write_caches(&folders, &mut *out)?;
        } else {
            let mut blocks = BlockWriter::zstd(&mut *out, ZSTD_LEVEL);
            self.write_caches(&folders, &mut blocks)?;
            blocks.finish().map_err(|error| unwritable(TarError::Write(error)))?;
        }
        out.flush().map_err(|error| unwritable(TarError::Write(error)))?;
        Ok(ExportedCaches { caches: folders.into_iter().map(|(id, _)| id).collect(), in_use })
    }

    fn write_caches(&self, folders: &[(CacheId, &Path)], out: &mut dyn Write) -> Result<()> {
        let mut tar = TarWriter::new(out);
        let caches = folders.iter().map(|(id, _)| id.clone()).collect();
        let list = serde_json::to_vec(&List { version: VERSION, caches }).expect("ids are plain text");
        tar.header(&NewEntry::file(LIST, 0o644, list.len() as u64)).map_err(unwritable)?;
        tar.content(&list).and_then(|()| tar.pad()).map_err(unwritable)?;
        for (number, (_, path)) in folders.iter().enumerate() {
            let folder = Folder::open(path).map_err(failed("open", path))?;
            let prefix = number.to_string().into_bytes();
            let mut cache = Cache { store: self, path, folder, prefix, names: HashMap::new() };
            cache.write(&mut tar)?;
        }
        tar.finish().map(drop).map_err(unwritable)
    }
}

/// One cache that is being written.
struct Cache<'a> {
    store: &'a Store,
    path: &'a Path,
    folder: Folder,
    /// The name of its folder in the archive.
    prefix: Vec<u8>,
    /// The first name of each file that has several.
    names: HashMap<u64, Vec<u8>>,
}

impl Cache<'_> {
    fn write(&mut self, tar: &mut TarWriter<&mut dyn Write>) -> Result<()> {
        let read = Facts::read(self.folder.root(), b".", self.store.options());
        let root = read.map_err(failed("read", self.path))?;
        tar.header(&entry(self.prefix.clone(), NewEntryKind::Directory, &root)).map_err(unwritable)?;
        // One list of names for each directory on the way down; paths may be deeper than a stack is.
        let mut open = vec![(Vec::new(), self.children(b"")?.into_iter())];
        while let Some((directory, names)) = open.last_mut() {
            self.store.go_on()?;
            let Some(name) = names.next() else {
                open.pop();
                continue;
            };
            let path = join(directory, &name);
            if self.add(&path, &directory.clone(), &name, tar)? {
                let children = self.children(&path)?.into_iter();
                open.push((path, children));
            }
        }
        Ok(())
    }

    /// Writes what is at `path`; whether it is a directory.
    fn add(
        &mut self,
        path: &[u8],
        directory: &[u8],
        name: &[u8],
        tar: &mut TarWriter<&mut dyn Write>,
    ) -> Result<bool> {
        let options = self.store.options();
        let entered = self.folder.enter(directory).and_then(|parent| Facts::read(parent, name, options));
        let mut facts = entered.map_err(|error| failed("read", self.path.join(shown(path)))(error))?;
        let inside = join(&self.prefix, path);
        let kind = match std::mem::replace(&mut facts.kind, Kind::Socket) {
            Kind::Directory => {
                tar.header(&entry(inside, NewEntryKind::Directory, &facts)).map_err(unwritable)?;
                return Ok(true);
            }
            Kind::Thing(kind) => facts.stands_for.clone().unwrap_or(kind),
            Kind::Socket | Kind::Whiteout => return Ok(false),
        };
        if facts.link_count > 1 {
            if let Some(target) = self.names.get(&facts.inode).cloned() {
                let kind = NewEntryKind::HardLink { target };
                tar.header(&entry(inside, kind, &facts)).map_err(unwritable)?;
                return Ok(false);
            }
            self.names.insert(facts.inode, inside.clone());
        }
        let size = if let NewEntryKind::File { size } = kind { Some(size) } else { None };
        tar.header(&entry(inside, kind, &facts)).map_err(unwritable)?;
        let (Some(size), Some(file)) = (size, facts.file) else { return Ok(false) };
        self.copy(path, file, size, tar)?;
        Ok(false)
    }

    fn copy(
        &self,
        path: &[u8],
        file: std::fs::File,
        size: u64,
        tar: &mut TarWriter<&mut dyn Write>,
    ) -> Result<()> {
        let changed = || Error::Layer(LayerError::ContentLength { path: shown(path), expected: size });
        let mut buffer = vec![0; BUFFER.min(size as usize)];
        let mut content = file.take(size);
        let mut left = size;
        while left > 0 {
            let count = content.read(&mut buffer).map_err(failed("read", self.path.join(shown(path))))?;
            if count == 0 {
                return Err(changed());
            }
            left -= count as u64;
            tar.content(&buffer[..count]).map_err(unwritable)?;
        }
        tar.pad().map_err(unwritable)
    }

    fn children(&mut self, directory: &[u8]) -> Result<Vec<Vec<u8>>> {
        let mut read = || -> std::io::Result<Vec<Vec<u8>>> {
            let mut names = Vec::new();
            for entry in Dir::read_from(self.folder.enter(directory)?)? {
                let name = entry?.file_name().to_bytes().to_vec();
                if name != b"." && name != b".." {
                    names.push(name);
                }
            }
            names.sort_unstable();
            Ok(names)
        };
        let names = read();
        names.map_err(|error| failed("list", self.path.join(shown(directory)))(error))
    }
}

fn entry(path: Vec<u8>, kind: NewEntryKind, facts: &Facts) -> NewEntry {
    let attributes = &facts.attributes;
    NewEntry {
        path,
        kind,
        mode: attributes.mode,
        uid: attributes.uid,
        gid: attributes.gid,
        mtime: attributes.mtime.whole_seconds(None),
        xattrs: attributes.xattrs.clone(),
    }
}

fn unwritable(error: TarError) -> Error {
    match error {
        TarError::Write(source) => Error::Stream { action: "write the archive", source },
        other => other.into(),
    }
}
