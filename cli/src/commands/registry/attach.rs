//! `tug attach`: puts files beside an image, so that whoever has the image finds them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use tug_oci::{Descriptor, Digest, Manifest, Platform, Raw, media_type};
use tug_registry_client::{BlobSource, Repository};

use super::Registry;
use super::files::{BytesSource, FileSource};
use super::names::RemoteName;
use super::referrers::TITLE;
use crate::arguments::values::Assignment;
use crate::environment;
use crate::error::CommandError;
use crate::registry_settings::RegistryArguments;
use crate::settings::Settings;

/// Arguments of `tug attach`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug attach --artifact-type application/spdx+json ghcr.io/owner/app:1 sbom.json
  tug attach --artifact-type example/report ghcr.io/owner/app:1 report.txt:text/plain notes.txt:text/plain
  tug attach --artifact-type example/approval --annotation by=me ghcr.io/owner/app:1      Annotations only

`tug referrers` lists what is attached, and gets it back.")]
pub(crate) struct AttachArguments {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: RemoteName,
    /// The files; a media type may follow the name after a `:`
    #[arg(value_name = "FILE[:TYPE]")]
    files: Vec<FileWithType>,
    /// What it is that is attached, as a media type
    #[arg(long, value_name = "TYPE", value_parser = artifact_type)]
    artifact_type: String,
    /// Add an annotation to the manifest (can be repeated)
    #[arg(short, long = "annotation", value_name = "NAME=VALUE")]
    annotations: Vec<Assignment>,
    /// Attach it to the image of this platform, not to the index
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    #[command(flatten)]
    registry: RegistryArguments,
}

/// A file, and what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FileWithType {
    path: PathBuf,
    media_type: Option<String>,
}

/// The config of what has none. Source: image-spec "Guidance for an Empty Descriptor".
const EMPTY: &[u8] = b"{}";
pub(super) const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";
/// Of files about which nothing is known.
const PLAIN_TYPE: &str = "application/octet-stream";
const CREATED: &str = "org.opencontainers.image.created";

impl FromStr for FileWithType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (path, media_type) = match text.rsplit_once(':') {
            Some((path, kind)) if is_media_type(kind) => (path, Some(kind.to_owned())),
            _ => (text, None),
        };
        match path.is_empty() {
            false => Ok(Self { path: path.into(), media_type }),
            true => Err("expected the name of a file".to_owned()),
        }
    }
}

fn artifact_type(text: &str) -> Result<String, String> {
    match is_media_type(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("`{text}` is not a media type: expected for example `application/spdx+json`")),
    }
}

/// Source: RFC 6838 section 4.2.
fn is_media_type(text: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_alphanumeric())
            && name.len() <= 127
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    text.split_once('/').is_some_and(|(kind, name)| is_name(kind) && is_name(name))
}

/// Attaches them, and writes the digest of the artifact.
pub(crate) fn run(arguments: &AttachArguments, settings: &Settings) -> Result<(), CommandError> {
    if arguments.files.is_empty() && arguments.annotations.is_empty() {
        return Err(
            CommandError::usage("there is nothing to attach").hint("name a file, or give an `--annotation`")
        );
    }
    let files = arguments.files.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let annotations = annotations(arguments, settings)?;
    let (registry, name) = Registry::of(&arguments.registry, &arguments.image, settings)?;
    let registry = registry.cancelling()?;
    let top = registry.manifest(&name)?;
    let subject = match &arguments.platform {
        Some(platform) => registry.image(&name, top, platform)?,
        None => top,
    };
    let repository = Repository::from(&name);
    let what = format!("could not attach it to `{}`", name.familiar());
    let empty = Descriptor::new(EMPTY_TYPE, Digest::of(EMPTY), EMPTY.len() as u64);
    let manifest = manifest(&arguments.artifact_type, &empty, &files, subject.descriptor(), annotations);
    let mut sources: Vec<Arc<dyn BlobSource>> = vec![Arc::new(BytesSource(Bytes::from_static(EMPTY)))];
    for (source, _) in files {
        sources.push(Arc::new(source));
    }
    registry.run(what, async {
        for source in sources {
            registry.client().upload(&repository, source, &[]).await?;
        }
        let bytes = Bytes::copy_from_slice(manifest.bytes());
        registry.client().push_referrer(&repository, media_type::OCI_MANIFEST, bytes).await
    })?;
    settings.output.line(manifest.digest())
}

fn read(file: &FileWithType) -> Result<(FileSource, Descriptor), CommandError> {
    let failed = |error: &std::io::Error| {
        CommandError::failed(format_args!("could not read `{}`", file.path.display())).because(error)
    };
    let source = FileSource::open(&file.path).map_err(|error| failed(&error))?;
    let media_type = file.media_type.as_deref().unwrap_or_else(|| usual_type(&file.path));
    let mut descriptor = Descriptor::new(media_type, source.digest().clone(), source.size());
    if let Some(title) = file.path.file_name() {
        descriptor.annotations.insert(TITLE.to_owned(), title.to_string_lossy().into_owned());
    }
    Ok((source, descriptor))
}

/// What a file is, by the end of its name.
fn usual_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("json") => "application/json",
        Some("txt" | "md") => "text/plain",
        Some("xml") => "application/xml",
        Some("html") => "text/html",
        Some("pdf") => "application/pdf",
        _ => PLAIN_TYPE,
    }
}

fn annotations(
    arguments: &AttachArguments,
    settings: &Settings,
) -> Result<BTreeMap<String, String>, CommandError> {
    let mut annotations = BTreeMap::new();
    annotations.insert(CREATED.to_owned(), time(settings)?);
    for Assignment { name, value } in &arguments.annotations {
        let Some(value) = value else {
            return Err(CommandError::usage(format_args!("`--annotation {name}` has no value"))
                .hint(format!("write `--annotation {name}=VALUE`")));
        };
        annotations.insert(name.clone(), value.clone());
    }
    Ok(annotations)
}

/// Now, or what `SOURCE_DATE_EPOCH` says.
fn time(settings: &Settings) -> Result<String, CommandError> {
    let now = || Ok(Timestamp::from_second(Timestamp::now().as_second()).unwrap_or_default().to_string());
    let variable = settings.environment.text(environment::SOURCE_DATE_EPOCH);
    let Some(text) = variable.filter(|text| *text != "context") else { return now() };
    let seconds = crate::arguments::values::seconds(text).map_err(CommandError::usage)?;
    let time = Timestamp::from_second(seconds);
    time.map(|time| time.to_string()).map_err(CommandError::usage)
}

/// Source: image-spec "Guidelines for Artifact Usage".
fn manifest(
    artifact_type: &str,
    empty: &Descriptor,
    files: &[(FileSource, Descriptor)],
    subject: Descriptor,
    annotations: BTreeMap<String, String>,
) -> Raw<Manifest> {
    let mut layers: Vec<Descriptor> = files.iter().map(|(_, blob)| blob.clone()).collect();
    if layers.is_empty() {
        layers.push(empty.clone());
    }
    let mut manifest = Manifest::new(empty.clone(), layers);
    manifest.artifact_type = Some(artifact_type.to_owned());
    manifest.subject = Some(subject);
    manifest.annotations = annotations;
    Raw::encode(manifest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_media_type_may_follow_the_name_of_a_file() {
        let parse = |text: &str| {
            text.parse::<FileWithType>().map(|file| (file.path.display().to_string(), file.media_type))
        };
        let plain = |path: &str| Ok((path.to_owned(), None));
        assert_eq!(parse("a.txt:text/plain"), Ok(("a.txt".to_owned(), Some("text/plain".to_owned()))));
        assert_eq!(parse("a.json"), plain("a.json"));
        assert_eq!(parse("a:b"), plain("a:b"));
        assert_eq!(parse("a:b/c/d"), plain("a:b/c/d"));
        assert!(parse("").is_err() && parse(":text/plain").is_err());
    }

    #[test]
    fn types_are_media_types() {
        for good in ["application/vnd.a+json", "text/plain", "example/x_1"] {
            assert!(artifact_type(good).is_ok(), "{good}");
        }
        for bad in ["", "sbom", "a/b/c", "a b/c", "/x", "x/"] {
            assert!(artifact_type(bad).is_err(), "{bad}");
        }
    }
}
