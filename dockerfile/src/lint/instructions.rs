//! Rules about single instructions of stages that are built, and about how often they stand in one.

use super::{Findings, Rule};
use crate::arguments::declarations;
use crate::scope::Scope;
use crate::{Command, Escape, Ignore, Instruction, InstructionKind, Source, Span, Transfer, Word};

/// What was seen in a stage so far, and in the stages it starts from.
#[derive(Clone, Default)]
pub(super) struct Facts {
    /// Shell forms go to a `SHELL` that somebody chose.
    pub(super) has_shell: bool,
    has_workdir: bool,
    /// The last `CMD`, `ENTRYPOINT` and `HEALTHCHECK` of this stage: their names and all of them.
    last: [Option<(Span, Span)>; 3],
}

impl Facts {
    /// A stage may have a `CMD` of its own over that of its base.
    pub(super) fn forget_what_counts_once(&mut self) {
        self.last = [None; 3];
    }
}

/// Looks at one instruction. `here` tells where a place of it is shown.
pub(super) fn one(
    instruction: &Instruction,
    escape: Escape,
    ignore: Option<&Ignore>,
    scope: &Scope,
    here: &dyn Fn(Span) -> Span,
    facts: &mut Facts,
    findings: &mut Findings<'_>,
) {
    let (name, span) = (&instruction.keyword.text, here(instruction.keyword.span));
    for declaration in declarations(instruction) {
        secret("ARG", &declaration.name.raw, here(declaration.name.span), findings);
    }
    match &instruction.kind {
        InstructionKind::Env(pairs) | InstructionKind::Label(pairs) => {
            if let ([pair], true) = (pairs.entries.as_slice(), pairs.legacy) {
                let message = format!(
                    "\"{name} key=value\" should be used instead of legacy \"{name} key value\" format"
                );
                findings.report(Rule::LegacyKeyValueFormat, here(pair.key.span.to(pair.value.span)), message);
            }
            if matches!(instruction.kind, InstructionKind::Env(_)) {
                for pair in &pairs.entries {
                    let key = scope.value(&pair.key, escape).unwrap_or_else(|| pair.key.raw.clone());
                    secret("ENV", &key, here(pair.key.span), findings);
                }
            }
        }
        InstructionKind::Workdir(path) => {
            let value = scope.value(path, escape);
            let is_first = !std::mem::replace(&mut facts.has_workdir, true);
            if let (true, Some(value)) = (is_first, value.filter(|value| !value.starts_with('/'))) {
                let message = format!(
                    "Relative workdir \"{value}\" can have unexpected results if the base image changes"
                );
                findings.report(Rule::WorkdirRelativePath, here(path.span), message);
            }
        }
        InstructionKind::Shell(_) => facts.has_shell = true,
        InstructionKind::Cmd(command) | InstructionKind::Entrypoint(command) => {
            if matches!(command, Command::Shell(_)) && !facts.has_shell {
                let message = format!(
                    "JSON arguments recommended for {name} to prevent unintended behavior related to OS signals"
                );
                findings.report(Rule::JSONArgsRecommended, span, message);
            }
            let index = usize::from(matches!(instruction.kind, InstructionKind::Entrypoint(_)));
            once(instruction, here, &mut facts.last[index], findings);
        }
        InstructionKind::Healthcheck(_) => once(instruction, here, &mut facts.last[2], findings),
        InstructionKind::Expose(words) => {
            for word in words {
                for port in scope.several(word, escape).unwrap_or_default() {
                    expose(&port, here(word.span), findings);
                }
            }
        }
        InstructionKind::Copy(copy) if copy.from.is_none() => {
            ignored("Copy", &copy.files, escape, ignore, scope, here, findings);
        }
        InstructionKind::Add(add) => ignored("Add", &add.files, escape, ignore, scope, here, findings),
        _ => {}
    }
}

/// The earlier instruction is the one without effect.
fn once(
    instruction: &Instruction,
    here: &dyn Fn(Span) -> Span,
    last: &mut Option<(Span, Span)>,
    findings: &mut Findings<'_>,
) {
    let this = (here(instruction.keyword.span), here(instruction.span));
    if let Some((keyword, earlier)) = last.replace(this) {
        let message = format!(
            "Multiple {} instructions should not be used in the same stage because only the last one will be used",
            instruction.keyword.text
        );
        findings.report_in(Rule::MultipleInstructionsDisallowed, keyword, earlier, message);
    }
}

fn expose(port: &str, span: Span, findings: &mut Findings<'_>) {
    let (host, container) = port.rsplit_once(':').unwrap_or(("", port));
    let protocol = container.split_once('/').map_or("", |(_, protocol)| protocol);
    if protocol.bytes().any(|byte| byte.is_ascii_uppercase()) {
        let message = format!("Defined protocol '{port}' in EXPOSE instruction should be lowercase");
        findings.report(Rule::ExposeProtoCasing, span, message);
    }
    if !host.is_empty() {
        let message = format!(
            "EXPOSE instruction should not define an IP address or host-port mapping, found '{port}'"
        );
        findings.report(Rule::ExposeInvalidFormat, span, message);
    }
}

/// Words that make the name of a variable look like that of a secret, and those that make it harmless.
const SECRET_WORDS: [&str; 10] =
    ["apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd", "secret", "token"];
const HARMLESS_WORDS: [&str; 3] = ["public", "file", "version"];

fn secret(instruction: &str, name: &str, span: Span, findings: &mut Findings<'_>) {
    let has =
        |words: &[&str]| name.split('_').any(|part| words.iter().any(|word| part.eq_ignore_ascii_case(word)));
    if has(&SECRET_WORDS) && !has(&HARMLESS_WORDS) {
        let message =
            format!("Do not use ARG or ENV instructions for sensitive data ({instruction} \"{name}\")");
        findings.report(Rule::SecretsUsedInArgOrEnv, span, message);
    }
}

/// A file that brings paths back is left alone: a source may be ignored and something in it not.
fn ignored(
    instruction: &str,
    files: &Transfer,
    escape: Escape,
    ignore: Option<&Ignore>,
    scope: &Scope,
    here: &dyn Fn(Span) -> Span,
    findings: &mut Findings<'_>,
) {
    let Some(ignore) = ignore.filter(|ignore| !ignore.has_exceptions()) else { return };
    for source in &files.sources {
        let Source::Path(word) = source else { continue };
        let Some(path) = scope.value(word, escape).filter(|path| !is_elsewhere(path, word)) else { continue };
        let clean = crate::path::clean(&path);
        // The whole context is left out only by rules that leave nothing.
        let decision =
            if clean == "." { ignore.matches(b"any name") } else { ignore.matches(clean.as_bytes()) };
        if decision.ignored {
            let message =
                format!("Attempting to {instruction} file \"{clean}\" that is excluded by .dockerignore");
            findings.report(Rule::CopyIgnoredFile, here(word.span), message);
        }
    }
}

/// An address is no path of the context.
fn is_elsewhere(path: &str, word: &Word) -> bool {
    path.contains("://") || word.raw.contains("://") || path.starts_with("git@")
}
