//! `tug bake --list`: what a definition has.

use serde_json::{Map, Value};
use tug_bake::Definition;

use crate::error::CommandError;
use crate::format::{self, Row, Table};
use crate::output::Output;

const TARGETS: Table = Table {
    template: "{{.Name}}\t{{.Description}}",
    heads: &[("Name", "TARGET"), ("Description", "DESCRIPTION")],
};
const VARIABLES: Table = Table {
    template: "{{.Name}}\t{{.Type}}\t{{.Value}}\t{{.Description}}",
    heads: &[("Name", "VARIABLE"), ("Type", "TYPE"), ("Value", "VALUE"), ("Description", "DESCRIPTION")],
};

/// Writes what `list` asks for: `targets`, `variables`, or `type=…,format=json`.
pub(super) fn write(list: &str, definition: &Definition, output: &Output) -> Result<(), CommandError> {
    let (kind, json) = asked(list)?;
    let (table, rows) = match kind {
        "targets" => (&TARGETS, targets(definition)),
        "variables" => (&VARIABLES, variables(definition)),
        other => {
            return Err(CommandError::usage(format_args!("there is no list of `{other}`"))
                .hint("`--list targets` and `--list variables` are there"));
        }
    };
    if json {
        let rows: Value = rows.into_iter().map(|row| row.data).collect();
        return output.line(serde_json::to_string_pretty(&rows).unwrap_or_default());
    }
    format::list(None, table, &rows, output)
}

fn asked(list: &str) -> Result<(&str, bool), CommandError> {
    if !list.contains('=') {
        return Ok((list, false));
    }
    let (mut kind, mut json) = ("", false);
    for field in list.split(',') {
        match field.split_once('=') {
            Some(("type", value)) => kind = value,
            Some(("format", "json")) => json = true,
            Some(("format", "table")) => json = false,
            _ => {
                return Err(CommandError::usage(format_args!("`--list`: `{field}` is not known"))
                    .hint("write `--list type=targets,format=json`"));
            }
        }
    }
    Ok((kind, json))
}

fn targets(definition: &Definition) -> Vec<Row> {
    let row = |offer: tug_bake::Offer| {
        let mut data = Map::new();
        data.insert("name".to_owned(), offer.name.as_str().into());
        if !offer.description.is_empty() {
            data.insert("description".to_owned(), offer.description.as_str().into());
        }
        if offer.group {
            data.insert("group".to_owned(), true.into());
        }
        let shown = serde_json::json!({"Name": offer.name, "Description": offer.description});
        Row { data: Value::Object(data), shown }
    };
    definition.offers().into_iter().map(row).collect()
}

fn variables(definition: &Definition) -> Vec<Row> {
    let row = |variable: &tug_bake::Variable| {
        let mut data = Map::new();
        data.insert("name".to_owned(), variable.name.as_str().into());
        let more =
            [("description", &variable.description), ("type", &variable.kind), ("value", &variable.value)];
        for (name, value) in more {
            if let Some(value) = value {
                data.insert(name.to_owned(), value.as_str().into());
            }
        }
        let shown = serde_json::json!({
            "Name": variable.name,
            "Type": variable.kind.as_deref().unwrap_or_default(),
            "Value": variable.value.as_deref().unwrap_or("<null>"),
            "Description": variable.description.as_deref().unwrap_or_default(),
        });
        Row { data: Value::Object(data), shown }
    };
    definition.variables.iter().map(row).collect()
}
