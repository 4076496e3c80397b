//! The page: what stands where.
//!
//! | section   | may take, in bytes |
//! | --------- | ------------------ |
//! | layers    | 150 000            |
//! | files     | 800 000            |
//! | waste     | 240 000            |
//! | packages  | 250 000            |
//! | config    | 150 000            |
//! | history   | 200 000            |
//! | build     | 100 000            |
//!
//! So no image has a page of more than 2 MB.

use std::fmt::Write;

use serde_json::Value;
use tug_builder::LayerOrigin;
use tug_oci::{Index, Raw};

use super::html::{Cut, LONG, SHORT, escaped};
use super::{files, layers, timeline, waste};
use crate::commands::diff::fields;
use crate::commands::waste as finding;
use crate::error::CommandError;
use crate::human;
use crate::inside::{Base, Opened, Step};

const STYLE: &str = include_str!("page.css");
/// Nothing may be loaded, sent or run; only what stands in the page itself is its style.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

const PACKAGES: usize = 250_000;
const CONFIG: usize = 150_000;
const HISTORY: usize = 200_000;
/// An index is no larger.
const INDEX_LIMIT: u64 = 16 << 20;
/// So many platforms are named.
const MOST_PLATFORMS: usize = 50;

/// The whole page about an image. Its layers come if they are missing.
pub(super) fn page(opened: &Opened) -> Result<String, CommandError> {
    opened.fetch()?;
    let found = finding::find(opened)?;
    let view = opened.view()?;
    let (steps, base) = opened.steps()?;
    let build = timeline::section(opened)?;
    let name = escaped(&opened.name, SHORT);
    let mut sections: Vec<(&str, &str, String)> = vec![
        ("layers", "Layers", layers::section(&steps)),
        ("files", "Files", files::section(&opened.name, &view)),
        ("waste", "Waste", waste::section(&opened.name, &found)),
        ("packages", "Packages", packages(&view)?),
        ("config", "Config", config(opened)),
        ("history", "History", history(opened, &steps)),
    ];
    if let Some(build) = build {
        sections.push(("build", "Build", build));
    }
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n<meta name=\"referrer\" content=\"no-referrer\"/>\n\
         <title>{name}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<header>\n<h1>{name}</h1>\n"
    );
    page += &figures(opened, &found, &steps);
    page += &facts(opened, base.as_ref());
    page += "<nav aria-label=\"Sections\">";
    for (id, title, _) in &sections {
        // A text cannot fail to be written to, here and below.
        let _ = write!(page, "<a href=\"#{id}\">{title}</a>");
    }
    page += "</nav>\n</header>\n<main>\n";
    for (id, title, content) in &sections {
        let _ = write!(page, "<section id=\"{id}\">\n<h2>{title}</h2>\n{content}</section>\n");
    }
    let version = escaped(env!("CARGO_PKG_VERSION"), SHORT);
    let _ = write!(page, "</main>\n<footer><p class=\"note\">Written by tug {version}.</p></footer>\n");
    page += "</body>\n</html>\n";
    Ok(page)
}

fn figures(opened: &Opened, found: &finding::Found, steps: &[Step]) -> String {
    let files = human::size(found.waste.content_size);
    let stored =
        human::size(steps.iter().filter_map(|step| step.layer.as_ref()).map(|it| it.blob.size).sum());
    let efficiency = format!("{:.1} %", found.waste.score.efficiency * 100.0);
    let figures = [
        (files, "of files"),
        (stored, "stored and sent"),
        (opened.image.diff_ids().len().to_string(), "layers"),
        (efficiency, "efficiency"),
        (human::size(found.waste.hidden_bytes()), "hidden by later layers"),
    ];
    let mut html = String::from("<ul class=\"figures\">");
    for (figure, words) in figures {
        let _ = write!(html, "<li><b>{}</b><span>{words}</span></li>", escaped(&figure, SHORT));
    }
    html + "</ul>\n"
}

fn facts(opened: &Opened, base: Option<&Base>) -> String {
    let image = &opened.image;
    let mut facts = vec![
        ("Image id", image.id().to_string()),
        ("Digest", image.descriptor.digest.to_string()),
        ("Platform", image.config.platform.to_string()),
    ];
    if let Some(platforms) = platforms(opened) {
        facts.push(("Also for", platforms));
    }
    facts.extend(image.config.created.clone().map(|created| ("Created", created)));
    if let Some(base) = base {
        let mut text = base.name.clone().unwrap_or_else(|| "an image without a name".to_owned());
        if let Some(digest) = &base.digest {
            text += &format!("@{digest}");
        }
        if let Some(layers) = base.layers.filter(|layers| *layers > 0) {
            text += &format!(", {}", human::counted(layers, "layer"));
        }
        facts.push(("Base image", text));
    }
    let mut html = String::from("<dl>");
    for (name, value) in facts {
        let _ = write!(html, "<dt>{name}</dt><dd><code>{}</code></dd>", escaped(&value, LONG));
    }
    html + "</dl>\n"
}

/// The other platforms of the index that the name points to, if it points to one.
fn platforms(opened: &Opened) -> Option<String> {
    let target = opened.target()?;
    let bytes = opened.store.read_blob(&target.digest, INDEX_LIMIT).ok()?;
    let index = Raw::<Index>::parse(bytes).ok()?;
    let own = opened.image.config.platform.to_string();
    let platforms = index.manifests.iter().filter_map(|child| child.platform.as_ref());
    let mut others: Vec<String> = platforms
        .filter(|platform| platform.os != "unknown")
        .map(ToString::to_string)
        .filter(|platform| *platform != own)
        .collect();
    others.dedup();
    others.truncate(MOST_PLATFORMS);
    (!others.is_empty()).then(|| others.join(", "))
}

fn packages(view: &tug_layer_store::View) -> Result<String, CommandError> {
    let found = view.packages()?;
    let mut html = String::new();
    let mut kinds: Vec<_> = found.installed.keys().map(|package| package.kind).collect();
    kinds.dedup();
    let share = PACKAGES / kinds.len().max(1);
    for kind in &kinds {
        let mut list = Cut::new(share);
        let mut count = 0;
        for (package, versions) in found.installed.iter().filter(|(package, _)| package.kind == *kind) {
            count += 1;
            let versions = versions.iter().cloned().collect::<Vec<_>>().join(", ");
            list.add(&format!(
                "<li>{} <span class=\"dim\">{}</span></li>",
                escaped(&package.name, SHORT),
                escaped(&versions, SHORT)
            ));
        }
        let open = if count <= 60 { " open=\"\"" } else { "" };
        let before = format!(
            "<details{open}><summary>{} <b>{count}</b></summary><ul class=\"packages\">",
            kind.name()
        );
        html += &list.finish(&before, "</ul></details>", "");
    }
    for list in &found.unread {
        let _ = writeln!(html, "<p class=\"note\">Not read: {}.</p>", escaped(list, SHORT));
    }
    if html.is_empty() {
        html += "<p class=\"note\">No package manager has left a list.</p>\n";
    }
    Ok(html)
}

fn config(opened: &Opened) -> String {
    let mut rows = Cut::new(CONFIG);
    for (name, value) in fields(&opened.image) {
        let value = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        rows.add(&format!("<dt>{}</dt><dd><pre>{}</pre></dd>", escaped(&name, SHORT), escaped(&value, LONG)));
    }
    rows.finish("<dl>", "</dl>", &format!("tug inspect {}", opened.name))
}

fn history(opened: &Opened, steps: &[Step]) -> String {
    let mut rows = Cut::new(HISTORY);
    for step in steps {
        let command = step.history.created_by.as_deref().unwrap_or("");
        let created = step.history.created.as_deref().unwrap_or("");
        let layer = step.layer.as_ref();
        let place = layer.and_then(|layer| layer.origin.as_ref()).map(LayerOrigin::place);
        let mut head = String::new();
        if let Some(layer) = layer {
            let _ = write!(head, "<span>layer {}</span>", layer.number + 1);
        }
        if let Some(place) = place {
            let _ = write!(head, "<code>{}</code>", escaped(&place, SHORT));
        }
        if step.is_base {
            head += "<span class=\"tag\">base</span>";
        }
        if !created.is_empty() {
            let _ = write!(head, "<span class=\"dim\">{}</span>", escaped(created, SHORT));
        }
        if let Some(comment) = step.history.comment.as_deref().filter(|comment| !comment.is_empty()) {
            let _ = write!(head, "<span class=\"dim\">{}</span>", escaped(comment, SHORT));
        }
        rows.add(&format!("<li><div class=\"head\">{head}</div><pre>{}</pre></li>", escaped(command, LONG)));
    }
    rows.finish("<ol class=\"rows\">", "</ol>", &format!("tug history --no-trunc {}", opened.name))
}
