//! Tells what went and what stayed.

use std::time::SystemTime;

use jiff::Timestamp;
use serde_json::{Value, json};
use tug_builder::StepNames;
use tug_layer_store::{Planned, Prunable, Pruned, Store, StoreUser};
use tug_oci::Reference;

use super::filter::kind_name;
use crate::error::CommandError;
use crate::format::{self, Row, Table};
use crate::human;
use crate::settings::Settings;
use crate::template::Template;

const TABLE: Table = Table {
    template: "{{.Type}}\t{{.Name}}\t{{.Size}}\t{{.UsedSince}}\t{{.Reason}}",
    heads: &[
        ("Type", "TYPE"),
        ("Name", "NAME"),
        ("ID", "ID"),
        ("Size", "SIZE"),
        ("UsedSince", "LAST USED"),
        ("Reason", "WHY"),
    ],
};
/// Longer names are cut in tables.
const LONGEST_NAME: usize = 50;

/// How it is told.
pub(super) struct Report<'a> {
    format: Option<&'a str>,
    names: StepNames,
    is_dry: bool,
}

impl<'a> Report<'a> {
    /// Reads the format, before anything is removed; and the names of steps, before they are gone.
    pub(super) fn new(format: Option<&'a str>, store: &Store, is_dry: bool) -> Result<Self, CommandError> {
        if let Some(format) = format.filter(|format| !matches!(*format, "json" | "table")) {
            Template::parse(format.strip_prefix("table ").unwrap_or(format))?;
        }
        Ok(Self { format, names: StepNames::read(store).unwrap_or_default(), is_dry })
    }

    /// Writes it: for programs one object, for people a table and how much was freed.
    pub(super) fn write(&self, pruned: &Pruned, settings: &Settings) -> Result<(), CommandError> {
        let now = Timestamp::now();
        let removed: Vec<Row> = pruned.plan.removed.iter().map(|planned| self.row(planned, now)).collect();
        let kept: Vec<Row> = pruned.plan.kept.iter().map(|planned| self.row(planned, now)).collect();
        let frees = pruned.plan.frees();
        if self.format == Some("json") {
            let data = |rows: Vec<Row>| rows.into_iter().map(|row| row.data).collect::<Vec<Value>>();
            let user = |user: &StoreUser| json!({"process": user.process, "command": user.command});
            let busy = pruned.busy.as_ref().map(|users| users.iter().map(user).collect::<Vec<Value>>());
            let in_use_by: Vec<Value> = pruned.in_use_by.iter().map(user).collect();
            let text = format::pretty(&json!({
                "dryRun": self.is_dry,
                "removed": data(removed),
                "kept": data(kept),
                "reclaimed": frees,
                "busy": busy,
                "inUseBy": in_use_by,
            }));
            return settings.output.line(text);
        }
        let is_template = self.format.is_some_and(|format| !format.starts_with("table"));
        if is_template {
            return format::list(self.format, &TABLE, &removed, &settings.output);
        }
        if !removed.is_empty() {
            format::list(self.format, &TABLE, &removed, &settings.output)?;
            settings.output.line("")?;
        }
        if self.is_dry && !kept.is_empty() {
            settings.output.line("What stays:")?;
            format::list(self.format, &TABLE, &kept, &settings.output)?;
            settings.output.line("")?;
        }
        let what = if self.is_dry { "Total reclaimable space" } else { "Total reclaimed space" };
        settings.output.line(format_args!("{what}: {}", human::short_size(frees)))
    }

    fn row(&self, planned: &Planned, now: Timestamp) -> Row {
        let Thing { kind, name, id } = self.thing(&planned.what);
        let used = planned.used.and_then(time);
        let since = used.as_deref().and_then(|used| human::since(used, now));
        let reason = human::one_line(&planned.why.to_string());
        let shown = human::one_line(&name);
        Row {
            data: json!({"type": kind, "name": name, "id": id, "size": planned.bytes, "used": used, "reason": reason}),
            shown: json!({
                "Type": kind,
                "Name": cut(&shown),
                "ID": id,
                "Size": human::short_size(planned.bytes),
                "UsedSince": since.unwrap_or_default(),
                "Reason": reason,
            }),
        }
    }

    fn thing(&self, what: &Prunable) -> Thing {
        let thing = |kind: &'static str, name: String, id: String| Thing { kind, name, id };
        match what {
            Prunable::Image { digest, names } => {
                let names: Vec<String> = names.iter().map(Reference::familiar).collect();
                let name = if names.is_empty() { "<none>".to_owned() } else { names.join(", ") };
                thing("image", name, digest.to_string())
            }
            Prunable::Result { keys, kind } => {
                let id = keys.first().map(|key| key.short().to_owned()).unwrap_or_default();
                let name = self.names.find(keys).map_or_else(|| id.clone(), str::to_owned);
                thing(kind_name(*kind), name, id)
            }
            Prunable::Mount(id) => thing("exec.cachemount", id.id.clone(), id.name()),
            Prunable::Repository(name) => thing("source.git.checkout", name.clone(), name.clone()),
            Prunable::Memory => {
                thing("internal", "inputs of steps, digests of files".to_owned(), String::new())
            }
            Prunable::Build(id) => thing("build", id.clone(), id.clone()),
            Prunable::Leftover(id) => {
                thing("leftover", format!("files of the failed build {id}"), id.clone())
            }
            Prunable::Download(digest) => thing("download", digest.clone(), digest.clone()),
            Prunable::Unreferenced(count) => {
                thing("unreferenced", parts(*count, "blob or layer", "blobs and layers"), String::new())
            }
            Prunable::LeftBehind(count) => {
                thing("left behind", parts(*count, "file or folder", "files and folders"), String::new())
            }
            Prunable::Tree(layer) => thing("tree", layer.to_string(), layer.to_string()),
            Prunable::PlainTar(layer) => thing("plain tar", layer.to_string(), layer.to_string()),
            _ => thing("other", String::new(), String::new()),
        }
    }
}

struct Thing {
    kind: &'static str,
    name: String,
    id: String,
}

fn parts(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn time(moment: SystemTime) -> Option<String> {
    Timestamp::try_from(moment).ok().map(|moment| moment.to_string())
}

fn cut(name: &str) -> String {
    match name.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}
