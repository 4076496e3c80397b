//! How much waste is too much: flags, and the file `.dive-ci` of dive with its three rules.
//!
//! | rule                        | without a file | fails when                                      |
//! | --------------------------- | -------------- | ----------------------------------------------- |
//! | `lowestEfficiency`          | 0.9            | the efficiency is lower                         |
//! | `highestWastedBytes`        | disabled       | more bytes are wasted                           |
//! | `highestUserWastedPercent`  | 0.1            | more of the layers above the lowest is wasted   |
//!
//! A rule that a file does not name has its value of the second column; `disabled` turns it off.

use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use serde::Deserialize;
use serde_json::{Value, json};
use tug_layer_store::Waste;

use crate::error::CommandError;
use crate::human;

/// The file that `--ci` reads.
const FILE: &str = ".dive-ci";
const FILE_LIMIT: u64 = 64 * 1024;

/// What may be hidden.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    /// So many bytes.
    Bytes(u64),
    /// A share of all files, from 0 to 1.
    Share(f64),
}

/// What is too much.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rules {
    pub(super) fail_over: Option<Limit>,
    pub(super) lowest_efficiency: Option<f64>,
    pub(super) highest_wasted_bytes: Option<u64>,
    pub(super) highest_user_wasted_percent: Option<f64>,
}

/// What came of one rule.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Outcome {
    rule: &'static str,
    limit: f64,
    actual: f64,
    words: String,
    pub(super) passed: bool,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct DiveFile {
    rules: DiveRules,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct DiveRules {
    #[serde(alias = "lowest-efficiency")]
    lowest_efficiency: Option<Value>,
    #[serde(alias = "highest-wasted-bytes")]
    highest_wasted_bytes: Option<Value>,
    #[serde(alias = "highest-user-wasted-percent")]
    highest_user_wasted_percent: Option<Value>,
}

/// `20MB` (steps of 1000), `20MiB` (of 1024), `5%`.
pub(crate) fn limit(text: &str) -> Result<Limit, String> {
    match text.strip_suffix('%') {
        Some(number) => match number.trim().parse::<f64>() {
            Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(Limit::Share(percent / 100.0)),
            _ => Err(format!("`{text}` is no share: expected for example `5%`")),
        },
        None => size(text).map(Limit::Bytes),
    }
}

/// `20MB` (steps of 1000), `20MiB` (of 1024), as dive reads them.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no size: expected for example `20MB`");
    let lower = text.trim().to_ascii_lowercase();
    let digits = lower.trim_end_matches(|letter: char| letter.is_ascii_alphabetic() || letter == ' ');
    let factor: u64 = match lower[digits.len()..].trim() {
        "" | "b" => 1,
        "k" | "kb" => 1000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        "ti" | "tib" => 1 << 40,
        _ => return Err(wrong()),
    };
    let number: f64 = digits.parse().map_err(|_| wrong())?;
    let bytes = number * factor as f64;
    match bytes.is_finite() && (0.0..1e18).contains(&bytes) {
        true => Ok(bytes as u64),
        false => Err(wrong()),
    }
}

/// A number from 0 to 1.
pub(crate) fn fraction(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if (0.0..=1.0).contains(&number) => Ok(number),
        _ => Err(format!("`{text}` is no number from 0 to 1")),
    }
}

impl Rules {
    /// Those of a file in dive's form. Without a name it need not be there.
    pub(super) fn of_file(path: Option<&Path>) -> Result<Self, CommandError> {
        let name = path.unwrap_or(Path::new(FILE));
        let cannot_read = |error: &std::io::Error| {
            CommandError::failed(format_args!("cannot read `{}`", name.display())).because(error)
        };
        let mut text = String::new();
        match File::open(name) {
            Ok(opened) => {
                opened.take(FILE_LIMIT).read_to_string(&mut text).map_err(|error| cannot_read(&error))?;
            }
            Err(error) if error.kind() == ErrorKind::NotFound && path.is_none() => {}
            Err(error) => return Err(cannot_read(&error)),
        }
        Self::parse(&text).map_err(|problem| {
            CommandError::failed(format_args!("`{}`: {problem}", name.display())).hint(
                "it has `rules:` with `lowestEfficiency`, `highestWastedBytes` and `highestUserWastedPercent`",
            )
        })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let is_empty = text.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#'));
        let DiveFile { rules } = match is_empty {
            true => DiveFile::default(),
            false => serde_saphyr::from_str(text)
                .map_err(|error| human::one_line(error.to_string().lines().next().unwrap_or_default()))?,
        };
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let share = |value: &Option<Value>, default: f64| match value.as_ref().map(text) {
            None => Ok(Some(default)),
            Some(text) if text == "disabled" => Ok(None),
            Some(text) => fraction(&text).map(Some),
        };
        Ok(Self {
            fail_over: None,
            lowest_efficiency: share(&rules.lowest_efficiency, 0.9)?,
            highest_wasted_bytes: match rules.highest_wasted_bytes.as_ref().map(text) {
                None => None,
                Some(text) if text == "disabled" => None,
                Some(text) => Some(size(&text)?),
            },
            highest_user_wasted_percent: share(&rules.highest_user_wasted_percent, 0.1)?,
        })
    }

    /// What comes of each rule.
    pub(super) fn outcomes(&self, waste: &Waste) -> Vec<Outcome> {
        let percent = |number: f64| format!("{:.1} %", number * 100.0);
        let bytes = |number: f64| human::size(number as u64);
        let mut outcomes = Vec::new();
        let mut add = |rule, limit: f64, actual: f64, shown: &dyn Fn(f64) -> String, is_least: bool| {
            let passed = if is_least { actual >= limit } else { actual <= limit };
            let word = if is_least { "at least" } else { "at most" };
            let words = format!("{rule} is {}, and must be {word} {}", shown(actual), shown(limit));
            outcomes.push(Outcome { rule, limit, actual, words, passed });
        };
        if let Some(limit) = self.lowest_efficiency {
            add("lowestEfficiency", limit, waste.score.efficiency, &percent, true);
        }
        if let Some(limit) = self.highest_wasted_bytes {
            add("highestWastedBytes", limit as f64, waste.score.wasted_bytes as f64, &bytes, false);
        }
        if let Some(limit) = self.highest_user_wasted_percent {
            add("highestUserWastedPercent", limit, waste.score.user_wasted_percent, &percent, false);
        }
        let hidden = waste.hidden_bytes() as f64;
        match self.fail_over {
            Some(Limit::Bytes(limit)) => add("hidden", limit as f64, hidden, &bytes, false),
            Some(Limit::Share(limit)) => {
                let share = if waste.content_size == 0 { 0.0 } else { hidden / waste.content_size as f64 };
                add("hidden", limit, share, &percent, false);
            }
            None => {}
        }
        outcomes
    }
}

impl Outcome {
    pub(super) fn data(&self) -> Value {
        json!({"rule": self.rule, "limit": self.limit, "actual": self.actual, "passed": self.passed})
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_shares_are_read_as_dive_reads_them() {
        for (text, expected) in [
            ("20MB", Some(Limit::Bytes(20_000_000))),
            ("20 MiB", Some(Limit::Bytes(20 << 20))),
            ("7", Some(Limit::Bytes(7))),
            ("1.5kb", Some(Limit::Bytes(1500))),
            ("5%", Some(Limit::Share(0.05))),
            ("101%", None),
            ("-1", None),
            ("MB", None),
            ("1e300", None),
            ("many", None),
        ] {
            assert_eq!(limit(text).ok(), expected, "{text}");
        }
    }

    #[test]
    fn a_file_of_dive_gives_its_rules() {
        let text = "rules:\n  # a comment\n  lowestEfficiency: 0.95\n  highestWastedBytes: 20MB\n  \
                    highestUserWastedPercent: disabled\n";
        let expected = Rules {
            fail_over: None,
            lowest_efficiency: Some(0.95),
            highest_wasted_bytes: Some(20_000_000),
            highest_user_wasted_percent: None,
        };
        assert_eq!(Rules::parse(text), Ok(expected));
        let usual = Rules {
            lowest_efficiency: Some(0.9),
            highest_user_wasted_percent: Some(0.1),
            ..Rules::default()
        };
        assert_eq!((Rules::parse(""), Rules::parse("# nothing\n")), (Ok(usual), Ok(usual)));
        for bad in ["rules:\n  lowestEfficency: 1\n", "rules: 7\n", "rules:\n  lowestEfficiency: 2\n", "{"] {
            assert!(Rules::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn limits_are_kept_when_they_are_met_exactly() {
        let mut waste = Waste { content_size: 100, ..Waste::default() };
        waste.score.efficiency = 0.9;
        let rules =
            Rules { lowest_efficiency: Some(0.9), fail_over: Some(Limit::Share(0.0)), ..Rules::default() };
        assert!(rules.outcomes(&waste).iter().all(|outcome| outcome.passed));
        let strict = Rules { lowest_efficiency: Some(0.91), ..Rules::default() };
        let outcomes = strict.outcomes(&waste);
        assert_eq!(outcomes[0].to_string(), "lowestEfficiency is 90.0 %, and must be at least 91.0 %");
        assert!(!outcomes[0].passed);
    }
}
