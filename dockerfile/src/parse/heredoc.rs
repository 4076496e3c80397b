//! Here-documents: `<<NAME` on the line of `RUN`, `COPY` or `ADD`, the text on the lines below.
//!
//! A word of the form `[number]<<[-]NAME` outside of quotes starts one; blanks may stand between `<<` and the
//! name. A quote anywhere in the name means that the text is not expanded. The text ends at a line that holds
//! the name and nothing else, not even blanks; only for `<<-` may tabs stand before it. Several documents
//! follow one another in the order of their words.

use std::ops::Range;

use super::lines::Lines;
use super::text::Slice;
use crate::{Heredoc, ParseError, ParseErrorKind, Span};

/// A `<<NAME`, before its text is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    /// The word, in the text of the instruction.
    pub(super) range: Range<usize>,
    name: String,
    strip_tabs: bool,
    expand: bool,
    file_descriptor: Option<u32>,
}

/// Finds the markers in the arguments of an instruction. A line with a quote that does not close has none.
pub(super) fn markers(arguments: Slice<'_>) -> Vec<Marker> {
    if !arguments.as_str().contains("<<") {
        return Vec::new();
    }
    let words = shell_words(arguments.as_str()).unwrap_or_default();
    words.into_iter().filter_map(|range| marker(arguments.part(range))).collect()
}

/// Reads the texts of the markers from the lines that follow.
pub(super) fn read(
    lines: &mut Lines<'_>,
    line: Slice<'_>,
    markers: Vec<Marker>,
) -> Result<Vec<Heredoc>, ParseError> {
    markers.into_iter().map(|marker| read_one(lines, line, marker)).collect()
}

fn read_one(lines: &mut Lines<'_>, line: Slice<'_>, marker: Marker) -> Result<Heredoc, ParseError> {
    let offset = line.offset();
    let span = line.part(marker.range.start - offset..marker.range.end - offset).span();
    let mut body = String::new();
    let mut body_span: Option<Span> = None;
    let mut almost = None;
    while let Some(physical) = lines.next_physical()? {
        let text = physical.text()?;
        let end = if marker.strip_tabs { text.trim_start_matches('\t') } else { text };
        let start = physical.span.start;
        if end == marker.name {
            let body_span = body_span.unwrap_or(Span::new(start, start));
            let Marker { name, strip_tabs, expand, file_descriptor, .. } = marker;
            return Ok(Heredoc { name, body, strip_tabs, expand, file_descriptor, span, body_span });
        }
        if almost.is_none() && text.trim() == marker.name {
            almost = Some(start);
        }
        body.push_str(lines.slice(start..physical.next));
        body_span = Some(body_span.unwrap_or(Span::new(start, start)).to(Span::new(start, physical.next)));
    }
    let name = marker.name;
    let error = ParseError::new(
        span,
        ParseErrorKind::UnterminatedHeredoc { name: name.clone() },
        format!("no line after it is `{name}` alone"),
    );
    Err(if let Some(almost) = almost {
        let tabs = if marker.strip_tabs { "" } else { "; only `<<-` allows tabs before it" };
        let number = lines.number(almost);
        error.with_help(format!("line {number} has blanks around `{name}`, but it must stand alone{tabs}"))
    } else if let Some(operator) = name.find(['>', '|', ';', '&', ')']) {
        error.with_help(format!("put a blank before `{}`; now it is part of the name", &name[operator..]))
    } else {
        error
    })
}

/// Reads a word as a marker.
fn marker(word: Slice<'_>) -> Option<Marker> {
    let text = word.as_str();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    let rest = rest.strip_prefix("<<")?;
    let (strip_tabs, rest) = match rest.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, rest),
    };
    let written = rest.trim_start();
    let quoted = Quoting::of(written)?;
    if written.contains('<') || quoted.text.is_empty() {
        return None;
    }
    Some(Marker {
        range: word.offset()..word.offset() + text.len(),
        name: quoted.text,
        strip_tabs,
        expand: !quoted.any,
        file_descriptor: (!number.is_empty()).then(|| number.parse().unwrap_or(u32::MAX)),
    })
}

/// A word without its quotes and escapes.
struct Quoting {
    text: String,
    any: bool,
}

impl Quoting {
    fn of(word: &str) -> Option<Self> {
        let mut result = Self { text: String::new(), any: false };
        let mut quote = None;
        let mut characters = word.chars().peekable();
        while let Some(character) = characters.next() {
            match (quote, character) {
                (None, '\'' | '"') => {
                    quote = Some(character);
                    result.any = true;
                }
                (Some(open), _) if open == character => quote = None,
                (None, '\\') => result.text.extend(characters.next()),
                (Some('"'), '\\') => match characters.next_if(|next| matches!(next, '"' | '$' | '\\')) {
                    Some(escaped) => result.text.push(escaped),
                    None => result.text.push('\\'),
                },
                _ => result.text.push(character),
            }
        }
        quote.is_none().then_some(result)
    }
}

/// Splits a command as a shell would see its words, quotes left in. `None` if a quote or brace does not
/// close.
fn shell_words(text: &str) -> Option<Vec<Range<usize>>> {
    let mut words = Vec::new();
    let mut start = None;
    let mut at = 0;
    while let Some(character) = text[at..].chars().next() {
        if character.is_whitespace() {
            words.extend(start.take().map(|start| start..at));
            at += character.len_utf8();
            continue;
        }
        start.get_or_insert(at);
        at = skip(text, at)?;
        if text[..at].ends_with("<<") {
            at = text.len() - text[at..].trim_start().len();
        }
    }
    words.extend(start.map(|start| start..at));
    Some(words)
}

/// The end of the character, quoted text or variable that starts at `at`.
fn skip(text: &str, at: usize) -> Option<usize> {
    let rest = &text[at..];
    let first = rest.chars().next()?;
    match first {
        '\'' => rest[1..].find('\'').map(|length| at + length + 2),
        '"' => {
            let mut end = at + 1;
            loop {
                end = match text[end..].chars().next()? {
                    '"' => return Some(end + 1),
                    '\'' => end + 1,
                    _ => skip(text, end)?,
                };
            }
        }
        '\\' => Some(at + 1 + rest[1..].chars().next().map_or(0, char::len_utf8)),
        '$' if rest[1..].starts_with('{') => {
            let mut end = at + 2;
            loop {
                end = match text[end..].chars().next()? {
                    '}' => return Some(end + 1),
                    _ => skip(text, end)?,
                };
            }
        }
        _ => Some(at + first.len_utf8()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::text::Text;
    use super::*;

    fn names(line: &str) -> Vec<String> {
        let mut text = Text::default();
        text.push(line, 0);
        let found = markers(text.whole());
        found
            .iter()
            .map(|marker| {
                let number = marker.file_descriptor.map(|number| number.to_string()).unwrap_or_default();
                let dash = if marker.strip_tabs { "-" } else { "" };
                let quoted = if marker.expand { "" } else { " quoted" };
                format!("{number}{dash}{}{quoted}", marker.name)
            })
            .collect()
    }

    #[test]
    fn markers_are_found_where_buildkit_finds_them() {
        for (line, expected) in [
            ("cat <<EOF", "EOF"),
            ("cat <<-EOF 3<<IN | tr a b", "-EOF 3IN"),
            ("cat <<  EOF x", "EOF"),
            ("<<'EOF'", "EOF quoted"),
            ("<<\"EOF\"", "EOF quoted"),
            ("<<E'O'F", "EOF quoted"),
            (r"<<eo\'f", "eo'f"),
            (r"<<'e'o\'f", "eo'f quoted"),
            ("<<'one two'", "one two quoted"),
            ("<<$EOF", "$EOF"),
            ("<<${E:-'}'}", "${E:-}} quoted"),
        ] {
            assert_eq!(names(line).join(" "), expected, "{line}");
        }
    }

    #[test]
    fn what_only_looks_like_a_marker_is_none() {
        for line in [
            "echo \"<<EOF\"",
            "cat <<<EOF",
            "echo $((1<<2))",
            "cat<<EOF",
            "it's <<EOF",
            "cat <<",
            "cat <<- EOF",
            r"\<<EOF",
        ] {
            assert_eq!(names(line), [""; 0], "{line}");
        }
    }
}
