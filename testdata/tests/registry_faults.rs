//! Every fault of a registry has a test, and every test that `REGISTRY-FAULTS.md` names is there.

#[path = "support/named_tests.rs"]
mod named_tests;

use std::fs;
use std::path::Path;

use named_tests::assert_is_there;

/// What the first word of a name stands for.
const PLACES: [(&str, &str); 9] = [
    ("faults", "registry-client/tests/faults"),
    ("uploads", "registry-client/tests/uploads"),
    ("client", "registry-client/src"),
    ("foreign", "registry-client/tests/foreign"),
    ("transfers", "transfer/tests/transfers"),
    ("cli", "cli/tests/command_line"),
    ("conformance", "registry-server/tests/conformance"),
    ("server", "registry-server/tests"),
    ("server-src", "registry-server/src"),
];

#[test]
fn every_fault_has_a_test_that_is_there() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(here.join("REGISTRY-FAULTS.md")).expect("the table is part of this crate");
    let mut next = 1;
    for row in table.lines() {
        let Some((number, rest)) = row.strip_prefix("| ").and_then(|row| row.split_once(" | ")) else {
            continue;
        };
        let Ok(number) = number.parse::<usize>() else { continue };
        assert_eq!(number, next, "the faults are in their order");
        next += 1;
        let (_, tests) = rest.trim_end_matches(" |").rsplit_once(" | ").expect("a row has three columns");
        let names: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "fault {number} has no test");
        for name in names {
            assert_is_there(&PLACES, name);
        }
    }
    assert_eq!(next, 63, "62 faults are known");
}
