//! Every folder of `tests/lint-cases` is a Dockerfile and what the lint rules find in it. The folder may also
//! hold a `.dockerignore`, and `base-environment`: the names of the variables that every base image sets. A
//! new case needs no code: add a folder, run the test once with `UPDATE_CASES=1`, and read what it wrote.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tug_dockerfile::{Dockerfile, Ignore, LineIndex, Lint, LintOptions, Rule, Stage, lint};

fn found_in(case: &Path) -> (Vec<Lint>, String) {
    let source = fs::read(case.join("Dockerfile")).expect("each case has a Dockerfile");
    let dockerfile = Dockerfile::parse(&source).expect("only correct files are linted");
    let ignore = fs::read(case.join(".dockerignore")).ok();
    let ignore = ignore.map(|text| Ignore::parse(text).expect("the ignore file is correct"));
    let names = fs::read_to_string(case.join("base-environment")).ok();
    let environment = |_: &Stage| names.as_ref().map(|names| names.lines().map(str::to_owned).collect());
    let options = LintOptions { ignore: ignore.as_ref(), check: None, base_environment: Some(&environment) };
    let found = lint(&dockerfile, &options);
    let index = LineIndex::new(&source);
    let lines = found.iter().map(|lint| {
        let (start, end) = (index.location(lint.span.start), index.location(lint.span.end));
        format!("{}:{}-{} {}: {}\n", start.line, start.column, end.column, lint.rule.name(), lint.message)
    });
    let text = lines.collect();
    (found, text)
}

#[test]
fn every_case_is_linted_as_expected() {
    let mut cases = Vec::new();
    for entry in
        fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lint-cases")).expect("cases exist")
    {
        cases.push(entry.expect("the cases can be listed").path());
    }
    cases.sort();

    let update = std::env::var_os("UPDATE_CASES").is_some();
    let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
    for case in &cases {
        let (found, text) = found_in(case);
        seen.extend(found.iter().map(|lint| lint.rule));
        let expected = fs::read_to_string(case.join("expected")).unwrap_or_default();
        if update {
            fs::write(case.join("expected"), &text).expect("the case can be written");
        } else if text != expected {
            wrong.push(format!("{}\n--- expected\n{expected}--- found\n{text}", case.display()));
        }
    }
    assert!(wrong.is_empty(), "{} cases differ:\n{}", wrong.len(), wrong.join("\n"));

    let unseen: Vec<&str> =
        Rule::ALL.iter().filter(|rule| !seen.contains(rule)).map(|rule| rule.name()).collect();
    assert!(unseen.is_empty(), "no case breaks {unseen:?}");
}
