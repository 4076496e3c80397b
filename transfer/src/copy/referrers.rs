//! What belongs to an image and goes along with it: documents that refer to it, and signatures under tags of their own.

use std::collections::HashSet;

use tug_oci::{Descriptor, Digest};
use tug_registry_client::Target;

use super::CopyOptions;
use crate::error::{Error, Result};
use crate::push::Sending;
use crate::remote::Remote;
use crate::resolve::{DEEPEST_INDEX, MOST_DOCUMENTS, Source};
use crate::tree::Tree;

/// What cosign appends to the digest that it signs.
const OF_COSIGN: [&str; 3] = ["sig", "att", "sbom"];

impl Remote {
    /// Copies what belongs to the documents of a tree. Returns how many documents that were.
    pub(super) async fn along(
        &self,
        from: &Source<'_>,
        to: &Sending<'_>,
        tree: &Tree,
        options: &CopyOptions,
    ) -> Result<usize> {
        let mut copied = 0;
        let mut pending: Vec<(Digest, usize)> =
            tree.nodes.iter().map(|node| (node.descriptor.digest.clone(), 0)).collect();
        let mut seen: HashSet<Digest> = pending.iter().map(|(digest, _)| digest.clone()).collect();
        while let Some((subject, depth)) = pending.pop() {
            if options.signatures {
                copied += self.signatures(from, to, &subject).await?;
            }
            if !options.referrers || depth == DEEPEST_INDEX {
                continue;
            }
            let listed = self.client().referrers(&from.repository, &subject, None).await;
            for referrer in listed.map_err(Error::registry(from.action, &from.name))? {
                if !seen.insert(referrer.digest.clone()) {
                    continue;
                }
                if seen.len() > MOST_DOCUMENTS {
                    return Err(Error::TooMany {
                        name: from.name.clone(),
                        what: "referrers",
                        limit: MOST_DOCUMENTS,
                    });
                }
                let target = Target::Digest(referrer.digest.clone());
                self.one_along(from, to, &referrer, &target).await?;
                copied += 1;
                pending.push((referrer.digest, depth + 1));
            }
        }
        Ok(copied)
    }

    /// Signatures, attestations and SBOMs of cosign: `sha256-….sig` and its kin.
    async fn signatures(&self, from: &Source<'_>, to: &Sending<'_>, subject: &Digest) -> Result<usize> {
        let mut copied = 0;
        for kind in OF_COSIGN {
            let tag = format!("{}-{}.{kind}", subject.algorithm().name(), subject.hex());
            let target = Target::Tag(tag);
            let found = self.client().head_manifest(&from.repository, &target).await;
            if let Some(found) = found.map_err(Error::registry(from.action, &from.name))? {
                self.one_along(from, to, &found, &target).await?;
                copied += 1;
            }
        }
        Ok(copied)
    }

    async fn one_along(
        &self,
        from: &Source<'_>,
        to: &Sending<'_>,
        document: &Descriptor,
        target: &Target,
    ) -> Result<()> {
        let tree = from.tree(document).await?;
        let outgoing = self.outgoing(from.store, &from.repository, tree.blobs()).await?;
        to.send(&tree, outgoing, target).await.map(drop)
    }
}
