//! An instruction on one line, and the way back from it to the source.

use std::ops::Range;

use crate::{Span, Word};

/// Text put together from pieces of the source.
#[derive(Clone, Debug, Default)]
pub(super) struct Text {
    text: String,
    /// For each piece: where it starts in `text`, and in the source.
    pieces: Vec<(usize, usize)>,
    /// Where the last piece ends in the source.
    end: usize,
}

impl Text {
    /// Adds a piece that stands at `source` in the source.
    pub(super) fn push(&mut self, piece: &str, source: usize) {
        let continues = self.end == source && !self.pieces.is_empty();
        if !continues {
            self.pieces.push((self.text.len(), source));
        }
        self.text.push_str(piece);
        self.end = source + piece.len();
    }

    /// Everything.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Everything, as something to take slices of.
    pub(super) fn whole(&self) -> Slice<'_> {
        Slice { text: self, start: 0, end: self.text.len() }
    }

    /// Where a range of the text stands. A range over several pieces spans what lies between them too.
    pub(super) fn span(&self, range: Range<usize>) -> Span {
        let start = self.source(range.start);
        if range.is_empty() {
            return Span::new(start, start);
        }
        Span::new(start, self.source(range.end - 1) + 1)
    }

    fn source(&self, at: usize) -> usize {
        match self.pieces.partition_point(|&(start, _)| start <= at) {
            0 => self.end,
            after => {
                let (start, source) = self.pieces[after - 1];
                source + (at - start)
            }
        }
    }
}

/// A part of a [`Text`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Slice<'a> {
    text: &'a Text,
    start: usize,
    end: usize,
}

impl<'a> Slice<'a> {
    /// The characters.
    pub(super) fn as_str(self) -> &'a str {
        &self.text.text[self.start..self.end]
    }

    /// Where it stands.
    pub(super) fn span(self) -> Span {
        self.text.span(self.start..self.end)
    }

    /// As a value.
    pub(super) fn word(self) -> Word {
        Word::new(self.as_str(), self.span())
    }

    /// Is nothing in it?
    pub(super) fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// A part of it; the range counts from its own start.
    pub(super) fn part(self, range: Range<usize>) -> Self {
        Self { text: self.text, start: self.start + range.start, end: self.start + range.end }
    }

    /// Without its first bytes.
    pub(super) fn after(self, length: usize) -> Self {
        self.part(length..self.as_str().len())
    }

    /// Without blanks around it.
    pub(super) fn trim(self) -> Self {
        let text = self.as_str();
        let start = text.len() - text.trim_start().len();
        self.part(start..start + text.trim().len())
    }

    /// The place right behind it, empty.
    pub(super) fn end(self) -> Self {
        Self { start: self.end, ..self }
    }

    /// Where it starts in the whole text.
    pub(super) fn offset(self) -> usize {
        self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_finds_its_way_back_over_the_pieces() {
        let mut text = Text::default();
        text.push("RUN a ", 10);
        text.push("  b", 20);

        assert_eq!(text.as_str(), "RUN a   b");
        assert_eq!(text.span(4..5), Span::new(14, 15));
        assert_eq!(text.span(8..9), Span::new(22, 23));
        assert_eq!(text.span(4..9), Span::new(14, 23));
        assert_eq!(text.span(9..9), Span::new(23, 23));
    }
}
