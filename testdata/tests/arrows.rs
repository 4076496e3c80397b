//! Holds the map of the crates against what their manifests say: which crate may use which, and where `unsafe`
//! may stand.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Who may use whom. A crate that is not here may not exist.
const ARROWS: [(&str, &[&str]); 12] = [
    ("tug-oci", &[]),
    ("tug-dockerfile", &[]),
    ("tug-bake", &[]),
    ("tug-layer-store", &["tug-oci"]),
    ("tug-runtime", &[]),
    ("tug-fetch", &["tug-oci"]),
    ("tug-registry-client", &["tug-oci"]),
    ("tug-registry-server", &["tug-oci", "tug-registry-client"]),
    ("tug-transfer", &["tug-oci", "tug-layer-store", "tug-registry-client"]),
    ("tug-builder", &["tug-dockerfile", "tug-fetch", "tug-layer-store", "tug-runtime", "tug-oci"]),
    (
        "tug-cli",
        &[
            "tug-bake",
            "tug-builder",
            "tug-dockerfile",
            "tug-fetch",
            "tug-transfer",
            "tug-registry-client",
            "tug-registry-server",
            "tug-layer-store",
            "tug-runtime",
            "tug-oci",
        ],
    ),
    ("tug-testdata", &[]),
];

#[test]
fn no_arrow_between_the_crates_points_the_wrong_way() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ARROWS.iter().map(|(name, uses)| (*name, uses.iter().copied().collect())).collect();
    for package in packages() {
        let name = text(&package["name"]);
        let may_use = allowed.get(name).unwrap_or_else(|| panic!("the crate `{name}` is not on the map"));
        for dependency in package["dependencies"].as_array().expect("cargo lists dependencies") {
            let used = text(&dependency["name"]);
            if !allowed.contains_key(used) {
                continue;
            }
            let only_for_tests =
                dependency["kind"] == "dev" && matches!(used, "tug-testdata" | "tug-registry-server");
            assert!(only_for_tests || may_use.contains(used), "`{name}` may not use `{used}`");
        }
    }
}

#[test]
fn every_crate_takes_the_lints_of_the_workspace_and_says_what_it_is() {
    for package in packages() {
        let name = text(&package["name"]);
        let manifest = fs::read_to_string(text(&package["manifest_path"])).expect("cargo has just read it");
        assert!(manifest.contains("[lints]\nworkspace = true"), "`{name}` has lints of its own");
        let folder =
            Path::new(text(&package["manifest_path"])).parent().expect("a manifest lies in a folder");
        assert!(folder.join("README.md").is_file(), "`{name}` has no README");
        assert_eq!(package["publish"], Value::Array(Vec::new()), "`{name}` could be published by accident");
    }
}

#[test]
fn unsafe_stands_only_in_the_runtime() {
    let mut seen = 0;
    for package in packages() {
        if text(&package["name"]) == "tug-runtime" {
            continue;
        }
        let folder =
            Path::new(text(&package["manifest_path"])).parent().expect("a manifest lies in a folder");
        for file in rust_files(folder) {
            seen += 1;
            let code = fs::read_to_string(&file).expect("source code is text");
            for (number, line) in code.lines().enumerate() {
                assert!(!uses_unsafe(line), "`unsafe` in {}:{}", file.display(), number + 1);
            }
        }
    }
    assert!(seen > 10, "the source code was not found");
}

#[test]
fn unsafe_is_seen_in_all_its_forms_and_not_in_words_about_it() {
    assert!(uses_unsafe(&format!("let value = {} {{ read(pointer) }};", "unsafe")));
    assert!(uses_unsafe(&format!("pub {} fn read() {{}}", "unsafe")));
    assert!(uses_unsafe(&format!("#[allow({}_code)]", "unsafe")));
    assert!(!uses_unsafe("// why this is not unsafe { }"));
    assert!(!uses_unsafe("#![forbid(unsafe_code)]"));
    assert!(!uses_unsafe("let unsafe_flags = 1;"));
}

/// Whether a line of code opens something unsafe or allows it. Comments do not count.
fn uses_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let allows =
        ["allow", "expect", "warn"].iter().any(|level| code.contains(&format!("{level}(unsafe_code")));
    let opens = code.match_indices("unsafe").any(|(start, word)| {
        let before = code[..start].chars().next_back();
        let after = code[start + word.len()..].trim_start();
        let whole_word = before.is_none_or(|letter| !letter.is_alphanumeric() && !"_\"`".contains(letter));
        whole_word
            && ["{", "fn ", "impl ", "impl<", "trait ", "extern "].iter().any(|next| after.starts_with(next))
    });
    allows || opens
}

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo writes JSON");
    metadata["packages"].as_array().expect("a workspace has packages").clone()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a crate can be read") {
        let path = entry.expect("a crate can be read").path();
        if path.is_dir() && !path.is_symlink() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn text(value: &Value) -> &str {
    value.as_str().expect("cargo gives a name")
}
