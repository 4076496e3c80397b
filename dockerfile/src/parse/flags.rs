//! `--name=value` between the name of an instruction and its arguments.
//!
//! Every word that starts with `--` is a flag, until one that does not or a lone `--`. Quotes around parts of
//! a flag are removed; `\` takes the meaning from the next character, whatever the escape directive says.

use std::ops::Range;

use super::suggest::closest;
use super::text::Slice;
use crate::{Flag, ParseError, ParseErrorKind, Span, Word};

/// Text without its quotes and escapes, and where each byte of it came from.
#[derive(Clone, Debug, Default)]
pub(super) struct Unquoted {
    pub(super) text: String,
    sources: Vec<usize>,
    end: usize,
}

impl Unquoted {
    /// Where a range of the text stands in the source.
    pub(super) fn span(&self, range: Range<usize>) -> Span {
        let start = self.sources.get(range.start).copied().unwrap_or(self.end);
        let end = match range.end.checked_sub(1).and_then(|last| self.sources.get(last)) {
            Some(&last) if range.end > range.start => last + 1,
            _ => start,
        };
        Span::new(start, end)
    }

    /// A range of the text as a value.
    pub(super) fn word(&self, range: Range<usize>) -> Word {
        Word::new(&self.text[range.clone()], self.span(range))
    }

    fn push(&mut self, character: char, source: usize) {
        self.text.push(character);
        self.sources.extend(source..source + character.len_utf8());
        self.end = source + character.len_utf8();
    }
}

/// What a flag takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// `--name`, `--name=true` or `--name=false`, once.
    Bool,
    /// `--name=value`, once.
    Text,
    /// `--name=value`, again and again.
    Texts,
}

/// The flags of an instruction, each of them one it knows.
#[derive(Debug)]
pub(super) struct Flags {
    instruction: &'static str,
    found: Vec<Found>,
}

#[derive(Debug)]
struct Found {
    unquoted: Unquoted,
    /// Length of `--name`.
    name: usize,
    /// Where the value starts, if there is one.
    value: Option<usize>,
    span: Span,
}

impl Found {
    fn name(&self) -> &str {
        &self.unquoted.text[2..self.name]
    }

    fn value(&self) -> Option<Word> {
        self.value.map(|start| self.unquoted.word(start..self.unquoted.text.len()))
    }
}

/// Takes the flags from the front of the arguments; gives back what follows them, trimmed.
pub(super) fn split<'a>(instruction: &'static str, arguments: Slice<'a>) -> (Flags, Slice<'a>) {
    let mut rest = arguments.trim();
    let mut found = Vec::new();
    while rest.as_str().starts_with("--") {
        let (unquoted, length) = unquote(rest);
        let word = rest.part(0..length);
        rest = rest.after(length).trim();
        if unquoted.text == "--" {
            break;
        }
        let equals = unquoted.text.find('=');
        let name = equals.unwrap_or(unquoted.text.len());
        found.push(Found { name, value: equals.map(|at| at + 1), span: word.span(), unquoted });
    }
    (Flags { instruction, found }, rest)
}

/// Reads up to the first blank outside of quotes.
fn unquote(slice: Slice<'_>) -> (Unquoted, usize) {
    let mut unquoted = Unquoted::default();
    let mut quote = None;
    let mut characters = slice.as_str().char_indices();
    let mut length = slice.as_str().len();
    while let Some((at, character)) = characters.next() {
        let (at, character) = match character {
            _ if quote.is_none() && character.is_whitespace() => {
                length = at;
                break;
            }
            '\'' | '"' if quote.is_none() => {
                quote = Some(character);
                continue;
            }
            _ if quote == Some(character) => {
                quote = None;
                continue;
            }
            '\\' => match characters.next() {
                Some(escaped) => escaped,
                None => break,
            },
            _ => (at, character),
        };
        unquoted.push(character, slice.part(at..at + character.len_utf8()).span().start);
    }
    if unquoted.sources.is_empty() {
        unquoted.end = slice.span().start;
    }
    (unquoted, length)
}

impl Flags {
    /// Refuses flags the instruction does not have, those that are there twice, and those with a wrong kind
    /// of value.
    pub(super) fn check(self, known: &[(&'static str, Takes)]) -> Result<Self, ParseError> {
        for (index, flag) in self.found.iter().enumerate() {
            let Some(&(name, takes)) = known.iter().find(|(name, _)| *name == flag.name()) else {
                return Err(self.unknown(flag, known));
            };
            if takes != Takes::Texts && self.found[..index].iter().any(|earlier| earlier.name() == name) {
                let kind = ParseErrorKind::DuplicateFlag { flag: name.to_owned() };
                return Err(ParseError::new(flag.span, kind, "the second one"));
            }
            match (takes, flag.value()) {
                (Takes::Text | Takes::Texts, None) => {
                    let kind = ParseErrorKind::FlagWithoutValue { flag: name.to_owned() };
                    let error = ParseError::new(flag.span, kind, format!("expected `--{name}=…`"));
                    return Err(error);
                }
                (Takes::Bool, Some(value)) if as_bool(&value.raw).is_none() => {
                    return Err(bad_value(name, &value, "expected `true` or `false`"));
                }
                _ => {}
            }
        }
        Ok(self)
    }

    /// The flags as the instruction keeps them.
    pub(super) fn as_written(&self) -> Vec<Flag> {
        let flags = self.found.iter();
        flags
            .map(|flag| Flag { name: flag.name().to_owned(), value: flag.value(), span: flag.span })
            .collect()
    }

    /// The value of a flag; an empty one counts as none.
    pub(super) fn text(&self, name: &str) -> Option<Word> {
        self.all(name).find_map(Found::value).filter(|value| !value.raw.is_empty())
    }

    /// The values of a flag that may be repeated.
    pub(super) fn texts(&self, name: &str) -> Vec<Word> {
        self.all(name).filter_map(Found::value).collect()
    }

    /// The values of a flag that may be repeated, with the way back to the source for every byte; and the
    /// whole flags.
    pub(super) fn unquoted(&self, name: &str) -> impl Iterator<Item = (&Unquoted, Range<usize>, Span)> {
        self.all(name).map(|flag| {
            let end = flag.unquoted.text.len();
            (&flag.unquoted, flag.value.unwrap_or(end)..end, flag.span)
        })
    }

    /// Is a flag set or unset? `None` if it is not there.
    pub(super) fn boolean(&self, name: &str) -> Option<bool> {
        let flag = self.all(name).next()?;
        Some(flag.value().is_none_or(|value| as_bool(&value.raw) == Some(true)))
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &Found> {
        self.found.iter().filter(move |flag| flag.name() == name)
    }

    fn unknown(&self, flag: &Found, known: &[(&'static str, Takes)]) -> ParseError {
        let kind = ParseErrorKind::UnknownFlag {
            instruction: self.instruction.to_owned(),
            flag: flag.name().to_owned(),
        };
        let names: Vec<&str> = known.iter().map(|&(name, _)| name).collect();
        let label = match names.as_slice() {
            [] => format!("`{}` has no flags", self.instruction),
            names => format!("expected {}", one_of(names, "--")),
        };
        let error = ParseError::new(flag.span, kind, label);
        match closest(flag.name(), &names) {
            Some(meant) => error.with_help(format!("did you mean `--{meant}`?")),
            None if names.is_empty() => error.with_help(format!(
                "to start the argument of `{}` with `--`, put a lone `--` before it",
                self.instruction
            )),
            None => error,
        }
    }
}

/// A flag whose value the language does not know.
pub(super) fn bad_value(flag: &str, value: &Word, expected: impl Into<String>) -> ParseError {
    let kind = ParseErrorKind::BadFlagValue { flag: flag.to_owned(), value: value.raw.clone() };
    ParseError::new(value.span, kind, expected)
}

/// Names as a list for people: `` `--a`, `--b` or `--c` ``.
pub(super) fn one_of(names: &[&str], prefix: &str) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{prefix}{name}`")).collect();
    match quoted.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [others @ .., last] => format!("{} or {last}", others.join(", ")),
    }
}

fn as_bool(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}
