//! Holds any ignore file against any path: nothing panics, a walk that prunes decides as single questions do, and it
//! never leaves out a directory in which something is wanted.
//!
//! Input: a line with the path, then the ignore file.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tug_dockerfile::{Ignore, Pattern};

fuzz_target!(|input: &[u8]| {
    let Some(line) = input.iter().position(|byte| *byte == b'\n') else { return };
    let (path, rules) = (&input[..line], &input[line + 1..]);
    // Paths of a walk are clean.
    let parts = path.split(|byte| *byte == b'/').filter(|part| !matches!(*part, b"" | b"." | b".."));
    let path = parts.collect::<Vec<_>>().join(&b'/');
    if path.is_empty() || path.len() > 300 || path.contains(&0) {
        return;
    }
    let parents = || path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| &path[..at]);
    if let Ok(ignore) = Ignore::parse(rules) {
        let decision = ignore.matches(&path);
        let mut above = ignore.top();
        for parent in parents() {
            above = ignore.enter(&above, parent);
            let is_entered = !ignore.matches(parent).ignored || ignore.may_have_exceptions_below(parent);
            assert!(decision.ignored || is_entered, "a walk would not enter {parent:?}");
        }
        assert_eq!(ignore.decide(&above, &path), decision);
        if let Err(error) = Ignore::from_patterns(&[rules]) {
            let _ = (error.to_string(), error.hint());
        }
    }
    for pattern in [Pattern::parse(rules), Pattern::parse_deep(rules)].into_iter().flatten() {
        if pattern.matches(&path) {
            for parent in parents() {
                assert!(
                    pattern.could_match_below(parent),
                    "{:?} matches below {parent:?}",
                    pattern.as_bytes()
                );
            }
        }
        if !rules.iter().any(|byte| b"*?[\\".contains(byte)) {
            assert_eq!(pattern.matches(&path), rules == path, "{:?}", pattern.as_bytes());
        }
    }
});
