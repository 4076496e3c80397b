//! Every case that `LANGUAGE.md` names is there.

use std::path::Path;

#[test]
fn every_case_that_the_table_of_the_language_names_is_there() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let table = std::fs::read_to_string(here.join("LANGUAGE.md")).expect("the table is part of this crate");
    let mut named = 0;
    for row in table.lines().filter(|line| line.starts_with("| ")) {
        let cases = row.trim_end_matches(" |").rsplit(" | ").next().unwrap_or_default();
        for name in cases.split('`').skip(1).step_by(2) {
            let (corpus, name) = match name.strip_prefix("p:") {
                Some(name) => (here.join("../dockerfile/tests/cases"), name),
                None if name.contains('/')
                    || !name.contains('-') && !here.join("build-cases").join(name).exists() =>
                {
                    continue;
                }
                None => (here.join("build-cases"), name),
            };
            if name.starts_with("--") || name.starts_with("expected.") {
                continue;
            }
            named += 1;
            let folders = std::fs::read_dir(&corpus).expect("the corpus is there");
            let mut names = folders.map(|entry| entry.expect("it can be listed").file_name());
            let is_there = match name.strip_suffix('…') {
                Some(start) => names.any(|folder| folder.to_string_lossy().starts_with(start)),
                None => names.any(|folder| folder == *name),
            };
            assert!(is_there, "`{name}` is not in `{}`", corpus.display());
        }
    }
    assert!(named > 100, "only {named} cases were found in the table");
}
