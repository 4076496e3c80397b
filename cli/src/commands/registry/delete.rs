//! `tug delete`: takes a tag away, or a manifest with all of its tags.
//!
//! What is named by a tag loses that tag and nothing else. A registry that deletes no tags is never asked to delete the
//! manifest instead: other tags would go with it.

use std::io::{self, BufRead, IsTerminal};

use tug_oci::{Digest, Reference};
use tug_registry_client::{Kind, Repository, Target};

use super::Registry;
use super::names::RemoteName;
use crate::error::CommandError;
use crate::human;
use crate::registry_settings::RegistryArguments;
use crate::settings::Settings;

/// Arguments of `tug delete`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug delete registry.example.com/app:old           Only the tag
  tug delete registry.example.com/app@sha256:…      The manifest, with all tags that point to it; asks if there are several

The registry keeps the blobs until it collects its garbage.")]
pub(crate) struct DeleteArguments {
    /// The images, by tag or digest (can be repeated)
    #[arg(required = true, value_name = "IMAGE", value_parser = explicit)]
    images: Vec<RemoteName>,
    /// Do not ask
    #[arg(short, long, visible_alias = "force", short_alias = 'f')]
    yes: bool,
    #[command(flatten)]
    registry: RegistryArguments,
}

/// Tags of a repository that are looked at, at most, before a manifest is deleted.
const MOST_TAGS: usize = 200;

/// Nobody deletes `latest` by leaving something out.
fn explicit(text: &str) -> Result<RemoteName, String> {
    let name: RemoteName = text.parse().map_err(|error: tug_oci::ReferenceError| error.to_string())?;
    let last = name.as_str().rsplit('/').next().unwrap_or_default();
    match last.contains([':', '@']) {
        true => Ok(name),
        false => Err(format!("`{text}` has neither tag nor digest: say what is to go, as in `{text}:old`")),
    }
}

/// Deletes the images in turn, and writes the name of each that is gone.
pub(crate) fn run(arguments: &DeleteArguments, settings: &Settings) -> Result<(), CommandError> {
    for image in &arguments.images {
        let (registry, name) = Registry::of(&arguments.registry, image, settings)?;
        let target = Target::from(&name);
        if let Target::Digest(digest) = &target
            && !arguments.yes
        {
            confirm(&registry, &name, digest, settings)?;
        }
        let what = format!("could not delete `{}`", name.familiar());
        let repository = Repository::from(&name);
        registry.run(what, async {
            match &target {
                Target::Tag(_) => registry.client().delete_manifest(&repository, &target).await,
                // What is attached to something is taken out of the list as well.
                Target::Digest(digest) => {
                    match registry.client().remove_referrer(&repository, digest).await {
                        // What nobody can read can still be deleted.
                        Err(error)
                            if matches!(error.kind(), Kind::Protocol | Kind::Digest | Kind::TooLarge) =>
                        {
                            registry.client().delete_manifest(&repository, &target).await
                        }
                        done => done,
                    }
                }
            }
        })?;
        settings.output.line(name.familiar())?;
    }
    Ok(())
}

/// Asks if several tags would go. Without a terminal nobody can answer: then it is an error.
fn confirm(
    registry: &Registry,
    name: &Reference,
    digest: &Digest,
    settings: &Settings,
) -> Result<(), CommandError> {
    let Tagged { tags, is_all } = tags_of(registry, name, digest)?;
    if tags.len() < 2 && is_all {
        return Ok(());
    }
    let listed: Vec<String> = tags.iter().map(|tag| format!("`{}`", human::one_line(tag))).collect();
    let consequence = match (tags.is_empty(), is_all) {
        (false, true) => format!("deleting `{digest}` takes these tags away: {}", listed.join(", ")),
        (false, false) => {
            format!("deleting `{digest}` takes these tags away, and maybe more: {}", listed.join(", "))
        }
        (true, _) => format!("deleting `{digest}` may take tags away: there are too many to look at all"),
    };
    if !io::stdin().is_terminal() || !settings.output.stderr.terminal {
        return Err(CommandError::failed(consequence)
            .hint("`--yes` does so without asking; a single tag is deleted by its name"));
    }
    settings.output.note(consequence);
    settings.output.talk("Delete them all? [y/N] ");
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    match read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
        true => Ok(()),
        false => Err(CommandError::failed("nothing was deleted")),
    }
}

struct Tagged {
    tags: Vec<String>,
    /// Whether all tags of the repository were looked at.
    is_all: bool,
}

/// The tags that point to a manifest.
fn tags_of(registry: &Registry, name: &Reference, digest: &Digest) -> Result<Tagged, CommandError> {
    let repository = Repository::from(name);
    let client = registry.client();
    let what = format!("could not find out which tags of `{}` point to it", name.familiar_name());
    registry.run(what, async {
        let all = match client.tags(&repository, Some(MOST_TAGS + 1)).await {
            Ok(tags) => tags,
            // A repository without any tag is one that some do not know.
            Err(error) if error.kind() == Kind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut tags = Vec::new();
        for tag in all.iter().take(MOST_TAGS) {
            let found = client.head_manifest(&repository, &Target::Tag(tag.clone())).await?;
            if found.is_some_and(|found| found.digest == *digest) {
                tags.push(tag.clone());
            }
        }
        Ok(Tagged { tags, is_all: all.len() <= MOST_TAGS })
    })
}
