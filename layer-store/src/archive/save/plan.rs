//! Decides what an archive will have in it, before the first byte of it is written.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

use tug_oci::{Descriptor, DiffId, Digest, Hasher, Index, Manifest, Platform, Raw, media_type};

use super::copy::copy_hashed;
use super::{ArchiveFormat, SaveImage};
use crate::archive::docker::ArchivedImage;
use crate::archive::error::ArchiveError;
use crate::archive::source::blob_name;
use crate::compression::{Decompressed, DecompressionLimits};
use crate::error::{Error, Result, failed};
use crate::fetch::Wanted;
use crate::image::{DEEPEST_INDEX, Image};
use crate::image_writer::oci_layer_type;
use crate::refs::IndexEntry;
use crate::scratch::ScratchDir;
use crate::store::Store;

/// What an archive will have in it.
pub(super) struct SavePlan {
    store: Store,
    /// Every blob once, in the order in which it is first referred to.
    pub(super) blobs: Vec<PlannedBlob>,
    /// The entries of `index.json`.
    pub(super) index: Vec<IndexEntry>,
    /// The entries of `manifest.json`; only a docker-archive has them.
    pub(super) docker: Option<Vec<ArchivedImage>>,
    seen: HashSet<Digest>,
    scratch: Option<ScratchDir>,
}

pub(super) struct PlannedBlob {
    pub(super) digest: Digest,
    pub(super) size: u64,
    content: Content,
}

enum Content {
    Bytes(Vec<u8>),
    InStore,
    Unpacked(PathBuf),
}

impl SavePlan {
    pub(super) fn new(
        store: &Store,
        images: &[SaveImage],
        format: ArchiveFormat,
        platform: &Platform,
    ) -> Result<Self> {
        let docker = (format == ArchiveFormat::Docker).then(Vec::new);
        let (blobs, index, seen) = (Vec::new(), Vec::new(), HashSet::new());
        let mut plan = Self { store: store.clone(), blobs, index, docker, seen, scratch: None };
        for image in images {
            let target = match format {
                ArchiveFormat::Docker => plan.add_for_docker(image, platform)?,
                ArchiveFormat::Oci => plan.add_tree(&image.target, platform)?,
            };
            match image.names.is_empty() {
                true => plan.index.push(IndexEntry::nameless(&target)),
                false => plan.index.extend(image.names.iter().map(|name| {
                    let written = image.written.as_deref().filter(|_| image.names.len() == 1);
                    IndexEntry::written(name, written, &target)
                })),
            }
        }
        Ok(plan)
    }

    /// Copies a blob to `out`, and checks it on the way.
    pub(super) fn copy(&self, blob: &PlannedBlob, out: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let path = match &blob.content {
            Content::Bytes(bytes) => return out(bytes),
            Content::InStore => self.store.found_blob_path(&blob.digest)?,
            Content::Unpacked(path) => path.clone(),
        };
        let opened = File::open(&path).map_err(failed("open", &path))?;
        let copied = copy_hashed(opened.take(blob.size), blob.digest.algorithm(), out)?;
        if copied.map_err(failed("read", path))? == blob.digest {
            return Ok(());
        }
        Err(Error::BlobDamaged { digest: blob.digest.clone() })
    }

    /// The image for the platform, with layers that every docker reads.
    fn add_for_docker(&mut self, image: &SaveImage, platform: &Platform) -> Result<Descriptor> {
        let found = self.store.image(&image.target, platform)?;
        let readable = self.readable_layers(&found)?;
        let (target, manifest) = match readable == found.manifest.layers {
            true => (found.descriptor.clone(), found.manifest.bytes().to_vec()),
            false => manifest_with(&found, readable.clone()),
        };
        self.add(&target.digest, manifest.len() as u64, Content::Bytes(manifest));
        let config = &found.config;
        self.add(config.digest(), config.size(), Content::Bytes(config.bytes().to_vec()));
        let count = readable.len();
        for (number, layer) in readable.iter().enumerate() {
            self.add_from_store(layer, &format!("layer {} of {count}", number + 1))?;
        }
        let tags = image.names.iter().filter(|name| name.tag().is_some() && name.digest().is_none());
        let tags: Vec<String> = tags.map(tug_oci::Reference::familiar).collect();
        if let Some(docker) = &mut self.docker {
            docker.push(ArchivedImage {
                config: blob_name(config.digest()),
                repo_tags: (!tags.is_empty()).then_some(tags),
                layers: Some(readable.iter().map(|layer| blob_name(&layer.digest)).collect()),
            });
        }
        Ok(target)
    }

    fn readable_layers(&mut self, image: &Image) -> Result<Vec<Descriptor>> {
        self.store.bring(image.manifest.layers.iter().map(Wanted::blob))?;
        let mut layers = Vec::new();
        for (diff_id, layer) in image.layers() {
            let is_readable = matches!(
                layer.media_type.as_str(),
                media_type::OCI_LAYER
                    | media_type::OCI_LAYER_GZIP
                    | media_type::DOCKER_LAYER
                    | media_type::DOCKER_LAYER_GZIP
            );
            layers.push(if is_readable { layer.clone() } else { self.unpack(diff_id, layer)? });
        }
        Ok(layers)
    }

    fn unpack(&mut self, diff_id: &DiffId, layer: &Descriptor) -> Result<Descriptor> {
        let missing = || self.store.missing_blob("a layer", layer);
        let compressed = self.store.open_blob(&layer.digest)?.ok_or_else(missing)?;
        let limits = DecompressionLimits::default();
        let mut plain = Decompressed::new(compressed, limits).map_err(ArchiveError::Read)?;
        if self.scratch.is_none() {
            self.scratch = Some(self.store.scratch("save")?.removed_at_once());
        }
        let folder = self.scratch.as_ref().map(ScratchDir::path).unwrap_or(self.store.root());
        let path = folder.join(diff_id.hex());
        let mut out =
            Hashing { out: File::create(&path).map_err(failed("create", &path))?, hasher: Hasher::sha256() };
        let size = io::copy(&mut plain, &mut out).map_err(failed("unpack a layer to", &path))?;
        let digest = out.hasher.finish();
        if digest != *diff_id.digest() {
            return Err(Error::DigestMismatch { expected: diff_id.digest().clone(), actual: digest });
        }
        self.add(&digest, size, Content::Unpacked(path));
        Ok(Descriptor::new(media_type::OCI_LAYER, digest, size))
    }

    /// The target and everything below it.
    fn add_tree(&mut self, target: &Descriptor, platform: &Platform) -> Result<Descriptor> {
        let mut planned = Vec::new();
        let mut images = 0;
        self.tree(target, platform, 0, &mut planned, &mut images)?;
        for (blob, bytes) in planned {
            let content = bytes.map_or(Content::InStore, Content::Bytes);
            self.add(&blob.digest, blob.size, content);
        }
        Ok(target.clone())
    }

    /// Images of an index that are for other platforms may be missing from the store, but not all of them.
    fn tree(
        &self,
        target: &Descriptor,
        platform: &Platform,
        depth: usize,
        planned: &mut Vec<(Descriptor, Option<Vec<u8>>)>,
        images: &mut usize,
    ) -> Result<()> {
        if depth > DEEPEST_INDEX {
            let what = format!("indexes around `{}`", target.digest);
            return Err(Error::TooMany { what, limit: DEEPEST_INDEX as u64 });
        }
        if !media_type::is_index(&target.media_type) {
            planned.extend(self.leaf(target)?);
            *images += 1;
            return Ok(());
        }
        let index: Raw<Index> = self.store.document(target)?;
        planned.push((target.clone(), Some(index.bytes().to_vec())));
        let before = *images;
        let mut first_missing = None;
        for child in &index.manifests {
            let is_wanted = child.platform.as_ref().is_some_and(|own| own.satisfies(platform));
            let must_be_whole = is_wanted && self.store.has_blob(&child.digest)?;
            match self.tree(child, platform, depth + 1, planned, images) {
                Err(error @ Error::MissingBlob { .. }) if !must_be_whole => {
                    first_missing.get_or_insert(error);
                }
                other => other?,
            }
        }
        match first_missing {
            Some(missing) if *images == before => Err(missing),
            _ => Ok(()),
        }
    }

    /// A manifest with its config and its layers; or something else, as it is.
    fn leaf(&self, target: &Descriptor) -> Result<Vec<(Descriptor, Option<Vec<u8>>)>> {
        if !media_type::is_manifest(&target.media_type) {
            self.check_in_store(target, "a document")?;
            return Ok(vec![(target.clone(), None)]);
        }
        let manifest: Raw<Manifest> = self.store.document(target)?;
        let mut blobs = vec![(target.clone(), Some(manifest.bytes().to_vec()))];
        let count = manifest.layers.len();
        self.store.bring(manifest.layers.iter().map(Wanted::blob))?;
        let config = std::iter::once((&manifest.config, "the config".to_owned()));
        let layers = manifest.layers.iter().enumerate();
        let layers = layers.map(|(number, layer)| (layer, format!("layer {} of {count}", number + 1)));
        for (blob, what) in config.chain(layers) {
            self.check_in_store(blob, &what)?;
            blobs.push((blob.clone(), None));
        }
        Ok(blobs)
    }

    fn add_from_store(&mut self, blob: &Descriptor, what: &str) -> Result<()> {
        if !self.seen.contains(&blob.digest) {
            self.check_in_store(blob, what)?;
            self.add(&blob.digest, blob.size, Content::InStore);
        }
        Ok(())
    }

    fn check_in_store(&self, blob: &Descriptor, what: &str) -> Result<()> {
        match self.store.blob_size(&blob.digest)? {
            None => Err(self.store.missing_blob(what, blob)),
            Some(size) if size != blob.size => Err(Error::BlobDamaged { digest: blob.digest.clone() }),
            Some(_) => Ok(()),
        }
    }

    fn add(&mut self, digest: &Digest, size: u64, content: Content) {
        if self.seen.insert(digest.clone()) {
            self.blobs.push(PlannedBlob { digest: digest.clone(), size, content });
        }
    }
}

/// The manifest that the image has when its layers are kept in other blobs.
fn manifest_with(image: &Image, mut layers: Vec<Descriptor>) -> (Descriptor, Vec<u8>) {
    for layer in &mut layers {
        layer.media_type = oci_layer_type(&layer.media_type).to_owned();
    }
    let config = Descriptor::new(media_type::OCI_CONFIG, image.id().clone(), image.config.size());
    let mut manifest = Manifest::new(config, layers);
    manifest.annotations = image.manifest.annotations.clone();
    let manifest = Raw::encode(manifest);
    let mut target = Descriptor::new(media_type::OCI_MANIFEST, manifest.digest().clone(), manifest.size());
    target.platform = Some(image.config.platform.clone());
    (target, manifest.bytes().to_vec())
}

struct Hashing {
    out: File,
    hasher: Hasher,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
