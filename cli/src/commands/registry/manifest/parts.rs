//! The flags that say what an entry of a list is for. docker and podman spell them the same.

use std::collections::BTreeMap;

use tug_oci::{Descriptor, Platform};

use crate::arguments::values::Assignment;
use crate::error::CommandError;

/// What an image of a list is for.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct EntryArguments {
    /// Say that it is for this operating system
    #[arg(long, value_name = "OS", value_parser = word)]
    os: Option<String>,
    /// Say that it is for this processor
    #[arg(long, value_name = "ARCHITECTURE", value_parser = word)]
    arch: Option<String>,
    /// Say that it is for this variant of the processor
    #[arg(long, value_name = "VARIANT", value_parser = word)]
    variant: Option<String>,
    /// Say that it is for this version of the operating system
    #[arg(long, value_name = "VERSION")]
    os_version: Option<String>,
    /// Say that it wants these features of the operating system
    #[arg(long, value_name = "FEATURE", value_delimiter = ',')]
    os_features: Vec<String>,
    /// As in docker and podman; the specification has reserved it and nobody reads it
    #[arg(long, value_name = "FEATURE", hide = true)]
    features: Vec<String>,
    /// Add an annotation (can be repeated)
    #[arg(long = "annotation", value_name = "NAME=VALUE")]
    annotations: Vec<Assignment>,
}

impl EntryArguments {
    /// Whether it says what one image is for.
    pub(super) fn says_platform(&self) -> bool {
        self.os.is_some() || self.arch.is_some() || self.variant.is_some() || self.os_version.is_some()
    }

    /// The annotations.
    pub(super) fn annotations(&self) -> Result<BTreeMap<String, String>, CommandError> {
        annotations(&self.annotations)
    }

    /// Writes all of it into an entry.
    pub(super) fn apply(&self, entry: &mut Descriptor) -> Result<(), CommandError> {
        entry.annotations.extend(self.annotations()?);
        if !self.says_platform() && self.os_features.is_empty() {
            return Ok(());
        }
        let old = entry.platform.take();
        let os = self.os.clone().or_else(|| old.as_ref().map(|old| old.os.clone()));
        let architecture = self.arch.clone().or_else(|| old.as_ref().map(|old| old.architecture.clone()));
        let Some(architecture) = architecture else {
            return Err(CommandError::usage(format_args!(
                "nothing says which processor `{}` is for",
                entry.digest
            ))
            .hint("add `--arch`"));
        };
        let os = os.unwrap_or_else(|| "linux".to_owned());
        // Another processor has other variants.
        let is_same = old.as_ref().is_some_and(|old| old.architecture == architecture);
        let old_variant = old.as_ref().filter(|_| is_same).and_then(|old| old.variant.clone());
        let text = format!("{os}/{architecture}");
        let checked: Platform =
            text.parse().map_err(|error| CommandError::usage(format_args!("`--os`, `--arch`: {error}")))?;
        let variant = self.variant.clone().or(old_variant).or(checked.variant);
        let os_version = self.os_version.clone().or_else(|| old.as_ref()?.os_version.clone());
        let os_features = match self.os_features.is_empty() {
            true => old.map(|old| old.os_features).unwrap_or_default(),
            false => self.os_features.clone(),
        };
        entry.platform = Some(Platform {
            architecture: checked.architecture,
            os: checked.os,
            os_version,
            os_features,
            variant,
        });
        Ok(())
    }
}

/// One part of a platform.
fn word(text: &str) -> Result<String, String> {
    let is_good =
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    match is_good {
        true => Ok(text.to_owned()),
        false => Err(format!("`{text}` is not a part of a platform: expected a word, such as `arm64`")),
    }
}

/// `NAME=VALUE`, each with a value.
pub(super) fn annotations(assignments: &[Assignment]) -> Result<BTreeMap<String, String>, CommandError> {
    let pairs = assignments.iter().map(|Assignment { name, value }| match value {
        Some(value) => Ok((name.clone(), value.clone())),
        None => Err(CommandError::usage(format_args!("`--annotation {name}` has no value"))
            .hint(format!("write `--annotation {name}=VALUE`"))),
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use tug_oci::{Digest, media_type};

    use super::*;

    #[test]
    fn what_is_not_said_stays() {
        let mut entry = Descriptor::new(media_type::OCI_MANIFEST, Digest::of(b""), 1);
        entry.platform = Some("linux/arm/v7".parse().unwrap());
        let variant = EntryArguments { variant: Some("v6".to_owned()), ..EntryArguments::default() };
        variant.apply(&mut entry).unwrap();
        assert_eq!(entry.platform.as_ref().unwrap().to_string(), "linux/arm/v6");
        let arch = EntryArguments { arch: Some("x86_64".to_owned()), ..EntryArguments::default() };
        arch.apply(&mut entry).unwrap();
        assert_eq!(entry.platform.as_ref().unwrap().to_string(), "linux/amd64");
        entry.platform = None;
        let error = variant.apply(&mut entry).unwrap_err();
        assert_eq!(error.exit(), crate::exit::Exit::Usage);
    }
}
