//! `tug inspect --remote`: all that a registry knows of an image, without pulling it.
//!
//! The fields are those of an image in the store where both have them, and besides: what the name points to, the layers as
//! they are sent, the platforms of an index, and how many pulls are left where the registry counts.

use bytes::Bytes;
use serde_json::{Value, json};
use tug_oci::{Descriptor, ImageConfig, Index, Manifest, Platform, Raw, Reference, media_type};
use tug_registry_client::{FetchedManifest, RateLimit};

use super::Registry;
use super::find::{self, Search};
use super::names::RemoteName;
use crate::commands::inspect::run_config;
use crate::error::CommandError;
use crate::registry_settings::RegistryArguments;
use crate::settings::Settings;

/// What a registry says of a name.
pub(in crate::commands) struct Remote {
    registry: Registry,
    name: Reference,
    top: FetchedManifest,
}

impl Remote {
    /// Asks for what the name points to.
    pub(in crate::commands) fn look(
        name: &RemoteName,
        arguments: &RegistryArguments,
        settings: &Settings,
    ) -> Result<Self, CommandError> {
        let (registry, name) = Registry::of(arguments, name, settings)?;
        let top = registry.manifest(&name)?;
        Ok(Self { registry, name, top })
    }

    /// The manifest as it is: what the name points to, or the image for `platform`.
    pub(in crate::commands) fn manifest(self, platform: Option<&Platform>) -> Result<Bytes, CommandError> {
        match platform {
            None => Ok(self.top.bytes),
            Some(platform) => Ok(self.registry.image(&self.name, self.top, platform)?.bytes),
        }
    }

    /// The config as it is, of the image for `platform` or this machine.
    pub(in crate::commands) fn config(self, platform: Option<&Platform>) -> Result<Bytes, CommandError> {
        let platform = platform.cloned().unwrap_or_else(Platform::host);
        let image = self.registry.image(&self.name, self.top, &platform)?;
        let manifest: Raw<Manifest> = find::parsed(&self.name, &image)?;
        self.registry.document(&self.name, &manifest.config)
    }

    /// Everything. An index without an image for this machine is still one; for a platform that was asked for it is an
    /// error.
    pub(in crate::commands) fn describe(self, platform: Option<&Platform>) -> Result<Value, CommandError> {
        let Self { registry, name, top } = self;
        let index = match media_type::is_index(&top.media_type) {
            true => Some(find::parsed::<Index>(&name, &top)?),
            false => None,
        };
        let image = match platform {
            Some(platform) => Some(registry.image(&name, top.clone(), platform)?),
            None => match registry.search(&name, top.clone(), &Platform::host())? {
                Search::Found(image) => Some(image),
                Search::Missing(_) => None,
            },
        };
        let mut value = json!({
            "Name": name.to_string(),
            "Digest": top.digest,
            "MediaType": top.media_type,
            "Source": top.source,
            "RateLimit": top.rate_limit.as_ref().map(rate_limit),
            "Annotations": index.as_ref().map(|index| &index.annotations),
            "Platforms": index.as_ref().map(|index| index.manifests.iter().map(child).collect::<Vec<_>>()),
        });
        let more = match &image {
            Some(image) => described(&registry, &name, image)?,
            None => Value::Null,
        };
        if let (Value::Object(value), Value::Object(more)) = (&mut value, more) {
            value.extend(more);
        }
        Ok(value)
    }
}

/// The image itself: manifest, config, layers.
fn described(registry: &Registry, name: &Reference, image: &FetchedManifest) -> Result<Value, CommandError> {
    let manifest: Raw<Manifest> = find::parsed(name, image)?;
    let size = manifest.layers.iter().fold(0, |sum: u64, layer| sum.saturating_add(layer.size));
    let size = size.saturating_add(manifest.config.size).saturating_add(image.bytes.len() as u64);
    let mut value = json!({
        "Id": manifest.config.digest,
        "ManifestDigest": image.digest,
        "ArtifactType": manifest.artifact_type,
        "Subject": manifest.subject,
        "Size": size,
    });
    let config = match find::is_config(&manifest.config.media_type) {
        true => Some(config(registry, name, &manifest.config)?),
        false => None,
    };
    let diff_ids = config.as_ref().map(|config| config.rootfs.diff_ids.as_slice()).unwrap_or_default();
    let layers = manifest.layers.iter().enumerate();
    let layers: Vec<Value> = layers
        .map(|(place, layer)| {
            json!({
                "MediaType": layer.media_type,
                "Digest": layer.digest,
                "Size": layer.size,
                "DiffID": diff_ids.get(place),
                "Annotations": layer.annotations,
            })
        })
        .collect();
    if let Value::Object(value) = &mut value {
        value.insert("Layers".to_owned(), layers.into());
        if !manifest.annotations.is_empty() {
            value.insert("Annotations".to_owned(), json!(manifest.annotations));
        }
        if let (Some(config), Value::Object(more)) =
            (&config, config.as_ref().map_or(Value::Null, configured))
        {
            value.extend(more);
            value.insert("RootFS".to_owned(), json!({"Type": "layers", "Layers": config.rootfs.diff_ids}));
        }
    }
    Ok(value)
}

fn config(
    registry: &Registry,
    name: &Reference,
    config: &Descriptor,
) -> Result<Raw<ImageConfig>, CommandError> {
    let bytes = registry.document(name, config)?;
    Raw::parse(bytes.into()).map_err(|error| find::unreadable(name, config, &error))
}

/// In docker's words.
fn configured(config: &Raw<ImageConfig>) -> Value {
    json!({
        "Created": config.created,
        "Author": config.author.as_deref().unwrap_or(""),
        "Architecture": config.platform.architecture,
        "Variant": config.platform.variant.as_deref().unwrap_or(""),
        "Os": config.platform.os,
        "OsVersion": config.platform.os_version.as_deref().unwrap_or(""),
        "Config": run_config(&config.config),
        "Labels": config.config.labels,
        "Env": config.config.env,
    })
}

fn child(child: &Descriptor) -> Value {
    let platform = child.platform.as_ref().filter(|_| !find::is_attestation(child));
    json!({
        "Platform": platform.map(ToString::to_string),
        "OsVersion": platform.and_then(|platform| platform.os_version.as_deref()),
        "MediaType": child.media_type,
        "Digest": child.digest,
        "Size": child.size,
        "Annotations": child.annotations,
    })
}

fn rate_limit(limit: &RateLimit) -> Value {
    json!({"Limit": limit.limit, "Remaining": limit.remaining, "Window": limit.window})
}
