//! What targets a Dockerfile has, and what one of them takes.

use tug_builder::Inspected;
use tug_dockerfile::{Outline, OutlineRequest, Target};

use super::{Call, Format, json};
use crate::error::CommandError;
use crate::human;
use crate::settings::Settings;

/// What the target takes.
pub(super) fn print_outline(
    inspected: &Inspected,
    outline: &Outline,
    call: Call,
    settings: &Settings,
) -> Result<(), CommandError> {
    if call.format == Format::Json {
        return settings.output.line(format_args!("{:#}", json::outline(outline, &inspected.bytes)));
    }
    settings.output.data(outline_text(outline).as_bytes())
}

/// Every target.
pub(super) fn print_targets(
    inspected: &Inspected,
    targets: &[Target],
    call: Call,
    settings: &Settings,
) -> Result<(), CommandError> {
    if call.format == Format::Json {
        return settings.output.line(format_args!("{:#}", json::targets(targets, &inspected.bytes)));
    }
    let mut rows = vec![["TARGET".to_owned(), "DESCRIPTION".to_owned()]];
    for target in targets {
        let name = match (target.name.as_str(), target.is_default) {
            ("", true) => "(default)".to_owned(),
            ("", false) => continue,
            (name, true) => format!("{name} (default)"),
            (name, false) => name.to_owned(),
        };
        rows.push([name, target.description.clone()]);
    }
    settings.output.data(table(&rows).as_bytes())
}

/// The tables of buildx, and one more for caches.
fn outline_text(outline: &Outline) -> String {
    let mut parts = Vec::new();
    if !outline.name.is_empty() || !outline.description.is_empty() {
        let name = if outline.name.is_empty() { "(default)" } else { &outline.name };
        let mut rows = vec![["TARGET:".to_owned(), name.to_owned()]];
        if !outline.description.is_empty() {
            rows.push(["DESCRIPTION:".to_owned(), outline.description.clone()]);
        }
        parts.push(table(&rows));
    }
    if !outline.arguments.is_empty() {
        let head = ["BUILD ARG", "VALUE", "DESCRIPTION"].map(str::to_owned);
        let row = |argument: &tug_dockerfile::OutlineArgument| {
            [argument.name.clone(), argument.value.clone(), argument.description.clone()]
        };
        let rows: Vec<_> = std::iter::once(head).chain(outline.arguments.iter().map(row)).collect();
        parts.push(table(&rows));
    }
    for (head, requests) in [("SECRET", &outline.secrets), ("SSH", &outline.ssh)] {
        if !requests.is_empty() {
            let head = [head.to_owned(), "REQUIRED".to_owned()];
            let row = |request: &OutlineRequest| {
                [request.id.clone(), if request.required { "true".to_owned() } else { String::new() }]
            };
            let rows: Vec<_> = std::iter::once(head).chain(requests.iter().map(row)).collect();
            parts.push(table(&rows));
        }
    }
    if !outline.caches.is_empty() {
        let rows: Vec<_> = std::iter::once(["CACHE MOUNT".to_owned()])
            .chain(outline.caches.iter().map(|cache| [cache.id.clone()]))
            .collect();
        parts.push(table(&rows));
    }
    parts.join("\n")
}

/// Columns three blanks apart, no blanks at the end of lines.
fn table<const N: usize>(rows: &[[String; N]]) -> String {
    let shown: Vec<[String; N]> =
        rows.iter().map(|row| row.each_ref().map(|cell| human::one_line(cell))).collect();
    let width = |column: usize| {
        shown.iter().map(|row| unicode_width::UnicodeWidthStr::width(row[column].as_str())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in &shown {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line += cell;
            let own = unicode_width::UnicodeWidthStr::width(cell.as_str());
            line += &" ".repeat(width - own + 3);
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}
