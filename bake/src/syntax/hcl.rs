//! Reads HCL. hcl-edit parses; its limits for nesting hold here as well.

use hcl_edit::Span;
use hcl_edit::structure as hcl;

use super::expression::Reader;
use super::{Attribute, Block, Body, Label, check_size};
use crate::error::{Problem, Result};
use crate::source::{File, Place};

/// Reads a file.
pub(crate) fn parse(file: &File, index: usize) -> Result<Body> {
    check_size(file, index)?;
    let parsed: hcl::Body = file.text.parse().map_err(|error| explain(&error, file, index))?;
    Ok(body(&parsed, &Reader { file: index, fixed: None }))
}

fn body(parsed: &hcl::Body, reader: &Reader) -> Body {
    let mut found = Body::default();
    for structure in parsed {
        match structure {
            hcl::Structure::Attribute(attribute) => found.attributes.push(Attribute {
                name: attribute.key.as_str().to_owned(),
                name_place: Place::new(reader.file, attribute.key.span()),
                value: reader.expression(&attribute.value),
            }),
            hcl::Structure::Block(block) => found.blocks.push(Block {
                kind: block.ident.as_str().to_owned(),
                kind_place: Place::new(reader.file, block.ident.span()),
                labels: block
                    .labels
                    .iter()
                    .map(|label| Label {
                        text: label.as_str().to_owned(),
                        place: Place::new(reader.file, label.span()),
                    })
                    .collect(),
                body: body(&block.body, reader),
            }),
        }
    }
    found
}

/// Says what is wrong with text that is not HCL.
fn explain(error: &hcl_edit::parser::Error, file: &File, index: usize) -> Box<Problem> {
    let text = &file.text;
    let offset = text.floor_char_boundary(error.location().offset().min(text.len()));
    let width = text[offset..].chars().next().map_or(0, char::len_utf8);
    let place = Place { file: index, start: offset, end: offset + width };
    let line = text[offset..].lines().next().unwrap_or_default();
    let message = error.message();
    if message.contains("redefined attribute") {
        let name: String = line.chars().take_while(|letter| is_name(*letter)).collect();
        let place = Place { end: offset + name.len(), ..place };
        return Problem::at(place, format!("`{name}` is given twice"));
    }
    let problem = Problem::at(place, "this is not HCL").label(message);
    if is_open_string(line) {
        return problem.help("a string ends on the line it begins in; longer text goes into `<<EOT … EOT`");
    }
    problem
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_' || letter == '-'
}

/// Whether a quote on the line has no partner.
fn is_open_string(line: &str) -> bool {
    let mut escaped = false;
    let quotes = line.chars().filter(|letter| {
        let counts = *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        counts
    });
    quotes.count() % 2 == 1
}
