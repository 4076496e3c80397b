//! `tug history`: how an image was made, the newest step first, or as a tree on its base.

use jiff::Timestamp;
use serde_json::json;

use super::images::id;
use crate::error::CommandError;
use crate::format::{self, Row, Table};
use crate::human;
use crate::inside::{self, Base, ImagePlace, Opened, PlaceArguments, Step};
use crate::settings::Settings;

/// Arguments of `tug history`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
SIZE is that of the files in a layer, STORED that of the blob that is kept and sent. Where a build of this store made a
layer, its line in the Dockerfile is shown. An image that is not in the store is looked at on its registry.

Examples:
  tug history app                     The table
  tug history --tree app              The oldest first, above the base image
  tug history --no-trunc app          With whole commands
  tug history --format json app       For programs
  tug history docker://debian:12      On a registry")]
pub(crate) struct HistoryArguments {
    /// The image, by name or id
    #[arg(value_name = "IMAGE", value_parser = inside::image)]
    image: ImagePlace,
    /// Show whole ids and commands
    #[arg(long)]
    no_trunc: bool,
    /// Show only ids
    #[arg(short, long, conflicts_with = "tree")]
    quiet: bool,
    /// Show the steps above those of the base image, the oldest first
    #[arg(long, conflicts_with = "format")]
    tree: bool,
    /// Sizes and times for people; `false` for bytes and dates
    #[arg(short = 'H', long, value_name = "BOOL", num_args = 0..=1, require_equals = true)]
    #[arg(default_value_t = true, default_missing_value = "true", action = clap::ArgAction::Set)]
    human: bool,
    /// Write `json`, or what a template says, such as `{{.CreatedBy}}`
    #[arg(long, value_name = "FORMAT", conflicts_with = "quiet")]
    format: Option<String>,
    #[command(flatten)]
    place: PlaceArguments,
}

const HEADS: &[(&str, &str)] = &[
    ("ID", "IMAGE"),
    ("CreatedSince", "CREATED"),
    ("CreatedAt", "CREATED AT"),
    ("CreatedBy", "CREATED BY"),
    ("Size", "SIZE"),
    ("Stored", "STORED"),
    ("Line", "LINE"),
    ("Base", "BASE"),
    ("Comment", "COMMENT"),
];

const TABLE: Table = Table {
    template: "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Stored}}\t{{.Comment}}",
    heads: HEADS,
};

/// Where lines of a Dockerfile are known.
const TABLE_WITH_LINES: Table = Table {
    template: "{{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Stored}}\t{{.Line}}\t{{.Comment}}",
    heads: HEADS,
};

const TABLE_OF_NUMBERS: Table = Table {
    template: "{{.ID}}\t{{.CreatedAt}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Stored}}\t{{.Line}}\t{{.Comment}}",
    heads: HEADS,
};

/// Characters of a command that a table shows.
const COMMAND: usize = 45;
/// … and a tree, which has less beside it.
const COMMAND_IN_TREE: usize = 70;

/// Lists the steps.
pub(super) fn run(arguments: &HistoryArguments, settings: &Settings) -> Result<(), CommandError> {
    let opened = arguments.place.open(&arguments.image, settings)?;
    let shown = show(&opened, arguments)?;
    opened.end();
    settings.output.data(shown.as_bytes())
}

fn show(opened: &Opened, arguments: &HistoryArguments) -> Result<String, CommandError> {
    let image = &opened.image;
    if arguments.quiet {
        let whole = arguments.no_trunc;
        let count = image.config.history.len().saturating_sub(1);
        let ids =
            [id(image.id(), whole)].into_iter().chain(std::iter::repeat_n("<missing>".to_owned(), count));
        return Ok(ids.map(|id| id + "\n").collect());
    }
    let (mut steps, base) = opened.steps()?;
    if arguments.tree {
        return Ok(tree(opened, &steps, base.as_ref(), arguments));
    }
    let now = Timestamp::now();
    steps.reverse();
    let has_lines = steps.iter().any(|step| step.layer.as_ref().is_some_and(|layer| layer.origin.is_some()));
    let rows: Vec<Row> =
        steps.iter().enumerate().map(|(age, step)| row(opened, step, age == 0, arguments, now)).collect();
    let table = match (arguments.human, has_lines) {
        (false, _) => &TABLE_OF_NUMBERS,
        (true, true) => &TABLE_WITH_LINES,
        (true, false) => &TABLE,
    };
    format::listing(arguments.format.as_deref(), table, &rows)
}

fn row(opened: &Opened, step: &Step, newest: bool, arguments: &HistoryArguments, now: Timestamp) -> Row {
    let HistoryArguments { no_trunc, human, .. } = *arguments;
    let (image, history, layer) = (&opened.image, &step.history, step.layer.as_ref());
    let stored = layer.map_or(0, |layer| layer.blob.size);
    let known = layer.and_then(|layer| layer.known);
    let origin = layer.and_then(|layer| layer.origin.as_ref());
    let size = |bytes: u64| if human { human::short_size(bytes) } else { bytes.to_string() };
    let since = history.created.as_deref().and_then(|created| human::since(created, now));
    Row {
        data: json!({
            "id": newest.then(|| image.id()),
            "created": history.created,
            "createdBy": history.created_by,
            "author": history.author,
            "comment": history.comment,
            "size": stored,
            "contentSize": known.map(|known| known.content_size),
            "tarSize": known.map(|known| known.tar_size),
            "emptyLayer": layer.is_none(),
            "layer": layer.map(|layer| layer.number + 1),
            "diffId": layer.map(|layer| &layer.diff_id),
            "digest": layer.map(|layer| &layer.blob.digest),
            "base": step.is_base,
            "origin": origin,
        }),
        shown: json!({
            "ID": if newest { id(image.id(), no_trunc) } else { "<missing>".to_owned() },
            "CreatedAt": human::one_line(history.created.as_deref().unwrap_or("")),
            "CreatedSince": since.unwrap_or_else(|| "N/A".to_owned()),
            "CreatedBy": command(step, if no_trunc { usize::MAX } else { COMMAND }),
            "Size": match (layer, known) {
                (None, _) => size(0),
                (Some(_), Some(known)) => size(known.content_size),
                (Some(_), None) => "-".to_owned(),
            },
            "Stored": size(stored),
            "Line": origin.map_or_else(String::new, |origin| human::one_line(&origin.place())),
            "Base": step.is_base,
            "Comment": human::one_line(history.comment.as_deref().unwrap_or("")),
        }),
    }
}

fn command(step: &Step, most: usize) -> String {
    let command = human::one_line(step.history.created_by.as_deref().unwrap_or(""));
    match command.char_indices().nth(most) {
        Some(_) => command.chars().take(most - 1).collect::<String>() + "…",
        None => command,
    }
}

/// The base image and its steps, and those that stand on it.
fn tree(opened: &Opened, steps: &[Step], base: Option<&Base>, arguments: &HistoryArguments) -> String {
    let image = &opened.image;
    let own: Vec<&Step> = steps.iter().filter(|step| !step.is_base).collect();
    let of_base: Vec<&Step> = steps.iter().filter(|step| step.is_base).collect();
    let mut text = format!(
        "{}  {}  {}  {}\n",
        human::one_line(&opened.name),
        id(image.id(), arguments.no_trunc),
        human::one_line(&image.config.platform.to_string()),
        sum(steps.iter(), arguments.human)
    );
    if let Some(base) = base {
        let name = base.name.as_deref().map_or_else(|| "an image without a name".to_owned(), human::one_line);
        let digest = base.digest.as_deref().map_or_else(String::new, |digest| {
            let digest = human::one_line(digest);
            match arguments.no_trunc || digest.len() <= 19 {
                true => format!("@{digest}"),
                false => format!("@{}", digest.chars().take(19).collect::<String>()),
            }
        });
        let branch = if own.is_empty() { "└─" } else { "├─" };
        let size = sum(of_base.iter().copied(), arguments.human);
        text += &format!("{branch} base {name}{digest}  {size}\n");
        let bar = if own.is_empty() { "   " } else { "│  " };
        branches(&mut text, bar, &of_base, arguments);
    }
    branches(&mut text, "", &own, arguments);
    text
}

fn branches(text: &mut String, bar: &str, steps: &[&Step], arguments: &HistoryArguments) {
    let size = |step: &Step| match &step.layer {
        Some(layer) => size_of(layer, arguments.human),
        None => String::new(),
    };
    let widest = steps.iter().map(|step| size(step).chars().count()).max().unwrap_or(0);
    for (place, step) in steps.iter().enumerate() {
        let branch = if place + 1 == steps.len() { "└─" } else { "├─" };
        let size = size(step);
        let pad = " ".repeat(widest - size.chars().count());
        let mut command = command(step, if arguments.no_trunc { usize::MAX } else { COMMAND_IN_TREE });
        if command.is_empty() {
            command = human::one_line(step.history.comment.as_deref().unwrap_or(""));
        }
        let origin = step.layer.as_ref().and_then(|layer| layer.origin.as_ref());
        let line = origin.map_or_else(String::new, |origin| human::one_line(&origin.place()) + "  ");
        let row = format!("{bar}{branch} {pad}{size}  {line}{command}");
        text.push_str(row.trim_end());
        text.push('\n');
    }
}

/// The files of a layer; where they are not known, the blob.
fn size_of(layer: &inside::StepLayer, human: bool) -> String {
    let text = |bytes: u64| if human { human::size(bytes) } else { bytes.to_string() };
    match layer.known {
        Some(known) => text(known.content_size),
        None => format!("{} stored", text(layer.blob.size)),
    }
}

fn sum<'a>(steps: impl Iterator<Item = &'a Step>, human: bool) -> String {
    let text = |bytes: u64| if human { human::size(bytes) } else { bytes.to_string() };
    let layers: Vec<_> = steps.filter_map(|step| step.layer.as_ref()).collect();
    let stored: u64 = layers.iter().map(|layer| layer.blob.size).sum();
    let files: Option<u64> = layers.iter().map(|layer| Some(layer.known?.content_size)).sum();
    match files {
        Some(files) => format!("{} of files, {} stored", text(files), text(stored)),
        None => format!("{} stored", text(stored)),
    }
}
