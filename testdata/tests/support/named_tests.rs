//! Tables of tests: whether a test that a table names is there.

use std::fs;
use std::path::{Path, PathBuf};

/// Fails unless the test `name` is in the sources. `places` says what the first word of a name stands for.
///
/// `faults::pull::a_test` or `cli::transfers::a_test`; a name that ends in `…` stands for all that begin like it.
pub(crate) fn assert_is_there(places: &[(&str, &str)], name: &str) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let parts: Vec<&str> = name.split("::").collect();
    let [place, modules @ .., test] = parts.as_slice() else { panic!("`{name}` is no name of a test") };
    let (_, folder) =
        places.iter().find(|(known, _)| known == place).unwrap_or_else(|| panic!("`{name}`: where?"));
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
