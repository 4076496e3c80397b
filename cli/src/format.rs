//! `--format` of the commands that list things: a table, JSON, or a template.
//!
//! | `--format`          | what is written                                                              |
//! | ------------------- | ---------------------------------------------------------------------------- |
//! | absent, `table`     | the table of the command                                                     |
//! | `table TEMPLATE`    | the template for each row, in columns where it has tabs, below a header      |
//! | `json`              | one array; names in lower camel case, sizes in bytes, times as RFC 3339      |
//! | `TEMPLATE`          | the template for each row                                                    |
//!
//! Templates see what the table shows, under docker's names (`{{.ID}}`, `{{.CreatedSince}}`), so that what people
//! have pasted elsewhere works here.

use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr;

use crate::error::CommandError;
use crate::output::Output;
use crate::template::{Template, TemplateError};

/// Spaces between two columns.
const GAP: usize = 3;

/// One thing in a list.
pub(crate) struct Row {
    /// For programs: `--format json`.
    pub(crate) data: Value,
    /// For people: tables and templates.
    pub(crate) shown: Value,
}

/// How a command lists its things when it is not told.
pub(crate) struct Table {
    /// The template of a row, columns separated by tabs.
    pub(crate) template: &'static str,
    /// Names that templates can use, and the heads of their columns.
    pub(crate) heads: &'static [(&'static str, &'static str)],
}

/// Writes `rows` as `format` says.
pub(crate) fn list(
    format: Option<&str>,
    table: &Table,
    rows: &[Row],
    output: &Output,
) -> Result<(), CommandError> {
    output.data(listing(format, table, rows)?.as_bytes())
}

/// Writes each of `values` as a template says, or all of them as one JSON array.
pub(crate) fn values(format: Option<&str>, values: &[Value], output: &Output) -> Result<(), CommandError> {
    let template = match format {
        None | Some("json") => {
            let mut text = pretty(&Value::from(values));
            text.push('\n');
            return output.data(text.as_bytes());
        }
        Some(text) => Template::parse(text)?,
    };
    let mut text = String::new();
    for value in values {
        text += &(template.render(value)? + "\n");
    }
    output.data(text.as_bytes())
}

/// Writes one value as a template says, or as one JSON object.
pub(crate) fn value(format: &str, value: &Value, output: &Output) -> Result<(), CommandError> {
    match format {
        "json" => output.line(pretty(value)),
        template => output.line(Template::parse(template)?.render(value)?),
    }
}

/// JSON as docker indents it.
pub(crate) fn pretty(value: &Value) -> String {
    let mut bytes = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(
        &mut bytes,
        serde_json::ser::PrettyFormatter::with_indent(b"    "),
    );
    match serde::Serialize::serialize(value, &mut serializer) {
        Ok(()) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => value.to_string(),
    }
}

impl From<TemplateError> for CommandError {
    fn from(error: TemplateError) -> Self {
        let made = Self::usage(format_args!("`--format`: {error}"));
        match error.hint() {
            Some(hint) => made.hint(hint),
            None => made,
        }
    }
}

/// `rows` as `format` says, as a text.
pub(crate) fn listing(format: Option<&str>, table: &Table, rows: &[Row]) -> Result<String, CommandError> {
    let columns = match format {
        Some("json") => {
            let data: Vec<Value> = rows.iter().map(|row| row.data.clone()).collect();
            return Ok(pretty(&data.into()) + "\n");
        }
        None | Some("table") => table.template,
        Some(format) => match format.strip_prefix("table ") {
            Some(columns) => columns.trim_start(),
            None => {
                let template = Template::parse(format)?;
                let lines = rows.iter().map(|row| Ok(template.render(&row.shown)? + "\n"));
                return lines.collect();
            }
        },
    };
    let template = Template::parse(columns)?;
    let heads: Map<String, Value> =
        table.heads.iter().map(|(name, head)| ((*name).to_owned(), (*head).into())).collect();
    let mut lines = vec![template.render(&heads.into())?];
    for row in rows {
        lines.push(template.render(&row.shown)?);
    }
    Ok(aligned(&lines))
}

/// Lines with tabs as columns of equal width.
pub(crate) fn aligned(lines: &[String]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    for line in lines {
        for (column, cell) in line.split('\t').enumerate() {
            match widths.get_mut(column) {
                Some(width) => *width = (*width).max(cell.width()),
                None => widths.push(cell.width()),
            }
        }
    }
    let mut text = String::new();
    for line in lines {
        let mut gap = 0;
        for (cell, width) in line.split('\t').zip(&widths) {
            text += &" ".repeat(gap);
            text += cell;
            gap = width - cell.width() + GAP;
        }
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TABLE: Table = Table {
        template: "{{.Name}}\t{{.Size}}",
        heads: &[("Name", "NAME"), ("Size", "SIZE"), ("ID", "IMAGE ID")],
    };

    fn rows() -> Vec<Row> {
        [("debian", 117_000_000_u64), ("ü", 5)]
            .map(|(name, size)| Row {
                data: json!({"name": name, "size": size}),
                shown: json!({"Name": name, "Size": crate::human::short_size(size), "ID": "abc"}),
            })
            .into()
    }

    fn written(format: Option<&str>) -> String {
        listing(format, &TABLE, &rows()).unwrap()
    }

    #[test]
    fn a_table_has_a_header_and_straight_columns() {
        insta::assert_snapshot!(written(None), @"
        NAME     SIZE
        debian   117MB
        ü        5B
        ");
        assert_eq!(written(Some("table")), written(None));
        insta::assert_snapshot!(written(Some(r"table {{.ID}}\t{{upper .Name}}")), @"
        IMAGE ID   NAME
        abc        DEBIAN
        abc        Ü
        ");
    }

    #[test]
    fn templates_and_json_have_no_header() {
        assert_eq!(written(Some("{{.Name}}:{{.Size}}")), "debian:117MB\nü:5B\n");
        insta::assert_snapshot!(written(Some("json")), @r#"
        [
            {
                "name": "debian",
                "size": 117000000
            },
            {
                "name": "ü",
                "size": 5
            }
        ]
        "#);
    }

    #[test]
    fn a_wrong_template_is_a_wrong_command_line() {
        let error = listing(Some("{{.Nmae}}"), &TABLE, &rows()).unwrap_err();
        insta::assert_snapshot!(error.text(Default::default()), @"
        error: `--format`: no field `.Nmae` here

        hint: did you mean `.Name`?
        ");
        assert_eq!(error.exit(), crate::exit::Exit::Usage);
    }
}
