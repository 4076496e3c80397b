//! Where things stand in the text: byte offsets, and the lines and columns people count in.

use std::ops::Range;

/// A stretch of the source, as byte offsets `start..end`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// Offset of the first byte.
    pub start: usize,
    /// Offset just past the last byte.
    pub end: usize,
}

impl Span {
    /// The bytes from `start` up to, but not including, `end`.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start, end: end.max(start) }
    }

    /// The smallest span that holds both.
    pub fn to(self, other: Self) -> Self {
        Self::new(self.start.min(other.start), self.end.max(other.end))
    }

    /// The same as a range, to slice the source with.
    pub fn range(self) -> Range<usize> {
        self.start..self.end
    }
}

/// A place as people name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Location {
    /// Line, counted from 1.
    pub line: usize,
    /// Column in characters, counted from 1. A byte that is not UTF-8 counts as one character.
    pub column: usize,
}

/// Turns byte offsets into lines and columns.
#[derive(Clone, Debug)]
pub struct LineIndex<'a> {
    source: &'a [u8],
    starts: Vec<usize>,
}

impl<'a> LineIndex<'a> {
    /// Finds every line of `source`. A line ends with `\n`, and a `\r` before it belongs to the ending. A
    /// byte order mark at the start belongs to no line.
    pub fn new(source: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        let source = source.as_ref();
        let first = if source.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        let after_newlines =
            source.iter().enumerate().filter(|&(_, &byte)| byte == b'\n').map(|(at, _)| at + 1);
        Self { source, starts: std::iter::once(first).chain(after_newlines).collect() }
    }

    /// Line and column of a byte; an offset past the end is taken as the end.
    pub fn location(&self, offset: usize) -> Location {
        let offset = offset.clamp(self.starts[0], self.source.len());
        let line = self.starts.partition_point(|&start| start <= offset);
        let before = &self.source[self.starts[line - 1]..offset];
        Location { line, column: 1 + characters(before) }
    }

    /// First and last line a span touches, counted from 1.
    pub fn lines(&self, span: Span) -> (usize, usize) {
        let last_byte = if span.end > span.start { span.end - 1 } else { span.end };
        (self.location(span.start).line, self.location(last_byte).line)
    }

    /// The text of a line (counted from 1) without its ending; bytes that are not UTF-8 become `\u{fffd}`.
    pub fn text(&self, line: usize) -> String {
        String::from_utf8_lossy(&self.source[self.span(line).range()]).into_owned()
    }

    /// Where a line (counted from 1) stands, without its ending. A line that does not exist is empty.
    pub fn span(&self, line: usize) -> Span {
        let Some(&start) = line.checked_sub(1).and_then(|index| self.starts.get(index)) else {
            return Span::new(self.source.len(), self.source.len());
        };
        let mut end = self.starts.get(line).map_or(self.source.len(), |&next| next - 1);
        if end > start && self.source[end - 1] == b'\r' && end < self.source.len() {
            end -= 1;
        }
        Span::new(start, end)
    }
}

/// Counts characters; each stretch of bytes that is not UTF-8 counts as one, as it is drawn as one.
pub(crate) fn characters(bytes: &[u8]) -> usize {
    String::from_utf8_lossy(bytes).chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_end_before_the_carriage_return() {
        let index = LineIndex::new("ä = 1\r\nb\n");

        assert_eq!(index.location(3), Location { line: 1, column: 3 });
        assert_eq!(index.text(1), "ä = 1");
        assert_eq!(index.location(8), Location { line: 2, column: 1 });
        assert_eq!(index.text(2), "b");
        assert_eq!(index.location(9999), Location { line: 3, column: 1 });
        assert_eq!(index.text(9), "");
    }

    #[test]
    fn a_byte_order_mark_takes_no_column() {
        let index = LineIndex::new("\u{feff}a\n");

        assert_eq!(index.location(0), Location { line: 1, column: 1 });
        assert_eq!(index.location(4), Location { line: 1, column: 2 });
        assert_eq!(index.text(1), "a");
    }

    #[test]
    fn a_span_touches_the_line_of_its_last_byte() {
        let index = LineIndex::new("FROM a\nRUN b\n");

        assert_eq!(index.lines(Span::new(0, 6)), (1, 1));
        assert_eq!(index.lines(Span::new(0, 8)), (1, 2));
        assert_eq!(index.lines(Span::new(7, 7)), (2, 2));
    }
}
