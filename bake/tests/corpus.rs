//! Every folder of `tests/cases` holds bake files and what comes of them: the JSON that is printed, or the error as it is
//! shown. A new case needs no code: add a folder with files, run the test once with `UPDATE_CASES=1`, and read what it
//! wrote into `expected`.
//!
//! A file `words` has the words of the command line, one a line: `-f FILE`, `--set PATH=VALUE`, `--var NAME=VALUE`,
//! names of targets. Without `-f` the files are those that bake finds by itself. A file `environment` has the variables.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use tug_bake::{DEFAULT_FILES, File, Inputs, Problem};

#[derive(Default)]
struct Words {
    files: Vec<String>,
    sets: Vec<String>,
    inputs: Inputs,
    targets: Vec<String>,
}

#[test]
fn every_case_comes_out_as_expected() {
    let cases = cases();
    assert!(cases.len() >= 50, "only {} cases were found", cases.len());
    let update = std::env::var_os("UPDATE_CASES").is_some();
    let mut wrong = Vec::new();
    for case in &cases {
        let found = outcome(case);
        let expected = fs::read_to_string(case.join("expected")).unwrap_or_default();
        if found == expected {
            continue;
        }
        if update {
            fs::write(case.join("expected"), &found).expect("the case can be written");
        } else {
            wrong.push(format!("{}\n--- expected\n{expected}--- found\n{found}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases differ:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

#[test]
fn what_is_printed_is_read_as_the_same_again() {
    let mut printed = 0;
    for case in cases() {
        let found = outcome(&case);
        if !found.starts_with('{') {
            continue;
        }
        printed += 1;
        let text = found.split("\nwarning: ").next().unwrap_or_default();
        let file = File { name: "printed.json".to_owned(), text: text.to_owned() };
        let definition = tug_bake::read(&[file], &Inputs::default()).expect("it is a definition");
        let plan = definition.plan(&[], &[], |_| None).expect("the group default is in it");
        let again = serde_json::to_string_pretty(&plan.to_json()).expect("JSON can be written");
        assert_eq!(again.trim(), text.trim(), "{}", case.display());
    }
    assert!(printed >= 30, "only {printed} cases print something");
}

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let mut cases: Vec<PathBuf> = fs::read_dir(folder)
        .expect("the cases are there")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    cases.sort();
    cases
}

fn outcome(case: &Path) -> String {
    let words = words(case);
    let names = if words.files.is_empty() { DEFAULT_FILES.map(str::to_owned).to_vec() } else { words.files };
    let read = |name: String| {
        let text = fs::read_to_string(case.join(&name)).ok()?;
        Some(File { name, text })
    };
    let files: Vec<File> = names.into_iter().filter_map(read).collect();
    assert!(!files.is_empty(), "{} has no files", case.display());
    let definition = match tug_bake::read(&files, &words.inputs) {
        Ok(definition) => definition,
        Err(problems) => return shown(&problems, &files),
    };
    let environment = words.inputs.environment;
    match definition.plan(&words.targets, &words.sets, |name| environment.get(name).cloned()) {
        Ok(plan) => {
            let json = serde_json::to_string_pretty(&plan.to_json()).expect("JSON can be written");
            let warnings = definition.warnings.iter().map(|warning| format!("warning: {warning}\n"));
            format!("{json}\n{}", warnings.collect::<String>())
        }
        Err(problem) => shown(&[problem], &files),
    }
}

fn words(case: &Path) -> Words {
    let mut words = Words::default();
    words.inputs.now = 1_700_000_000;
    words.inputs.builtins =
        [("BAKE_CMD_CONTEXT", "cwd://"), ("BAKE_LOCAL_PLATFORM", "linux/amd64")].map(pair).into();
    let lines = |name: &str| fs::read_to_string(case.join(name)).unwrap_or_default();
    words.inputs.dot_env = fs::read_to_string(case.join(".env")).ok();
    words.inputs.environment = variables(&lines("environment"));
    for line in lines("words").lines() {
        match line.split_once(' ') {
            Some(("-f", name)) => words.files.push(name.to_owned()),
            Some(("--set", set)) => words.sets.push(set.to_owned()),
            Some(("--var", variable)) => words.inputs.variables.extend(variables(variable)),
            _ => words.targets.push(line.to_owned()),
        }
    }
    words
}

fn variables(text: &str) -> BTreeMap<String, String> {
    text.lines().filter_map(|line| line.split_once('=')).map(pair).collect()
}

fn pair((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// The problems as people would see them, with the line and marks below it.
fn shown(problems: &[Problem], files: &[File]) -> String {
    let mut text = String::new();
    for problem in problems {
        text += &format!("error: {}\n", problem.message);
        if let Some(file) = problem.file.filter(|_| !problem.span.is_empty()) {
            let source = &files[file].text;
            let start = source[..problem.span.start].rfind('\n').map_or(0, |at| at + 1);
            let line = source[start..].lines().next().unwrap_or_default();
            let column = source[start..problem.span.start].chars().count();
            let end = problem.span.end.min(start + line.len()).max(problem.span.start);
            let width = source[problem.span.start..end].chars().count().max(1);
            let number = source[..start].matches('\n').count() + 1;
            text += &format!("{}:{number}:{}\n  {line}\n", files[file].name, column + 1);
            text += &format!("  {}{}", " ".repeat(column), "^".repeat(width));
            text += &problem.label.as_ref().map_or("\n".to_owned(), |label| format!(" {label}\n"));
        } else if let Some(label) = &problem.label {
            text += &format!("  {label}\n");
        }
        text += &problem.help.as_ref().map(|help| format!("help: {help}\n")).unwrap_or_default();
    }
    text
}
