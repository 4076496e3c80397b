//! Rules about the shape of the file: stages, their names, the case of keywords, empty lines.

use super::{Findings, Rule};
use crate::arguments::declarations;
use crate::{Comment, Dockerfile, Instruction, InstructionKind, Span, Stage};

pub(super) fn lint<'a>(dockerfile: &'a Dockerfile, findings: &mut Findings<'a>) {
    keywords(dockerfile, findings);
    empty_continuations(dockerfile, findings);
    for instruction in &dockerfile.global_args {
        described(instruction, findings);
    }
    for stage in &dockerfile.stages {
        findings.at(stage.check.as_ref(), stage.span);
        name(dockerfile, stage, findings);
        if let Some(name) = &stage.from.name {
            description("FROM", &[name.as_str()], &stage.comments, findings);
        }
        for instruction in &stage.instructions {
            described(instruction, findings);
            if matches!(instruction.kind, InstructionKind::Maintainer(_)) {
                findings.at(instruction.check.as_ref(), instruction.span);
                let message = "Maintainer instruction is deprecated in favor of using label".to_owned();
                findings.report(Rule::MaintainerDeprecated, instruction.keyword.span, message);
            }
        }
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
                .map(|instruction| (&instruction.keyword, instruction.check.as_ref(), instruction.span));
            std::iter::once((&stage.keyword, stage.check.as_ref(), stage.span)).chain(rest)
        })
    };
    let count = |case: Case| all().filter(|(keyword, ..)| Case::of(&keyword.text) == case).count();
    let (case, name) = match count(Case::Lower) > count(Case::Upper) {
        true => (Case::Lower, "lowercase"),
        false => (Case::Upper, "uppercase"),
    };
    for (keyword, check, span) in all().filter(|(keyword, ..)| Case::of(&keyword.text) != case) {
        findings.at(check, span);
        let message =
            format!("Command '{}' should match the case of the command majority ({name})", keyword.text);
        findings.report(Rule::ConsistentInstructionCasing, keyword.span, message);
    }
}

/// One finding for each instruction.
fn empty_continuations<'a>(dockerfile: &'a Dockerfile, findings: &mut Findings<'a>) {
    const MESSAGE: &str = "Empty continuation line";
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
            findings.at(check, Span::new(span.end.saturating_sub(1), span.end));
            findings.report(Rule::NoEmptyContinuation, line, MESSAGE.to_owned());
        }
    }
    // What is left follows the last instruction: it ends with an escape character and nothing behind it.
    if let Some(&line) = empty.next() {
        findings.at(None, line);
        findings.report(Rule::NoEmptyContinuation, line, MESSAGE.to_owned());
    }
}

fn name(dockerfile: &Dockerfile, stage: &Stage, findings: &mut Findings<'_>) {
    let (Some(name), Some((keyword, written))) = (&stage.from.name, &stage.from.name_as_written) else {
        return;
    };
    if written.raw != name.as_str() {
        let message = format!("Stage name '{}' should be lowercase", written.raw);
        findings.report(Rule::StageNameCasing, written.span, message);
    }
    let case = Case::of(&stage.keyword.text);
    if case != Case::Mixed && Case::of(&keyword.raw) != case {
        let message = format!("'{}' and '{}' keywords' casing do not match", keyword.raw, stage.keyword.text);
        findings.report(Rule::FromAsCasing, keyword.span, message);
    }
    if matches!(name.as_str(), "scratch" | "context") {
        let message = format!("Stage name should not use the same name as reserved stage \"{name}\"");
        findings.report(Rule::ReservedStageName, written.span, message);
    }
    let earlier = &dockerfile.stages[..stage.index];
    if earlier.iter().any(|earlier| earlier.from.name.as_ref() == Some(name)) {
        let message = format!("Duplicate stage name \"{name}\", stage names should be unique");
        findings.report(Rule::DuplicateStageName, written.span, message);
    }
}

fn described<'a>(instruction: &'a Instruction, findings: &mut Findings<'a>) {
    let declarations = declarations(instruction);
    let names: Vec<&str> = declarations.iter().map(|declaration| declaration.name.raw.as_str()).collect();
    if !names.is_empty() {
        findings.at(instruction.check.as_ref(), instruction.span);
        description("ARG", &names, &instruction.comments, findings);
    }
}

/// The last comment line above starts with the name of what it describes, or is a directive.
fn description(instruction: &str, names: &[&str], comments: &[Comment], findings: &mut Findings<'_>) {
    let Some(comment) = comments.last() else { return };
    let first = comment.text.split(' ').next().unwrap_or_default();
    if names.contains(&first) || comment.text.trim_start().starts_with("check=") {
        return;
    }
    let example = if let [only] = names { only } else { "<arg_key>" };
    let message = format!("Comment for {instruction} should follow the format: `# {example} <description>`");
    findings.report(Rule::InvalidDefinitionDescription, comment.span, message);
}
