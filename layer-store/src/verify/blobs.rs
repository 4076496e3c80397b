//! Blobs: their digest, their length, and what those that hold layers hold.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use tug_oci::{DiffId, Digest, Hasher};

use super::Watch;
use super::finding::{Fault, Finding, Remedy, Target};
use super::list::List;
use crate::entry::shown;
use crate::error::{Error, Result, failed};
use crate::file;
use crate::layer::{Record, Surveyed, TOC, TreeForm};
use crate::store::Store;
use crate::toc::{RecordKind, Toc};

/// So often a file is read again because another one has taken its name.
const MOST_ROUNDS: usize = 4;
const BUFFER: usize = 256 * 1024;

/// What was seen of one blob.
enum Seen {
    Gone,
    Bad(Fault),
    Good(Option<Surveyed>),
}

impl Store {
    /// What is wrong with a blob, and with the layers that it holds. One that is gone meanwhile is not wrong.
    pub(super) fn check_blob(&self, digest: &Digest, list: &List, watch: &Watch<'_>) -> Result<Vec<Finding>> {
        let path = self.blob_path(digest);
        let mut seen = Seen::Gone;
        for _ in 0..MOST_ROUNDS {
            let Some(before) = inode(&path) else { return Ok(Vec::new()) };
            seen = self.see_blob(digest, list, watch)?;
            // Another file has the name now, and is good as like as not.
            if matches!(seen, Seen::Good(_)) || inode(&path) == Some(before) {
                break;
            }
        }
        let bad = |fault| {
            let remedy = self.remedy_for_blob(digest, list)?;
            let target = Target::Blob(digest.clone());
            Ok(vec![Finding::wrong(blob_name(digest), fault, remedy, target)])
        };
        match seen {
            Seen::Gone => Ok(Vec::new()),
            Seen::Bad(fault) => bad(fault),
            Seen::Good(None) => Ok(Vec::new()),
            Seen::Good(Some(surveyed)) => {
                let layers = list.holds.get(digest).into_iter().flatten();
                let other = layers.clone().find(|layer| **layer != surveyed.diff_id);
                if other.is_some() {
                    return bad(Fault::OtherLayer(surveyed.diff_id));
                }
                let mut findings = Vec::new();
                for layer in layers {
                    findings.extend(self.check_against_tar(layer, &surveyed)?);
                }
                Ok(findings)
            }
        }
    }

    fn see_blob(&self, digest: &Digest, list: &List, watch: &Watch<'_>) -> Result<Seen> {
        let path = self.blob_path(digest);
        match std::fs::symlink_metadata(&path) {
            Ok(metadata) if !metadata.is_file() => return Ok(Seen::Bad(Fault::NotAFile)),
            Ok(metadata) => {
                let actual = metadata.len();
                if let Some(expected) = self.expected_size(digest, list)
                    && expected != actual
                {
                    return Ok(Seen::Bad(Fault::Size { expected, actual }));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Seen::Gone),
            Err(error) => return Err(failed("look at", &path)(error)),
        }
        if !watch.reads_content {
            return Ok(Seen::Good(None));
        }
        let opened = match file::open(&path) {
            Ok(Some(opened)) => opened,
            Ok(None) => return Ok(Seen::Gone),
            Err(error) => return Ok(Seen::Bad(Fault::Unreadable(reason(&error)))),
        };
        let mut source =
            Hashing { file: opened, hasher: Hasher::new(digest.algorithm()), watch, store: self };
        let surveyed = match list.holds.get(digest) {
            Some(layers) if !layers.is_empty() => Some(self.survey_layer(&mut source)),
            _ => None,
        };
        // Damaged bytes make all kinds of errors. Only all of them together show their digest.
        let read_to_the_end = io::copy(&mut source, &mut io::sink());
        self.go_on()?;
        if let Err(error) = read_to_the_end {
            return Ok(Seen::Bad(Fault::Unreadable(error.to_string())));
        }
        let actual = source.hasher.finish();
        if actual != *digest {
            return Ok(Seen::Bad(Fault::Content(actual)));
        }
        Ok(match surveyed {
            None => Seen::Good(None),
            Some(Ok(surveyed)) => Seen::Good(Some(surveyed)),
            Some(Err(Error::Stopped)) => return Err(Error::Stopped),
            Some(Err(error)) => Seen::Bad(Fault::NotALayer(reason(&error))),
        })
    }

    /// What manifests announce; for a plain tar without one, what the record says.
    fn expected_size(&self, digest: &Digest, list: &List) -> Option<u64> {
        list.announced.get(digest).map(|descriptor| descriptor.size)
    }

    /// Whether record and table of contents of a layer say what its tar says.
    fn check_against_tar(&self, layer: &DiffId, surveyed: &Surveyed) -> Result<Option<Finding>> {
        let found = self.compare_with_tar(layer, surveyed)?;
        if found.is_none() {
            return Ok(None);
        }
        // Somebody may have made it anew between two of the things that were read.
        let _lock = if self.is_read_only() { None } else { Some(self.lock_layer(layer)?) };
        self.compare_with_tar(layer, surveyed)
    }

    fn compare_with_tar(&self, layer: &DiffId, surveyed: &Surveyed) -> Result<Option<Finding>> {
        let folder = self.layer_folder(layer);
        let Some(record) = Record::read(&folder)? else { return Ok(None) };
        let wrong = |name: &str, fault| {
            let remedy = Remedy::MakeAgain { from: "its blob" };
            let path = layer_name(layer).join(name);
            Some(Finding::wrong(path, fault, remedy, Target::Layer(layer.clone())))
        };
        let fields = [
            ("the length of the tar", record.tar_size, surveyed.tar_size),
            ("the length of its files", record.content_size, surveyed.content_size),
        ];
        for (field, recorded, actual) in fields {
            if recorded != actual {
                let (recorded, actual) = (recorded.to_string(), actual.to_string());
                return Ok(wrong("record.json", Fault::Field { field, recorded, actual }));
            }
        }
        let Ok(bytes) = std::fs::read(folder.join(TOC)) else { return Ok(None) };
        if bytes == surveyed.toc.as_bytes() {
            return Ok(None);
        }
        // That it cannot be read is found with the layer.
        let Ok(toc) = Toc::from_bytes(bytes) else { return Ok(None) };
        Ok(disagreement(&toc, &surveyed.toc).and_then(|fault| wrong(TOC, fault)))
    }

    fn remedy_for_blob(&self, digest: &Digest, list: &List) -> Result<Remedy> {
        if let Some(layer) = list.holds.get(digest).and_then(|layers| layers.first())
            && layer.digest() == digest
        {
            let others = list.held_by.get(layer).into_iter().flatten();
            let has_other = others.filter(|other| *other != digest).any(|other| list.blobs.contains(other));
            if has_other {
                return Ok(Remedy::MakeAgain { from: "the compressed blob" });
            }
            let record = Record::read(&self.layer_folder(layer))?;
            let form = Some(TreeForm::of(self.options()));
            if record.is_some_and(|record| record.blob.is_none() && record.tree == form) {
                return Ok(Remedy::MakeAgain { from: "the tree" });
            }
        }
        Ok(match self.origins(digest)?.into_iter().next() {
            Some(origin) => Remedy::Fetch { origin },
            None => Remedy::Remove,
        })
    }
}

/// What two tables of the same layer disagree about. Names of one file have what the file has, whatever a tar says
/// about them.
fn disagreement(recorded: &Toc, actual: &Toc) -> Option<Fault> {
    let (mut left, mut right) = (recorded.records().peekable(), actual.records().peekable());
    let mut first = None;
    let mut count = 0;
    let mut note = |path: &[u8]| {
        first.get_or_insert_with(|| shown(path));
        count += 1;
    };
    loop {
        match (left.peek(), right.peek()) {
            (None, None) => break,
            (Some(one), None) => {
                note(one.path);
                left.next();
            }
            (None, Some(other)) => {
                note(other.path);
                right.next();
            }
            (Some(one), Some(other)) => match one.order(other) {
                std::cmp::Ordering::Less => {
                    note(one.path);
                    left.next();
                }
                std::cmp::Ordering::Greater => {
                    note(other.path);
                    right.next();
                }
                std::cmp::Ordering::Equal => {
                    let is_link = matches!(one.kind, RecordKind::HardLink(_));
                    let is_same = one.kind == other.kind
                        && (is_link
                            || (one.mode, one.uid, one.gid, one.mtime)
                                == (other.mode, other.uid, other.gid, other.mtime)
                                && one.xattrs() == other.xattrs());
                    if !is_same {
                        note(one.path);
                    }
                    left.next();
                    right.next();
                }
            },
        }
    }
    first.map(|path| Fault::Contents { path, more: count - 1 })
}

/// Where a blob is, below the folder of the store.
pub(super) fn blob_name(digest: &Digest) -> PathBuf {
    PathBuf::from("blobs").join(digest.algorithm().name()).join(digest.hex())
}

/// Where a layer is, below the folder of the store.
pub(super) fn layer_name(layer: &DiffId) -> PathBuf {
    PathBuf::from("layers").join(layer.hex())
}

/// An error with what caused it, in one line.
pub(super) fn reason(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn inode(path: &std::path::Path) -> Option<(u64, u64)> {
    std::fs::symlink_metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

struct Hashing<'a> {
    file: File,
    hasher: Hasher,
    watch: &'a Watch<'a>,
    store: &'a Store,
}

impl Read for Hashing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.store.go_on().is_err() {
            return Err(io::ErrorKind::Other.into());
        }
        let room = buffer.len().min(BUFFER);
        let count = self.file.read(&mut buffer[..room])?;
        self.hasher.update(&buffer[..count]);
        self.watch.has_read(count as u64);
        Ok(count)
    }
}
