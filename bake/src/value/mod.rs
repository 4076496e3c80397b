//! What expressions give: null, booleans, numbers, strings, lists and objects.
//!
//! Sets and tuples are lists here: a definition can tell them apart by their type only, which nothing in it shows.
//! An object is sorted by its keys, and is gone through in that order.

mod json;
mod number;

use std::collections::BTreeMap;
use std::fmt;

pub use number::Number;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing; an attribute that is null counts as not given.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text.
    String(String),
    /// Values in order.
    List(Vec<Value>),
    /// Values by name.
    Object(BTreeMap<String, Value>),
}

impl Value {
    /// What kind of value it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// As text, if it is a string, a number or a boolean.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::String(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string()),
            Self::Bool(value) => Some(value.to_string()),
            _ => None,
        }
    }

    /// As a boolean: itself, or the strings `true` and `false`.
    pub fn truth(&self) -> Option<bool> {
        match self {
            Self::Bool(value) => Some(*value),
            Self::String(text) => match text.as_str() {
                "true" | "1" => Some(true),
                "false" | "0" => Some(false),
                _ => None,
            },
            _ => None,
        }
    }

    /// As a number: itself, or a string that is written like one.
    pub fn number(&self) -> Option<Number> {
        match self {
            Self::Number(number) => Some(*number),
            Self::String(text) => Number::parse(text),
            _ => None,
        }
    }

    /// Roughly how much memory it takes, so that a definition cannot use up all of it.
    pub(crate) fn size(&self) -> usize {
        const EACH: usize = 32;
        match self {
            Self::Null | Self::Bool(_) | Self::Number(_) => EACH,
            Self::String(text) => EACH + text.len(),
            Self::List(values) => EACH + values.iter().map(Self::size).sum::<usize>(),
            Self::Object(fields) => {
                EACH + fields.iter().map(|(name, value)| name.len() + value.size()).sum::<usize>()
            }
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::String(text)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Self::Number(number)
    }
}

impl From<usize> for Value {
    fn from(count: usize) -> Self {
        Self::Number(Number::from(count as i128))
    }
}

impl From<Vec<Value>> for Value {
    fn from(values: Vec<Value>) -> Self {
        Self::List(values)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::String(text) => formatter.write_str(text),
            other => formatter.write_str(&other.to_json().to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_a_number_or_a_boolean_is_one_where_it_must_be() {
        assert_eq!(Value::from("1.50").number(), Number::parse("1.5"));
        assert_eq!(Value::from("x").number(), None);
        assert_eq!(Value::from("true").truth(), Some(true));
        assert_eq!(Value::from("yes").truth(), None);
        assert_eq!(Value::Number(Number::from(12)).text().as_deref(), Some("12"));
        assert_eq!(Value::Null.text(), None);
    }
}
