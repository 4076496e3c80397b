//! What can be wrong with a value that is to be expanded.

use std::ops::Range;

use super::{MAX_DEPTH, MAX_EXPANDED_BYTES};
use crate::{ParseError, ParseErrorKind, Span, Word};

/// A value that cannot be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind}")]
pub struct ExpandError {
    /// What happened.
    pub kind: ExpandErrorKind,
    /// The bytes of the value it is about.
    pub range: Range<usize>,
}

/// The ways in which a variable can be used wrongly.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpandErrorKind {
    /// `${` without `}`.
    #[error("`${{` has no `}}`")]
    MissingBrace,
    /// `${` before something that is no name.
    #[error("`{text}` names no variable")]
    NoName {
        /// The text.
        text: String,
    },
    /// `${name` before something that is no modifier.
    #[error("`{modifier}` is not a modifier of a variable")]
    UnknownModifier {
        /// The text in its place.
        modifier: String,
    },
    /// `${name/pattern` without the second `/`.
    #[error("`${{{name}/` has no second `/`")]
    MissingSlash {
        /// The variable.
        name: String,
    },
    /// A quote that does not close.
    #[error("the quote `{quote}` does not close")]
    OpenQuote {
        /// Which one.
        quote: char,
    },
    /// `${name?message}` and the variable is unset, or `${name:?message}` and it is unset or empty.
    #[error("`{name}` {message}")]
    Required {
        /// The variable.
        name: String,
        /// The message, or what is wrong with the variable.
        message: String,
    },
    /// A pattern with an escape that it does not know.
    #[error("`\\{character}` is not an escape of a pattern")]
    BadPatternEscape {
        /// The character after the `\`.
        character: String,
    },
    /// Nested too deep.
    #[error("variables are nested more than {MAX_DEPTH} deep")]
    TooDeep,
    /// The value grew beyond [`MAX_EXPANDED_BYTES`].
    #[error("the value becomes longer than {MAX_EXPANDED_BYTES} bytes")]
    TooLong,
}

impl ExpandError {
    /// The same as an error in the file, where `word` is the value.
    pub fn at(self, word: &Word) -> ParseError {
        self.within(word.raw.len(), word.span)
    }

    /// The same as an error in the file, where a value of `length` bytes stands at `span`.
    pub fn within(self, length: usize, span: Span) -> ParseError {
        let stands_as_it_is = span.end - span.start == length;
        let exact =
            Span::new(span.start + self.range.start.min(length), span.start + self.range.end.min(length));
        let label = self.kind.label();
        ParseError {
            span: if stands_as_it_is { exact } else { span },
            help: self.kind.hint(),
            kind: ParseErrorKind::Expansion(self.kind),
            label,
        }
    }

    /// What the user can do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        self.kind.hint()
    }
}

impl ExpandErrorKind {
    fn label(&self) -> String {
        match self {
            Self::MissingBrace => "a `}` is missing".to_owned(),
            Self::NoName { .. } => "expected the name of a variable after `${`".to_owned(),
            Self::UnknownModifier { .. } => {
                "expected `}`, or one of `-` `:-` `+` `:+` `?` `:?` `#` `##` `%` `%%` `/` `//`".to_owned()
            }
            Self::MissingSlash { .. } => "expected `${name/pattern/replacement}`".to_owned(),
            Self::OpenQuote { .. } => "opened here".to_owned(),
            Self::Required { .. } => "required here".to_owned(),
            Self::BadPatternEscape { .. } => "expected one of `\\*` `\\?` `\\\\`".to_owned(),
            Self::TooDeep | Self::TooLong => String::new(),
        }
    }

    /// What the user can do about it, if we know.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::OpenQuote { quote } => Some(format!("for the character itself write `\\{quote}`")),
            Self::UnknownModifier { modifier } if modifier.starts_with(":=") || modifier.starts_with('=') => {
                Some("a Dockerfile cannot assign while it expands; use `:-`".to_owned())
            }
            Self::Required { name, .. } => {
                Some(format!("give it a value with `ARG {name}=…` or `--build-arg {name}=…`"))
            }
            _ => None,
        }
    }
}
