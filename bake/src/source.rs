//! The files a definition is read from, and places in them.

use std::ops::Range;

/// One bake file: what it is called in messages, and its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// As people call it. The ending decides the language: `.hcl`, `.json`, `.yaml`, `.yml`. Any other name, such as
    /// `-` for standard input, lets the text decide.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// A stretch of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Which of the files, from 0.
    pub(crate) file: usize,
    /// The first byte.
    pub(crate) start: usize,
    /// The byte after the last.
    pub(crate) end: usize,
}

impl Place {
    pub(crate) fn new(file: usize, span: Option<Range<usize>>) -> Self {
        let span = span.unwrap_or_default();
        Self { file, start: span.start, end: span.end }
    }

    pub(crate) fn span(self) -> Range<usize> {
        self.start..self.end
    }
}
