//! Reads a docker-archive: `manifest.json` names the config, the layers and the names of each image.
//!
//! Nothing in this form says what a layer's bytes must be but the diff ids in the config, so every layer is held
//! against its diff id, unpacked for that if it is compressed. Since docker has no manifest there, we write one.
//!
//! An archive may be a layout at the same time (docker 25 and later). Then the layout has been read already, and only
//! images and names that it does not have are taken from here.

use std::io;

use serde::{Deserialize, Serialize};
use tug_oci::{Descriptor, DiffId, Digest, ImageConfig, Manifest, Raw, Reference, json_reason, media_type};

use super::error::ArchiveError;
use super::load::{LoadOptions, LoadPlan, PlannedImage};
use super::source::{Source, SourceFile};
use crate::compression::{Compression, Decompressed, DecompressionLimits};
use crate::entry::shown;
use crate::error::{Error, Result};
use crate::image::{DOCUMENT_LIMIT, MOST_DOCUMENTS};

const MANIFEST_FILE: &str = "manifest.json";

/// One image in `manifest.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ArchivedImage {
    pub(super) config: String,
    pub(super) repo_tags: Option<Vec<String>>,
    pub(super) layers: Option<Vec<String>>,
}

/// Plans to load every image of the archive; `false` when there is none.
pub(super) fn plan(source: &mut Source, options: &LoadOptions, plan: &mut LoadPlan) -> Result<bool> {
    let Some(file) = source.find(MANIFEST_FILE)? else { return Ok(false) };
    let bytes = source.read(&file, DOCUMENT_LIMIT)?;
    let images: Vec<ArchivedImage> = serde_json::from_slice(&bytes).map_err(|error| {
        ArchiveError::Malformed { path: MANIFEST_FILE.to_owned(), reason: json_reason(&error) }
    })?;
    if images.len() as u64 > MOST_DOCUMENTS {
        return Err(Error::TooMany { what: "images in the archive".to_owned(), limit: MOST_DOCUMENTS });
    }
    for (number, image) in images.iter().enumerate() {
        let called = image.repo_tags.as_deref().unwrap_or_default();
        if !options.wants(called) {
            plan.passed_over.extend_from_slice(called);
            continue;
        }
        plan_image(source, plan, image, number + 1)?;
    }
    Ok(true)
}

fn plan_image(source: &mut Source, plan: &mut LoadPlan, image: &ArchivedImage, number: usize) -> Result<()> {
    let names = names_of(image)?;
    let config_file = named(source, &image.config, &format!("the config of image {number}"))?;
    check_named_by_digest(&image.config, &config_file.digest)?;
    if let Some(known) = plan.images.iter_mut().find(|known| known.configs.contains(&config_file.digest)) {
        known.add_names(names);
        return Ok(());
    }
    let config = parse_config(&image.config, source.read(&config_file, DOCUMENT_LIMIT)?)?;
    let paths = image.layers.as_deref().unwrap_or_default();
    let diff_ids = &config.rootfs.diff_ids;
    if paths.len() != diff_ids.len() {
        let (layers, diff_ids) = (paths.len(), diff_ids.len());
        return Err(Error::LayerCount { digest: config.digest().clone(), layers, diff_ids });
    }
    let mut layers = Vec::with_capacity(paths.len());
    for (place, (path, diff_id)) in paths.iter().zip(diff_ids).enumerate() {
        let what = format!("layer {} of {}", place + 1, paths.len());
        layers.push(plan_layer(source, plan, path, diff_id, &what)?);
    }
    plan.add_file(config_file);
    let descriptor = Descriptor::new(media_type::OCI_CONFIG, config.digest().clone(), config.size());
    let manifest = Raw::encode(Manifest::new(descriptor, layers));
    let mut target = Descriptor::new(media_type::OCI_MANIFEST, manifest.digest().clone(), manifest.size());
    target.platform = Some(config.platform.clone());
    plan.documents.push(manifest.bytes().to_vec());
    plan.add_image(PlannedImage { target, configs: vec![config.digest().clone()], names });
    Ok(())
}

/// A layer is kept as it came, when manifests have a word for that; else as a plain tar.
fn plan_layer(
    source: &mut Source,
    plan: &mut LoadPlan,
    path: &str,
    diff_id: &DiffId,
    what: &str,
) -> Result<Descriptor> {
    let file = named(source, path, what)?;
    let kind = match file.compression {
        Compression::Plain => media_type::OCI_LAYER,
        Compression::Gzip => media_type::OCI_LAYER_GZIP,
        Compression::Zstd => media_type::OCI_LAYER_ZSTD,
        Compression::Xz | Compression::Bzip2 => {
            let plain = source.unpacked(&file)?;
            check_layer(path, diff_id, &plain.digest)?;
            let descriptor = Descriptor::new(media_type::OCI_LAYER, plain.digest.clone(), plain.size);
            plan.add_file(plain);
            return Ok(descriptor);
        }
    };
    if !plan.checked.contains(&(file.digest.clone(), diff_id.clone())) {
        check_layer(path, diff_id, &plain_digest(source, &file)?)?;
        plan.checked.insert((file.digest.clone(), diff_id.clone()));
    }
    let descriptor = Descriptor::new(kind, file.digest.clone(), file.size);
    plan.add_file(file);
    Ok(descriptor)
}

/// A layer of which nothing is known but where it is. It is kept as it came, and its diff id is what it unpacks to.
pub(super) fn plan_plain_layer(
    source: &mut Source,
    plan: &mut LoadPlan,
    path: &str,
) -> Result<(Descriptor, DiffId)> {
    let file = named(source, path, "a layer")?;
    let diff_id = DiffId::new(plain_digest(source, &file)?);
    let descriptor = plan_layer(source, plan, path, &diff_id, "a layer")?;
    Ok((descriptor, diff_id))
}

fn plain_digest(source: &Source, file: &SourceFile) -> Result<Digest> {
    if file.compression == Compression::Plain {
        return Ok(file.digest.clone());
    }
    let opened = source.open(file)?;
    let mut plain = Decompressed::new(opened, DecompressionLimits::default()).map_err(ArchiveError::Read)?;
    let mut hashing = Hashing(tug_oci::Hasher::sha256());
    io::copy(&mut plain, &mut hashing).map_err(ArchiveError::Read)?;
    Ok(hashing.0.finish())
}

struct Hashing(tug_oci::Hasher);

impl io::Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn check_layer(path: &str, diff_id: &DiffId, actual: &Digest) -> Result<()> {
    if actual == diff_id.digest() {
        return Ok(());
    }
    let (expected, actual) = (diff_id.digest().clone(), actual.clone());
    Err(ArchiveError::LayerMismatch { path: shown(path.as_bytes()), expected, actual }.into())
}

/// Docker and podman call a config by its digest: `<hex>.json`, or `blobs/sha256/<hex>`.
fn check_named_by_digest(path: &str, actual: &Digest) -> Result<()> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let hex = name.strip_suffix(".json").unwrap_or(name);
    match format!("sha256:{hex}").parse::<Digest>() {
        Ok(expected) if expected != *actual => {
            Err(Error::DigestMismatch { expected, actual: actual.clone() })
        }
        _ => Ok(()),
    }
}

pub(super) fn named(source: &mut Source, path: &str, what: &str) -> Result<SourceFile> {
    let clean = path.strip_prefix("./").unwrap_or(path);
    source
        .find(clean)?
        .ok_or_else(|| ArchiveError::Missing { what: what.to_owned(), path: shown(path.as_bytes()) }.into())
}

fn names_of(image: &ArchivedImage) -> Result<Vec<Reference>> {
    let tags = image.repo_tags.iter().flatten().filter(|name| *name != "<none>:<none>");
    tags.map(|name| {
        let parsed = name.parse();
        parsed.map_err(|source| ArchiveError::Name { name: shown(name.as_bytes()), source }.into())
    })
    .collect()
}

fn parse_config(path: &str, bytes: Vec<u8>) -> Result<Raw<ImageConfig>> {
    let config = Raw::parse(bytes);
    config.map_err(|source| ArchiveError::Document { path: shown(path.as_bytes()), source }.into())
}
