//! `tug history`: how an image was made, the newest step first.

use jiff::Timestamp;
use serde_json::json;
use tug_layer_store::Image;
use tug_oci::{Descriptor, DiffId, History};

use super::images::id;
use crate::arguments::values::ImageName;
use crate::error::CommandError;
use crate::format::{self, Row, Table};
use crate::human;
use crate::images;
use crate::session;
use crate::settings::Settings;

/// Arguments of `tug history`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tug history app                     The table
  tug history --no-trunc app          With whole commands
  tug history --format json app       For programs")]
pub(crate) struct HistoryArguments {
    /// The image, by name or id
    #[arg(value_name = "IMAGE")]
    image: ImageName,
    /// Show whole ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// Show only ids
    #[arg(short, long)]
    quiet: bool,
    /// Write `json`, or what a template says, such as `{{.CreatedBy}}`
    #[arg(long, value_name = "FORMAT", conflicts_with = "quiet")]
    format: Option<String>,
}

const TABLE: Table = Table {
    template: "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
    heads: &[
        ("ID", "IMAGE"),
        ("CreatedSince", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("CreatedBy", "CREATED BY"),
        ("Size", "SIZE"),
        ("Comment", "COMMENT"),
    ],
};

/// Characters of a command that a table shows.
const COMMAND: usize = 45;

/// Lists the steps.
pub(super) fn run(arguments: &HistoryArguments, settings: &Settings) -> Result<(), CommandError> {
    let store = session::open_to_read(settings)?;
    let image = images::find(&store, &arguments.image)?;
    if arguments.quiet {
        let whole = arguments.no_trunc;
        let count = image.config.history.len().saturating_sub(1);
        let ids =
            [id(image.id(), whole)].into_iter().chain(std::iter::repeat_n("<missing>".to_owned(), count));
        return settings.output.data(ids.map(|id| id + "\n").collect::<String>().as_bytes());
    }
    let now = Timestamp::now();
    let mut steps = steps(&image);
    steps.reverse();
    let rows: Vec<Row> = steps
        .iter()
        .enumerate()
        .map(|(age, step)| row(&image, step, age == 0, arguments.no_trunc, now))
        .collect();
    format::list(arguments.format.as_deref(), &TABLE, &rows, &settings.output)
}

struct Step<'a> {
    history: History,
    layer: Option<(&'a DiffId, &'a Descriptor)>,
}

/// Entries of the history with the layers they made, the oldest first. Layers that no entry speaks of come last.
fn steps(image: &Image) -> Vec<Step<'_>> {
    let mut layers = image.layers();
    let mut steps: Vec<Step<'_>> = image
        .config
        .history
        .iter()
        .map(|history| Step {
            history: history.clone(),
            layer: if history.empty_layer { None } else { layers.next() },
        })
        .collect();
    steps.extend(layers.map(|layer| Step { history: History::default(), layer: Some(layer) }));
    steps
}

fn row(image: &Image, step: &Step<'_>, newest: bool, no_trunc: bool, now: Timestamp) -> Row {
    let history = &step.history;
    let size = step.layer.map_or(0, |(_, blob)| blob.size);
    let command = human::one_line(history.created_by.as_deref().unwrap_or(""));
    let shortened = match command.char_indices().nth(COMMAND) {
        Some(_) if !no_trunc => command.chars().take(COMMAND - 1).collect::<String>() + "…",
        _ => command,
    };
    let since = history.created.as_deref().and_then(|created| human::since(created, now));
    Row {
        data: json!({
            "id": newest.then(|| image.id()),
            "created": history.created,
            "createdBy": history.created_by,
            "author": history.author,
            "comment": history.comment,
            "size": size,
            "emptyLayer": step.layer.is_none(),
            "diffId": step.layer.map(|(diff_id, _)| diff_id),
        }),
        shown: json!({
            "ID": if newest { id(image.id(), no_trunc) } else { "<missing>".to_owned() },
            "CreatedAt": human::one_line(history.created.as_deref().unwrap_or("")),
            "CreatedSince": since.unwrap_or_else(|| "N/A".to_owned()),
            "CreatedBy": shortened,
            "Size": human::short_size(size),
            "Comment": human::one_line(history.comment.as_deref().unwrap_or("")),
        }),
    }
}
