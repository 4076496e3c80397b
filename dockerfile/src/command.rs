//! Commands, and the here-documents that come with them.

use std::borrow::Cow;

use crate::Span;

/// A command in one of its two forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// A line for the shell that `SHELL` names.
    Shell(String),
    /// A JSON array: program and arguments, without a shell. May be empty.
    Exec(Vec<String>),
}

/// A here-document: `<<NAME` on the line of the instruction, its text on the lines below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heredoc {
    /// The terminator, without quotes. It also names the file that `COPY` makes of it.
    pub name: String,
    /// The body exactly as it stands in the file, line ends included, leading tabs too.
    pub body: String,
    /// Written `<<-`: leading tabs do not count.
    pub strip_tabs: bool,
    /// No part of the name is quoted, so variables in the body are to be replaced.
    pub expand: bool,
    /// The number before `<<`, if any.
    pub file_descriptor: Option<u32>,
    /// The word `<<NAME`.
    pub span: Span,
    /// The body, up to but without the line of the terminator.
    pub body_span: Span,
}

impl Heredoc {
    /// The body as the reader of the document gets it: without the leading tabs if it was written `<<-`.
    pub fn text(&self) -> Cow<'_, str> {
        if !self.strip_tabs {
            return Cow::Borrowed(&self.body);
        }
        Cow::Owned(self.body.split_inclusive('\n').map(|line| line.trim_start_matches('\t')).collect())
    }
}
