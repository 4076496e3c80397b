//! Mends what was found, from what was just found to be good.
//!
//! | what is wrong        | first                                             | else                | else               |
//! | -------------------- | ------------------------------------------------- | ------------------- | ------------------ |
//! | `index.json`         | the entries that can be read, and all images      |                     |                    |
//! | the tar of a layer   | from the compressed blob, or from the tree        | fetched             | removed            |
//! | another blob         |                                                   | fetched             | removed            |
//! | record, table        | from the tar, or from the compressed blob         | fetched             | removed            |
//! | tree, index          | from the tar, or from the compressed blob         | fetched             | removed            |
//! | name of an image     | what it lacks is fetched                          |                     | removed, and told  |
//! | results, leftovers   |                                                   |                     | removed            |
//!
//! What is removed is made again by the next build or pull that needs it. It happens under the exclusive lock of the store:
//! nobody has a tree mounted that is replaced.

use std::collections::HashSet;

use tug_oci::{Descriptor, DiffId, Digest, media_type};

use super::blobs::reason;
use super::finding::{Finding, Outcome, Target};
use super::layers::old_implied_in;
use super::list::List;
use super::{Bad, Severity, Verified, VerifyOptions};
use crate::compression::{Decompressed, DecompressionLimits};
use crate::entry::{EntryKind, NewEntry, NewEntryKind};
use crate::error::{Error, Result, failed};
use crate::fetch::Wanted;
use crate::file::Durability;
use crate::layer::{Derive, INDEX, LayerWriterOptions, Mountable, Record, TREE};
use crate::store::Store;
use crate::toc::{self, RecordKind};
use crate::trash;

impl Store {
    /// Mends what `verified` holds and notes there what became of each thing.
    pub(super) fn repair(&self, verified: &mut Verified, list: &List, options: &VerifyOptions) -> Result<()> {
        if verified.findings.is_empty() {
            return Ok(());
        }
        let done = self.alone(|_| {
            let mut findings = std::mem::take(&mut verified.findings);
            // What others are made from comes first.
            findings.sort_by_key(|finding| order(&finding.target));
            for finding in &mut findings {
                // What was not read cannot be vouched for.
                let is_read = !options.quick || !matches!(finding.target, Target::Durable(_));
                if is_read && !matches!(finding.target, Target::Name { .. } | Target::CacheRecord(_)) {
                    finding.outcome = self.mend(finding, list)?;
                }
            }
            self.mend_images(&mut findings, verified, list)?;
            verified.findings = findings;
            Ok(())
        })?;
        verified.is_in_use = done.is_none();
        self.trash().empty()
    }

    fn mend(&self, finding: &Finding, list: &List) -> Result<Outcome> {
        let mended = match &finding.target {
            Target::Names => self.salvage_index().map(|()| Outcome::Mended),
            Target::Blob(digest) => self.mend_blob(digest, list),
            Target::Layer(layer) => self.mend_layer(layer, list),
            Target::Tree(layer) => self.mend_tree(layer, list),
            Target::Index(layer) => self.mend_index(layer),
            Target::ChainIndex(path) => self.trash().bury(path).map(|()| Outcome::Mended),
            Target::Durable(layer) => self.vouch(layer),
            Target::Stray(path) => self.trash().bury(path).map(|()| Outcome::Removed),
            Target::LeftBehind => {
                self.remove_idle_locks()?;
                self.remove_left_behind().map(|()| Outcome::Removed)
            }
            Target::Implied(folder) => {
                for path in crate::garbage::names_in(folder)? {
                    if super::chains::is_old(super::list::name_of(&path), self.boot_id()) {
                        self.trash().bury(&path)?;
                    }
                }
                debug_assert_eq!(old_implied_in(folder, self.boot_id()), 0);
                Ok(Outcome::Removed)
            }
            Target::Name { .. } | Target::CacheRecord(_) => return Ok(Outcome::Found),
        };
        match mended {
            Err(Error::Stopped) => Err(Error::Stopped),
            Err(error) => Ok(Outcome::Failed(reason(&error))),
            Ok(outcome) => Ok(outcome),
        }
    }

    /// A damaged blob goes at once: nothing is made from it any more, and what is fetched takes its place.
    fn mend_blob(&self, digest: &Digest, list: &List) -> Result<Outcome> {
        self.trash().bury(&self.blob_path(digest))?;
        let layer = list.holds.get(digest).and_then(|layers| layers.first());
        if let Some(layer) = layer.filter(|layer| layer.digest() == digest)
            && (self.tar_from_compressed(layer, list)? || self.tar_from_tree(layer)?)
        {
            return Ok(Outcome::Mended);
        }
        if let Some(descriptor) = list.announced.get(digest)
            && self.fetched(descriptor, None)?
        {
            return Ok(Outcome::Mended);
        }
        // What nothing can be made from any more is no layer.
        for layer in list.holds.get(digest).into_iter().flatten() {
            if self.has_no_blob(layer, list)? {
                self.tocs().forget(layer);
                self.trash().bury(&self.layer_folder(layer))?;
            }
        }
        Ok(Outcome::Removed)
    }

    fn tar_from_compressed(&self, layer: &DiffId, list: &List) -> Result<bool> {
        for blob in list.held_by.get(layer).into_iter().flatten().filter(|blob| *blob != layer.digest()) {
            let Some(opened) = self.open_blob(blob)? else { continue };
            let mut writer = self.blob_writer_for(layer.digest(), Durability::Synced)?;
            let unpacked = Decompressed::new(opened, DecompressionLimits::default())
                .and_then(|mut plain| std::io::copy(&mut plain, &mut writer));
            match unpacked {
                Ok(_) => match writer.finish_as(layer.digest()) {
                    Err(Error::DigestMismatch { .. }) => {}
                    other => return other.map(|_| true),
                },
                Err(error) => {
                    let error = writer.failure(error);
                    if error.is_disk_full() {
                        return Err(error);
                    }
                }
            }
        }
        Ok(false)
    }

    /// Layers that were made here have one tar only that fits their table of contents: it is written again.
    fn tar_from_tree(&self, layer: &DiffId) -> Result<bool> {
        let Some(known) = self.layer(layer)?.filter(|known| known.tree().is_some()) else { return Ok(false) };
        let toc = known.toc()?;
        let view = self.view(std::slice::from_ref(layer))?;
        let mut writer = self.layer_writer(&LayerWriterOptions::default())?;
        for record in toc.records() {
            let Some(new) = new_entry(&record) else { continue };
            let written = match view.lookup(record.path) {
                Some(node) if matches!(record.kind, RecordKind::File(_)) => {
                    let mut content = view.open(&node)?;
                    writer.add(&new, Some(&mut content))
                }
                _ => writer.add(&new, None),
            };
            match written {
                Ok(_) => {}
                // It is no tar of ours, or the tree is damaged as well.
                Err(Error::Layer(_)) => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        writer.finish_tar_as(layer)
    }

    fn fetched(&self, descriptor: &Descriptor, layer: Option<&DiffId>) -> Result<bool> {
        let wanted = match layer {
            Some(layer) => Wanted::layer(layer, descriptor, Mountable::Later),
            None => Wanted::blob(descriptor),
        };
        match self.bring([wanted]) {
            Ok(()) => self.has_blob(&descriptor.digest),
            Err(error @ Error::Stopped) => Err(error),
            Err(error) if error.is_disk_full() => Err(error),
            // What its registry does not have either is lost.
            Err(_) => Ok(false),
        }
    }

    /// Record and table of contents are made again; a tree is, once somebody needs it.
    fn mend_layer(&self, layer: &DiffId, list: &List) -> Result<Outcome> {
        let lock = self.lock_layer(layer)?;
        let folder = self.layer_folder(layer);
        let recorded = Record::read(&folder)?.and_then(|record| record.blob);
        self.tocs().forget(layer);
        self.trash().bury(&folder)?;
        for blob in self.sources(layer, recorded, list) {
            if !self.has_blob(&blob.digest)? {
                continue;
            }
            match self.derive_layer(layer, &blob, Derive::Nothing, &lock) {
                Ok(_) => return Ok(Outcome::Mended),
                Err(error) if error.is_disk_full() || matches!(error, Error::Stopped) => return Err(error),
                Err(_) => {}
            }
        }
        drop(lock);
        for blob in list.held_by.get(layer).into_iter().flatten() {
            if let Some(descriptor) = list.announced.get(blob)
                && self.fetched(descriptor, Some(layer))?
            {
                return Ok(Outcome::Mended);
            }
        }
        Ok(Outcome::Removed)
    }

    /// The blobs that a layer may be made from: as it came, then as manifests name it, then the plain tar.
    fn sources(&self, layer: &DiffId, recorded: Option<Descriptor>, list: &List) -> Vec<Descriptor> {
        let plain = Descriptor::new(media_type::OCI_LAYER, layer.digest().clone(), 0);
        let named = list.held_by.get(layer).into_iter().flatten();
        let named = named.filter_map(|blob| list.announced.get(blob)).cloned();
        let mut seen = HashSet::new();
        let mut all: Vec<Descriptor> = recorded.into_iter().chain(named).chain([plain]).collect();
        all.retain(|blob| seen.insert(blob.digest.clone()));
        all
    }

    fn mend_tree(&self, layer: &DiffId, list: &List) -> Result<Outcome> {
        {
            let _lock = self.lock_layer(layer)?;
            let folder = self.layer_folder(layer);
            let Some(record) = Record::read(&folder)? else { return self.mend_layer(layer, list) };
            Record { tree: None, ..record }.write(&folder)?;
            self.trash().bury(&folder.join(TREE))?;
        }
        let Some(known) = self.layer(layer)? else { return Ok(Outcome::Removed) };
        match known.make_tree() {
            Ok(_) => Ok(Outcome::Mended),
            Err(Error::MissingBlob { .. } | Error::MissingLayer(_) | Error::Fetch(_)) => {
                self.tocs().forget(layer);
                self.trash().bury(&self.layer_folder(layer))?;
                Ok(Outcome::Removed)
            }
            Err(error) => Err(error),
        }
    }

    /// An index is written anew once somebody wants to mount it.
    fn mend_index(&self, layer: &DiffId) -> Result<Outcome> {
        let _lock = self.lock_layer(layer)?;
        let folder = self.layer_folder(layer);
        let Some(record) = Record::read(&folder)? else { return Ok(Outcome::Removed) };
        Record { index: None, ..record }.write(&folder)?;
        self.trash().bury(&folder.join(INDEX))?;
        Ok(Outcome::Mended)
    }

    /// All of it was just read, so the disk has it once it was synced.
    fn vouch(&self, layer: &DiffId) -> Result<Outcome> {
        let root = std::fs::File::open(self.root()).map_err(failed("open", self.root()))?;
        rustix::fs::syncfs(&root).map_err(failed("sync", self.root()))?;
        let _lock = self.lock_layer(layer)?;
        let folder = self.layer_folder(layer);
        let Some(record) = Record::read(&folder)? else { return Ok(Outcome::Removed) };
        Record { durable: true, ..record }.write(&folder)?;
        Ok(Outcome::Mended)
    }

    /// Names come last: some of what they lead to is there again.
    fn mend_images(&self, findings: &mut Vec<Finding>, verified: &mut Verified, list: &List) -> Result<()> {
        let mut again = List { roots: self.roots()?, ..List::default() };
        if !list.is_everything {
            again.roots.retain(|(_, root)| list.roots.iter().any(|(_, known)| known.digest == root.digest));
        }
        for (layer, blobs) in &list.held_by {
            let record = Record::read(&self.layer_folder(layer))?;
            if record.is_none() && !self.has_blob(layer.digest())? {
                for blob in blobs.iter().filter_map(|blob| list.announced.get(blob)) {
                    // Lazily pulled layers stay where they are.
                    if findings.iter().any(|finding| is_about(&finding.target, &blob.digest, layer)) {
                        self.fetched(blob, Some(layer))?;
                    }
                }
            }
        }
        let (mut names, lost) = self.check_images(&again, &Bad::default())?;
        for finding in findings.iter_mut() {
            if matches!(finding.target, Target::Name { .. }) {
                let is_lost = names.iter().any(|other| other.target == finding.target);
                finding.outcome = if is_lost { Outcome::Removed } else { Outcome::Mended };
            }
        }
        names.retain(|new| findings.iter().all(|known| known.target != new.target));
        for name in &mut names {
            name.outcome = Outcome::Removed;
        }
        findings.extend(names);
        for image in &lost {
            match &image.name {
                Some(name) => drop(self.untag(name)?),
                None => drop(self.forget(&image.digest)?),
            }
        }
        verified.lost = lost;
        self.mend_results(findings)
    }

    fn mend_results(&self, findings: &mut Vec<Finding>) -> Result<()> {
        if !findings.iter().any(|finding| finding.severity == Severity::Wrong)
            && !findings.iter().any(|finding| matches!(finding.target, Target::CacheRecord(_)))
        {
            return Ok(());
        }
        findings.retain(|finding| !matches!(finding.target, Target::CacheRecord(_)));
        for mut finding in self.check_results(&Bad::default())? {
            if let Target::CacheRecord(path) = &finding.target {
                trash::remove(path).map_err(failed("remove", path))?;
                finding.outcome = Outcome::Removed;
            }
            findings.push(finding);
        }
        Ok(())
    }
}

/// What a tar has to say about an entry; nothing about what only foreign tars have.
fn new_entry(record: &toc::Record<'_>) -> Option<NewEntry> {
    let entry = record.to_entry()?;
    let kind = match &entry.kind {
        EntryKind::HardLink { target } => NewEntryKind::HardLink { target: target.clone() },
        EntryKind::Whiteout => NewEntryKind::Whiteout,
        other => other.to_new()?,
    };
    Some(entry.to_new(kind))
}

fn is_about(target: &Target, blob: &Digest, layer: &DiffId) -> bool {
    match target {
        Target::Blob(digest) => digest == blob || digest == layer.digest(),
        Target::Layer(other) | Target::Tree(other) => other == layer,
        Target::Name { .. } => true,
        _ => false,
    }
}

fn order(target: &Target) -> u8 {
    match target {
        Target::Names => 0,
        Target::Blob(_) => 1,
        Target::Layer(_) => 2,
        Target::Tree(_) | Target::Index(_) => 3,
        Target::Durable(_) => 4,
        _ => 5,
    }
}
