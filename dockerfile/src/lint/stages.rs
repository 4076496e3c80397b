//! Rules about the shape of the file: stages, their names, the case of keywords, empty lines.

use super::{Findings, Rule};
use crate::{Dockerfile, Escape, Instruction, Stage, expand};

pub(super) fn lint<'a>(dockerfile: &'a Dockerfile, findings: &mut Findings<'a>) {
    keywords(dockerfile, findings);
    empty_continuations(dockerfile, findings);
    for stage in &dockerfile.stages {
        findings.at(stage.check.as_ref());
        name(dockerfile, stage, findings);
        platform(stage, findings);
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Lower,
    Upper,
    Mixed,
}

impl Case {
    fn of(word: &str) -> Self {
        match word {
            _ if word.bytes().all(|byte| byte.is_ascii_lowercase()) => Self::Lower,
            _ if word.bytes().all(|byte| byte.is_ascii_uppercase()) => Self::Upper,
            _ => Self::Mixed,
        }
    }
}

fn keywords<'a>(dockerfile: &'a Dockerfile, findings: &mut Findings<'a>) {
    let all = || {
        dockerfile.stages.iter().flat_map(|stage| {
            let rest = stage
                .instructions
                .iter()
                .map(|instruction| (&instruction.keyword, instruction.check.as_ref()));
            std::iter::once((&stage.keyword, stage.check.as_ref())).chain(rest)
        })
    };
    let count = |case: Case| all().filter(|(keyword, _)| Case::of(&keyword.text) == case).count();
    let (case, name) =
        if count(Case::Lower) > count(Case::Upper) { (Case::Lower, "lower") } else { (Case::Upper, "upper") };
    for (keyword, check) in all().filter(|(keyword, _)| Case::of(&keyword.text) != case) {
        findings.at(check);
        let message = format!("`{}` should be {name}-case, as most instructions of this file", keyword.text);
        findings.report(Rule::ConsistentInstructionCasing, keyword.span, message);
    }
}

/// One finding for each instruction.
fn empty_continuations<'a>(dockerfile: &'a Dockerfile, findings: &mut Findings<'a>) {
    let spans = |instruction: &'a Instruction| (instruction.span, instruction.check.as_ref());
    let mut instructions: Vec<_> = dockerfile.global_args.iter().map(spans).collect();
    for stage in &dockerfile.stages {
        instructions.push((stage.span, stage.check.as_ref()));
        instructions.extend(stage.instructions.iter().map(spans));
    }
    let mut empty = dockerfile.empty_continuations.iter().peekable();
    for (span, check) in instructions {
        let first = empty.peek().filter(|line| line.start < span.end).copied();
        while empty.next_if(|line| line.start < span.end).is_some() {}
        if let Some(&line) = first {
            findings.at(check);
            findings.report(
                Rule::NoEmptyContinuation,
                line,
                "an empty line inside an instruction".to_owned(),
            );
        }
    }
    // What is left follows the last instruction: it ends with an escape character and nothing behind it.
    if let Some(&line) = empty.next() {
        findings.at(None);
        findings.report(Rule::NoEmptyContinuation, line, "an empty line after a continued one".to_owned());
    }
}

fn name(dockerfile: &Dockerfile, stage: &Stage, findings: &mut Findings<'_>) {
    let (Some(name), Some((keyword, written))) = (&stage.from.name, &stage.from.name_as_written) else {
        return;
    };
    if written.raw != name.as_str() {
        let message = format!("the stage name `{}` should be lower-case", written.raw);
        findings.report(Rule::StageNameCasing, written.span, message);
    }
    let case = Case::of(&stage.keyword.text);
    if case != Case::Mixed && Case::of(&keyword.raw) != case {
        let message = format!("`{}` and `{}` differ in case", stage.keyword.text, keyword.raw);
        findings.report(Rule::FromAsCasing, keyword.span, message);
    }
    if matches!(name.as_str(), "scratch" | "context") {
        findings.report(
            Rule::ReservedStageName,
            written.span,
            format!("the stage name `{name}` has a meaning of its own"),
        );
    }
    let earlier = &dockerfile.stages[..stage.index];
    if earlier.iter().any(|earlier| earlier.from.name.as_ref() == Some(name)) {
        findings.report(
            Rule::DuplicateStageName,
            written.span,
            format!("an earlier stage is called `{name}` too"),
        );
    }
}

fn platform(stage: &Stage, findings: &mut Findings<'_>) {
    let Some(platform) = &stage.from.platform else { return };
    if matches!(platform.raw.as_str(), "$TARGETPLATFORM" | "${TARGETPLATFORM}") {
        let message = format!("`{}` is the platform that `FROM` takes anyway", platform.raw);
        findings.report(Rule::RedundantTargetPlatform, platform.span, message);
        return;
    }
    let Ok(constant) = expand(&platform.raw, Escape::Backslash, &|_| None) else { return };
    if !constant.used.is_empty() || !constant.unset.is_empty() {
        return;
    }
    let name = stage.from.name.as_ref().map_or("", |name| name.as_str());
    if !platform_words(&constant.text).iter().any(|word| name.contains(word)) {
        let message = format!("the platform is always `{}`, whatever the build asks for", constant.text);
        findings.report(Rule::FromPlatformFlagConstDisallowed, platform.span, message);
    }
}

/// Operating system and architecture of `os/arch[/variant]`, or of either alone.
fn platform_words(platform: &str) -> Vec<&str> {
    let usual = |word| match word {
        "x86_64" | "x86-64" => "amd64",
        "aarch64" => "arm64",
        "armhf" | "armel" => "arm",
        "macos" => "darwin",
        other => other,
    };
    let mut words: Vec<&str> =
        platform.split('/').take(2).map(usual).filter(|word| !word.is_empty()).collect();
    if words.len() == 1 && !matches!(words[0], "linux" | "windows" | "darwin" | "freebsd") {
        words.push("linux");
    }
    words
}
