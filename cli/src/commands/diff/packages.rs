//! Which packages two images have in other versions, and which only one of them has.

use std::collections::BTreeSet;

use serde_json::json;
use tug_layer_store::View;

use super::Section;
use crate::error::CommandError;
use crate::format;
use crate::human;

/// Compares the lists of package managers; `None` for images with the same files.
pub(super) fn section(views: Option<&(View, View)>) -> Result<Section, CommandError> {
    let name = "packages";
    let Some((before, after)) = views else {
        return Ok(Section {
            name,
            data: json!({"changed": [], "unread": []}),
            text: String::new(),
            count: 0,
        });
    };
    let (before, after) = (before.packages()?, after.packages()?);
    let all: BTreeSet<_> = before.installed.keys().chain(after.installed.keys()).collect();
    let joined = |versions: &BTreeSet<String>| versions.iter().cloned().collect::<Vec<_>>().join(", ");
    let mut changes = Vec::new();
    let mut lines = Vec::new();
    for package in all {
        let (one, other) = (before.installed.get(package), after.installed.get(package));
        if one == other {
            continue;
        }
        let (kind, label) = (package.kind.name(), human::one_line(&package.name));
        let shown = |versions: &BTreeSet<String>| human::one_line(&joined(versions));
        lines.push(match (one, other) {
            (Some(one), Some(other)) => format!("  ~ {kind}\t{label}\t{} → {}", shown(one), shown(other)),
            (Some(one), None) => format!("  - {kind}\t{label}\t{}", shown(one)),
            (None, other) => format!("  + {kind}\t{label}\t{}", other.map_or_else(String::new, shown)),
        });
        changes.push(json!({
            "kind": kind,
            "name": package.name,
            "before": one.map(joined),
            "after": other.map(joined),
        }));
    }
    let unread: BTreeSet<&String> = before.unread.iter().chain(&after.unread).collect();
    let mut text = format::aligned(&lines);
    for list in &unread {
        text += &format!("  not read: {}\n", human::one_line(list));
    }
    let count = changes.len();
    Ok(Section { name, data: json!({"changed": changes, "unread": unread}), text, count })
}
