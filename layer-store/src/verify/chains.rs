//! Indexes of whole chains: whether they are what would be written now.
//!
//! They are called by the digest of their chain, so only those are known of which an image has the layers. What else there
//! may be belongs to images that are gone, and to results of steps.

use std::collections::HashSet;
use std::io;
use std::path::PathBuf;

use tug_oci::DiffId;

use super::finding::{Fault, Finding, Remedy, Target};
use super::layers::compare_with;
use super::list::{List, name_of};
use crate::error::Result;
use crate::layer::{IMPLIED, INDEX_VERSION, Layer};
use crate::store::Store;

impl Store {
    /// What is wrong with the indexes of the chains that images have.
    pub(super) fn check_chains(&self, list: &List) -> Result<Vec<Finding>> {
        let mut findings = Vec::new();
        let mut seen = HashSet::new();
        for layers in &list.chains {
            for end in 1..=layers.len() {
                self.go_on()?;
                let Some(path) = self.chain_index_path(&layers[..end]) else { continue };
                if path.exists() && seen.insert(path.clone()) {
                    findings.extend(self.check_chain(&layers[..end], path)?);
                }
            }
        }
        Ok(findings)
    }

    fn check_chain(&self, layers: &[DiffId], path: PathBuf) -> Result<Option<Finding>> {
        let found: Result<Vec<Option<Layer>>> = layers.iter().map(|layer| self.layer(layer)).collect();
        // A layer that is missing is told of by itself.
        let Some(found) = found?.into_iter().collect::<Option<Vec<Layer>>>() else { return Ok(None) };
        let write = |out: &mut dyn io::Write| Self::write_chain_index(&found, out);
        let Some(fault) = compare_with(&path, write)? else { return Ok(None) };
        let Some(top) = layers.last() else { return Ok(None) };
        let shown = super::blobs::layer_name(top).join(IMPLIED).join(name_of(&path));
        let remedy = Remedy::MakeAgain { from: "the tables of contents" };
        // Who mounts it makes it again, and whoever has just removed it has no fault.
        Ok((fault != Fault::Missing).then(|| Finding::wrong(shown, fault, remedy, Target::ChainIndex(path))))
    }
}

/// Whether nobody uses it any more: what a chain had on a boot that is over, or an index that is written otherwise now.
pub(super) fn is_old(name: &str, boot_id: &str) -> bool {
    let is_other_version = name.split_once("-index").is_some_and(|(_, rest)| {
        rest.split_once('-').is_none_or(|(version, _)| version != INDEX_VERSION.to_string())
    });
    !name.ends_with(boot_id) || is_other_version
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_boots_and_other_versions_have_left_is_old() {
        let index = |version: u32| format!("0123abcd-index{version}-boot");
        assert!(!is_old(&index(INDEX_VERSION), "boot") && !is_old("0123abcd-real-boot", "boot"));
        assert!(is_old(&index(INDEX_VERSION - 1), "boot") && is_old(&index(INDEX_VERSION), "later"));
        assert!(is_old("0123abcd-real-boot", "later"));
    }
}
