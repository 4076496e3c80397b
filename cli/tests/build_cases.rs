//! The corpus in `testdata/build-cases`, built by tug and held against what BuildKit made of it.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tug_testdata::build_case::BuildCase;
use tug_testdata::image::comparable_config;
use tug_testdata::place::{Home, Place};
use tug_testdata::program::Program;
use tug_testdata::{Detail, Listing, bases};

/// Cases in which a step makes a device or asks which rights it has: an ordinary user's are fewer.
const ONLY_FOR_ROOT: [&str; 2] = ["run-environment", "run-makes-links-and-nodes"];

#[test]
#[ignore = "needs root, busybox"]
fn every_case_gives_what_buildkit_gives_needs_root_needs_busybox() {
    let failures = differences(Place::Here, &[]);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
#[ignore = "needs users, busybox"]
fn every_case_gives_the_same_to_a_user_with_many_ids_needs_users_needs_busybox() {
    let failures = differences(Place::UserWithManyIds, &ONLY_FOR_ROOT);
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Builds all cases, or those whose name starts with `TUG_CASES`, in one store and tells which came out otherwise, and how.
fn differences(place: Place, but_not: &[&str]) -> Vec<String> {
    let tug = Program::new(env!("CARGO_BIN_EXE_tug"), place);
    tug.import(&bases::busybox(), "base");
    let base = Base { tree: tug.tree("base"), config: config(&tug, "base") };

    let cases: Vec<_> = BuildCase::all().into_iter().filter(|case| !but_not.contains(&case.name())).collect();
    assert!(cases.len() >= 30, "the corpus was not found");
    let wanted = std::env::var("TUG_CASES").unwrap_or_default();
    cases
        .iter()
        .filter(|case| case.name().starts_with(&wanted))
        .filter_map(|case| difference(&tug, case, &base))
        .collect()
}

struct Base {
    tree: Listing,
    config: Value,
}

/// Builds a case and tells what came out otherwise than expected.
fn difference(tug: &Program, case: &BuildCase, base: &Base) -> Option<String> {
    let context = case.context();
    tug.give(context.path());
    let dockerfile = readable_copy(case);
    let mut words = vec!["build", "--tag", "case", "--progress", "plain", "--network", "none", "--file"];
    let file = dockerfile.path().join("Dockerfile");
    let (file, folder) = (file.to_string_lossy(), context.path().to_string_lossy());
    let arguments = case.arguments();
    words.push(&file);
    words.extend(arguments.iter().map(String::as_str));
    let secrets: Vec<String> = case
        .secrets()
        .into_iter()
        .map(|(id, path)| {
            let copy = dockerfile.path().join(&id);
            fs::copy(path, &copy).expect("a secret can be copied");
            format!("--secret=id={id},src={}", copy.display())
        })
        .collect();
    words.extend(secrets.iter().map(String::as_str));
    words.push(&folder);
    let built = tug.run(&words);
    let told = text(&built.stderr).replace(&format!("{}/", dockerfile.path().display()), "");
    if case.must_fail() {
        return failure_difference(case, built.status.success(), &told);
    }
    if !built.status.success() {
        return Some(format!("== {}: {}\n{told}", case.name(), built.status));
    }

    let config = config(tug, "case");
    let from_base = config["rootfs"]["diff_ids"][0] == base.config["rootfs"]["diff_ids"][0];
    let (before, history) =
        if from_base { (base.tree.clone(), history_length(&base.config)) } else { (Listing::default(), 0) };
    let comparable =
        |tree: Listing| tree.without(Detail::Times).with_content_named(&base.tree, "bin/busybox", "busybox");
    let tree = comparable(tug.tree("case")).changes_since(&comparable(before));
    let config = comparable_config(&config, history);
    let config = serde_json::to_string_pretty(&config).expect("JSON can be written");
    if updating() {
        case.update_tree(&tree);
        case.update_config(&(config.clone() + "\n"));
    }
    let expected = serde_json::to_string_pretty(&case.expected_config()).expect("JSON can be written");

    let lines = [line_changes(&case.expected_tree(), &tree), line_changes(&expected, &config)].concat();
    (!lines.is_empty()).then(|| format!("== {}\n{lines}", case.name()))
}

/// Whether expectations that were not recorded from BuildKit are to be written anew, to be read before they are kept.
fn updating() -> bool {
    std::env::var_os("UPDATE_CASES").is_some()
}

/// Holds what was said of a build that must fail against what should be said.
fn failure_difference(case: &BuildCase, succeeded: bool, told: &str) -> Option<String> {
    let said = told.find("error: ").map_or(told, |start| &told[start..]);
    if succeeded {
        return Some(format!("== {}: the build should have failed\n{told}", case.name()));
    }
    if updating() {
        case.update_error(said);
    }
    let expected = case.expected_error();
    (expected != said).then(|| format!("== {}\n--- expected\n{expected}--- told\n{said}", case.name()))
}

/// The config of an image, read from the store as any program that knows image layouts would.
fn config(tug: &Program, image: &str) -> Value {
    let index = read_json(&tug.store().join("index.json"));
    let manifests = index["manifests"].as_array().expect("an index lists manifests");
    let named = manifests.iter().find(|manifest| names(manifest, image));
    let manifest = blob(tug, named.unwrap_or_else(|| panic!("`{image}` is not in {index}")));
    blob(tug, &manifest["config"])
}

fn blob(tug: &Program, descriptor: &Value) -> Value {
    let digest = descriptor["digest"].as_str().expect("a descriptor has a digest");
    read_json(&tug.store().join("blobs").join(digest.replace(':', "/")))
}

/// The project may lie where an ordinary user of the test cannot read it.
fn readable_copy(case: &BuildCase) -> Home {
    let folder = Place::Here.home();
    for name in ["Dockerfile", "Dockerfile.dockerignore"] {
        if case.file(name).exists() {
            fs::copy(case.file(name), folder.path().join(name)).expect("a Dockerfile can be copied");
        }
    }
    folder
}

fn names(manifest: &Value, image: &str) -> bool {
    let annotations = manifest["annotations"].as_object();
    annotations.into_iter().flatten().filter_map(|(_, value)| value.as_str()).any(|name| {
        let name = name.strip_suffix(":latest").unwrap_or(name);
        name == image || name.ends_with(&format!("/{image}"))
    })
}

fn history_length(config: &Value) -> usize {
    config["history"].as_array().map_or(0, Vec::len)
}

fn line_changes(expected: &str, actual: &str) -> String {
    let missing = expected.lines().filter(|line| !actual.lines().any(|other| other == *line));
    let surplus = actual.lines().filter(|line| !expected.lines().any(|other| other == *line));
    let changes: String =
        missing.map(|line| format!("- {line}\n")).chain(surplus.map(|line| format!("+ {line}\n"))).collect();
    if changes.is_empty() && expected.trim_end() != actual.trim_end() {
        return format!("the same lines in another order:\n{actual}\n");
    }
    changes
}

fn read_json(path: &Path) -> Value {
    let bytes = fs::read(path).unwrap_or_else(|error| panic!("could not read `{}`: {error}", path.display()));
    serde_json::from_slice(&bytes).unwrap_or_else(|error| panic!("`{}` is not JSON: {error}", path.display()))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
