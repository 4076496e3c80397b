//! Why a step is not the one that was built before: what of its key is new, gone, or not what it was.

use std::collections::{HashMap, HashSet};

use crate::event::{Change, ChangeKind};
use crate::key::{Input, Told};

/// How many changes are kept; a reader learns no more from the next one.
const MOST: usize = 100;
/// How much is kept of a value, in characters.
const LONGEST_VALUE: usize = 2000;
/// How much of a value stands in a reason of one line.
const LONGEST_IN_REASON: usize = 60;

/// What differs between two lists of inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// In one line: the first change, and how many others there are.
    pub reason: String,
    /// The changes, at most [`MOST`].
    pub changes: Vec<Change>,
}

/// What made a step with the inputs `now` another one than that with the inputs `before`.
pub(crate) fn difference(before: &[Input], now: &[Input]) -> Difference {
    let old: HashMap<&str, &Input> = before.iter().map(|input| (input.name.as_str(), input)).collect();
    let new: HashSet<&str> = now.iter().map(|input| input.name.as_str()).collect();
    let changed = now.iter().filter_map(|input| match old.get(input.name.as_str()) {
        Some(before) if before.value == input.value => None,
        before => Some(change(before.copied(), Some(input))),
    });
    let gone = before.iter().filter(|input| !new.contains(input.name.as_str()));
    let gone = gone.map(|input| change(Some(input), None));
    let mut count = 0;
    let mut changes = Vec::new();
    for change in changed.chain(gone).flatten() {
        count += 1;
        if changes.len() < MOST {
            changes.push(change);
        }
    }
    let reason = match (changes.first(), count) {
        (None, _) => "the order of its inputs changed".to_owned(),
        (Some(only), 1) => told(only),
        (Some(first), count) => format!("{} (and {} more)", told(first), count - 1),
    };
    Difference { reason, changes }
}

/// `None` only when there is neither.
fn change(before: Option<&Input>, now: Option<&Input>) -> Option<Change> {
    let input = now.or(before)?;
    let kind = match (before, now) {
        (Some(_), Some(_)) => ChangeKind::Changed,
        (None, _) => ChangeKind::New,
        (_, None) => ChangeKind::Gone,
    };
    let (before, after) = match input.told {
        Told::Values => (before.map(|input| cut(&input.value)), now.map(|input| cut(&input.value))),
        Told::Name => facts(before, now),
    };
    Some(Change { name: input.name.clone(), kind, before, after })
}

/// Of a file whose content is the same: the facts that differ, such as `mode 644` and `mode 755`. Of one whose content
/// differs its kind and size say little, so nothing.
fn facts(before: Option<&Input>, now: Option<&Input>) -> (Option<String>, Option<String>) {
    let (Some(before), Some(now)) = (before, now) else { return (None, None) };
    let lines = |input: &Input| input.value.lines().map(str::to_owned).collect::<Vec<_>>();
    let (old, new) = (lines(before), lines(now));
    if old.first() != new.first() {
        return (None, None);
    }
    let only_in = |one: &[String], other: &[String]| {
        let lines: Vec<&str> = one.iter().filter(|line| !other.contains(line)).map(String::as_str).collect();
        (!lines.is_empty()).then(|| cut(&lines.join(", ")))
    };
    (only_in(&old, &new), only_in(&new, &old))
}

/// The change in words.
fn told(change: &Change) -> String {
    let name = &change.name;
    match (change.kind, &change.before, &change.after) {
        (ChangeKind::Changed, Some(before), Some(after)) => {
            format!("{name} {} → {}", short(before), short(after))
        }
        (ChangeKind::Changed, ..) => format!("{name} changed"),
        (ChangeKind::New, _, Some(after)) => format!("{name} {} is new", short(after)),
        (ChangeKind::New, ..) => format!("{name} is new"),
        (ChangeKind::Gone, ..) => format!("{name} is gone"),
    }
}

fn cut(value: &str) -> String {
    match value.char_indices().nth(LONGEST_VALUE) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

fn short(value: &str) -> String {
    let line = value.replace('\n', "⏎");
    if line.chars().count() <= LONGEST_IN_REASON {
        return format!("`{line}`");
    }
    format!("`{}…`", line.chars().take(LONGEST_IN_REASON).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::tests::inputs;

    fn between(before: &[(&str, &str)], now: &[(&str, &str)]) -> Difference {
        difference(inputs(before).list(), inputs(now).list())
    }

    #[test]
    fn the_reason_names_what_changed() {
        let before = [("ARG VERSION", "1"), ("src/main.rs", "x"), ("old.txt", "x")];
        for (now, reason) in [
            (&[("ARG VERSION", "2"), ("src/main.rs", "x"), ("old.txt", "x")][..], "ARG VERSION `1` → `2`"),
            (&[("ARG VERSION", "1"), ("src/main.rs", "y"), ("old.txt", "x")], "src/main.rs changed"),
            (&[("ARG VERSION", "1"), ("src/main.rs", "y")], "src/main.rs changed (and 1 more)"),
            (&[("ARG VERSION", "1"), ("src/main.rs", "x")], "old.txt is gone"),
            (&[("ARG VERSION", "1"), ("src/main.rs", "x"), ("old.txt", "x"), ("a.txt", "")], "a.txt is new"),
            (
                &[("src/main.rs", "x"), ("ARG VERSION", "1"), ("old.txt", "x")],
                "the order of its inputs changed",
            ),
        ] {
            assert_eq!(between(&before, now).reason, reason);
        }
    }

    #[test]
    fn values_are_told_and_digests_are_not() {
        let found = between(
            &[
                ("ARG A", "1"),
                ("a.txt", "file 3 sha256:aa\nmode 644"),
                ("b.sh", "file 3 sha256:bb\nmode 644"),
            ],
            &[
                ("ARG A", "2"),
                ("a.txt", "file 3 sha256:cc\nmode 755"),
                ("b.sh", "file 3 sha256:bb\nmode 755"),
            ],
        );
        let told: Vec<_> = found
            .changes
            .iter()
            .map(|change| (change.name.as_str(), change.before.as_deref(), change.after.as_deref()))
            .collect();
        assert_eq!(
            told,
            [
                ("ARG A", Some("1"), Some("2")),
                ("a.txt", None, None),
                ("b.sh", Some("mode 644"), Some("mode 755")),
            ]
        );
    }

    #[test]
    fn a_mode_that_changed_alone_is_told() {
        let found =
            between(&[("b.sh", "file 3 sha256:bb\nmode 644")], &[("b.sh", "file 3 sha256:bb\nmode 755")]);
        assert_eq!(found.reason, "b.sh `mode 644` → `mode 755`");
    }

    #[test]
    fn of_very_many_changes_the_first_are_kept_and_all_are_counted() {
        let names: Vec<String> = (0..1000).map(|number| format!("{number}.txt")).collect();
        let now: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
        let found = between(&[], &now);
        assert_eq!((found.changes.len(), found.reason.as_str()), (MOST, "0.txt is new (and 999 more)"));
        let long = "é".repeat(5000);
        let value = between(&[("ARG A", "1")], &[("ARG A", &long)]).changes[0].after.clone().unwrap();
        assert_eq!(value.chars().count(), LONGEST_VALUE + 1);
    }
}
