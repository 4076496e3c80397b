//! Rules about single instructions, and about how often they stand in a stage.

use super::{Findings, LintOptions, Rule, earlier_stage};
use crate::{
    Command, Comment, Dockerfile, ExposedPorts, Ignore, Instruction, InstructionKind, Pairs, Source, Span,
    Transfer, Word,
};

pub(super) fn lint<'a>(dockerfile: &'a Dockerfile, options: &LintOptions<'_>, findings: &mut Findings<'a>) {
    for instruction in &dockerfile.global_args {
        findings.at(instruction.check.as_ref());
        arg(instruction, findings);
    }
    let mut ends: Vec<StageFacts> = Vec::new();
    for stage in &dockerfile.stages {
        findings.at(stage.check.as_ref());
        if let Some(name) = &stage.from.name {
            description("the stage", &[name.as_str()], &stage.comments, findings);
        }
        let parent = earlier_stage(dockerfile, stage.index, &stage.from.image.raw);
        let mut facts = parent.map(|parent| ends[parent.index].clone()).unwrap_or_default();
        facts.last = [None, None, None];
        for instruction in &stage.instructions {
            findings.at(instruction.check.as_ref());
            one(instruction, options, &mut facts, findings);
        }
        ends.push(facts);
    }
}

/// What was seen in a stage so far, and in the stages it starts from.
#[derive(Clone, Default)]
struct StageFacts {
    shell_is_set: bool,
    workdir_is_absolute: bool,
    /// The last `CMD`, `ENTRYPOINT` and `HEALTHCHECK` of this stage.
    last: [Option<Span>; 3],
}

fn one(
    instruction: &Instruction,
    options: &LintOptions<'_>,
    facts: &mut StageFacts,
    findings: &mut Findings<'_>,
) {
    let span = instruction.keyword.span;
    match &instruction.kind {
        InstructionKind::Arg(_) => arg(instruction, findings),
        InstructionKind::Env(pairs) => {
            legacy(instruction, pairs, findings);
            pairs.entries.iter().for_each(|pair| secret("ENV", &pair.key, findings));
        }
        InstructionKind::Label(pairs) => legacy(instruction, pairs, findings),
        InstructionKind::Maintainer(_) => {
            let message = "`MAINTAINER` is deprecated; use the label `org.opencontainers.image.authors`";
            findings.report(Rule::MaintainerDeprecated, span, message.to_owned());
        }
        InstructionKind::Workdir(path) => workdir(path, facts, findings),
        InstructionKind::Shell(_) => facts.shell_is_set = true,
        InstructionKind::Cmd(command) | InstructionKind::Entrypoint(command) => {
            if matches!(command, Command::Shell(_)) && !facts.shell_is_set {
                let message = format!(
                    "`{}` goes through a shell, which keeps signals from the program",
                    instruction.kind.name()
                );
                findings.report(Rule::JSONArgsRecommended, span, message);
            }
            let index = usize::from(matches!(instruction.kind, InstructionKind::Entrypoint(_)));
            once(instruction, &mut facts.last[index], findings);
        }
        InstructionKind::Healthcheck(_) => once(instruction, &mut facts.last[2], findings),
        InstructionKind::Expose(ports) => ports.iter().for_each(|port| expose(port, findings)),
        InstructionKind::Copy(copy) if copy.from.is_none() => {
            ignored("COPY", &copy.files, options.ignore, findings);
        }
        InstructionKind::Add(add) => ignored("ADD", &add.files, options.ignore, findings),
        _ => {}
    }
}

fn arg(instruction: &Instruction, findings: &mut Findings<'_>) {
    let InstructionKind::Arg(declarations) = &instruction.kind else { return };
    declarations.iter().for_each(|declaration| secret("ARG", &declaration.name, findings));
    let names: Vec<&str> = declarations.iter().map(|declaration| declaration.name.raw.as_str()).collect();
    description("the argument", &names, &instruction.comments, findings);
}

/// The last comment line above starts with the name of what it describes, or is a directive.
fn description(what: &str, names: &[&str], comments: &[Comment], findings: &mut Findings<'_>) {
    let Some(comment) = comments.last() else { return };
    let first = comment.text.split(' ').next().unwrap_or_default();
    if names.contains(&first) || comment.text.trim_start().starts_with("check=") {
        return;
    }
    let message = format!("to describe {what}, start with its name: `# {} …`", names.first().unwrap_or(&""));
    findings.report(Rule::InvalidDefinitionDescription, comment.span, message);
}

fn legacy(instruction: &Instruction, pairs: &Pairs, findings: &mut Findings<'_>) {
    if let ([pair], true) = (pairs.entries.as_slice(), pairs.legacy) {
        let name = instruction.kind.name();
        let message = format!("`{name} {key} value` should be `{name} {key}=value`", key = pair.key.raw);
        findings.report(Rule::LegacyKeyValueFormat, pair.key.span.to(pair.value.span), message);
    }
}

fn workdir(path: &Word, facts: &mut StageFacts, findings: &mut Findings<'_>) {
    // A variable may well be absolute.
    if path.raw.starts_with(['/', '$', '"', '\'']) {
        facts.workdir_is_absolute = true;
    } else if !facts.workdir_is_absolute {
        let message = format!("where `{}` is depends on the base image", path.raw);
        findings.report(Rule::WorkdirRelativePath, path.span, message);
    }
}

/// The earlier instruction is the one without effect.
fn once(instruction: &Instruction, last: &mut Option<Span>, findings: &mut Findings<'_>) {
    if let Some(earlier) = last.replace(instruction.keyword.span) {
        let message = format!("this `{}` has no effect, there is another one below", instruction.kind.name());
        findings.report(Rule::MultipleInstructionsDisallowed, earlier, message);
    }
}

fn expose(port: &Word, findings: &mut Findings<'_>) {
    if let Some((_, protocol)) = port.raw.rsplit_once('/')
        && !protocol.contains('$')
        && protocol.bytes().any(|byte| byte.is_ascii_uppercase())
    {
        let message = format!("the protocol of `{}` should be lower-case", port.raw);
        findings.report(Rule::ExposeProtoCasing, port.span, message);
    }
    if ExposedPorts::parse(&port.raw).is_ok_and(|ports| ports.names_host()) {
        let message = format!("of `{}` only the port of the container counts", port.raw);
        findings.report(Rule::ExposeInvalidFormat, port.span, message);
    }
}

/// Words that make the name of a variable look like that of a secret, and those that make it harmless.
const SECRET_WORDS: [&str; 10] =
    ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];
const HARMLESS_WORDS: [&str; 3] = ["public", "file", "version"];

fn secret(instruction: &str, name: &Word, findings: &mut Findings<'_>) {
    let has = |words: &[&str]| {
        name.raw.split('_').any(|part| words.iter().any(|word| part.eq_ignore_ascii_case(word)))
    };
    if has(&SECRET_WORDS) && !has(&HARMLESS_WORDS) {
        let message =
            format!("the value of `{instruction} {}` stays in the image for everybody to read", name.raw);
        findings.report(Rule::SecretsUsedInArgOrEnv, name.span, message);
    }
}

/// A file that brings paths back is left alone: a source may be ignored and something in it not.
fn ignored(instruction: &str, files: &Transfer, ignore: Option<&Ignore>, findings: &mut Findings<'_>) {
    let Some(ignore) = ignore.filter(|ignore| !ignore.has_exceptions()) else { return };
    for source in &files.sources {
        let Source::Path(path) = source else { continue };
        let relative = path.raw.trim_matches('/').trim_start_matches("./");
        let is_elsewhere = path.raw.contains("://")
            || path.raw.contains(['$', '*', '?', '['])
            || path.raw.starts_with("git@");
        if is_elsewhere || matches!(relative, "" | ".") {
            continue;
        }
        let decision = ignore.matches(relative.as_bytes());
        if let (true, Some(line)) = (decision.ignored, decision.line) {
            let message =
                format!("`{instruction}` of `{}`, which line {line} of the ignore file leaves out", path.raw);
            findings.report(Rule::CopyIgnoredFile, path.span, message);
        }
    }
}
