//! From a name to the image for a platform, without a store.
//!
//! Indexes may nest. Children are tried in this order: one that says it is for exactly this platform, one that fits, an
//! index that does not say, a manifest that does not say and whose config fits. Depth and number are bounded.

use std::collections::HashSet;

use bytes::Bytes;
use tug_oci::{
    Descriptor, DocumentError, ImageConfig, Index, Manifest, Platform, Raw, Reference, media_type,
};
use tug_registry_client::{FetchedManifest, Repository, Target};

use super::Registry;
use crate::error::CommandError;

/// Of a config, or another small document.
const DOCUMENT: u64 = 16 << 20;
const DEEPEST_INDEX: usize = 8;
const MOST_DOCUMENTS: usize = 256;

/// What came of looking for a platform.
pub(super) enum Search {
    /// The manifest for it.
    Found(FetchedManifest),
    /// There is none; these there are.
    Missing(Vec<Platform>),
}

impl Registry {
    /// The manifest for `platform` below what `name` points to.
    pub(super) fn image(
        &self,
        name: &Reference,
        top: FetchedManifest,
        platform: &Platform,
    ) -> Result<FetchedManifest, CommandError> {
        match self.search(name, top, platform)? {
            Search::Found(manifest) => Ok(manifest),
            Search::Missing(available) => {
                let error =
                    CommandError::failed(format_args!("`{}` has no image for {platform}", name.familiar()));
                let listed: Vec<String> =
                    available.iter().take(20).map(|platform| format!("`{platform}`")).collect();
                Err(match listed.is_empty() {
                    true => error,
                    false => error.hint(format!("it has images for {}", listed.join(", "))),
                })
            }
        }
    }

    /// The same, where it is no error that there is none.
    pub(super) fn search(
        &self,
        name: &Reference,
        top: FetchedManifest,
        platform: &Platform,
    ) -> Result<Search, CommandError> {
        let (mut pending, mut seen) = (Vec::new(), HashSet::new());
        let mut available = Vec::new();
        let mut current = Some((top, 0));
        loop {
            let Some((manifest, depth)) = current.take() else {
                let Some((child, depth)): Option<(Descriptor, usize)> = pending.pop() else {
                    return Ok(Search::Missing(available));
                };
                if seen.insert(child.digest.clone()) {
                    bounded(name, depth, seen.len())?;
                    current = Some((self.child(name, &child)?, depth));
                }
                continue;
            };
            if !media_type::is_index(&manifest.media_type) {
                if depth == 0 {
                    return Ok(Search::Found(manifest));
                }
                match self.platform(name, &manifest)? {
                    Some(own) if own.satisfies(platform) => return Ok(Search::Found(manifest)),
                    own => available.extend(own),
                }
                continue;
            }
            let index: Raw<Index> = parsed(name, &manifest)?;
            let (children, others) = choice(&index.manifests, platform);
            available.extend(others);
            pending.extend(children.into_iter().rev().map(|child| (child, depth + 1)));
        }
    }

    /// A manifest or index of the same repository.
    pub(super) fn child(
        &self,
        name: &Reference,
        child: &Descriptor,
    ) -> Result<FetchedManifest, CommandError> {
        let what = format!("could not read `{}` of `{}`", child.digest, name.familiar());
        let target = Target::Digest(child.digest.clone());
        self.run(what, self.client().manifest(&Repository::from(name), &target))
    }

    /// A small blob: a config.
    pub(super) fn document(&self, name: &Reference, blob: &Descriptor) -> Result<Bytes, CommandError> {
        let what = format!("could not read `{}` of `{}`", blob.digest, name.familiar());
        self.run(what, self.client().small_blob(&Repository::from(name), blob, DOCUMENT))
    }

    /// What an image is for; `None` for what is no image.
    pub(super) fn platform(
        &self,
        name: &Reference,
        manifest: &FetchedManifest,
    ) -> Result<Option<Platform>, CommandError> {
        let image: Raw<Manifest> = parsed(name, manifest)?;
        if !is_config(&image.config.media_type) {
            return Ok(None);
        }
        let bytes = self.document(name, &image.config)?;
        let config = Raw::<ImageConfig>::parse(bytes.into());
        let config = config.map_err(|error| unreadable(name, &image.config, &error))?;
        Ok(Some(config.platform.clone()))
    }
}

/// Whether it names the config of an image.
pub(super) fn is_config(media_type: &str) -> bool {
    matches!(media_type, media_type::OCI_CONFIG | media_type::DOCKER_CONFIG)
}

/// What BuildKit puts beside images: it is for no platform.
pub(super) fn is_attestation(child: &Descriptor) -> bool {
    child.platform.as_ref().is_some_and(|platform| platform.os == "unknown")
}

/// The document that a manifest is.
pub(super) fn parsed<T: tug_oci::Document>(
    name: &Reference,
    manifest: &FetchedManifest,
) -> Result<Raw<T>, CommandError> {
    let parsed = Raw::parse(manifest.bytes.to_vec());
    parsed.map_err(|error| unreadable(name, &manifest.descriptor(), &error))
}

/// The error about a document that is none.
pub(super) fn unreadable(name: &Reference, document: &Descriptor, error: &DocumentError) -> CommandError {
    let what = format!("`{}` of `{}` cannot be read", document.digest, name.familiar());
    CommandError::failed(what).because(error)
}

fn bounded(name: &Reference, depth: usize, count: usize) -> Result<(), CommandError> {
    let too_many = |what: &str| Err(CommandError::failed(format_args!("`{}` has {what}", name.familiar())));
    match (depth, count) {
        (depth, _) if depth > DEEPEST_INDEX => too_many("more than 8 indexes in each other"),
        (_, count) if count > MOST_DOCUMENTS => too_many("more than 256 documents to look through"),
        _ => Ok(()),
    }
}

/// The children that may be meant, best first, and the platforms of the others.
fn choice(children: &[Descriptor], wanted: &Platform) -> (Vec<Descriptor>, Vec<Platform>) {
    let rank = |child: &Descriptor| match &child.platform {
        _ if is_attestation(child) => None,
        Some(own) if own == wanted => Some(0),
        Some(own) if own.satisfies(wanted) => Some(1),
        Some(_) => None,
        None if media_type::is_index(&child.media_type) => Some(2),
        None => Some(3),
    };
    let mut chosen: Vec<_> =
        children.iter().filter_map(|child| Some((rank(child)?, child.clone()))).collect();
    chosen.sort_by_key(|(rank, _)| *rank);
    let others = children.iter().filter(|child| !is_attestation(child) && rank(child).is_none());
    let others = others.filter_map(|child| child.platform.clone()).collect();
    (chosen.into_iter().map(|(_, child)| child).collect(), others)
}
