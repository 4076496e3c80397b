//! Reads the same tree from JSON: `{"target": {"app": {"tags": ["app:${TAG}"]}}}`.
//!
//! serde_json decides what is JSON and how deep it may be; then the text is walked once more for the places.

use super::expression::{Expression, Kind, ObjectItem, parse_template};
use super::{Attribute, Block, Body, Label, check_size};
use crate::error::{Problem, Result};
use crate::source::{File, Place};
use crate::value::Value;

/// Blocks of a file that have a name.
const BLOCKS: [&str; 4] = ["variable", "function", "group", "target"];

/// Reads a file.
pub(crate) fn parse(file: &File, index: usize) -> Result<Body> {
    check_size(file, index)?;
    let checked: std::result::Result<serde_json::Value, _> = serde_json::from_str(&file.text);
    if let Err(error) = checked {
        return Err(explain(&error, file, index));
    }
    let mut walker = Walker { text: &file.text, at: 0, file: index };
    let node = walker.value();
    let Content::Object(members) = node.content else {
        return Err(Problem::at(node.place, "a bake file is an object"));
    };
    let mut body = Body::default();
    for member in members {
        if BLOCKS.contains(&member.name.as_str()) {
            named_blocks(member, &mut body.blocks)?;
        } else {
            body.attributes.push(attribute(member)?);
        }
    }
    Ok(body)
}

/// `"target": {"a": {…}, "b": [{…}, {…}]}`
fn named_blocks(member: Member, blocks: &mut Vec<Block>) -> Result<()> {
    for object in one_or_many(member.value)? {
        for inner in object {
            for content in one_or_many(inner.value)? {
                blocks.push(Block {
                    kind: member.name.clone(),
                    kind_place: member.place,
                    labels: vec![Label { text: inner.name.clone(), place: inner.place }],
                    body: block_body(content)?,
                });
            }
        }
    }
    Ok(())
}

fn block_body(members: Vec<Member>) -> Result<Body> {
    let mut body = Body::default();
    for member in members {
        if member.name == "validation" {
            for content in one_or_many(member.value)? {
                let (kind, kind_place) = ("validation".to_owned(), member.place);
                body.blocks.push(Block { kind, kind_place, labels: Vec::new(), body: block_body(content)? });
            }
        } else {
            body.attributes.push(attribute(member)?);
        }
    }
    Ok(body)
}

fn one_or_many(node: Node) -> Result<Vec<Vec<Member>>> {
    match node.content {
        Content::Object(members) => Ok(vec![members]),
        Content::List(nodes) => {
            let each = nodes.into_iter().map(one_or_many).collect::<Result<Vec<_>>>()?;
            Ok(each.into_iter().flatten().collect())
        }
        _ => Err(Problem::at(node.place, "an object is needed here")),
    }
}

fn attribute(member: Member) -> Result<Attribute> {
    Ok(Attribute { name: member.name, name_place: member.place, value: expression(member.value)? })
}

fn expression(node: Node) -> Result<Expression> {
    let place = node.place;
    let kind = match node.content {
        Content::String(text) => return parse_template(&text, place),
        Content::Other(value) => Kind::Literal(value),
        Content::List(nodes) => Kind::List(nodes.into_iter().map(expression).collect::<Result<_>>()?),
        Content::Object(members) => Kind::Object(
            members
                .into_iter()
                .map(|member| {
                    let key = parse_template(&member.name, member.place)?;
                    Ok(ObjectItem { key, value: expression(member.value)? })
                })
                .collect::<Result<_>>()?,
        ),
    };
    Ok(Expression { kind, place })
}

fn explain(error: &serde_json::Error, file: &File, index: usize) -> Box<Problem> {
    let before: usize =
        file.text.split_inclusive('\n').take(error.line().saturating_sub(1)).map(str::len).sum();
    let offset = (before + error.column().saturating_sub(1)).min(file.text.len());
    let start = file.text.floor_char_boundary(offset);
    let end = file.text.ceil_char_boundary((start + 1).min(file.text.len()));
    let text = error.to_string();
    let what = text.split(" at line ").next().unwrap_or(&text);
    Problem::at(Place { file: index, start, end }, "this is not JSON").label(what)
}

struct Node {
    place: Place,
    content: Content,
}

enum Content {
    String(String),
    Other(Value),
    List(Vec<Node>),
    Object(Vec<Member>),
}

struct Member {
    name: String,
    place: Place,
    value: Node,
}

/// Walks text that is known to be JSON.
struct Walker<'a> {
    text: &'a str,
    at: usize,
    file: usize,
}

impl Walker<'_> {
    fn peek(&mut self) -> u8 {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.text.as_bytes().get(self.at).copied().unwrap_or_default()
    }

    fn value(&mut self) -> Node {
        let first = self.peek();
        let start = self.at;
        let content = match first {
            b'{' => Content::Object(self.members()),
            b'[' => {
                let mut nodes = Vec::new();
                self.at += 1;
                while !matches!(self.peek(), b']' | 0) {
                    nodes.push(self.value());
                    if self.peek() == b',' {
                        self.at += 1;
                    }
                }
                self.at += 1;
                Content::List(nodes)
            }
            b'"' => Content::String(self.string()),
            _ => {
                let rest = &self.text[self.at..];
                let length = rest.find(|letter| ",]} \t\r\n".contains(letter)).unwrap_or(rest.len());
                self.at += length;
                let json = serde_json::from_str(&rest[..length]).unwrap_or_default();
                Content::Other(Value::from_json(&json))
            }
        };
        let end = self.at.min(self.text.len());
        Node { place: Place { file: self.file, start, end }, content }
    }

    fn members(&mut self) -> Vec<Member> {
        let mut members: Vec<Member> = Vec::new();
        self.at += 1;
        while !matches!(self.peek(), b'}' | 0) {
            let start = self.at;
            let name = self.string();
            let place = Place { file: self.file, start, end: self.at };
            if self.peek() == b':' {
                self.at += 1;
            }
            let value = self.value();
            members.push(Member { name, place, value });
            if self.peek() == b',' {
                self.at += 1;
            }
        }
        self.at += 1;
        members
    }

    fn string(&mut self) -> String {
        let start = self.at;
        let mut escaped = false;
        let length = self.text[start..].bytes().skip(1).position(|byte| {
            let ends = byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            ends
        });
        self.at = length.map_or(self.text.len(), |length| start + length + 2);
        serde_json::from_str(&self.text[start..self.at]).unwrap_or_default()
    }
}
