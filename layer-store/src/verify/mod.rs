//! Looks whether everything in a store is as it should be, and mends what is not.
//!
//! | what                    | is checked against                                                                  |
//! | ----------------------- | ----------------------------------------------------------------------------------- |
//! | `index.json`            | that it can be read, and that what its names lead to is there                       |
//! | every blob              | its digest; the length that manifests announce                                      |
//! | every blob of a layer   | the diff id; what it holds, against the table of contents and the record            |
//! | every record of a layer | its fields; that it can be read                                                     |
//! | every index             | the table of contents: it is written again, and must come out the same              |
//! | every tree              | the table of contents: see [`mod@tree`]                                             |
//! | every image             | that its manifest, config and layers are here, or that it is known where they are   |
//! | results of steps        | that their layers are here, or that it is known where they are                      |
//! | `ingest/`, `trash/`, `locks/` | what nobody uses any more                                                     |
//!
//! It runs beside anything else. A blob is a file that is never changed, and its name may only come to mean another, good,
//! file; the rest is looked at again under the lock of the layer before anything is said about it.
//!
//! A repair needs the store for itself. It never touches what is good: what is wrong is made again from something that was
//! just found to be good, else fetched from where it was seen, else removed, so that the next build or pull makes it again.

mod blobs;
mod chains;
mod finding;
mod images;
mod layers;
mod leftovers;
mod list;
mod repair;
mod tree;

use std::collections::HashSet;
use std::sync::Mutex;

use tug_oci::{Descriptor, Digest};

pub use finding::{Fault, Finding, LostImage, Outcome, Remedy, Severity};

use crate::error::Result;
use crate::layer::in_parallel;
use crate::lock::Lock;
use crate::store::Store;
use list::{List, Unit};

/// What to look at, and how.
#[derive(Clone, Debug, Default)]
pub struct VerifyOptions {
    /// Read no content: only whether everything is there, and has its length, mode, owner and time.
    pub quick: bool,
    /// Mend what is wrong.
    pub repair: bool,
    /// Look only at what these images need; at everything when there are none.
    pub images: Vec<Descriptor>,
}

/// What was looked at, and what was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// What is not as it should be, what does harm first.
    pub findings: Vec<Finding>,
    /// Images that lack something that nobody has.
    pub lost: Vec<LostImage>,
    /// How many blobs there are.
    pub blobs: usize,
    /// How many layers have a record.
    pub layers: usize,
    /// How many names there are, and images without one.
    pub images: usize,
    /// How many trees could not be looked at: they were made for another user, or for another way to get ids.
    pub foreign_trees: usize,
    /// Bytes of content that were read.
    pub bytes: u64,
    /// Why nothing was mended, though that was asked for: somebody else works in the store.
    pub is_in_use: bool,
}

impl Verified {
    /// How many things are wrong, and still are.
    pub fn wrong(&self) -> usize {
        let is_open = |finding: &&Finding| {
            finding.severity == Severity::Wrong
                && matches!(finding.outcome, Outcome::Found | Outcome::Failed(_))
        };
        self.findings.iter().filter(is_open).count()
    }
}

/// How far it has come, in bytes of content; the total is an estimate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyProgress {
    /// Read.
    pub done: u64,
    /// To be read.
    pub total: u64,
}

/// Tells how far it has come, and whether content is read at all.
pub(crate) struct Watch<'a> {
    reads_content: bool,
    total: u64,
    done: Mutex<u64>,
    report: &'a (dyn Fn(VerifyProgress) + Sync),
}

impl Watch<'_> {
    fn has_read(&self, bytes: u64) {
        let mut done = self.done.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *done += bytes;
        let done = *done;
        (self.report)(VerifyProgress { done, total: self.total.max(done) });
    }
}

/// What is known to be bad, for whoever asks what is lost with it.
#[derive(Debug, Default)]
struct Bad {
    blobs: HashSet<Digest>,
    /// Layers without a good form of their own; a blob may give them back.
    layers: HashSet<Digest>,
    trees: HashSet<Digest>,
}

impl Store {
    /// Looks whether everything in the store is as it should be. `report` is called often, from several threads.
    ///
    /// That something is wrong is no error; an error means that it could not be looked at.
    pub fn verify(
        &self,
        options: &VerifyOptions,
        report: &(dyn Fn(VerifyProgress) + Sync),
    ) -> Result<Verified> {
        let everything = self.hold_everything()?;
        self.unpinned().verify_held(options, everything, report)
    }

    /// The same while `everything` keeps garbage from being collected, until a repair begins.
    fn verify_held(
        &self,
        options: &VerifyOptions,
        everything: Option<Lock>,
        report: &(dyn Fn(VerifyProgress) + Sync),
    ) -> Result<Verified> {
        let list = List::make(self, options)?;
        let watch =
            Watch { reads_content: !options.quick, total: list.bytes(self)?, done: Mutex::new(0), report };
        let mut verified = Verified {
            blobs: list.blobs.len(),
            layers: list.layers.len(),
            images: list.roots.len(),
            findings: list.strays.clone(),
            ..Verified::default()
        };
        let units = list.units();
        let checked = in_parallel(&units, |unit| match unit {
            Unit::Blob(digest) => self.check_blob(digest, &list, &watch).map(|found| (found, false)),
            Unit::Layer(layer) => self.check_layer(layer, &list, &watch),
        })?;
        for (findings, is_foreign) in checked {
            verified.findings.extend(findings);
            verified.foreign_trees += usize::from(is_foreign);
        }
        self.settle_severity(&mut verified.findings, &list)?;
        let bad = Bad::of(&verified.findings);
        for finding in &mut verified.findings {
            finding.doubt_remedy(&bad);
        }
        verified.findings.extend(self.check_chains(&list)?);
        let (names, lost) = self.check_images(&list, &bad)?;
        verified.findings.extend(names);
        verified.lost = lost;
        if list.is_everything {
            verified.findings.extend(self.check_results(&bad)?);
            verified.findings.extend(self.check_leftovers()?);
        }
        drop(everything);
        if options.repair {
            self.repair(&mut verified, &list, options)?;
        }
        verified
            .findings
            .sort_by(|left, right| (left.severity, &left.path).cmp(&(right.severity, &right.path)));
        verified.bytes = watch.done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(verified)
    }
}

impl Bad {
    fn of(findings: &[Finding]) -> Self {
        let mut bad = Self::default();
        for finding in findings {
            match &finding.target {
                finding::Target::Blob(digest) => drop(bad.blobs.insert(digest.clone())),
                finding::Target::Layer(layer) => drop(bad.layers.insert(layer.digest().clone())),
                finding::Target::Tree(layer) => drop(bad.trees.insert(layer.digest().clone())),
                _ => {}
            }
        }
        bad
    }
}
