//! `${NAME}` in the values of a compose file.
//!
//! `${A:-x}` x if A is not set or empty, `${A-x}` x if A is not set; `${A:+x}` and `${A+x}` the other way around;
//! `${A:?x}` and `${A?x}` an error that says x. What stands for x is interpolated as well. `$$` is a dollar sign.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::node::{Content, Node};
use super::wrong;
use crate::error::Result;

/// The variables, and which of them were missing.
pub(super) struct Variables<'a> {
    values: &'a BTreeMap<String, String>,
    missing: RefCell<BTreeSet<String>>,
}

/// What is wrong with a text.
enum Failure {
    Form(String),
    Required(String),
}

impl<'a> Variables<'a> {
    pub(super) fn new(values: &'a BTreeMap<String, String>) -> Self {
        Self { values, missing: RefCell::new(BTreeSet::new()) }
    }

    pub(super) fn find(&self, name: &str) -> Option<&String> {
        self.values.get(name)
    }

    /// A sentence for each variable that was needed and is not set.
    pub(super) fn warnings(&self) -> Vec<String> {
        let each = |name: &String| format!("the variable `{name}` is not set; it counts as empty");
        self.missing.borrow().iter().map(each).collect()
    }

    /// Puts in the values everywhere below a node.
    pub(super) fn interpolate(&self, node: &mut Node) -> Result<()> {
        match &mut node.content {
            Content::Null => Ok(()),
            Content::List(values) => values.iter_mut().try_for_each(|value| self.interpolate(value)),
            Content::Map(fields) => fields.iter_mut().try_for_each(|(_, value)| self.interpolate(value)),
            Content::Scalar(text) if !text.contains('$') => Ok(()),
            Content::Scalar(text) => match self.replaced(text, 0) {
                Ok(new) => {
                    *text = new;
                    Ok(())
                }
                Err(Failure::Form(form)) => {
                    let message = format!("`{form}` is not a variable");
                    Err(wrong(node, message).help("write `${NAME}`, or `$$` for a dollar sign"))
                }
                Err(Failure::Required(message)) => Err(wrong(node, message)),
            },
        }
    }

    fn replaced(&self, text: &str, depth: usize) -> std::result::Result<String, Failure> {
        const DEEPEST: usize = 20;
        let mut result = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            result += &rest[..at];
            let tail = &rest[at + 1..];
            if let Some(behind) = tail.strip_prefix('$') {
                result.push('$');
                rest = behind;
            } else if let Some(inner) = tail.strip_prefix('{') {
                let end = closing(inner).filter(|_| depth < DEEPEST);
                let end = end.ok_or_else(|| Failure::Form(rest[at..].chars().take(40).collect()))?;
                result += &self.braces(&inner[..end], depth)?;
                rest = &inner[end + 1..];
            } else {
                let length = name_length(tail);
                if length == 0 {
                    return Err(Failure::Form(rest[at..].chars().take(40).collect()));
                }
                result += &self.value(&tail[..length]);
                rest = &tail[length..];
            }
        }
        Ok(result + rest)
    }

    fn value(&self, name: &str) -> String {
        self.find(name).cloned().unwrap_or_else(|| {
            self.missing.borrow_mut().insert(name.to_owned());
            String::new()
        })
    }

    fn braces(&self, inner: &str, depth: usize) -> std::result::Result<String, Failure> {
        let length = name_length(inner);
        let (name, rest) = inner.split_at(length);
        if length == 0 {
            return Err(Failure::Form(format!("${{{inner}}}")));
        }
        if rest.is_empty() {
            return Ok(self.value(name));
        }
        let (empty_counts, rest) = rest.strip_prefix(':').map_or((false, rest), |rest| (true, rest));
        let set = self.find(name).filter(|value| !empty_counts || !value.is_empty());
        let word = rest.get(1..).unwrap_or_default();
        match (rest.chars().next(), set) {
            (Some('-' | '?'), Some(value)) => Ok(value.clone()),
            (Some('-'), None) | (Some('+'), Some(_)) => self.replaced(word, depth + 1),
            (Some('+'), None) => Ok(String::new()),
            (Some('?'), None) => {
                let reason = self.replaced(word, depth + 1)?;
                let reason = if reason.is_empty() { "it has no value".to_owned() } else { reason };
                Err(Failure::Required(format!("the variable `{name}` is required: {reason}")))
            }
            _ => Err(Failure::Form(format!("${{{inner}}}"))),
        }
    }
}

fn name_length(text: &str) -> usize {
    let starts = text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let end =
        text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len());
    if starts { end } else { 0 }
}

/// Where the brace is that closes the one before the text.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    let mut before = ' ';
    for (at, letter) in text.char_indices() {
        match letter {
            '{' if before == '$' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
        before = letter;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_variable() {
        let values = [("A", "1"), ("E", "")].map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let variables = Variables::new(&values);
        let read = |text: &str| match variables.replaced(text, 0) {
            Ok(text) => text,
            Err(Failure::Form(form)) => format!("not a variable: {form}"),
            Err(Failure::Required(message)) => message,
        };
        assert_eq!(read("$A-${A}-$$A-$${A}"), "1-1-$A-${A}");
        assert_eq!(read("${E:-x}${E-x}${N-y}${N:-${A}z}"), "xy1z");
        assert_eq!(read("${A:+x}${E:+x}${E+y}${N+y}"), "xy");
        assert_eq!(read("${N:-a${M:-}b}|${N:-}}"), "ab|}");
        assert_eq!(read("${N?say it}"), "the variable `N` is required: say it");
        assert_eq!(read("${E:?}"), "the variable `E` is required: it has no value");
        assert_eq!(read("${A:?x}"), "1");
        assert_eq!(read("${1}"), "not a variable: ${1}");
        assert_eq!(read("a $ b"), "not a variable: $ b");
        assert_eq!(read("${A"), "not a variable: ${A");
        assert_eq!(read("${A!x}"), "not a variable: ${A!x}");
        assert_eq!(variables.warnings(), Vec::<String>::new());
        assert_eq!(read("$N"), "");
        assert_eq!(variables.warnings(), ["the variable `N` is not set; it counts as empty"]);
    }
}
