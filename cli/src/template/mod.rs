//! The part of Go's templates that people paste behind `--format`, over JSON values.
//!
//! | in the template                               | meaning                                                     |
//! | --------------------------------------------- | ----------------------------------------------------------- |
//! | `{{.Config.Env}}`, `{{.}}`, `{{$}}`           | a field; the value at hand; the whole value                 |
//! | `{{range .X}}…{{else}}…{{end}}`               | for each element; `{{range $i, $x := .X}}` names it         |
//! | `{{if .X}}…{{else if .Y}}…{{else}}…{{end}}`   | empty, zero, false and absent values are false              |
//! | `{{with .X}}…{{end}}`, `{{$x := .X}}`         | a value for a while; a name for a value                     |
//! | `{{.X \| json}}`, `(index .X 0).Y`             | pipes and parentheses                                       |
//! | `{{-` and `-}}`                               | cut white space beside the action                           |
//! | functions                                     | see [`functions`]: `json join split upper lower title …`    |
//!
//! A field is looked up by its exact name, then without regard to case, so that docker's `{{.ID}}` finds `id`. A
//! field that is not there is an error with a suggestion, except in a condition, where it is false. `\t` and `\n`
//! in the text are a tab and a line break, because shells do not write them.

mod evaluate;
mod functions;
mod parse;
mod token;

use serde_json::Value;

/// A template that was parsed.
#[derive(Debug)]
pub(crate) struct Template {
    nodes: Vec<parse::Node>,
}

/// What is wrong with a template, or with the value it was used on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// An action that does not end.
    #[error("`{{{{` at character {0} has no `}}}}`")]
    Unclosed(usize),
    /// A character that starts nothing.
    #[error("`{0}` cannot stand in an action")]
    Character(char),
    /// A text without its end.
    #[error("a text in an action has no closing quote")]
    Quote,
    /// The grammar does not allow it.
    #[error("expected {expected} {place}")]
    Expected {
        /// What may stand there.
        expected: &'static str,
        /// Where, in words.
        place: String,
    },
    /// No function has that name.
    #[error("no template function `{name}`")]
    UnknownFunction {
        /// What was written.
        name: String,
        /// One that is spelled nearly so.
        similar: Option<String>,
    },
    /// No variable has that name.
    #[error("no variable `${0}` here")]
    UnknownVariable(String),
    /// The value has no such field.
    #[error("no field `.{name}` here")]
    UnknownField {
        /// What was written.
        name: String,
        /// Those that are there.
        known: Vec<String>,
    },
    /// A function cannot work with what it was given.
    #[error("`{function}` {problem}")]
    Call {
        /// Which one.
        function: String,
        /// What is wrong.
        problem: String,
    },
    /// `range` over something that has no elements.
    #[error("cannot range over {0}")]
    NotIterable(&'static str),
    /// A value where a function is needed.
    #[error("a value takes no arguments")]
    NotAFunction,
    /// The nesting is deeper than anybody writes by hand.
    #[error("the template is nested too deeply")]
    TooDeep,
}

impl TemplateError {
    /// What the user can do about it.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownFunction { similar: Some(similar), .. } => {
                Some(format!("did you mean `{similar}`?"))
            }
            Self::UnknownFunction { similar: None, .. } => {
                Some(format!("these are known: {}", functions::names().join(", ")))
            }
            Self::UnknownField { name, known } => match crate::suggest::closest(name, known) {
                Some(similar) => Some(format!("did you mean `.{similar}`?")),
                None if known.is_empty() => None,
                None => Some(format!("there are: {}", known.join(", "))),
            },
            _ => None,
        }
    }
}

impl Template {
    /// Parses `text`.
    pub(crate) fn parse(text: &str) -> Result<Self, TemplateError> {
        Ok(Self { nodes: parse::nodes(text)? })
    }

    /// The text that the template gives for `value`.
    pub(crate) fn render(&self, value: &Value) -> Result<String, TemplateError> {
        evaluate::render(&self.nodes, value)
    }
}

#[cfg(test)]
mod tests;
