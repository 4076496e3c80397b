//! Layers on the page: each with a bar as long as its files.

use super::html::{Cut, SHORT, escaped};
use crate::human;
use crate::inside::Step;

const MOST: usize = 150_000;
/// Bytes of a command; the history has all of it.
const COMMAND: usize = 400;

/// The layers, the lowest first.
pub(super) fn section(steps: &[Step]) -> String {
    let layers: Vec<_> = steps.iter().filter_map(|step| Some((step, step.layer.as_ref()?))).collect();
    if layers.is_empty() {
        return "<p class=\"note\">It has no layers.</p>\n".to_owned();
    }
    let bytes =
        |layer: &crate::inside::StepLayer| layer.known.map_or(layer.blob.size, |known| known.content_size);
    let largest = layers.iter().map(|(_, layer)| bytes(layer)).max().unwrap_or(0).max(1);
    let mut rows = Cut::new(MOST);
    for (step, layer) in layers {
        let class = if step.is_base { " class=\"base\"" } else { "" };
        let tag = if step.is_base { "<span class=\"tag\">base</span>" } else { "" };
        let place = match &layer.origin {
            Some(origin) => format!("<code>{}</code>", escaped(&origin.place(), SHORT)),
            None => String::new(),
        };
        let width = bytes(layer) as f64 * 100.0 / largest as f64;
        let history = &step.history;
        let command = history.created_by.as_deref().filter(|command| !command.is_empty());
        let command = escaped(command.or(history.comment.as_deref()).unwrap_or(""), COMMAND);
        rows.add(&format!(
            "<li{class}><div class=\"head\"><span>{}</span><span class=\"size\">{}</span>\
             <span class=\"dim\">{} stored</span>{place}{tag}</div>\
             <span class=\"track\"><span class=\"bar\" style=\"width:{width:.2}%\"></span></span>\
             <code>{command}</code></li>\n",
            layer.number + 1,
            human::size(bytes(layer)),
            human::size(layer.blob.size)
        ));
    }
    rows.finish("<ol class=\"rows\">", "</ol>", "tug history IMAGE")
}
