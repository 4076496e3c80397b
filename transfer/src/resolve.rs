//! From a name to an image: manifest and config come into the store, layers do not.
//!
//! A tag may lead to an index, which may have indexes in it. Children are tried in this order: one that says it is for
//! exactly this platform, one that fits, an older variant of its processor, one that does not say. Attestations (`unknown/unknown`) are no images. Nothing is
//! read twice, and depth and number are bounded.

use std::collections::HashSet;

use bytes::Bytes;
use tug_layer_store::{Image, Store};
use tug_oci::{Descriptor, Digest, ImageConfig, Index, Manifest, Platform, Raw, Reference, media_type};
use tug_registry_client::{Repository, Target};

use crate::error::{Error, Result};
use crate::event::Event;
use crate::remote::{Remote, blocking};

/// Registries must take 4 MiB; nobody writes more than a few times that.
pub(crate) const DOCUMENT_LIMIT: u64 = 16 * 1024 * 1024;
pub(crate) const DEEPEST_INDEX: usize = 8;
pub(crate) const MOST_DOCUMENTS: usize = 4096;

/// What a name leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolved {
    /// What the name itself points to: an index, or the manifest.
    pub target: Descriptor,
    /// The image for the platform.
    pub image: Image,
    /// The index says that there are so many images; 1 where there is no index.
    pub images: usize,
}

/// Somebody's repository, from the point of view of one command.
#[derive(Clone)]
pub(crate) struct Source<'a> {
    pub(crate) remote: &'a Remote,
    pub(crate) store: &'a Store,
    pub(crate) repository: Repository,
    /// For messages: the image.
    pub(crate) name: String,
    pub(crate) action: &'static str,
    /// Whether documents come into the store.
    pub(crate) keeps: bool,
}

impl Remote {
    /// The image that a name has for a platform. Its manifest and config are in the store afterwards, where its layers are
    /// is noted, and no name is given.
    pub fn resolve(&self, store: &Store, name: &Reference, platform: &Platform) -> Result<Image> {
        self.resolve_target(store, name, platform).map(|resolved| resolved.image)
    }

    /// The same, with what the name points to.
    pub fn resolve_target(&self, store: &Store, name: &Reference, platform: &Platform) -> Result<Resolved> {
        self.block_on(async {
            let source = self.source(store, name, "pull");
            let target = source.top(&Target::from(name)).await?;
            source.image(&target, platform).await
        })
    }

    pub(crate) fn source<'a>(
        &'a self,
        store: &'a Store,
        name: &Reference,
        action: &'static str,
    ) -> Source<'a> {
        let repository = Repository::from(name);
        Source { remote: self, store, repository, name: name.familiar(), action, keeps: true }
    }
}

impl Source<'_> {
    /// What a tag or digest points to; the document is in the store afterwards.
    pub(crate) async fn top(&self, target: &Target) -> Result<Descriptor> {
        let fetched = self.remote.client().manifest(&self.repository, target).await;
        let fetched = fetched.map_err(Error::registry(self.action, &self.name))?;
        let mut descriptor = fetched.descriptor();
        if let Target::Digest(digest) = target {
            descriptor.digest = digest.clone();
        }
        self.keep(&descriptor, fetched.bytes).await?;
        let name = format!("{}:{target}", self.repository);
        self.remote.tell(Event::Resolved { name, target: descriptor.clone() });
        Ok(descriptor)
    }

    /// The image below `target` for a platform.
    pub(crate) async fn image(&self, target: &Descriptor, platform: &Platform) -> Result<Resolved> {
        let mut pending = vec![(target.clone(), 0)];
        let (mut seen, mut available) = (HashSet::new(), Vec::new());
        let mut images = 1;
        let mut first_problem = None;
        while let Some((descriptor, depth)) = pending.pop() {
            if !seen.insert(descriptor.digest.clone()) {
                continue;
            }
            self.check(depth, seen.len())?;
            if media_type::is_index(&descriptor.media_type) {
                let index = self.parsed::<Index>(&descriptor).await?.into_value();
                if depth == 0 {
                    images = index.manifests.iter().filter(|child| !is_attestation(child)).count();
                }
                let (candidates, others) = choice(&index.manifests, platform);
                available.extend(others);
                pending.extend(candidates.into_iter().rev().map(|child| (child.clone(), depth + 1)));
                continue;
            }
            let image = match self.single(&descriptor).await {
                Err(error @ Error::NotAnImage { .. }) if depth > 0 => {
                    first_problem.get_or_insert(error);
                    continue;
                }
                other => other?,
            };
            if depth > 0 && image.config.platform.distance_to(platform).is_none() {
                available.push(image.config.platform.clone());
                continue;
            }
            return Ok(Resolved { target: target.clone(), image, images });
        }
        match (available.is_empty(), first_problem) {
            (true, Some(problem)) => Err(problem),
            _ => Err(Error::NoSuchPlatform {
                name: self.name.clone(),
                wanted: Box::new(platform.clone()),
                available,
            }),
        }
    }

    /// A manifest and its config. Where its blobs are is noted.
    async fn single(&self, descriptor: &Descriptor) -> Result<Image> {
        let not_an_image = |media_type: &str| Error::NotAnImage {
            name: self.name.clone(),
            media_type: media_type.to_owned(),
        };
        if !media_type::is_manifest(&descriptor.media_type) {
            return Err(not_an_image(&descriptor.media_type));
        }
        let manifest = self.parsed::<Manifest>(descriptor).await?;
        if !is_image_config(&manifest.config.media_type) {
            return Err(not_an_image(
                manifest.artifact_type.as_deref().unwrap_or(&manifest.config.media_type),
            ));
        }
        self.config(&manifest.config).await?;
        let config = self.parsed::<ImageConfig>(&manifest.config).await?;
        let blobs = manifest.layers.iter().chain([&manifest.config, descriptor]);
        self.note(blobs.map(|blob| blob.digest.clone()).collect()).await?;
        let (store, descriptor, platform) = (self.store.clone(), descriptor.clone(), config.platform.clone());
        Ok(blocking(move || store.image(&descriptor, &platform)).await?)
    }

    /// Remembers that the repository has these blobs.
    pub(crate) async fn note(&self, digests: Vec<Digest>) -> Result<()> {
        let (store, origin) = (self.store.clone(), self.repository.to_string());
        Ok(blocking(move || store.note_origins(&digests, &origin)).await?)
    }

    pub(crate) async fn config(&self, config: &Descriptor) -> Result<()> {
        if self.kept(config).await?.is_none() {
            let fetched = self.remote.client().small_blob(&self.repository, config, DOCUMENT_LIMIT).await;
            let bytes = fetched.map_err(Error::registry(self.action, &self.name))?;
            self.keep(config, bytes).await?;
        }
        Ok(())
    }

    /// A document, from the store or from the registry; in the store afterwards.
    pub(crate) async fn document(&self, descriptor: &Descriptor) -> Result<Bytes> {
        if let Some(bytes) = self.kept(descriptor).await? {
            return Ok(bytes);
        }
        let target = Target::Digest(descriptor.digest.clone());
        let fetched = self.remote.client().manifest(&self.repository, &target).await;
        let fetched = fetched.map_err(Error::registry(self.action, &self.name))?;
        self.keep(descriptor, fetched.bytes.clone()).await?;
        Ok(fetched.bytes)
    }

    pub(crate) async fn parsed<T: tug_oci::Document>(&self, descriptor: &Descriptor) -> Result<Raw<T>> {
        let bytes = self.document(descriptor).await?;
        Raw::parse(bytes.into()).map_err(|source| Error::Document {
            name: self.name.clone(),
            digest: descriptor.digest.clone(),
            source,
        })
    }

    async fn kept(&self, descriptor: &Descriptor) -> Result<Option<Bytes>> {
        let (store, digest) = (self.store.clone(), descriptor.digest.clone());
        blocking(move || kept(&store, &digest)).await
    }

    async fn keep(&self, descriptor: &Descriptor, bytes: Bytes) -> Result<()> {
        if !self.keeps {
            return Ok(());
        }
        let (store, digest) = (self.store.clone(), descriptor.digest.clone());
        blocking(move || keep(&store, &digest, &bytes)).await
    }

    pub(crate) fn check(&self, depth: usize, count: usize) -> Result<()> {
        let too_many = |what, limit| Err(Error::TooMany { name: self.name.clone(), what, limit });
        match (depth, count) {
            (depth, _) if depth > DEEPEST_INDEX => too_many("indexes in each other", DEEPEST_INDEX),
            (_, count) if count > MOST_DOCUMENTS => too_many("documents", MOST_DOCUMENTS),
            _ => Ok(()),
        }
    }
}

/// A document of the store, if it is there and whole.
pub(crate) fn kept(store: &Store, digest: &Digest) -> Result<Option<Bytes>> {
    use tug_layer_store::Error as Store;
    match store.read_blob(digest, DOCUMENT_LIMIT) {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(Store::MissingBlob { .. } | Store::BlobDamaged { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn keep(store: &Store, digest: &Digest, bytes: &[u8]) -> Result<()> {
    let mut writer = store.blob_writer_for(digest, tug_layer_store::Durability::Synced)?;
    std::io::Write::write_all(&mut writer, bytes).map_err(|error| writer.failure(error))?;
    writer.finish_as(digest)?;
    Ok(())
}

pub(crate) fn is_image_config(media_type: &str) -> bool {
    matches!(media_type, media_type::OCI_CONFIG | media_type::DOCKER_CONFIG)
}

/// What BuildKit puts beside images, for those who ask how they were made.
pub(crate) fn is_attestation(child: &Descriptor) -> bool {
    child.platform.as_ref().is_some_and(|platform| platform.os == "unknown")
}

/// The children that may be meant, best first, and the platforms of the others.
fn choice<'a>(children: &'a [Descriptor], wanted: &Platform) -> (Vec<&'a Descriptor>, Vec<Platform>) {
    let rank = |child: &Descriptor| match &child.platform {
        _ if is_attestation(child) => None,
        Some(own) if own == wanted => Some(0),
        Some(own) => Some(own.distance_to(wanted)? + 1),
        None => Some(u32::MAX),
    };
    let mut candidates: Vec<_> = children.iter().filter_map(|child| Some((rank(child)?, child))).collect();
    candidates.sort_by_key(|(rank, _)| *rank);
    let others = children.iter().filter(|child| !is_attestation(child) && rank(child).is_none());
    let others = others.filter_map(|child| child.platform.clone()).collect();
    (candidates.into_iter().map(|(_, child)| child).collect(), others)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(platform: Option<&str>, mark: &[u8]) -> Descriptor {
        let mut child = Descriptor::new(media_type::OCI_MANIFEST, Digest::of(mark), 1);
        child.platform = platform.map(|platform| match platform {
            "unknown/unknown" => Platform { os: "unknown".to_owned(), ..Platform::linux("unknown") },
            other => other.parse().unwrap(),
        });
        child
    }

    #[test]
    fn the_child_that_says_it_fits_comes_first_and_attestations_never() {
        let children = [
            child(Some("unknown/unknown"), b"attestation"),
            child(None, b"silent"),
            child(Some("linux/arm64"), b"arm"),
            child(Some("linux/amd64/v2"), b"fits"),
            child(Some("linux/amd64"), b"exact"),
        ];
        let (candidates, others) = choice(&children, &"linux/amd64".parse().unwrap());
        let found: Vec<_> = candidates.iter().map(|child| &child.digest).collect();
        assert_eq!(found, [&Digest::of(b"exact"), &Digest::of(b"fits"), &Digest::of(b"silent")]);
        assert_eq!(others, ["linux/arm64".parse().unwrap()]);
    }
}
