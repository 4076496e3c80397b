//! Every known attack has a test or a reason, and every test that `ATTACKS.md` names is there.

#[path = "support/named_tests.rs"]
mod named_tests;

use std::fs;
use std::path::Path;

use named_tests::assert_is_there;

/// What the first word of a name stands for.
const PLACES: [(&str, &str); 14] = [
    ("containers", "runtime/tests/containers"),
    ("runtime-src", "runtime/src"),
    ("builder", "builder/tests"),
    ("builder-src", "builder/src"),
    ("dockerfile", "dockerfile/tests"),
    ("store", "layer-store/tests"),
    ("store-src", "layer-store/src"),
    ("oci", "oci/src"),
    ("fetch", "fetch/src"),
    ("faults", "registry-client/tests/faults"),
    ("uploads", "registry-client/tests/uploads"),
    ("cli", "cli/tests/command_line"),
    ("cli-tests", "cli/tests"),
    ("server-src", "registry-server/src"),
];

#[test]
fn every_attack_has_a_test_that_is_there_or_a_reason() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = fs::read_to_string(here.join("ATTACKS.md")).expect("the table is part of this crate");
    let mut next = 1;
    for row in table.lines() {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
        let [number, _, _, tests] = cells.as_slice() else { continue };
        let Ok(number) = number.parse::<usize>() else { continue };
        assert_eq!(number, next, "the attacks are in their order");
        next += 1;
        let names: Vec<&str> =
            tests.split('`').skip(1).step_by(2).filter(|name| name.contains("::")).collect();
        let reason = tests.strip_prefix("not ours: ").is_some_and(|reason| reason.len() > 20);
        assert!(reason || !names.is_empty(), "attack {number} has no test and no reason");
        for name in names {
            assert_is_there(&PLACES, name);
        }
    }
    assert_eq!(next, 40, "39 attacks are known");
}
