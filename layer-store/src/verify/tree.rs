//! Compares the tree of a layer with its table of contents.
//!
//! | of each path       | compared                                                                              |
//! | ------------------ | ------------------------------------------------------------------------------------- |
//! | everything         | that it is there, and nothing else beside it                                          |
//! | kind               | what it is; devices where they can be made, else the files that stand for them        |
//! | mode, owner        | as in the table; owners where they were recorded, from their attribute                 |
//! | time               | as far as file systems keep it: times before 1970 or after 2038 are not compared       |
//! | attributes         | those that layers keep                                                                |
//! | content            | by its digest, unless only what is quick is wanted                                    |
//! | links              | that names of one file are names of one file                                          |
//! | opaque directories | that they are marked so                                                               |
//!
//! Numbers of links are not compared: equal files of several layers may be one file.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use rustix::fs::{AtFlags, statat};
use tug_oci::{Digest, Hasher};

use super::Watch;
use super::finding::Fault;
use crate::entry::{Mtime, NewEntryKind, shown, split};
use crate::error::Result;
use crate::folder::Folder;
use crate::layer::{Facts, Kind, TreeForm, names_in};
use crate::store::{Owners, Store, StoreOptions};
use crate::toc::{Record, RecordKind, Toc};
use crate::tree::Attributes;

/// The first time that every file system can keep, and the first that some cannot.
const TIMES: std::ops::Range<i64> = 0..1 << 31;
const BUFFER: usize = 256 * 1024;

/// What is wrong with the tree at `path`; `None` when it is as `toc` says.
pub(super) fn compare(
    store: &Store,
    path: &Path,
    toc: &Toc,
    form: TreeForm,
    watch: &Watch<'_>,
) -> Result<Option<Fault>> {
    let folder = match Folder::open(path) {
        Ok(folder) => folder,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Fault::Missing)),
        Err(error) => return Ok(Some(Fault::Unreadable(error.to_string()))),
    };
    let options = StoreOptions {
        owners: if form.recorded_owners { Owners::Recorded } else { Owners::Real },
        in_user_namespace: form.user_attributes,
        ..store.options().clone()
    };
    let ids = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let mut comparison =
        Comparison { store, folder, toc, options, ids, watch, first: None, count: 0, buffer: Vec::new() };
    comparison.run()?;
    let more = comparison.count.saturating_sub(1);
    Ok(comparison.first.map(|(path, what)| Fault::Tree { path, what, more }))
}

struct Comparison<'a> {
    store: &'a Store,
    folder: Folder,
    toc: &'a Toc,
    options: StoreOptions,
    ids: (u32, u32),
    watch: &'a Watch<'a>,
    first: Option<(String, String)>,
    count: usize,
    buffer: Vec<u8>,
}

impl Comparison<'_> {
    fn run(&mut self) -> Result<()> {
        let toc = self.toc;
        let first = usize::from(toc.root_is_opaque());
        self.names(b"", first..toc.len());
        // Where names of hard links lead, by the place of their target.
        let mut inodes: HashMap<usize, u64> = HashMap::new();
        for index in 0..toc.len() {
            self.store.go_on()?;
            let record = toc.record(index);
            if record.kind == RecordKind::Opaque {
                continue;
            }
            if let RecordKind::HardLink(target) = record.kind {
                self.link(record.path, target, &mut inodes);
                continue;
            }
            match self.facts(record.path) {
                Ok(facts) => {
                    let is_opaque = toc.is_opaque(index);
                    self.entry(&record, facts, is_opaque);
                }
                Err(error) => self.wrong_read(record.path, &error),
            }
            if record.is_directory() {
                self.names(record.path, toc.inside(index));
            }
        }
        Ok(())
    }

    /// Whether a directory has other names in it than the table; `inside` are the records inside of it.
    fn names(&mut self, path: &[u8], inside: std::ops::Range<usize>) {
        let found = self.folder.enter(path).and_then(names_in);
        let Ok(found) = found else { return };
        let mut known: Vec<&[u8]> = Vec::new();
        let mut at = inside.start;
        while at < inside.end {
            let (directory, name) = split(self.toc.path(at));
            if directory == path {
                known.push(name);
            }
            at = self.toc.next_beside(at).max(at + 1);
        }
        for name in found {
            if known.binary_search(&name.as_slice()).is_err() {
                self.wrong(&crate::entry::join(path, &name), "is not in the layer");
            }
        }
    }

    fn facts(&mut self, path: &[u8]) -> io::Result<Facts> {
        let (directory, name) = split(path);
        Facts::read(self.folder.enter(directory)?, name, &self.options)
    }

    fn link(&mut self, path: &[u8], target: &[u8], inodes: &mut HashMap<usize, u64>) {
        let Some(place) = self.toc.find(target) else {
            return self.wrong(path, "is a link to what the layer does not have");
        };
        let of_target = match inodes.get(&place) {
            Some(inode) => *inode,
            // That it is missing is said elsewhere.
            None => match self.inode(target) {
                Ok(inode) => *inodes.entry(place).or_insert(inode),
                Err(_) => return,
            },
        };
        match self.inode(path) {
            Ok(inode) if inode == of_target => {}
            Ok(_) => self.wrong(path, &format!("is no longer the same file as `{}`", shown(target))),
            Err(error) => self.wrong_read(path, &error),
        }
    }

    fn inode(&mut self, path: &[u8]) -> io::Result<u64> {
        let (directory, name) = split(path);
        Ok(statat(self.folder.enter(directory)?, name, AtFlags::SYMLINK_NOFOLLOW)?.st_ino)
    }

    fn entry(&mut self, record: &Record<'_>, mut facts: Facts, is_opaque: bool) {
        let path = record.path;
        if let Some(device) = facts.stands_for.take() {
            facts.kind = Kind::Thing(device);
        }
        if let Err(found) = self.kind(record, &facts) {
            return self.wrong(path, &found);
        }
        if record.kind == RecordKind::Whiteout {
            return;
        }
        let wanted = Attributes::of(record);
        let found = &facts.attributes;
        let is_symlink = matches!(record.kind, RecordKind::Symlink(_));
        if !is_symlink && found.mode != wanted.mode {
            return self.wrong(path, &format!("has the mode {:o}, not {:o}", found.mode, wanted.mode));
        }
        if !self.owner_is(&wanted, &facts) {
            let (uid, gid) = (found.uid, found.gid);
            return self.wrong(path, &format!("belongs to {uid}:{gid}, not {}:{}", wanted.uid, wanted.gid));
        }
        if !is_time(found.mtime, wanted.mtime) {
            let (found, wanted) = (found.mtime.seconds, wanted.mtime.seconds);
            return self.wrong(path, &format!("has the time {found}, not {wanted}"));
        }
        if facts.file.is_some() && found.xattrs != wanted.xattrs {
            let names = found.xattrs.keys().chain(wanted.xattrs.keys());
            let differs = |name: &&Vec<u8>| found.xattrs.get(*name) != wanted.xattrs.get(*name);
            let name = names.into_iter().find(differs).map_or_else(String::new, |name| shown(name));
            return self.wrong(path, &format!("has another attribute `{name}`"));
        }
        if record.is_directory() && is_opaque != facts.is_opaque {
            return self.wrong(path, "does not hide what it should, or hides what it should not");
        }
        if let (RecordKind::File(content), Some(file), true) =
            (record.kind, &facts.file, self.watch.reads_content)
        {
            match self.digest(file) {
                Ok(digest) if digest == Digest::from_sha256(content.sha256) => {}
                Ok(_) => self.wrong(path, "has another content"),
                Err(error) => self.wrong_read(path, &error),
            }
        }
    }

    fn kind(&self, record: &Record<'_>, facts: &Facts) -> std::result::Result<(), String> {
        let is_right = match (record.kind, &facts.kind) {
            (RecordKind::Directory | RecordKind::Implied, Kind::Directory)
            | (RecordKind::Whiteout, Kind::Whiteout)
            | (RecordKind::Fifo, Kind::Thing(NewEntryKind::Fifo)) => true,
            (RecordKind::File(wanted), Kind::Thing(NewEntryKind::File { size })) => {
                if wanted.size != *size {
                    return Err(format!("has {size} bytes, not {}", wanted.size));
                }
                true
            }
            (RecordKind::Symlink(wanted), Kind::Thing(NewEntryKind::Symlink { target })) => {
                if wanted != target.as_slice() {
                    return Err(format!("leads to `{}`, not to `{}`", shown(target), shown(wanted)));
                }
                true
            }
            (
                RecordKind::CharDevice(wanted_major, wanted_minor),
                Kind::Thing(NewEntryKind::CharDevice { major, minor }),
            )
            | (
                RecordKind::BlockDevice(wanted_major, wanted_minor),
                Kind::Thing(NewEntryKind::BlockDevice { major, minor }),
            ) => (wanted_major, wanted_minor) == (*major, *minor),
            _ => false,
        };
        if is_right { Ok(()) } else { Err("is something else".to_owned()) }
    }

    /// Owners that files cannot have are an attribute where there is one; links and pipes have none.
    fn owner_is(&self, wanted: &Attributes, facts: &Facts) -> bool {
        let found = (facts.attributes.uid, facts.attributes.gid);
        let wanted = (wanted.uid, wanted.gid);
        found == wanted
            || self.options.owners == Owners::Recorded
                && (facts.file.is_none() || found == self.ids && wanted == (0, 0))
    }

    fn digest(&mut self, file: &File) -> io::Result<Digest> {
        self.buffer.resize(BUFFER, 0);
        let mut hasher = Hasher::sha256();
        let mut file = file;
        loop {
            let count = match file.read(&mut self.buffer) {
                Ok(0) => return Ok(hasher.finish()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            hasher.update(&self.buffer[..count]);
            self.watch.has_read(count as u64);
        }
    }

    fn wrong_read(&mut self, path: &[u8], error: &io::Error) {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => self.wrong(path, "is missing"),
            _ => self.wrong(path, &format!("cannot be read: {error}")),
        }
    }

    fn wrong(&mut self, path: &[u8], what: &str) {
        self.count += 1;
        self.first.get_or_insert_with(|| (shown(path), what.to_owned()));
    }
}

fn is_time(found: Mtime, wanted: Mtime) -> bool {
    !TIMES.contains(&wanted.seconds)
        || found.seconds == wanted.seconds && (found.nanos == wanted.nanos || found.nanos == 0)
}
