//! Regular expressions: those of Go's RE2, which the `regex` crate follows. They take time linear in the text.

use std::collections::BTreeMap;

use regex::{Captures, Regex, RegexBuilder};

use super::arguments::{fail, text};
use super::{Builtin, Failure, Outcome, Surroundings};
use crate::value::Value;

pub(super) const ALL: &[Builtin] = &[
    Builtin::new("regex", 2, 2, |arguments, _| {
        let (pattern, text) = (pattern(arguments, 0)?, text(arguments, 1)?);
        let found = pattern.captures(&text).ok_or_else(|| fail(1, "the pattern does not match"))?;
        Ok(value(&pattern, &found))
    }),
    Builtin::new("regex_replace", 3, 3, regex_replace),
    Builtin::new("regexall", 2, 2, |arguments, _| {
        let (pattern, text) = (pattern(arguments, 0)?, text(arguments, 1)?);
        Ok(Value::List(pattern.captures_iter(&text).map(|found| value(&pattern, &found)).collect()))
    }),
];

fn pattern(arguments: &[Value], at: usize) -> Result<Regex, Failure> {
    const MOST: usize = 1 << 20;
    let text = text(arguments, at)?;
    RegexBuilder::new(&text)
        .size_limit(MOST)
        .build()
        .map_err(|_| fail(at, format!("`{text}` is not a regular expression, or too large a one")))
}

/// What was found: named groups as an object, other groups as a list, else the whole match.
fn value(pattern: &Regex, found: &Captures<'_>) -> Value {
    let group = |at: usize| found.get(at).map_or(Value::Null, |group| group.as_str().into());
    let names: Vec<Option<&str>> = pattern.capture_names().skip(1).collect();
    if names.is_empty() {
        return group(0);
    }
    if names.iter().all(Option::is_some) {
        let fields = names.iter().flatten().enumerate().map(|(at, name)| ((*name).to_owned(), group(at + 1)));
        return Value::Object(fields.collect::<BTreeMap<_, _>>());
    }
    Value::List((1..=names.len()).map(group).collect())
}

fn regex_replace(arguments: &[Value], _: &Surroundings) -> Outcome {
    let (text, pattern, new) = (text(arguments, 0)?, pattern(arguments, 1)?, text(arguments, 2)?);
    const MOST: usize = 16 << 20;
    if pattern.find_iter(&text).count().saturating_mul(new.len() + text.len()) > MOST {
        return Err(fail(2, "the result would be too long"));
    }
    Ok(pattern.replace_all(&text, new.as_str()).into_owned().into())
}
