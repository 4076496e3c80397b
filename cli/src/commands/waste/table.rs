//! Waste as people read it: figures, the worst of each kind, and what to do.

use std::collections::BTreeMap;

use super::rules::Outcome;
use super::{Found, advice, layer, word};
use crate::format;
use crate::human;
use crate::inside::Opened;

/// So many names of the same content are shown.
const NAMES: usize = 3;

/// The whole text; of each kind the first `top`.
pub(super) fn text(opened: &Opened, found: &Found, outcomes: &[Outcome], top: usize) -> String {
    let waste = &found.waste;
    let layers = human::counted(opened.image.diff_ids().len(), "layer");
    let name = human::one_line(&opened.name);
    let mut text = format!("{name}: {} of files in {layers}\n", human::size(waste.content_size));
    let figures = [
        ("efficiency", format!("{:.1} %", waste.score.efficiency * 100.0), "as dive computes it"),
        (
            "wasted",
            human::size(waste.score.wasted_bytes),
            "of paths that several layers write, the copy that is seen included, as dive counts",
        ),
        ("hidden", human::size(waste.hidden_bytes()), "that later layers remove or replace"),
        ("duplicates", human::size(waste.duplicate_bytes()), "of the same content under several names"),
        ("left behind", human::size(waste.leftover_bytes()), "of caches and the like"),
    ];
    let lines = figures.map(|(name, figure, words)| format!("  {name}\t{figure}\t{words}"));
    text += &format::aligned(&lines);
    hidden(&mut text, found, top);
    duplicates(&mut text, found, top);
    leftovers(&mut text, found, top);
    if !outcomes.is_empty() {
        text += "\nRULES\n";
        let line =
            |outcome: &Outcome| format!("  {}\t{outcome}", if outcome.passed { "pass" } else { "FAIL" });
        text += &format::aligned(&outcomes.iter().map(line).collect::<Vec<_>>());
    }
    text
}

fn hidden(text: &mut String, found: &Found, top: usize) {
    let Found { waste, origins } = found;
    if waste.hidden.is_empty() {
        return;
    }
    *text += "\nHIDDEN\n";
    let mut lines = vec!["  SIZE\tPATH\tIN LAYER\tHOW\tBY LAYER".to_owned()];
    for hidden in waste.hidden.iter().take(top) {
        let files = if hidden.files > 1 { format!(" ({} files)", hidden.files) } else { String::new() };
        lines.push(format!(
            "  {}\t{}{files}\t{}\t{}\t{}",
            human::size(hidden.bytes),
            path(&hidden.path),
            layer(hidden.layer, origins),
            word(hidden.how),
            layer(hidden.by, origins)
        ));
    }
    *text += &format::aligned(&lines);
    more(text, waste.hidden.len(), top);
    // The kind that costs most comes first.
    let mut kinds: BTreeMap<_, u64> = BTreeMap::new();
    for hidden in &waste.hidden {
        *kinds.entry(hidden.how).or_default() += hidden.bytes;
    }
    let mut kinds: Vec<_> = kinds.into_iter().filter(|(_, bytes)| *bytes > 0).collect();
    kinds.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    for (how, _) in kinds {
        *text += &format!("  {}: {}\n", word(how), advice(how));
    }
}

fn duplicates(text: &mut String, found: &Found, top: usize) {
    let duplicates = &found.waste.duplicates;
    if duplicates.is_empty() {
        return;
    }
    *text += "\nDUPLICATES\n";
    let mut lines = vec!["  SIZE\tTIMES\tPATHS".to_owned()];
    for duplicate in duplicates.iter().take(top) {
        let names: Vec<String> = duplicate.places.iter().take(NAMES).map(|(name, _)| path(name)).collect();
        let more = if duplicate.places.len() > NAMES { " …" } else { "" };
        let (size, times) = (human::size(duplicate.bytes()), duplicate.places.len());
        lines.push(format!("  {size}\t{times}\t{}{more}", names.join(" ")));
    }
    *text += &format::aligned(&lines);
    more(text, duplicates.len(), top);
}

fn leftovers(text: &mut String, found: &Found, top: usize) {
    let Found { waste, origins } = found;
    if waste.leftovers.is_empty() {
        return;
    }
    *text += "\nLEFT BEHIND\n";
    let mut lines = vec!["  SIZE\tPATH\tWHAT\tIN LAYER".to_owned()];
    for leftover in waste.leftovers.iter().take(top) {
        lines.push(format!(
            "  {}\t{}\t{}\t{}",
            human::size(leftover.bytes),
            path(&leftover.path),
            leftover.kind.name,
            layer(leftover.layer, origins)
        ));
    }
    *text += &format::aligned(&lines);
    more(text, waste.leftovers.len(), top);
    let mut told = Vec::new();
    for kind in waste.leftovers.iter().take(top).map(|leftover| leftover.kind) {
        if !told.contains(&kind) {
            *text += &format!("  {}: {}\n", kind.name, kind.advice);
            told.push(kind);
        }
    }
}

fn more(text: &mut String, count: usize, top: usize) {
    if count > top {
        *text += &format!("  … and {} more: `-n {count}` shows all\n", count - top);
    }
}

fn path(path: &[u8]) -> String {
    format!("/{}", human::one_line(&String::from_utf8_lossy(path)))
}
