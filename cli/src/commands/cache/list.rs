//! `tug cache ls`

use jiff::Timestamp;
use serde_json::json;
use tug_layer_store::CacheSummary;

use crate::error::CommandError;
use crate::format::{self, Row, Table};
use crate::human;
use crate::session::Session;
use crate::settings::Settings;

/// Arguments of `tug cache ls`.
#[derive(Debug, clap::Args)]
pub(super) struct ListArguments {
    /// Write `json`, or what a template says, such as `{{.ID}}`
    #[arg(long, value_name = "FORMAT")]
    format: Option<String>,
}

const TABLE: Table = Table {
    template: "{{.Name}}\t{{.ID}}\t{{.Variant}}\t{{.UsedSince}}\t{{.Size}}",
    heads: &[
        ("Name", "NAME"),
        ("ID", "ID"),
        ("Variant", "VARIANT"),
        ("UsedSince", "LAST USED"),
        ("UsedAt", "LAST USED AT"),
        ("Size", "SIZE"),
        ("Entries", "FILES"),
        ("InUse", "IN USE"),
    ],
};

/// Lists the caches, the largest first.
pub(super) fn run(arguments: &ListArguments, settings: &Settings) -> Result<(), CommandError> {
    let session = Session::enter(settings)?;
    let mut caches = session.store.caches()?;
    caches.sort_by_key(|cache| std::cmp::Reverse(cache.size.allocated));
    let now = Timestamp::now();
    let rows: Vec<Row> = caches.iter().map(|cache| row(cache, now)).collect();
    format::list(arguments.format.as_deref(), &TABLE, &rows, &settings.output)
}

fn row(cache: &CacheSummary, now: Timestamp) -> Row {
    let name = cache.id.name();
    let used = Timestamp::try_from(cache.used).unwrap_or(Timestamp::UNIX_EPOCH).to_string();
    let since = human::since(&used, now).unwrap_or_else(|| "N/A".to_owned());
    Row {
        data: json!({
            "name": name,
            "id": cache.id.id,
            "variant": cache.id.variant,
            "used": used,
            "size": cache.size.allocated,
            "entries": cache.entries,
            "directories": cache.directories,
            "inUse": cache.in_use,
        }),
        shown: json!({
            "Name": name[..12],
            "ID": human::one_line(&cache.id.id),
            "Variant": human::one_line(&cache.id.variant),
            "UsedSince": if cache.in_use { "now".to_owned() } else { since },
            "UsedAt": used,
            "Size": human::short_size(cache.size.allocated),
            "Entries": cache.entries,
            "InUse": cache.in_use,
        }),
    }
}
