//! From bytes to instructions on one line each.
//!
//! A line ends with `\n`; `\r` before it does not count. Blanks before an instruction or comment do not
//! count, those of a continued line do. The escape character as the last non-blank of a line continues it,
//! unless another one stands before it. Comment lines and empty lines between the lines of an instruction are
//! dropped. A byte order mark at the very start does not count. Only comments may hold bytes that are not
//! UTF-8.

use std::ops::Range;

use super::directives::DirectiveZone;
use super::text::{Slice, Text};
use super::{MAX_LINE_BYTES, MAX_SOURCE_BYTES};
use crate::{Comment, Directives, Escape, ParseError, ParseErrorKind, Span};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What is too large or no text at all gives one error, whatever else is wrong with it.
pub(super) fn refuse_what_is_no_text(source: &[u8]) -> Result<(), ParseError> {
    if source.len() > MAX_SOURCE_BYTES {
        let kind = ParseErrorKind::TooLarge { limit: MAX_SOURCE_BYTES };
        let help = "generated files belong into the build context; `COPY` them from there";
        return Err(ParseError::new(Span::new(0, 0), kind, "").with_help(help));
    }
    if source.starts_with(b"\xFF\xFE") || source.starts_with(b"\xFE\xFF") {
        let error = ParseError::new(Span::new(0, 2), ParseErrorKind::Utf16, "this is its byte order mark");
        return Err(error.with_help("save the file as UTF-8"));
    }
    if let Some(at) = source.iter().position(|&byte| byte == 0) {
        return Err(ParseError::new(Span::new(at, at + 1), ParseErrorKind::Binary, "a zero byte"));
    }
    Ok(())
}

/// An instruction on one line.
#[derive(Debug)]
pub(super) struct LogicalLine {
    pub(super) text: Text,
    /// From its first to its last character in the source.
    pub(super) span: Span,
}

impl LogicalLine {
    /// The first word.
    pub(super) fn keyword(&self) -> &str {
        let line = self.text.as_str().trim();
        line.find(is_blank).map_or(line, |end| &line[..end])
    }

    pub(super) fn trimmed(&self) -> Slice<'_> {
        self.text.whole().trim()
    }
}

/// What separates words: the blanks of ASCII, but not the end of a line.
pub(super) fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\u{b}' | '\u{c}' | '\r')
}

/// Reads lines one after the other.
pub(super) struct Lines<'a> {
    source: &'a [u8],
    at: usize,
    zone: DirectiveZone,
    /// What the directives said so far.
    pub(super) directives: Directives,
    /// The comments above the next instruction.
    pub(super) comments: Vec<Comment>,
    /// Empty lines inside of instructions.
    pub(super) empty_continuations: Vec<Span>,
    /// What was wrong without stopping the reading.
    pub(super) errors: Vec<ParseError>,
}

/// One line of the source, without its ending.
#[derive(Clone, Copy, Debug)]
pub(super) struct PhysicalLine<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) span: Span,
    /// Where the next one starts.
    pub(super) next: usize,
}

impl<'a> PhysicalLine<'a> {
    pub(super) fn text(self) -> Result<&'a str, ParseError> {
        std::str::from_utf8(self.bytes).map_err(|error| {
            let start = self.span.start + error.valid_up_to();
            let length = error.error_len().unwrap_or(self.bytes.len() - error.valid_up_to());
            let error =
                ParseError::new(Span::new(start, start + length), ParseErrorKind::NotUtf8, "not a character");
            error.with_help("save the file as UTF-8")
        })
    }

    /// What follows `#`, if the line is a comment.
    fn comment(self) -> Option<Comment> {
        let blanks = leading_blanks(self.bytes);
        self.bytes[blanks..].strip_prefix(b"#").map(|text| Comment {
            text: String::from_utf8_lossy(text).trim().to_owned(),
            span: Span::new(self.span.start + blanks, self.span.start + self.bytes.trim_ascii_end().len()),
        })
    }
}

impl<'a> Lines<'a> {
    pub(super) fn new(source: &'a [u8]) -> Self {
        Self {
            source,
            at: if source.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 },
            zone: DirectiveZone::default(),
            directives: Directives::default(),
            comments: Vec::new(),
            empty_continuations: Vec::new(),
            errors: Vec::new(),
        }
    }

    /// Where the line that was read last ends.
    pub(super) fn last_line_end(&self) -> usize {
        let read = &self.source[..self.at];
        read.len() - read.iter().rev().take_while(|byte| matches!(byte, b'\r' | b'\n')).count()
    }

    /// Do blanks stand before this byte in its line?
    pub(super) fn is_indented(&self, at: usize) -> bool {
        self.source[..at].last().is_some_and(|before| matches!(before, b' ' | b'\t'))
    }

    /// The number of the line that a byte is in, from 1.
    pub(super) fn number(&self, at: usize) -> usize {
        1 + self.source[..at].iter().filter(|&&byte| byte == b'\n').count()
    }

    pub(super) fn escape(&self) -> Escape {
        self.directives.escape
    }

    /// The next line as it stands.
    pub(super) fn next_physical(&mut self) -> Result<Option<PhysicalLine<'a>>, ParseError> {
        if self.at >= self.source.len() {
            return Ok(None);
        }
        let (start, rest) = (self.at, &self.source[self.at..]);
        let length = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        self.at = (start + length + 1).min(self.source.len());
        let mut bytes = &rest[..length];
        while let Some(shorter) = bytes.strip_suffix(b"\r") {
            bytes = shorter;
        }
        let span = Span::new(start, start + bytes.len());
        if length > MAX_LINE_BYTES {
            let kind = ParseErrorKind::LineTooLong { limit: MAX_LINE_BYTES };
            return Err(ParseError::new(Span::new(start, start), kind, "this line"));
        }
        Ok(Some(PhysicalLine { bytes, span, next: self.at }))
    }

    /// A part of the source that was read as lines before, and so is known to be UTF-8.
    pub(super) fn slice(&self, range: Range<usize>) -> &'a str {
        std::str::from_utf8(&self.source[range]).unwrap_or_default()
    }

    /// The next instruction; `None` at the end. The comments above it are then in [`Self::comments`].
    pub(super) fn next_logical(&mut self) -> Result<Option<LogicalLine>, ParseError> {
        while let Some(line) = self.next_physical()? {
            if let Some(comment) = line.comment() {
                match self.zone.read(&comment, &mut self.directives) {
                    Ok(true) => {}
                    Ok(false) => self.add_comment(comment),
                    Err(error) => self.errors.push(error),
                }
                continue;
            }
            self.zone.close();
            let blanks = leading_blanks(line.bytes);
            if blanks == line.bytes.len() {
                self.comments.clear();
                continue;
            }
            let text = line.text()?;
            let joined = self.join(&text[blanks..], line.span.start + blanks)?;
            if !joined.trimmed().is_empty() {
                return Ok(Some(joined));
            }
        }
        Ok(None)
    }

    fn join(&mut self, first: &str, start: usize) -> Result<LogicalLine, ParseError> {
        let mut text = Text::default();
        let (mut piece, mut continued) = without_continuation(first, self.escape());
        text.push(piece, start);
        let mut end = start + piece.len();
        while continued {
            let Some(line) = self.next_physical()? else { break };
            if line.comment().is_some() {
                continue;
            }
            if leading_blanks(line.bytes) == line.bytes.len() {
                self.empty_continuations.push(line.span);
                continue;
            }
            (piece, continued) = without_continuation(line.text()?, self.escape());
            text.push(piece, line.span.start);
            end = line.span.start + piece.len();
        }
        Ok(LogicalLine { text, span: Span::new(start, end) })
    }

    fn add_comment(&mut self, comment: Comment) {
        if comment.text.is_empty() {
            self.comments.clear();
        } else {
            self.comments.push(comment);
        }
    }
}

/// Takes the escape character from the end of a line that goes on; says whether it does.
fn without_continuation(line: &str, escape: Escape) -> (&str, bool) {
    let escape = escape.character();
    match line.trim_end_matches([' ', '\t']).strip_suffix(escape) {
        Some(rest) if !rest.ends_with(escape) => (rest, true),
        _ => (line, false),
    }
}

fn leading_blanks(bytes: &[u8]) -> usize {
    if bytes.first().is_none_or(|&first| first.is_ascii() && !first.is_ascii_whitespace() && first != 0xb) {
        return 0;
    }
    // A line that is not UTF-8 still starts with some characters that are.
    let valid = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    };
    let blanks = valid.len() - valid.trim_start().len();
    if blanks == valid.len() { valid.len() } else { blanks }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(source: &str) -> Vec<String> {
        let mut lines = Lines::new(source.as_bytes());
        let next =
            || lines.next_logical().expect("nothing is wrong").map(|line| line.text.as_str().to_owned());
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn comments_and_empty_lines_inside_an_instruction_are_dropped() {
        assert_eq!(joined("RUN a \\\n# no\n\n   # no\n  b\nRUN c"), ["RUN a   b", "RUN c"]);
    }

    #[test]
    fn a_doubled_escape_does_not_continue() {
        assert_eq!(joined("RUN a \\\\\nRUN b \\  \t\r\n c\\"), ["RUN a \\\\", "RUN b  c"]);
    }

    #[test]
    fn a_mark_and_blanks_at_the_start_do_not_count() {
        assert_eq!(joined("\u{feff}  \u{a0}FROM a\r\n \\\n FROM b"), ["FROM a", " FROM b"]);
    }
}
