//! `tug images`: what is in the store.

mod filter;

use jiff::Timestamp;
use serde_json::json;
use tug_layer_store::ImageSummary;
use tug_oci::{Digest, Platform, Reference};

use crate::error::CommandError;
use crate::format::{self, Row, Table};
use crate::human;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug images`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug images                                          The table
  tug images debian                                   Only images of that name
  tug images -q                                       Only their ids
  tug images -f 'reference=*/team/*' -f until=24h     Of a team, and older than a day
  tug images --format '{{.Repository}}:{{.Tag}}'      One name a line
  tug images --format json                            For programs: sizes in bytes, times as RFC 3339")]
pub(crate) struct ImagesArguments {
    /// Show only images of this name, or of this name and tag
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// Show only images that are like that (can be repeated): `before=IMAGE`, `since=IMAGE`, `until=TIME`,
    /// `label=KEY[=VALUE]`, `reference=PATTERN`, `dangling=BOOL`
    #[arg(short, long = "filter", value_name = "KEY=VALUE")]
    filters: Vec<filter::Filter>,
    /// Accepted as in docker: there are no other images
    #[arg(short, long, hide = true)]
    all: bool,
    /// Show digests, too
    #[arg(long)]
    digests: bool,
    /// Show only ids
    #[arg(short, long)]
    quiet: bool,
    /// Show whole ids
    #[arg(long)]
    no_trunc: bool,
    /// Write `json`, or what a template says, such as `{{.ID}}`
    #[arg(long, value_name = "FORMAT", conflicts_with = "quiet")]
    format: Option<String>,
}

const TABLE: Table = Table {
    template: "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}",
    heads: &[
        ("Repository", "REPOSITORY"),
        ("Tag", "TAG"),
        ("ID", "IMAGE ID"),
        ("Digest", "DIGEST"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("Size", "SIZE"),
        ("Platform", "PLATFORM"),
        ("ReadOnly", "READ-ONLY"),
        ("Store", "STORE"),
    ],
};

const WITH_DIGESTS: &str = "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}";
/// Where there are images of stores that are only read.
const WITH_OTHERS: &str = "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.ReadOnly}}";

/// Lists the images.
pub(super) fn run(arguments: &ImagesArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = session::open_to_read(settings)?;
    let mut images = store.images(&Platform::host())?;
    if let Some(name) = &arguments.name {
        images.retain(|image| image.name.as_ref().is_some_and(|reference| is_called(reference, name)));
    }
    let mut images = filter::filtered(images, &arguments.filters, &store)?;
    // The newest first, as in docker.
    images.sort_by_cached_key(|image| std::cmp::Reverse(created(image)));
    if arguments.quiet {
        let mut ids: Vec<String> =
            images.iter().map(|image| id(image.image.id(), arguments.no_trunc)).collect();
        let mut seen = std::collections::HashSet::new();
        ids.retain(|id| seen.insert(id.clone()));
        return settings.output.data(ids.into_iter().map(|id| id + "\n").collect::<String>().as_bytes());
    }
    let now = Timestamp::now();
    let rows: Vec<Row> = images.iter().map(|image| row(image, arguments.no_trunc, now)).collect();
    let has_others = images.iter().any(|image| image.other_store.is_some());
    let table = match (arguments.digests, has_others) {
        (true, _) => Table { template: WITH_DIGESTS, ..TABLE },
        (false, true) => Table { template: WITH_OTHERS, ..TABLE },
        (false, false) => TABLE,
    };
    format::list(arguments.format.as_deref(), &table, &rows, &settings.output)
}

/// Twelve digits, or the whole digest.
pub(super) fn id(digest: &Digest, whole: bool) -> String {
    if whole { digest.to_string() } else { digest.short().to_owned() }
}

fn is_called(reference: &Reference, name: &str) -> bool {
    let names = [reference.familiar(), reference.to_string()];
    let bare = [reference.familiar_name(), format!("{}/{}", reference.registry(), reference.repository())];
    names.iter().chain(&bare).any(|known| known == name)
}

fn created(image: &ImageSummary) -> Option<Timestamp> {
    image.image.config.created.as_deref()?.parse().ok()
}

fn row(summary: &ImageSummary, no_trunc: bool, now: Timestamp) -> Row {
    let image = &summary.image;
    let none = || "<none>".to_owned();
    let repository = summary.name.as_ref().map(Reference::familiar_name);
    let tag = summary.name.as_ref().and_then(|name| name.tag().map(str::to_owned));
    let time = image.config.created.clone();
    let since = time.as_deref().and_then(|time| human::since(time, now));
    Row {
        data: json!({
            "repository": repository,
            "tag": tag,
            "id": image.id(),
            "digest": summary.target.digest,
            "created": time,
            "size": image.size(),
            "platform": image.config.platform.to_string(),
            "readOnly": summary.other_store.is_some(),
        }),
        shown: json!({
            "Repository": repository.unwrap_or_else(none),
            "Tag": tag.unwrap_or_else(none),
            "ID": id(image.id(), no_trunc),
            "Digest": summary.target.digest,
            "CreatedAt": time.as_deref().map_or_else(none, human::one_line),
            "CreatedSince": since.unwrap_or_else(|| "N/A".to_owned()),
            "Size": human::short_size(image.size()),
            "Platform": human::one_line(&image.config.platform.to_string()),
            "ReadOnly": summary.other_store.is_some(),
            "Store": summary.other_store.as_ref().map_or_else(String::new, |store| {
                human::one_line(&store.to_string_lossy())
            }),
        }),
    }
}
