//! `tug referrers`: what is attached to an image, and the files in it.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};
use tug_oci::{Descriptor, Digest, Manifest, Platform, Raw, Reference};
use tug_registry_client::{BlobSink, Repository};

use super::Registry;
use super::attach::EMPTY_TYPE;
use super::files::FileSink;
use super::find;
use super::names::RemoteName;
use crate::commands::images;
use crate::error::CommandError;
use crate::format::{self, Row, Table};
use crate::human;
use crate::registry_settings::RegistryArguments;
use crate::settings::Settings;

/// Arguments of `tug referrers`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug referrers ghcr.io/owner/app:1                                   Signatures, lists of contents, attestations
  tug referrers --format tree ghcr.io/owner/app:1                     And what is attached to those
  tug referrers --artifact-type application/spdx+json --save sbom/ ghcr.io/owner/app:1
  tug referrers --save out/ ghcr.io/owner/app@sha256:…                The files of all that is attached")]
pub(crate) struct ReferrersArguments {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: RemoteName,
    /// Show only what is of this type
    #[arg(long, value_name = "TYPE")]
    artifact_type: Option<String>,
    /// Look at the image of this platform, not at the index
    #[arg(long, value_name = "PLATFORM")]
    platform: Option<Platform>,
    /// Write the files of what is attached into this folder, and their names to standard output
    #[arg(short = 'o', long = "save", value_name = "DIR", conflicts_with = "format")]
    folder: Option<PathBuf>,
    /// Write `tree`, `json`, or what a template says, such as `{{.Digest}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
    /// Show whole digests
    #[arg(long)]
    no_trunc: bool,
    #[command(flatten)]
    registry: RegistryArguments,
}

const TABLE: Table = Table {
    template: "{{.Digest}}\t{{.ArtifactType}}\t{{.Size}}\t{{.CreatedAt}}",
    heads: &[
        ("Digest", "DIGEST"),
        ("ArtifactType", "ARTIFACT TYPE"),
        ("MediaType", "MEDIA TYPE"),
        ("Size", "SIZE"),
        ("CreatedAt", "CREATED AT"),
        ("Name", "NAME"),
    ],
};

const CREATED: &str = "org.opencontainers.image.created";
/// The name that a file had, among the annotations of its blob.
pub(super) const TITLE: &str = "org.opencontainers.image.title";
const DEEPEST: usize = 8;
const MOST: usize = 1000;

/// Shows what is attached, or saves it.
pub(crate) fn run(arguments: &ReferrersArguments, settings: &Settings) -> Result<(), CommandError> {
    let (registry, name) = Registry::of(&arguments.registry, &arguments.image, settings)?;
    let subject = match &arguments.platform {
        Some(platform) => {
            let top = registry.manifest(&name)?;
            registry.image(&name, top, platform)?.digest
        }
        None => registry.head(&name)?.digest,
    };
    let listed = registry.referrers(&name, &subject, arguments.artifact_type.as_deref())?;
    if let Some(folder) = &arguments.folder {
        return save(&registry, &name, &listed, folder, settings);
    }
    if arguments.format.as_deref() == Some("tree") {
        let mut text = format!("{}@{subject}\n", name.familiar_name());
        let mut seen = HashSet::from([subject]);
        registry.draw(&name, &listed, "", &mut seen, &mut text)?;
        return settings.output.data(text.as_bytes());
    }
    let rows: Vec<Row> = listed.iter().map(|entry| row(&name, entry, arguments.no_trunc)).collect();
    format::list(arguments.format.as_deref(), &TABLE, &rows, &settings.output)
}

fn row(name: &Reference, entry: &Descriptor, no_trunc: bool) -> Row {
    let full = format!("{}@{}", name.familiar_name(), entry.digest);
    let text = |text: Option<&String>| text.map_or_else(String::new, |text| human::one_line(text));
    Row {
        data: json!({
            "digest": entry.digest,
            "name": full,
            "mediaType": entry.media_type,
            "artifactType": entry.artifact_type,
            "size": entry.size,
            "annotations": entry.annotations,
        }),
        shown: json!({
            "Digest": if no_trunc { entry.digest.to_string() } else { images::id(&entry.digest, false) },
            "Name": full,
            "MediaType": human::one_line(&entry.media_type),
            "ArtifactType": text(entry.artifact_type.as_ref()),
            "Size": human::short_size(entry.size),
            "CreatedAt": text(entry.annotations.get(CREATED)),
            "Annotations": entry.annotations.iter().map(|(key, value)| (key.clone(), value.clone().into()))
                .collect::<serde_json::Map<String, Value>>(),
        }),
    }
}

impl Registry {
    fn referrers(
        &self,
        name: &Reference,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Vec<Descriptor>, CommandError> {
        let what = format!("could not list what is attached to `{}`", name.familiar());
        self.run(what, self.client().referrers(&Repository::from(name), subject, artifact_type))
    }

    /// The entries with all that is attached to them in turn. What was drawn once is not drawn again.
    fn draw(
        &self,
        name: &Reference,
        entries: &[Descriptor],
        indent: &str,
        seen: &mut HashSet<Digest>,
        text: &mut String,
    ) -> Result<(), CommandError> {
        for (place, entry) in entries.iter().enumerate() {
            let is_last = place + 1 == entries.len();
            let (branch, below) = if is_last { ("└── ", "    ") } else { ("├── ", "│   ") };
            let kind = entry.artifact_type.as_deref().unwrap_or(&entry.media_type);
            *text += &format!("{indent}{branch}{} {}\n", human::one_line(kind), entry.digest);
            let deeper = format!("{indent}{below}");
            if seen.insert(entry.digest.clone()) && seen.len() < MOST && deeper.chars().count() / 4 < DEEPEST
            {
                let inner = self.referrers(name, &entry.digest, None)?;
                self.draw(name, &inner, &deeper, seen, text)?;
            }
        }
        Ok(())
    }
}

/// Saves the files of all artifacts. Nothing is written before it is known that all names are good and free.
fn save(
    registry: &Registry,
    name: &Reference,
    artifacts: &[Descriptor],
    folder: &Path,
    settings: &Settings,
) -> Result<(), CommandError> {
    let mut files: BTreeMap<PathBuf, Descriptor> = BTreeMap::new();
    for artifact in artifacts {
        let manifest = registry.child(name, artifact)?;
        let Ok(manifest) = Raw::<Manifest>::parse(manifest.bytes.to_vec()) else {
            settings.output.warning(format_args!("`{}` is no manifest of files", artifact.digest));
            continue;
        };
        if find::is_config(&manifest.config.media_type) {
            settings.output.warning(format_args!("`{}` is an image, not files", artifact.digest));
            continue;
        }
        for blob in manifest.layers.iter().filter(|blob| blob.media_type != EMPTY_TYPE) {
            let path = match blob.annotations.get(TITLE) {
                Some(title) => relative(title).ok_or_else(|| {
                    CommandError::failed(format_args!(
                        "a file of `{}` is called `{title}`, which leads out of the folder",
                        artifact.digest
                    ))
                })?,
                None => format!("{}-{}", blob.digest.algorithm().name(), blob.digest.hex()).into(),
            };
            match files.insert(path.clone(), blob.clone()) {
                Some(other) if other.digest != blob.digest => {
                    let what = format!("several files are called `{}`", path.display());
                    return Err(
                        CommandError::failed(what).hint("`--artifact-type` chooses among what is attached")
                    );
                }
                _ => {}
            }
        }
    }
    if files.is_empty() {
        return Err(CommandError::failed(format_args!("no files are attached to `{}`", name.familiar())));
    }
    for path in files.keys().map(|path| folder.join(path)) {
        if fs::symlink_metadata(&path).is_ok() {
            return Err(CommandError::failed(format_args!("`{}` is there already", path.display()))
                .hint("choose another folder"));
        }
    }
    for (path, blob) in &files {
        let path = folder.join(path);
        registry.fetch(name, blob, &path)?;
        settings.output.line(path.display())?;
    }
    Ok(())
}

/// A path that stays below a folder.
fn relative(title: &str) -> Option<PathBuf> {
    let path = Path::new(title);
    let stays = path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    let is_plain = !title.ends_with('/') && title.chars().all(|letter| !human::is_dangerous(letter));
    (stays && is_plain && path.file_name().is_some()).then(|| path.to_owned())
}

impl Registry {
    /// Writes a blob to a file, which gets its name when all is there.
    fn fetch(&self, name: &Reference, blob: &Descriptor, path: &Path) -> Result<(), CommandError> {
        let failed = |error: &io::Error| {
            CommandError::failed(format_args!("could not write `{}`", path.display())).because(error)
        };
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(|error| failed(&error))?;
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = Partial(PathBuf::from(part));
        let mut options = File::options();
        let file = options.read(true).write(true).create_new(true).open(&part.0);
        let sink = Arc::new(FileSink::new(file.map_err(|error| failed(&error))?, blob.size));
        let repository = Repository::from(name);
        let what = format!("could not fetch `{}` of `{}`", blob.digest, name.familiar());
        for attempt in 1..=2 {
            let filled = Arc::clone(&sink) as Arc<dyn BlobSink>;
            let host = self.run(&what, self.client().download(&repository, blob, filled))?;
            let actual = sink.digest(&blob.digest).map_err(|error| failed(&error))?;
            if actual == blob.digest {
                return fs::rename(&part.0, path).map_err(|error| failed(&error));
            }
            if attempt == 2 {
                return Err(CommandError::failed(what)
                    .because(&io::Error::other(format!("it arrived as `{actual}`"))));
            }
            self.client().distrust(&host);
            sink.restart().map_err(|error| failed(&error))?;
        }
        Ok(())
    }
}

/// A file that goes away unless it got another name.
struct Partial(PathBuf);

impl Drop for Partial {
    fn drop(&mut self) {
        // It has another name, or there is nobody to tell.
        let _ = fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_that_lead_out_of_the_folder_are_refused() {
        for good in ["sbom.json", "a/b.txt", "./x", "…"] {
            assert_eq!(relative(good), Some(good.into()), "{good}");
        }
        for bad in ["", ".", "/etc/passwd", "../x", "a/../../x", "a/", "a\nb", "a\x1b[2J"] {
            assert_eq!(relative(bad), None, "{bad}");
        }
    }
}
