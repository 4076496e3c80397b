//! What can be wrong with a definition, and where.

use std::fmt;
use std::ops::Range;

use crate::source::Place;

/// Something in the files, or in what was asked of them, that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file it is about, counted from 0 in the order they were given; `None` for what came from elsewhere, such as
    /// the command line.
    pub file: Option<usize>,
    /// The bytes of the file that it is about; empty and at 0 if it is about the whole file.
    pub span: Range<usize>,
    /// What happened.
    pub message: String,
    /// What was expected at that place.
    pub label: Option<String>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// A problem at a place in a file.
    pub(crate) fn at(place: Place, message: impl Into<String>) -> Box<Self> {
        Box::new(Self {
            file: Some(place.file),
            span: place.span(),
            message: message.into(),
            label: None,
            help: None,
        })
    }

    /// A problem that no file is to blame for.
    pub(crate) fn elsewhere(message: impl Into<String>) -> Box<Self> {
        Box::new(Self { file: None, span: 0..0, message: message.into(), label: None, help: None })
    }

    pub(crate) fn label(mut self: Box<Self>, label: impl Into<String>) -> Box<Self> {
        self.label = Some(label.into());
        self
    }

    pub(crate) fn help(mut self: Box<Self>, help: impl Into<String>) -> Box<Self> {
        self.help = Some(help.into());
        self
    }

    /// Adds the name that was probably meant.
    pub(crate) fn meant(self: Box<Self>, meant: Option<&str>) -> Box<Self> {
        match meant {
            Some(meant) => self.help(format!("did you mean `{meant}`?")),
            None => self,
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match &self.label {
            Some(label) => write!(formatter, ": {label}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// A value, or what is wrong.
pub type Result<T> = std::result::Result<T, Box<Problem>>;
