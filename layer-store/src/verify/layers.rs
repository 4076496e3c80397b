//! Layers: their record, their table of contents, and their tree.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use tug_oci::DiffId;

use super::Watch;
use super::blobs::{blob_name, layer_name, reason};
use super::finding::{Fault, Finding, Remedy, Severity, Target};
use super::list::List;
use super::tree;
use crate::erofs;
use crate::error::{Error, Result};
use crate::layer::{IMPLIED, INDEX, INDEX_VERSION, Record, TOC, TREE, TreeForm};
use crate::store::Store;
use crate::toc::Toc;

impl Store {
    /// What is wrong with the folder of a layer, and whether it has a tree that cannot be looked at from here.
    pub(super) fn check_layer(
        &self,
        layer: &DiffId,
        list: &List,
        watch: &Watch<'_>,
    ) -> Result<(Vec<Finding>, bool)> {
        let found = self.see_layer(layer, list, watch)?;
        if found.0.is_empty() {
            return Ok(found);
        }
        // It may have been made anew, or have got another tree, while we looked.
        let _lock = if self.is_read_only() { None } else { Some(self.lock_layer(layer)?) };
        self.see_layer(layer, list, watch)
    }

    fn see_layer(&self, layer: &DiffId, list: &List, watch: &Watch<'_>) -> Result<(Vec<Finding>, bool)> {
        let folder = self.layer_folder(layer);
        let mut findings = Vec::new();
        let wrong = |name: &str, fault, remedy, target| {
            Finding::wrong(layer_name(layer).join(name), fault, remedy, target)
        };
        let again = || self.remedy_for_layer(layer, list);
        if !folder.exists() {
            return Ok((findings, false));
        }
        let Some(record) = Record::read(&folder)? else {
            let fault = Fault::Damaged("it is no record of a layer".to_owned());
            findings.push(wrong("record.json", fault, again()?, Target::Layer(layer.clone())));
            return Ok((findings, false));
        };
        if record.diff_id != *layer {
            let (recorded, actual) = (record.diff_id.to_string(), layer.to_string());
            let fault = Fault::Field { field: "the layer", recorded, actual };
            findings.push(wrong("record.json", fault, again()?, Target::Layer(layer.clone())));
            return Ok((findings, false));
        }
        let toc = match read_toc(&folder.join(TOC)) {
            Ok(toc) => toc,
            Err(fault) => {
                findings.push(wrong(TOC, fault, again()?, Target::Layer(layer.clone())));
                return Ok((findings, false));
            }
        };
        let mut is_foreign = false;
        if let Some(form) = record.tree {
            is_foreign = form != TreeForm::of(self.options());
            if !is_foreign && let Some(fault) = tree::compare(self, &folder.join(TREE), &toc, form, watch)? {
                let remedy = match again()? {
                    Remedy::MakeAgain { .. } => Remedy::MakeAgain { from: "the blob" },
                    other => other,
                };
                findings.push(wrong(TREE, fault, remedy, Target::Tree(layer.clone())));
            }
        }
        if record.index == Some(INDEX_VERSION)
            && let Some(fault) = compare_index(&folder.join(INDEX), &toc, record.tar_size)?
        {
            let remedy = Remedy::MakeAgain { from: "the table of contents" };
            findings.push(wrong(INDEX, fault, remedy, Target::Index(layer.clone())));
        }
        if self.has_no_blob(layer, list)? {
            let remedy = match record.blob.is_none() && record.tree == Some(TreeForm::of(self.options())) {
                true => Remedy::MakeAgain { from: "the tree" },
                false => Remedy::Remove,
            };
            // It is named as it would be if manifests named the plain tar, as they do for layers made here.
            let blob = record.blob.as_ref().map_or_else(|| layer.digest(), |blob| &blob.digest);
            let target = Target::Blob(layer.digest().clone());
            findings.push(Finding::wrong(blob_name(blob), Fault::Missing, remedy, target));
        }
        if !is_foreign && !record.durable && record.boot_id != self.boot_id() {
            let path = layer_name(layer);
            let target = Target::Durable(layer.clone());
            findings.push(Finding::leftover(path, Fault::NotDurable, Remedy::Vouch, target));
        }
        findings.extend(self.old_implied(layer));
        Ok((findings, is_foreign))
    }

    /// Whether no blob of the layer is here or known to be elsewhere.
    pub(super) fn has_no_blob(&self, layer: &DiffId, list: &List) -> Result<bool> {
        for blob in list.held_by.get(layer).into_iter().flatten() {
            if self.has_blob(blob)? || !self.origins(blob)?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn remedy_for_layer(&self, layer: &DiffId, list: &List) -> Result<Remedy> {
        let blobs = list.held_by.get(layer).into_iter().flatten();
        for blob in blobs.clone() {
            if self.has_blob(blob)? {
                return Ok(Remedy::MakeAgain { from: "its blob" });
            }
        }
        if self.has_blob(layer.digest())? {
            return Ok(Remedy::MakeAgain { from: "its blob" });
        }
        for blob in blobs {
            if let Some(origin) = self.origins(blob)?.into_iter().next() {
                return Ok(Remedy::Fetch { origin });
            }
        }
        Ok(Remedy::Remove)
    }

    /// Folders with directories that a chain lacks, of earlier boots: nobody uses them any more.
    fn old_implied(&self, layer: &DiffId) -> Option<Finding> {
        let folder = self.layer_folder(layer).join(IMPLIED);
        let old = old_implied_in(&folder, self.boot_id());
        if old == 0 {
            return None;
        }
        let fault =
            Fault::LeftBehind { count: old, what: "what chains had before, and is not used any more" };
        let path = layer_name(layer).join(IMPLIED);
        Some(Finding::leftover(path, fault, Remedy::Remove, Target::Implied(folder)))
    }

    /// What was never known to be on the disk is made again by whoever needs it: as long as it can be, nothing is lost.
    /// Layers that are whole need nothing but a word that they are.
    pub(super) fn settle_severity(&self, findings: &mut [Finding], list: &List) -> Result<()> {
        let doubtful: Vec<DiffId> = findings
            .iter()
            .filter_map(|finding| match &finding.target {
                Target::Durable(layer) => Some(layer.clone()),
                _ => None,
            })
            .collect();
        let bad: Vec<_> = findings
            .iter()
            .filter_map(|finding| match &finding.target {
                Target::Blob(digest) => Some(digest.clone()),
                _ => None,
            })
            .collect();
        for layer in &doubtful {
            let blobs = list.held_by.get(layer).into_iter().flatten();
            let can_be_had = blobs.clone().any(|blob| list.blobs.contains(blob) && !bad.contains(blob));
            for finding in findings.iter_mut() {
                match &finding.target {
                    Target::Layer(of) | Target::Tree(of) if of == layer && can_be_had => {
                        finding.severity = Severity::Leftover;
                    }
                    Target::Blob(digest) if digest == layer.digest() && can_be_had => {
                        finding.severity = Severity::Leftover;
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// What is wrong with an index: it is written again, and must come out the same.
fn compare_index(path: &Path, toc: &Toc, tar_size: u64) -> Result<Option<Fault>> {
    compare_with(path, |out| Ok(erofs::write(toc, tar_size, out).is_ok()))
}

/// The same for whatever `write` writes, which says whether all of it was taken.
pub(super) fn compare_with(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> Result<bool>,
) -> Result<Option<Fault>> {
    let opened = match File::open(path) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(Fault::Missing)),
        Err(error) => return Ok(Some(Fault::Unreadable(error.to_string()))),
    };
    let mut same = Same { file: BufReader::new(opened), buffer: Vec::new() };
    let mut out = BufWriter::new(&mut same);
    if !write(&mut out)? || out.flush().is_err() {
        return Ok(Some(Fault::Index));
    }
    drop(out);
    Ok(match same.file.read(&mut [0]) {
        Ok(0) => None,
        _ => Some(Fault::Index),
    })
}

/// Takes what a file has, and nothing else.
struct Same {
    file: BufReader<File>,
    buffer: Vec<u8>,
}

impl Write for Same {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.resize(bytes.len(), 0);
        self.file.read_exact(&mut self.buffer)?;
        if self.buffer == bytes { Ok(bytes.len()) } else { Err(io::ErrorKind::InvalidData.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// How many folders of other boots there are.
pub(super) fn old_implied_in(folder: &Path, boot_id: &str) -> usize {
    crate::garbage::names_in(folder).map_or(0, |names| {
        names.iter().filter(|path| super::chains::is_old(super::list::name_of(path), boot_id)).count()
    })
}

fn read_toc(path: &Path) -> std::result::Result<Toc, Fault> {
    match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Fault::Missing),
        Err(error) => Err(Fault::Unreadable(reason(&crate::error::failed("read", path)(error)))),
        Ok(bytes) => Toc::from_bytes(bytes).map_err(|error| Fault::Damaged(error.to_string())),
    }
}

/// Whether an error says that something is lost, and not that it could not be looked at.
pub(super) fn is_about_missing(error: &Error) -> bool {
    matches!(
        error,
        Error::MissingBlob { .. }
            | Error::BlobDamaged { .. }
            | Error::MissingLayer(_)
            | Error::Document { .. }
    )
}
