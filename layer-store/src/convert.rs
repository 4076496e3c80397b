//! An image, or an index with all its images, in another form.
//!
//! | document                             | becomes                                                                        |
//! | ------------------------------------ | ------------------------------------------------------------------------------ |
//! | image                                | its layers in the wanted form, its documents in the wanted words: see [`ImageForm`] |
//! | index                                | the same images, in order, converted                                           |
//! | attestation of an image in the index | the same, and names the converted image                                        |
//! | something else                       | as it is                                                                       |
//!
//! Configs and diff ids stay, and so do annotations, platforms and what documents are attached to. Where nothing changes,
//! the digest is the same.

use std::collections::HashMap;

use tug_oci::{Descriptor, Digest, Index, Manifest, Raw, media_type};

use crate::error::{Error, Result};
use crate::image::{DEEPEST_INDEX, Image};
use crate::image_form::{ImageForm, LayerCompression, MediaTypes};
use crate::store::Store;

/// How images are converted. By default: not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversion {
    /// What layers are compressed with; those that are already, with whatever level, stay as they are.
    pub compression: Option<LayerCompression>,
    /// Whose words the documents use. Without it they keep theirs, as long as these have one for the compression.
    pub media_types: Option<MediaTypes>,
}

impl Store {
    /// The image or index that `target` points to, converted. It is put into the store without a name. All of it must be in
    /// the store, or known to be elsewhere.
    ///
    /// Words of docker's for a layer that they have none for are an error: [`Error::NoMediaType`].
    pub fn convert(&self, target: &Descriptor, conversion: &Conversion) -> Result<Descriptor> {
        self.convert_below(target, conversion, 0)
    }

    fn convert_below(
        &self,
        target: &Descriptor,
        conversion: &Conversion,
        depth: usize,
    ) -> Result<Descriptor> {
        if depth > DEEPEST_INDEX {
            let what = format!("indexes around `{}`", target.digest);
            return Err(Error::TooMany { what, limit: DEEPEST_INDEX as u64 });
        }
        let made = match target.media_type.as_str() {
            kind if media_type::is_index(kind) => self.convert_index(target, conversion, depth)?,
            kind if media_type::is_manifest(kind) => self.convert_manifest(target, conversion)?,
            _ => return Ok(target.clone()),
        };
        let Descriptor { platform, annotations, artifact_type, urls, .. } = target.clone();
        let platform = platform.or(made.platform);
        Ok(Descriptor { platform, annotations, artifact_type, urls, ..made })
    }

    fn convert_manifest(&self, target: &Descriptor, conversion: &Conversion) -> Result<Descriptor> {
        let manifest: Raw<Manifest> = self.document(target)?;
        let is_image =
            matches!(manifest.config.media_type.as_str(), media_type::OCI_CONFIG | media_type::DOCKER_CONFIG);
        if !is_image {
            return Ok(target.clone());
        }
        let config = self.document(&manifest.config)?;
        let image = Image { descriptor: target.clone(), manifest, config };
        let form = form_of(&image, conversion)?;
        Ok(self.image_in_form(&image, &form)?.descriptor)
    }

    fn convert_index(
        &self,
        target: &Descriptor,
        conversion: &Conversion,
        depth: usize,
    ) -> Result<Descriptor> {
        let index: Raw<Index> = self.document(target)?;
        let mut made = (*index).clone();
        let mut renamed = HashMap::new();
        for child in &mut made.manifests {
            let converted = self.convert_below(child, conversion, depth + 1)?;
            if converted.digest != child.digest {
                renamed.insert(child.digest.to_string(), converted.digest.to_string());
            }
            *child = converted;
        }
        // Attestations say by an annotation which image they are about.
        for annotation in made.manifests.iter_mut().flat_map(|child| child.annotations.values_mut()) {
            if let Some(new) = renamed.get(annotation) {
                annotation.clone_from(new);
            }
        }
        let is_docker = made.manifests.iter().all(|child| child.media_type == media_type::DOCKER_MANIFEST);
        let own_type = match conversion.media_types {
            Some(MediaTypes::Docker) => media_type::DOCKER_LIST,
            Some(MediaTypes::Oci) => media_type::OCI_INDEX,
            None if target.media_type == media_type::DOCKER_LIST && is_docker => media_type::DOCKER_LIST,
            None => media_type::OCI_INDEX,
        };
        if made.media_type.is_some() || own_type == media_type::DOCKER_LIST {
            made.media_type = Some(own_type.to_owned());
        }
        if made == *index && own_type == target.media_type {
            return Ok(target.clone());
        }
        let made = Raw::encode(made);
        self.write_documents(&[made.bytes()])?;
        Ok(Descriptor::new(own_type, made.digest().clone(), made.size()))
    }
}

/// What an image is to become. Docker's words have none for Zstandard.
fn form_of(image: &Image, conversion: &Conversion) -> Result<ImageForm> {
    let is_docker = image.descriptor.media_type == media_type::DOCKER_MANIFEST;
    let has_zstd = match conversion.compression {
        Some(compression) => compression.media_type() == media_type::OCI_LAYER_ZSTD,
        None => image.manifest.layers.iter().any(|layer| layer.media_type == media_type::OCI_LAYER_ZSTD),
    };
    let media_types = match conversion.media_types {
        Some(MediaTypes::Docker) if has_zstd => {
            let digest: Digest = image.descriptor.digest.clone();
            return Err(Error::NoMediaType { digest });
        }
        Some(wanted) => wanted,
        None if is_docker && !has_zstd => MediaTypes::Docker,
        None => MediaTypes::Oci,
    };
    Ok(ImageForm {
        compression: conversion.compression,
        all_layers: true,
        media_types,
        ..ImageForm::default()
    })
}

#[cfg(test)]
mod tests;
