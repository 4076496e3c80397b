//! Rules about variables: is each of them declared where it is used, and does `FROM` make sense without build
//! arguments?

use std::collections::{BTreeMap, BTreeSet};

use super::{Findings, LintOptions, Rule, earlier_stage};
use crate::expand::{needed_names, needed_names_of_heredoc};
use crate::parse::closest;
use crate::{Dockerfile, Escape, Expandable, Instruction, InstructionKind, Span, Stage, Word, expand};

/// Every build has these, but a stage has to ask for them with `ARG`.
const PLATFORM_ARGUMENTS: [(&str, &str); 11] = [
    ("TARGETPLATFORM", "linux/amd64"),
    ("TARGETOS", "linux"),
    ("TARGETOSVERSION", ""),
    ("TARGETARCH", "amd64"),
    ("TARGETVARIANT", ""),
    ("TARGETSTAGE", "default"),
    ("BUILDPLATFORM", "linux/amd64"),
    ("BUILDOS", "linux"),
    ("BUILDOSVERSION", ""),
    ("BUILDARCH", "amd64"),
    ("BUILDVARIANT", ""),
];

pub(super) fn lint<'a>(dockerfile: &'a Dockerfile, options: &LintOptions<'_>, findings: &mut Findings<'a>) {
    let escape = dockerfile.directives.escape;
    let globals = Globals::new(&dockerfile.global_args, escape);
    let mut scopes: Vec<Scope> = Vec::new();
    for stage in &dockerfile.stages {
        findings.at(stage.check.as_ref());
        globals.lint_from(stage, escape, findings);
        let image = expand(&stage.from.image.raw, escape, &|name| globals.defaults.get(name).cloned());
        let image = image.map_or_else(|_| stage.from.image.raw.clone(), |image| image.text);
        let mut scope = match earlier_stage(dockerfile, stage.index, &image) {
            Some(parent) => scopes[parent.index].clone(),
            None => Scope::of_base(stage, &image, options),
        };
        for instruction in &stage.instructions {
            findings.at(instruction.check.as_ref());
            scope.lint(instruction, escape, findings);
            scope.declare(instruction);
        }
        scopes.push(scope);
    }
}

/// The arguments before the first `FROM`.
struct Globals {
    declared: BTreeSet<String>,
    defaults: BTreeMap<String, String>,
}

impl Globals {
    fn new(instructions: &[Instruction], escape: Escape) -> Self {
        let builtin = PLATFORM_ARGUMENTS.iter().map(|&(name, value)| (name.to_owned(), value.to_owned()));
        let mut globals = Self { declared: BTreeSet::new(), defaults: builtin.collect() };
        globals.declared.extend(globals.defaults.keys().cloned());
        for instruction in instructions {
            let InstructionKind::Arg(declarations) = &instruction.kind else { continue };
            for declaration in declarations {
                let lookup = |name: &str| globals.defaults.get(name).cloned();
                let default =
                    declaration.default.as_ref().and_then(|word| expand(&word.raw, escape, &lookup).ok());
                let name = declaration.name.raw.clone();
                if let Some(default) = default {
                    globals.defaults.insert(name.clone(), default.text);
                }
                globals.declared.insert(name);
            }
        }
        globals
    }

    fn lint_from(&self, stage: &Stage, escape: Escape, findings: &mut Findings<'_>) {
        for word in std::iter::once(&stage.from.image).chain(&stage.from.platform) {
            for name in needed_names(&word.raw, escape).difference(&self.declared) {
                let known: Vec<&str> = self.declared.iter().map(String::as_str).collect();
                let message =
                    format!("`{name}` is not declared before the first `FROM`{}", did_you_mean(name, &known));
                findings.report(Rule::UndefinedArgInFrom, word.span, message);
            }
        }
        let image = &stage.from.image;
        if !image.raw.contains('$') {
            return;
        }
        let expanded = expand(&image.raw, escape, &|name| self.defaults.get(name).cloned());
        if let Ok(expanded) = expanded
            && !may_name_an_image(&expanded.text)
        {
            let message = match expanded.text.as_str() {
                "" => "without build arguments this is empty".to_owned(),
                text => format!("without build arguments this is `{text}`, which names no image"),
            };
            findings.report(Rule::InvalidDefaultArgInFrom, image.span, message);
        }
    }
}

/// The variables an instruction can use.
#[derive(Clone, Default)]
struct Scope {
    names: BTreeSet<String>,
    /// There may be more, which the base image sets.
    is_open: bool,
}

impl Scope {
    fn of_base(stage: &Stage, image: &str, options: &LintOptions<'_>) -> Self {
        let mut names = BTreeSet::from(["PATH".to_owned()]);
        if image.eq_ignore_ascii_case("scratch") {
            return Self { names, is_open: false };
        }
        let base = options.base_environment.and_then(|environment| environment(stage));
        let is_open = base.is_none();
        names.extend(base.unwrap_or_default());
        Self { names, is_open }
    }

    fn lint(&self, instruction: &Instruction, escape: Escape, findings: &mut Findings<'_>) {
        for expandable in instruction.expandables() {
            match expandable {
                Expandable::Word(word) | Expandable::Words(word) => {
                    self.lint_names(&needed_names(&word.raw, escape), word.span, findings);
                }
                Expandable::Heredoc(heredoc) => {
                    self.lint_names(&needed_names_of_heredoc(&heredoc.text()), heredoc.span, findings);
                }
            }
        }
    }

    fn lint_names(&self, needed: &BTreeSet<String>, span: Span, findings: &mut Findings<'_>) {
        let known: Vec<&str> = self.names.iter().map(String::as_str).collect();
        for name in needed.iter().filter(|name| is_variable(name) && !self.names.contains(*name)) {
            let hint = did_you_mean(name, &known);
            if !self.is_open || !hint.is_empty() {
                findings.report(
                    Rule::UndefinedVar,
                    span,
                    format!("`{name}` is not declared in this stage{hint}"),
                );
            }
        }
    }

    fn declare(&mut self, instruction: &Instruction) {
        let names: Vec<&Word> = match &instruction.kind {
            InstructionKind::Arg(declarations) => {
                declarations.iter().map(|declaration| &declaration.name).collect()
            }
            InstructionKind::Env(pairs) => pairs.entries.iter().map(|pair| &pair.key).collect(),
            _ => return,
        };
        self.is_open |= names.iter().any(|name| name.raw.contains('$'));
        self.names.extend(names.into_iter().map(|name| name.raw.clone()));
    }
}

/// `$1` and `$@` are always empty; nobody can declare them.
fn is_variable(name: &str) -> bool {
    name.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn did_you_mean(name: &str, known: &[&str]) -> String {
    closest(name, known).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default()
}

/// Has a text the form `[host[:port]/]path[:tag][@digest]`?
fn may_name_an_image(text: &str) -> bool {
    let (name, digest) = text.split_once('@').map_or((text, None), |(name, digest)| (name, Some(digest)));
    let last_part = name.rfind('/').map_or(0, |slash| slash + 1);
    let (path, tag) = match name[last_part..].find(':') {
        Some(colon) => (&name[..last_part + colon], Some(&name[last_part + colon + 1..])),
        None => (name, None),
    };
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let starts_well =
        |part: &str| part.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_');
    let is_tag = |tag: &str| tag.len() <= 128 && starts_well(tag) && tag.bytes().all(is_word);
    let is_digest = |digest: &str| {
        digest.split_once(':').is_some_and(|(algorithm, hex)| {
            !algorithm.is_empty() && hex.len() >= 32 && hex.bytes().all(|digit| digit.is_ascii_hexdigit())
        })
    };
    let mut parts = path.split('/').enumerate();
    let has_host = path.contains('/');
    let parts_are_good = parts.all(|(index, part)| {
        let may_be_host = index == 0 && has_host;
        let part = if may_be_host { part.split(':').next().unwrap_or_default() } else { part };
        let ends_well = part.ends_with(|last: char| last.is_ascii_alphanumeric());
        let is_lower = may_be_host || !part.bytes().any(|byte| byte.is_ascii_uppercase());
        part.starts_with(|first: char| first.is_ascii_alphanumeric())
            && ends_well
            && is_lower
            && part.bytes().all(is_word)
    });
    parts_are_good && tag.is_none_or(is_tag) && digest.is_none_or(is_digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images_have_a_form() {
        for name in [
            "a",
            "debian:stable-slim",
            "localhost:5000/a/b:1",
            "Host.example/a",
            "a@sha256:0123456789abcdef0123456789abcdef",
        ] {
            assert!(may_name_an_image(name), "{name}");
        }
        for name in ["", ":1", "a:", "a/", "A", "a//b", "a:b:c", "a b", "-a", "a@", "a@sha256:x", "a:-1"] {
            assert!(!may_name_an_image(name), "{name}");
        }
    }
}
