//! Waste on the page: what is hidden, twice or forgotten, with the line that made it and what to do.

use std::fmt::Write;

use super::html::{Cut, SHORT, escaped, path, words};
use crate::commands::waste::{Found, advice, layer, word};
use crate::human;

/// Bytes of each of the three lists.
const EACH: usize = 80_000;
/// Rows of each.
const ROWS: usize = 60;
/// Names of one content.
const NAMES: usize = 4;

/// The three kinds of waste.
pub(super) fn section(name: &str, found: &Found) -> String {
    let waste = &found.waste;
    let command = format!("tug waste -n 100000 {name}");
    let mut html = format!(
        "<p>Efficiency <b>{:.1} %</b> as dive computes it; <b>{}</b> hidden by later layers, <b>{}</b> there more than \
         once, <b>{}</b> left behind.</p>\n",
        waste.score.efficiency * 100.0,
        human::size(waste.hidden_bytes()),
        human::size(waste.duplicate_bytes()),
        human::size(waste.leftover_bytes())
    );
    hidden(&mut html, found, &command);
    duplicates(&mut html, found, &command);
    leftovers(&mut html, found, &command);
    html
}

fn table(head: &[&str]) -> String {
    let head: String = head.iter().map(|name| format!("<th>{name}</th>")).collect();
    format!("<div class=\"scroll\"><table><thead><tr>{head}</tr></thead><tbody>")
}

const END: &str = "</tbody></table></div>";

fn hidden(html: &mut String, Found { waste, origins }: &Found, command: &str) {
    if waste.hidden.is_empty() {
        return;
    }
    html.push_str("<h3>Hidden</h3>\n");
    let mut rows = Cut::new(EACH);
    for hidden in waste.hidden.iter().take(ROWS) {
        let files = if hidden.files > 1 { format!(" ({} files)", hidden.files) } else { String::new() };
        rows.add(&format!(
            "<tr><td class=\"n\">{}</td><td class=\"p\"><code>/{}</code>{files}</td><td>{}</td><td>{}</td>\
             <td>{}</td></tr>",
            human::size(hidden.bytes),
            path(&hidden.path),
            escaped(&layer(hidden.layer, origins), SHORT),
            word(hidden.how),
            escaped(&layer(hidden.by, origins), SHORT)
        ));
    }
    html.push_str(&rows.finish(&table(&["Size", "Path", "In layer", "How", "By layer"]), END, command));
    more(html, waste.hidden.len(), command);
    let mut kinds: Vec<_> = waste.hidden.iter().filter(|hidden| hidden.bytes > 0).map(|it| it.how).collect();
    kinds.sort();
    kinds.dedup();
    for how in kinds {
        // A text cannot fail to be written to, here and below.
        let _ = writeln!(html, "<p class=\"note\"><b>{}</b>: {}.</p>", word(how), words(advice(how)));
    }
}

fn duplicates(html: &mut String, Found { waste, .. }: &Found, command: &str) {
    if waste.duplicates.is_empty() {
        return;
    }
    html.push_str("<h3>The same content more than once</h3>\n");
    let mut rows = Cut::new(EACH);
    for duplicate in waste.duplicates.iter().take(ROWS) {
        let names = duplicate.places.iter().take(NAMES);
        let mut names: Vec<String> = names.map(|(name, _)| format!("<code>/{}</code>", path(name))).collect();
        if duplicate.places.len() > NAMES {
            names.push("…".to_owned());
        }
        rows.add(&format!(
            "<tr><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"p\">{}</td></tr>",
            human::size(duplicate.bytes()),
            duplicate.places.len(),
            names.join("<br/>")
        ));
    }
    html.push_str(&rows.finish(&table(&["Size", "Times", "Paths"]), END, command));
    more(html, waste.duplicates.len(), command);
}

fn leftovers(html: &mut String, Found { waste, origins }: &Found, command: &str) {
    if waste.leftovers.is_empty() {
        return;
    }
    html.push_str("<h3>Left behind</h3>\n");
    let mut rows = Cut::new(EACH);
    for leftover in waste.leftovers.iter().take(ROWS) {
        rows.add(&format!(
            "<tr><td class=\"n\">{}</td><td class=\"p\"><code>/{}</code></td><td>{}: {}</td><td>{}</td></tr>",
            human::size(leftover.bytes),
            path(&leftover.path),
            escaped(leftover.kind.name, SHORT),
            words(leftover.kind.advice),
            escaped(&layer(leftover.layer, origins), SHORT)
        ));
    }
    html.push_str(&rows.finish(&table(&["Size", "Path", "What", "In layer"]), END, command));
    more(html, waste.leftovers.len(), command);
}

fn more(html: &mut String, count: usize, command: &str) {
    if count > ROWS {
        let command = escaped(command, SHORT);
        let _ = writeln!(
            html,
            "<p class=\"note\">The first {ROWS} of {count}: <code>{command}</code> shows all.</p>"
        );
    }
}
