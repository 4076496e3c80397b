//! Reads YAML into [`Node`]s.
//!
//! granit-parser turns text into events and limits how deep they may nest. Aliases are copies here, so the tree has a
//! limit of its own: ten lines of aliases can stand for more values than memory holds.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, options};

use super::node::{Content, Key, Node, Tag};
use crate::error::{Problem, Result};
use crate::source::{File, Place};
use crate::syntax::check_size;

/// The most values that a file may have, those behind aliases counted each time.
const MOST_NODES: usize = 100_000;
const DEEPEST: usize = 100;

/// Reads the first document of a file.
pub(crate) fn parse(file: &File, index: usize) -> Result<Node> {
    check_size(file, index)?;
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(&file.text);
    let shift = file.text.len() - text.len();
    let options = options! { flow_nesting_limit: DEEPEST, block_nesting_limit: DEEPEST };
    let mut builder = Builder { file: index, shift, ..Builder::default() };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, span) = event.map_err(|error| explain(&error, file, index, shift))?;
        if matches!(event, Event::DocumentEnd) {
            break;
        }
        builder.take(&event, &span)?;
    }
    let place = Place::new(index, None);
    Ok(builder.root.unwrap_or_else(|| Node::empty(place)))
}

#[derive(Default)]
struct Builder {
    file: usize,
    shift: usize,
    open: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, (Node, usize)>,
    count: usize,
}

/// A list or map that has begun.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Key>,
    /// How many values there were before.
    before: usize,
}

impl Builder {
    fn take(&mut self, event: &Event<'_>, span: &Span) -> Result<()> {
        let range = span.byte_range().unwrap_or_default();
        let range = range.start + self.shift..range.end + self.shift;
        let place = Place::new(self.file, Some(range));
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let is_null = *style == ScalarStyle::Plain
                    && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL");
                let text = text.to_string();
                let content = if is_null { Content::Null } else { Content::Scalar(text) };
                let mut node = Node::new(content, place);
                node.tag = kind_of_tag(tag.as_ref().map(|tag| tag.suffix()));
                self.finished(node, *anchor, self.count)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.begin(Content::List(Vec::new()), place, *anchor, tag.as_ref().map(|tag| tag.suffix()))
            }
            Event::MappingStart(_, anchor, tag) => {
                self.begin(Content::Map(Vec::new()), place, *anchor, tag.as_ref().map(|tag| tag.suffix()))
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(mut open) = self.open.pop() else { return Ok(()) };
                if let Content::Map(fields) = &mut open.node.content {
                    merge_keys(fields)?;
                }
                self.finished(open.node, open.anchor, open.before)
            }
            Event::Alias(id) => {
                let Some((mut node, size)) = self.anchors.get(id).cloned() else {
                    let problem = Problem::at(place, "the alias stands inside of what it names");
                    return Err(problem);
                };
                node.place = place;
                let before = self.count;
                self.count += size.saturating_sub(1);
                self.finished(node, 0, before)
            }
            _ => Ok(()),
        }
    }

    fn begin(&mut self, content: Content, place: Place, anchor: usize, tag: Option<&str>) -> Result<()> {
        let mut node = Node::new(content, place);
        node.tag = kind_of_tag(tag);
        self.open.push(Open { node, anchor, key: None, before: self.count });
        Ok(())
    }

    /// Puts a value where it belongs.
    fn finished(&mut self, node: Node, anchor: usize, before: usize) -> Result<()> {
        self.count += 1;
        if self.count > MOST_NODES {
            return Err(Problem::at(
                node.place,
                format!("the file stands for more than {MOST_NODES} values"),
            )
            .label("aliases count for all that they name"));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), self.count - before));
        }
        let Some(open) = self.open.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match (&mut open.node.content, open.key.take()) {
            (Content::List(values), _) => values.push(node),
            (Content::Map(fields), Some(key)) => {
                if key.text != "<<" && fields.iter().any(|(known, _)| known.text == key.text) {
                    return Err(Problem::at(key.place, format!("`{}` is given twice", key.text)));
                }
                fields.push((key, node));
            }
            (_, _) => match node.content {
                Content::Scalar(text) => open.key = Some(Key { text, place: node.place }),
                Content::Null => open.key = Some(Key { text: "null".to_owned(), place: node.place }),
                _ => return Err(Problem::at(node.place, "a name must be text")),
            },
        }
        Ok(())
    }
}

/// `<<: *other`: the fields of other maps, as far as they are not given. Those of the first map win.
fn merge_keys(fields: &mut Vec<(Key, Node)>) -> Result<()> {
    let mut merged = Vec::new();
    fields.retain(|(key, value)| {
        let own = key.text != "<<";
        if !own {
            merged.push(value.clone());
        }
        own
    });
    for value in merged {
        let maps = match value.content {
            Content::List(values) => values,
            _ => vec![value],
        };
        for map in maps {
            match map.content {
                Content::Null => {}
                Content::Map(more) => {
                    for (key, value) in more {
                        if !fields.iter().any(|(known, _)| known.text == key.text) {
                            fields.push((key, value));
                        }
                    }
                }
                _ => return Err(Problem::at(map.place, "`<<` takes over the fields of a map")),
            }
        }
    }
    Ok(())
}

fn kind_of_tag(tag: Option<&str>) -> Tag {
    match tag {
        Some("reset") => Tag::Reset,
        Some("override") => Tag::Override,
        _ => Tag::None,
    }
}

fn explain(error: &ScanError, file: &File, index: usize, shift: usize) -> Box<Problem> {
    let text = &file.text;
    let offset = error.marker().byte_offset().unwrap_or_default() + shift;
    // An error at the end of a line is about that line, not the next.
    let start = text.floor_char_boundary(offset.min(text.len()));
    let width = text[start..].chars().next().map_or(0, char::len_utf8);
    let place = Place { file: index, start, end: start + width };
    let problem = Problem::at(place, "this is not YAML").label(error.kind().to_string());
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    if text[line_start..start].trim().is_empty() && text[line_start..].starts_with('\t') {
        return problem.help("YAML is indented with spaces, not with tabs");
    }
    problem
}
