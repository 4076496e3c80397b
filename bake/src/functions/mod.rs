//! The functions of the language, by name.
//!
//! They are those of buildx's standard library. What is missing on purpose is in [`missing`], with the reason.

mod arguments;
mod collection;
mod encoding;
mod format;
mod network;
mod number;
mod regex;
mod set;
mod string;
mod time;
mod version;

use crate::value::Value;
use crate::world::Surroundings;

/// What a function says when it cannot do its work.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The argument it is about, from 0.
    pub(crate) argument: Option<usize>,
    pub(crate) message: String,
}

pub(crate) type Outcome = Result<Value, Failure>;
type Work = fn(&[Value], &Surroundings) -> Outcome;

/// A function.
pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    /// How many arguments it takes at least.
    pub(crate) least: usize,
    /// And at most, if there is an end.
    pub(crate) most: Option<usize>,
    pub(crate) work: Work,
}

impl Builtin {
    const fn new(name: &'static str, least: usize, most: usize, work: Work) -> Self {
        Self { name, least, most: Some(most), work }
    }

    const fn many(name: &'static str, least: usize, work: Work) -> Self {
        Self { name, least, most: None, work }
    }

    /// How many arguments it takes, as words.
    pub(crate) fn takes(&self) -> String {
        let plural = |count: usize| if count == 1 { "argument" } else { "arguments" };
        match (self.least, self.most) {
            (least, Some(most)) if least == most => format!("{most} {}", plural(most)),
            (least, Some(most)) => format!("{least} to {most} arguments"),
            (least, None) => format!("at least {least} {}", plural(least)),
        }
    }
}

/// All of them, group by group.
const ALL: [&[Builtin]; 10] = [
    collection::ALL,
    encoding::ALL,
    format::ALL,
    network::ALL,
    number::ALL,
    regex::ALL,
    set::ALL,
    string::ALL,
    time::ALL,
    version::ALL,
];

/// The function with that name.
pub(crate) fn find(name: &str) -> Option<&'static Builtin> {
    ALL.iter().copied().flatten().find(|function| function.name == name)
}

/// The names of all.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().copied().flatten().map(|function| function.name)
}

/// Why buildx's function of that name is not here.
pub(crate) fn missing(name: &str) -> Option<&'static str> {
    match name {
        "bcrypt" => Some("buildx has it; here it is missing, for its result differs each time"),
        "rsadecrypt" => Some("buildx has it; here it is missing: keys do not belong into a bake file"),
        _ => None,
    }
}

#[cfg(test)]
pub(crate) fn surroundings() -> Surroundings {
    Surroundings { now: 1_700_000_000, seed: 7, home: "/home/u".to_owned(), drawn: std::cell::Cell::new(0) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_name_is_there_once() {
        let all: Vec<&str> = names().collect();
        let once: BTreeSet<&str> = all.iter().copied().collect();
        assert_eq!(all.len(), once.len());
        assert_eq!(all.len(), 100);
    }

    #[test]
    fn no_function_panics_at_odd_arguments() {
        let odd = [
            Value::Null,
            Value::from(true),
            Value::from(""),
            Value::from("ä%9999999d"),
            Value::from("10.0.0.0/8"),
            Value::from("-1"),
            Value::Number(crate::value::Number::Whole(i128::MAX)),
            Value::Number(crate::value::Number::Whole(-3)),
            Value::Number(crate::value::Number::Real(1e300)),
            Value::List(vec![Value::Null, Value::from("x"), Value::List(Vec::new())]),
            Value::List(Vec::new()),
            Value::from_json(&serde_json::json!({"a": [1], "b": null})),
        ];
        for function in ALL.iter().copied().flatten() {
            let count = function.most.unwrap_or(3).max(1);
            for start in 0..odd.len().pow(u32::try_from(count.min(3)).unwrap()) {
                let mut rest = start;
                let mut arguments = Vec::new();
                for _ in 0..count {
                    arguments.push(odd[rest % odd.len()].clone());
                    rest /= odd.len();
                }
                for given in function.least..=count {
                    let _ = (function.work)(&arguments[..given], &surroundings());
                }
            }
        }
    }
}
