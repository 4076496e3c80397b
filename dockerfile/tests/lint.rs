//! Every folder of `tests/lint-cases` is a Dockerfile and what the lint rules find in it. The folder may also hold
//!
//! | file            | what it says                                                                               |
//! | --------------- | ------------------------------------------------------------------------------------------ |
//! | `.dockerignore` | the ignore file                                                                            |
//! | `build-args`    | `NAME=VALUE`, one a line                                                                   |
//! | `stages`        | the numbers of the stages that are built, one a line                                       |
//! | `base`          | what every base image has: `ENV NAME=VALUE`, `SHELL`, `ONBUILD …`, `PLATFORM EXPECTED OWN` |
//! | `override`      | the value of `BUILDKIT_DOCKERFILE_CHECK`                                                   |
//!
//! A new case needs no code: add a folder, run the test once with `UPDATE_CASES=1`, and read what it wrote. An `!` in
//! `expected` marks what fails the build.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tug_dockerfile::{
    Arguments, BaseImage, Check, Dockerfile, Ignore, LineIndex, Lint, LintOptions, Rule, Stage, lint,
};

fn found_in(case: &Path) -> (Vec<Lint>, String) {
    let source = fs::read(case.join("Dockerfile")).expect("each case has a Dockerfile");
    let dockerfile = Dockerfile::parse(&source).expect("only correct files are linted");
    let text = |name: &str| fs::read_to_string(case.join(name)).ok();
    let ignore = fs::read(case.join(".dockerignore")).ok();
    let ignore = ignore.map(|text| Ignore::parse(text).expect("the ignore file is correct"));
    let base = text("base").map(|text| base_image(&text));
    let base = |_: &Stage, _: &str, _: Option<&str>| base.clone();
    let check = text("override").map(|text| Check::parse(text.trim()).expect("the override is correct"));
    let stages =
        text("stages").map(|text| text.lines().map(|line| line.parse().expect("a number")).collect());
    let build_args = text("build-args").unwrap_or_default();
    let build_args = build_args.lines().map(pair).collect();
    let options = LintOptions {
        ignore: ignore.as_ref(),
        check: check.as_ref(),
        arguments: Arguments { build_args, ..Arguments::default() },
        stages,
        base: Some(&base),
    };
    let found = lint(&dockerfile, &options);
    let index = LineIndex::new(&source);
    let lines = found.iter().map(|lint| {
        let (start, end) = (index.location(lint.span.start), index.location(lint.span.end));
        let mark = if lint.is_error { "!" } else { "" };
        format!(
            "{}:{}-{} {}{mark}: {}\n",
            start.line,
            start.column,
            end.column,
            lint.rule.name(),
            lint.message
        )
    });
    let text = lines.collect();
    (found, text)
}

fn base_image(text: &str) -> BaseImage {
    let mut base = BaseImage::default();
    for line in text.lines() {
        match line.split_once(' ').unwrap_or((line, "")) {
            ("ENV", variable) => base.environment.push(pair(variable)),
            ("SHELL", _) => base.has_shell = true,
            ("ONBUILD", trigger) => base.triggers.push(trigger.to_owned()),
            ("PLATFORM", both) => {
                let (expected, own) = both.split_once(' ').expect("two platforms");
                base.other_platform = Some((expected.to_owned(), own.to_owned()));
            }
            (word, _) => panic!("`{word}` says nothing of a base image"),
        }
    }
    base
}

fn pair(line: &str) -> (String, String) {
    let (name, value) = line.split_once('=').expect("NAME=VALUE");
    (name.to_owned(), value.to_owned())
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
    let own_case = |rule: &&Rule| cases.iter().any(|case| case.ends_with(rule.name()));
    let homeless: Vec<&str> =
        Rule::ALL.iter().filter(|rule| !own_case(rule)).map(|rule| rule.name()).collect();
    assert!(homeless.is_empty(), "no case is called {homeless:?}");
}

#[test]
fn every_rule_is_explained() {
    let text = include_str!("../../docs/checks.md");
    for rule in Rule::ALL {
        let name = rule.name();
        assert!(text.contains(&format!("\n## {name}\n")), "docs/checks.md does not explain {name}");
        let row = text.lines().find(|line| line.starts_with(&format!("| [`{name}`]"))).expect("a row");
        assert_eq!(row.ends_with("| yes |"), rule.is_fixable(), "{row}");
    }
}
