//! `semvercmp`: does a version meet a constraint such as `>= 1.2, < 2 || ^3.1`?

use std::cmp::Ordering;

use super::arguments::{fail, text};
use super::{Builtin, Outcome, Surroundings};
use crate::value::Value;

pub(super) const ALL: &[Builtin] = &[Builtin::new("semvercmp", 2, 2, semvercmp)];

/// A version; parts that are not written are `None`.
#[derive(Clone, Debug)]
struct Version {
    parts: [Option<u64>; 3],
    before: Vec<String>,
}

fn semvercmp(arguments: &[Value], _: &Surroundings) -> Outcome {
    let (given, constraint) = (text(arguments, 0)?, text(arguments, 1)?);
    let version = Version::parse(&given).ok_or_else(|| fail(0, format!("`{given}` is not a version")))?;
    let wrong = || fail(1, format!("`{constraint}` is not a constraint such as `>= 1.2, < 2`"));
    for alternative in constraint.split("||") {
        if meets_all(&version, alternative).ok_or_else(wrong)? {
            return Ok(true.into());
        }
    }
    Ok(false.into())
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let text = text.strip_prefix('v').unwrap_or(text);
        let (text, build) = text.split_once('+').unwrap_or((text, "x"));
        let (numbers, before) = match text.split_once('-') {
            Some((numbers, before)) => (numbers, before.split('.').map(str::to_owned).collect()),
            None => (text, Vec::new()),
        };
        if build.is_empty() || before.iter().any(String::is_empty) {
            return None;
        }
        let mut parts = [None; 3];
        let mut open = false;
        for (at, part) in numbers.split('.').enumerate() {
            let any = matches!(part, "x" | "X" | "*");
            let number = if any { None } else { Some(part.parse().ok()?) };
            open |= any;
            let number = number.filter(|_| !open);
            *parts.get_mut(at)? = number;
        }
        Some(Self { parts, before })
    }

    fn numbers(&self) -> [u64; 3] {
        self.parts.map(Option::unwrap_or_default)
    }

    fn order(&self, other: &Self) -> Ordering {
        let numbers = self.numbers().cmp(&other.numbers());
        numbers.then_with(|| match (self.before.is_empty(), other.before.is_empty()) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => before(&self.before, &other.before),
        })
    }

    /// The first version that is beyond all those that the written parts, up to `kept` of them, begin.
    fn next(&self, kept: usize) -> Self {
        let mut numbers = self.numbers();
        let kept = kept.min(self.parts.iter().take_while(|part| part.is_some()).count());
        match kept {
            0 => numbers = [u64::MAX; 3],
            kept => {
                numbers[kept - 1] = numbers[kept - 1].saturating_add(1);
                numbers[kept..].fill(0);
            }
        }
        Self { parts: numbers.map(Some), before: Vec::new() }
    }
}

fn before(one: &[String], two: &[String]) -> Ordering {
    for (one, two) in one.iter().zip(two) {
        let order = match (one.parse::<u64>(), two.parse::<u64>()) {
            (Ok(one), Ok(two)) => one.cmp(&two),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => one.cmp(two),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    one.len().cmp(&two.len())
}

/// Conditions with commas or spaces between them; all must be met.
fn meets_all(version: &Version, text: &str) -> Option<bool> {
    if let Some((low, high)) = text.split_once(" - ") {
        let (low, high) = (Version::parse(low)?, Version::parse(high)?);
        let below = if high.parts[2].is_some() {
            version.order(&high) != Ordering::Greater
        } else {
            version.order(&high.next(3)) == Ordering::Less
        };
        return Some(version.order(&low) != Ordering::Less && below);
    }
    let mut all = true;
    let mut operator = "";
    let mut any = false;
    for word in text.split([',', ' ']).filter(|word| !word.is_empty()) {
        let end = word.find(|letter: char| !"=!<>~^".contains(letter)).unwrap_or(word.len());
        if end == word.len() {
            operator = word;
            continue;
        }
        let given = if end > 0 { &word[..end] } else { operator };
        all &= meets(version, given, &Version::parse(&word[end..])?)?;
        (operator, any) = ("", true);
    }
    (any && operator.is_empty()).then_some(all)
}

fn meets(version: &Version, operator: &str, wanted: &Version) -> Option<bool> {
    // What comes before a release counts only for those who name such a version.
    if !version.before.is_empty() && wanted.before.is_empty() {
        return Some(operator == "!=");
    }
    let order = version.order(wanted);
    let from = order != Ordering::Less;
    let below = |kept: usize| version.order(&wanted.next(kept)) == Ordering::Less;
    let equal = if wanted.parts[2].is_some() { order == Ordering::Equal } else { from && below(3) };
    Some(match operator {
        "" | "=" | "==" => equal,
        "!=" => !equal,
        ">" if wanted.parts[2].is_none() => !below(3),
        ">" => order == Ordering::Greater,
        ">=" | "=>" => from,
        "<" => order == Ordering::Less,
        "<=" | "=<" => equal || order != Ordering::Greater,
        "~" | "~>" => from && below(2),
        "^" => {
            let [major, minor, _] = wanted.numbers();
            let kept = match (major, minor) {
                (0, 0) => 3,
                (0, _) => 2,
                _ => 1,
            };
            from && below(if wanted.parts[1].is_none() { 1 } else { kept })
        }
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::surroundings;
    use super::*;

    #[test]
    fn constraints_are_met_or_not() {
        let meets = |version: &str, constraint: &str| {
            semvercmp(&[version.into(), constraint.into()], &surroundings()).map(|value| value == true.into())
        };
        for (version, constraint, expected) in [
            ("1.2.3", ">= 1.2, < 2", true),
            ("2.0.0", ">= 1.2, < 2", false),
            ("v1.2.3", "=1.2.3", true),
            ("1.2.3", "1.2", true),
            ("1.3.0", "1.2.x", false),
            ("1.9.9", "^1.2", true),
            ("2.0.0", "^1.2", false),
            ("0.2.9", "^0.2.3", true),
            ("0.3.0", "^0.2.3", false),
            ("1.2.9", "~1.2.3", true),
            ("1.3.0", "~1.2.3", false),
            ("1.9.0", "~1", true),
            ("3.1.0", "^1 || ^3", true),
            ("2.3.4", "1.2 - 2.3.4", true),
            ("2.4.0", "1.2 - 2.3", false),
            ("1.0.0-rc.1", ">= 0.9", false),
            ("1.0.0-rc.2", "> 1.0.0-rc.1", true),
            ("1.0.0", "!= 1.0.0", false),
            ("9.9.9", "*", true),
            ("1.3.0", "> 1.2", true),
            ("1.2.5", "> 1.2", false),
            ("1.2.5", "<= 1.2", true),
        ] {
            assert_eq!(meets(version, constraint), Ok(expected), "{version} {constraint}");
        }
        for wrong in ["", "x.y", ">=", "1.2.3.4", "=== 1", ">= 1,"] {
            let outcome = meets("1.0.0", wrong);
            assert!(outcome.is_err() || wrong == ">= 1,", "{wrong}");
        }
        assert!(meets("latest", ">= 1").is_err());
    }
}
