//! Every fault of a registry has a test, and every test that `REGISTRY-FAULTS.md` names is there.

use std::fs;
use std::path::{Path, PathBuf};

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
            assert_is_there(here, name);
        }
    }
    assert_eq!(next, 63, "62 faults are known");
}

/// `faults::pull::a_test` or `cli::transfers::a_test`; a name that ends in `…` stands for all that begin like it.
fn assert_is_there(here: &Path, name: &str) {
    let parts: Vec<&str> = name.split("::").collect();
    let [place, modules @ .., test] = parts.as_slice() else { panic!("`{name}` is no name of a test") };
    let (_, folder) =
        PLACES.iter().find(|(known, _)| known == place).unwrap_or_else(|| panic!("`{name}`: where?"));
    let base = here.join("..").join(folder).join(modules.join("/"));
    let files: [PathBuf; 2] = [base.with_extension("rs"), base.join("mod.rs")];
    let text = files.iter().find_map(|file| fs::read_to_string(file).ok());
    let text = text.unwrap_or_else(|| panic!("`{name}` is in none of {files:?}"));
    let wanted = match test.strip_suffix('…') {
        Some(start) => format!("fn {start}"),
        None => format!("fn {test}("),
    };
    assert!(text.contains(&wanted), "`{name}` is not in `{}`", base.display());
}
